/** One point of an experiment, as data: it is done in whatever process takes it, and its outcome is kept as it is. */
import { type HotActorOptions, hotActor } from "./load";
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
  const latenciesMs = Object.fromEntries(
    applications.map(({ name, latenciesMs: each }) => [
      name,
      each.map((latency) => (latency === null ? null : Math.round(latency))),
    ]),
  );
  const [firstFault] = faults;
  const outcome = { experiment, arm, x, seed: run.seed, values, faults: faults.length, latenciesMs };
  return firstFault === undefined ? outcome : { ...outcome, firstFault };
}

/** By halving: satisfaction falls with the rate. */
function performCapacity({ experiment, arm, x, configuration, seed, load, target, fromRate, toRate }: CapacityTask): Outcome {
  let possible = fromRate;
  let impossible = toRate;
  let faults: readonly string[] = [];
  let values: Readonly<Record<string, number>> = {};
  while (impossible - possible > PRECISION * possible) {
    const rate = Math.sqrt(possible * impossible);
    const result = simulate({ load: hotActor({ ...load, rate }), configuration, seed });
    faults = [...faults, ...result.faults];
    if ((result.values.latency ?? 0) >= target) {
      possible = rate;
      values = result.values;
    } else impossible = rate;
  }
  const outcome = { experiment, arm, x, seed, values: { ...values, rate: possible }, faults: faults.length };
  const [firstFault] = faults;
  return firstFault === undefined ? outcome : { ...outcome, firstFault };
}
