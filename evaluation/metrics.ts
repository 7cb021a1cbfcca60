/**
 * What a run is judged by (SCHEDULING.md §4.2).
 *
 * Satisfaction: of the outputs due in the measured interval, the share that was delivered within the target; what was never delivered is missed.
 * Resources: R1 provisioned slot-seconds, R2 slot-seconds in use (a lessee that has nothing to do holds no slot here), R3 the busy share of R1.
 */
import type { HandledRecord, Output } from "./functions";
import type { ApplicationLoad, Load } from "./load";
import { quantile } from "./statistics";
import type { Workload } from "./workload";

/** Milliseconds of the run, from which on and until which things count. */
export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

export function measuredInterval({ seconds, warmSeconds, tailSeconds }: Load): Interval {
  return { fromMs: warmSeconds * 1_000, toMs: (seconds - tailSeconds) * 1_000 };
}

export function windowEndMs({ windowMs }: ApplicationLoad, window: number): number {
  return (window + 1) * windowMs;
}

export function dueMs(application: ApplicationLoad, window: number): number {
  return windowEndMs(application, window) + application.sloMs;
}

export interface ApplicationResult {
  readonly name: string;
  readonly group: ApplicationLoad["group"];
  readonly due: number;
  readonly satisfied: number;
  /** From the window's end to delivery, ms, of the outputs due, in the order of their windows; null: not delivered when the run ended. */
  readonly latenciesMs: readonly (number | null)[];
  /** Records whose deadline lies in the interval, and those of them handled by then. */
  readonly records: number;
  readonly recordsInTime: number;
}

/** Takes in what happens in a run, in any order; instants are ms since its start. */
export class Measurement {
  readonly #interval: Interval;
  /** By application and window. */
  readonly #delivered: number[][];
  readonly #recordsInTime: number[];
  readonly #faults: string[] = [];

  constructor(readonly workload: Workload) {
    const { load } = workload;
    this.#interval = measuredInterval(load);
    this.#delivered = load.applications.map(() => []);
    this.#recordsInTime = load.applications.map(() => 0);
  }

  output({ application, window, count, sum }: Output, atMs: number): void {
    const delivered = this.#delivered[application] as number[];
    const total = this.workload.totals[application]?.[window];
    if (delivered[window] !== undefined) this.#faults.push(`${this.#nameOf(application, window)} came twice`);
    else if (!total || total.count !== count || total.sum !== sum) {
      const expected = total ? `${total.count} records of ${total.sum}` : "nothing";
      this.#faults.push(`${this.#nameOf(application, window)} is ${count} records of ${sum}, expected ${expected}`);
    }
    delivered[window] ??= atMs;
  }

  handled(records: readonly HandledRecord[], atMs: number): void {
    for (const { application, window } of records) {
      const due = dueMs(this.#application(application), window);
      if (atMs <= due && this.#counts(due)) this.#recordsInTime[application] = (this.#recordsInTime[application] as number) + 1;
    }
  }

  #counts(dueAtMs: number): boolean {
    return dueAtMs > this.#interval.fromMs && dueAtMs <= this.#interval.toMs;
  }

  #application(index: number): ApplicationLoad {
    return this.workload.load.applications[index] as ApplicationLoad;
  }

