/** One function in dual mode, real: a router process, Kafka, and between router and function a wiretap that makes it slow. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { controlTopic, stateTopic } from "../../src/cluster/topics";
import { type NewRecord, openKafka, type TestKafka, type TopicReader, uniqueName, waitFor } from "../support/kafka";
import { RouterProcess } from "../support/router-process";
import type { Host } from "./host";
import { Wiretap } from "./wiretap";

/** Each request, of four messages at most, takes this long whatever the machine: what waits for a hot address soon is late elsewhere, too. */
const requestMs = 5;
const batch = 4;
/** By their timestamps records are late when they come, so that leases depend on what waits and not on how fast the machine is. */
const agoMs = 600_000;
const patienceMs = 60_000;

export interface DualFunction {
  readonly typename: string;
  /** Types of the values of its topics. */
  readonly valueTypes: readonly string[];
  readonly critical: readonly string[];
  /** By state. */
  readonly merge: Readonly<Record<string, string>>;
}

export class DualBench {
  readonly #recordsMs = Date.now() - agoMs;

  private constructor(
    readonly kafka: TestKafka,
    readonly group: string,
    readonly resultsTopic: string,
    readonly host: Host,
    readonly tap: Wiretap,
    readonly directory: string,
    readonly router: RouterProcess,
    readonly results: TopicReader,
    readonly state: TopicReader,
    readonly control: TopicReader,
  ) {}

  static async open(dual: DualFunction, start: (resultsTopic: string) => Promise<Host>): Promise<DualBench> {
    const kafka = await openKafka();
    const group = uniqueName("dual");
    const resultsTopic = await kafka.createTopic(`${group}-results`);
    for (const valueType of dual.valueTypes) await kafka.createTopic(topicOf(group, valueType));
    const host = await start(resultsTopic);
    const tap = await Wiretap.open(host.url, requestMs);
    const directory = await mkdtemp(join(tmpdir(), "dirigo-conformance-"));
    const module = join(directory, "module.yaml");
    await writeFile(module, moduleText(dual, group, kafka.bootstrap, tap.url));
    // No lease ends because a slow machine has nothing for it.
    const flags = ["--shards", "2", "--lease-idle-ms", "600000"];
    const router = await RouterProcess.start({ module, bootstrap: kafka.bootstrap, flags });
    const follow = (topic: string) => kafka.follow(topic);
    const readers = [follow(resultsTopic), follow(stateTopic(group)), follow(controlTopic(group))] as const;
    return new DualBench(kafka, group, resultsTopic, host, tap, directory, router, ...readers);
  }

  async close(): Promise<void> {
    if (this.router.running) await this.router.kill();
    await this.host.stop();
    await this.tap.close();
    await this.kafka.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** JSON values to the only partition of a topic, in order. */
  async say(valueType: string, records: readonly Pick<NewRecord, "key" | "value" | "headers">[]): Promise<void> {
    const timestamp = String(this.#recordsMs);
    await this.kafka.produce(
      topicOf(this.group, valueType),
      records.map((record) => ({ ...record, timestamp })),
    );
  }

  /** A router that ends by itself is waited for no longer. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const { router } = this;
    await waitFor(() => condition() || !router.running, what, { timeoutMs: patienceMs, seen: () => router.story });
    if (!condition()) throw new Error(`the router ended before ${what}:\n${router.story}`);
  }
}

function topicOf(group: string, valueType: string): string {
  return `${group}-${valueType.replace("/", "-")}`;
}

function moduleText(
  { typename, valueTypes, critical, merge }: DualFunction,
  group: string,
  address: string,
  url: string,
): string {
  const topics = valueTypes.map((valueType) => ({ topic: topicOf(group, valueType), valueType, targets: [typename] }));
  const states = Object.fromEntries(Object.entries(merge).map(([name, strategy]) => [name, { merge: strategy }]));
  return `kind: io.statefun.endpoints.v2/http
spec: { functions: ${typename}, urlPathTemplate: "${url}", concurrency: 8, maxNumBatchRequests: ${batch} }
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: dual/ingress
  address: ${address}
  consumerGroupId: ${group}
  startupPosition: { type: earliest }
  topics: ${JSON.stringify(topics)}
---
kind: io.dirigo.v1/application
spec: { name: dual, ingresses: [dual/ingress], slo: { latency: 10s, from: record-timestamp } }
---
kind: io.dirigo.v1/function
spec: ${JSON.stringify({ functions: typename, mode: "dual", maxLessees: 4, critical, states })}
---
kind: io.statefun.kafka.v1/egress
spec: { id: dual/results, address: "${address}", deliverySemantic: { type: exactly-once } }
`;
}
