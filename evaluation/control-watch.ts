/** What the control topic tells: leases and barriers. The same records in the simulation and in a real run. */
import { addressText } from "../src/model/address";
import { decodeControl, type Unsync } from "../src/scaling/control";
import type { Interval } from "./metrics";
import { meanOf, quantile } from "./statistics";

/** What a barrier took, ms. */
export type BarrierStep = "align" | "drain" | "consolidate" | "critical" | "release";
export const BARRIER_STEPS: readonly BarrierStep[] = ["align", "drain", "consolidate", "critical", "release"];

export interface BarrierRecord {
  /** Since the start of the run. */
  readonly atMs: number;
  /** `namespace/type/id`. */
  readonly actor: string;
  readonly lessees: number;
  readonly stepMs: Readonly<Record<BarrierStep, number>>;
}

export class ControlWatch {
  records = 0;
  /** Lessees opened, and how long they were open, in the interval. */
  leases = 0;
  leaseMs = 0;
  /** Most that were open at once. */
  leasesMax = 0;
  readonly barriers: BarrierRecord[] = [];
  readonly #open = new Map<string, number>();
  readonly #ended = new Map<string, number>();

  constructor(
    private readonly interval: Interval,
    private readonly startMs: number,
  ) {}

  take(key: Uint8Array | string, value: Uint8Array): void {
    const record = decodeControl(key, value);
    const atMs = record.atMs - this.startMs;
    const inside = atMs >= this.interval.fromMs && atMs < this.interval.toMs;
    if (inside) this.records++;
    const actor = addressText(record.actor);
    switch (record.kind) {
      case "lease_granted":
        this.#open.set(`${actor}\0${record.lane}`, atMs);
        this.leasesMax = Math.max(this.leasesMax, this.#open.size);
        if (inside) this.leases++;
        return;
      case "lease_ended":
        return this.#leaseEnded(actor, record.lane, atMs);
      case "unsync":
        return this.#released(actor, atMs, inside, record);
      default:
        return;
    }
  }

  #leaseEnded(actor: string, lane: number, atMs: number): void {
    const key = `${actor}\0${lane}`;
    const sinceMs = this.#open.get(key);
    this.#open.delete(key);
    if (sinceMs === undefined) return;
    const { fromMs, toMs } = this.interval;
    this.leaseMs += Math.max(0, Math.min(atMs, toMs) - Math.max(sinceMs, fromMs));
    this.#ended.set(actor, (this.#ended.get(actor) ?? 0) + 1);
  }

  /** Leases end before their section is released. */
  #released(actor: string, atMs: number, inside: boolean, record: Unsync): void {
    const lessees = this.#ended.get(actor) ?? 0;
    this.#ended.delete(actor);
    if (!inside || record.critical === 0) return;
    const { alignMs, drainMs, consolidateMs, criticalMs, releaseMs } = record;
    const stepMs = { align: alignMs, drain: drainMs, consolidate: consolidateMs, critical: criticalMs, release: releaseMs };
    this.barriers.push({ atMs, actor, lessees, stepMs });
  }

  /** For tables: mean, p50 and p99 of each step over the barriers that ended a lease. */
  values(): Record<string, number> {
    const split = this.barriers.filter(({ lessees }) => lessees > 0);
    const values: Record<string, number> = {
      controlRecords: this.records,
      leases: this.leases,
      leaseSeconds: this.leaseMs / 1_000,
      leasesMax: this.leasesMax,
      barriers: this.barriers.length,
      barriersWithLessees: split.length,
    };
    if (split.length === 0) return values;
    for (const step of BARRIER_STEPS) {
      const times = split.map(({ stepMs }) => stepMs[step]);
      values[`${step}P50`] = quantile(times, 0.5);
      values[`${step}P99`] = quantile(times, 0.99);
    }
    values.lesseesMean = meanOf(split.map(({ lessees }) => lessees));
    return values;
  }
}
