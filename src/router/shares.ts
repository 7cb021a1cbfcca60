/**
 * How policies share an endpoint's slots: each has a run queue of its own, and the free slot goes to the policy that has used the least
 * slot time for its weight (weighted fair queueing; the prototype's round robin of quanta comes to the same with less evenness:
 * SCHEDULING.md 1.2). Within a policy its own order decides.
 *
 * H1  A policy with something to run waits no longer than the others need to use up their lead, which is one batch each.
 * H2  Time in which a policy had nothing to run is not saved up.
 */
import type { Application } from "./applications";
import type { Load } from "./load";
import { GuardedQueue } from "./policy/guarded-queue";
import type { Policy, Runnable, RunQueue } from "./policy/policy";

/** A run queue as its policy gets it: what a policy takes out and does not choose is known, and goes back (R3). */
class LentQueue implements RunQueue {
  readonly taken: Runnable[] = [];
  constructor(private readonly queue: RunQueue) {}

  get length(): number {
    return this.queue.length;
  }

  /** Only what was taken out can go back: anything else would stand in the queue twice, or not belong there. */
  push(actor: Runnable, now: number): void {
    const at = this.taken.indexOf(actor);
    if (at < 0) return;
    this.taken.splice(at, 1);
    this.queue.push(actor, now);
  }

  pop(now: number): Runnable | undefined {
    const actor = this.queue.pop(now);
    if (actor) this.taken.push(actor);
    return actor;
  }
}

export class Share {
  readonly policy: Policy;
  readonly queue: RunQueue;
  readonly lent: LentQueue;
  /** Slot time used so far, by weight. */
  usedMs = 0;
  constructor(
    { policy, own }: Application,
    readonly weight: number,
    fault: () => void,
  ) {
    this.policy = policy;
    this.queue = own ? new GuardedQueue(() => policy.createQueue(), fault) : policy.createQueue();
    this.lent = new LentQueue(this.queue);
  }

  charge(ms: number): void {
    this.usedMs += ms / this.weight;
  }
}

/** The shares of one endpoint. */
export class Shares {
  /** Kept where actors may be split: what waits and runs here. */
  load: Load | undefined;
  readonly #byTag = new Map<string, Share>();
  readonly #all: Share[];
  /** What the share that was served last had used then: whoever comes back starts from here (H2). */
  #presentMs = 0;

  constructor(
    private readonly applications: readonly Application[],
    fault: () => void,
  ) {
    for (const application of applications) {
      const { tag } = application;
      if (this.#byTag.has(tag)) continue;
      const weight = applications.reduce((sum, each) => (each.tag === tag ? sum + each.weight : sum), 0);
      this.#byTag.set(tag, new Share(application, weight, fault));
    }
    this.#all = [...this.#byTag.values()];
  }

  /** Somebody's queue here orders by rank. */
  get ranked(): boolean {
    return this.#all.some(({ queue }) => queue.lift !== undefined);
  }

  get length(): number {
    let length = 0;
    for (const { queue } of this.#all) length += queue.length;
    return length;
  }

  of(application: number): Share {
    if (this.#all.length === 1) return this.#all[0] as Share;
    return this.#byTag.get((this.applications[application] as Application).tag) as Share;
  }

  push(share: Share, actor: Runnable, now: number): void {
    if (share.queue.length === 0) share.usedMs = Math.max(share.usedMs, this.#presentMs);
    share.queue.push(actor, now);
  }

  /** All that stand here, each share's in its policy's order, and they stand here no more. */
  takeAll(now: number): Runnable[] {
    const taken: Runnable[] = [];
    for (const { queue } of this.#all) {
      for (let actor = queue.pop(now); actor; actor = queue.pop(now)) taken.push(actor);
    }
    return taken;
  }

  /** Whose turn it is; undefined when nothing is ready. */
  next(): Share | undefined {
    let chosen: Share | undefined;
    for (const share of this.#all) {
      if (share.queue.length > 0 && (!chosen || share.usedMs < chosen.usedMs)) chosen = share;
    }
    if (chosen) this.#presentMs = chosen.usedMs;
    return chosen;
  }
}
