/**
 * Kafka for tests. `openKafka()` talks to the broker that all test files of a run share, so names must be unique;
 * `ownKafka()` starts a broker that a test may kill.
 */
import { randomUUID } from "node:crypto";
import { type Admin, Kafka, type KafkaConfig, logLevel, type Message, Partitioners, type Producer } from "kafkajs";
import { type BrokerHandle, brokerDown, brokerKill, brokerUp } from "../../src/dev/broker";
import { ADDRESS_VARIABLE } from "./kafka-setup";
import { makeTestDirectory, removeTestDirectory } from "./test-directory";
import { type Reading, type SeenRecord, TopicReader } from "./topic-reader";
import { waitFor } from "./wait-for";

export { type SeenRecord, TopicReader } from "./topic-reader";
export { waitFor } from "./wait-for";

export type NewRecord = Pick<Message, "key" | "partition" | "headers" | "timestamp"> & { readonly value: Buffer | string | null };

/** A send of this many small records stays well below a request's limit. */
const RECORDS_PER_SEND = 5_000;

/** The broker of this run; only tests below integration/, conformance/ and e2e/ have one. */
export function bootstrap(): string {
  const address = process.env[ADDRESS_VARIABLE];
  if (!address) throw new Error(`${ADDRESS_VARIABLE} is not set: Kafka tests belong into integration/, conformance/ or e2e/`);
  return address;
}

/** A name no other test has: topics, groups, transactional ids. */
export function uniqueName(base: string): string {
  return `${base}-${randomUUID().slice(0, 8)}`;
}

export async function openKafka(address: string = bootstrap()): Promise<TestKafka> {
  return await TestKafka.open(address);
}

export class TestKafka {
  readonly #producers: Producer[] = [];
  readonly #readers: TopicReader[] = [];
  #plain: Promise<Producer> | undefined;

  private constructor(
    readonly bootstrap: string,
    readonly client: Kafka,
    readonly admin: Admin,
  ) {}

  static async open(address: string): Promise<TestKafka> {
    const client = kafkaClient(address);
    const admin = client.admin();
    await admin.connect();
    return new TestKafka(address, client, admin);
  }

  async close(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()));
    await Promise.all(this.#producers.map((producer) => producer.disconnect()));
    await this.admin.disconnect();
  }

  /** Creates it and waits until every partition has a leader. Returns the name, so that it can be made in place. */
  async createTopic(topic: string, partitions = 1, config: Readonly<Record<string, string>> = {}): Promise<string> {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    // kafkajs's own waiting fails when the broker has not yet heard of the topic its controller has just created.
    await this.admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }], waitForLeaders: false });
    const led = async () => {
      const [metadata] = (await this.admin.fetchTopicMetadata({ topics: [topic] })).topics;
      return metadata?.partitions.length === partitions && metadata.partitions.every(({ leader }) => leader >= 0);
    };
    await waitFor(led, `leaders of the ${partitions} partitions of ${topic}`);
    return topic;
  }

  /** In the order given; without a partition, where Kafka's default partitioner puts the key. */
  async produce(topic: string, records: readonly NewRecord[]): Promise<void> {
    this.#plain ??= this.#connect(
      this.client.producer({
        // Or a try that one partition of a new topic refuses is repeated for all of them, and the others have it twice.
        idempotent: true,
        maxInFlightRequests: 1,
        createPartitioner: Partitioners.DefaultPartitioner,
        allowAutoTopicCreation: false,
      }),
    );
    const producer = await this.#plain;
    for (let from = 0; from < records.length; from += RECORDS_PER_SEND) {
      await producer.send({ topic, messages: records.slice(from, from + RECORDS_PER_SEND) });
    }
  }

  /** One transaction that commits, or aborts and leaves aborted records behind. */
  async produceInTransaction(topic: string, records: readonly NewRecord[], end: "commit" | "abort"): Promise<void> {
    const producer = await this.#connect(this.transactionalProducer(uniqueName("transaction")));
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [...records] });
    await transaction[end]();
  }

  /** Not connected; its owner disconnects it. */
  transactionalProducer(transactionalId: string): Producer {
    return this.client.producer({
      transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
  }

  /** Everything up to the end the topic has now: per partition in order. */
  async readAll(topic: string, reading: Reading = {}): Promise<readonly SeenRecord[]> {
    const reader = new TopicReader(this.bootstrap, topic, reading.committed ?? true);
    try {
      return await reader.toEnd(reading.timeoutMs);
    } finally {
      await reader.close();
    }
  }

  /** Grows while records arrive; closed with this. */
  follow(topic: string, reading: Reading = {}): TopicReader {
    const reader = new TopicReader(this.bootstrap, topic, reading.committed ?? true);
    this.#readers.push(reader);
    return reader;
  }

  /** Follows until `count` records are there; more may be, since a batch comes whole. */
  async waitForRecords(topic: string, count: number, reading: Reading = {}): Promise<readonly SeenRecord[]> {
    const reader = new TopicReader(this.bootstrap, topic, reading.committed ?? true);
    try {
      await waitFor(() => reader.records.length >= count, `${count} records in ${topic}`, {
        ...(reading.timeoutMs === undefined ? {} : { timeoutMs: reading.timeoutMs }),
        seen: () => `${reader.records.length} records, the last ones ${reader.records.slice(-3).map((record) => record.text)}`,
      });
      return reader.records;
    } finally {
      await reader.close();
    }
  }

  async #connect(producer: Producer): Promise<Producer> {
    this.#producers.push(producer);
    await producer.connect();
    return producer;
  }
}

