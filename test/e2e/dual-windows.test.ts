/**
 * Dual mode with everything real: a hot key in all partitions of a watermarked ingress, lessees that count its clicks, and a router that is
 * killed again and again. What a committed reader sees afterwards is every window of every key once, with exactly its clicks.
 *
 * The seed of a failed run is in its output; DIRIGO_TEST_SEED repeats the records, and the moments as far as real processes let them be.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { controlTopic, stateTopic } from "../../src/cluster/topics";
import { Random } from "../../src/model/random";
import { ControlTail } from "../support/control-tail";
import { appliedByLessees, controlOf, controlRecord, partsIn, partsOf, protocolFaults } from "../support/dual-log";
import { openKafka, type SeenRecord, type TestKafka, type TopicReader, waitFor } from "../support/kafka";
import type { RouterProcess } from "../support/router-process";
import { Clicks, EVERY_MS, totalsOf, Windows, windowFaults } from "./windows";

const killCount = 10;
const partitions = 3;
/** Windows that are produced at a time, and clicks of each in each partition. */
const windowsAtATime = 4;
const clicksPerWindow = 40;
const hot = "e2e/clicks/hot";
const seed = Number(process.env.DIRIGO_TEST_SEED ?? Date.now() % 1_000_000);

describe(`a router that counts windows with lessees, killed ${killCount} times (seed ${seed})`, () => {
  const moments = new Random(seed);
  /** Old enough that no clock is behind it, and a window's beginning. */
  const startMs = Math.floor((Date.now() - 600_000) / EVERY_MS) * EVERY_MS;
  const sources = Array.from({ length: partitions }, (_, partition) => {
    return new Clicks(partition, startMs, new Random(seed + 1 + partition));
  });
  let produced = 0;
  let kafka: TestKafka;
  let windows: Windows;
  let totals: TopicReader;
  let state: TopicReader;
  let control: TopicReader;
  let router: RouterProcess;

  beforeAll(async () => {
    kafka = await openKafka();
    windows = await Windows.open(kafka.bootstrap);
    await kafka.createTopic(windows.input, partitions);
    await kafka.createTopic(windows.totals, partitions);
    totals = kafka.follow(windows.totals);
    state = kafka.follow(stateTopic(windows.group));
    control = kafka.follow(controlTopic(windows.group));
  });

  afterAll(async () => {
    await windows?.close();
    await kafka?.close();
  });

  /** The last of them is not over before the next are produced. */
  async function produce(): Promise<void> {
    const [from, to] = [produced, produced + windowsAtATime];
    await kafka.produce(
      windows.input,
      sources.flatMap((source) => source.ofWindows(from, to, clicksPerWindow)),
    );
    produced = to;
  }

  /** What the topic really holds: a producer may repeat what it sent. */
  const expected = async () => totalsOf(await kafka.readAll(windows.input));
  const count = (lists: ReadonlyMap<string, readonly unknown[]>) => [...lists.values()].reduce((n, { length }) => n + length, 0);

  const story = () => ({
    totals: totals.records.length,
    control: control.records.slice(-10).map((record) => `${record.key} ${controlRecord(record).kind}`),
    router: router.story,
  });

  /** A router that ends by itself is waited for no longer. */
  async function seen(condition: () => boolean, what: string, everyMs = 25): Promise<void> {
    await waitFor(() => condition() || !router.running, what, { timeoutMs: 60_000, everyMs, seen: story });
    if (!condition()) throw new Error(`the router ended before ${what}:\n${router.story}`);
  }

  const told = (due: number) => seen(() => totals.records.length >= due, `${due} windows`, 1);

  async function killAndStart(): Promise<void> {
    await router.kill();
    router = await windows.router("only");
  }

  /** While windows end one after the other; some routers die while they claim, restore and consolidate. */
  async function killAtRandom(before: number, due: number): Promise<void> {
    await told(before + 1 + moments.below(due - before));
    await sleep(moments.below(60));
    await killAndStart();
    if (moments.next() > 0.4) return;
    await sleep(moments.below(1_500));
    await killAndStart();
  }

  /** While the clicks of an open window lie with lessees: no barrier is near that would end their leases. */
  async function killWithParts(due: number): Promise<void> {
    await told(due);
    await seen(() => partsIn(state.records).length > 0, "parts in the log");
    await killAndStart();
  }

  async function checkAll(): Promise<void> {
    const due = await expected();
    await told(count(due));
    expect(windowFaults(await kafka.readAll(windows.totals), due)).toEqual([]);
    expect(due.get("hot")?.length).toBeGreaterThanOrEqual(produced - 1);
  }

  /** All clicks are counted, those of the open window, too; then idle lessees are soon merged. */
  async function rested(): Promise<void> {
    const finished = async () => {
      const status = (await (await router.ask("/v1/status"))?.json()) as { inputs: readonly { outstanding: number }[] };
      return status.inputs.length === partitions && status.inputs.every(({ outstanding }) => outstanding === 0);
    };
    await waitFor(finished, "all clicks to be counted", { seen: story });
    const partless = async () => (await partsOf(kafka, windows.group)).length === 0;
    await waitFor(partless, "parts to be gone", { seen: () => partsIn(state.records) });
  }

  test("every window of every key is told once, with exactly its clicks", async () => {
    router = await windows.router("only");
    for (let kill = 0; kill < killCount; kill++) {
      const before = totals.records.length;
      await produce();
      const due = count(await expected());
      if (kill % 2 === 0) await killAtRandom(before, due);
      else await killWithParts(due);
    }
    await produce();
    await checkAll();
    await rested();
  }, 200_000);

  test("lessees have counted, and leases went by the protocol", async () => {
    const records = await controlOf(kafka, windows.group);
    expect(protocolFaults(records, "kept")).toEqual([]);
    const reasons = (kind: string) => records.filter((each) => each.kind === kind && each.actor.id === "hot");
    expect(reasons("lease_granted").length).toBeGreaterThan(killCount);
    expect(appliedByLessees(records, hot)).toBeGreaterThan(produced);
    const ended = new Set(records.flatMap((each) => (each.kind === "lease_ended" ? [each.reason] : [])));
    expect([...ended]).toEqual(expect.arrayContaining(["barrier", "recovery"]));
  });

  test("control tail shows every step, as text and as JSON", async () => {
    const written = await kafka.readAll(controlTopic(windows.group));
    const flags = ["-f", windows.module, "--from-start"];
    const [text, json] = [new ControlTail(flags), new ControlTail([...flags, "--json"])];
    try {
      const shown = () => text.lines.length >= written.length && json.lines.length >= written.length;
      const heard = () => [text.lines.length, text.errors, json.lines.length, json.errors, written.length];
      await waitFor(shown, "all control records", { seen: heard });
      const objects = json.lines.map(
        (line) => JSON.parse(line) as { shard: number; offset: number; kind: string; actor: string },
      );
      expect(objects.map(({ shard, offset, kind, actor }) => `${shard}/${offset} ${kind} ${actor}`).sort()).toEqual(
        written.map(lineOf).sort(),
      );
      const place = /^\S+ (\d+\/\d+ \S+ \S+) epoch \d+: /;
      expect(text.lines.map((line) => place.exec(line)?.[1] ?? line).sort()).toEqual(written.map(lineOf).sort());
      expect(await Promise.all([text.interrupt(), json.interrupt()])).toEqual([0, 0]);
    } finally {
      await Promise.all([text.kill(), json.kill()]);
    }
  }, 120_000);

  test("a router that starts from the topics alone goes on where the other was", async () => {
    expect(await router.end()).toEqual({ code: 0, signal: null });
    router = await windows.router("another");
    await produce();
    await checkAll();
    await rested();
    expect(await router.end()).toEqual({ code: 0, signal: null });
    expect(protocolFaults(await controlOf(kafka, windows.group), "kept")).toEqual([]);
  }, 120_000);
});

function lineOf({ partition, offset, key = "", value }: SeenRecord): string {
  return `${partition}/${offset} ${controlRecord({ key, value }).kind} ${key}`;
}
