/** First come, first served over actors: an actor joins the tail when it becomes runnable. SCHEDULING.md P0. */
import type { Policy, Runnable, RunQueue } from "./policy";
import { Reject } from "./reject";

const COMPACT_FROM = 1024;

export class FifoQueue implements RunQueue {
  #actors: (Runnable | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#actors.length - this.#head;
  }

  push(actor: Runnable): void {
    this.#actors.push(actor);
  }

  pop(): Runnable | undefined {
    if (this.#head === this.#actors.length) return undefined;
    const actor = this.#actors[this.#head];
    this.#actors[this.#head++] = undefined;
    // The emptied front goes when it is the larger half: each entry is moved at most once on average.
    if (this.#head >= COMPACT_FROM && this.#head * 2 >= this.#actors.length) {
      this.#actors = this.#actors.slice(this.#head);
      this.#head = 0;
    }
    return actor;
  }
}

/** The param `scaling` splits hot actors as `min-laxity` does: order and scaling can then be looked at apart (SCHEDULING.md 4.4, E3). */
export function fifo(): Policy {
  const reject = new Reject(false);
  return {
    tag: "fifo",
    init: (environment) => reject.init(environment),
    createQueue: () => new FifoQueue(),
    prepareSend: () => ({ do: "send" }),
    admit: (message, _now, actor) => reject.admit(message, actor),
    next: (queue, now) => queue.pop(now),
    preApply() {},
    postApply() {},
    onCommand() {},
    onBarrier() {},
  };
}
