/** What a benchmark needs around it: a broker of its own, topics, function servers and routers; all of it ends with the stage. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Admin, Kafka, logLevel, Partitioners } from "kafkajs";
import { type BrokerHandle, brokerDown, brokerUp } from "../src/dev/broker";
import { RouterProcess } from "../test/support/router-process";
import { partitions, valueText } from "./workload";

export interface StageOptions {
  /** Flags of `dirigo run`. */
  readonly routerFlags: readonly string[];
  /** Flags of node, for routers and pipes. */
  readonly nodeFlags: readonly string[];
  /** Write a CPU profile of every router and pipe into this folder. */
  readonly profileDirectory: string | undefined;
}

/** A process that this one forked, and what it told when it was ready. */
export interface Helper {
  readonly pid: number;
  readonly port: number;
  running(): boolean;
  end(): Promise<void>;
}

/** Topics of one run. */
export interface Topics {
  readonly group: string;
  readonly input: string;
  readonly results: string;
  readonly progress: string;
}

type Undo = () => Promise<unknown>;

/** Undoes what was done, once, however often it is asked for; a signal or a bug asks for it too, and the process ends afterwards. */
function endAlways(undo: Undo[]): () => Promise<void> {
  let ending: Promise<void> | undefined;
  const end = (): Promise<void> => {
    ending ??= (async () => {
      for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
        // What cannot be ended must not keep the rest.
        await step().catch((error: unknown) => console.error(error));
      }
    })();
    return ending;
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end().finally(() => process.exit(130)));
  const broken = (error: unknown): void => {
    if (ending === undefined) console.error(error);
    end().finally(() => process.exit(1));
  };
  process.on("uncaughtException", broken).on("unhandledRejection", broken);
  return end;
}

const root = join(__dirname, "..", "..");
const recordsPerSend = 5_000;

export class Stage {
  #runs = 0;

  private constructor(
    readonly options: StageOptions,
    readonly broker: BrokerHandle,
    readonly kafka: Kafka,
    readonly admin: Admin,
    readonly undo: Undo[],
    readonly end: () => Promise<void>,
  ) {}

  static async open(options: StageOptions): Promise<Stage> {
    const undo: Undo[] = [];
    const ending = endAlways(undo);
    const directory = mkdtempSync(join(tmpdir(), "dirigo-bench-"));
    undo.push(async () => {
      await brokerDown({ directory });
      rmSync(directory, { recursive: true, force: true });
    });
    try {
      const broker = await brokerUp({ port: 0, directory, say: (line) => console.error(line) });
      const kafka = new Kafka({
        clientId: "bench",
        brokers: [broker.bootstrap],
        logLevel: logLevel.NOTHING,
        retry: { initialRetryTime: 20, retries: 30, maxRetryTime: 1_000 },
      });
      const admin = kafka.admin();
      await admin.connect();
      undo.push(() => admin.disconnect());
      return new Stage(options, broker, kafka, admin, undo, ending);
    } catch (error) {
      await ending();
      throw error;
    }
  }

  /** Ends everything, the latest first. */
  async close(): Promise<void> {
    await this.end();
  }

  /** Topics with names of their own. The broker stamps results when it takes them, so that the log itself tells the rate. */
  async createTopics(what: string): Promise<Topics> {
    const group = `${what}-${++this.#runs}`;
    const topics = { group, input: `${group}-in`, results: `${group}-out`, progress: `${group}-progress` };
    const stamped = [{ name: "message.timestamp.type", value: "LogAppendTime" }];
    await this.admin.createTopics({
      waitForLeaders: true,
      topics: [
        { topic: topics.input, numPartitions: partitions },
        { topic: topics.results, numPartitions: partitions, configEntries: stamped },
        { topic: topics.progress, numPartitions: partitions },
      ],
    });
    return topics;
  }

  /** One record per key, in order. */
  async preload(topic: string, keys: readonly string[], firstIndex = 0): Promise<void> {
    // Idempotent: a try that some partitions of a new topic refuse is repeated for all of them.
    const producer = this.kafka.producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    for (let from = 0; from < keys.length; from += recordsPerSend) {
      const messages = keys
        .slice(from, from + recordsPerSend)
        .map((key, index) => ({ key, value: valueText(firstIndex + from + index) }));
      await producer.send({ topic, messages });
    }
    await producer.disconnect();
  }

  async functions(topics: Topics): Promise<Helper> {
    const child = fork(join(__dirname, "counter-server.js"), [topics.results], { stdio: "inherit" });
    const port = await new Promise<number>((resolve, reject) => {
      child.once("message", (message) => resolve((message as { port: number }).port));
      child.once("exit", () => reject(new Error("the function server ended before it was ready")));
    });
    return this.#helper(child, port);
  }

  pipe(topics: Topics): Helper {
    const parameters = [this.broker.bootstrap, topics.input, topics.results, topics.progress, String(partitions)];
    const child = fork(join(__dirname, "pipe-process.js"), parameters, { stdio: "inherit", execArgv: this.#nodeFlags() });
    return this.#helper(child, 0);
  }

  #helper(child: ChildProcess, port: number): Helper {
    let running = true;
    const exited = new Promise<void>((resolve) => {
      child.once("exit", () => {
        running = false;
        resolve();
      });
    });
    const end = async (): Promise<void> => {
      child.kill("SIGTERM");
      await exited;
    };
    if (child.pid === undefined) throw new Error("the process could not be started");
    this.undo.push(end);
    return { pid: child.pid, port, running: () => running, end };
  }

  #nodeFlags(): string[] {
    const { profileDirectory, nodeFlags } = this.options;
    const profiling = profileDirectory === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDirectory}`];
    return [...nodeFlags, ...profiling];
  }

  /** Started, not ready. */
  async router(
    topics: Topics,
    functions: Helper,
    more: { readonly batchMax?: number; readonly name?: string } = {},
  ): Promise<RouterProcess> {
    const router = await RouterProcess.start({
      module: join(root, "bench", "module.yaml"),
      bootstrap: this.broker.bootstrap,
      group: topics.group,
      name: more.name ?? "bench",
      flags: this.options.routerFlags,
      nodeFlags: this.#nodeFlags(),
      environment: {
        KAFKA_BOOTSTRAP_SERVERS: this.broker.bootstrap,
        BENCH_INPUT: topics.input,
        BENCH_FUNCTION_PORT: String(functions.port),
        ...(more.batchMax === undefined ? {} : { BENCH_BATCH_MAX: String(more.batchMax) }),
      },
    });
    this.undo.push(async () => router.running && (await router.kill()));
    return router;
  }
}
