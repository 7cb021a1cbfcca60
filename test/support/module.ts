/** Complete specifications and options for tests of the pure rooms; every field can be overridden. */
import type {
  ApplicationSpecification,
  ClusterSpecification,
  EgressSpecification,
  EndpointSpecification,
  EngineOptions,
  ModuleSpecification,
  SourceSpecification,
  WatermarkSpecification,
} from "../../src/config/specification";
import { Random } from "../../src/model/random";
import { MeasureBook } from "../../src/observe/measure";
import { Applications, type PolicyModules } from "../../src/router/applications";

export function clusterSpecification(name: string): ClusterSpecification {
  return {
    name,
    brokers: [name],
    clientId: undefined,
    ssl: false,
    sasl: undefined,
    connectionTimeoutMs: undefined,
    requestTimeoutMs: undefined,
  };
}

/** The cluster of the internal topics in all tests. */
export const HOME = clusterSpecification("home:9092");
export const ABROAD = clusterSpecification("abroad:9092");

export function endpointSpecification(overrides: Partial<EndpointSpecification> = {}): EndpointSpecification {
  return {
    id: "ex/*",
    functions: [{ namespace: "ex", name: undefined }],
    urls: ["http://functions/{function.name}"],
    placement: "any",
    adaptive: false,
    maxNumBatchRequests: 1_000,
    concurrency: 64,
    maxBatchBytes: 4 * 1024 * 1024,
    transport: {
      callTimeoutMs: 60_000,
      connectTimeoutMs: 10_000,
      readTimeoutMs: undefined,
      poolTtlMs: 15_000,
      poolSize: 1_024,
      payloadMaxBytes: 32 * 1024 * 1024,
      tls: undefined,
    },
    ...overrides,
  };
}

export function sourceSpecification(overrides: Partial<SourceSpecification> = {}): SourceSpecification {
  return {
    ingress: "ex/in",
    cluster: HOME,
    topic: "in",
    valueType: "io.statefun.types/string",
    targets: ["ex/fn"],
    startup: { kind: "earliest" },
    autoOffsetReset: "latest",
    readUncommitted: false,
    fetchMaxBytes: undefined,
    fetchPartitionMaxBytes: undefined,
    fetchMaxWaitMs: undefined,
    fetchMinBytes: undefined,
    critical: false,
    barrier: undefined,
    watermark: undefined,
    ...overrides,
  };
}

/** Windows of a second for `ex/fn`. */
export function watermarkSpecification(overrides: Partial<WatermarkSpecification> = {}): WatermarkSpecification {
  return {
    everyMs: 1_000,
    time: "record-timestamp",
    latenessMs: 200,
    idleMs: 5_000,
    typename: "io.dirigo.types/window-end",
    functions: ["ex/fn"],
    ...overrides,
  };
}

export const KAFKA_EGRESS: EgressSpecification = { kind: "kafka", id: "ex/out", cluster: HOME, semantic: "exactly-once" };
export const RAW_EGRESS: EgressSpecification = {
  kind: "raw",
  id: "ex/raw",
  cluster: HOME,
  semantic: "exactly-once",
  topic: "raw",
  key: "sender-id",
};
export const FOREIGN_EGRESS: EgressSpecification = { kind: "kafka", id: "ex/abroad", cluster: ABROAD, semantic: "exactly-once" };

export function moduleSpecification(overrides: Partial<ModuleSpecification> = {}): ModuleSpecification {
  return {
    endpoints: [endpointSpecification()],
    sources: [sourceSpecification()],
    egresses: [KAFKA_EGRESS, RAW_EGRESS, FOREIGN_EGRESS],
    applications: [],
    functions: [],
    ...overrides,
  };
}

export function engineOptions(overrides: Partial<EngineOptions> = {}): EngineOptions {
  return {
    group: "g",
    router: "r1",
    shards: 2,
    delivery: "exactly-once",
    defaultSloMs: 10_000,
    partitionDepthMax: 1_000,
    mailboxBytesMax: 1_000_000,
    heldBytesMax: 64 * 1024 * 1024,
    leaseIdleMs: 2_000,
    retryFirstMs: 100,
    retryMaxMs: 1_000,
    unitLingerMs: 0,
    unitRecordsMax: 10_000,
    unitBytesMax: 10_000_000,
    handoverMs: 5_000,
    drainMs: 10_000,
    ...overrides,
  };
}

/** Of the ingress `ex/in`, with an SLO of 200 ms from arrival. */
export function applicationSpecification(overrides: Partial<ApplicationSpecification> = {}): ApplicationSpecification {
  return {
    name: "fraud",
    ingresses: ["ex/in"],
    slo: { latencyMs: 200, percentile: 99, from: "arrival", windowMs: 0 },
    policy: "edf",
    weight: 1,
    params: {},
    ...overrides,
  };
}

export function applicationsOf(
  module: ModuleSpecification = moduleSpecification(),
  { options = engineOptions(), book = new MeasureBook(), modules = new Map() as PolicyModules } = {},
): Applications {
  return new Applications(module, options, new Random(1), book, modules);
}
