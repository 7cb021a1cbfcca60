/**
 * Everything the engine can ask for. Adapters do it and answer with the event named in each comment.
 * `epoch` is the engine's generation: an answer that carries an old one is counted and dropped.
 */
import type { Claim } from "./model/claim";
import type { TopicBatch } from "./model/record";

export type ReportLevel = "debug" | "info" | "warn" | "error";

export type Effect =
  // ── ownership ──────────────────────────────────────────────────────────────────────────────────────────────────
  /** Initialise a producer for each transactional id (fresh ids), replacing the ones before. → sink_opened | sink_failed */
  | { readonly kind: "open_sink"; readonly epoch: number; readonly transactionalIds: readonly string[] }
  /** Append to `<group>.claims`/shard, outside any transaction. → claim_appended | ownership_failed */
  | { readonly kind: "append_claim"; readonly shard: number; readonly epoch: number; readonly claim: Claim }
  /** Read `<group>.claims`/shard from its start to its end as of now. → claims_read | ownership_failed */
  | { readonly kind: "read_claims"; readonly shard: number; readonly epoch: number }
  /** Initialise a producer with each of their transactional ids, then tombstone each claim. → claimants_fenced | ownership_failed */
  | { readonly kind: "fence_claimants"; readonly shard: number; readonly epoch: number; readonly claims: readonly Claim[] }
  /** Read `<group>.state`/shard, committed records only, from its start to its end as of now. → state_restored*, shard_restored | ownership_failed */
  | { readonly kind: "restore_shard"; readonly shard: number; readonly epoch: number }
  /** Tombstone our claim. → claim_released | ownership_failed */
  | { readonly kind: "release_claim"; readonly shard: number; readonly epoch: number; readonly claimId: string }
  /** Leave the group and join it anew; an assignment_changed follows in its time. */
  | { readonly kind: "rejoin_group" }
  // ── ingress ────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Resolve the startup position of an input. → input_located | input_location_failed */
  | { readonly kind: "locate_input"; readonly input: number; readonly source: number; readonly partition: number }
  /** Deliver records of the input from this offset on. → records_received* */
  | {
      readonly kind: "consume_input";
      readonly input: number;
      readonly source: number;
      readonly partition: number;
      readonly offset: number;
    }
  | { readonly kind: "pause_input"; readonly input: number }
  | { readonly kind: "resume_input"; readonly input: number }
  /** Deliver nothing more of it. Records already on their way are dropped by the adapter. */
  | { readonly kind: "drop_input"; readonly input: number }
  /** For lag tools only: the low watermarks, to be committed to the consumer group when convenient. No answer. */
  | { readonly kind: "note_progress"; readonly progress: readonly { readonly input: number; readonly offset: number }[] }
  // ── functions ──────────────────────────────────────────────────────────────────────────────────────────────────
  /** POST `body` (an encoded ToFunction) for `functionName` to the endpoint (index in the module), at one of its replicas. → invocation_replied | invocation_failed */
  | {
      readonly kind: "dispatch";
      readonly invocation: number;
      readonly endpoint: number;
      /** Index in the endpoint's `urls`. */
      readonly replica: number;
      readonly functionName: string;
      readonly traceparent: string | undefined;
      readonly body: Uint8Array;
    }
  // ── egress ─────────────────────────────────────────────────────────────────────────────────────────────────────
  /** → topic_described | topic_absent */
  | { readonly kind: "describe_topic"; readonly cluster: string; readonly topic: string }
  /**
   * Write all of it in one transaction of the sink's next producer. `outside` leaves first and is acknowledged first: egress
   * that cannot be in the transaction (another cluster, delivery at-least-once). At most one unit is asked for at a time.
   * → unit_committed | unit_failed
   */
  | {
      readonly kind: "commit_unit";
      readonly unit: number;
      readonly outside: readonly TopicBatch[];
      readonly inside: readonly TopicBatch[];
    }
  // ── time and process ───────────────────────────────────────────────────────────────────────────────────────────
  /** Wake the engine at this instant instead of the one asked for before. → timer_due */
  | { readonly kind: "set_timer"; readonly atMs: number }
  /** Something worth telling people. `text` is a whole sentence; `fields` are for machines. */
  | {
      readonly kind: "report";
      readonly level: ReportLevel;
      readonly text: string;
      readonly fields?: Readonly<Record<string, unknown>>;
    }
  /** Everything is committed and released: end the process with this code. */
  | { readonly kind: "stop"; readonly code: number; readonly reason: string };

export type EffectKind = Effect["kind"];
export type Effects = Effect[];
