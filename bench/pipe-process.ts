/**
 * The limit: the router's own Kafka adapters, consuming and producing in the same transactions, and nothing in between.
 * No function, no state, no mailboxes; a unit holds the records as they came, and a record of progress for each partition that
 * was read since the unit before (as many as the router writes; nobody ever goes on from them).
 *
 * `node pipe-process.js <bootstrap> <input topic> <output topic> <progress topic> <partitions>`; ends with its parent, or on SIGTERM.
 */
import { Link } from "../src/cluster/link";
import { TopicLimits } from "../src/cluster/topics";
import type { ClusterSpecification, SourceSpecification } from "../src/config/specification";
import { KafkaSink } from "../src/egress/kafka-sink";
import type { Event } from "../src/event";
import { KafkaInputs } from "../src/ingress/kafka-inputs";
import type { OutputRecord } from "../src/model/record";
import type { Log } from "../src/observe/log";

const [bootstrap = "", inputTopic = "", outputTopic = "", progressTopic = "", partitionCount = "8"] = process.argv.slice(2);

/** As the router's defaults have it. */
const unitRecordsMax = 10_000;
const partitionDepthMax = 2_048;
const transactionTimeoutMs = 60_000;

const cluster: ClusterSpecification = {
  name: bootstrap,
  brokers: [bootstrap],
  clientId: undefined,
  ssl: false,
  sasl: undefined,
  connectionTimeoutMs: undefined,
  requestTimeoutMs: undefined,
};

const source: SourceSpecification = {
  ingress: "bench/input",
  cluster,
  topic: inputTopic,
  valueType: "bench/value",
  targets: [],
  startup: { kind: "earliest" },
  autoOffsetReset: "earliest",
  readUncommitted: false,
  fetchMaxBytes: undefined,
  fetchPartitionMaxBytes: undefined,
  fetchMaxWaitMs: undefined,
  fetchMinBytes: undefined,
  critical: false,
  barrier: undefined,
  watermark: undefined,
};

const log: Log = (level, text) => {
  if (level === "warn" || level === "error") console.error(text);
};

class Pipe {
  readonly #sink: KafkaSink;
  readonly #inputs: KafkaInputs;
  #open: OutputRecord[] = [];
  /** By partition: records that are not committed yet, and the position behind them. */
  readonly #depths: number[] = [];
  readonly #positions = new Map<number, number>();
  readonly #paused = new Set<number>();
  #committing: readonly OutputRecord[] | undefined;
  #unit = 0;

  constructor() {
    const links = new Map<string, Link>();
    const link = (purpose: string): Link => {
      const known = links.get(purpose) ?? new Link(cluster, log);
      links.set(purpose, known);
      return known;
    };
    const emit = (event: Event): void => this.#apply(event);
    const linkTo = (): Link => link("produce");
    const limits = new TopicLimits(linkTo, log);
    this.#sink = new KafkaSink({ transactionTimeoutMs, cluster: cluster.name, linkTo, limits }, emit, log);
    this.#inputs = new KafkaInputs([source], (_source, purpose) => link(purpose), emit, log);
  }

  start(): void {
    void this.#sink.open(1, [`${outputTopic}-a`, `${outputTopic}-b`]);
  }

  #apply(event: Event): void {
    switch (event.kind) {
      case "sink_opened":
        for (let partition = 0; partition < Number(partitionCount); partition++) this.#inputs.locate(partition, 0, partition);
        return;
      case "input_located":
        return this.#inputs.consume(event.input, 0, event.input, event.offset);
      case "records_received":
        return this.#receive(event);
      case "unit_committed":
        return this.#committed();
      default:
        console.error(`the pipe broke: ${JSON.stringify(event)}`);
        process.exit(1);
    }
  }

  #receive({ input, records, nextOffset }: Extract<Event, { kind: "records_received" }>): void {
    for (const { key, value } of records) {
      this.#open.push({ partition: input, key, value, headers: undefined, timestampMs: undefined });
    }
    this.#positions.set(input, nextOffset);
    this.#depths[input] = (this.#depths[input] ?? 0) + records.length;
    if (this.#depths[input] > partitionDepthMax) {
      this.#paused.add(input);
      this.#inputs.pause(input);
    }
    if (this.#committing === undefined) this.#commit();
  }

  #commit(): void {
    const unit = this.#open.length <= unitRecordsMax ? this.#open : this.#open.slice(0, unitRecordsMax);
    this.#open = unit === this.#open ? [] : this.#open.slice(unitRecordsMax);
    this.#committing = unit;
    const progress = [...this.#positions].map(([partition, offset]) => progressRecord(partition, offset));
    this.#positions.clear();
    const inside = [
      { cluster: cluster.name, topic: outputTopic, records: unit },
      { cluster: cluster.name, topic: progressTopic, records: progress },
    ];
    void this.#sink.commit(++this.#unit, [], inside);
  }

  #committed(): void {
    for (const { partition } of this.#committing ?? []) this.#depths[partition] = (this.#depths[partition] ?? 0) - 1;
    this.#committing = undefined;
    for (const input of this.#paused) {
      if ((this.#depths[input] ?? 0) * 4 > partitionDepthMax * 3) continue;
      this.#paused.delete(input);
      this.#inputs.resume(input);
    }
    if (this.#open.length > 0) this.#commit();
  }
}

function progressRecord(partition: number, offset: number): OutputRecord {
  return {
    partition,
    key: `progress ${partition}`,
    value: Buffer.from(String(offset)),
    headers: undefined,
    timestampMs: undefined,
  };
}

process.once("disconnect", () => process.exit());
process.once("SIGTERM", () => process.exit());
new Pipe().start();
