/**
 * A small case with a crash after each step of its router, one after the other: each run ends as the one without a crash does (DUAL-MODE.md 6.7, 6.14).
 */
import { type RunResult, run } from "./simulation";
import type { Tooth } from "./tooth";
import { Violation } from "./violation";

export interface CrashEach {
  readonly seed: number;
  /** Runs, one per step. */
  readonly runs: number;
  readonly lessees: number;
  /** The first run that went wrong, and the step after which its router died. */
  readonly failed: { readonly killAt: number | undefined; readonly violation: Violation } | undefined;
}

export interface CrashOptions {
  readonly seed: number;
  readonly records: number;
  /** Not after each step, but after each so many. */
  readonly every?: number;
  readonly tooth?: Tooth | undefined;
}

export function crashEach({ seed, records, every = 1, tooth }: CrashOptions): CrashEach {
  const small = (killAt: number | undefined) => run({ seed, steps: 200, tooth, small: { records, killAt } });
  const whole = small(undefined);
  const told = { seed, lessees: whole.dual.lessees };
  if (whole.violation) return { ...told, runs: 1, failed: { killAt: undefined, violation: whole.violation } };
  let runs = 1;
  for (let killAt = 1; killAt <= whole.routerSteps; killAt += every) {
    const crashed = small(killAt);
    runs++;
    const violation = crashed.violation ?? difference(whole, crashed);
    if (violation) return { ...told, runs, failed: { killAt, violation } };
  }
  return { ...told, runs, failed: undefined };
}

/** Which windows end for whom depends on who has something to remember at that moment; all else follows from the records. */
function difference(whole: RunResult, crashed: RunResult): Violation | undefined {
  const before = new Set(whole.effects.filter((each) => !each.includes("<w")));
  const after = new Set(crashed.effects.filter((each) => !each.includes("<w")));
  const missing = [...before].find((each) => !after.has(each));
  if (missing) return new Violation("nothing is lost", `${missing} took effect without the crash, and not with it`);
  const more = [...after].find((each) => !before.has(each));
  return more ? new Violation("effects count once", `${more} took effect with the crash, and not without`) : undefined;
}
