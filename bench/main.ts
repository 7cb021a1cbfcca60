/** `npm run bench -- <what…>`: what Dirigo can do on this machine. docs/PERFORMANCE.md says how to read the figures. */
import { Command, InvalidArgumentError } from "commander";
import { actorCounts, measureActors } from "./actors";
import { latencyRates, measureFloor, measureLatency, warmBroker } from "./latency";
import { Report, writeReports } from "./report";
import { measureRestart, measureRestore } from "./restart";
import { Stage } from "./stage";
import { measureStart } from "./start";
import { measureCounting, measurePipe } from "./throughput";

interface Flags {
  readonly runs: number;
  readonly records: number;
  readonly seconds: number;
  readonly seed: number;
  readonly json?: string;
  readonly profile?: string | true;
  readonly router: string;
  readonly node: string;
}

type Measurement = (stage: Stage, flags: Flags, report: Report) => Promise<void>;

const counting =
  (kind: "hot" | "zipf" | "cold"): Measurement =>
  (stage, flags, report) =>
    measureCounting(stage, kind, flags, report);

const measurements: Readonly<Record<string, { readonly meaning: string; readonly measure: Measurement }>> = {
  pipe: {
    meaning: "the limit: the same Kafka adapters and transactions, no function; keys as in hot, and as in cold",
    measure: async (stage, flags, report) => {
      await measurePipe(stage, "hot", flags, report);
      await measurePipe(stage, "cold", flags, report);
    },
  },
  hot: { meaning: "counting, one key", measure: counting("hot") },
  zipf: { meaning: "counting, Zipf 1.1 over 10,000 keys", measure: counting("zipf") },
  cold: { meaning: "counting, uniform over 100,000 keys", measure: counting("cold") },
  latency: {
    meaning: "end to end at 500/s and 2,000/s, uniform over 10,000 keys; and the same clients without a router",
    measure: async (stage, flags, report) => {
      for (const rate of latencyRates) {
        await measureFloor(stage, rate, flags, report);
        await measureLatency(stage, rate, flags, report);
      }
    },
  },
  start: { meaning: "start of the process to the first result", measure: (stage, _flags, report) => measureStart(stage, report) },
  restart: {
    meaning: "kill -9 under 500/s with 10,000 keys of state: start of the successor to the first new result",
    measure: (stage, flags, report) => measureRestart(stage, 3, flags.seed, report),
  },
  restore: {
    meaning: "how fast a state of as many values as records is read back",
    measure: (stage, flags, report) => measureRestore(stage, flags.records, report),
  },
  actors: {
    meaning: "cost of a message with 1,000, 10,000 and 100,000 live actors",
    measure: async (stage, flags, report) => {
      for (const actors of actorCounts) await measureActors(stage, actors, flags.seed, report);
    },
  },
};

async function main(): Promise<void> {
  const names = Object.keys(measurements);
  const list = names.map((name) => `  ${name.padEnd(8)} ${measurements[name]?.meaning}`).join("\n");
  const command = new Command("bench")
    .argument("<what...>", `what to measure: ${names.join(", ")}, or all`)
    .option("--runs <n>", "runs of each; medians are shown with them", whole, 3)
    .option("--records <n>", "records of pipe, hot, zipf and cold, values of restore", whole, 200_000)
    .option("--seconds <n>", "length of a latency measurement", whole, 30)
    .option("--seed <n>", "of the keys", whole, 1)
    .option("--json <file>", "write all rows to a file")
    .option("--profile [folder]", "write CPU profiles of routers and pipes (they run slower then); default folder: profiles")
    .option("--node <flags>", "flags of node for routers and pipes, in one text", "")
    .option("--router <flags>", "more flags of `dirigo run`, in one text", "")
    .addHelpText("after", `\n${list}`)
    .parse();
  const flags = command.opts<Flags>();
  const chosen = command.args.includes("all") ? names : command.args;
  const unknown = chosen.filter((name) => !names.includes(name));
  if (unknown.length > 0) command.error(`there is no benchmark ${unknown.join(", ")}; there are ${names.join(", ")}`);
  await measureAll(chosen, flags);
}

async function measureAll(chosen: readonly string[], flags: Flags): Promise<void> {
  const profileDirectory = flags.profile === true ? "profiles" : flags.profile;
  const words = (text: string): string[] => text.split(" ").filter(Boolean);
  const stage = await Stage.open({ routerFlags: words(flags.router), nodeFlags: words(flags.node), profileDirectory });
  try {
    console.log("warming the broker");
    await warmBroker(stage, flags.seed);
    const reports = chosen.map((name) => new Report(`${name}: ${measurements[name]?.meaning ?? ""}`));
    // Runs of different things alternate, so that a machine that changes its mood changes it for all.
    for (let run = 1; run <= flags.runs; run++) {
      for (const [index, name] of chosen.entries()) {
        console.log(`${name}, run ${run} of ${flags.runs}`);
        await measurements[name]?.measure(stage, flags, reports[index] as Report);
      }
    }
    for (const report of reports) report.print("what");
    if (flags.json !== undefined) writeReports(flags.json, reports);
  } finally {
    await stage.close();
  }
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("expected a whole number from 1");
  return value;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.stack : String(error));
    process.exit(1);
  },
);
