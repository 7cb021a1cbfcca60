/**
 * The parts of an actor become one: neighbours in pairs, then pairs of pairs, so that with n lessees the last result is there after
 * log2(n + 1) merges, and lane order is kept (DUAL-MODE.md 2.8). All lanes are idle meanwhile.
 *
 * C1  What a lane has taken of a part is gone from it in the same turn.
 * C2  A merge that fails is tried again, from where it stood; no part is lost by it.
 */
import { ProtocolError } from "../model/errors";
import type { Mailbox } from "../router/router";

export interface MergeHost {
  /** The function has a say in merging this part. */
  asksFunction(from: Mailbox, now: number): boolean;
  /** What the router merges by itself. Throws ProtocolError and changes nothing when it cannot. */
  fold(into: Mailbox, from: Mailbox, now: number): void;
  /** Throws as `fold` would. */
  check(into: Mailbox, from: Mailbox, now: number): void;
  /** Sends the part to the function as a message on the lane `into`; `merged` is called when it is done. */
  ask(into: Mailbox, from: Mailbox, now: number): void;
  /** The function has merged its share of the part into this lane: it leaves the part. */
  taken(into: Mailbox, from: Mailbox): void;
  /** `again` is to be called later. */
  failed(reason: string, attempt: number, now: number): void;
}

export class Consolidation {
  /** Distance of the lanes that are merged in this round; beyond all lanes: finished. */
  #step = 1;
  #attempt = 0;
  /** Why the router could not merge, the last time; empty: it could. */
  failure = "";
  /** By the lane that takes the part. */
  readonly #asked = new Map<Mailbox, Mailbox>();

  constructor(
    /** The lessor first. */
    private readonly lanes: readonly Mailbox[],
    private readonly host: MergeHost,
    now: number,
  ) {
    this.again(now);
  }

  get finished(): boolean {
    return this.#step >= this.lanes.length && this.#asked.size === 0;
  }

  /** Goes on from where it stands. */
  again(now: number): void {
    while (this.#asked.size === 0 && this.#step < this.lanes.length) {
      try {
        this.#round(now);
        this.failure = "";
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#attempt++;
        this.failure = error.message;
        return this.host.failed(error.message, this.#attempt, now);
      }
      if (this.#asked.size === 0) this.#step *= 2;
    }
  }

  /** May be repeated: a pair that is merged has nothing left to merge. */
  #round(now: number): void {
    for (let i = 0; i + this.#step < this.lanes.length; i += 2 * this.#step) {
      const into = this.lanes[i] as Mailbox;
      const from = this.lanes[i + this.#step] as Mailbox;
      if (from.memory.empty) continue;
      if (!this.host.asksFunction(from, now)) {
        this.host.fold(into, from, now);
        continue;
      }
      this.host.check(into, from, now);
      this.#asked.set(into, from);
      this.host.ask(into, from, now);
    }
  }

  /**
   * The function has merged its share of the part into this lane. The rest follows with the next round; should the function have made it
   * impossible to merge, that is tried again, and the function is not asked twice.
   */
  merged(into: Mailbox, now: number): void {
    const from = this.#asked.get(into);
    if (!from) return;
    this.#asked.delete(into);
    this.host.taken(into, from);
    this.again(now);
  }
}
