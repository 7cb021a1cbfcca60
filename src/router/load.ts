/**
 * What waits and runs on one run queue, in ms of work: whether one more message would start in time there (SCHEDULING.md 3.2).
 *
 * Kept only where actors may be split, and cheap while there is room: sums. The first time the sums do not suffice, an index of all that waits
 * is built; it is dropped when nothing waits any more.
 */
import type { Message } from "../model/message";
import type { Mailbox } from "./mailbox";
import { type Handle, LaxityIndex } from "./policy/laxity-index";

/** A message and the lane it waits in. */
export interface Waiting {
  readonly message: Message;
  readonly lane: Mailbox;
}

export class Load {
  /** Expected cost of what waits, ms. */
  #waitingMs = 0;
  /** Of what runs: how many batches, and the sum of the instants at which they are expected to end. */
  #running = 0;
  #endsMs = 0;
  readonly #lanes = new Set<Mailbox>();
  #index: LaxityIndex<Waiting> | undefined;
  readonly #handles = new Map<Message, Handle>();

  constructor(
    /** Latest start of a message: deadline, less its cost, its path's and its application's margin. */
    readonly latestStart: (message: Message) => number,
    /** Slots that serve the queue. */
    private readonly slots: () => number,
    /** The queue orders by rank; else first come, first served. */
    private readonly ranked: boolean,
  ) {}

  joined(message: Message, lane: Mailbox): void {
    this.#waitingMs += message.costMs;
    lane.backlogMs += message.costMs;
    this.#lanes.add(lane);
    if (this.#index) this.#insert(message, lane);
  }

  left(message: Message, lane: Mailbox, lastOfLane: boolean): void {
    this.#waitingMs -= message.costMs;
    lane.backlogMs -= message.costMs;
    if (lastOfLane) {
      this.#lanes.delete(lane);
      lane.backlogMs = 0;
    }
    const handle = this.#handles.get(message);
    if (handle) {
      this.#handles.delete(message);
      this.#index?.remove(handle);
    }
    if (this.#lanes.size > 0) return;
    this.#waitingMs = 0; // What rounding has left.
    this.#index = undefined;
  }

  begun(expectedEndMs: number): void {
    this.#running++;
    this.#endsMs += expectedEndMs;
  }

  ended(expectedEndMs: number): void {
    this.#running--;
    this.#endsMs = this.#running === 0 ? 0 : this.#endsMs - expectedEndMs;
  }

  /** Until a slot is free, ms, were nothing waiting: a slot that is free now counts as such. */
  busyMs(now: number): number {
    const slots = this.slots();
    if (this.#running === 0 || this.#running < slots) return 0;
    return Math.max(0, this.#endsMs / this.#running - now) / Math.max(1, slots);
  }

  /** How long a message that came now would wait behind all that is there, ms. */
  waitMs(now: number): number {
    return this.busyMs(now) + this.#waitingMs / Math.max(1, this.slots());
  }

  /** It would start in time, and make nothing late behind it that is not late already. */
  feasible(message: Message, now: number): boolean {
    const startMs = this.latestStart(message);
    const share = 1 / Math.max(1, this.slots());
    const waitMs = this.waitMs(now);
    if (now + waitMs + message.costMs * share <= startMs) return true; // Then so does all behind it, which may start later.
    if (!this.ranked) return now + waitMs <= startMs;
    return this.#indexed().feasible(startMs, message.costMs * share, now, this.busyMs(now));
  }

  /** What waits and would start late as things are, at most so many, most urgent first; nothing while there was always room. */
  late(now: number, most: number): Waiting[] {
    if (this.ranked) return this.#index?.late(now, this.busyMs(now), most) ?? [];
    return [];
  }

  #indexed(): LaxityIndex<Waiting> {
    if (!this.#index) {
      this.#index = new LaxityIndex();
      this.#handles.clear();
      for (const lane of this.#lanes) for (const message of lane.waitingMessages()) this.#insert(message, lane);
    }
    return this.#index;
  }

  #insert(message: Message, lane: Mailbox): void {
    const cost = message.costMs / Math.max(1, this.slots());
    this.#handles.set(message, (this.#index as LaxityIndex<Waiting>).insert({ message, lane }, this.latestStart(message), cost));
  }
}
