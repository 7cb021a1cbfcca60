/** What the test of windows runs: clicks per window of a function in dual mode, served here, and what its totals must be. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { defineFunction, type FunctionServer, serve, state, types } from "../../src/functions/sdk";
import type { Random } from "../../src/model/random";
import { type NewRecord, type SeenRecord, uniqueName } from "../support/kafka";
import { RouterProcess } from "../support/router-process";

/** Length of the windows, in the records' time: what the clock of the machine says plays no part. */
export const EVERY_MS = 500;
export const LATENESS_MS = 100;
/** Each message holds its slot for this long at least, so that a hot actor is late by itself however fast the machine is. */
const MESSAGE_MS = 1;

/** What the function tells at the end of a window in which there was a click. */
export interface Total {
  /** ms. */
  readonly start: number;
  readonly clicks: number;
  /** Since the beginning: never cleared, so that parts are merged into a base that has something. */
  readonly ever: string;
  /** Rising, each once. */
  readonly ids: readonly string[];
  /** Of the ids: by it the function merges, too, and a part that is merged twice or not at all shows. */
  readonly checksum: number;
}

/** In any order, by any grouping. */
function checksummed(checksum: number, id: string): number {
  return added(checksum, createHash("sha1").update(id).digest().readUInt32BE());
}

function added(one: number, other: number): number {
  return (one + other) % 2 ** 32;
}

const click = types.json<{ id: string }>("e2e/click");
const windowEnd = types.json<{ start: number; end: number }>("io.dirigo.types/window-end");

/** One deployment: names of its own, a function server, a module.yaml. */
export class Windows {
  readonly group = uniqueName("windows");
  readonly input = `${this.group}-in`;
  readonly totals = `${this.group}-out`;
  readonly #directory = mkdtempSync(join(tmpdir(), "dirigo-e2e-"));
  readonly #routers: RouterProcess[] = [];
  #server: FunctionServer | undefined;

  private constructor(readonly bootstrap: string) {}

  static async open(bootstrap: string): Promise<Windows> {
    const windows = new Windows(bootstrap);
    await windows.#serve();
    return windows;
  }

  async #serve(): Promise<void> {
    const clicks = defineFunction({
      typename: "e2e/clicks",
      states: {
        clicks: state.int(),
        ever: state.long(),
        ids: state.json<readonly string[]>("e2e/ids"),
        checksum: state.double(),
      },
      handle: async (ctx, message) => {
        await sleep(MESSAGE_MS);
        if (!message.is(windowEnd)) {
          ctx.state.clicks = (ctx.state.clicks ?? 0) + 1;
          ctx.state.ever = (ctx.state.ever ?? 0n) + 1n;
          const { id } = message.as(click);
          ctx.state.ids = [...(ctx.state.ids ?? []), id];
          ctx.state.checksum = checksummed(ctx.state.checksum ?? 0, id);
          return;
        }
        if (ctx.state.clicks === undefined) return;
        const total: Total = {
          start: message.as(windowEnd).start,
          clicks: ctx.state.clicks,
          ever: String(ctx.state.ever),
          ids: [...(ctx.state.ids ?? [])].sort(),
          checksum: ctx.state.checksum ?? 0,
        };
        ctx.kafka("e2e/totals", { topic: this.totals, key: ctx.self.id, value: JSON.stringify(total) });
        delete ctx.state.clicks;
        delete ctx.state.ids;
        delete ctx.state.checksum;
      },
      merge(base, part) {
        if (part.checksum !== undefined) base.checksum = added(base.checksum ?? 0, part.checksum);
      },
    });
    this.#server = await serve([clicks], 0, { host: "127.0.0.1" });
    writeFileSync(this.module, this.#text(this.#server.port));
  }

  get module(): string {
    return join(this.#directory, "module.yaml");
  }

  /**
   * `idle` is beyond any test: no partition goes by the clock. By their timestamps all clicks are late when they come: what opens leases is the
   * number that waits, and not how fast the machine is.
   */
  #text(port: number): string {
    return `
kind: io.statefun.endpoints.v2/http
spec: { functions: e2e/clicks, urlPathTemplate: "http://127.0.0.1:${port}", concurrency: 8 }
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: e2e/clicks-ingress
  address: ${this.bootstrap}
  consumerGroupId: ${this.group}
  startupPosition: { type: earliest }
  topics:
    - { topic: ${this.input}, valueType: e2e/click, targets: [e2e/clicks] }
  watermark: { every: ${EVERY_MS}ms, lateness: ${LATENESS_MS}ms, idle: 1h, functions: [e2e/clicks] }
---
kind: io.dirigo.v1/application
spec: { name: alerting, ingresses: [e2e/clicks-ingress], slo: { latency: 5s, from: record-timestamp } }
---
kind: io.dirigo.v1/function
spec:
  functions: e2e/clicks
  mode: dual
  maxLessees: 6
  states: { clicks: { merge: sum }, ever: { merge: sum }, ids: { merge: set-union }, checksum: { merge: function } }
---
kind: io.statefun.kafka.v1/egress
spec: { id: e2e/totals, address: "${this.bootstrap}", deliverySemantic: { type: exactly-once } }
`;
  }

