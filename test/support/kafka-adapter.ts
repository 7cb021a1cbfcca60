/** The Kafka adapter by itself: a test plays the engine, asks by effects and waits for events. */
import { type KafkaAdapter, openKafka } from "../../src/cluster/kafka";
import type {
  ClusterSpecification,
  FunctionSpecification,
  RouterOptions,
  SourceSpecification,
} from "../../src/config/specification";
import type { Effect, ReportLevel } from "../../src/effect";
import type { Event, EventKind } from "../../src/event";
import type { Claim, StandingClaim } from "../../src/model/claim";
import type { InputRecord, OutputRecord, TopicBatch } from "../../src/model/record";
import { bootstrap, uniqueName } from "./kafka";
import { waitFor } from "./wait-for";

export type Of<K extends EventKind> = Extract<Event, { kind: K }>;

export interface AdapterSettings {
  readonly group: string;
  readonly router?: string;
  readonly shards?: number;
  readonly address?: string;
  readonly sources?: readonly SourceSpecification[];
  readonly options?: Partial<RouterOptions>;
  readonly functions?: readonly FunctionSpecification[];
  /** Other clusters that egresses name. */
  readonly clusters?: readonly ClusterSpecification[];
}

export function clusterOf(address: string = bootstrap(), name: string = address): ClusterSpecification {
  return {
    name,
    brokers: [address],
    clientId: undefined,
    ssl: false,
    sasl: undefined,
    connectionTimeoutMs: undefined,
    requestTimeoutMs: undefined,
  };
}

export function sourceOf(topic: string, more: Partial<SourceSpecification> = {}): SourceSpecification {
  return {
    ingress: "test/ingress",
    cluster: clusterOf(),
    topic,
    valueType: "test/value",
    targets: ["test/function"],
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
    ...more,
  };
}

export function optionsOf({ group, router, shards, address, options }: AdapterSettings): RouterOptions {
  return {
    group,
    router: router ?? "router-1",
    shards: shards ?? 4,
    delivery: "exactly-once",
    defaultSloMs: 10_000,
    partitionDepthMax: 1_000,
    mailboxBytesMax: 100_000_000,
    heldBytesMax: 64 * 1024 * 1024,
    leaseIdleMs: 2_000,
    retryFirstMs: 10,
    retryMaxMs: 1_000,
    unitLingerMs: 0,
    unitRecordsMax: 10_000,
    unitBytesMax: 10_000_000,
    handoverMs: 5_000,
    drainMs: 5_000,
    adminHost: "127.0.0.1",
    adminPort: 0,
    log: "json",
    logLevel: "info",
    cluster: clusterOf(address),
    sessionTimeoutMs: 6_000,
    transactionTimeoutMs: 30_000,
    replicationFactor: 1,
    createTopics: false,
    ...options,
  };
}

export class TestAdapter {
  readonly events: Event[] = [];
  readonly log: { level: ReportLevel; text: string }[] = [];
  readonly options: RouterOptions;
  readonly kafka: KafkaAdapter;
  #epoch = 0;
  #unit = 0;

  constructor(readonly settings: AdapterSettings) {
    this.options = optionsOf(settings);
    const egresses = (settings.clusters ?? []).map((cluster) => ({
      kind: "kafka" as const,
      id: "test/egress",
      cluster,
      semantic: "at-least-once" as const,
    }));
    const module = {
      endpoints: [],
      sources: settings.sources ?? [],
      egresses,
      applications: [],
      functions: settings.functions ?? [],
    };
    this.kafka = openKafka(
      this.options,
      module,
      (event) => this.events.push(event),
      (level, text) => this.log.push({ level, text }),
    );
  }

  static async start(settings: AdapterSettings): Promise<TestAdapter> {
    const adapter = new TestAdapter(settings);
    await adapter.kafka.start();
    return adapter;
  }

  get cluster(): string {
    return this.options.cluster.name;
  }

  ask(effect: Effect): void {
    if (!this.kafka.perform(effect)) throw new Error(`${effect.kind} is not an effect of Kafka`);
  }

  all<K extends EventKind>(kind: K): Of<K>[] {
    return this.events.filter((event): event is Of<K> => event.kind === kind);
  }

