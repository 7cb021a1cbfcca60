/**
 * What is asked of the system in an experiment: applications, their windows and targets, how much there is to do and how long each step of it
 * takes. SCHEDULING.md §4.3 for mix-hot.
 */

/** Mean service times, ms. */
export interface Means {
  readonly map: number;
  readonly aggregate: number;
  readonly reduce: number;
  /** Of the message that closes a window, once per upstream. */
  readonly closeMap: number;
  readonly closeAggregate: number;
}

/** What happens to a record: through map and aggregate to reduce, or to the aggregate at once, which then writes the output itself. */
export type Shape = "map-aggregate-reduce" | "aggregate";

/** How many records a partition brings in each second, of mean `perSecond`. */
export type Rhythm =
  /** The same in each, evenly spread. */
  | { readonly kind: "even" }
  /** min(cap r, floor(skew r / (1-u)^(1 - skew))): a Pareto draw per partition and second. */
  | { readonly kind: "pareto"; readonly skew: number; readonly cap: number }
  /** Evenly spread, `factor` times as many between two instants, ms of the run. */
  | { readonly kind: "burst"; readonly factor: number; readonly fromMs: number; readonly toMs: number };

export interface ApplicationLoad {
  readonly name: string;
  /** `latency`: its deadlines are tight; `bulk`: they are not. Reported apart. */
  readonly group: "latency" | "bulk";
  readonly shape: Shape;
  readonly windowMs: number;
  /** Its output is due this long after the window's end, ms. */
  readonly sloMs: number;
  readonly partitions: number;
  /** Actors among which the records of a window are shared out. */
  readonly aggregates: number;
  readonly means: Means;
  /** Size of the state of an aggregate, and of each part of it. */
  readonly stateBytes: number;
  /** Mean records per second and partition. */
  readonly perSecond: number;
  readonly rhythm: Rhythm;
}

export interface Load {
  readonly applications: readonly ApplicationLoad[];
  readonly seconds: number;
  /** At the mean rate and not counted. */
  readonly warmSeconds: number;
  /** At the end, not counted. */
  readonly tailSeconds: number;
  /** Exponent of the popularity of aggregates, and how often their ranks move on by one. */
  readonly zipf: number;
  readonly rotateMs: number;
  /** Of the lognormal service times. */
  readonly sigma: number;
}

/** The length of the final runs. The pilot's were 90 s. */
export const FINAL_SECONDS = 130;

const PARETO: Rhythm = { kind: "pareto", skew: 0.6, cap: 6 };

const LATENCY_MEANS: Means = { map: 1, aggregate: 12, reduce: 2, closeMap: 0.2, closeAggregate: 2 };
const BULK_MEANS: Means = { map: 2, aggregate: 30, reduce: 5, closeMap: 0.2, closeAggregate: 10 };

export interface MixHotOptions {
  /** Records per second and partition of the latency applications. */
  readonly rate: number;
  readonly seconds?: number;
}

export function mixHot({ rate, seconds = FINAL_SECONDS }: MixHotOptions): Load {
  const latency = (index: number): ApplicationLoad => ({
    name: `ls${index}`,
    group: "latency",
    shape: "map-aggregate-reduce",
    windowMs: 1_000,
    sloMs: 400,
    partitions: 2,
    aggregates: 2,
    means: LATENCY_MEANS,
    stateBytes: 16 * 1024,
    perSecond: rate,
    rhythm: PARETO,
  });
  const bulk = (index: number): ApplicationLoad => ({
    name: `ba${index}`,
    group: "bulk",
    shape: "map-aggregate-reduce",
    windowMs: 10_000,
    sloMs: 10_000,
    partitions: 2,
    aggregates: 4,
    means: BULK_MEANS,
    stateBytes: 64 * 1024,
    perSecond: 15,
    rhythm: PARETO,
  });
  return {
    applications: [latency(0), latency(1), latency(2), bulk(0), bulk(1)],
    seconds,
    warmSeconds: 10,
    tailSeconds: 1,
    zipf: 1.5,
    rotateMs: 10_000,
    sigma: 0.5,
  };
}

export interface HotActorOptions {
  readonly rate: number;
  readonly seconds?: number;
  readonly stateBytes?: number;
  readonly serviceMs?: number;
  readonly windowMs?: number;
}

/** One actor that everything goes to (E4). */
export function hotActor({
  rate,
  seconds = 40,
  stateBytes = 16 * 1024,
  serviceMs = 10,
  windowMs = 1_000,
}: HotActorOptions): Load {
  const partitions = 2;
  return {
    applications: [
      {
        name: "hot",
        group: "latency",
        shape: "aggregate",
        windowMs,
        sloMs: 400,
        partitions,
        aggregates: 1,
        means: { map: 0, aggregate: serviceMs, reduce: 0, closeMap: 0, closeAggregate: 2 },
        stateBytes,
        perSecond: rate / partitions,
        rhythm: { kind: "even" },
      },
    ],
    seconds,
    warmSeconds: 5,
    tailSeconds: 1,
    zipf: 1,
    rotateMs: 10_000,
    sigma: 0.5,
  };
}

/** How many records a function gets that closes a window: one per upstream. */
export function closesPerAggregate(application: ApplicationLoad): number {
  return application.partitions;
}

/** Windows of an application in a run; the last may be cut short. */
export function windowsIn(application: ApplicationLoad, seconds: number): number {
  return Math.floor((seconds * 1_000) / application.windowMs);
}
