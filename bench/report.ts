/** A table for people on the terminal, the same numbers as JSON for machines. */
import { writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { median } from "./statistics";

/** One run: names and numbers. Numbers under equal names are compared over runs. */
export type Row = Readonly<Record<string, string | number>>;

export class Report {
  readonly #rows: Row[] = [];

  constructor(readonly title: string) {}

  add(row: Row): void {
    this.#rows.push(row);
    console.log(
      `  ${Object.entries(row)
        .map(([name, value]) => `${name} ${show(value)}`)
        .join(", ")}`,
    );
  }

  /** All runs, and below those of equal `by` their median. */
  print(by: string): void {
    console.log(`\n${this.title}`);
    const shown = [...this.#rows, ...this.medians(by)];
    const columns = [...new Set(shown.flatMap((row) => Object.keys(row)))];
    const cells = [columns, ...shown.map((row) => columns.map((column) => show(row[column] ?? "")))];
    const widths = columns.map((_, index) => Math.max(...cells.map((line) => (line[index] ?? "").length)));
    for (const line of cells) console.log(`  ${line.map((cell, index) => cell.padStart(widths[index] ?? 0)).join("  ")}`);
  }

  medians(by: string): Row[] {
    const groups = new Map<string, Row[]>();
    for (const row of this.#rows) groups.set(String(row[by]), [...(groups.get(String(row[by])) ?? []), row]);
    return [...groups.values()].filter((rows) => rows.length > 1).map((rows) => medianRow(rows, by));
  }

  /** With what is needed to judge the numbers. */
  toJson(): object {
    const machine = { cpus: cpus().length, model: cpus()[0]?.model, memoryBytes: totalmem(), node: process.version };
    return { title: this.title, at: new Date().toISOString(), machine, rows: this.#rows };
  }
}

export function writeReports(file: string, reports: readonly Report[]): void {
  writeFileSync(
    file,
    `${JSON.stringify(
      reports.map((report) => report.toJson()),
      undefined,
      2,
    )}\n`,
  );
  console.log(`\nwritten to ${file}`);
}

function medianRow(rows: readonly Row[], by: string): Row {
  const first = rows[0] ?? {};
  const entries = Object.entries(first).map(([name, value]) => {
    if (name === by) return [name, `${value} (median)`];
    if (typeof value === "string") return [name, ""];
    return [name, median(rows.map((row) => Number(row[name])))];
  });
  return Object.fromEntries(entries) as Row;
}

function show(value: string | number): string {
  if (typeof value === "string") return value;
  if (!Number.isFinite(value)) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return value >= 1_000 ? Math.round(value).toLocaleString("en") : value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}
