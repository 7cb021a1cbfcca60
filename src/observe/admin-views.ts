/** What the admin server answers under /v1, and what it understands of questions: docs/observability.md shows each. */
import type { ActorQuery } from "./actor-status";
import type { ApplicationMeasures, Histogram, Measures } from "./measure";
import { type AdminSources, readiness } from "./status";

export const paths: readonly string[] = [
  "/healthz",
  "/readyz",
  "/metrics",
  "/v1/status",
  "/v1/applications",
  "/v1/actors",
  "/v1/explain",
];

/** Actors in one answer: by default, and at most. */
const TOP = 20;
const TOP_MAX = 200;
/** Names told to who asks for one that is not there. */
const NAMES_MAX = 20;

export function statusView(sources: AdminSources): object {
  const status = sources.status();
  const { units, functions, applications, dualTypes, actors, stateBytes, delayed, mailboxBytes, inflight } = sources.measures();
  const { nowMs, startedAtMs, ...rest } = status;
  return {
    ...rest,
    uptimeMs: Math.max(0, Math.round(nowMs - startedAtMs)),
    ready: readiness(status).ready,
    units: {
      committed: units.committed,
      failed: units.failed,
      records: units.records,
      bytes: units.bytes,
      lastCommitAt: units.lastCommitMs === 0 ? null : new Date(units.lastCommitMs).toISOString(),
    },
    functions: functions.map((each) => ({
      function: each.typename,
      in: each.in,
      failures: each.failures,
      inFlight: each.inflight,
      backlog: each.backlog,
      retrying: each.retrying,
    })),
    dualFunctions: dualTypes.map(({ typename, stepMs: _histograms, ...counts }) => ({ function: typename, ...counts })),
    applications: applications.map(attainmentView),
    actors,
    stateBytes,
    delayed,
    mailboxBytes,
    inFlight: inflight,
  };
}

/** How applications keep their deadlines. */
export function applicationsView({ applications }: Measures, nowMs: number): object {
  return {
    applications: applications.map((each) => ({
      ...attainmentView(each),
      ...sloView(each, nowMs),
      laxity: bucketsOf(each.laxityMs),
    })),
  };
}

/** An SLO of 99 % within 300 ms is kept while 99 % of the outputs meet deadlines of 300 ms. */
function sloView({ slo, recent }: ApplicationMeasures, nowMs: number) {
  if (slo === undefined) return {};
  const { latencyMs, percentile, from } = slo;
  const { spanMs, met, missed } = recent.counts(nowMs);
  const attainment = met + missed === 0 ? null : met / (met + missed);
  const kept = attainment === null ? null : attainment * 100 >= percentile;
  return { slo: { latencyMs, percentile, from }, recent: { seconds: Math.round(spanMs / 1000), met, missed, attainment, kept } };
}

function attainmentView({ name, met, missed, missedAll }: ApplicationMeasures) {
  return { application: name, met, missed, attainment: met + missedAll === 0 ? null : met / (met + missedAll) };
}

/** Each bucket by itself, not summed up as in Prometheus; `fromMs` < x ≤ `toMs`, null: without bound. */
function bucketsOf({ bounds, counts, count, sum }: Histogram): object {
  const buckets = [...counts].map((each, at) => ({ fromMs: bounds[at - 1] ?? null, toMs: bounds[at] ?? null, count: each }));
  return { count, meanMs: count === 0 ? null : sum / count, buckets };
}

// ── questions ────────────────────────────────────────────────────────────────────────────────────────────────────────────

type Parameters = Readonly<Record<string, unknown>>;
interface Misunderstood {
  readonly error: string;
}

export function actorQuery(parameters: Parameters): ActorQuery | Misunderstood {
  const { function: typename, top = String(TOP), by = "lessees" } = parameters;
  if (typename !== undefined && typeof typename !== "string") return { error: "function is given more than once" };
  if (by !== "lessees" && by !== "held") return { error: "by: expected lessees or held" };
  if (typeof top !== "string" || !/^[1-9]\d{0,5}$/.test(top)) return { error: `top: expected a number from 1 to ${TOP_MAX}` };
  return { function: typename, by, top: Math.min(TOP_MAX, Number(top)) };
}

export function explainQuery({ function: typename, id }: Parameters): { function: string; id: string } | Misunderstood {
  if (typeof typename === "string" && typeof id === "string" && typename !== "") return { function: typename, id };
  return { error: "expected one function and one id: /v1/explain?function=namespace/name&id=the-id" };
}

export function unknownFunction(
  typename: string,
  known: readonly { readonly typename: string }[],
  kind: "" | "in dual mode ",
): string {
  const names = known.slice(0, NAMES_MAX).map((each) => each.typename);
  const there =
    names.length === 0 ? "there is none yet" : `there are ${names.join(", ")}${known.length > names.length ? ", …" : ""}`;
  return `no function ${typename} ${kind}has had a message on this router since it started; ${there}`;
}