  #nameOf(application: number, window: number): string {
    return `window ${window} of ${this.#application(application).name}`;
  }

  /** Every window has come. */
  get complete(): boolean {
    return this.workload.totals.every((totals, application) => {
      const delivered = this.#delivered[application] as number[];
      return totals.every((_, window) => delivered[window] !== undefined);
    });
  }

  /** What is wrong with the totals, once everything is over: every window exactly once, with its exact total. */
  faults(): readonly string[] {
    const missing = this.workload.totals.flatMap((totals, application) =>
      totals.flatMap((_, window) =>
        this.#delivered[application]?.[window] === undefined ? [`${this.#nameOf(application, window)} never came`] : [],
      ),
    );
    return [...this.#faults, ...missing];
  }

  results(): ApplicationResult[] {
    return this.workload.load.applications.map((application, index) => this.#result(application, index));
  }

  #result(application: ApplicationLoad, index: number): ApplicationResult {
    const totals = this.workload.totals[index] ?? [];
    const latenciesMs: (number | null)[] = [];
    let records = 0;
    let satisfied = 0;
    for (const [window, { count }] of totals.entries()) {
      if (!this.#counts(dueMs(application, window))) continue;
      records += count;
      const atMs = this.#delivered[index]?.[window];
      const latencyMs = atMs === undefined ? null : atMs - windowEndMs(application, window);
      latenciesMs.push(latencyMs);
      if (latencyMs !== null && latencyMs <= application.sloMs) satisfied++;
    }
    const recordsInTime = this.#recordsInTime[index] as number;
    const { name, group } = application;
    return { name, group, due: latenciesMs.length, satisfied, latenciesMs, records, recordsInTime };
  }
}

/** Percent of the outputs due of all applications of a group. */
export function satisfaction(results: readonly ApplicationResult[], group: ApplicationLoad["group"]): number {
  return percent(results, group, "satisfied", "due");
}

/** Percent of records handled by their deadline. */
export function recordSatisfaction(results: readonly ApplicationResult[], group: ApplicationLoad["group"]): number {
  return percent(results, group, "recordsInTime", "records");
}

type Counted = "due" | "satisfied" | "records" | "recordsInTime";

function percent(results: readonly ApplicationResult[], group: ApplicationLoad["group"], part: Counted, whole: Counted): number {
  const ours = results.filter((each) => each.group === group);
  const sum = (field: Counted) => ours.reduce((total, each) => total + each[field], 0);
  return (100 * sum(part)) / sum(whole);
}

/** How long something lasted within the interval: of [from, to] what lies in it. */
export function overlapMs({ fromMs, toMs }: Interval, beginMs: number, endMs: number): number {
  return Math.max(0, Math.min(endMs, toMs) - Math.max(beginMs, fromMs));
}

/** Slot-seconds of the measured interval: R1 provisioned, R2 in use (the way to the function and back included), and the work done in them. */
export class SlotTime {
  #usedMs = 0;
  #workMs = 0;
  #invocations = 0;

  constructor(private readonly interval: Interval) {}

  /** A slot was in use from an instant to another; `workMs` of that was work. */
  served(fromMs: number, toMs: number, workMs: number): void {
    const insideMs = overlapMs(this.interval, fromMs, toMs);
    if (insideMs === 0) return;
    this.#invocations++;
    this.#usedMs += insideMs;
    this.#workMs += workMs * (insideMs / (toMs - fromMs));
  }

  values(slots: number): Record<string, number> {
    const provisioned = (slots * (this.interval.toMs - this.interval.fromMs)) / 1_000;
    const work = this.#workMs / 1_000;
    return {
      provisionedSeconds: provisioned,
      usedSeconds: this.#usedMs / 1_000,
      workSeconds: work,
      busy: (100 * work) / provisioned,
      invocations: this.#invocations,
    };
  }
}

/** Percentages by group, and latencies of outputs: what was never delivered counts as late, and in no quantile. */
export function satisfactions(results: readonly ApplicationResult[]): Record<string, number> {
  const values: Record<string, number> = {};
  for (const group of ["latency", "bulk"] as const) {
    const own = results.filter((each) => each.group === group);
    if (own.length === 0) continue;
    values[group] = satisfaction(results, group);
    values[`${group}Records`] = recordSatisfaction(results, group);
    const latencies = own.flatMap(({ latenciesMs }) => latenciesMs.filter((each) => each !== null));
    for (const [name, part] of [
      ["P50", 0.5],
      ["P95", 0.95],
      ["P99", 0.99],
    ] as const)
      values[`${group}${name}`] = quantile(latencies, part);
    values[`${group}Due`] = own.reduce((sum, { due }) => sum + due, 0);
  }
  values.records = results.reduce((sum, { records }) => sum + records, 0);
  return values;
}
