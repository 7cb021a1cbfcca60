/** What a seed decides of a dual-mode world: layers of functions, what they wait for, how their parts merge, and which records are critical. */
import type {
  ApplicationSpecification,
  EndpointSpecification,
  FunctionSpecification,
  MergeSpecification,
  SourceSpecification,
  UpstreamSpecification,
} from "../../src/config/specification";
import { CHAOS } from "./applications";
import type { Chance } from "./chance";
import { CLOSE_TYPE, type DualNode, type DualState, ITEM_TYPE, STATE_TYPES, type StateKind } from "./dual-cast";

/**
 * How records of a topic are critical, and where their barriers' numbers stand. `header`: single ones, by their headers. `marks`: all, with the
 * number in the value, counted, or without. `closes`: by their typename, for functions that name it.
 */
export type CriticalKind = "header" | "marks" | "counted" | "lone" | "closes";

export interface DualSource {
  readonly specification: SourceSpecification;
  readonly kind: CriticalKind;
  readonly targets: readonly DualNode[];
  readonly partitions: number;
}

export interface DualWorld {
  readonly nodes: readonly DualNode[];
  readonly ids: readonly string[];
  readonly sources: readonly DualSource[];
  /** Length of windows, ms; 0: nobody has any. */
  readonly everyMs: number;
  readonly criticalShare: number;
}

export const SERIES = "w";

type Template = (name: string, targets: readonly string[]) => SourceSpecification;

export function dualWorldOf(chance: Chance, sourceOf: Template): DualWorld {
  const ids = ["p", "q", "ü/東"].slice(0, chance.pick([1, 1, 2, 3]));
  const plans = plansOf(chance, ids.length);
  const depth = chance.pick([1, 2, 2, 3]);
  const places = Array.from({ length: depth }, (_, place) => place);
  // Every layer gets something: from an ingress, or from one before it.
  const edges = places.map((place) => places.filter((to) => to > place && (to === place + 1 || chance.of(0.3))));
  const targets = plans.map((_, at) => places.filter((place) => place === 0 || (at > 0 && chance.of(0.3))));
  const nodes: DualNode[] = [];
  for (const place of places) {
    const feeding = plans.filter((_, at) => targets[at]?.includes(place));
    const before = nodes.filter((node) => edges[node.place]?.includes(place));
    nodes.push(nodeOf(chance, place, edges[place] ?? [], feeding, before, ids));
  }
  const sources = plans.map((plan, at): DualSource => {
    const served = (targets[at] ?? []).map((place) => nodes[place] as DualNode);
    const template = sourceOf(
      plan.name,
      served.map(({ name }) => `sim/${name}`),
    );
    return { specification: { ...template, ...plan.overrides }, kind: plan.kind, targets: served, partitions: plan.partitions };
  });
  return { nodes, ids, sources, everyMs: 0, criticalShare: chance.pick([0.03, 0.1, 0.3]) };
}

interface SourcePlan {
  readonly name: string;
  readonly kind: CriticalKind;
  readonly partitions: number;
  readonly overrides: Partial<SourceSpecification>;
}

const OVERRIDES: Readonly<Record<CriticalKind, Partial<SourceSpecification>>> = {
  header: { valueType: ITEM_TYPE },
  marks: { valueType: ITEM_TYPE, critical: true, barrier: { kind: "json", path: ["n"] } },
  counted: { valueType: ITEM_TYPE, critical: true, barrier: { kind: "counter" } },
  lone: { valueType: ITEM_TYPE, critical: true },
  closes: { valueType: CLOSE_TYPE },
};

/** Counted numbers are of a partition, not of an actor: with several actors, none would get them all. */
function plansOf(chance: Chance, ids: number): SourcePlan[] {
  const kinds: CriticalKind[] = ["header"];
  if (chance.of(0.5)) kinds.push(chance.pick(ids === 1 ? ["marks", "counted", "lone", "closes"] : ["marks", "lone", "closes"]));
  return kinds.map((kind, at) => ({
    name: `${"de"[at]}`,
    kind,
    partitions: chance.pick([1, 2, 3]),
    overrides: OVERRIDES[kind],
  }));
}

