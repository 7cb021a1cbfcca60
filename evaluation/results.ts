/** What was measured, as files: one per experiment, with everything that is needed to judge or repeat it. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Configuration } from "./module";
import { type Estimate, estimate, pairedDifference } from "./statistics";
import type { Outcome } from "./task";

export interface Results {
  readonly experiment: string;
  readonly seeds: readonly number[];
  /** Of the arms, and what else is fixed. */
  readonly configurations: Readonly<Record<string, Configuration>>;
  readonly notes: Readonly<Record<string, string | number>>;
  readonly outcomes: readonly Outcome[];
}

function pathOf(folder: string, experiment: string): string {
  return join(folder, `${experiment}.json`);
}

/** An outcome a line, so that a change shows what changed. */
export function saveResults(folder: string, { outcomes, ...head }: Results): string {
  mkdirSync(folder, { recursive: true });
  const path = pathOf(folder, head.experiment);
  const lines = outcomes.map((outcome) => `    ${JSON.stringify(outcome, rounded)}`).join(",\n");
  const start = JSON.stringify(head, undefined, 2).replace(/\n\}$/, "");
  writeFileSync(path, `${start},\n  "outcomes": [\n${lines}\n  ]\n}\n`);
  return path;
}

/** Five significant digits are more than any of it means. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}

export function loadResults(folder: string, experiment: string): Results | undefined {
  const path = pathOf(folder, experiment);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Results) : undefined;
}

/** The outcomes of an experiment by what was compared. */
export class Table {
  constructor(readonly results: Results) {}

  get arms(): string[] {
    return [...new Set(this.results.outcomes.map(({ arm }) => arm))];
  }

  xs(arm?: string): number[] {
    const own = this.results.outcomes.filter((each) => arm === undefined || each.arm === arm);
    return [...new Set(own.map(({ x }) => x))].sort((one, other) => one - other);
  }

  outcomes(arm: string, x: number): Outcome[] {
    return this.results.outcomes.filter((each) => each.arm === arm && each.x === x).sort((one, other) => one.seed - other.seed);
  }

  /** One value per seed, in their order. */
  column(arm: string, x: number, value: string): number[] {
    return this.outcomes(arm, x).map(({ values }) => values[value] ?? Number.NaN);
  }

  mean(arm: string, x: number, value: string): Estimate {
    return estimate(this.column(arm, x, value));
  }

  difference(one: string, other: string, x: number, value: string): Estimate {
    return pairedDifference(this.column(one, x, value), this.column(other, x, value));
  }

  get faults(): number {
    return this.results.outcomes.reduce((sum, { faults }) => sum + faults, 0);
  }
}
