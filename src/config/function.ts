/** `io.dirigo.v1/function`: how functions run, and for those in dual mode what is critical, what is waited for and how states merge. */
import { readBarrierPath } from "./field-path";
import { parseMerge } from "./merge-text";
import type { Place } from "./place";
import type { FunctionSpecification, MergeSpecification } from "./specification";
import { SHAPES } from "./vocabulary";

export type FunctionEntry = FunctionSpecification["functions"][number];

/** An upstream as written; what it is may follow from the other documents. */
export interface UpstreamDraft {
  readonly name: string;
  readonly place: Place;
  /** `either`: written as a name alone. */
  readonly kind: "either" | "ingress" | "function";
  readonly partitions: "all" | "seen" | undefined;
  readonly ids: readonly string[] | undefined;
  readonly count: number | undefined;
}

export interface FunctionDraft {
  readonly functions: readonly FunctionEntry[];
  /** The same entries, as written. */
  readonly named: readonly { readonly entry: FunctionEntry; readonly text: string; readonly place: Place }[];
  readonly place: Place;
  readonly mode: FunctionSpecification["mode"];
  /** All its names and its mode could be read: what others say of it can be checked. */
  readonly complete: boolean;
  readonly upstreams: readonly UpstreamDraft[];
  readonly specification: Omit<FunctionSpecification, "upstreams">;
}

/** The document that says how a function runs: an exact name beats a pattern, a longer prefix a shorter one. Undefined: none, it is exclusive. */
export function functionOf<Document extends Pick<FunctionSpecification, "functions">>(
  functions: readonly Document[],
  namespace: string,
  name: string,
): Document | undefined {
  let best: Document | undefined;
  let bestRank = -1;
  for (const document of functions) {
    for (const entry of document.functions) {
      if (entry.namespace !== namespace || !matches(entry, name)) continue;
      const rank = entry.exact ? Number.POSITIVE_INFINITY : entry.prefix.length;
      if (rank <= bestRank) continue;
      best = document;
      bestRank = rank;
    }
  }
  return best;
}

export function matches(entry: FunctionEntry, name: string): boolean {
  return entry.exact ? name === entry.prefix : name.startsWith(entry.prefix);
}

const MODES: readonly FunctionSpecification["mode"][] = ["exclusive", "dual"];
const DUAL_ONLY = ["maxLessees", "upstreams", "critical", "series", "states"] as const;
/** With more, one actor's merges cost more than its lessees win (SCHEDULING.md 3.5 counts in single digits). */
const LESSEES_MAX = 64;
const LESSEES = 8;

const FUNCTIONS_EXPECTED = "namespace/name, namespace/prefix* or namespace/*";

export function readFunction(spec: Place): FunctionDraft | undefined {
  const fields = spec.fields(SHAPES.function);
  if (fields === undefined) return undefined;
  const list = fields.need("functions", FUNCTIONS_EXPECTED);
  const { named, all } = readNames(list);
  const functions = named.map(({ entry }) => entry);
  const modePlace = fields.take("mode");
  const mode = modePlace === undefined ? "exclusive" : modePlace.choice(MODES);
  if (mode === "exclusive") {
    for (const name of DUAL_ONLY) {
      fields.take(name)?.fail("is for dual mode, and the mode is exclusive", { expected: `mode: dual, or no ${name}` });
    }
  }
  const take = (name: (typeof DUAL_ONLY)[number]) => (mode === "exclusive" ? undefined : fields.take(name));
  return {
    functions,
    named,
    place: list ?? spec,
    mode: mode ?? "dual",
    complete: all && mode !== undefined,
    upstreams: readUpstreams(take("upstreams")),
    specification: {
      functions,
      mode: mode ?? "dual",
      maxLessees: mode === "exclusive" ? 0 : (take("maxLessees")?.whole({ min: 0, max: LESSEES_MAX }) ?? LESSEES),
      critical: readTypenames(take("critical"), "a list of typenames of arguments"),
      ...readSeries(take("series")),
      states: readStates(take("states")),
    },
  };
}

function readNames(place: Place | undefined): { readonly named: FunctionDraft["named"]; readonly all: boolean } {
  if (place === undefined) return { named: [], all: false };
  if (place.empty) place.fail("is empty", { expected: FUNCTIONS_EXPECTED });
  const places = place.isList ? (place.items("a list of functions") ?? []) : [place];
  const named = new Map<string, FunctionDraft["named"][number]>();
  let all = places.length > 0;
  for (const each of places) {
    const text = each.text(FUNCTIONS_EXPECTED);
    const entry = text === undefined ? undefined : (parseEntry(text) ?? tellEntry(text, each));
    if (text === undefined || entry === undefined) all = false;
    else if (named.has(text)) each.warn("is named twice in this document; once is enough", { value: text });
    else named.set(text, { entry, text, place: each });
  }
  return { named: [...named.values()], all };
}

function parseEntry(text: string): FunctionEntry | undefined {
  const [whole, namespace = "", prefix = "", star] = /^([^/\s*]+)\/([^/\s*]*)(\*?)$/.exec(text) ?? [];
  const exact = star === "";
  return whole === undefined || (exact && prefix === "") ? undefined : { namespace, prefix, exact };
}

function tellEntry(text: string, place: Place): undefined {
  const problem = text.includes("*") ? "has a * elsewhere than at its end" : "is not a function";
  return place.fail(problem, { value: text, expected: FUNCTIONS_EXPECTED });
}

