/**
 * The configurations that are compared, as the module.yaml that a user would write for each; the simulation and the real run read the same text. One service
 * of replicas with one slot each, an ingress and an application per application of the load, one egress.
 */
import { join } from "node:path";
import { stringify } from "yaml";
import { findingText } from "../src/config/finding";
import { loadModule } from "../src/config/module";
import type { ModuleSpecification, PolicyName } from "../src/config/specification";
import { ConfigError } from "../src/model/errors";
import { EGRESS, RECORD_TYPE } from "./functions";
import type { ApplicationLoad, Load } from "./load";
import { NAMESPACE, typenameOf } from "./plan";

export interface Configuration {
  /** For tables and plots. */
  readonly name: string;
  /** A policy of Dirigo's, or one of those here; `spread` has as many lessees as `maxLessees`. */
  readonly policy: PolicyName | OwnPolicy;
  readonly placement: "home" | "any";
  readonly replicas: number;
  /** `exclusive`: no dual-mode actors. `aligned`: dual mode without lessees. `leased`: with. */
  readonly scaling: "exclusive" | "aligned" | "leased";
  readonly maxLessees?: number;
  /** theta: share of the SLO kept in reserve by min-laxity. */
  readonly margin?: number;
  /** Share of the SLO that messages may wait on a lane before another is opened; 1: only what would be late gets a lessee. */
  readonly short?: number;
  /** Closing records are no critical messages though aggregates have lessees: wrong on purpose. */
  readonly unsynchronized?: boolean;
  readonly maxNumBatchRequests?: number;
}

/** The paper's baseline: actors pinned to workers, first come, first served. */
export const PAPER: Configuration = { name: "FIFO, home", policy: "fifo", placement: "home", replicas: 10, scaling: "exclusive" };
/** What StateFun does: any free slot. */
export const STATEFUN: Configuration = { ...PAPER, name: "FIFO, any", placement: "any" };
export const OURS: Configuration = { name: "Dirigo", policy: "min-laxity", placement: "any", replicas: 7, scaling: "leased" };

/** Whether the producer marks closing records. */
export function marksCloses({ scaling, unsynchronized }: Configuration): boolean {
  return scaling !== "exclusive" && unsynchronized !== true;
}

export type OwnPolicy = "spread";

/** As compiled: a user's own policy is named by its path. */
export const OWN_POLICIES: Readonly<Record<OwnPolicy, string>> = {
  spread: join(__dirname, "spread-policy.js"),
};

export interface Surroundings {
  /** `host:port` of the broker. */
  readonly brokers: string;
  /** One per replica. */
  readonly urls: readonly string[];
  /** Of the topics; also the consumer group. */
  readonly group: string;
}

export function topicOf(application: ApplicationLoad, group: string): string {
  return `${group}-${application.name}`;
}

function ingressOf(application: ApplicationLoad): string {
  return `${NAMESPACE}/${application.name}-in`;
}

type Document = { readonly kind: string; readonly spec: Readonly<Record<string, unknown>> };

export function moduleText(load: Load, configuration: Configuration, surroundings: Surroundings): string {
  const documents: Document[] = [
    endpointOf(configuration, surroundings),
    ...load.applications.map((application) => ingressDocument(application, surroundings)),
    {
      kind: "io.statefun.kafka.v1/egress",
      spec: { id: EGRESS, address: surroundings.brokers, deliverySemantic: { type: "exactly-once" } },
    },
    ...load.applications.map((application) => applicationDocument(application, configuration)),
  ];
  if (configuration.scaling !== "exclusive") {
    documents.push(...load.applications.flatMap((application) => functionDocuments(application, configuration)));
  }
  return documents.map((document) => stringify(document)).join("---\n");
}

/** As the product reads it. */
export function moduleOf(load: Load, configuration: Configuration, surroundings: Surroundings): ModuleSpecification {
  const text = moduleText(load, configuration, surroundings);
  const { module, findings, warnings } = loadModule(
    [{ path: "module.yaml", text, locate: (path) => ({ path, problem: undefined }) }],
    {},
    { brokers: [surroundings.brokers] },
  );
  if (findings.length + warnings.length > 0) throw new ConfigError([...findings, ...warnings].map(findingText));
  return module;
}

function endpointOf({ placement, maxNumBatchRequests }: Configuration, { urls }: Surroundings): Document {
  const batch = maxNumBatchRequests === undefined ? {} : { maxNumBatchRequests };
  return {
    kind: "io.statefun.endpoints.v2/http",
    spec: { functions: `${NAMESPACE}/*`, urls, placement, concurrency: 1, ...batch },
  };
}

function ingressDocument(application: ApplicationLoad, { brokers, group }: Surroundings): Document {
  const first = typenameOf(application.name, application.shape === "aggregate" ? "aggregate" : "map");
  return {
    kind: "io.statefun.kafka.v1/ingress",
    spec: {
      id: ingressOf(application),
      address: brokers,
      consumerGroupId: group,
      startupPosition: { type: "earliest" },
      topics: [{ topic: topicOf(application, group), valueType: RECORD_TYPE, targets: [first] }],
    },
  };
}

function applicationDocument(application: ApplicationLoad, configuration: Configuration): Document {
  const { name, sloMs, windowMs } = application;
  const slo = { latency: `${sloMs}ms`, from: "window-end", window: `${windowMs}ms` };
  const named = configuration.policy;
  const policy = named === "spread" ? OWN_POLICIES[named] : named;
  const params = paramsOf(configuration);
  return { kind: "io.dirigo.v1/application", spec: { name, ingresses: [ingressOf(application)], slo, policy, params } };
}

function paramsOf({ policy, scaling, margin, short, maxLessees }: Configuration): Record<string, number | boolean> {
  switch (policy) {
    case "spread":
      return { lessees: maxLessees ?? 0 };
    case "min-laxity":
      return { ...(margin === undefined ? {} : { margin }), ...(short === undefined ? {} : { short }) };
    default:
      // The others leave actors whole unless they are told.
      return scaling === "leased" ? { scaling: true } : {};
  }
}

/** Aggregates may be split; reduce only waits for all of them. Maps are never hot and stay as they are. */
function functionDocuments(application: ApplicationLoad, configuration: Configuration): Document[] {
  const { name, shape, partitions, aggregates } = application;
  const { scaling, maxLessees = 8, unsynchronized } = configuration;
  const aggregate = typenameOf(name, "aggregate");
  const upstream =
    shape === "aggregate"
      ? { ingress: ingressOf(application), partitions: "all" }
      : { function: typenameOf(name, "map"), count: partitions };
  const aligned = { series: "window", upstreams: [upstream] };
  const ofAggregate: Document = {
    kind: "io.dirigo.v1/function",
    spec: {
      functions: aggregate,
      mode: "dual",
      maxLessees: scaling === "leased" ? maxLessees : 0,
      ...(unsynchronized ? {} : aligned),
      states: { tally: { merge: "function" } },
    },
  };
  if (shape === "aggregate" || unsynchronized) return [ofAggregate];
  const ofReduce: Document = {
    kind: "io.dirigo.v1/function",
    spec: {
      functions: typenameOf(name, "reduce"),
      mode: "dual",
      maxLessees: 0,
      series: "window",
      upstreams: [{ function: aggregate, count: aggregates }],
    },
  };
  return [ofAggregate, ofReduce];
}