function nodeOf(
  chance: Chance,
  place: number,
  downstream: readonly number[],
  feeding: readonly SourcePlan[],
  before: readonly DualNode[],
  ids: readonly string[],
): DualNode {
  const name = `${"klm"[place]}`;
  const states = statesOf(chance);
  const node = { name, place, states, downstream, watermarks: [] };
  if (chance.of(0.15))
    return { ...node, dual: undefined, carries: before.some(({ carries }) => carries) || feeding.some(marked) };
  const numbered = chance.of(0.75);
  const closes = chance.of(0.7);
  const inValue = chance.of(0.6);
  const upstreams: UpstreamSpecification[] = [];
  const numbers = (plan: SourcePlan) => marked(plan) || (plan.kind === "closes" && closes);
  for (const plan of feeding) {
    if (!numbers(plan) || chance.of(0.15)) continue;
    upstreams.push({ kind: "ingress", ingress: `sim/${plan.name}`, partitions: chance.pick(["all", "all", "seen"]) });
  }
  for (const upstream of before) if (upstream.carries && chance.of(0.85)) upstreams.push(functionUpstream(chance, upstream, ids));
  const dual: FunctionSpecification = {
    functions: [{ namespace: "sim", prefix: name, exact: true }],
    mode: "dual",
    maxLessees: chance.pick([0, 1, 3, 3, 6]),
    upstreams: numbered ? upstreams : [],
    critical: closes ? [CLOSE_TYPE] : [],
    series: numbered ? SERIES : undefined,
    barrier: inValue ? { kind: "json", path: ["n"] } : undefined,
    states: strategiesOf(states),
  };
  return { ...node, dual, carries: numbered && (before.some(({ carries }) => carries) || feeding.some(numbers)) };
}

/** Its critical records bring numbers, for whatever target. */
function marked({ kind }: SourcePlan): boolean {
  return kind === "header" || kind === "marks" || kind === "counted";
}

function functionUpstream(chance: Chance, { name }: DualNode, ids: readonly string[]): UpstreamSpecification {
  const form = chance.pick(["ids", "some", "count", "learned"] as const);
  return {
    kind: "function",
    function: `sim/${name}`,
    ids: form === "ids" ? ids : form === "some" ? ids.slice(0, 1) : undefined,
    count: form === "count" ? ids.length : undefined,
  };
}

const STRATEGIES: Readonly<Record<StateKind, readonly MergeSpecification[]>> = {
  ids: [{ kind: "set-union" }, { kind: "list-concat" }, { kind: "function" }],
  keyed: [
    { kind: "partition", keyPath: ["k"] },
    { kind: "map", inner: { kind: "list-concat" } },
  ],
  tally: [{ kind: "map", inner: { kind: "sum" } }],
  total: [{ kind: "sum" }, { kind: "sum" }, { kind: "function" }],
  peak: [{ kind: "max" }],
  last: [{ kind: "latest" }],
};

function statesOf(chance: Chance): DualState[] {
  const kinds: StateKind[] = ["ids"];
  for (const kind of ["total", "tally", "peak", "last"] as const) if (chance.of(0.35)) kinds.push(kind);
  if (chance.of(0.2)) kinds.push("keyed");
  const states = kinds.map(
    (kind): DualState => ({ name: kind, kind, typename: STATE_TYPES[kind], merge: chance.pick(STRATEGIES[kind]) }),
  );
  // One without strategy: its actors wait for barriers, and are never split.
  if (chance.of(0.08)) states.push({ name: "whole", kind: "total", typename: STATE_TYPES.total, merge: undefined });
  return states;
}

function strategiesOf(states: readonly DualState[]): Record<string, MergeSpecification> {
  const strategies: Record<string, MergeSpecification> = { late: { kind: "max" } };
  for (const { name, merge } of states) if (merge) strategies[name] = merge;
  return strategies;
}

// ── around it ────────────────────────────────────────────────────────────────────────────────────────────────────────

export function dualEndpoint(chance: Chance, template: EndpointSpecification): EndpointSpecification {
  return {
    ...template,
    functions: [{ namespace: "sim", name: undefined }],
    urls: Array.from({ length: chance.pick([1, 1, 2, 4]) }, (_, at) => `http://functions-${at}/{function.name}`),
    placement: chance.pick(["any", "any", "home"]),
    maxNumBatchRequests: chance.pick([1, 1, 3, 1_000]),
    concurrency: chance.pick([1, 2, 4, 8]),
  };
}

/** Times that are hard to keep, so that leases open. */
export function dualApplications(chance: Chance, { sources }: DualWorld): ApplicationSpecification[] {
  return sources
    .filter(() => chance.of(0.9))
    .map(({ specification: { ingress } }) => ({
      name: `of-${ingress.replace("/", "-")}`,
      ingresses: [ingress],
      slo: { latencyMs: chance.pick([10, 40, 200]), percentile: 99, from: "arrival", windowMs: 0 },
      policy: chance.pick([CHAOS, CHAOS, "min-laxity", "min-laxity", "edf", "token"] as const),
      weight: chance.pick([0.5, 1]),
      params: { scaling: true, range: chance.pick([1, 2]), hysteresisMs: chance.pick([0, 5]), margin: chance.pick([0, 0.3]) },
    }));
}
