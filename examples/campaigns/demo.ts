/**
 * `npm run demo:campaigns`: the same clicks and purchases go through the same functions twice, at the same time on this machine: the way StateFun would run them, and
 * Dirigo's. One Kafka, two routers, two function services. When all totals have come each one is compared with a direct computation. Exit code 0 when every total of both
 * sides is as it must be, whatever the clock said; nothing is left running.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Kafka, logLevel, Partitioners } from "kafkajs";
import { brokerDown, brokerUp } from "../../src/dev/broker";
import { runDemo } from "../demo-main";
import { Expectation } from "./expectation";
import { Producers } from "./producers";
import { reporting } from "./record";
import { Score } from "./score";
import { Screen } from "./screen";
import { Side } from "./side";
import { type Arrival, hotCampaign, type Phases, phasesOf, trafficOf } from "./traffic";

/**
 * A window is over when every partition has shown a later click: one partition with 45 clicks a second does so within 45 ms, two with half as many each often take
 * longer than half of the 200 ms. With as many clicks as a real shop has, partitions are no matter.
 */
const partitions = { clicks: 1, purchases: 2, totals: 2 };
const drawEveryMs = 500;
/** Late duplicates, if there were any, would be seen in this time. */
const quietMs = 1_000;
/** Nothing new for this long means that something is lost. */
const patienceMs = 30_000;

interface Options {
  /** How long clicks come, at least. */
  readonly seconds: number;
  readonly seed: number;
  /** A broker that runs already; undefined: one is started. */
  readonly brokers: string | undefined;
  /** What names of topics and groups begin with. */
  readonly name: string;
}

class Demo {
  readonly expectation = new Expectation();
  readonly phases: Phases;
  readonly arrivals: readonly Arrival[];
  readonly #screen = new Screen(process.stdout);
  /** What has to be undone, the latest first. */
  readonly #undo: (() => unknown)[] = [];
  #ending: Promise<void> | undefined;
  #sides: readonly Side[] = [];
  #score: Score | undefined;

  constructor(private readonly options: Options) {
    // Whole windows of both applications.
    const windowSeconds = reporting.windowMs / 1_000;
    this.phases = phasesOf(Math.ceil(options.seconds / windowSeconds) * windowSeconds);
    this.arrivals = trafficOf(this.phases, options.seed);
  }

