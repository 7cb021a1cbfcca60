/** One point of an experiment, as data: it is done in whatever process takes it, and its outcome is kept as it is. */
import { Capacity } from "./capacity";
import { type HotActorOptions, hotActor } from "./load";
import type { ApplicationResult } from "./metrics";
import type { Configuration } from "./module";
import { type Run, simulate } from "./sim";

interface Named {
  readonly experiment: string;
  /** Which of the things compared. */
  readonly arm: string;
  /** Where on the axis: a rate, a number of slots, bytes. */
  readonly x: number;
}

/** A run of one configuration. */
export interface RunTask extends Named, Run {
  readonly kind: "run";
  /** Wrong totals are what it is to show. */
  readonly wrong?: true;
}

/** The highest rate at which a hot actor still satisfies a share of its outputs. */
export interface CapacityTask extends Named {
  readonly kind: "capacity";
  readonly configuration: Configuration;
  readonly seed: number;
  readonly load: Omit<HotActorOptions, "rate">;
  /** Percent. */
  readonly target: number;
  /** Records per second: surely possible; surely not. */
  readonly fromRate: number;
  readonly toRate: number;
}

export type Task = RunTask | CapacityTask;

export interface Outcome extends Named {
  readonly seed: number;
  readonly values: Readonly<Record<string, number>>;
  /** How many totals were wrong, and the first of them. */
  readonly faults: number;
  readonly firstFault?: string;
  /** By application, the latency of each output due, ms, in order; null: never. */
  readonly latenciesMs?: Readonly<Record<string, readonly (number | null)[]>>;
}

/** Rates are told apart to this share of themselves. */
const PRECISION = 0.01;

export function perform(task: Task): Outcome {
  return task.kind === "run" ? performRun(task) : performCapacity(task);
}

function performRun({ experiment, arm, x, ...run }: RunTask): Outcome {
  const { values, faults, applications } = simulate(run);
  return { experiment, arm, x, seed: run.seed, values, ...faultsOf(faults), latenciesMs: latenciesOf(applications) };
}

function performCapacity({ experiment, arm, x, configuration, seed, load, target, fromRate, toRate }: CapacityTask): Outcome {
  const capacity = new Capacity(fromRate, toRate, PRECISION);
  let faults: readonly string[] = [];
  let values: Readonly<Record<string, number>> = {};
  for (let rate = capacity.next; rate !== undefined; rate = capacity.next) {
    const result = simulate({ load: hotActor({ ...load, rate }), configuration, seed });
    faults = [...faults, ...result.faults];
    const satisfied = (result.values.latency ?? 0) >= target;
    if (satisfied) values = result.values;
    capacity.tell(rate, satisfied);
  }
  return { experiment, arm, x, seed, values: { ...values, rate: capacity.found }, ...faultsOf(faults) };
}

/** How many there are, and the first. */
export function faultsOf(faults: readonly string[]): Pick<Outcome, "faults" | "firstFault"> {
  const [firstFault] = faults;
  return firstFault === undefined ? { faults: 0 } : { faults: faults.length, firstFault };
}

/** Whole milliseconds are fine enough to keep. */
export function latenciesOf(applications: readonly ApplicationResult[]): NonNullable<Outcome["latenciesMs"]> {
  return Object.fromEntries(
    applications.map(({ name, latenciesMs }) => [name, latenciesMs.map((each) => (each === null ? null : Math.round(each)))]),
  );
}