export function readTypenames(list: Place | undefined, expected: string): readonly string[] {
  const typenames = new Set<string>();
  for (const place of list?.items(expected) ?? []) {
    const typename = place.typename("a typename");
    if (typename === undefined) continue;
    if (typenames.has(typename)) place.warn("is named twice here; once is enough", { value: typename });
    typenames.add(typename);
  }
  return [...typenames];
}

const UPSTREAMS_EXPECTED = "a list of ids of ingresses and names of functions";

function readUpstreams(list: Place | undefined): readonly UpstreamDraft[] {
  const upstreams = new Map<string, UpstreamDraft>();
  for (const place of list?.items(UPSTREAMS_EXPECTED) ?? []) {
    const upstream = place.isMap ? readUpstream(place) : readNamedUpstream(place, "either", place);
    if (upstream === undefined) continue;
    const earlier = upstreams.get(upstream.name);
    if (earlier === undefined) upstreams.set(upstream.name, upstream);
    else {
      const expected = "an upstream named once";
      place.fail(`is already named, at ${earlier.place.position}`, { value: upstream.name, expected });
    }
  }
  return [...upstreams.values()];
}

function readNamedUpstream(place: Place, kind: UpstreamDraft["kind"], whole: Place): UpstreamDraft | undefined {
  const noun = { either: "an ingress or a function", ingress: "the id of an ingress", function: "a function" }[kind];
  const name = place.typename(noun);
  return name === undefined ? undefined : { name, place: whole, kind, partitions: undefined, ids: undefined, count: undefined };
}

const UPSTREAM_EXPECTED = "{ ingress: id, partitions: all or seen }, or { function: namespace/name } with count or ids";

function readUpstream(place: Place): UpstreamDraft | undefined {
  const fields = place.fields(SHAPES.functionUpstream);
  const ingress = fields?.take("ingress");
  const target = fields?.take("function");
  if (fields === undefined) return undefined;
  if (ingress !== undefined && target !== undefined) {
    return target.fail("stands beside ingress", { expected: "one of them in each entry of the list" });
  }
  if (ingress !== undefined) {
    for (const name of ["count", "ids"] as const) {
      fields.take(name)?.fail("is of a function, and this is an ingress", { expected: "partitions: all or seen" });
    }
    const partitions = fields.take("partitions")?.choice(["all", "seen"]);
    const named = readNamedUpstream(ingress, "ingress", place);
    return named === undefined ? undefined : { ...named, partitions };
  }
  if (target === undefined) return place.fail("names no upstream", { expected: UPSTREAM_EXPECTED });
  fields.take("partitions")?.fail("is of an ingress, and this is a function", { expected: "count or ids, or neither" });
  const count = fields.take("count");
  const ids = fields.take("ids");
  if (count !== undefined && ids !== undefined) count.fail("stands beside ids", { expected: "count or ids: ids are counted" });
  const named = readNamedUpstream(target, "function", place);
  if (named === undefined) return undefined;
  return { ...named, count: count?.whole({ min: 1, max: 1_000_000 }), ids: ids === undefined ? undefined : readIds(ids) };
}

function readIds(list: Place): readonly string[] | undefined {
  const expected = "a list of ids, not empty";
  if (list.empty) return list.fail("is empty", { expected });
  const ids = list.items(expected)?.flatMap((place) => place.text("an id") ?? []);
  return ids === undefined ? undefined : [...new Set(ids)];
}

const NAME_EXPECTED = "at most 100 letters, digits, dots, underscores and hyphens";

function readSeries(place: Place | undefined): Pick<FunctionSpecification, "series" | "barrier"> {
  if (place === undefined) return { series: undefined, barrier: undefined };
  if (!place.isMap) return { series: readSeriesName(place), barrier: undefined };
  const fields = place.fields(SHAPES.functionSeries);
  const name = fields?.need("name", NAME_EXPECTED);
  return {
    series: name === undefined ? undefined : readSeriesName(name),
    barrier: readBarrierPath(fields?.take("json"), fields?.take("protobuf")),
  };
}

/** It stands in headers and logs. */
function readSeriesName(place: Place): string | undefined {
  const parse = (text: string) => (/^[\w.-]{1,100}$/.test(text) ? text : undefined);
  return place.parsed(parse, "the name of a series", NAME_EXPECTED);
}

/** Without a prototype: a state may be called `constructor`. */
function readStates(place: Place | undefined): FunctionSpecification["states"] {
  const states: Record<string, MergeSpecification> = Object.create(null);
  let partition: { readonly place: Place; readonly text: string } | undefined;
  for (const { key, value } of place?.entries("a map of names of states and merge strategies") ?? []) {
    if (Object.hasOwn(states, key)) value.warn("is given twice; this, the later one, counts");
    if (key === "" || key.includes("\0"))
      value.fail("is not the name of a state", { value: key, expected: "text that is not empty" });
    const merge = readMerge(value);
    if (merge === undefined) continue;
    states[key] = merge;
    if (merge.kind !== "partition") continue;
    const text = merge.keyPath.join(".");
    if (partition === undefined) partition = { place: value, text };
    else if (partition.text !== text) {
      value.fail(`parts messages by another path than the state at ${partition.place.position}`, {
        value: text,
        expected: `partition(${partition.text}): a message goes to one lessee`,
      });
    }
  }
  return states;
}

function readMerge(place: Place): MergeSpecification | undefined {
  const strategy = place.isMap ? place.fields(SHAPES.functionState)?.need("merge", "a merge strategy such as sum") : place;
  const text = strategy?.filled("a merge strategy such as sum");
  if (strategy === undefined || text === undefined) return undefined;
  const read = parseMerge(text);
  if ("merge" in read) return read.merge;
  const { problem, ...rest } = read.fault;
  return strategy.fail(problem, { value: text, ...rest });
}
