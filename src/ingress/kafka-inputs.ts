/**
 * Inputs on Kafka: each partition of an ingress topic that the engine reads is one reader, on the link of its cluster.
 * Positions are the engine's own progress; the group's offsets are written for lag tools and read only for `group-offsets`.
 */
import { Fetcher, type Reader } from "../cluster/fetcher";
import { errorText } from "../cluster/kafkajs-internals";
import type { Link } from "../cluster/link";
import { committedOffset, earliest, latest, offsetAt } from "../cluster/offsets";
import type { TopicPartition } from "../cluster/requests";
import type { SourceSpecification } from "../config/specification";
import type { Event } from "../event";
import type { Log } from "../observe/log";

/** With transactions smaller fetches beat big ones (KAFKA-CLIENT.md), and they keep turns short. */
const partitionBytesMax = 128 * 1024;
const fetchBytesMax = 2 * 1024 * 1024;
/** Of a long poll when nothing flows. New records end it at once; only a new partition waits for it. */
const waitMs = 100;
/** That there is nothing more is told this often: while records flow from its neighbours an idle partition is answered for all the time. */
const exhaustedAgainMs = 50;

interface Input extends TopicPartition {
  readonly source: SourceSpecification;
  readonly fetcher: Fetcher;
  readonly reader: Reader;
}

/** A low watermark, and where it counts. */
export interface InputProgress extends TopicPartition {
  readonly cluster: string;
  readonly offset: number;
}

export class KafkaInputs {
  readonly #inputs = new Map<number, Input>();
  /** One fetcher per cluster, isolation and set of fetch options. */
  readonly #fetchers = new Map<string, Fetcher>();
  #closed = false;

  constructor(
    readonly sources: readonly SourceSpecification[],
    readonly linkFor: (source: SourceSpecification, purpose: string) => Link,
    readonly emit: (event: Event) => void,
    readonly log: Log,
  ) {}

  locate(input: number, source: number, partition: number): void {
    const specification = this.#source(source);
    this.#start(specification, partition).then(
      (offset) => {
        if (!this.#closed) this.emit({ kind: "input_located", input, offset });
      },
      (error: unknown) => {
        const reason = `finding where ${specification.topic}/${partition} starts failed: ${errorText(error)}`;
        if (!this.#closed) this.emit({ kind: "input_location_failed", input, reason });
      },
    );
  }

  async #start(source: SourceSpecification, partition: number): Promise<number> {
    const { topic, startup } = source;
    const link = this.linkFor(source, "locate");
    const position = { topic, partition };
    switch (startup.kind) {
      case "earliest":
        return offsetAt(link, position, earliest, !source.readUncommitted);
      case "latest":
        return offsetAt(link, position, latest, !source.readUncommitted);
      case "date": {
        const offset = await offsetAt(link, position, startup.timestampMs, !source.readUncommitted);
        return offset >= 0 ? offset : offsetAt(link, position, latest, !source.readUncommitted);
      }
      case "specific-offsets":
        return startup.offsets[`${topic}/${partition}`] ?? this.#reset(source, position);
      case "group-offsets":
        return (await committedOffset(link, startup.groupId, position)) ?? this.#reset(source, position);
    }
  }

  #reset(source: SourceSpecification, position: TopicPartition): Promise<number> {
    const end = source.autoOffsetReset === "earliest" ? earliest : latest;
    return offsetAt(this.linkFor(source, "locate"), position, end, !source.readUncommitted);
  }

  consume(input: number, source: number, partition: number, offset: number): void {
    this.drop(input);
    const specification = this.#source(source);
    const fetcher = this.#fetcher(specification);
    const position = { topic: specification.topic, partition };
    const reader = fetcher.read({
      ...position,
      offset,
      bytesMax: specification.fetchPartitionMaxBytes ?? partitionBytesMax,
      deliver: (records, nextOffset) => this.emit({ kind: "records_received", input, records, nextOffset }),
      outOfRange: (lost) => this.#displaced(input, specification, position, lost),
      ...(tellsEnd(specification) && { nothingBehind: this.#exhausted(input) }),
    });
    this.#inputs.set(input, { ...position, source: specification, fetcher, reader });
  }

  #exhausted(input: number): (offset: number, sentMs: number) => void {
    let toldMs = 0;
    return (offset, askedMs) => {
      const now = Date.now();
      if (this.#closed || Math.abs(now - toldMs) < exhaustedAgainMs) return;
      toldMs = now;
      this.emit({ kind: "input_exhausted", input, offset, askedMs });
    };
  }

  /** The engine consumes anew once nothing before is unfinished; until then this reader stays where it is, so this never resolves. */
  async #displaced(input: number, source: SourceSpecification, position: TopicPartition, lost: number): Promise<number> {
    const offset = await this.#reset(source, position);
    const { topic, partition } = position;
    this.log(
      "warn",
      `${topic}/${partition} has no offset ${lost} any more (retention, or the topic was made anew); going on at ${offset} (${source.autoOffsetReset}).`,
      { topic, partition, lost, offset },
    );
    if (!this.#closed) this.emit({ kind: "input_displaced", input, offset });
    return new Promise(() => {});
  }

  #source(index: number): SourceSpecification {
    const source = this.sources[index];
    if (source === undefined) throw new Error(`there is no source ${index}`);
    return source;
  }

  #fetcher(source: SourceSpecification): Fetcher {
    const limits = {
      readUncommitted: source.readUncommitted,
      waitMs: source.fetchMaxWaitMs ?? waitMs,
      bytesMin: source.fetchMinBytes ?? 1,
      bytesMax: source.fetchMaxBytes ?? fetchBytesMax,
    };
    const purpose = `fetch ${JSON.stringify(limits)}`;
    const key = `${source.cluster.name} ${purpose}`;
    let fetcher = this.#fetchers.get(key);
    if (fetcher === undefined) {
      fetcher = new Fetcher(this.linkFor(source, purpose), limits, this.log);
      this.#fetchers.set(key, fetcher);
    }
    return fetcher;
  }

  pause(input: number): void {
    const known = this.#inputs.get(input);
    if (known !== undefined) known.fetcher.pause(known.reader);
  }

  resume(input: number): void {
    const known = this.#inputs.get(input);
    if (known !== undefined) known.fetcher.resume(known.reader);
  }

  drop(input: number): void {
    const known = this.#inputs.get(input);
    if (known === undefined) return;
    known.fetcher.stop(known.reader);
    this.#inputs.delete(input);
  }

  position(input: number, offset: number): InputProgress | undefined {
    const known = this.#inputs.get(input);
    return known && { cluster: known.source.cluster.name, topic: known.topic, partition: known.partition, offset };
  }

  /** The oldest of the last answers of those that should be getting some; undefined when nothing is wanted. */
  lastAnswerMs(): number | undefined {
    const active = [...this.#fetchers.values()].filter((fetcher) => fetcher.active).map(({ lastAnswerMs }) => lastAnswerMs);
    return active.length === 0 ? undefined : Math.min(...active);
  }

  close(): void {
    this.#closed = true;
    for (const fetcher of this.#fetchers.values()) fetcher.close();
    this.#inputs.clear();
  }
}

/** Where it matters that a partition holds nothing more: it must not hold up the others of its ingress. */
function tellsEnd({ watermark, barrier }: SourceSpecification): boolean {
  return watermark !== undefined || barrier?.kind === "counter";
}
