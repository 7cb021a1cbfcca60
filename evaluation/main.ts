/** `npm run evaluate -- sim|real|report …`: the figures of docs/EVALUATION.md. */
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { EXPERIMENTS, type Experiment, experimentOf } from "./experiments";
import { numbers, range } from "./number-list";
import { performAll } from "./pool";
import { performReal, REAL_EXPERIMENTS } from "./real";
import { writeReport } from "./report";
import { saveResults } from "./results";
import type { Outcome } from "./task";

interface SimulationFlags {
  readonly experiment: readonly string[];
  readonly seeds: readonly number[];
  readonly rates: readonly number[];
  readonly out: string;
  readonly jobs: number;
}

interface RealFlags {
  readonly experiment: readonly string[];
  readonly seeds: readonly number[];
  readonly rates: readonly number[];
  readonly seconds: number;
  readonly out: string;
}

const OUT = "docs/evaluation";
const REPORT = "docs/EVALUATION.md";

async function main(): Promise<void> {
  const program = new Command("evaluate").description("how Dirigo does against FIFO: docs/EVALUATION.md");
  program
    .command("sim")
    .description("in virtual time, with the product's own engine")
    .option("--experiment <ids>", `of ${EXPERIMENTS.join(", ")}`, names, EXPERIMENTS)
    .option("--seeds <range>", "such as 1-20 or 1,3,5", numbers, range(1, 20))
    .option("--rates <list>", "of mix-hot, records per second and partition", numbers, [24, 30, 36, 40])
    .option("--out <folder>", "where results and plots go", OUT)
    .option("--jobs <n>", "processes", whole, Math.max(1, availableParallelism() - 1))
    .action(simulateAll);
  program
    .command("real")
    .description("with Kafka, routers and HTTP functions on this machine, which should do nothing else")
    .requiredOption("--experiment <ids>", `of ${Object.keys(REAL_EXPERIMENTS).join(", ")}`, names)
    .option("--seeds <range>", "such as 1-5", numbers, range(1, 5))
    .option("--rates <list>", "of mix-hot, records per second and partition", numbers, [30, 36])
    .option("--seconds <n>", "length of a run of mix-hot", whole, 120)
    .option("--out <folder>", "where results and plots go", OUT)
    .action(measureAll);
  program
    .command("report")
    .description("tables and plots anew, from the results that are there")
    .option("--out <folder>", "where results and plots are", OUT)
    .action(({ out }: { readonly out: string }) => writeReport(REPORT, out));
  await program.parseAsync();
}

async function simulateAll({ experiment, seeds, rates, out, jobs }: SimulationFlags): Promise<void> {
  for (const id of experiment) {
    const chosen = experimentOf(id, { seeds, rates });
    if (!chosen) throw new Error(`there is no experiment ${id} in virtual time; there are ${EXPERIMENTS.join(", ")}`);
    console.log(`${id}: ${chosen.title}: ${chosen.tasks.length} points, seeds ${seeds.join(", ")}`);
    const outcomes = await performAll(chosen.tasks, jobs, progress(chosen));
    const { configurations, notes } = chosen;
    console.log(`written to ${saveResults(out, { experiment: id, seeds, configurations, notes, outcomes })}`);
    refuseWrongTotals(chosen, outcomes);
  }
  writeReport(REPORT, out);
}

async function measureAll({ experiment, seeds, rates, seconds, out }: RealFlags): Promise<void> {
  for (const id of experiment) {
    const results = await performReal(id, { seeds, rates, seconds });
    console.log(`written to ${saveResults(out, results)}`);
    const wrong = results.outcomes.filter(({ faults }) => faults > 0);
    if (wrong.length > 0) throw new Error(`totals are wrong in ${wrong.length} runs: ${wrong[0]?.firstFault}`);
  }
  writeReport(REPORT, out);
}

/** A line now and then. */
function progress({ tasks }: Experiment): (done: number) => void {
  const startMs = Date.now();
  let saidMs = startMs;
  return (done) => {
    const now = Date.now();
    if (done < tasks.length && now - saidMs < 10_000) return;
    saidMs = now;
    console.log(`  ${done} of ${tasks.length} after ${Math.round((now - startMs) / 1_000)} s`);
  };
}

/** Every run checks every total. Results are kept, so that one can look. */
function refuseWrongTotals({ tasks }: Experiment, outcomes: readonly Outcome[]): void {
  const wrong = outcomes.filter(({ faults }, index) => {
    const task = tasks[index];
    return faults > 0 && !(task?.kind === "run" && task.wrong);
  });
  if (wrong.length === 0) return;
  const told = wrong.slice(0, 10).map(({ arm, x, seed, firstFault }) => `${arm}, ${x}, seed ${seed}: ${firstFault}`);
  throw new Error(`totals are wrong in ${wrong.length} points:\n  ${told.join("\n  ")}`);
}

function names(text: string): string[] {
  return text.split(",").map((each) => each.trim());
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("expected a whole number from 1");
  return value;
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