  async wait<K extends EventKind>(kind: K, fits: (event: Of<K>) => boolean = () => true, timeoutMs = 120_000): Promise<Of<K>> {
    return waitFor(() => this.all(kind).find(fits), `a ${kind} event`, {
      timeoutMs,
      everyMs: 2,
      seen: () => ({ events: this.events.slice(-5).map(({ kind }) => kind), log: this.log.slice(-5) }),
    });
  }

  async openSink(transactionalIds: readonly string[] = [uniqueName("a"), uniqueName("b")]): Promise<readonly string[]> {
    const opened = ["sink_opened", "sink_failed"];
    // As the engine does: a broker may be away for longer than one try.
    for (;;) {
      const epoch = ++this.#epoch;
      this.ask({ kind: "open_sink", epoch, transactionalIds });
      const answer = () => this.events.find((event) => opened.includes(event.kind) && "epoch" in event && event.epoch === epoch);
      if ((await waitFor(answer, "the sink to open", { everyMs: 2 })).kind === "sink_opened") return transactionalIds;
    }
  }

  async commit(
    inside: readonly TopicBatch[],
    outside: readonly TopicBatch[] = [],
  ): Promise<Of<"unit_committed"> | Of<"unit_failed">> {
    const unit = ++this.#unit;
    this.ask({ kind: "commit_unit", unit, outside, inside });
    return waitFor(
      () => [...this.all("unit_committed"), ...this.all("unit_failed")].find((event) => event.unit === unit),
      `the outcome of unit ${unit}`,
      { everyMs: 1, timeoutMs: 120_000, seen: () => this.log.slice(-5) },
    );
  }

  batch(topic: string, records: readonly OutputRecord[], cluster = this.cluster): TopicBatch {
    return { cluster, topic, records: [...records] };
  }

  async claim(shard: number, claim: Claim): Promise<number> {
    const epoch = ++this.#epoch;
    this.ask({ kind: "append_claim", shard, epoch, claim });
    return (await this.wait("claim_appended", (event) => event.epoch === epoch)).offset;
  }

  async claims(shard: number): Promise<readonly StandingClaim[]> {
    const epoch = ++this.#epoch;
    this.ask({ kind: "read_claims", shard, epoch });
    return (await this.wait("claims_read", (event) => event.epoch === epoch)).claims;
  }

  async fence(shard: number, claims: readonly Claim[]): Promise<void> {
    const epoch = ++this.#epoch;
    this.ask({ kind: "fence_claimants", shard, epoch, claims });
    await this.wait("claimants_fenced", (event) => event.epoch === epoch);
  }

  async release(shard: number, claimId: string): Promise<void> {
    const epoch = ++this.#epoch;
    this.ask({ kind: "release_claim", shard, epoch, claimId });
    await this.wait("claim_released", (event) => event.epoch === epoch);
  }

  /** Everything restored, in order. */
  async restore(shard: number): Promise<{ key: string; value: Buffer | undefined }[]> {
    const epoch = ++this.#epoch;
    this.ask({ kind: "restore_shard", shard, epoch });
    await this.wait("shard_restored", (event) => event.epoch === epoch && event.shard === shard, 120_000);
    return this.all("state_restored")
      .filter((event) => event.epoch === epoch && event.shard === shard)
      .flatMap(({ records }) => records)
      .map(({ key, value }) => ({ key: Buffer.from(key).toString(), value: value === null ? undefined : Buffer.from(value) }));
  }

  async locate(source: number, partition: number): Promise<number> {
    const input = 100_000 + ++this.#epoch;
    this.ask({ kind: "locate_input", input, source, partition });
    return (await this.wait("input_located", (event) => event.input === input)).offset;
  }

  records(input: number): InputRecord[] {
    return this.all("records_received")
      .filter((event) => event.input === input)
      .flatMap(({ records }) => records);
  }

  texts(input: number): string[] {
    return this.records(input).map(({ value }) => (value === null ? "" : Buffer.from(value).toString()));
  }
}

export function output(
  partition: number,
  key: string | null,
  value: string | Buffer | null,
  more: Partial<OutputRecord> = {},
): OutputRecord {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  return { partition, key, value: bytes, headers: undefined, timestampMs: undefined, ...more };
}