  async run(): Promise<string[]> {
    const bootstrap = this.options.brokers ?? (await this.#startKafka());
    const kafka = new Kafka({ clientId: "demo", brokers: [bootstrap], logLevel: logLevel.NOTHING });
    const [fifo, dirigo] = [`${this.options.name}-fifo`, `${this.options.name}-dirigo`];
    await this.#createTopics(kafka, [fifo, dirigo]);
    const undo = (action: () => unknown): void => void this.#undo.push(action);
    const common = { kafka, bootstrap, expectation: this.expectation, undo };
    this.#sides = await Promise.all([
      Side.start({ ...common, name: fifo, title: "FIFO (StateFun)", module: "module-fifo.yaml" }),
      Side.start({ ...common, name: dirigo, title: "Dirigo", module: "module.yaml" }),
    ]);
    await this.#play(kafka, { fifo, dirigo });
    await sleep(quietMs);
    return await this.#differences();
  }

  /** Ends whatever was started; may be called at any time, also twice. */
  end(): Promise<void> {
    this.#ending ??= (async () => {
      for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) await undo();
    })();
    return this.#ending;
  }

  async #startKafka(): Promise<string> {
    const directory = mkdtempSync(join(tmpdir(), "dirigo-demo-"));
    this.#undo.push(async () => {
      await brokerDown({ directory });
      rmSync(directory, { recursive: true, force: true });
    });
    const { bootstrap } = await brokerUp({ port: 0, directory, say: (text) => console.log(text) });
    return bootstrap;
  }

  async #createTopics(kafka: Kafka, names: readonly string[]): Promise<void> {
    const admin = kafka.admin();
    await admin.connect();
    const topics = names.flatMap((name) =>
      Object.entries(partitions).map(([topic, numPartitions]) => ({
        topic: `${name}-${topic}`,
        numPartitions,
        replicationFactor: 1,
      })),
    );
    await admin.createTopics({ topics, waitForLeaders: true });
    await admin.disconnect();
  }

  async #play(kafka: Kafka, targets: { readonly fifo: string; readonly dirigo: string }): Promise<void> {
    const producer = kafka.producer({
      // What is sent again because one partition refused it is there once in the others, too.
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
    this.#undo.push(() => producer.disconnect());
    await producer.connect();
    const { windowMs } = reporting;
    const startMs = Math.ceil((Date.now() + 500) / windowMs) * windowMs;
    const score = new Score(this.#sides, this.phases, startMs);
    this.#score = score;
    const [fifo, dirigo] = this.#sides;
    console.log(`both routers are ready; their metrics: ${fifo?.metricsUrl} and ${dirigo?.metricsUrl}\n`);
    const producers = new Producers(producer, targets, this.expectation);
    const draw = () => this.#draw(score, startMs, producers.produced);
    const drawing = setInterval(draw, drawEveryMs);
    this.#undo.push(() => clearInterval(drawing));
    await sleep(startMs - Date.now());
    await producers.run(this.arrivals, startMs, startMs + this.phases.endMs);
    await this.#awaitTotals();
    clearInterval(drawing);
    draw();
    this.#screen.leave();
  }

  async #awaitTotals(): Promise<void> {
    let [seen, seenAtMs] = [-1, 0];
    while (!this.#sides.every((side) => side.deliveries.complete)) {
      for (const side of this.#sides) side.check();
      const totals = this.#sides.reduce((sum, side) => sum + side.deliveries.totals.length, 0);
      if (totals > seen) [seen, seenAtMs] = [totals, performance.now()];
      // What is missing is then named by the comparison.
      if (performance.now() - seenAtMs > patienceMs) return;
      await sleep(50);
    }
  }

  async #differences(): Promise<string[]> {
    const differences: string[] = [];
    for (const side of this.#sides) {
      const found = this.expectation.differences(side.deliveries.totals);
      const exit = await side.end();
      if (exit !== "exit code 0") found.push(`the router ended with ${exit}, expected exit code 0`);
      differences.push(...found.map((difference) => `${side.title}: ${difference}`));
    }
    return differences;
  }

  #draw(score: Score, startMs: number, produced: number): void {
    const nowMs = Date.now();
    if (nowMs < startMs) return;
    const line = `${this.#phaseAt(nowMs - startMs)}: ${produced} clicks and purchases so far`;
    this.#screen.draw(
      () => [line, "", ...score.live(nowMs)],
      () => `${line}; ${score.brief(nowMs)}`,
    );
  }

  #phaseAt(elapsedMs: number): string {
    const { warmMs, hotFromMs, hotToMs, endMs } = this.phases;
    const at = `${String(Math.floor(elapsedMs / 1_000)).padStart(2)} s`;
    if (elapsedMs < warmMs) return `${at}, warming up`;
    if (elapsedMs < hotFromMs) return `${at}, steady`;
    if (elapsedMs < hotToMs) return `${at}, ${hotCampaign} is hot`;
    return elapsedMs < endMs ? `${at}, steady again` : `${at}, what is left`;
  }

  report(): string[] {
    const { dues } = this.expectation;
    return ["", ...(this.#score?.final(Date.now()) ?? []), "", `  ${dues.size} windows of campaigns and shops on each side`];
  }
}

const verdict = {
  right: "  check: every total of both sides is as computed directly: none missing, none twice, all in order",
  wrong: "  check FAILED",
  indent: "    ",
};

function optionsOf(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: "string", default: "50" },
      seed: { type: "string", default: "1" },
      brokers: { type: "string" },
      name: { type: "string", default: "campaigns" },
    },
  });
  const whole = (name: "seconds" | "seed", least: number): number => {
    const number = Number(values[name]);
    if (Number.isInteger(number) && number >= least) return number;
    throw new Error(`--${name} is ${values[name]}; expected a whole number, ${least} or more`);
  };
  return { seconds: whole("seconds", 10), seed: whole("seed", 0), brokers: values.brokers, name: values.name };
}

runDemo(new Demo(optionsOf(process.argv.slice(2))), verdict).then((code) => process.exit(code));
