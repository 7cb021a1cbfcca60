import type { Header } from "./message";

/** A record as read from Kafka. Timestamps in ms, offsets as numbers (exact up to 2^53). */
export interface InputRecord {
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
  readonly headers: readonly Header[];
}

/** A record to write. `partition` is always named: we know it, and it is cheaper (KAFKA-CLIENT.md). */
export interface OutputRecord {
  readonly partition: number;
  readonly key: Uint8Array | string | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array | string>> | undefined;
  /** undefined: the time of sending. */
  readonly timestampMs: number | undefined;
}

/** The records of one topic in one unit, in order. */
export interface TopicBatch {
  readonly cluster: string;
  readonly topic: string;
  readonly records: OutputRecord[];
}
