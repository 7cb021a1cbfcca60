/**
 * The configuration as the rooms see it: complete, validated, frozen. `config/module.ts` makes it from module.yaml
 * (STATEFUN.md §3) and `config/options.ts` from flags, environment and defaults.
 */
import type { Typename } from "../model/address";

/** One Kafka cluster and how to reach it. Two components that name the same brokers and security share one. */
export interface ClusterSpecification {
  /** Stable name: the sorted, comma-separated brokers. Key of everything per cluster; stored with progress. */
  readonly name: string;
  readonly brokers: readonly string[];
  readonly clientId: string | undefined;
  readonly ssl: TlsSpecification | boolean;
  readonly sasl: SaslSpecification | undefined;
  readonly connectionTimeoutMs: number | undefined;
  readonly requestTimeoutMs: number | undefined;
}

export interface TlsSpecification {
  /** Paths of PEM files. */
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  /** A file that holds the key's password (StateFun's `client_key_password`), or the password (Kafka's `ssl.key.password`). */
  readonly keyPasswordFile: string | undefined;
  readonly keyPassword: string | undefined;
  /** PEM text given in place (Kafka's `ssl.truststore.certificates`, `ssl.keystore.*`). */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Kafka's `ssl.endpoint.identification.algorithm=` (empty) turns the host name check off. */
  readonly checkHostname: boolean;
}

