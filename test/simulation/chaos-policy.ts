/**
 * A policy that does what it likes: time, ranks and answers are only a hint, and no promise may hang on them (DUAL-MODE.md §6, invariant 20).
 * What it draws comes from the router's seeded generator, so that a run repeats.
 */
import type { Random } from "../../src/model/random";
import type {
  ActorView,
  AdmitDecision,
  LaneView,
  Policy,
  PolicyEnvironment,
  Runnable,
  RunQueue,
} from "../../src/router/policy/policy";

/** How often each moment goes wrong. */
const WRONG = 0.1;
/** How often a message goes to any lane of its actor. */
const FORWARDED = 0.7;
/** A lane that nobody has. */
const NOWHERE: LaneView = { lane: 17, feasible: true, waitMs: 0 };

export function chaosPolicy(): Policy {
  let random: Random | undefined;
  const draw = () => random?.next() ?? 0;
  const stumble = () => {
    if (draw() < WRONG) throw new Error("chaos");
  };
  /** A lane of some call before. */
  let kept: LaneView | undefined;
  const anyLane = (actor: ActorView): AdmitDecision => {
    const lanes = [...actor.openings(1 + Math.floor(draw() * 3)), ...actor.lessees(), actor.home()];
    const to = draw() < WRONG ? (kept ?? NOWHERE) : (lanes[Math.floor(draw() * lanes.length)] as LaneView);
    kept = to;
    return { do: "forward", to };
  };
  return {
    tag: "chaos",
    init(environment: PolicyEnvironment) {
      random = environment.random;
      stumble();
    },
    createQueue: () => new ChaosQueue(draw),
    prepareSend() {
      stumble();
      return { do: "send" };
    },
    admit(message, _now, actor) {
      message.rank = anyRank(draw());
      stumble();
      return actor && draw() < FORWARDED ? anyLane(actor) : { do: "queue" };
    },
    next: (queue, now) => anyChoice(queue, now, draw),
    preApply: stumble,
    postApply: stumble,
    onCommand: stumble,
    onBarrier: stumble,
  };
}

function anyRank(draw: number): number {
  if (draw < 0.05) return Number.NaN;
  if (draw < 0.1) return Number.NEGATIVE_INFINITY;
  if (draw < 0.15) return Number.POSITIVE_INFINITY;
  return Math.floor((draw - 0.5) * 1_000);
}

/** Of those that stand in the queue, or none, or one that was taken out before. */
function anyChoice(queue: RunQueue, now: number, draw: () => number): Runnable | undefined {
  if (draw() < WRONG) return undefined;
  const first = queue.pop(now);
  if (draw() < WRONG) throw new Error("chaos");
  const other = draw() < 0.5 ? queue.pop(now) : undefined;
  if (first && draw() < WRONG) queue.push(first, now);
  if (other && draw() < WRONG) queue.push(other, now);
  return draw() < 0.5 ? (other ?? first) : first;
}

/** Takes any actor; forgets, doubles and keeps some. */
class ChaosQueue implements RunQueue {
  readonly #actors: Runnable[] = [];

  constructor(private readonly draw: () => number) {
    if (draw() < WRONG) throw new Error("chaos");
  }

  get length(): number {
    return Math.floor(this.draw() * 3);
  }

  push(actor: Runnable): void {
    if (this.draw() < WRONG) return;
    this.#actors.push(actor);
    if (this.draw() < WRONG) this.#actors.push(actor);
    if (this.draw() < WRONG) throw new Error("chaos");
  }

  pop(): Runnable | undefined {
    if (this.draw() < WRONG) return undefined;
    const at = Math.floor(this.draw() * this.#actors.length);
    return this.draw() < WRONG ? this.#actors[at] : this.#actors.splice(at, 1)[0];
  }

  lift(): void {
    if (this.draw() < WRONG) throw new Error("chaos");
  }
}
