/**
 * One partition as a broker keeps it: records and transaction markers by offset, the last stable offset, compaction.
 *
 * K1  Offsets rise and are never given twice; markers take offsets too; compaction leaves holes.
 * K2  A committed reader sees nothing at or above the first record of a transaction whose marker is not yet written here.
 */
import type { Header } from "../../src/model/message";
import type { InputRecord } from "../../src/model/record";

/** A transaction as its records refer to it. The outcome is decided once, and seen in each partition when its marker is written. */
export class Transaction {
  outcome: "open" | "committed" | "aborted" = "open";
  /** Partitions it has written to and that still lack its marker. */
  readonly logs = new Set<PartitionLog>();
  /** Everything written in it, for those who judge a commit as a whole. */
  readonly written: { readonly log: PartitionLog; readonly record: StoredRecord }[] = [];
  constructor(readonly name: string) {}
}

export interface StoredRecord extends InputRecord {
  readonly transaction: Transaction | undefined;
  readonly marker: boolean;
  /** A tombstone that a compaction has met: it goes this long after. */
  goneAtMs: number;
}

export interface NewRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
  readonly headers: readonly Header[];
}

export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

export class PartitionLog {
  entries: StoredRecord[] = [];
  /** The next offset. */
  end = 0;
  readonly #open = new Map<Transaction, number>();
  #waiting: (() => void)[] = [];

  constructor(
    readonly cluster: string,
    readonly topic: string,
    readonly partition: number,
    readonly messageBytesMax: number,
  ) {}

  append(record: NewRecord, transaction: Transaction | undefined): StoredRecord {
    const stored: StoredRecord = {
      offset: this.end++,
      key: record.key,
      value: record.value,
      timestampMs: record.timestampMs,
      headers: record.headers,
      transaction,
      marker: false,
      goneAtMs: Number.POSITIVE_INFINITY,
    };
    this.entries.push(stored);
    if (transaction) {
      if (!this.#open.has(transaction)) this.#open.set(transaction, stored.offset);
      transaction.logs.add(this);
      transaction.written.push({ log: this, record: stored });
    }
    this.#wake();
    return stored;
  }

  /** Writes the marker of a decided transaction. */
  mark(now: number, transaction: Transaction): void {
    this.#open.delete(transaction);
    transaction.logs.delete(this);
    const offset = this.end++;
    this.entries.push({
      offset,
      key: null,
      value: null,
      timestampMs: now,
      headers: [],
      transaction,
      marker: true,
      goneAtMs: Number.POSITIVE_INFINITY,
    });
    this.#wake();
  }

  /** K2: the last stable offset. Insertion order of open transactions is the order of their first offsets. */
  get stable(): number {
    for (const first of this.#open.values()) return first;
    return this.end;
  }

  /** Calls once when something was appended (which may be a marker). */
  whenAppended(action: () => void): void {
    this.#waiting.push(action);
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const action of waiting) action();
  }

  /** Up to `countMax` records from an offset on, and the position behind what was looked at. */
  read(
    from: number,
    countMax: number,
    committedOnly: boolean,
    below = Number.POSITIVE_INFINITY,
  ): { records: StoredRecord[]; next: number } {
    const end = Math.min(committedOnly ? this.stable : this.end, below);
    const records: StoredRecord[] = [];
    let next = from;
    for (let index = this.#indexOf(from); index < this.entries.length && records.length < countMax; index++) {
      const entry = this.entries[index] as StoredRecord;
      if (entry.offset >= end) break;
      next = entry.offset + 1;
      if (entry.marker || (committedOnly && entry.transaction?.outcome === "aborted")) continue;
      records.push(entry);
    }
    // Nothing more below the end: holes of compaction are passed too.
    if (records.length < countMax && next < end) next = end;
    return { records, next };
  }

  /** Index of the first entry at or above an offset. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.entries[middle] as StoredRecord).offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Below the last stable offset: the last committed record of each key stays; markers and aborted records go. A tombstone goes
   * `tombstonesKeptMs` after the compaction that first met it (KIP-534), so that whoever has read a value also reads its end.
   */
  compact(now: number, tombstonesKeptMs: number): void {
    const stable = this.stable;
    const last = new Map<string, number>();
    for (const entry of this.entries) {
      if (entry.offset >= stable) break;
      if (!entry.marker && entry.key && entry.transaction?.outcome !== "aborted") last.set(keyText(entry.key), entry.offset);
    }
    this.entries = this.entries.filter((entry) => {
      if (entry.offset >= stable) return true;
      if (entry.marker || !entry.key || last.get(keyText(entry.key)) !== entry.offset) return false;
      if (entry.value !== null) return true;
      entry.goneAtMs = Math.min(entry.goneAtMs, now + tombstonesKeptMs);
      return now < entry.goneAtMs;
    });
  }

  /** The committed value of each key, in log order of its last record; tombstoned keys are absent. */
  standing(committedOnly: boolean): Map<string, StoredRecord> {
    const standing = new Map<string, StoredRecord>();
    for (const entry of this.read(0, Number.POSITIVE_INFINITY, committedOnly).records) {
      if (!entry.key) continue;
      const key = keyText(entry.key);
      standing.delete(key);
      if (entry.value !== null) standing.set(key, entry);
    }
    return standing;
  }
}
