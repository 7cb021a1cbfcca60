/**
 * P1 and P2 with everything real: routers that are killed at random moments, a broker that is killed once, a load that goes on all
 * the time. What a committed reader sees afterwards is (key, 1..n) for every key, each once and in order.
 *
 * The seed of a failed run is in its output; DIRIGO_TEST_SEED repeats the moments (as far as real processes let them be repeated).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../src/model/random";
import { OwnKafka, type TestKafka, type TopicReader, waitFor } from "../support/kafka";
import type { RouterProcess } from "../support/router-process";
import { Counting, countingFaults, keysTo } from "./counting";

const recordCount = 50_000;
const keyCount = 1_000;
const killCount = 12;
const partitions = 8;
const seed = Number(process.env.DIRIGO_TEST_SEED ?? Date.now() % 1_000_000);

describe(`routers killed ${killCount} times and the broker once (seed ${seed})`, () => {
  const keys = new Random(seed);
  const moments = new Random(seed + 1);
  let produced = 0;
  let own: OwnKafka;
  let kafka: TestKafka;
  let counting: Counting;
  let reader: TopicReader;
  let router: RouterProcess;

  beforeAll(async () => {
    own = await OwnKafka.start();
    kafka = await own.open();
    counting = await Counting.open(own.bootstrap, "killed");
    await kafka.createTopic(counting.names.input, partitions);
    await kafka.createTopic(counting.names.results, partitions);
    reader = await kafka.follow(counting.names.results);
  });

  afterAll(async () => {
    await counting?.close();
    await kafka?.close();
    await own?.remove();
  });

  async function produce(count: number): Promise<void> {
    const records = Array.from({ length: count }, () => ({ key: `k${keys.below(keyCount)}`, value: "x".repeat(100) }));
    await kafka.produce(counting.names.input, records);
    produced += count;
  }

  /** What the topic really holds: a plain producer repeats what it sent as the broker died, and then that is what there is to count. */
  async function countedInput(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const { key = "" } of await kafka.readAll(counting.names.input)) counts.set(key, (counts.get(key) ?? 0) + 1);
    return counts;
  }

  async function checkAll(): Promise<void> {
    const expected = await countedInput();
    const total = sum(expected);
    await waitFor(() => reader.records.length >= total, `${total} results`, { timeoutMs: 240_000, seen: story });
    expect(countingFaults(await kafka.readAll(counting.names.results), expected)).toEqual([]);
    expect(expected.size).toBe(keyCount);
    expect(total).toBeGreaterThanOrEqual(produced);
  }

  /** Kills as work is under way: each is due when so many results are there, and then a moment later. */
  function dueKills(): number[] {
    const share = recordCount / killCount;
    return Array.from({ length: killCount }, (_, index) => Math.floor((index + moments.next()) * share));
  }

  const story = () => ({ results: reader.records.length, router: router.story });

  async function killWhenDue(due: number): Promise<void> {
    await waitFor(() => reader.records.length >= due, `${due} results`, { everyMs: 1, seen: story });
    await sleep(moments.below(40));
    await router.kill();
    router = await counting.router("only");
    // Some are killed while they still start, claim and restore.
    if (moments.next() < 0.25) {
      await sleep(moments.below(1_500));
      await router.kill();
      router = await counting.router("only");
    }
  }

  /** A router that had only begun to start waits for an absent broker, but not for ever: then its supervisor starts it again. */
  async function killBroker(): Promise<void> {
    await own.restartBroker("after kill -9");
    await waitFor(async () => !router.running || (await router.ask("/readyz"))?.ok, "the router to be ready or gone", {
      seen: story,
    });
    if (!router.running) router = await counting.router("only");
  }

  test("P1, P2: each result is there once and in order", async () => {
    router = await counting.router("only");
    const share = Math.floor(recordCount / (killCount + 1));
    await produce(share);
    const kills = dueKills();
    const brokerDies = moments.below(killCount);
    for (const [index, due] of kills.entries()) {
      const killing = killWhenDue(Math.min(due, produced - 500));
      await produce(share);
      await killing;
      if (index === brokerDies) await killBroker();
    }
    await produce(recordCount - produced);
    await checkAll();
  }, 900_000);

  test("a router that starts from the topics alone has counted the same", async () => {
    expect(await router.end()).toEqual({ code: 0, signal: null });
    router = await counting.router("another");
    await kafka.produce(
      counting.names.input,
      keysTo(keyCount).map((key) => ({ key, value: "once more" })),
    );
    produced += keyCount;
    await checkAll();
    expect(await router.end()).toEqual({ code: 0, signal: null });
  }, 600_000);
});

function sum(counts: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}