export type SaslSpecification =
  | { readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512"; readonly username: string; readonly password: string }
  | {
      readonly mechanism: "oauthbearer";
      readonly tokenUrl: string;
      readonly clientId: string;
      readonly clientSecret: string;
      readonly scope: string | undefined;
    };

/** `namespace/name`, or every function of a namespace when `name` is undefined (`namespace/*`). */
export interface FunctionPattern {
  readonly namespace: string;
  readonly name: string | undefined;
}

/** `io.statefun.endpoints.v1/http` and `v2/http`. */
export interface EndpointSpecification {
  /** For people and metrics: the pattern text as written, e.g. `shop/*`. */
  readonly id: string;
  readonly functions: readonly FunctionPattern[];
  /** `{function.name}` stands for the function's name without its namespace. */
  readonly urlPathTemplate: string;
  /** Most messages in one batch (our reading of StateFun's per-address threshold; docs/configuration.md). > 0. */
  readonly maxNumBatchRequests: number;
  /** Slots: requests in flight to this endpoint. Default 64. */
  readonly concurrency: number;
  /** Most bytes of arguments in one batch (one message always fits). Default 4 MiB. */
  readonly maxBatchBytes: number;
  readonly transport: TransportSpecification;
}

export interface TransportSpecification {
  /** Total time for one request, ms. Retries have no total budget (they are endless for now; docs). */
  readonly callTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** okhttp's read timeout: longest silence while waiting for the reply; undefined = only the call timeout. */
  readonly readTimeoutMs: number | undefined;
  /** How long an idle connection is kept, ms; 0 = for ever. */
  readonly poolTtlMs: number;
  readonly poolSize: number;
  /** Largest reply body, bytes. Default 32 MiB. */
  readonly payloadMaxBytes: number;
  readonly tls: TlsSpecification | undefined;
}

export type StartupPosition =
  | { readonly kind: "group-offsets"; readonly groupId: string }
  | { readonly kind: "earliest" }
  | { readonly kind: "latest" }
  | { readonly kind: "date"; readonly timestampMs: number }
  /** Partitions not named start by `autoOffsetReset`. Keys: `topic/partition`. */
  | { readonly kind: "specific-offsets"; readonly offsets: Readonly<Record<string, number>> };

/** One topic of a Kafka ingress. A (cluster, topic) pair occurs once in a configuration. */
export interface SourceSpecification {
  /** The ingress's id, e.g. `shop/payments`. */
  readonly ingress: Typename;
  readonly cluster: ClusterSpecification;
  readonly topic: string;
  readonly valueType: string;
  /** Every target gets its own copy. Each is served by an endpoint (checked at load). */
  readonly targets: readonly Typename[];
  readonly startup: StartupPosition;
  readonly autoOffsetReset: "earliest" | "latest";
  readonly readUncommitted: boolean;
  /** From `fetch.max.bytes`, `max.partition.fetch.bytes`, `fetch.max.wait.ms`, `fetch.min.bytes`; undefined = ours. */
  readonly fetchMaxBytes: number | undefined;
  readonly fetchPartitionMaxBytes: number | undefined;
  readonly fetchMaxWaitMs: number | undefined;
  readonly fetchMinBytes: number | undefined;
}

export type EgressSpecification =
  | {
      /** `io.statefun.kafka.v1/egress`: arguments are KafkaProducerRecords that name their topic. */
      readonly kind: "kafka";
      readonly id: Typename;
      readonly cluster: ClusterSpecification;
      readonly semantic: "exactly-once" | "at-least-once" | "none";
    }
  | {
      /** `io.dirigo.kafka.v1/raw-egress`: any TypedValue to a fixed topic. */
      readonly kind: "raw";
      readonly id: Typename;
      readonly cluster: ClusterSpecification;
      readonly semantic: "exactly-once" | "at-least-once" | "none";
      readonly topic: string;
      /** Record key: the sending actor's id, or none. */
      readonly key: "sender-id" | "none";
    };

/** How fast is fast enough: `percentile` % of the messages are done `latencyMs` after the instant `from` names. */
export interface SloSpecification {
  /** > 0. */
  readonly latencyMs: number;
  /** 0 < p <= 100. Default 99. */
  readonly percentile: number;
  /** Where the time begins; default arrival. */
  readonly from: "arrival" | "record-timestamp" | "window-end";
  /** Length of the windows, > 0 with `window-end`, else 0. */
  readonly windowMs: number;
}

/** The policies that come with Dirigo (SCHEDULING.md §3.4). */
export type PolicyName = "fifo" | "edf" | "min-laxity" | "priority" | "token";

/** `io.dirigo.v1/application`. */
export interface ApplicationSpecification {
  /** One of its own among applications. */
  readonly name: string;
  /** Ids of ingresses of this configuration; an ingress belongs to one application at most. Not empty. */
  readonly ingresses: readonly Typename[];
  /** Undefined: no SLO; messages get the default deadline (`EngineOptions.defaultSloMs`). */
  readonly slo: SloSpecification | undefined;
  /** A user's own policy is an absolute path of a .js, .mjs or .cjs file. Default: `min-laxity` with an SLO, else `fifo`. */
  readonly policy: PolicyName | { readonly module: string };
  /** Share of slot time between policies. > 0, default 1. */
  readonly weight: number;
  /**
   * Complete for the policies of Dirigo: `min-laxity` has { margin }, `priority` { priority }, `token` { rate, intervalMs },
   * the others nothing. As written for a user's own.
   */
  readonly params: Readonly<Record<string, unknown>>;
}

export interface ModuleSpecification {
  readonly endpoints: readonly EndpointSpecification[];
  readonly sources: readonly SourceSpecification[];
  readonly egresses: readonly EgressSpecification[];
  readonly applications: readonly ApplicationSpecification[];
}

/** Everything the engine wants to know; nothing about sockets. Times in ms, sizes in bytes. */
export interface EngineOptions {
  /** Name of the deployment: consumer group, prefix of the internal topics. */
  readonly group: string;
  /** This router's name within the group; a successor of the same name takes over at once. */
  readonly router: string;
  /** Number of shards of the group. Default 8; fixed when the group's topics are created. */
  readonly shards: number;
  readonly delivery: "exactly-once" | "at-least-once";
  /** Deadline of a message without SLO: its ingress instant plus this. Default 10 000 (SCHEDULING.md 3.1). */
  readonly defaultSloMs: number;
  /** Most unfinished records per ingress partition, and bytes over all, before partitions are paused. */
  readonly partitionDepthMax: number;
  readonly mailboxBytesMax: number;
  /** Retry per address: first pause, factor 2, cap; each pause is jittered to 50–100 %. */
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
  readonly unitLingerMs: number;
  readonly unitRecordsMax: number;
  readonly unitBytesMax: number;
  /** How long a new owner waits for the old one to release before it fences. Default 5 000. */
  readonly handoverMs: number;
  /** On a drain, how long in-flight invocations may take. Default 10 000. */
  readonly drainMs: number;
}

/** All options of `run` and `dev`, resolved once. */
export interface RouterOptions extends EngineOptions {
  readonly adminHost: string;
  /** 0 = any free port. Default 9070. */
  readonly adminPort: number;
  readonly log: "pretty" | "json";
  readonly logLevel: "debug" | "info" | "warn" | "error";
  /** Cluster of the internal topics. */
  readonly cluster: ClusterSpecification;
  /** Kafka session timeout of the consumer group. Default 6 000. */
  readonly sessionTimeoutMs: number;
  readonly transactionTimeoutMs: number;
  /** Replication factor of topics we create; -1 = the broker's default. */
  readonly replicationFactor: number;
  /** Create absent ingress topics (`dev`), or wait for them (`run`). */
  readonly createTopics: boolean;
}
