/** A lessee: one more lane of a dual-mode actor, with its own partial state. It lives from a grant to the next consolidation. */
import type { Mailbox } from "../router/router";

export class Lease {
  /** Messages the lessor gave it, and those of them that are finished: equal when it is drained (DUAL-MODE.md 0). */
  forwarded = 0;
  applied = 0;
  idleSinceMs: number;

  constructor(
    /** From 1; unique for the actor as long as a part of it may stand in the log. */
    readonly lane: number,
    readonly mailbox: Mailbox,
    readonly grantedMs: number,
  ) {
    this.idleSinceMs = grantedMs;
  }
}
