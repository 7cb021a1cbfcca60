/** The live table. On a terminal it is drawn over itself; elsewhere progress is a line now and then. */
import type { Alert, Figures } from "./flight";

const rows = 12;
const clearToEnd = "\x1b[0J";
const up = (lines: number): string => (lines > 0 ? `\x1b[${lines}A` : "");

export interface Progress {
  readonly phase: string;
  readonly flights: number;
  readonly results: number;
  readonly perSecond: number;
}

export class Table {
  readonly #latest = new Map<string, Figures>();
  readonly #alerts = new Map<string, number>();
  readonly #out: NodeJS.WriteStream;
  #drawn = 0;
  #saidMs = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  figures(figures: Figures): void {
    this.#latest.set(figures.airport, figures);
  }

  alert({ airport }: Alert): void {
    this.#alerts.set(airport, (this.#alerts.get(airport) ?? 0) + 1);
  }

  draw(progress: Progress): void {
    if (this.#out.isTTY) this.#redraw(progress);
    else this.#say(progress);
  }

  #redraw(progress: Progress): void {
    const lines = [line(progress), "", ...this.lines()];
    this.#out.write(`${up(this.#drawn)}\r${clearToEnd}${lines.join("\n")}\n`);
    this.#drawn = lines.length;
  }

  #say(progress: Progress): void {
    const now = Date.now();
    if (now - this.#saidMs < 2_000) return;
    this.#saidMs = now;
    this.#out.write(`${line(progress)}\n`);
  }

  /** What is drawn stays; what follows is written below it. */
  leave(): void {
    this.#drawn = 0;
  }

  /** The busiest airports. */
  lines(): string[] {
    const busiest = [...this.#latest.values()].sort((a, b) => b.departures - a.departures || a.airport.localeCompare(b.airport));
    const shown = busiest.slice(0, rows).map(({ airport, departures, arrivals, meanDelay }) => {
      const alerts = this.#alerts.get(airport) ?? 0;
      return cells(airport, departures, arrivals, `${meanDelay.toFixed(1)} min`, alerts === 0 ? "" : alerts);
    });
    const more = busiest.length > rows ? [`  … and ${busiest.length - rows} more`] : [];
    return [cells("airport", "departures", "arrivals", "mean delay", "alerts"), ...shown, ...more];
  }
}

function cells(first: string, ...rest: readonly (string | number)[]): string {
  return `  ${first.padEnd(8)}${rest.map((cell) => String(cell).padStart(12)).join("")}`;
}

function line({ phase, flights, results, perSecond }: Progress): string {
  return `${phase}: ${flights} flights produced, ${results} results, ${Math.round(perSecond)} results/s`;
}
