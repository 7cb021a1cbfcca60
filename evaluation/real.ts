/** The experiments for real: E2 (headline), E4 (one hot actor), E5 (barriers), E9 (what dual mode costs when nobody needs it). */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { measureLatency, warmBroker } from "../bench/latency";
import { Report, type Row } from "../bench/report";
import { Stage } from "../bench/stage";
import { measureCounting } from "../bench/throughput";
import { Capacity } from "./capacity";
import { ARMS, barrierLoad, HEADLINE, HOT, HOT_ARMS, hotConfiguration, lesseesArm, ONE_SLOT_RATE } from "./experiments";
import { hotActor, type Load, mixHot } from "./load";
import { type Configuration, OURS } from "./module";
import { type RealRun, runReal } from "./real-run";
import type { Results } from "./results";
import { type RunResult, simulate } from "./sim";
import { faultsOf, latenciesOf, type Outcome } from "./task";

export interface RealOptions {
  readonly seeds: readonly number[];
  readonly rates: readonly number[];
  readonly seconds: number;
}

type Experiment = (stage: Stage, options: RealOptions) => Promise<Omit<Results, "seeds">>;

/** Runs of one process have names of their own, which are their topics' and groups'. */
let runs = 0;

async function performed(stage: Stage, what: { experiment: string; arm: string; x: number }, run: RealRun): Promise<Outcome> {
  const [before] = loadavg();
  const result = await runReal(stage, `${what.experiment}-${++runs}`, run);
  // Who reads the figures has to know whether the machine did something else, too.
  const outcome = outcomeOf(what, run.seed, { ...result, values: { ...result.values, loadBefore: before ?? Number.NaN } });
  const { latency, bulk, latencyP50, latencyP99, routerCpu, producerLateMs, loadBefore } = outcome.values;
  const shown = Object.entries({ latency, bulk, latencyP50, latencyP99, routerCpu, producerLateMs, loadBefore })
    .map(([name, value]) => `${name} ${value?.toFixed(1)}`)
    .join(", ");
  console.log(
    `  ${what.arm}, ${what.x}, seed ${run.seed}: ${shown}${outcome.firstFault ? `; WRONG: ${outcome.firstFault}` : ""}`,
  );
  return outcome;
}

function outcomeOf(
  what: { experiment: string; arm: string; x: number },
  seed: number,
  { values, faults, applications }: RunResult,
): Outcome {
  return { ...what, seed, values, ...faultsOf(faults), latenciesMs: latenciesOf(applications) };
}

// ── E2 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const SIMULATED = ", simulated";
export const FREE_ARM = "functions that take no time";
const E2_ARMS = [ARMS.paper, ARMS.statefun, ARMS.ours] as const;

/** Runs alternate, so that a machine that changes its mood changes it for all. */
async function headline(stage: Stage, { seeds, rates, seconds }: RealOptions): Promise<Omit<Results, "seeds">> {
  const experiment = "e2";
  const outcomes: Outcome[] = [];
  for (const seed of seeds) {
    for (const rate of rates) {
      const load = mixHot({ rate, seconds });
      for (const arm of E2_ARMS) {
        const configuration = HEADLINE[arm] as Configuration;
        outcomes.push(await performed(stage, { experiment, arm, x: rate }, { load, configuration, seed }));
        const simulated = simulate({ load, configuration, seed });
        outcomes.push(outcomeOf({ experiment, arm: `${arm}${SIMULATED}`, x: rate }, seed, simulated));
      }
    }
  }
  const [rate = 36] = rates.slice(-1);
  const load = mixHot({ rate, seconds: Math.min(seconds, 60) });
  const free: RealRun = { load, configuration: HEADLINE[ARMS.ours] as Configuration, seed: seeds[0] ?? 1, free: true };
  outcomes.push(await performed(stage, { experiment, arm: FREE_ARM, x: rate }, free));
  const configurations = Object.fromEntries(E2_ARMS.map((arm) => [arm, HEADLINE[arm] as Configuration]));
  return { experiment, configurations, notes: { seconds }, outcomes };
}

// ── E4 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

const REAL_SLOTS = [1, 2, 4, 8] as const;
/** Of the rate found. */
const REAL_PRECISION = 0.03;

async function oneHotActor(stage: Stage, { seeds }: RealOptions): Promise<Omit<Results, "seeds">> {
  const experiment = "e4-real";
  const outcomes: Outcome[] = [];
  const configurations: Record<string, Configuration> = {};
  const [seed = 1] = seeds;
  for (const slots of REAL_SLOTS) {
    for (const arm of [HOT_ARMS.dual, HOT_ARMS.exclusive]) {
      const exclusive = arm === HOT_ARMS.exclusive;
      // One actor takes one slot under exclusive mode, however many there are: the ends are enough.
      if (exclusive && slots !== REAL_SLOTS[0] && slots !== REAL_SLOTS.at(-1)) continue;
      const configuration = hotConfiguration(arm, slots);
      configurations[arm] = configuration;
      const most = (exclusive ? 1 : slots) * ONE_SLOT_RATE;
      const capacity = new Capacity(most * 0.5, most * 1.1, REAL_PRECISION);
      let best: Outcome | undefined;
      for (let rate = capacity.next; rate !== undefined; rate = capacity.next) {
        const load = hotActor({ ...HOT, rate });
        const outcome = await performed(stage, { experiment, arm, x: slots }, { load, configuration, seed });
        const satisfied = (outcome.values.latency ?? 0) >= 95;
        if (satisfied) best = outcome;
        capacity.tell(rate, satisfied);
      }
      const values = { ...best?.values, rate: capacity.found };
      outcomes.push({ experiment, arm, x: slots, seed, values, faults: best?.faults ?? 0 });
      console.log(`  ${arm}, ${slots} slots: ${capacity.found.toFixed(0)} records/s`);
    }
  }
  return { experiment, configurations, notes: { target: 95, precision: REAL_PRECISION }, outcomes };
}

