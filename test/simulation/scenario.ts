/** What a seed decides before anything happens: configuration, which faults there are and how often. */
import type {
  EndpointSpecification,
  EngineOptions,
  ModuleSpecification,
  SourceSpecification,
} from "../../src/config/specification";
import { applicationsOf } from "./applications";
import { AUDIT_TOPIC } from "./audit";
import { ELSEWHERE, HOME } from "./broker";
import type { Chance } from "./chance";
import { type DualWorld, dualApplications, dualEndpoint, dualWorldOf } from "./dual-scenario";

/** How bad things are; all zero in calm. Probabilities per request, or mean times between events. */
export interface Weather {
  /** A request or its answer to the broker is lost, or the request arrives after its sender gave up. */
  requestLost: number;
  brokerDelayMs: number;
  markerDelayMs: number;
  /** The function answers wrongly, or not at all. */
  callFails: number;
  callDelayMs: number;
  /** The process dies between two effects of one turn. */
  crashInTurn: number;
  /** Mean time between blows from outside; Infinity for none. */
  blowEveryMs: number;
}

export type Blow = "kill" | "pause" | "usurp" | "drain" | "move" | "compact" | "stumble";

export interface Scenario {
  readonly module: ModuleSpecification;
  readonly options: (router: string) => EngineOptions;
  /** One name: a successor takes the place of its namesake. Two: they stand in for each other. */
  readonly routers: readonly string[];
  readonly weather: Weather;
  readonly blows: readonly Blow[];
  readonly recordEveryMs: number;
  /** Messages waiting anywhere, beyond which nothing is produced. */
  readonly backlogMax: number;
  readonly partitions: readonly number[];
  readonly auditPartitions: number;
  readonly auditBytesMax: number;
  readonly fetchRecordsMax: number;
  readonly poison: boolean;
  readonly slow: boolean;
  readonly fewSlots: boolean;
  /** A producer of the workload aborts this share of its transactions. */
  readonly producerAborts: number;
  readonly deployAfterMs: number;
  readonly clockSkewMs: number;
  /** Replicas of an endpoint that has several go away for a while now and then. */
  readonly replicasFail: boolean;
  /** A world of dual mode; undefined: the ordinary one. */
  readonly dual: DualWorld | undefined;
}

export const CALM: Readonly<Weather> = {
  requestLost: 0,
  brokerDelayMs: 1.5,
  markerDelayMs: 1,
  callFails: 0,
  callDelayMs: 4,
  crashInTurn: 0,
  blowEveryMs: Number.POSITIVE_INFINITY,
};

const ALL_BLOWS: readonly Blow[] = ["kill", "kill", "pause", "usurp", "usurp", "drain", "move", "move", "compact", "stumble"];

export function scenarioOf(chance: Chance, dual: boolean): Scenario {
  const scenario = ordinaryOf(chance);
  return dual ? { ...scenario, ...dualOf(chance, scenario) } : scenario;
}

/** What is different in a world of dual mode: who plays. Exactly once only: without, a repeated critical message would see itself. */
function dualOf(chance: Chance, { module, options, weather }: Scenario): Partial<Scenario> {
  const dual = dualWorldOf(chance, (name, targets) => source(name, HOME, targets, { kind: "earliest" }, false));
  const [template] = module.endpoints as readonly [EndpointSpecification];
  const heldBytesMax = chance.pick([3_000, 20_000, 1_000_000]);
  const leaseIdleMs = chance.pick([50, 500, 2_000]);
  return {
    dual,
    module: {
      ...module,
      endpoints: [dualEndpoint(chance, template)],
      sources: dual.sources.map(({ specification }) => specification),
      applications: dualApplications(chance, dual),
      functions: dual.nodes.flatMap(({ dual: specification }) => specification ?? []),
    },
    options: (router) => ({ ...options(router), delivery: "exactly-once", heldBytesMax, leaseIdleMs }),
    partitions: dual.sources.map(({ partitions }) => partitions),
    weather: { ...weather, callFails: chance.pick([0, 0.02, 0.1]) },
    backlogMax: chance.pick([50, 150, 400]),
    recordEveryMs: chance.pick([3, 6, 15]),
    poison: false,
    slow: false,
  };
}

/** So many records, all there from the beginning, and one router that dies once, after so many steps. */
export interface SmallCase {
  readonly records: number;
  /** undefined: it does not die. */
  readonly killAt: number | undefined;
}

/** Nothing else goes wrong. */
export function smallOf(): Partial<Scenario> {
  return { weather: { ...CALM }, blows: [], routers: ["one"], clockSkewMs: 0 };
}

function ordinaryOf(chance: Chance): Scenario {
  const harsh = chance.of(0.85);
  const concurrency = chance.pick([1, 2, 8, 64]);
  const exporters = chance.pick([1, 4]);
  const partitionDepthMax = chance.pick([20, 100, 1_000]);
  const template = options(chance, partitionDepthMax);
  const module = moduleOf(chance, concurrency, exporters);
  const found = module.endpoints.some(({ adaptive }) => adaptive);
  return {
    module: { ...module, applications: applicationsOf(chance, module.sources) },
    options: (router) => ({ ...template, router }),
    routers: chance.pick([["one"], ["one", "two"], ["one", "two"]]),
    weather: weatherOf(chance, harsh),
    // Each seed leaves some kinds of blow out: what one hides, another seed shows.
    blows: ALL_BLOWS.filter(() => chance.of(0.7)),
    backlogMax: chance.pick([50, 300, 1_500]),
    recordEveryMs: chance.pick([3, 10, 10, 30, 100]),
    partitions: [chance.pick([1, 3, 4]), chance.pick([1, 2]), chance.pick([2, 5])],
    auditPartitions: chance.pick([1, 3, 8]),
    auditBytesMax: 6_000,
    fetchRecordsMax: chance.pick([1, 10, 200]),
    poison: chance.of(0.6),
    fewSlots: found || Math.min(concurrency, exporters) <= 2,
    slow: !found && concurrency > 2 && chance.of(0.6),
    producerAborts: chance.pick([0, 0.2]),
    deployAfterMs: chance.between(500, 40_000),
    clockSkewMs: chance.pick([0, 0, 15]),
    replicasFail: chance.of(0.6),
    dual: undefined,
  };
}

