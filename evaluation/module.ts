/**
 * The configurations that are compared: what a module.yaml of each would say. One service of replicas with one slot each, an ingress and an application
 * per application of the load, one egress.
 */
import type {
  ApplicationSpecification,
  ClusterSpecification,
  EndpointSpecification,
  FunctionSpecification,
  MergeSpecification,
  ModuleSpecification,
  PolicyName,
  SourceSpecification,
} from "../src/config/specification";
import { EGRESS, RECORD_TYPE } from "./functions";
import type { ApplicationLoad, Load } from "./load";
import { NAMESPACE, typenameOf } from "./plan";

export interface Configuration {
  /** For tables and plots. */
  readonly name: string;
  readonly policy: PolicyName;
  readonly placement: "home" | "any";
  readonly replicas: number;
  /** `exclusive`: no dual-mode actors. `aligned`: dual mode without lessees. `leased`: with. */
  readonly scaling: "exclusive" | "aligned" | "leased";
  readonly maxLessees?: number;
  /** theta: share of the SLO kept in reserve by min-laxity. */
  readonly margin?: number;
  readonly merge?: MergeSpecification;
  /** Closing records are no critical messages though aggregates have lessees: wrong on purpose. */
  readonly unsynchronized?: boolean;
  readonly maxNumBatchRequests?: number;
}

export const PAPER: Configuration = {
  name: "FIFO, home",
  policy: "fifo",
  placement: "home",
  replicas: 10,
  scaling: "exclusive",
};
export const STATEFUN: Configuration = { ...PAPER, name: "FIFO, any", placement: "any" };
export const OURS: Configuration = {
  name: "Dirigo",
  policy: "min-laxity",
  placement: "any",
  replicas: 7,
  scaling: "leased",
};

export function isDual({ scaling }: Configuration): boolean {
  return scaling !== "exclusive";
}

/** Whether the producer marks closing records. */
export function marksCloses({ scaling, unsynchronized }: Configuration): boolean {
  return scaling !== "exclusive" && unsynchronized !== true;
}

export interface Surroundings {
  readonly cluster: ClusterSpecification;
  readonly urls: readonly string[];
}

export function topicOf(application: ApplicationLoad, prefix: string): string {
  return `${prefix}-${application.name}`;
}

export function ingressOf(application: ApplicationLoad): string {
  return `${NAMESPACE}/${application.name}-in`;
}

export function moduleOf(
  load: Load,
  configuration: Configuration,
  { cluster, urls }: Surroundings,
  prefix: string,
): ModuleSpecification {
  const { applications } = load;
  return {
    endpoints: [endpointOf(configuration, urls)],
    sources: applications.map((application) => sourceOf(application, cluster, prefix)),
    egresses: [{ kind: "kafka", id: EGRESS, cluster, semantic: "exactly-once" }],
    applications: applications.map((application) => applicationOf(application, configuration)),
    functions: isDual(configuration) ? applications.flatMap((application) => functionsOf(application, configuration)) : [],
  };
}

function endpointOf(configuration: Configuration, urls: readonly string[]): EndpointSpecification {
  return {
    id: `${NAMESPACE}/*`,
    functions: [{ namespace: NAMESPACE, name: undefined }],
    urls,
    placement: configuration.placement,
    adaptive: false,
    concurrency: 1,
    maxNumBatchRequests: configuration.maxNumBatchRequests ?? 1_000,
    maxBatchBytes: 4 * 1024 * 1024,
    transport: {
      callTimeoutMs: 120_000,
      connectTimeoutMs: 20_000,
      readTimeoutMs: undefined,
      poolTtlMs: 15_000,
      poolSize: 1_024,
      payloadMaxBytes: 32 * 1024 * 1024,
      tls: undefined,
    },
  };
}

function sourceOf(application: ApplicationLoad, cluster: ClusterSpecification, prefix: string): SourceSpecification {
  const first = application.shape === "aggregate" ? "aggregate" : "map";
  return {
    ingress: ingressOf(application),
    cluster,
    topic: topicOf(application, prefix),
    valueType: RECORD_TYPE,
    targets: [typenameOf(application.name, first)],
    critical: false,
    barrier: undefined,
    watermark: undefined,
    startup: { kind: "earliest" },
    autoOffsetReset: "earliest",
    readUncommitted: false,
    fetchMaxBytes: undefined,
    fetchPartitionMaxBytes: undefined,
    fetchMaxWaitMs: undefined,
    fetchMinBytes: undefined,
  };
}

function applicationOf(application: ApplicationLoad, { policy, margin }: Configuration): ApplicationSpecification {
  const { name, sloMs, windowMs } = application;
  return {
    name,
    ingresses: [ingressOf(application)],
    slo: { latencyMs: sloMs, percentile: 99, from: "window-end", windowMs },
    policy,
    weight: 1,
    params: policy === "min-laxity" ? { margin: margin ?? 0.3 } : {},
  };
}

/** Aggregates may be split; reduce only waits for all of them. Maps are never hot and stay as they are. */
function functionsOf(application: ApplicationLoad, configuration: Configuration): FunctionSpecification[] {
  const { name, shape, partitions, aggregates } = application;
  const lessees = configuration.scaling === "leased" ? (configuration.maxLessees ?? 8) : 0;
  const aggregate = typenameOf(name, "aggregate");
  const common = { mode: "dual", critical: [], series: "window", barrier: undefined } as const;
  const pattern = (typename: string) => {
    const [namespace = "", prefix = ""] = typename.split("/");
    return [{ namespace, prefix, exact: true }];
  };
  const upstreams: FunctionSpecification["upstreams"] =
    shape === "aggregate"
      ? [{ kind: "ingress", ingress: ingressOf(application), partitions: "all" }]
      : [{ kind: "function", function: typenameOf(name, "map"), ids: undefined, count: partitions }];
  const ofAggregate: FunctionSpecification = {
    ...common,
    functions: pattern(aggregate),
    maxLessees: lessees,
    upstreams: configuration.unsynchronized ? [] : upstreams,
    states: { tally: configuration.merge ?? { kind: "function" } },
  };
  if (shape === "aggregate" || configuration.unsynchronized) return [ofAggregate];
  const ofReduce: FunctionSpecification = {
    ...common,
    functions: pattern(typenameOf(name, "reduce")),
    maxLessees: 0,
    upstreams: [{ kind: "function", function: aggregate, ids: undefined, count: aggregates }],
    states: {},
  };
  return [ofAggregate, ofReduce];
}
