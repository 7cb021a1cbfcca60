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

/** One deployment: names of its own, a function server, a module.yaml. */
export class Counting {
  readonly names: Names;
  readonly #directory = mkdtempSync(join(tmpdir(), "dirigo-e2e-"));
  readonly #routers: RouterProcess[] = [];
  /** Resolved: the function answers at once. Otherwise every message waits for it. */
  gate: Promise<void> = Promise.resolve();
  /** Messages that the function was called with, whether the call came to anything or not. */
  calls = 0;

  private constructor(
    readonly bootstrap: string,
    base: string,
  ) {
    const group = uniqueName(base);
    this.names = { group, input: `${group}-in`, results: `${group}-out` };
  }

  #server: FunctionServer | undefined;

  static async open(bootstrap: string, base: string): Promise<Counting> {
    const counting = new Counting(bootstrap, base);
    await counting.#serve();
    return counting;
  }

  async #serve(): Promise<void> {
    const { results } = this.names;
    const counter = defineFunction({
      typename: "e2e/counter",
      states: { count: state.int() },
      handle: async (ctx) => {
        this.calls++;
        await this.gate;
        const count = (ctx.state.count ?? 0) + 1;
        ctx.state.count = count;
        ctx.kafka("e2e/results", { topic: results, key: ctx.self.id, value: String(count) });
      },
    });
    this.#server = await serve([counter], 0, { host: "127.0.0.1" });
    writeFileSync(this.#module, moduleText(this.bootstrap, this.#server.port, this.names));
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
    this.#server?.server.closeAllConnections();
    await this.#server?.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function moduleText(address: string, port: number, { group, input }: Names): string {
  return `
kind: io.statefun.endpoints.v2/http
spec:
  functions: e2e/counter
  urlPathTemplate: http://127.0.0.1:${port}
---
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
