/** `io.dirigo.v1/application`: ingresses whose messages share an SLO, and the policy that keeps it. */
import { nearest } from "./finding";
import type { Fields, Place } from "./place";
import type { ApplicationSpecification, PolicyName, SloSpecification } from "./specification";
import { SHAPES } from "./vocabulary";

export interface ApplicationDraft {
  readonly name: { readonly text: string; readonly place: Place } | undefined;
  readonly ingresses: readonly { readonly id: string; readonly place: Place }[];
  readonly specification: ApplicationSpecification;
}

type ParamName = (typeof SHAPES.applicationParams.names)[number];

/** The policies that come with Dirigo, and the params each has. */
export const POLICY_PARAMS: Readonly<Record<PolicyName, readonly ParamName[]>> = {
  fifo: ["scaling", "range", "hysteresis", "short"],
  edf: ["scaling", "range", "hysteresis", "short"],
  "min-laxity": ["margin", "scaling", "range", "hysteresis", "short"],
  priority: ["priority", "scaling", "range", "hysteresis", "short"],
  token: ["rate", "interval", "scaling", "range", "hysteresis", "short"],
};
const POLICIES = Object.keys(POLICY_PARAMS) as PolicyName[];
const POLICY_EXPECTED = `${POLICIES.join(", ")}, or the path of a .js, .mjs or .cjs file`;

const INSTANTS: readonly SloSpecification["from"][] = ["arrival", "record-timestamp", "window-end"];
const PERCENTILE = 99;
/** Part of the SLO that is kept free for what costs do not foresee: 0.3 was best in the pilot (SCHEDULING.md §3.1). */
const MARGIN = 0.3;
/** With more than this hardly anything is left of the SLO to schedule with. */
const MARGIN_MAX = 0.9;
const TOKEN_INTERVAL_MS = 1_000;
/** Replicas looked at for a new lessee, and how much less a late message must wait there (SCHEDULING.md §3.5). */
const RANGE = 2;
const RANGE_MAX = 1_000;
const HYSTERESIS_MS = 5;
/** Share of the SLO that a message may wait on a lane before another is opened (docs/scheduling.md). */
const SHORT = 0.05;
/** A priority is compared, never counted with: any 32-bit number will do. */
const PRIORITY_MAX = 2_147_483_647;
const RATE_EXPECTED = "a number of messages per interval, above 0";

export function readApplication(spec: Place): ApplicationDraft | undefined {
  const fields = spec.fields(SHAPES.application);
  if (fields === undefined) return undefined;
  const name = readName(fields.need("name", NAME_EXPECTED));
  const ingresses = readIngresses(fields.need("ingresses", INGRESSES_EXPECTED));
  const slo = fields.take("slo");
  const policyPlace = fields.take("policy");
  const policy = policyPlace === undefined ? (slo === undefined ? "fifo" : "min-laxity") : readPolicy(policyPlace);
  const specification = {
    name: name?.text ?? "",
    ingresses: ingresses.map(({ id }) => id),
    slo: slo === undefined ? undefined : readSlo(slo),
    policy: policy ?? "fifo",
    weight: fields.take("weight")?.number((value) => value > 0, "a weight", "a number above 0") ?? 1,
    // Which params there are follows from the policy: when that is wrong, nothing can be said of them.
    params: policy === undefined ? {} : readParams(fields.at("params"), policy),
  };
  return { name, ingresses, specification };
}

/** What is to be told only when everything is read. `known` are the ids of all ingresses; undefined when some could not be read. */
export function checkApplications(drafts: readonly ApplicationDraft[], known: readonly string[] | undefined): void {
  const owners = new Map<string, ApplicationDraft>();
  for (const draft of drafts) {
    for (const { id, place } of draft.ingresses) {
      if (known?.includes(id) === false) tellUnknown(id, place, known);
      const owner = owners.get(id);
      if (owner === undefined) owners.set(id, draft);
      else tellOwned(id, place, owner);
    }
  }
}

function tellUnknown(id: string, place: Place, known: readonly string[]): void {
  const expected = known.length === 0 ? "the id of an ingress" : `the id of an ingress: ${known.join(", ")}`;
  place.fail("is the id of no ingress", { value: id, expected, nearest: nearest(id, known) });
}

function tellOwned(id: string, place: Place, owner: ApplicationDraft): void {
  const position = owner.ingresses.find((ingress) => ingress.id === id)?.place.position;
  const name = owner.name === undefined ? "another application" : `application ${owner.name.text}`;
  place.fail(`already belongs to ${name}, at ${position}`, {
    value: id,
    expected: "an ingress in one application at most: its messages have one deadline",
  });
}

const NAME_EXPECTED = "at most 100 letters, digits, dots, underscores and hyphens";

/** It labels metrics and stands in URLs. */
function readName(place: Place | undefined): ApplicationDraft["name"] {
  const parse = (text: string) => (/^[\w.-]{1,100}$/.test(text) ? text : undefined);
  const text = place?.parsed(parse, "the name of an application", NAME_EXPECTED);
  return place === undefined || text === undefined ? undefined : { text, place };
}

const INGRESSES_EXPECTED = "a list of ids of ingresses, not empty";

function readIngresses(list: Place | undefined): ApplicationDraft["ingresses"] {
  if (list?.empty === true) list.fail("is empty", { expected: INGRESSES_EXPECTED });
  const ingresses = new Map<string, ApplicationDraft["ingresses"][number]>();
  for (const place of list?.items(INGRESSES_EXPECTED) ?? []) {
    const id = place.typename("the id of an ingress");
    if (id === undefined) continue;
    if (ingresses.has(id)) place.warn("is named twice in this application; once is enough", { value: id });
    else ingresses.set(id, { id, place });
  }
  return [...ingresses.values()];
}