function options(chance: Chance, partitionDepthMax: number): Omit<EngineOptions, "router"> {
  return {
    group: "sim",
    shards: chance.pick([1, 2, 4, 8]),
    delivery: chance.of(0.12) ? "at-least-once" : "exactly-once",
    defaultSloMs: 10_000,
    partitionDepthMax,
    mailboxBytesMax: chance.pick([20_000, 200_000, 64_000_000]),
    heldBytesMax: 1_000_000,
    leaseIdleMs: 2_000,
    retryFirstMs: 50,
    retryMaxMs: chance.pick([400, 2_000]),
    unitLingerMs: chance.pick([0, 0, 2, 20]),
    unitRecordsMax: chance.pick([20, 200, 5_000]),
    unitBytesMax: chance.pick([20_000, 1_000_000]),
    handoverMs: chance.pick([500, 5_000]),
    drainMs: chance.pick([1_000, 10_000]),
  };
}

function weatherOf(chance: Chance, harsh: boolean): Weather {
  return {
    requestLost: harsh ? chance.pick([0, 0.002, 0.02]) : 0,
    brokerDelayMs: chance.pick([1.5, 5, 20]),
    markerDelayMs: chance.pick([1, 8, 60, 250]),
    callFails: chance.pick([0, 0.02, 0.15]),
    callDelayMs: chance.pick([2, 6, 40]),
    crashInTurn: harsh ? chance.pick([0, 0.001]) : 0,
    blowEveryMs: harsh ? chance.pick([500, 1_500, 5_000]) : Number.POSITIVE_INFINITY,
  };
}

const cluster = (name: string) => ({
  name,
  brokers: [name],
  clientId: undefined,
  ssl: false,
  sasl: undefined,
  connectionTimeoutMs: undefined,
  requestTimeoutMs: undefined,
});

/** Longest wait for a function; a slow address stays below it, a lost call waits for it. */
export const CALL_TIMEOUT_MS = 4_000;

function moduleOf(chance: Chance, concurrency: number, exporters: number): ModuleSpecification {
  return {
    endpoints: [endpoint(chance, "sim/*", undefined, concurrency), endpoint(chance, "sim/exporter", "exporter", exporters)],
    sources: [
      source("a", HOME, ["sim/counter", "sim/forwarder"], { kind: "earliest" }, false),
      source(
        "b",
        chance.pick([HOME, ELSEWHERE]),
        ["sim/delayer"],
        chance.pick([{ kind: "latest" }, { kind: "earliest" }] as const),
        false,
      ),
      source("c", HOME, ["sim/fader", "sim/exporter"], { kind: "group-offsets", groupId: "before" }, chance.of(0.3)),
    ],
    egresses: [
      { kind: "kafka", id: "sim/audit", cluster: cluster(HOME), semantic: "exactly-once" },
      {
        kind: "raw",
        id: "sim/audit-raw",
        cluster: cluster(HOME),
        semantic: "exactly-once",
        topic: AUDIT_TOPIC,
        key: "sender-id",
      },
      { kind: "kafka", id: "sim/export", cluster: cluster(ELSEWHERE), semantic: "at-least-once" },
    ],
    applications: [],
    functions: [],
  };
}

const ONE = ["http://functions/{function.name}"];

function endpoint(chance: Chance, id: string, name: string | undefined, concurrency: number): EndpointSpecification {
  return {
    id,
    functions: [{ namespace: "sim", name }],
    urls: chance.pick([ONE, ONE, ["http://one/{function.name}", "http://two/"], ["http://one/", "http://two/", "http://three/"]]),
    placement: chance.pick(["any", "home"] as const),
    adaptive: chance.of(0.3),
    maxNumBatchRequests: chance.pick([1, 3, 1_000]),
    concurrency,
    maxBatchBytes: chance.pick([500, 4_000_000]),
    transport: {
      callTimeoutMs: CALL_TIMEOUT_MS,
      connectTimeoutMs: CALL_TIMEOUT_MS,
      readTimeoutMs: undefined,
      poolTtlMs: 0,
      poolSize: 1_024,
      payloadMaxBytes: 32 * 1024 * 1024,
      tls: undefined,
    },
  };
}

function source(
  name: string,
  clusterName: string,
  targets: readonly string[],
  startup: SourceSpecification["startup"],
  readUncommitted: boolean,
): SourceSpecification {
  return {
    ingress: `sim/${name}`,
    cluster: cluster(clusterName),
    topic: `in-${name}`,
    valueType: "sim/text",
    targets,
    startup,
    autoOffsetReset: "earliest",
    readUncommitted,
    fetchMaxBytes: undefined,
    fetchPartitionMaxBytes: undefined,
    fetchMaxWaitMs: undefined,
    fetchMinBytes: undefined,
    critical: false,
    barrier: undefined,
    watermark: undefined,
  };
}
