/** A real router process over a real Kafka, functions behind a wiretap. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openKafka, type TestKafka, type TopicReader, uniqueName, waitFor } from "../support/kafka";
import { type Bench, gather, observationOf } from "./bench";
import { ACTOR, COMMAND, RAW, RESULTS } from "./commands";
import { type Host, type Sdk, startHost } from "./host";
import type { Message, Observation, RawObservation } from "./scenarios";
import { Wiretap } from "./wiretap";

/** Seen from dist/test/conformance, where this runs compiled. */
const project = join(__dirname, "..", "..", "..");
const partitions = 4;
/** Long for a result that was asked for: the comparison that follows says what is missing. */
const patienceMs = 120_000;
const logLinesKept = 60;

interface Topics {
  readonly commands: string;
  readonly results: string;
  readonly raw: string;
}

function moduleText(topics: Topics, address: string, url: string, group: string): string {
  return `kind: io.statefun.endpoints.v2/http
spec:
  functions: conformance/*
  urlPathTemplate: ${url}
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: conformance/commands
  address: ${address}
  consumerGroupId: ${group}
  startupPosition:
    type: earliest
  topics:
    - topic: ${topics.commands}
      valueType: ${COMMAND}
      targets:
        - ${ACTOR}
---
kind: io.statefun.kafka.v1/egress
spec:
  id: ${RESULTS}
  address: ${address}
  deliverySemantic:
    type: exactly-once
    transactionTimeout: 1min
---
kind: io.dirigo.kafka.v1/raw-egress
spec:
  id: ${RAW}
  address: ${address}
  topic: ${topics.raw}
  key: sender-id
`;
}

export class KafkaBench implements Bench {
  #router: ChildProcess | undefined;
  readonly #log: string[] = [];
  readonly #seen = new Map<string, Observation[]>();
  readonly #seenRaw = new Map<string, RawObservation[]>();
  #taken = 0;
  #takenRaw = 0;

  private constructor(
    readonly kafka: TestKafka,
    readonly topics: Topics,
    readonly host: Host,
    readonly tap: Wiretap,
    readonly directory: string,
    readonly resultReader: TopicReader,
    readonly rawReader: TopicReader,
  ) {}

  static async open(sdk: Sdk): Promise<KafkaBench> {
    const kafka = await openKafka();
    const topics = {
      commands: await kafka.createTopic(uniqueName("commands"), partitions),
      results: await kafka.createTopic(uniqueName("results"), partitions),
      raw: await kafka.createTopic(uniqueName("raw"), partitions),
    };
    const host = await startHost(sdk, topics.results);
    const tap = await Wiretap.open(host.url);
    const directory = await mkdtemp(join(tmpdir(), "dirigo-conformance-"));
    const bench = new KafkaBench(kafka, topics, host, tap, directory, kafka.follow(topics.results), kafka.follow(topics.raw));
    await bench.#start(uniqueName("conformance"));
    return bench;
  }

  async #start(group: string): Promise<void> {
    const file = join(this.directory, "module.yaml");
    await writeFile(file, moduleText(this.topics, this.kafka.bootstrap, this.tap.url, group));
    const command = [join(project, "bin", "dirigo"), "run", "-f", file, "--admin-port", "0", "--log", "json"];
    const router = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [router.stdout, router.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        this.#log.push(...chunk.toString().split("\n").filter(Boolean));
        this.#log.splice(0, Math.max(0, this.#log.length - logLinesKept));
      });
    }
    this.#router = router;
  }

  /** The router's last lines, for a failure's explanation. */
  get log(): string {
    return this.#log.join("\n");
  }

  async close(): Promise<void> {
    const router = this.#router;
    if (router !== undefined && router.exitCode === null && router.signalCode === null) {
      const exited = new Promise((resolve) => router.once("exit", resolve));
      router.kill("SIGTERM");
      await Promise.race([exited, sleep(15_000, undefined, { ref: false })]);
      router.kill("SIGKILL");
      await exited;
    }
    await this.host.stop();
    await this.tap.close();
    await this.kafka.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  async say(messages: readonly Message[]): Promise<void> {
    await this.kafka.produce(
      this.topics.commands,
      messages.map(({ id, command }) => ({ key: id, value: JSON.stringify(command) })),
    );
  }

  async pass(ms: number): Promise<void> {
    await sleep(ms);
  }

  async until(holds: () => boolean): Promise<void> {
    const routerGone = () => this.#router?.exitCode !== null || this.#router.signalCode !== null;
    await waitFor(() => holds() || routerGone(), "results", { timeoutMs: patienceMs }).catch(() => {
      console.error(`after ${patienceMs / 1_000} s results are missing; the router's last lines:\n${this.log}`);
    });
    if (routerGone()) throw new Error(`the router ended; its last lines:\n${this.log}`);
  }

  results(id: string): readonly Observation[] {
    const { records } = this.resultReader;
    for (; this.#taken < records.length; this.#taken++) {
      const record = records[this.#taken];
      if (record) gather(this.#seen, record.key ?? "", observationOf(record.value ?? Buffer.alloc(0)));
    }
    return this.#seen.get(id) ?? [];
  }

  raw(id: string): readonly RawObservation[] {
    const { records } = this.rawReader;
    for (; this.#takenRaw < records.length; this.#takenRaw++) {
      const record = records[this.#takenRaw];
      const hex = record?.value?.toString("hex") ?? "";
      if (record) gather(this.#seenRaw, record.key ?? "", { typename: record.headers.typename ?? "", hex });
    }
    return this.#seenRaw.get(id) ?? [];
  }
}