  /** Started, not ready; ended with the deployment if it still runs. */
  async router(name: string): Promise<RouterProcess> {
    const { module, bootstrap, group } = this;
    const router = await RouterProcess.start({ module, bootstrap, group, name, flags: ["--shards", "4"] });
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

/** Clicks of some windows for one partition: most for the hot key, in no strict order, some of them late. */
export class Clicks {
  #next = 0;

  constructor(
    readonly partition: number,
    readonly startMs: number,
    private readonly random: Random,
  ) {}

  /** Windows are counted from `startMs`. */
  ofWindows(from: number, to: number, perWindow: number): NewRecord[] {
    const records = Array.from({ length: (to - from) * perWindow }, () => this.#one(from, to));
    // Within `lateness` records may come in any order.
    const place = ({ timestamp }: NewRecord): number => Number(timestamp) + this.random.next() * LATENESS_MS;
    const placed = records.map((record) => [this.random.next() < 0.02 ? -1 : place(record), record] as const);
    const late = placed.filter(([at]) => at < 0).map(([, record]) => record);
    const inTime = placed.filter(([at]) => at >= 0).sort(([one], [other]) => one - other);
    return [...inTime.map(([, record]) => record), ...late];
  }

  #one(from: number, to: number): NewRecord {
    const timeMs = this.startMs + (from + this.random.next() * (to - from)) * EVERY_MS;
    const key = this.random.next() < 0.9 ? "hot" : `cold${this.random.below(5)}`;
    const id = `${this.partition}.${this.#next++}`;
    return { partition: this.partition, key, timestamp: String(Math.floor(timeMs)), value: JSON.stringify({ id }) };
  }
}

/** What is to be told: of each key and window that has ended and had clicks, in the order of windows. */
export function totalsOf(clicks: readonly SeenRecord[]): ReadonlyMap<string, readonly Total[]> {
  const { byWindow, least } = windowed(clicks);
  const totals = new Map<string, Total[]>();
  const ever = new Map<string, number>();
  for (const window of [...byWindow.keys()].sort((a, b) => a - b)) {
    if (window >= least) break; // It is open.
    for (const [key, ids] of byWindow.get(window) ?? []) {
      ever.set(key, (ever.get(key) ?? 0) + ids.length);
      const list = totals.get(key) ?? [];
      totals.set(key, list);
      list.push({
        start: window * EVERY_MS,
        clicks: ids.length,
        ever: String(ever.get(key)),
        ids: [...new Set(ids)].sort(),
        checksum: ids.reduce(checksummed, 0),
      });
    }
  }
  return totals;
}

/**
 * docs/windows.md: a partition has passed the end of a window when it has shown a time `lateness` or more behind it; a record counts for the
 * window of its time, or for the one that is open in its partition when that is over.
 */
function windowed(clicks: readonly SeenRecord[]) {
  const passed = new Map<number, number>();
  const byWindow = new Map<number, Map<string, string[]>>();
  for (const { partition, key = "", timestampMs, text } of clicks) {
    const shown = Math.max(passed.get(partition) ?? -1, Math.floor((timestampMs - LATENESS_MS) / EVERY_MS));
    passed.set(partition, shown);
    const window = Math.max(shown, Math.floor(timestampMs / EVERY_MS));
    const keys = byWindow.get(window) ?? new Map<string, string[]>();
    byWindow.set(window, keys.set(key, [...(keys.get(key) ?? []), (JSON.parse(text) as { id: string }).id]));
  }
  return { byWindow, least: Math.min(...passed.values()) };
}

/** What was told instead. */
export function windowFaults(told: readonly SeenRecord[], expected: ReadonlyMap<string, readonly Total[]>): string[] {
  const faults: string[] = [];
  const counts = new Map<string, number>();
  for (const { key = "", text } of told) {
    const count = counts.get(key) ?? 0;
    counts.set(key, count + 1);
    const total = JSON.parse(text) as Total;
    const due = expected.get(key)?.[count];
    if (due === undefined) faults.push(`${key}: told window ${total.start}, which was not due`);
    else if (JSON.stringify(total) !== JSON.stringify(due)) faults.push(`${key}: ${differenceText(total, due)}`);
  }
  for (const [key, list] of expected) {
    if (counts.get(key) !== list.length) faults.push(`${key}: ${counts.get(key) ?? 0} of ${list.length} windows were told`);
  }
  return faults.slice(0, 20);
}

function differenceText(total: Total, due: Total): string {
  const lost = due.ids.filter((id) => !total.ids.includes(id));
  const foreign = total.ids.filter((id) => !due.ids.includes(id));
  const numbers = ({ start, clicks, ever, checksum }: Total) =>
    `window ${start}: ${clicks} clicks, ${ever} ever, checksum ${checksum}`;
  return `${numbers(total)} instead of ${numbers(due)}; lost [${lost}], of other windows [${foreign}]`;
}
