/**
 * `npm test`: every suite after the other, also when one fails, and at the end one line that sums them up:
 * `N passed, N failed`. What has no counts of its own (lint) counts as one.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Counts, jestCounts, simulatorCounts, sum, verdict } from "./support/counts";

interface Suite {
  readonly name: string;
  readonly args: readonly string[];
  /** Past it the suite hangs; it is ended and has failed. */
  readonly minutesMax: number;
  count(output: string, succeeded: boolean): Counts;
}

const ROOT = join(__dirname, "..", "..");
const RESULTS = join(ROOT, "dist", "results");

function jest(project: string, workers: number, minutesMax: number): Suite {
  const report = join(RESULTS, `${project}.json`);
  const where = ["--selectProjects", project, `--maxWorkers=${workers}`, "--json", `--outputFile=${report}`];
  return {
    name: project,
    args: [require.resolve("jest/bin/jest"), ...where],
    minutesMax,
    count: (_output, succeeded) => jestCounts(readFileSync(report, "utf8"), succeeded),
  };
}

const LINT: Suite = {
  name: "lint",
  args: [require.resolve("@biomejs/biome/bin/biome"), "check", "src", "test", "bench", "examples", "evaluation"],
  minutesMax: 1,
  count: (_output, succeeded) => (succeeded ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }),
};

const SIMULATION: Suite = {
  name: "simulation",
  args: [join(__dirname, "simulation", "main.js"), "--seeds", "200", "--steps", "10000"],
  minutesMax: 8,
  count: simulatorCounts,
};

/** Kafka's tests one at a time: they share a broker with each other, and the machine with it and the routers they start. */
const SUITES: readonly Suite[] = [LINT, jest("unit", 2, 6), SIMULATION, jest("kafka", 1, 17)];

/** All suites, or those named on the command line. */
async function main(): Promise<void> {
  rmSync(RESULTS, { recursive: true, force: true });
  mkdirSync(RESULTS, { recursive: true });
  const names = process.argv.slice(2);
  const chosen = names.length === 0 ? SUITES : SUITES.filter(({ name }) => names.includes(name));
  const all: Counts[] = [];
  for (const suite of chosen) all.push(await run(suite));
  process.stdout.write("\n");
  chosen.forEach(({ name }, index) => {
    process.stdout.write(`${name}: ${verdict(all[index] ?? { passed: 0, failed: 1 }).line}\n`);
  });
  const { line, exitCode } = verdict(sum(all));
  process.stdout.write(`${line}\n`);
  writeFileSync(join(RESULTS, "total.txt"), `${line}\n`);
  process.exitCode = exitCode;
}

function run(suite: Suite): Promise<Counts> {
  process.stdout.write(`\n── ${suite.name} ──\n`);
  return new Promise((resolve) => {
    const timeout = suite.minutesMax * 60_000;
    const child = spawn(process.execPath, suite.args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"], timeout });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      process.stdout.write(chunk);
      output += chunk.toString("utf8");
    });
    child.once("error", (error) => {
      process.stdout.write(`${suite.name} could not start: ${error.message}\n`);
      resolve({ passed: 0, failed: 1 });
    });
    child.once("close", (code, signal) => {
      if (signal !== null)
        process.stdout.write(`${suite.name} was ended by ${signal}; it may take ${suite.minutesMax} minutes\n`);
      resolve(counted(suite, output, code === 0));
    });
  });
}

/** A suite that left no readable report has failed. */
function counted(suite: Suite, output: string, succeeded: boolean): Counts {
  try {
    return suite.count(output, succeeded);
  } catch (error) {
    process.stdout.write(`${suite.name} left no report: ${(error as Error).message}\n`);
    return { passed: 0, failed: 1 };
  }
}

void main();