// ── E5 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

const REAL_LESSEES = [1, 4, 8] as const;
const KIB = 1_024;
/** A batch and its state have to fit into what a function may be sent and may answer (32 MiB). */
const REAL_BYTES = [KIB, 64 * KIB, 256 * KIB, KIB * KIB, 8 * KIB * KIB] as const;

async function barriers(stage: Stage, { seeds }: RealOptions): Promise<Omit<Results, "seeds">> {
  const experiment = "e5-real";
  const outcomes: Outcome[] = [];
  const configurations: Record<string, Configuration> = {};
  const [seed = 1] = seeds;
  for (const lessees of REAL_LESSEES) {
    const arm = lesseesArm(lessees);
    const configuration: Configuration = { ...OURS, policy: "spread", replicas: lessees + 1, maxLessees: lessees };
    configurations[arm] = configuration;
    for (const stateBytes of REAL_BYTES) {
      const load: Load = barrierLoad(stateBytes);
      outcomes.push(await performed(stage, { experiment, arm, x: stateBytes }, { load, configuration, seed, free: true }));
    }
  }
  return { experiment, configurations, notes: {}, outcomes };
}

// ── E9 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const COST_ARMS = { exclusive: "exclusive", dual: "dual mode, never leased" } as const;
export const COST_KINDS = ["hot", "zipf"] as const;
const COST_RECORDS = 200_000;
const LATENCY_RATE = 500;
const LATENCY_SECONDS = 20;

/** The spine's benchmarks, without and with a document that declares their function to be dual. Rows of one name: medians in the report. */
async function cost(stage: Stage, { seeds }: RealOptions): Promise<Omit<Results, "seeds">> {
  const experiment = "e9";
  const outcomes: Outcome[] = [];
  const declaration = dualDeclaration(stage);
  for (const seed of seeds) {
    for (const arm of Object.values(COST_ARMS)) {
      stageFlags.length = 0;
      if (arm === COST_ARMS.dual) stageFlags.push("-f", declaration);
      for (const [x, kind] of COST_KINDS.entries()) {
        const row = await rowOf((report) => measureCounting(stage, kind, { records: COST_RECORDS, seed }, report));
        outcomes.push({ experiment, arm, x, seed, values: numbersOf(row), faults: 0 });
      }
      const row = await rowOf((report) => measureLatency(stage, LATENCY_RATE, { seconds: LATENCY_SECONDS, seed }, report));
      outcomes.push({ experiment, arm, x: COST_KINDS.length, seed, values: numbersOf(row), faults: 0 });
    }
  }
  stageFlags.length = 0;
  return { experiment, configurations: {}, notes: { records: COST_RECORDS, latencyRate: LATENCY_RATE }, outcomes };
}

function dualDeclaration(stage: Stage): string {
  const folder = mkdtempSync(join(tmpdir(), "dirigo-evaluation-"));
  stage.undo.push(async () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "dual.yaml");
  writeFileSync(
    path,
    "kind: io.dirigo.v1/function\nspec: { functions: bench/counter, mode: dual, states: { count: { merge: sum } } }\n",
  );
  return path;
}

async function rowOf(measure: (report: Report) => Promise<void>): Promise<Row> {
  const report = new Report("");
  await measure(report);
  const { rows } = report.toJson() as { readonly rows: readonly Row[] };
  return rows[0] ?? {};
}

function numbersOf(row: Row): Record<string, number> {
  return Object.fromEntries(Object.entries(row).filter((entry): entry is [string, number] => typeof entry[1] === "number"));
}

// ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Of all routers of the stage from now on. */
const stageFlags: string[] = [];

export const REAL_EXPERIMENTS: Readonly<Record<string, Experiment>> = { e2: headline, e4: oneHotActor, e5: barriers, e9: cost };

/** Each with a broker of its own, warmed first: a JVM that has just started compiles under its first load. */
export async function performReal(id: string, options: RealOptions): Promise<Results> {
  const experiment = REAL_EXPERIMENTS[id];
  if (!experiment) throw new Error(`there is no real experiment ${id}; there are ${Object.keys(REAL_EXPERIMENTS).join(", ")}`);
  const stage = await Stage.open({ routerFlags: stageFlags, nodeFlags: [], profileDirectory: undefined });
  try {
    console.log(`${id}: warming the broker`);
    await warmBroker(stage, 1);
    return { ...(await experiment(stage, options)), seeds: options.seeds };
  } finally {
    await stage.close();
  }
}
