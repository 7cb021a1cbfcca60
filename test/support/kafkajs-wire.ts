/**
 * Raw answers of a broker, decoded by kafkajs. Tests read through this and not through kafkajs's consumer, because that one lets
 * records of aborted transactions pass when two producers aborted at once, and knows no end of a topic; and not through
 * our own client, because that is what is being tested.
 */
import type { KafkaConfig } from "kafkajs";

export const READ_UNCOMMITTED = 0;
export const READ_COMMITTED = 1;

export interface RawMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

export interface RawPartition {
  readonly partition: number;
  readonly abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[];
  readonly messages: readonly RawMessage[];
}

export interface RawBroker {
  fetch(request: {
    isolationLevel: number;
    maxWaitTime: number;
    maxBytes: number;
    topics: readonly {
      topic: string;
      partitions: readonly { partition: number; fetchOffset: string; maxBytes: number }[];
    }[];
  }): Promise<{ responses: readonly { topicName: string; partitions: readonly RawPartition[] }[] }>;
  listOffsets(request: {
    isolationLevel: number;
    topics: readonly { topic: string; partitions: readonly { partition: number; timestamp: number }[] }[];
  }): Promise<{ responses: readonly { partitions: readonly { partition: number; offset: string }[] }[] }>;
}

export interface RawCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number; readonly leader: number }[];
  findBroker(options: { nodeId: number }): Promise<RawBroker>;
}

type ClusterOptions = Partial<KafkaConfig> & {
  readonly logger: unknown;
  readonly metadataMaxAge: number;
  readonly allowAutoTopicCreation: boolean;
};

const Cluster = require("kafkajs/src/cluster") as new (options: ClusterOptions) => RawCluster;
const defaultSocketFactory = require("kafkajs/src/network/socketFactory") as () => KafkaConfig["socketFactory"];
const { createLogger } = require("kafkajs/src/loggers") as { createLogger(options: object): unknown };

export function rawCluster(address: string): RawCluster {
  return new Cluster({
    brokers: [address],
    clientId: "dirigo-test-reader",
    connectionTimeout: 2_000,
    requestTimeout: 30_000,
    enforceRequestTimeout: true,
    metadataMaxAge: 30_000,
    allowAutoTopicCreation: false,
    // The reader starts anew with another cluster when this one fails.
    retry: { retries: 1, initialRetryTime: 50 },
    socketFactory: defaultSocketFactory(),
    logger: createLogger({ level: 0, logCreator: () => () => {} }),
  });
}
