/** The experiments in virtual time: what is compared, over what, with which seeds. SCHEDULING.md §4.4. */
import { FINAL_SECONDS, type HotActorOptions, hotActor, type Load, mixHot } from "./load";
import { type Configuration, OURS, PAPER, STATEFUN } from "./module";
import type { Task } from "./task";
import { PHYSICS, type Physics } from "./virtual-world";

export interface ExperimentOptions {
  readonly seeds: readonly number[];
  /** Of mix-hot: records per second and partition of the latency applications. */
  readonly rates: readonly number[];
}

export interface Experiment {
  readonly id: string;
  readonly title: string;
  readonly tasks: readonly Task[];
  readonly configurations: Readonly<Record<string, Configuration>>;
  readonly notes: Readonly<Record<string, string | number>>;
}

/** Arms that appear in several experiments. */
export const ARMS = {
  paper: "FIFO, home, 10",
  statefun: "FIFO, any, 10",
  ours: "Dirigo, 7",
  oursHome: "Dirigo, home, 7",
  fifo7: "FIFO, home, 7",
  any7: "FIFO, any, 7",
  edf7: "EDF, home, 7",
} as const;

export const HEADLINE: Readonly<Record<string, Configuration>> = {
  [ARMS.paper]: PAPER,
  [ARMS.statefun]: STATEFUN,
  [ARMS.ours]: OURS,
  [ARMS.oursHome]: { ...OURS, placement: "home" },
  [ARMS.fifo7]: { ...PAPER, replicas: 7 },
  [ARMS.any7]: { ...STATEFUN, replicas: 7 },
  [ARMS.edf7]: { ...PAPER, replicas: 7, policy: "edf" },
};

const PHYSICS_NOTES = { hopMs: PHYSICS.hopMs, commitMs: PHYSICS.commitMs };

/** Every arm at every rate with every seed. */
function mixHotTasks(
  experiment: string,
  configurations: Readonly<Record<string, Configuration>>,
  { seeds, rates }: ExperimentOptions,
): Task[] {
  return Object.entries(configurations).flatMap(([arm, configuration]) =>
    rates.flatMap((rate) =>
      seeds.map((seed) => ({ kind: "run" as const, experiment, arm, x: rate, load: mixHot({ rate }), configuration, seed })),
    ),
  );
}

function headline(options: ExperimentOptions): Experiment {
  const id = "e1";
  return {
    id,
    title: "headline: mix-hot, 10 slots against 7",
    tasks: mixHotTasks(id, HEADLINE, options),
    configurations: HEADLINE,
    notes: { ...PHYSICS_NOTES, seconds: FINAL_SECONDS },
  };
}

/** The rate at which parts of ours are left out or changed. */
const ABLATION_RATE = 36;

const ABLATIONS: Readonly<Record<string, Configuration>> = {
  [ARMS.ours]: OURS,
  "order only": { ...OURS, scaling: "aligned" },
  "scaling only": { ...OURS, policy: "fifo" },
  "EDF, scaling": { ...OURS, policy: "edf" },
  neither: { ...OURS, policy: "fifo", scaling: "aligned" },
  "leases for what is late": { ...OURS, short: 1 },
  "leases early": { ...OURS, short: 0 },
  "home: leases for what is late": { ...OURS, short: 1, placement: "home" },
  "home: leases early": { ...OURS, short: 0, placement: "home" },
  "home: full": { ...OURS, placement: "home" },
  "home: order only": { ...OURS, placement: "home", scaling: "aligned" },
  "home: scaling only": { ...OURS, placement: "home", policy: "fifo" },
  "home: neither": { ...OURS, placement: "home", policy: "fifo", scaling: "aligned" },
  "margin 0": { ...OURS, margin: 0 },
  "margin 0.15": { ...OURS, margin: 0.15 },
  "margin 0.5": { ...OURS, margin: 0.5 },
  "1 lessee": { ...OURS, maxLessees: 1 },
  "2 lessees": { ...OURS, maxLessees: 2 },
  "FIFO home 10, batches of 1": { ...PAPER, maxNumBatchRequests: 1 },
  "batches of 1": { ...OURS, maxNumBatchRequests: 1 },
  "no barrier": { ...OURS, unsynchronized: true },
};

const MIB = 1024 * 1024;

interface Variation {
  readonly configuration: Configuration;
  readonly physics: Partial<Physics>;
}

/** Not of the configuration but of the world. */
const VARIATIONS: Readonly<Record<string, Variation>> = {
  "hop 2 ms": { configuration: OURS, physics: { hopMs: 2 } },
  "hop 2 ms, FIFO home 10": { configuration: PAPER, physics: { hopMs: 2 } },
  "hop 5 ms": { configuration: OURS, physics: { hopMs: 5 } },
  "hop 20 ms": { configuration: OURS, physics: { hopMs: 20 } },
  "hop 5 ms, FIFO home 10": { configuration: PAPER, physics: { hopMs: 5 } },
  "hop 20 ms, FIFO home 10": { configuration: PAPER, physics: { hopMs: 20 } },
  "commit 20 ms": { configuration: OURS, physics: { commitMs: 20 } },
};

