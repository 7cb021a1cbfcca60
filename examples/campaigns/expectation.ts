/** What must come out, computed directly from what is produced, and the comparison with what came out. */
import { type Application, type ApplicationName, type Happening, type Total, windowAt } from "./record";

/** One total that is due, of a window in which something happened. */
export class Due {
  count = 0;
  cents = 0;
  readonly byCountry: Record<string, number> = {};

  constructor(
    readonly application: Application,
    readonly key: string,
    readonly start: number,
    readonly end: number,
  ) {}

  add({ country, cents }: Happening): void {
    this.count++;
    this.cents += cents;
    this.byCountry[country] = (this.byCountry[country] ?? 0) + 1;
  }
}

export type TotalName = `${ApplicationName} ${string} ${number}`;

/** Names a total: one key's of one window. */
export function nameOf(application: ApplicationName, key: string, end: number): TotalName {
  return `${application} ${key} ${end}`;
}

export class Expectation {
  /** In order of their windows, for time does not go back. */
  readonly dues = new Map<TotalName, Due>();

  /** A record counts for the window that its timestamp is in, on both sides alike. */
  add(application: Application, key: string, timeMs: number, happening: Happening): void {
    const { start, end } = windowAt(timeMs, application);
    const name = nameOf(application.name, key, end);
    let due = this.dues.get(name);
    if (due === undefined) {
      due = new Due(application, key, start, end);
      this.dues.set(name, due);
    }
    due.add(happening);
  }

  /** Every difference, in words; none when all is as it must be. Totals are given in the order of their topic's partitions. */
  differences(totals: readonly Total[]): string[] {
    const found: string[] = [];
    const seen = new Set<TotalName>();
    const latest = new Map<string, number>();
    for (const total of totals) {
      const { application, key, end } = total;
      const name = nameOf(application, key, end);
      const due = this.dues.get(name);
      if (due === undefined) found.push(`${name}: nothing happened in this window`);
      else if (seen.has(name)) found.push(`${name}: told twice`);
      else compare(found, name, total, due);
      const channel = `${application} ${key}`;
      if (end <= (latest.get(channel) ?? 0)) found.push(`${name}: told after the window that ended at ${latest.get(channel)}`);
      seen.add(name);
      latest.set(channel, end);
    }
    for (const name of this.dues.keys()) if (!seen.has(name)) found.push(`${name}: never told`);
    return found;
  }
}

function compare(found: string[], name: TotalName, total: Total, due: Due): void {
  const [actual, expected] = [textOf(total), textOf(due)];
  if (actual !== expected) found.push(`${name}: ${actual}, expected ${expected}`);
}

/** Parts may be merged in any order: countries are no list. */
function textOf({ start, count, cents, byCountry }: Pick<Total, "start" | "count" | "cents" | "byCountry">): string {
  const countries = Object.entries(byCountry).sort(([one], [other]) => one.localeCompare(other));
  return `from ${start}: ${count}, ${cents} cents, ${countries.map(([country, times]) => `${country} ${times}`).join(" ")}`;
}
