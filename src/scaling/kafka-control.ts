/** Follows `<group>.control`, all shards: what is committed, as it is committed. For people; routers do not read it by this. */
import { Fetcher, type Reader } from "../cluster/fetcher";
import { Link } from "../cluster/link";
import { earliest, latest, offsetAt, persistently } from "../cluster/offsets";
import { awaitBroker, awaitTopics, controlTopic } from "../cluster/topics";
import type { ClusterSpecification } from "../config/specification";
import type { InputRecord } from "../model/record";
import type { Log } from "../observe/log";
import { type ControlRecord, controlFields, controlText, decodeControl } from "./control";

const shardBytesMax = 1024 * 1024;
/** Somebody watches: an answer may wait, but not so that it is felt. */
const limits = { readUncommitted: false, waitMs: 200, bytesMin: 1, bytesMax: 8 * 1024 * 1024 };

export interface FollowedRecord {
  readonly shard: number;
  readonly offset: number;
  /** Undefined: it cannot be read, `fault` says why. */
  readonly record: ControlRecord | undefined;
  readonly fault: string;
}

export class KafkaControl {
  readonly #link: Link;
  readonly #fetcher: Fetcher;
  readonly #readers: Reader[] = [];
  #closed = false;

  constructor(
    readonly cluster: ClusterSpecification,
    readonly group: string,
    readonly followed: (record: FollowedRecord) => void,
    readonly log: Log,
  ) {
    this.#link = new Link(cluster, log);
    this.#fetcher = new Fetcher(this.#link, limits, log);
  }

  /** From the beginning of what is kept, or from now on. Waits for the topic; answers with the number of shards when it is reading. */
  async follow(fromStart: boolean): Promise<number> {
    const topic = controlTopic(this.group);
    await awaitBroker(this.cluster, this.log, () => this.#closed);
    await awaitTopics(this.cluster, [topic], undefined, this.log, () => this.#closed);
    if (this.#closed) return 0;
    // A topic made a moment ago has no leaders yet.
    const partitions = await persistently(this.#link, (again) => this.#link.partitions(topic, again));
    const shards = [...partitions.keys()].sort((a, b) => a - b);
    // The end of what is committed: what an open transaction holds is committed after now.
    const offsets = await Promise.all(
      shards.map((partition) => offsetAt(this.#link, { topic, partition }, fromStart ? earliest : latest, true)),
    );
    if (!this.#closed) for (const [i, shard] of shards.entries()) this.#read(topic, shard, offsets[i] as number);
    return shards.length;
  }

  #read(topic: string, partition: number, offset: number): void {
    const reader = this.#fetcher.read({
      topic,
      partition,
      offset,
      bytesMax: shardBytesMax,
      deliver: (records) => {
        for (const record of records) this.followed(followedRecord(partition, record));
      },
      outOfRange: () => offsetAt(this.#link, { topic, partition }, earliest, true),
    });
    this.#readers.push(reader);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const reader of this.#readers) this.#fetcher.stop(reader);
    this.#fetcher.close();
    await this.#link.close();
  }
}

function followedRecord(shard: number, { offset, key, value }: InputRecord): FollowedRecord {
  try {
    if (value === null) throw new Error("it has no value");
    return { shard, offset, record: decodeControl(key ?? "", value), fault: "" };
  } catch (error) {
    return { shard, offset, record: undefined, fault: error instanceof Error ? error.message : String(error) };
  }
}

/** `2026-11-20T12:00:00.123Z 3/1502 lease_granted …`: when, shard and offset, what. */
export function followedText({ shard, offset, record, fault }: FollowedRecord): string {
  const place = `${shard}/${offset}`;
  if (record === undefined) return `- ${place} unreadable: ${fault}`;
  const at = new Date(record.atMs);
  return `${Number.isNaN(at.getTime()) ? record.atMs : at.toISOString()} ${place} ${controlText(record)}`;
}

export function followedJson({ shard, offset, record, fault }: FollowedRecord): string {
  return JSON.stringify({ shard, offset, ...(record === undefined ? { fault } : controlFields(record)) });
}
