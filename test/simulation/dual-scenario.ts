/** What a seed decides of a dual-mode world: layers of functions, what they wait for, how their parts merge, and which records are critical. */
import type {
  ApplicationSpecification,
  EndpointSpecification,
  FunctionSpecification,
  MergeSpecification,
  SourceSpecification,
  UpstreamSpecification,
  WatermarkSpecification,
} from "../../src/config/specification";
import { CHAOS } from "./applications";
import type { Chance } from "./chance";
import { CLOSE_TYPE, type DualNode, type DualState, ITEM_TYPE, STATE_TYPES, type StateKind, WINDOW_TYPE } from "./dual-cast";

/**
 * How records of a topic are critical, and where their barriers' numbers stand. `header`: single ones, by their headers. `marks`: all, with the
 * number in the value, counted, or without. `closes`: by their typename, for functions that name it. `windowed`: none, but windows end by what time
 * the records show.
 */
export type CriticalKind = "header" | "marks" | "counted" | "lone" | "closes" | "windowed";

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
  readonly latenessMs: number;
  /** No partition passes a window by the clock: which window a record belongs to follows from the log. */
  readonly clockless: boolean;
  readonly criticalShare: number;
}

export const SERIES = "w";

type Template = (name: string, targets: readonly string[]) => SourceSpecification;

export function dualWorldOf(chance: Chance, sourceOf: Template): DualWorld {
  const ids = ["p", "q", "ü/東"].slice(0, chance.pick([1, 1, 2, 3]));
  const windows = windowsOf(chance);
  const plans = plansOf(chance, ids.length, windows.everyMs > 0);
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
    const watermark = plan.kind === "windowed" ? watermarkOf(windows, served) : undefined;
    return {
      specification: { ...template, ...plan.overrides, watermark },
      kind: plan.kind,
      targets: served,
      partitions: plan.partitions,
    };
  });
  return { nodes, ids, sources, ...windows, criticalShare: chance.pick([0.02, 0.05, 0.2]) };
}

type WindowsOf = Pick<DualWorld, "everyMs" | "latenessMs" | "clockless">;

function windowsOf(chance: Chance): WindowsOf {
  const everyMs = chance.of(0.4) ? chance.pick([100, 400, 1_000]) : 0;
  return { everyMs, latenessMs: chance.pick([0, 50]), clockless: chance.of(0.5) };
}

/** Longer than any run. */
const NEVER_MS = 10 * 24 * 3_600_000;

function watermarkOf(
  { everyMs, latenessMs, clockless }: WindowsOf,
  served: readonly DualNode[],
): WatermarkSpecification | undefined {
  const functions = served.filter(({ watermarks }) => watermarks.length > 0).map(({ name }) => `sim/${name}`);
  if (functions.length === 0) return undefined;
  const idleMs = clockless ? NEVER_MS : 300;
  return { everyMs, time: "record-timestamp", latenessMs, idleMs, typename: WINDOW_TYPE, functions };
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
  windowed: { valueType: ITEM_TYPE },
};

/** Counted numbers are of a partition, not of an actor: with several actors, none would get them all. */
function plansOf(chance: Chance, ids: number, windowed: boolean): SourcePlan[] {
  const kinds: CriticalKind[] = [windowed ? "windowed" : "header"];
  if (windowed && chance.of(0.6)) kinds.push(chance.pick(["header", "marks", "lone", "closes"]));
  else if (chance.of(0.5))
    kinds.push(chance.pick(ids === 1 && !windowed ? ["marks", "counted", "lone", "closes"] : ["marks", "lone", "closes"]));
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
  const ends = feeding.filter(({ kind }) => kind === "windowed" && chance.of(0.85));
  const watermarks = ends.map((plan) => `sim/${plan.name}`);
  const node = { name, place, states, downstream, watermarks: [] };
  if (chance.of(0.15))
    return { ...node, dual: undefined, carries: before.some(({ carries }) => carries) || feeding.some(marked) };
  const numbered = chance.of(0.75) || watermarks.length > 0;
  const closes = chance.of(0.7);
  const inValue = chance.of(0.6);
  const upstreams: UpstreamSpecification[] = [];
  const numbers = (plan: SourcePlan) => marked(plan) || (plan.kind === "closes" && closes);
  for (const plan of feeding) {
    if (!numbers(plan) || chance.of(0.15)) continue;
    upstreams.push({ kind: "ingress", ingress: `sim/${plan.name}`, partitions: chance.pick(["all", "all", "seen"]) });
  }
  for (const upstream of before)
    if (awaitable(upstream) && chance.of(0.85)) upstreams.push(functionUpstream(chance, upstream, ids));
  const dual: FunctionSpecification = {
    functions: [{ namespace: "sim", prefix: name, exact: true }],
    mode: "dual",
    maxLessees: chance.pick([0, 1, 3, 3, 6]),
    upstreams: numbered ? upstreams : [],
    critical: closes ? [CLOSE_TYPE] : [],
    series: numbered && (watermarks.length === 0 || chance.of(0.7)) ? SERIES : undefined,
    barrier: inValue ? { kind: "json", path: ["n"] } : undefined,
    states: strategiesOf(states),
  };
  return {
    ...node,
    watermarks,
    dual,
    carries: watermarks.length > 0 || (numbered && (before.some(({ carries }) => carries) || feeding.some(numbers))),
  };
}

/** Its actors will bring a barrier sooner or later: windows end only for actors that remember something, or have something to do. */
function awaitable({ carries, watermarks, states }: DualNode): boolean {
  return carries && (watermarks.length === 0 || states.some(({ kind }) => kind !== "ids" && kind !== "keyed"));
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
    concurrency: chance.pick([1, 2, 4, 4, 8]),
  };
}

/** Times that are hard to keep, so that leases open; but with the shortest, merging never pays. */
export function dualApplications(chance: Chance, { sources }: DualWorld): ApplicationSpecification[] {
  return sources
    .filter(() => chance.of(0.9))
    .map(({ specification: { ingress } }) => ({
      name: `of-${ingress.replace("/", "-")}`,
      ingresses: [ingress],
      slo: { latencyMs: chance.pick([10, 60, 150, 400]), percentile: 99, from: "arrival", windowMs: 0 },
      policy: chance.pick([CHAOS, CHAOS, "min-laxity", "min-laxity", "edf", "token"] as const),
      weight: chance.pick([0.5, 1]),
      params: { scaling: true, range: chance.pick([1, 2]), hysteresisMs: chance.pick([0, 5]), margin: chance.pick([0, 0.3]) },
    }));
}
