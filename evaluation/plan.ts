/**
 * Which actors there are and where their homes lie: a static plan made from imperfect figures, as one makes before going live (SCHEDULING.md §4.3,
 * home placement). With `placement: home` the product pins an id to a replica by hash; ids get the salt that leads where the plan wants them.
 */
import { Random } from "../src/model/random";
import { homeWorker } from "../src/router/endpoint";
import { type ApplicationLoad, closesPerAggregate, type Load } from "./load";

/** Ids of the actors of one application; function types are called `<namespace>/<application>-map` and so on. */
export interface Actors {
  /** One per ingress partition. Empty where records go to the aggregates at once. */
  readonly maps: readonly string[];
  readonly aggregates: readonly string[];
  readonly reduce: string;
}

/** By application. */
export type Plan = readonly Actors[];

export const NAMESPACE = "mix";

export type StageName = "map" | "aggregate" | "reduce";

export function typenameOf(application: string, stage: StageName): string {
  return `${NAMESPACE}/${application}-${stage}`;
}

/** Of estimates: ± 30 %. */
const ERROR = 0.3;

interface Task {
  readonly name: string;
  /** Share of a worker's time. */
  readonly estimate: number;
}

export function planOf(load: Load, replicas: number, seed: number): Plan {
  const random = new Random(Math.imul(seed, 0x85ebca6b) ^ 0x91a);
  const tasks = load.applications.flatMap(tasksOf).map(({ name, estimate }) => ({
    name,
    estimate: estimate * (1 - ERROR + 2 * ERROR * random.next()),
  }));
  const homes = longestFirst(tasks, replicas);
  const idOf = (name: string) => salted(name, homes.get(name) ?? 0, replicas);
  return load.applications.map((application) => ({
    maps: mapsOf(application).map((name) => idOf(name)),
    aggregates: aggregatesOf(application).map((name) => idOf(name)),
    reduce: idOf(`${application.name}-reduce`),
  }));
}

function mapsOf({ name, partitions, shape }: ApplicationLoad): string[] {
  return shape === "aggregate" ? [] : Array.from({ length: partitions }, (_, partition) => `${name}-map-${partition}`);
}

function aggregatesOf({ name, aggregates }: ApplicationLoad): string[] {
  return Array.from({ length: aggregates }, (_, aggregate) => `${name}-agg-${aggregate}`);
}

/** Loads as a planner would reckon them: means, the popular aggregate changing too often to matter. */
function tasksOf(application: ApplicationLoad): Task[] {
  const { means, perSecond, partitions, aggregates, windowMs } = application;
  const windowsPerSecond = 1_000 / windowMs;
  const map = (perSecond * means.map + windowsPerSecond * means.closeMap) / 1_000;
  const closes = windowsPerSecond * closesPerAggregate(application) * means.closeAggregate;
  const aggregate = (perSecond * partitions * means.aggregate) / aggregates / 1_000 + closes / 1_000;
  const reduce = (windowsPerSecond * aggregates * means.reduce) / 1_000;
  const tasks = [
    ...mapsOf(application).map((name) => ({ name, estimate: map })),
    ...aggregatesOf(application).map((name) => ({ name, estimate: aggregate })),
  ];
  if (application.shape !== "aggregate") tasks.push({ name: `${application.name}-reduce`, estimate: reduce });
  return tasks;
}

/** Longest processing time first: each task to the worker with the least so far. */
export function longestFirst(tasks: readonly Task[], workers: number): Map<string, number> {
  const loads = new Array<number>(workers).fill(0);
  const homes = new Map<string, number>();
  for (const { name, estimate } of [...tasks].sort((one, other) => other.estimate - one.estimate)) {
    const home = loads.indexOf(Math.min(...loads));
    loads[home] = (loads[home] as number) + estimate;
    homes.set(name, home);
  }
  return homes;
}

function salted(name: string, home: number, replicas: number): string {
  for (let salt = 0; ; salt++) {
    const id = salt === 0 ? name : `${name}.${salt}`;
    if (homeWorker(id, replicas) === home) return id;
  }
}
