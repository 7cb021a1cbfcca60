/**
 * When a message goes to a lessee. SCHEDULING.md 3.4 P6 with P11, and 3.5, with one addition: a lane is *short* while what waits there is little
 * against the SLO, and a lessee is opened when no lane is short, not only when the message would be late. What waits when a barrier comes must
 * be drained before its critical message runs; where the lessor fills up to the latest start, that alone makes windows late (docs/scheduling.md).
 * Within one router what waits where is known exactly, so all open lessees are looked at, and only new ones are drawn at random.
 */
import type { Message } from "../../model/message";
import type { ActorView, AdmitDecision, LaneView, PolicyEnvironment } from "./policy";

/** Workers drawn for a new lessee. The pilot found no gain beyond 2 or 3 (SCHEDULING.md 4.3). */
const RANGE = 2;
/** A message goes elsewhere only where it waits this much less, ms: estimates are no better. */
const HYSTERESIS_MS = 5;
/** A lane is short while what comes waits at most this share of the SLO there, or as long as a few messages take: that is not worth a merge. */
const SHORT = 0.05;
const SHORT_MESSAGES = 3;

const QUEUE: AdmitDecision = { do: "queue" };

export class Reject {
  #range = RANGE;
  #hysteresisMs = HYSTERESIS_MS;
  #short = SHORT;
  #sloMs = 0;

  constructor(
    /** Unless the params say otherwise. */
    private scaling: boolean,
  ) {}

  init({ params, sloMs }: PolicyEnvironment): void {
    if (typeof params.scaling === "boolean") this.scaling = params.scaling;
    if (typeof params.range === "number") this.#range = params.range;
    if (typeof params.hysteresisMs === "number") this.#hysteresisMs = params.hysteresisMs;
    if (typeof params.short === "number") this.#short = params.short;
    this.#sloMs = sloMs;
  }

  admit({ costMs }: Pick<Message, "costMs">, actor: ActorView | undefined): AdmitDecision {
    if (!actor || !this.scaling) return QUEUE;
    const shortMs = shortWaitMs(this.#short * this.#sloMs, costMs);
    const home = actor.home();
    if (suffices(home, shortMs)) return QUEUE;
    const [least] = actor.lessees();
    const here = least && this.#better(least, home, 0) ? least : home;
    if (suffices(here, shortMs)) return to(here);
    const opening = leastWaiting(actor.openings(this.#range));
    return to(opening && this.#better(opening, here, openingMs(costMs)) ? opening : here);
  }

  #better(one: LaneView, other: LaneView, bonusMs: number): boolean {
    if (one.feasible !== other.feasible) return one.feasible;
    return one.waitMs + this.#hysteresisMs + bonusMs < other.waitMs;
  }
}

/** What a message may wait on a lane that is short, ms; `shortMs`: its share of the SLO. */
export function shortWaitMs(shortMs: number, costMs: number): number {
  return Math.max(shortMs, SHORT_MESSAGES * costMs);
}

/** How much more there must be to win by a new lessee, ms: half a message, as much as what runs is estimated wrong. */
export function openingMs(costMs: number): number {
  return costMs / 2;
}

function suffices({ feasible, waitMs }: LaneView, shortMs: number): boolean {
  return feasible && waitMs <= shortMs;
}

function to(lane: LaneView): AdmitDecision {
  return lane.lane === 0 ? QUEUE : { do: "forward", to: lane };
}

function leastWaiting(lanes: readonly LaneView[]): LaneView | undefined {
  let best: LaneView | undefined;
  for (const lane of lanes)
    if (!best || (lane.feasible === best.feasible ? lane.waitMs < best.waitMs : lane.feasible)) best = lane;
  return best;
}
