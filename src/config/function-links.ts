/** What documents of functions say of each other, of ingresses and of endpoints: told when everything is read. */
import { nearest } from "./finding";
import { type FunctionDraft, type FunctionEntry, functionOf, matches, type UpstreamDraft } from "./function";
import type { IngressDraft } from "./ingress";
import type { Place } from "./place";
import type { Served } from "./served";
import type { FunctionSpecification, UpstreamSpecification, WatermarkSpecification } from "./specification";
import { FUNCTION } from "./vocabulary";

export interface Surroundings {
  readonly functions: readonly FunctionDraft[];
  readonly ingresses: readonly IngressDraft[];
  /** Undefined when some endpoint could not be read. */
  readonly served: Served | undefined;
  /** False when some ingress could not be read. */
  readonly ingressesKnown: boolean;
  /** False when a document of a function may be among those that could not be read. */
  readonly functionsKnown: boolean;
}

export function checkFunctions(all: Surroundings): void {
  const { functions, served } = all;
  for (const draft of functions) {
    for (const { entry, text, place } of draft.named) {
      if (served?.hasSome(entry) === false) served.tellUnserved(text, place);
    }
    for (const upstream of draft.upstreams) checkUpstream(upstream, draft, all);
  }
  if (!all.functionsKnown) return;
  for (const draft of functions) {
    // A name alone may be that of an ingress that could not be read.
    if (all.ingressesKnown) checkCircle(draft, all);
    warnIdle(draft, all);
  }
  checkWatermarks(all);
}

export function finishFunctions(all: Surroundings): readonly FunctionSpecification[] {
  return all.functions.map((draft): FunctionSpecification => {
    return { ...draft.specification, upstreams: draft.upstreams.map((upstream) => finishUpstream(upstream, draft, all)) };
  });
}

function finishUpstream(upstream: UpstreamDraft, draft: FunctionDraft, all: Surroundings): UpstreamSpecification {
  const { name, ids, count } = upstream;
  if (!isIngress(upstream, all)) return { kind: "function", function: name, ids, count };
  const standard = isWatermarked(name, draft, all) ? "all" : "seen";
  return { kind: "ingress", ingress: name, partitions: upstream.partitions ?? standard };
}

/** An ingress and a function may have one name; alone it is that of the ingress. */
function isIngress({ kind, name }: UpstreamDraft, { ingresses }: Surroundings): boolean {
  return kind === "ingress" || (kind === "either" && ingresses.some(({ id }) => id?.text === name));
}

/** The ingress ends windows of these functions. */
function isWatermarked(ingress: string, draft: FunctionDraft, all: Surroundings): boolean {
  return all.ingresses.some(({ id, watermark }) => {
    return id?.text === ingress && watermark?.specification.functions.some((name) => draftOf(name, all) === draft);
  });
}

function draftOf(typename: string, { functions }: Surroundings): FunctionDraft | undefined {
  return functionOf(functions, ...split(typename));
}

function split(typename: string): [namespace: string, name: string] {
  const slash = typename.indexOf("/");
  return [typename.slice(0, slash), typename.slice(slash + 1)];
}

function checkUpstream(upstream: UpstreamDraft, draft: FunctionDraft, all: Surroundings): void {
  const { name, place, kind } = upstream;
  const known = all.ingresses.flatMap(({ id }) => id?.text ?? []);
  if (isIngress(upstream, all)) {
    if (known.includes(name)) checkBrings(upstream, draft, all);
    else if (all.ingressesKnown) {
      place.fail("is the id of no ingress", {
        value: name,
        expected: listed("the id of an ingress", known),
        nearest: nearest(name, known),
      });
    }
    return;
  }
  if (!all.ingressesKnown || all.served === undefined) return;
  if (!all.served.has(name)) {
    if (kind === "function") all.served.tellUnserved(name, place);
    else {
      place.fail("is neither the id of an ingress nor a function that an endpoint serves", {
        value: name,
        expected: [...known, ...all.served.texts].join(", "),
        nearest: nearest(name, known) ?? all.served.nearest(name),
      });
    }
  } else if (kind === "either" && nearest(name, known) !== undefined && !isNamed(name, all)) {
    place.warn("is taken for a function, because no ingress has this id", { value: name, nearest: nearest(name, known) });
  }
}

function listed(noun: string, names: readonly string[]): string {
  return names.length === 0 ? noun : `${noun}: ${names.join(", ")}`;
}

/** Somebody else speaks of this function by its name. */
function isNamed(typename: string, { served, functions, ingresses }: Surroundings): boolean {
  return (
    served?.names(typename) === true ||
    functions.some(({ named }) => named.some(({ text }) => text === typename)) ||
    ingresses.some(({ sources }) => sources.some(({ targets }) => targets.some((target) => target.typename === typename)))
  );
}

