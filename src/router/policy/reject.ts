/**
 * When a message goes to a lessee: it would miss its latest start with the lessor, and elsewhere it would not, or would wait clearly less.
 * SCHEDULING.md 3.4 P6 with P11, and 3.5. Within one router what waits where is known exactly, so all open lessees are looked at, and only new ones
 * are drawn at random.
 */
import type { ActorView, AdmitDecision, LaneView, PolicyEnvironment } from "./policy";

/** Workers drawn for a new lessee. The pilot found no gain beyond 2 or 3 (SCHEDULING.md 4.3). */
const RANGE = 2;
/** A late message moves only where it waits this much less, ms. */
const HYSTERESIS_MS = 5;

const QUEUE: AdmitDecision = { do: "queue" };

export class Reject {
  #range = RANGE;
  #hysteresisMs = HYSTERESIS_MS;

  constructor(
    /** Unless the params say otherwise. */
    private scaling: boolean,
  ) {}

  init({ params }: PolicyEnvironment): void {
    if (typeof params.scaling === "boolean") this.scaling = params.scaling;
    if (typeof params.range === "number") this.#range = params.range;
    if (typeof params.hysteresisMs === "number") this.#hysteresisMs = params.hysteresisMs;
  }

  admit(actor: ActorView | undefined): AdmitDecision {
    if (!actor || !this.scaling) return QUEUE;
    const home = actor.home();
    if (home.feasible) return QUEUE;
    const lessees = actor.lessees();
    const room = lessees.find(({ feasible }) => feasible);
    const best = room ?? better(lessees[0], leastWaiting(actor.openings(this.#range)));
    if (!best) return QUEUE;
    return best.feasible || best.waitMs + this.#hysteresisMs < home.waitMs ? { do: "forward", to: best } : QUEUE;
  }
}

function leastWaiting(lanes: readonly LaneView[]): LaneView | undefined {
  return lanes.reduce<LaneView | undefined>((one, other) => better(one, other), undefined);
}

function better(one: LaneView | undefined, other: LaneView | undefined): LaneView | undefined {
  if (!one || !other) return one ?? other;
  if (one.feasible !== other.feasible) return one.feasible ? one : other;
  return other.waitMs < one.waitMs ? other : one;
}
