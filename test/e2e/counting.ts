/** What the end-to-end tests run: a counting function, served here, and the check of everything it wrote. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineFunction, type FunctionServer, serve, state } from "../../src/functions/sdk";
import { type SeenRecord, uniqueName } from "../support/kafka";
import { RouterProcess } from "../support/router-process";

export interface Names {
  readonly group: string;
  readonly input: string;
  readonly results: string;
}

export interface Deployment {
  /** Function servers. */
  readonly replicas?: number;
  /** More of the endpoint's spec, as YAML: `{ placement: home }`. */
  readonly endpoint?: Readonly<Record<string, string>>;
}

/** One deployment: names of its own, function servers, a module.yaml. */
export class Counting {
  readonly names: Names;
  readonly #directory = mkdtempSync(join(tmpdir(), "dirigo-e2e-"));
  readonly #routers: RouterProcess[] = [];
  /** Resolved: the function answers at once. Otherwise every message waits for it. */
  gate: Promise<void> = Promise.resolve();
  /** Messages that the function was called with, whether the call came to anything or not. */
  calls = 0;
  /** The same, of each server. */
  readonly callsOf: number[] = [];

  private constructor(
    readonly bootstrap: string,
    base: string,
  ) {
    const group = uniqueName(base);
    this.names = { group, input: `${group}-in`, results: `${group}-out` };
  }

  readonly #servers: (FunctionServer | undefined)[] = [];
  readonly #ports: number[] = [];

  static async open(bootstrap: string, base: string, { replicas = 1, endpoint = {} }: Deployment = {}): Promise<Counting> {
    const counting = new Counting(bootstrap, base);
    for (let at = 0; at < replicas; at++) await counting.serve(at);
    const urls = counting.#ports.map((port) => `http://127.0.0.1:${port}`);
    writeFileSync(counting.#module, moduleText(bootstrap, urls, endpoint, counting.names));
    return counting;
  }

  /** Starts a server; again: on the port it had. */
  async serve(at: number): Promise<void> {
    const { results } = this.names;
    this.callsOf[at] = 0;
    const counter = defineFunction({
      typename: "e2e/counter",
      states: { count: state.int() },
      handle: async (ctx) => {
        this.calls++;
        this.callsOf[at] = (this.callsOf[at] ?? 0) + 1;
        await this.gate;
        const count = (ctx.state.count ?? 0) + 1;
        ctx.state.count = count;
        ctx.kafka("e2e/results", { topic: results, key: ctx.self.id, value: String(count) });
      },
    });
    const server = await serve([counter], this.#ports[at] ?? 0, { host: "127.0.0.1" });
    this.#servers[at] = server;
    this.#ports[at] = server.port;
  }

  /** Ends a server with everything it is doing. */
  async unserve(at: number): Promise<void> {
    const server = this.#servers[at];
    this.#servers[at] = undefined;
    server?.server.closeAllConnections();
    await server?.close();
  }

  get #module(): string {
    return join(this.#directory, "module.yaml");
  }

  /** Started, not ready; ended with the deployment if it still runs. */
  async router(name: string, flags: readonly string[] = []): Promise<RouterProcess> {
    const router = await RouterProcess.start({
      module: this.#module,
      bootstrap: this.bootstrap,
      group: this.names.group,
      name,
      flags,
    });
    this.#routers.push(router);
    return router;
  }

  async close(): Promise<void> {
    await Promise.all(this.#routers.filter((router) => router.running).map((router) => router.kill()));
    for (const at of this.#servers.keys()) await this.unserve(at);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function moduleText(
  address: string,
  urls: readonly string[],
  endpoint: Readonly<Record<string, string>>,
  { group, input }: Names,
): string {
  const more = Object.entries(endpoint).map(([name, value]) => `  ${name}: ${value}\n`);
  return `
kind: io.statefun.endpoints.v2/http
spec:
  functions: e2e/counter
  urls: [${urls.map((url) => `"${url}"`).join(", ")}]
${more.join("")}---
kind: io.statefun.kafka.v1/ingress
spec:
  id: e2e/input
  address: ${address}
  consumerGroupId: ${group}
  startupPosition: { type: earliest }
  topics:
    - { topic: ${input}, valueType: e2e/value, targets: [e2e/counter] }
---
kind: io.statefun.kafka.v1/egress
spec:
  id: e2e/results
  address: ${address}
  deliverySemantic: { type: exactly-once }
`;
}

export function keysTo(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `k${index}`);
}

/** Where the results are not (key, 1..n), each once and in order; n = how often the key was produced. */
export function countingFaults(results: readonly SeenRecord[], produced: ReadonlyMap<string, number>): string[] {
  const counts = new Map<string, number>();
  const faults: string[] = [];
  for (const { key = "", text, partition, offset } of results) {
    const next = (counts.get(key) ?? 0) + 1;
    if (text !== String(next))
      faults.push(`${key}: ${text} where ${next} was expected (partition ${partition}, offset ${offset})`);
    counts.set(key, Number(text));
  }
  for (const [key, count] of produced)
    if (counts.get(key) !== count) faults.push(`${key} ended at ${counts.get(key) ?? 0} of ${count}`);
  for (const key of counts.keys()) if (!produced.has(key)) faults.push(`${key} was never produced`);
  return faults.slice(0, 20);
}
