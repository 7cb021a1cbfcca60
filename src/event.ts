/**
 * Everything that can happen to a router. Events have happened; the engine takes them one at a time.
 * Adapters make them; the simulator makes the same ones.
 */
import type { StandingClaim } from "./model/claim";
import type { InputRecord } from "./model/record";

/** One partition of an ingress topic, as the group hands it out. `source` indexes ModuleSpecification.sources. */
export interface AssignedInput {
  readonly source: number;
  readonly partition: number;
}

/** A record of `<group>.state`; a null value is a tombstone. */
export interface ChangelogRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

export type UnitFailure =
  /** Another router initialised our transactional id: our shards are no longer ours. */
  | "fenced"
  /** The outcome of the commit is unknown (timeout, connection lost in EndTxn). */
  | "indefinite"
  /** The broker refused it and the transaction was aborted; nothing of it is visible. */
  | "aborted";

/** `connection`: refused, lost, or none in time. `timeout`: the request was sent and not answered in time. */
export type ReplicaFailure = "connection" | "timeout";

export type Event =
  // ── ownership: shards ──────────────────────────────────────────────────────────────────────────────────────────
  /** The group gives this router these shards and inputs, instead of what it gave before. Member id = ours in the group. */
  | {
      readonly kind: "assignment_changed";
      readonly memberId: string;
      readonly shards: readonly number[];
      readonly inputs: readonly AssignedInput[];
    }
  | { readonly kind: "claim_appended"; readonly shard: number; readonly epoch: number; readonly offset: number }
  /** All claims that stand (not tombstoned) in the shard's claims partition, in log order, read to its end. */
  | { readonly kind: "claims_read"; readonly shard: number; readonly epoch: number; readonly claims: readonly StandingClaim[] }
  /** The claimants we asked to fence can no longer commit, and their claims are tombstoned. */
  | { readonly kind: "claimants_fenced"; readonly shard: number; readonly epoch: number }
  /** A slice of the shard's changelog, in log order. `restoredBytes`/`totalRecords` are progress for people. */
  | {
      readonly kind: "state_restored";
      readonly shard: number;
      readonly epoch: number;
      readonly records: readonly ChangelogRecord[];
    }
  | { readonly kind: "shard_restored"; readonly shard: number; readonly epoch: number }
  | { readonly kind: "claim_released"; readonly shard: number; readonly epoch: number }
  /** A step of ownership failed (broker away, …): it will be tried again by the engine's timer. */
  | {
      readonly kind: "ownership_failed";
      readonly shard: number;
      readonly epoch: number;
      readonly step: string;
      readonly reason: string;
    }
  /** The producers for `open_sink`'s transactional ids are initialised. */
  | { readonly kind: "sink_opened"; readonly epoch: number }
  | { readonly kind: "sink_failed"; readonly epoch: number; readonly reason: string }
  // ── ingress ────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Where an input without progress starts (its startup position, resolved to an offset). */
  | { readonly kind: "input_located"; readonly input: number; readonly offset: number }
  | { readonly kind: "input_location_failed"; readonly input: number; readonly reason: string }
  /** The position of an input is not in the log (retention, a topic made anew): it can go on from this offset, when consumed anew. */
  | { readonly kind: "input_displaced"; readonly input: number; readonly offset: number }
  /** Records of one input in offset order, none twice; `nextOffset` is the position behind them (markers included). */
  | {
      readonly kind: "records_received";
      readonly input: number;
      readonly records: readonly InputRecord[];
      readonly nextOffset: number;
    }
  /**
   * Asked again, its broker had nothing behind this position: not even what a transaction still holds back. Told of inputs that make or count barriers.
   * True of the instant `askedMs`, by the wall clock: on a busy machine answers are read late, and something may have come since.
   */
  | { readonly kind: "input_exhausted"; readonly input: number; readonly offset: number; readonly askedMs: number }
  // ── functions ──────────────────────────────────────────────────────────────────────────────────────────────────
  /** An HTTP answer, whatever its status. */
  | {
      readonly kind: "invocation_replied";
      readonly invocation: number;
      readonly status: number;
      readonly contentType: string | undefined;
      readonly body: Uint8Array;
      /** Of a `Retry-After` header, ms from now; undefined without one. */
      readonly retryAfterMs: number | undefined;
    }
  /** No answer: refused, timed out, too large, connection lost. */
  | {
      readonly kind: "invocation_failed";
      readonly invocation: number;
      readonly reason: string;
      /** What it says of the replica; nothing where there was an answer that cannot be used, or no request. */
      readonly failure?: ReplicaFailure;
    }
  // ── egress ─────────────────────────────────────────────────────────────────────────────────────────────────────
  | {
      readonly kind: "topic_described";
      readonly cluster: string;
      readonly topic: string;
      readonly partitions: number;
      readonly messageBytesMax: number;
    }
  /** The topic does not exist or may not be read; `reason` is for the function's failure text. */
  | { readonly kind: "topic_absent"; readonly cluster: string; readonly topic: string; readonly reason: string }
  | { readonly kind: "unit_committed"; readonly unit: number }
  | { readonly kind: "unit_failed"; readonly unit: number; readonly failure: UnitFailure; readonly reason: string }
  // ── time and process ───────────────────────────────────────────────────────────────────────────────────────────
  | { readonly kind: "timer_due" }
  /** Stop taking in, finish what runs (bounded), commit, release, then ask to stop. */
  | { readonly kind: "drain_requested" };

export type EventKind = Event["kind"];
