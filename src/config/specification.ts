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
  /** One per replica, not empty, no two alike; `{function.name}` stands for the function's name without its namespace. */
  readonly urls: readonly string[];
  /** `home`: an address is pinned to one replica by hash (the paper's workers); `any`, the default: the first replica with a free slot. */
  readonly placement: "any" | "home";
  /** Most messages in one batch (our reading of StateFun's per-address threshold; docs/configuration.md). > 0. */
  readonly maxNumBatchRequests: number;
  /** Slots: requests in flight to each replica. Default 64. With `adaptive` the most there may ever be (then the default is 1000). */
  readonly concurrency: number;
  /** `concurrency: auto`: the slots follow what the replica takes (latency, 429, 503). */
  readonly adaptive: boolean;
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
  /** Every record of the topic is a critical message (per topic; the header `dirigo-critical: true` marks single ones). */
  readonly critical: boolean;
  /** Where the barrier number of a critical record comes from, when it has no header `dirigo-barrier`. Undefined: from nowhere. */
  readonly barrier: BarrierNumberSpecification | undefined;
  /** The same for all topics of an ingress: their partitions pass the ends of windows together. */
  readonly watermark: WatermarkSpecification | undefined;
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
   * Complete for the policies of Dirigo: all have { scaling, range, hysteresisMs, short } (router/policy/reject.ts), `min-laxity` has { margin } besides,
   * `priority` { priority }, `token` { rate, intervalMs }. As written for a user's own.
   */
  readonly params: Readonly<Record<string, unknown>>;
}

/** Where the number of a barrier stands (DUAL-MODE.md 2.6); numbers rise on every channel. */
export type BarrierNumberSpecification =
  /** A number in a JSON value, by its path (`window.end`). */
  | { readonly kind: "json"; readonly path: readonly string[] }
  /** A varint field of a protobuf value, by field numbers (`1.3`). */
  | { readonly kind: "protobuf"; readonly path: readonly number[] }
  /** Ingress only: the n-th critical record of its partition has the number n. */
  | { readonly kind: "counter" };

/** Barriers that an ingress makes by itself: one per window, to every live actor of the functions it names. */
export interface WatermarkSpecification {
  /** Length of the windows, ms, > 0. Window k is [k * every, (k + 1) * every); its end is the barrier with the number k + 1. */
  readonly everyMs: number;
  /** What tells a record's window. `arrival`: the router's clock when it came in. */
  readonly time: "record-timestamp" | "arrival";
  /** A partition has passed the end of a window when it has shown a time this much later, ms. */
  readonly latenessMs: number;
  /** A partition that shows nothing for this long goes by the router's clock. Default 5 000 (SCHEDULING.md 3.5 `idleIngressMs`). */
  readonly idleMs: number;
  /** Of the critical message. Its value is JSON, { "start": ms, "end": ms } of the window that ends. Default `io.dirigo.types/window-end`. */
  readonly typename: Typename;
  /** Dual-mode functions whose live actors get it. Not empty. */
  readonly functions: readonly Typename[];
}

/** How partial states of one name become one (DUAL-MODE.md 2.8). */
export type MergeSpecification =
  | { readonly kind: "sum" | "count" | "min" | "max" | "set-union" | "list-concat" | "latest" | "exclusive" | "function" }
  /** The JSON value with the largest number at this path. */
  | { readonly kind: "max-by"; readonly path: readonly string[] }
  /** A JSON object, key by key. */
  | { readonly kind: "map"; readonly inner: MergeSpecification }
  /** A JSON object whose keys are disjoint between parts: messages with one value at this path of their argument go to one lessee. */
  | { readonly kind: "partition"; readonly keyPath: readonly string[] };

/** Whose barriers an actor waits for. */
export type UpstreamSpecification =
  /** All partitions of an ingress, or those that have ever brought this actor something. */
  | { readonly kind: "ingress"; readonly ingress: Typename; readonly partitions: "all" | "seen" }
  /** Actors of a function: these ids, this many, or those that have ever sent to this actor. */
  | {
      readonly kind: "function";
      readonly function: Typename;
      readonly ids: readonly string[] | undefined;
      readonly count: number | undefined;
    };

/** `io.dirigo.v1/function`: how functions of these names run. What no document names is exclusive. */
export interface FunctionSpecification {
  /** `namespace/name`, `namespace/prefix*` or `namespace/*`. An exact name beats a pattern, a longer prefix a shorter one. */
  readonly functions: readonly { readonly namespace: string; readonly prefix: string; readonly exact: boolean }[];
  /** `exclusive`: one invocation of an address at a time, as in StateFun. `dual`: lessor and lessees on partial states. */
  readonly mode: "exclusive" | "dual";
  /** Lessees of one actor at a time, 0–64. Default 8. 0: alignment of barriers only. */
  readonly maxLessees: number;
  readonly upstreams: readonly UpstreamSpecification[];
  /** Argument typenames that are critical messages. */
  readonly critical: readonly Typename[];
  /** Name of the barriers' series (each has its own numbers); undefined: a critical message stands alone. */
  readonly series: string | undefined;
  /** Where the number stands in a critical message that brings none; undefined: nowhere. Never `counter`. */
  readonly barrier: BarrierNumberSpecification | undefined;
  /** By state name. A state without strategy is as if `exclusive`: its actor is never split. */
  readonly states: Readonly<Record<string, MergeSpecification>>;
}

export interface ModuleSpecification {
  readonly endpoints: readonly EndpointSpecification[];
  readonly sources: readonly SourceSpecification[];
  readonly egresses: readonly EgressSpecification[];
  readonly applications: readonly ApplicationSpecification[];
  readonly functions: readonly FunctionSpecification[];
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
  /** Most bytes of messages held behind barriers before synced partitions are paused. Default 64 MiB (DUAL-MODE.md 5.5). */
  readonly heldBytesMax: number;
  /** A lessee that has had nothing to do for this long is consolidated. Default 2 000 (SCHEDULING.md 3.5). */
  readonly leaseIdleMs: number;
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
