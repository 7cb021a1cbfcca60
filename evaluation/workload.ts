/**
 * The records of a run, drawn from a seed: what each partition brings and when, and what each window must come to.
 *
 * Every record is in band: the one that closes a window stands in its partition behind all records of that window. It bears the window's last
 * millisecond as its timestamp (so that its deadline is that of its window) and arrives at the window's end.
 */
import { Random } from "../src/model/random";
import { type ApplicationLoad, type Load, type Rhythm, windowsIn } from "./load";

export interface Arrival {
  /** Since the start of the run. */
  readonly atMs: number;
  readonly application: number;
  readonly partition: number;
  /** Which window it belongs to; of a closing record the window that ends. */
  readonly window: number;
  readonly closes: boolean;
  /** Which of the application's aggregates it goes to. */
  readonly aggregate: number;
  /** Of its partition, from 0. */
  readonly sequence: number;
  /** What is summed up. */
  readonly value: number;
}

export interface Total {
  readonly count: number;
  readonly sum: number;
}

export interface Workload {
  readonly load: Load;
  readonly seed: number;
  /** In the order of their instants; those of one partition strictly in order. */
  readonly arrivals: readonly Arrival[];
  /** By application, then by window. */
  readonly totals: readonly (readonly Total[])[];
}

/** Values are small enough that a sum of many is exact. */
const VALUE_BELOW = 1_000_000;

export function workloadOf(load: Load, seed: number): Workload {
  const random = new Random(Math.imul(seed, 0x9e3779b1));
  const totals: { count: number; sum: number }[][] = [];
  const arrivals: Arrival[] = [];
  for (const [index, application] of load.applications.entries()) {
    const ofWindows = Array.from({ length: windowsIn(application, load.seconds) }, () => ({ count: 0, sum: 0 }));
    totals.push(ofWindows);
    for (let partition = 0; partition < application.partitions; partition++) {
      const drawn = partitionArrivals(load, application, index, partition, random);
      for (const arrival of drawn) {
        if (!arrival.closes) count(ofWindows, arrival);
        arrivals.push(arrival);
      }
    }
  }
  // Stable: records of one partition keep their order at equal instants.
  arrivals.sort((one, other) => one.atMs - other.atMs);
  return { load, seed, arrivals, totals };
}

function count(totals: { count: number; sum: number }[], { window, value }: Arrival): void {
  const total = totals[window];
  if (!total) return; // Of a window that the end of the run cuts short: it is never closed.
  total.count++;
  total.sum += value;
}

function partitionArrivals(
  load: Load,
  application: ApplicationLoad,
  index: number,
  partition: number,
  random: Random,
): Arrival[] {
  const { windowMs, aggregates } = application;
  const popularity = zipf(aggregates, load.zipf);
  const arrivals: Arrival[] = [];
  let window = 0;
  const add = (atMs: number, closes: boolean, aggregate: number, value: number) => {
    const sequence = arrivals.length;
    arrivals.push({ atMs, application: index, partition, window, closes, aggregate, sequence, value });
  };
  const closeUntil = (atMs: number) => {
    for (; (window + 1) * windowMs <= atMs; window++) add((window + 1) * windowMs, true, 0, 0);
  };
  for (let second = 0; second < load.seconds; second++) {
    const records = recordsIn(second, load.warmSeconds, application.perSecond, application.rhythm, random);
    const phase = random.next();
    for (let i = 0; i < records; i++) {
      const atMs = 1_000 * (second + (i + phase) / records);
      closeUntil(atMs);
      const rank = popularity(random.next());
      const aggregate = (rank + Math.floor(atMs / load.rotateMs)) % aggregates;
      add(atMs, false, aggregate, random.below(VALUE_BELOW));
    }
  }
  closeUntil(load.seconds * 1_000);
  return arrivals;
}

function recordsIn(second: number, warmSeconds: number, mean: number, rhythm: Rhythm, random: Random): number {
  const warm = second < warmSeconds;
  switch (rhythm.kind) {
    case "pareto": {
      const { skew, cap } = rhythm;
      const drawn = Math.floor((skew * mean) / (1 - random.next()) ** (1 - skew));
      return warm ? wholeOf(mean, second) : Math.min(cap * mean, drawn);
    }
    case "burst": {
      const inside = second * 1_000 >= rhythm.fromMs && second * 1_000 < rhythm.toMs;
      return wholeOf(inside ? mean * rhythm.factor : mean, second);
    }
    case "even":
      return wholeOf(mean, second);
  }
}

/** A rate with a fraction is met on average. */
function wholeOf(rate: number, second: number): number {
  return Math.floor(rate * (second + 1)) - Math.floor(rate * second);
}

/** From a uniform draw to a rank, 0 the most popular: P(k) ~ 1 / (k+1)^exponent. */
export function zipf(count: number, exponent: number): (drawn: number) => number {
  const cumulated: number[] = [];
  let sum = 0;
  for (let k = 0; k < count; k++) {
    sum += 1 / (k + 1) ** exponent;
    cumulated.push(sum);
  }
  return (drawn) => {
    const at = cumulated.findIndex((bound) => drawn * sum < bound);
    return at < 0 ? count - 1 : at;
  };
}

// ── as bytes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a record's value says: 16 bytes, little-endian. The same bytes go on from function to function. */
export interface RecordFields {
  readonly closes: boolean;
  readonly application: number;
  readonly partition: number;
  readonly aggregate: number;
  readonly window: number;
  readonly sequence: number;
  readonly value: number;
}

export function encodeRecord(fields: RecordFields): Buffer {
  const bytes = Buffer.alloc(16);
  bytes[0] = fields.closes ? 1 : 0;
  bytes[1] = fields.application;
  bytes[2] = fields.partition;
  bytes[3] = fields.aggregate;
  bytes.writeUInt32LE(fields.window, 4);
  bytes.writeUInt32LE(fields.sequence, 8);
  bytes.writeUInt32LE(fields.value, 12);
  return bytes;
}

export function decodeRecord(bytes: Buffer): RecordFields {
  return {
    closes: bytes[0] === 1,
    application: bytes[1] as number,
    partition: bytes[2] as number,
    aggregate: bytes[3] as number,
    window: bytes.readUInt32LE(4),
    sequence: bytes.readUInt32LE(8),
    value: bytes.readUInt32LE(12),
  };
}
