/** From the moment a flight was due to be produced until a read-committed consumer holds the record it caused. */
export class Latency {
  /** By airport, in the order produced. */
  readonly #due = new Map<string, { readonly atMs: number; readonly phase: string }[]>();
  readonly #latencies = new Map<string, number[]>();

  /** A flight's time is when it was due, not when it could be sent: waiting for the producer counts. */
  produced(airport: string, atMs: number, phase: string): void {
    const due = this.#due.get(airport);
    if (due === undefined) this.#due.set(airport, [{ atMs, phase }]);
    else due.push({ atMs, phase });
  }

  /** The n-th departure of an airport was its n-th flight. */
  seen(airport: string, departures: number, nowMs: number): void {
    const due = this.#due.get(airport)?.[departures - 1];
    if (due === undefined) return;
    const latencies = this.#latencies.get(due.phase);
    if (latencies === undefined) this.#latencies.set(due.phase, [nowMs - due.atMs]);
    else latencies.push(nowMs - due.atMs);
  }

  /** Of the flights of one phase. */
  of(phase: string): string {
    return summary(this.#latencies.get(phase) ?? []);
  }
}

export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

function summary(values: readonly number[]): string {
  if (values.length === 0) return "nothing seen";
  return `p50 ${percentile(values, 0.5).toFixed(1)} ms, p99 ${percentile(values, 0.99).toFixed(1)} ms`;
}
