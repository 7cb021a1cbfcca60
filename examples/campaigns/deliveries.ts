/** When the totals of one side came to whoever reads them, and how many of them in time. The same measure for both sides. */
import { type Due, type Expectation, nameOf, type TotalName } from "./expectation";
import type { Total } from "./record";

/** Of totals due by now, and of what they count. */
export interface Attainment {
  readonly due: number;
  readonly inTime: number;
  readonly dueCount: number;
  readonly inTimeCount: number;
}

export class Deliveries {
  readonly totals: Total[] = [];
  /** ms since 1970, the first time each was seen. */
  readonly #atMs = new Map<TotalName, number>();

  constructor(private readonly expectation: Expectation) {}

  seen(total: Total, nowMs: number): void {
    this.totals.push(total);
    const name = nameOf(total.application, total.key, total.end);
    if (!this.#atMs.has(name)) this.#atMs.set(name, nowMs);
  }

  get complete(): boolean {
    return this.#atMs.size >= this.expectation.dues.size;
  }

  /** From the end of its window to its reader; Infinity: it has not come. */
  latencyMs({ application, key, end }: Due): number {
    return (this.#atMs.get(nameOf(application.name, key, end)) ?? Number.POSITIVE_INFINITY) - end;
  }

  /** What could still come in time is not counted yet. */
  attainment(judged: (due: Due) => boolean, nowMs: number): Attainment {
    const sum = { due: 0, inTime: 0, dueCount: 0, inTimeCount: 0 };
    for (const each of this.expectation.dues.values()) {
      if (!judged(each)) continue;
      const met = this.latencyMs(each) <= each.application.sloMs;
      if (!met && nowMs <= each.end + each.application.sloMs) continue;
      sum.due++;
      sum.dueCount += each.count;
      if (!met) continue;
      sum.inTime++;
      sum.inTimeCount += each.count;
    }
    return sum;
  }

  /** In the order of their windows. */
  dues(judged: (due: Due) => boolean): Due[] {
    return [...this.expectation.dues.values()].filter(judged);
  }

  /** Ascending. */
  latencies(judged: (due: Due) => boolean): number[] {
    return this.dues(judged)
      .map((due) => this.latencyMs(due))
      .sort((one, other) => one - other);
  }
}
