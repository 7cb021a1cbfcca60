/** A workload as the records that its partitions hold; the simulation and the real run produce the same. */
import type { Plan } from "./plan";
import { type Arrival, encodeRecord, type Workload } from "./workload";

export interface IngressRecord {
  /** Since the start of the run. */
  readonly atMs: number;
  readonly application: number;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer;
  readonly value: Buffer;
  /** Since the start of the run, whole. */
  readonly timestampMs: number;
  readonly headers: Readonly<Record<string, Buffer>>;
}

/** `marked`: closing records say that they are critical, and the number of their barrier. */
export function recordsOf({ load, arrivals }: Workload, plan: Plan, marked: boolean): IngressRecord[] {
  const keys = load.applications.map(({ partitions, shape }, application) =>
    Array.from({ length: partitions }, (_, partition) => {
      const actors = plan[application];
      return Buffer.from((shape === "aggregate" ? actors?.aggregates[0] : actors?.maps[partition]) ?? "");
    }),
  );
  return arrivals.map((arrival) => ({
    atMs: arrival.atMs,
    application: arrival.application,
    partition: arrival.partition,
    offset: arrival.sequence,
    key: keys[arrival.application]?.[arrival.partition] as Buffer,
    value: encodeRecord(arrival),
    // A closing record comes at the window's end and belongs to the window.
    timestampMs: arrival.closes ? Math.ceil(arrival.atMs) - 1 : Math.floor(arrival.atMs),
    headers: marked && arrival.closes ? closeHeaders(arrival) : {},
  }));
}

function closeHeaders({ window }: Arrival): IngressRecord["headers"] {
  return { "dirigo-critical": Buffer.from("true"), "dirigo-barrier": Buffer.from(String(window + 1)) };
}