/** A topic without a target among these functions never shows them a barrier; the ends of windows come by another way. */
function checkBrings(upstream: UpstreamDraft, draft: FunctionDraft, all: Surroundings): void {
  const { name, place, partitions } = upstream;
  const sources = all.ingresses.find(({ id }) => id?.text === name)?.sources ?? [];
  if (isWatermarked(name, draft, all) || !all.functionsKnown) return;
  const silent = sources.filter(({ targets }) => !targets.some(({ typename }) => draftOf(typename, all) === draft));
  if (partitions === "all" && silent.length > 0) {
    const topics = silent.map(({ specification }) => specification.topic).join(", ");
    place.fail(`would be waited for for ever: no target of ${topics} is one of these functions`, {
      value: name,
      expected: "partitions: seen, or topics that all have one of these functions as a target",
    });
  } else if (silent.length === sources.length && sources.length > 0) {
    place.warn("has no effect: none of its topics has one of these functions as a target", { value: name });
  }
}

/** Who waits for its own barriers, over however many others, waits for ever (DUAL-MODE.md 2.6). Told once for each circle. */
function checkCircle(draft: FunctionDraft, all: Surroundings): void {
  for (const upstream of draft.upstreams) {
    const way = isIngress(upstream, all) ? undefined : wayBack(upstream.name, draft, all, new Set());
    if (way === undefined) continue;
    const circle = way.map((name) => draftOf(name, all));
    if (all.functions.find((each) => circle.includes(each)) !== draft) continue;
    const through = way.length === 1 ? "" : ` (through ${way.slice(1).join(", ")})`;
    const problem = `would wait for its own barriers${through}`;
    upstream.place.fail(problem, {
      value: upstream.name,
      expected: "upstreams that go one way only; what comes back is not waited for",
    });
  }
}

/** From upstream to upstream until these functions are reached. */
function wayBack(
  from: string,
  draft: FunctionDraft,
  all: Surroundings,
  visited: Set<FunctionDraft>,
): readonly string[] | undefined {
  const reached = draftOf(from, all);
  if (reached === draft) return [from];
  if (reached === undefined || visited.has(reached)) return undefined;
  visited.add(reached);
  for (const upstream of reached.upstreams) {
    const way = isIngress(upstream, all) ? undefined : wayBack(upstream.name, draft, all, visited);
    if (way !== undefined) return [from, ...way];
  }
  return undefined;
}

/** What changes nothing. */
function warnIdle(draft: FunctionDraft, all: Surroundings): void {
  const { mode, place, upstreams, specification } = draft;
  if (mode === "exclusive") {
    if (all.functions.some((other) => other.mode === "dual" && overrules(draft, other))) return;
    place.warn("changes nothing: functions are exclusive unless a document says otherwise", { expected: "mode: dual" });
    return;
  }
  const ends = all.ingresses.some(({ id }) => id !== undefined && isWatermarked(id.text, draft, all));
  if (upstreams.length === 0 || specification.series !== undefined || ends) return;
  upstreams[0]?.place.parent?.warn("has no effect: without numbers there is no barrier to wait for", {
    expected: "a series, or an ingress with a watermark for these functions",
  });
}

/** Some entry of the draft lies within a pattern of the other, and beats it. */
function overrules(draft: FunctionDraft, other: FunctionDraft): boolean {
  const within = (entry: FunctionEntry, pattern: FunctionEntry) =>
    !pattern.exact && pattern.namespace === entry.namespace && matches(pattern, entry.prefix);
  return draft.functions.some((entry) => other.functions.some((pattern) => within(entry, pattern)));
}

function checkWatermarks(all: Surroundings): void {
  const firsts = new Map<string, { readonly specification: WatermarkSpecification; readonly place: Place }>();
  for (const { watermark } of all.ingresses) {
    if (watermark === undefined) continue;
    const { specification } = watermark;
    for (const { typename, place } of watermark.functions) {
      if (all.served?.has(typename) === false) all.served.tellUnserved(typename, place);
      else if (draftOf(typename, all)?.mode !== "dual") tellExclusive(typename, place, all);
      const first = firsts.get(typename);
      if (first === undefined) firsts.set(typename, { specification, place });
      else tellOtherWindows(typename, place, specification, first);
    }
  }
}

function tellExclusive(typename: string, place: Place, { functions }: Surroundings): void {
  const dual = functions.filter(({ mode }) => mode === "dual").flatMap(({ named }) => named.map(({ text }) => text));
  place.fail("is not in dual mode, so nothing would end its windows", {
    value: typename,
    expected: listed(`a function that a document of kind ${FUNCTION} names with mode: dual`, dual),
    nearest: nearest(
      typename,
      dual.filter((text) => !text.endsWith("*")),
    ),
  });
}

/** Windows of several ingresses end together, so they have to be the same windows. */
function tellOtherWindows(
  typename: string,
  place: Place,
  { everyMs, typename: given }: WatermarkSpecification,
  first: { readonly specification: WatermarkSpecification; readonly place: Place },
): void {
  const { specification, place: elsewhere } = first;
  if (everyMs === specification.everyMs && given === specification.typename) return;
  place.fail(`has other windows at ${elsewhere.position}`, {
    value: typename,
    expected: `every: ${specification.everyMs} ms and typename: ${specification.typename}, as there`,
  });
}
