/** Restoring shards: `<group>.state`/shard, committed records, from start to end, several shards at once. Progress is for people. */
import type { Fetcher } from "../cluster/fetcher";
import { errorText } from "../cluster/kafkajs-internals";
import { readLog } from "../cluster/log-reader";
import { stateTopic } from "../cluster/topics";
import type { ChangelogRecord, Event } from "../event";
import type { InputRecord } from "../model/record";
import type { Log } from "../observe/log";

const shardBytesMax = 1024 * 1024;
const progressMs = 2_000;

export interface RestoreProgress {
  readonly shard: number;
  readonly records: number;
  readonly bytes: number;
  /** Offsets still ahead. */
  readonly remaining: number;
}

interface Restore {
  readonly epoch: number;
  readonly abort: AbortController;
  records: number;
  bytes: number;
  remaining: number;
}

export class KafkaRestore {
  readonly #running = new Map<number, Restore>();
  #timer: NodeJS.Timeout | undefined;
  #told = { records: 0, bytes: 0, atMs: 0 };
  #total = { records: 0, bytes: 0 };

  constructor(
    readonly group: string,
    readonly fetcher: Fetcher,
    readonly emit: (event: Event) => void,
    readonly log: Log,
  ) {}

  restore(shard: number, epoch: number): void {
    this.#running.get(shard)?.abort.abort();
    const restore: Restore = { epoch, abort: new AbortController(), records: 0, bytes: 0, remaining: 0 };
    this.#running.set(shard, restore);
    this.#tellNowAndThen();
    const position = { topic: stateTopic(this.group), partition: shard };
    const startedMs = Date.now();
    readLog(this.fetcher, position, shardBytesMax, restore.abort.signal, ({ records, remaining }) =>
      this.#slice(shard, restore, records, remaining),
    )
      .then(() => {
        if (restore.abort.signal.aborted) return;
        this.log("debug", `Shard ${shard} is restored: ${restore.records} records in ${Date.now() - startedMs} ms.`, { shard });
        this.#finish(shard, restore);
        this.emit({ kind: "shard_restored", shard, epoch });
      })
      .catch((error: unknown) => {
        if (restore.abort.signal.aborted) return;
        this.#finish(shard, restore);
        this.emit({ kind: "ownership_failed", shard, epoch, step: "restoring the state", reason: errorText(error) });
      });
  }

  #slice(shard: number, restore: Restore, read: readonly InputRecord[], remaining: number): void {
    const records: ChangelogRecord[] = [];
    let bytes = 0;
    for (const { key, value } of read) {
      if (key === null) continue;
      bytes += key.length + (value === null ? 0 : value.length);
      records.push({ key, value });
    }
    restore.records += records.length;
    restore.bytes += bytes;
    restore.remaining = remaining;
    this.#total.records += records.length;
    this.#total.bytes += bytes;
    if (records.length > 0) this.emit({ kind: "state_restored", shard, epoch: restore.epoch, records });
  }

  #finish(shard: number, restore: Restore): void {
    if (this.#running.get(shard) === restore) this.#running.delete(shard);
    if (this.#running.size === 0) this.#quiet();
  }

  progress(): RestoreProgress[] {
    return [...this.#running].map(([shard, { records, bytes, remaining }]) => ({ shard, records, bytes, remaining }));
  }

  #tellNowAndThen(): void {
    if (this.#timer !== undefined) return;
    this.#total = { records: 0, bytes: 0 };
    this.#told = { records: 0, bytes: 0, atMs: Date.now() };
    this.#timer = setInterval(() => this.#tell(), progressMs);
  }

  #tell(): void {
    const now = Date.now();
    const seconds = (now - this.#told.atMs) / 1000;
    const rate = Math.round((this.#total.records - this.#told.records) / seconds);
    const remaining = this.progress().reduce((sum, each) => sum + each.remaining, 0);
    const megabytes = (this.#total.bytes / 1e6).toFixed(1);
    this.#told = { ...this.#total, atMs: now };
    this.log(
      "info",
      `Restoring ${this.#running.size} shards: ${this.#total.records} records (${megabytes} MB) read, ${rate} records/s, ${remaining} offsets to go.`,
      { shards: this.#running.size, records: this.#total.records, bytes: this.#total.bytes, rate, remaining },
    );
  }

  #quiet(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  close(): void {
    for (const { abort } of this.#running.values()) abort.abort();
    this.#running.clear();
    this.#quiet();
  }
}