/** Transactions of the default retry (300 ms, growing) take that long whenever the broker still writes the markers of the last. */
export function kafkaClient(address: string, more: Partial<KafkaConfig> = {}): Kafka {
  return new Kafka({
    clientId: "dirigo-test",
    brokers: [address],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, factor: 0.2, multiplier: 1.5, maxRetryTime: 1_000, retries: 30 },
    ...more,
  });
}

/** A broker for one test, which may be killed and restarted at the same address with its data. */
export class OwnKafka {
  #pid: number;

  private constructor(
    readonly directory: string,
    readonly port: number,
    readonly bootstrap: string,
    pid: number,
  ) {
    this.#pid = pid;
  }

  static async start(): Promise<OwnKafka> {
    const directory = makeTestDirectory();
    const { port, bootstrap: address, pid } = await brokerUp({ port: 0, directory, heap: "512m" });
    return new OwnKafka(directory, port, address, pid);
  }

  async open(): Promise<TestKafka> {
    return await openKafka(this.bootstrap);
  }

  /** kill -9. */
  async killBroker(): Promise<void> {
    if (!(await brokerKill({ directory: this.directory }))) throw new Error("there was no broker to kill");
  }

  /** kill -9 this very moment, with nothing in between: for tests of what the broker has just not done yet. */
  async crashBroker(): Promise<void> {
    process.kill(this.#pid, "SIGKILL");
    // It may already be gone; while it is not, starting would take it for the one that is wanted.
    await brokerKill({ directory: this.directory });
  }

  async startBroker(): Promise<BrokerHandle> {
    const broker = await brokerUp({ port: this.port, directory: this.directory, heap: "512m" });
    this.#pid = broker.pid;
    return broker;
  }

  async stopBroker(): Promise<void> {
    if (!(await brokerDown({ directory: this.directory }))) throw new Error("there was no broker to stop");
  }

  async restartBroker(how: "gracefully" | "after kill -9" = "gracefully"): Promise<BrokerHandle> {
    if (how === "gracefully") await this.stopBroker();
    else await this.killBroker();
    return await this.startBroker();
  }

  /** Ends the broker and removes its data. */
  async remove(): Promise<void> {
    await removeTestDirectory(this.directory);
  }
}
