/**
 * One run for real: records through Kafka, `bin/dirigo run`, functions over HTTP that hold their slots for the seeded service times, outputs read back
 * by a committed reader. Everything on this machine.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UsageSampler } from "../bench/process-usage";
import type { Stage } from "../bench/stage";
import { RouterProcess } from "../test/support/router-process";
import { TopicReader } from "../test/support/topic-reader";
import { waitFor } from "../test/support/wait-for";
import { ControlWatch } from "./control-watch";
import type { Order, ServeOrder, Told } from "./functions-process";
import { LiveConsumer, LiveProducer } from "./live-topics";
import type { Load } from "./load";
import { Measurement, measuredInterval, satisfactions } from "./metrics";
import { type Configuration, marksCloses, moduleText, topicOf } from "./module";
import { planOf } from "./plan";
import { recordsOf } from "./records";
import type { RunResult } from "./sim";
import { workloadOf } from "./workload";

export interface RealRun {
  readonly load: Load;
  readonly configuration: Configuration;
  readonly seed: number;
  /** Functions take no time. */
  readonly free?: boolean;
}

/** Windows end at multiples of their length since 1970, and the longest is this long. */
const ALIGNMENT_MS = 10_000;
const LEAD_MS = 1_500;
const PATIENCE_MS = 60_000;

const offsetMs = Date.now() - performance.now();
function now(): number {
  return performance.now() + offsetMs;
}

export async function runReal(stage: Stage, name: string, run: RealRun): Promise<RunResult> {
  const { load, configuration, seed } = run;
  const workload = workloadOf(load, seed);
  const plan = planOf(load, configuration.replicas, seed);
  const measurement = new Measurement(workload);
  const out = `${name}-out`;
  await createTopics(stage, load, name, out);
  const order: ServeOrder = {
    kind: "serve",
    load,
    plan,
    seed,
    topic: out,
    workers: configuration.replicas,
    free: run.free === true,
  };
  const functions = await FunctionHost.start(stage, order);
  const router = await startRouter(stage, name, run, functions.port);
  let startMs = Number.NaN;
  const consumer = await LiveConsumer.open(stage.kafka, out, (output) => measurement.output(output, now() - startMs));
  const producer = new LiveProducer(stage.kafka, workload, name, recordsOf(workload, plan, marksCloses(configuration)));
  await producer.connect();
  await router.ready();
  startMs = Math.ceil((now() + LEAD_MS) / ALIGNMENT_MS) * ALIGNMENT_MS;
  functions.tell({ kind: "begin", startMs });
  const sampler = new UsageSampler({
    router: router.pid,
    functions: functions.pid,
    broker: stage.broker.pid,
    producers: process.pid,
  });
  await sleep(startMs - now());
  await producer.run(startMs, now);
  await waitFor(() => measurement.complete, "the last outputs", { timeoutMs: PATIENCE_MS }).catch(() => undefined);
  sampler.stop();
  const told = await functions.ask();
  await Promise.all([producer.close(), consumer.close()]);
  const control = await readControl(stage, name, run, startMs);
  const { code } = await router.end();
  await functions.end();
  if (code !== 0) throw new Error(`the router ended with code ${code}:\n${router.story}`);
  await deleteTopics(stage, name);
  const applications = measurement
    .results()
    .map((each, index) => ({ ...each, recordsInTime: told.recordsInTime[index] as number }));
  const values = {
    ...satisfactions(applications),
    ...told.values,
    ...control.values(),
    ...usage(sampler, load, startMs),
    producerLateMs: producer.lateMs,
  };
  return { applications, faults: measurement.faults(), values };
}

/** Percent of a core, in the measured interval. */
function usage(sampler: UsageSampler, load: Load, startMs: number): Record<string, number> {
  const { fromMs, toMs } = measuredInterval(load);
  return Object.fromEntries(
    Object.keys(sampler.pids).map((process) => [
      `${process}Cpu`,
      (100_000 * sampler.between(process, startMs + fromMs, startMs + toMs)) / (toMs - fromMs),
    ]),
  );
}

async function createTopics(stage: Stage, load: Load, name: string, out: string): Promise<void> {
  await stage.admin.createTopics({
    waitForLeaders: true,
    topics: [
      ...load.applications.map((application) => ({ topic: topicOf(application, name), numPartitions: application.partitions })),
      { topic: out, numPartitions: 1 },
    ],
  });
}

async function deleteTopics(stage: Stage, name: string): Promise<void> {
  const topics = (await stage.admin.listTopics()).filter((topic) => topic.startsWith(`${name}-`) || topic.startsWith(`${name}.`));
  await stage.admin.deleteTopics({ topics });
}

async function startRouter(stage: Stage, name: string, { load, configuration }: RealRun, port: number): Promise<RouterProcess> {
  const folder = mkdtempSync(join(tmpdir(), "dirigo-evaluation-"));
  stage.undo.push(async () => rmSync(folder, { recursive: true, force: true }));
  const module = join(folder, "module.yaml");
  const urls = Array.from({ length: configuration.replicas }, (_, worker) => `http://127.0.0.1:${port}/w${worker}`);
  writeFileSync(module, moduleText(load, configuration, { brokers: stage.broker.bootstrap, urls, group: name }));
  const router = await RouterProcess.start({ module, bootstrap: stage.broker.bootstrap, group: name, name: "evaluation" });
  stage.undo.push(async () => router.running && (await router.kill()));
  return router;
}

async function readControl(stage: Stage, name: string, { load, configuration }: RealRun, startMs: number): Promise<ControlWatch> {
  const control = new ControlWatch(measuredInterval(load), startMs);
  if (configuration.scaling === "exclusive") return control; // Then there is no such topic.
  const reader = new TopicReader(stage.broker.bootstrap, `${name}.control`);
  for (const { key, value } of await reader.toEnd()) if (value) control.take(key ?? "", value);
  await reader.close();
  return control;
}

class FunctionHost {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  static async start(stage: Stage, order: ServeOrder): Promise<FunctionHost> {
    const child = fork(join(__dirname, "functions-process.js"), { stdio: "inherit" });
    const port = new Promise<number>((resolve, reject) => {
      child.once("message", (message) => resolve((message as { port: number }).port));
      child.once("exit", () => reject(new Error("the functions ended before they were ready")));
    });
    child.send(order);
    const host = new FunctionHost(child, await port);
    stage.undo.push(() => host.end());
    return host;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  tell(order: Order): void {
    this.child.send(order);
  }

  async ask(): Promise<Told> {
    const told = new Promise<Told>((resolve) => {
      this.child.once("message", (message) => resolve(message as Told));
    });
    this.tell({ kind: "tell" });
    return await told;
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = new Promise((resolve) => {
      this.child.once("exit", resolve);
    });
    this.child.kill("SIGTERM");
    await exited;
  }
}
