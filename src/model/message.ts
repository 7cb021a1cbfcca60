import type { Address } from "./address";
import type { TypedValue } from "./typed-value";

/** What a message, its mailbox and its record entry add to the bytes of its argument in memory, roughly. */
export const MESSAGE_OVERHEAD_BYTES = 256;

/** A header of a Kafka record; repeated keys are repeated entries, a null value stays null. */
export interface Header {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** What a message keeps of the record that caused it (inherited by what it causes). */
export interface Provenance {
  /** Kafka record timestamp in ms. */
  readonly timestampMs: number;
  readonly headers: readonly Header[];
  /** W3C trace context, from the record's headers. */
  readonly traceparent: string | undefined;
}

/**
 * A record of an ingress partition that was read and is not finished: one per record, shared by the messages made of it.
 * A node in its partition's list of unfinished records (ingress/progress.ts owns the links and the count).
 */
export class RecordEntry {
  before: RecordEntry | undefined = undefined;
  after: RecordEntry | undefined = undefined;
  /** The messages made of it, where there are several targets. */
  copies: Message[] | undefined = undefined;
  constructor(
    readonly input: number,
    readonly offset: number,
    /** Messages made of it that are not finished. */
    remaining: number,
  ) {
    this.remaining = remaining;
  }
  remaining: number;
}

/** Where the time of a message and of those that caused it went, ms: who is to blame when a deadline is missed. */
export class Blame {
  /** Behind others of its own key. */
  keyMs: number;
  /** Ready, and no slot free. */
  slotMs: number;
  /** In attempts that failed and the rests between them, and through restarts. */
  retryMs: number;
  functionMs: number;
  /** Held behind barriers. */
  barrierMs: number;
  /** When its last invocation ended; from then on it waits for the commit. */
  finishedMs = 0;
  constructor(cause?: Blame) {
    this.keyMs = cause?.keyMs ?? 0;
    this.slotMs = cause?.slotMs ?? 0;
    this.retryMs = cause?.retryMs ?? 0;
    this.functionMs = cause?.functionMs ?? 0;
    this.barrierMs = cause?.barrierMs ?? 0;
  }
}

/** What sets a message apart from an ordinary one of its channel: DUAL-MODE.md §1. Few have it. */
export interface Mark {
  /** Runs after its prior set and before its post set; what it causes is critical, too. */
  readonly critical: boolean;
  /** Series of its barrier; empty: whatever series its target has. */
  readonly series: string;
  /** Number of its barrier, rising on its channel; -1: none, or it stands in the argument. */
  readonly barrier: number;
  /** An ordinary message of a watermarked ingress: it runs after the barrier of this number, not before. -1: no matter. */
  readonly after: number;
  /** The ingress partition it came from, where `entry` does not say so any more: `ingress NUL topic NUL partition`. Empty: none. */
  readonly channel: string;
  /** A part that its function merges (functions/merge-message.ts): it may have no effects. */
  readonly merge?: true;
}

/**
 * A message addressed to an actor, waiting or running in memory.
 * One class and no optional shapes: this is the object the hot path is made of.
 *
 * Its channel (DUAL-MODE.md §1: messages of one channel to one address are applied in the order sent) is the ingress
 * partition `entry.input` when it has an entry, else its `caller`.
 */
export class Message {
  /** Whose deadline it bears (router/applications.ts); 0: no application's. Inherited by what it causes. */
  application = 0;
  /** Its policy's order, smaller first; set at admission. Infinity where the policy does not rank: it makes no mailbox more urgent. */
  rank = Number.POSITIVE_INFINITY;
  /** Estimated cost of the hops behind this one, ms; set at admission. */
  pathMs = 0;
  /** What its way has spent where; only where an application has an SLO. */
  blame: Blame | undefined = undefined;
  /** Finished: its effects have joined a unit. */
  done = false;
  /** A record of it stands in `<group>.state` (or in the unit being written): whoever finishes it tombstones that. */
  persisted = false;
  /** Without an entry: the shard that remembers it while it waits. -1 with one. */
  shard = -1;
  /** Since when it is held behind a barrier, ms; 0: it is not. */
  heldMs = 0;
  /** It has been given to a lessee, or moved between lanes: never again (SCHEDULING.md 1.5). */
  forwarded = false;
  /** undefined: an ordinary message. */
  mark: Mark | undefined = undefined;
  /** Behind it in its mailbox. */
  next: Message | undefined = undefined;

  constructor(
    readonly target: Address,
    /** undefined for messages from an ingress. */
    readonly caller: Address | undefined,
    public argument: TypedValue,
    /** Bytes this message counts for in memory bounds. */
    readonly bytes: number,
    /** The ingress record it was made of; undefined for messages sent by a function, and for a copy that outlives its record. */
    public entry: RecordEntry | undefined,
    /** Without an entry: its pending id (unique in the group, increasing per sender). With one: the offset. */
    public sequence: number,
    /** Instant (ms) its ingress record was received; inherited by what it causes. */
    readonly ingressMs: number,
    /** Instant (ms) at which it joined its mailbox. */
    public admittedMs: number,
    /** Instant (ms) by which its end-to-end effects are due. No SLO means a default SLO, never Infinity. */
    readonly deadlineMs: number,
    /** Estimated cost of running it, ms; set at admission. */
    public costMs: number,
    readonly provenance: Provenance,
  ) {}
}