function readSlo(place: Place): SloSpecification | undefined {
  const fields = place.fields(SHAPES.applicationSlo);
  if (fields === undefined) return undefined;
  const latencyMs = fields.need("latency", "a duration such as 200ms")?.durationMs({ min: 1 });
  const isPercentile = (value: number) => value > 0 && value <= 100;
  const percentile = fields.take("percentile")?.number(isPercentile, "a percentile", "a number above 0, at most 100");
  const begin = fields.take("from");
  const from = begin === undefined ? "arrival" : begin.choice(INSTANTS);
  const windowMs = from === undefined ? 0 : readWindow(fields, from);
  if (latencyMs === undefined || from === undefined || windowMs === undefined) return undefined;
  return { latencyMs, percentile: percentile ?? PERCENTILE, from, windowMs };
}

function readWindow(fields: Fields<"from" | "window">, from: SloSpecification["from"]): number | undefined {
  if (from === "window-end") {
    const expected = "the length of the windows, such as 1s, because from is window-end";
    return fields.need("window", expected)?.durationMs({ min: 1 });
  }
  fields.take("window")?.warn(`has no effect from ${from}`, { expected: "from: window-end" });
  return 0;
}

/** A word is a policy of ours; what has a dot or a slash is a file. */
function readPolicy(place: Place): ApplicationSpecification["policy"] | undefined {
  const text = place.filled(POLICY_EXPECTED);
  if (text === undefined) return undefined;
  if (/[./\\]/.test(text)) return readPolicyFile(place, text);
  const policy = POLICIES.find((name) => name === text);
  if (policy !== undefined) return policy;
  return place.fail("is not a known policy", { value: text, expected: POLICY_EXPECTED, nearest: nearest(text, POLICIES) });
}

function readPolicyFile(place: Place, named: string): { readonly module: string } | undefined {
  const expected = "the path of a .js, .mjs or .cjs file";
  if (/\.[cm]?ts$/.test(named)) {
    return place.fail("is TypeScript, which is not compiled here", {
      value: named,
      expected: `${expected}: what it compiles to`,
    });
  }
  if (!/\.[cm]?js$/.test(named)) return place.fail("is not a module", { value: named, expected: POLICY_EXPECTED });
  const located = place.sheet.locate?.(named);
  if (located === undefined) {
    return place.fail("is a file, and this configuration comes from none", { value: named, expected: POLICIES.join(", ") });
  }
  if (located.problem === undefined) return { module: located.path };
  return place.fail(`cannot be read: ${located.problem}`, { value: named, expected: `a file at ${located.path}` });
}

function readParams(place: Place, policy: ApplicationSpecification["policy"]): ApplicationSpecification["params"] {
  const given = new Map<string, Place>();
  for (const { key, value } of place.absent ? [] : (place.entries("a map of params") ?? [])) {
    if (given.has(key)) value.warn("is given twice; this, the later one, counts");
    given.set(key, value);
  }
  if (typeof policy !== "string") return Object.fromEntries([...given].map(([key, value]) => [key, value.plain()]));
  const known: readonly string[] = POLICY_PARAMS[policy];
  for (const [key, value] of given) if (!known.includes(key)) tellStray(key, value, policy);
  const take = (name: ParamName) => (given.get(name)?.absent === false ? given.get(name) : undefined);
  const scaling = {
    scaling: (take("scaling")?.choice(["true", "false"], true) ?? String(policy === "min-laxity")) === "true",
    range: take("range")?.whole({ min: 1, max: RANGE_MAX }) ?? RANGE,
    hysteresisMs: take("hysteresis")?.durationMs({ min: 0 }) ?? HYSTERESIS_MS,
    short: take("short")?.number(isShare, "a share of the SLO", "a number from 0 to 1") ?? SHORT,
  };
  switch (policy) {
    case "fifo":
    case "edf":
      return scaling;
    case "min-laxity":
      return { ...scaling, margin: take("margin")?.number(isMargin, "a margin", `a number from 0 to ${MARGIN_MAX}`) ?? MARGIN };
    case "priority":
      return { ...scaling, priority: take("priority")?.whole({ min: -PRIORITY_MAX, max: PRIORITY_MAX }) ?? 0 };
    case "token": {
      const rate = take("rate") ?? (given.get("rate") ?? place.child("rate", undefined)).fail("is missing", MISSING_RATE);
      return {
        ...scaling,
        rate: rate?.number((value) => value > 0, "a rate", RATE_EXPECTED) ?? 1,
        intervalMs: take("interval")?.durationMs({ min: 1 }) ?? TOKEN_INTERVAL_MS,
      };
    }
  }
}

const MISSING_RATE = { expected: `${RATE_EXPECTED}, because the policy is token` };

function isShare(value: number): boolean {
  return value >= 0 && value <= 1;
}

function isMargin(value: number): boolean {
  return value >= 0 && value <= MARGIN_MAX;
}

/** An error, not a warning as elsewhere: this kind is ours, and no file that runs in StateFun has it. */
function tellStray(name: string, place: Place, policy: PolicyName): void {
  const own = POLICY_PARAMS[policy];
  const owner = POLICIES.find((other) => (POLICY_PARAMS[other] as readonly string[]).includes(name));
  if (owner !== undefined) {
    place.fail(`is a param of the policy ${owner}, and the policy is ${policy}`, { expected: `policy: ${owner}, or no ${name}` });
    return;
  }
  place.fail(`is no param of the policy ${policy}`, {
    expected: own.join(", "),
    nearest: nearest(name, own),
  });
}
