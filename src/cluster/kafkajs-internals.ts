/**
 * The only place that reaches below kafkajs's public face. We use its connections, security, metadata and request queue, and speak
 * the requests of the hot path (fetch, produce, transactions) ourselves: its consumer and producer cost several times as much per
 * record, ask for the coordinator twice per transaction, leak records of aborted transactions when two producers abort at once
 * (filterAbortedMessages takes one per record, and takes any key 00000000 for a marker), and step through a compacted batch one
 * fetch per missing offset. The version is pinned in package.json: a new one means reading this file again.
 */
import type { KafkaConfig, logCreator } from "kafkajs";

/** What `Connection.send` wants: `encode` answers with something that has the shape of kafkajs's Encoder. */
export interface RawRequest<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly expectResponse?: () => boolean;
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  readonly response: {
    decode(payload: Buffer): Promise<{ readonly clientSideThrottleTime: number; readonly body: T }>;
    parse(decoded: { readonly body: T }): Promise<T>;
  };
  readonly requestTimeout?: number;
  readonly logResponseError?: boolean;
}

export interface GroupMemberDescription {
  readonly memberId: string;
  readonly clientHost: string;
  readonly memberMetadata: Buffer;
}

/** One broker's connection, as far as we use it. */
export interface KafkajsBroker {
  readonly nodeId: number;
  /** The requests it knows, by key; null before it is connected. */
  readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>> | null;
  readonly connectionPool: { send<T>(request: RawRequest<T>): Promise<T> };
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  joinGroup(request: {
    groupId: string;
    sessionTimeout: number;
    rebalanceTimeout: number;
    memberId: string;
    groupProtocols: readonly { name: string; metadata: Buffer }[];
  }): Promise<{
    generationId: number;
    leaderId: string;
    memberId: string;
    members: readonly { memberId: string; memberMetadata: Buffer }[];
  }>;
  syncGroup(request: {
    groupId: string;
    generationId: number;
    memberId: string;
    groupAssignment: readonly { memberId: string; memberAssignment: Buffer }[];
  }): Promise<{ memberAssignment: Buffer }>;
  heartbeat(request: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
  describeGroups(request: { groupIds: readonly string[] }): Promise<{
    groups: readonly { state: string; members: readonly GroupMemberDescription[] }[];
  }>;
  offsetCommit(request: {
    groupId: string;
    groupGenerationId: number;
    memberId: string;
    topics: readonly { topic: string; partitions: readonly { partition: number; offset: string; metadata?: string }[] }[];
  }): Promise<unknown>;
  offsetFetch(request: {
    groupId: string;
    topics: readonly { topic: string; partitions: readonly { partition: number }[] }[];
  }): Promise<{
    responses: readonly { topic: string; partitions: readonly { partition: number; offset: string }[] }[];
  }>;
  listOffsets(request: {
    replicaId?: number;
    isolationLevel: number;
    topics: readonly { topic: string; partitions: readonly { partition: number; timestamp: number }[] }[];
  }): Promise<{
    responses: readonly { topic: string; partitions: readonly { partition: number; offset: string }[] }[];
  }>;
}

/** The set of connections to one cluster, with its metadata. */
export interface KafkajsCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  findBroker(options: { nodeId: number | string }): Promise<KafkajsBroker>;
  findControllerBroker(): Promise<KafkajsBroker>;
  findGroupCoordinator(options: { groupId: string; coordinatorType?: number }): Promise<KafkajsBroker>;
  findTopicPartitionMetadata(topic: string): readonly { partitionId: number; leader: number; partitionErrorCode: number }[];
}

interface ClusterOptions extends KafkaConfig {
  readonly logger: unknown;
  readonly metadataMaxAge: number;
  readonly allowAutoTopicCreation: boolean;
}

const Cluster = require("kafkajs/src/cluster") as new (options: ClusterOptions) => KafkajsCluster;
const { createLogger } = require("kafkajs/src/loggers") as {
  createLogger(options: { level: number | undefined; logCreator: logCreator | undefined }): unknown;
};
const { createErrorFromCode: createError } = require("kafkajs/src/protocol/error") as {
  createErrorFromCode(code: number): KafkaProtocolError;
};
const protocol = require("kafkajs/src/consumer/assignerProtocol") as {
  MemberMetadata: {
    encode(metadata: { version: number; topics: readonly string[]; userData: Buffer }): Buffer;
    decode(bytes: Buffer): { topics: string[]; userData: Buffer | null };
  };
  MemberAssignment: {
    encode(assignment: { version: number; assignment: Record<string, readonly number[]>; userData: Buffer }): Buffer;
    decode(bytes: Buffer): { assignment: Record<string, number[]>; userData: Buffer | null } | null;
  };
};

/** An error code of a broker, by name. */
export interface KafkaProtocolError extends Error {
  readonly type: string;
  readonly retriable: boolean;
}

export const { MemberMetadata, MemberAssignment } = protocol;

/** The longest metadata may be wrong about leaders or partitions without anybody noticing. */
const metadataMaxAgeMs = 30_000;

export function createCluster(config: KafkaConfig): KafkajsCluster {
  return new Cluster({
    ...config,
    logger: createLogger({ level: config.logLevel, logCreator: config.logCreator }),
    metadataMaxAge: metadataMaxAgeMs,
    allowAutoTopicCreation: false,
  });
}

export function protocolError(code: number): KafkaProtocolError {
  return createError(code);
}

/** The name of a broker's error code, or of the error's class: what decides about what happens next. */
export function errorType(error: unknown): string {
  if (typeof error !== "object" || error === null) return "UNKNOWN";
  const { type, name, cause } = error as { type?: string; name?: string; cause?: unknown };
  if (typeof type === "string" && type !== "") return type;
  if (cause !== undefined && cause !== error) return errorType(cause);
  return name ?? "UNKNOWN";
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
