/** Reads a topic from its start, and knows when it has come to the end. */
import { setTimeout as sleep } from "node:timers/promises";
import { committedOnly } from "./committed";
import { type RawBroker, type RawCluster, type RawMessage, READ_COMMITTED, READ_UNCOMMITTED, rawCluster } from "./kafkajs-wire";
import { waitFor } from "./wait-for";

export interface SeenRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | undefined;
  readonly value: Buffer | undefined;
  /** The value as UTF-8; "" for a tombstone. */
  readonly text: string;
  readonly timestampMs: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Reading {
  /** Only what committed transactions wrote (default), or aborted and open ones too. */
  readonly committed?: boolean;
  readonly timeoutMs?: number;
}

const EARLIEST = -2;
const LATEST = -1;
const FETCH_BYTES = 8 * 1024 * 1024;
const IDLE_MS = 20;
/** While the broker is away. */
const RETRY_MS = 200;

/** `records` grows as they arrive, per partition in order. Outlives a restart of the broker at the same address. */
export class TopicReader {
  readonly records: SeenRecord[] = [];
  readonly #address: string;
  readonly #topic: string;
  readonly #committed: boolean;
  /** By partition: the offset to be read next, beyond records, aborted ones and transaction markers alike. */
  readonly #positions = new Map<number, number>();
  readonly #closing = new AbortController();
  readonly #turning: Promise<void>;
  #connected: Connected | undefined;
  #trouble = "none";

  constructor(address: string, topic: string, committed = true) {
    this.#address = address;
    this.#topic = topic;
    this.#committed = committed;
    this.#turning = this.#turn();
  }

  /**
   * Until everything is read that was there when asked. A committed reader cannot pass an open transaction: it waits
   * until its producer, a successor or its timeout ends it.
   */
  async toEnd(timeoutMs = 120_000): Promise<readonly SeenRecord[]> {
    let ends: ReadonlyMap<number, number> | undefined;
    const arrived = async () => {
      ends ??= await this.#connected?.offsets(LATEST, READ_UNCOMMITTED);
      return ends !== undefined && this.#behind(ends).length === 0;
    };
    const what = `the end of ${this.#topic} (${this.#committed ? "committed records; an open transaction holds it up" : "all records"})`;
    const seen = () => [...(ends === undefined ? [] : this.#behind(ends)), `last trouble: ${this.#trouble}`];
    await waitFor(arrived, what, { timeoutMs, everyMs: IDLE_MS, seen });
    return this.records;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#turning;
  }

  #behind(ends: ReadonlyMap<number, number>): string[] {
    return [...ends]
      .filter(([partition, end]) => (this.#positions.get(partition) ?? -1) < end)
      .map(([partition, end]) => `partition ${partition} at ${this.#positions.get(partition) ?? "its start"} of ${end}`);
  }

  async #turn(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      let pauseMs = IDLE_MS;
      try {
        this.#connected ??= await Connected.to(this.#address, this.#topic);
        if (await this.#readOn(this.#connected)) pauseMs = 0;
      } catch (error) {
        this.#trouble = (error as Error).message;
        await this.#disconnect();
        pauseMs = RETRY_MS;
      }
      await sleep(pauseMs);
    }
    await this.#disconnect();
  }

  async #disconnect(): Promise<void> {
    const connected = this.#connected;
    this.#connected = undefined;
    await connected?.close();
  }

  /** True when there was something to read. */
  async #readOn(connected: Connected): Promise<boolean> {
    if (this.#positions.size === 0) {
      for (const [partition, start] of await connected.offsets(EARLIEST, READ_UNCOMMITTED)) this.#positions.set(partition, start);
    }
    const isolation = this.#committed ? READ_COMMITTED : READ_UNCOMMITTED;
    let progressed = false;
    for (const [partition, end] of await connected.offsets(LATEST, isolation)) {
      const position = this.#positions.get(partition) ?? 0;
      if (position >= end || this.#closing.signal.aborted) continue;
      await this.#readPartition(connected, partition, position, isolation);
      progressed = true;
    }
    return progressed;
  }

  async #readPartition(connected: Connected, partition: number, position: number, isolation: number): Promise<void> {
    const answer = await connected.fetch(partition, position, isolation);
    const visible = this.#committed ? committedOnly(answer) : answer.messages.filter((message) => !message.isControlRecord);
    for (const message of visible) {
      // A batch comes whole, also when it began before the position.
      if (Number(message.offset) >= position) this.records.push(seenRecord(this.#topic, partition, message));
    }
    const last = answer.messages.at(-1);
    // A batch that compaction left empty shows no message at all; it is passed an offset at a time.
    this.#positions.set(partition, Math.max(position + 1, last === undefined ? 0 : Number(last.offset) + 1));
  }
}

/** One connection; the development broker is one node, which leads every partition. */
class Connected {
  private constructor(
    readonly cluster: RawCluster,
    readonly broker: RawBroker,
    readonly topic: string,
    readonly partitions: readonly number[],
  ) {}

  static async to(address: string, topic: string): Promise<Connected> {
    const cluster = rawCluster(address);
    try {
      await cluster.connect();
      await cluster.addTargetTopic(topic);
      const metadata = cluster.findTopicPartitionMetadata(topic);
      const [first] = metadata;
      if (first === undefined || metadata.some(({ leader }) => leader < 0)) throw new Error(`${topic} has no leader yet`);
      const broker = await cluster.findBroker({ nodeId: first.leader });
      return new Connected(
        cluster,
        broker,
        topic,
        metadata.map(({ partitionId }) => partitionId),
      );
    } catch (error) {
      await cluster.disconnect().catch(() => {});
      throw error;
    }
  }

  async offsets(timestamp: number, isolationLevel: number): Promise<ReadonlyMap<number, number>> {
    const partitions = this.partitions.map((partition) => ({ partition, timestamp }));
    const { responses } = await this.broker.listOffsets({ isolationLevel, topics: [{ topic: this.topic, partitions }] });
    return new Map((responses[0]?.partitions ?? []).map(({ partition, offset }) => [partition, Number(offset)]));
  }

  /** One partition at a time: what an answer lacks is then not there, and not only crowded out by another. */
  async fetch(partition: number, position: number, isolationLevel: number) {
    const partitions = [{ partition, fetchOffset: String(position), maxBytes: FETCH_BYTES }];
    const topics = [{ topic: this.topic, partitions }];
    const { responses } = await this.broker.fetch({ isolationLevel, maxWaitTime: 100, maxBytes: FETCH_BYTES, topics });
    const [answer] = responses[0]?.partitions ?? [];
    if (answer === undefined) throw new Error(`the broker's answer lacks ${this.topic}/${partition}`);
    return answer;
  }

  async close(): Promise<void> {
    await this.cluster.disconnect().catch(() => {});
  }
}

function seenRecord(topic: string, partition: number, message: RawMessage): SeenRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    key: message.key?.toString("utf8"),
    value: message.value ?? undefined,
    text: message.value?.toString("utf8") ?? "",
    timestampMs: Number(message.timestamp),
    headers: Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)])),
  };
}