function ablation({ seeds, rates }: ExperimentOptions): Experiment {
  const id = "e3";
  const rate = rates.includes(ABLATION_RATE) ? ABLATION_RATE : (rates[0] ?? ABLATION_RATE);
  const named = mixHotTasks(id, ABLATIONS, { seeds, rates: [rate] }).map((task) =>
    task.arm === "no barrier" ? { ...task, wrong: true as const } : task,
  );
  const varied = Object.entries(VARIATIONS).flatMap(([arm, { configuration, physics }]) =>
    seeds.map(
      (seed): Task => ({ kind: "run", experiment: id, arm, x: rate, load: mixHot({ rate }), configuration, seed, physics }),
    ),
  );
  const ofVariations = Object.entries(VARIATIONS).map(([arm, { configuration }]) => [arm, configuration]);
  return {
    id,
    title: "ablations: what each part is worth",
    tasks: [...named, ...varied] as Task[],
    configurations: { ...ABLATIONS, ...Object.fromEntries(ofVariations) },
    notes: { ...PHYSICS_NOTES, seconds: FINAL_SECONDS, rate },
  };
}

export const HOT: Omit<HotActorOptions, "rate"> = { stateBytes: 16 * 1024, serviceMs: 10, windowMs: 1_000, seconds: 30 };
/** One slot does at most 100 messages of 10 ms in a second. */
export const ONE_SLOT_RATE = 100;
export const HOT_SLOTS = [1, 2, 4, 8, 16, 32] as const;
export const HOT_ARMS = { dual: "dual mode", late: "leases for what is late", exclusive: "exclusive" } as const;

export function hotConfiguration(arm: string, slots: number): Configuration {
  const scaling = arm === HOT_ARMS.exclusive ? "exclusive" : "leased";
  return { ...OURS, ...(arm === HOT_ARMS.late ? { short: 1 } : {}), replicas: slots, scaling, maxLessees: 64 };
}

function oneHotActor({ seeds }: ExperimentOptions): Experiment {
  const id = "e4";
  const configurations: Record<string, Configuration> = {};
  const tasks = Object.values(HOT_ARMS).flatMap((arm) =>
    HOT_SLOTS.flatMap((slots) => {
      const configuration = hotConfiguration(arm, slots);
      configurations[arm] = configuration;
      const most = arm === HOT_ARMS.exclusive ? ONE_SLOT_RATE : slots * ONE_SLOT_RATE;
      return seeds.map(
        (seed): Task => ({
          kind: "capacity",
          experiment: id,
          arm,
          x: slots,
          configuration,
          seed,
          load: HOT,
          target: 95,
          fromRate: most * 0.2,
          toRate: most * 1.2,
        }),
      );
    }),
  );
  return {
    id,
    title: "one hot actor: how far it scales",
    tasks,
    configurations,
    notes: { ...PHYSICS_NOTES, stateBytes: 16 * 1024, serviceMs: 10, windowMs: 1_000, seconds: 30, target: 95 },
  };
}

/** Barriers of one actor with so many lessees, its windows long enough for the largest state. */
export const BARRIER_LESSEES = [1, 2, 4, 8] as const;
export const BARRIER_BYTES = [1_024, 16 * 1_024, 64 * 1_024, 256 * 1_024, MIB, 4 * MIB, 16 * MIB] as const;
export const lesseesArm = (lessees: number): string => `${lessees} ${lessees === 1 ? "lessee" : "lessees"}`;

/** Short: a state of megabytes goes to the function and back with every message. Its target is far away, so that no gate is closed. */
export function barrierLoad(stateBytes: number): Load {
  const large = stateBytes >= MIB;
  const load = hotActor({ rate: large ? 20 : 100, seconds: large ? 20 : 30, stateBytes, serviceMs: 5 });
  return { ...load, applications: load.applications.map((each) => ({ ...each, sloMs: 60_000 })), warmSeconds: 2, tailSeconds: 0 };
}

/** Merges with which leases pay, and with which they do not, ms each: with the gate, satisfaction is never worse than without leases. */
const GATE_MERGES_MS = [0.3, 20, 50, 100, 200, 400] as const;
export const GATE_ARMS = { leased: "leases", aligned: "no leases" } as const;
const GATE_SEEDS = 5;

function barriers({ seeds }: ExperimentOptions): Experiment {
  const id = "e5";
  const configurations: Record<string, Configuration> = {};
  const tasks: Task[] = [];
  for (const lessees of BARRIER_LESSEES) {
    const arm = lesseesArm(lessees);
    const configuration: Configuration = { ...OURS, policy: "spread", replicas: lessees + 1, maxLessees: lessees };
    configurations[arm] = configuration;
    for (const stateBytes of BARRIER_BYTES) {
      const [seed = 1] = seeds;
      tasks.push({ kind: "run", experiment: id, arm, x: stateBytes, load: barrierLoad(stateBytes), configuration, seed });
    }
  }
  for (const [scaling, arm] of Object.entries(GATE_ARMS)) {
    const configuration: Configuration = { ...OURS, scaling: scaling as "leased" | "aligned" };
    configurations[arm] = configuration;
    for (const mergeMs of GATE_MERGES_MS) {
      for (const seed of seeds.slice(0, GATE_SEEDS)) {
        const load = mixHot({ rate: ABLATION_RATE });
        tasks.push({ kind: "run", experiment: id, arm, x: mergeMs, load, configuration, seed, physics: { mergeMs } });
      }
    }
  }
  return {
    id,
    title: "barriers against state size and lessees, and the gate",
    tasks,
    configurations,
    notes: { ...PHYSICS_NOTES, seconds: FINAL_SECONDS },
  };
}

const DEFINED: Readonly<Record<string, (options: ExperimentOptions) => Experiment>> = {
  e1: headline,
  e3: ablation,
  e4: oneHotActor,
  e5: barriers,
};

export const EXPERIMENTS: readonly string[] = Object.keys(DEFINED);

export function experimentOf(id: string, options: ExperimentOptions): Experiment | undefined {
  return DEFINED[id]?.(options);
}
