/**
 * A link: one set of connections to one cluster, used for one purpose (a request that waits holds up those behind it on the same
 * connection, so fetching, membership and producing each have their own link). It finds leaders and coordinators and
 * remembers them. After a lost connection it is `renewed`: everything it knew is dropped and the next caller connects afresh, which
 * keeps us out of every state a half-broken set of connections can be in.
 */
import type { ClusterSpecification } from "../config/specification";
import type { Log } from "../observe/log";
import { kafkajsConfig } from "./client-config";
import { createCluster, errorType, type KafkajsBroker, type KafkajsCluster, protocolError } from "./kafkajs-internals";
import type { TopicPartition } from "./requests";
import { knowsTransactions2, transactionVersionRequest } from "./transaction-requests";

const coordinatorKinds = { group: 0, transaction: 1 };
/** `LEADER_NOT_AVAILABLE`. */
const leaderNotAvailable = 5;
const unknownTopic = 3;

export class Link {
  /** Grows whenever a connection, or who coordinates, was lost and had to be found anew: what was under way then may be half done. */
  generation = 0;
  #cluster: KafkajsCluster | undefined;
  #connecting: Promise<KafkajsCluster> | undefined;
  readonly #coordinators = new Map<string, KafkajsBroker>();
  readonly #topics = new Set<string>();
  #transactionVersion: number | undefined;
  #closed = false;

  constructor(
    readonly specification: ClusterSpecification,
    readonly log: Log,
    readonly requestTimeoutMs?: number,
  ) {}

  /** Connected, and never again after `close`. */
  async cluster(): Promise<KafkajsCluster> {
    if (this.#closed) throw new Error(`the connection to Kafka at ${this.specification.name} is closed`);
    if (this.#cluster !== undefined) return this.#cluster;
    this.#connecting ??= this.#connect();
    return this.#connecting;
  }

  async #connect(): Promise<KafkajsCluster> {
    const cluster = createCluster(kafkajsConfig(this.specification, this.log, this.requestTimeoutMs));
    try {
      await cluster.connect();
      // Brokers become known by asking for metadata, of no topic in particular.
      await cluster.refreshMetadata();
      this.#cluster = cluster;
      return cluster;
    } catch (error) {
      void dispose(cluster);
      throw error;
    } finally {
      this.#connecting = undefined;
    }
  }

  /** Metadata of the topic; throws UNKNOWN_TOPIC_OR_PARTITION when it is absent. `fresh` asks the broker again. */
  async partitions(topic: string, fresh = false): Promise<ReadonlyMap<number, number>> {
    const cluster = await this.cluster();
    try {
      if (!this.#topics.has(topic)) {
        await cluster.addMultipleTargetTopics([topic]);
        this.#topics.add(topic);
      } else if (fresh) {
        await cluster.refreshMetadata();
      }
    } catch (error) {
      // One topic that went away would make every later refresh fail: forget what was asked for.
      if (errorType(error) === "UNKNOWN_TOPIC_OR_PARTITION") this.renew();
      throw error;
    }
    const partitions = cluster.findTopicPartitionMetadata(topic);
    if (partitions.length === 0) throw protocolError(unknownTopic);
    return new Map(partitions.map(({ partitionId, leader }) => [partitionId, leader]));
  }

  async leader({ topic, partition }: TopicPartition, fresh = false): Promise<number> {
    const node = (await this.partitions(topic, fresh)).get(partition);
    if (node === undefined) throw protocolError(unknownTopic);
    if (node < 0) throw protocolError(leaderNotAvailable);
    return node;
  }

  async broker(nodeId: number): Promise<KafkajsBroker> {
    return (await this.cluster()).findBroker({ nodeId });
  }

  async coordinator(kind: "group" | "transaction", id: string): Promise<KafkajsBroker> {
    const key = `${kind} ${id}`;
    const known = this.#coordinators.get(key);
    if (known?.isConnected()) return known;
    const cluster = await this.cluster();
    const broker = await cluster.findGroupCoordinator({ groupId: id, coordinatorType: coordinatorKinds[kind] });
    this.generation++;
    this.#coordinators.set(key, broker);
    return broker;
  }

  /** The cluster's `transaction.version`: 0 or 1, where clients add partitions, or 2. Asked once per connection. */
  async transactionVersion(broker: KafkajsBroker): Promise<number> {
    if (this.#transactionVersion !== undefined) return this.#transactionVersion;
    const version = knowsTransactions2(broker) ? await broker.connectionPool.send(transactionVersionRequest()) : 0;
    this.#transactionVersion = version;
    return version;
  }

  forgetCoordinators(): void {
    this.#coordinators.clear();
  }

  /** Drops all connections; the next call connects afresh. */
  renew(): void {
    const old = this.#cluster;
    this.#cluster = undefined;
    this.#coordinators.clear();
    this.#topics.clear();
    this.#transactionVersion = undefined;
    this.generation++;
    if (old !== undefined) void dispose(old);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const open = this.#cluster;
    this.#cluster = undefined;
    if (open !== undefined) await dispose(open);
  }
}

/** kafkajs waits for the answers still out; a broker that is gone gives none. */
const disposeMs = 1_000;

async function dispose(cluster: KafkajsCluster): Promise<void> {
  await atMost(disposeMs, cluster.disconnect());
}

/** Waits for it, but not longer; how it ends is of no matter. */
export async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work.catch(() => undefined), enough]);
  clearTimeout(timer);
}

/** Is the error about the connection, so that a fresh one may help? */
export function isConnectionLost(error: unknown): boolean {
  const type = errorType(error);
  return connectionErrors.has(type);
}

const connectionErrors = new Set([
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
  "KafkaJSBrokerNotFound",
  "KafkaJSNumberOfRetriesExceeded",
  "KafkaJSLockTimeout",
  "KafkaJSGroupCoordinatorNotFound",
  "KafkaJSMetadataNotLoaded",
  "KafkaJSTopicMetadataNotLoaded",
  "KafkaJSNonRetriableError",
  "KafkaJSError",
  "TypeError",
  "Error",
]);

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
