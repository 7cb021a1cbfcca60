import { spawn } from "node:child_process";
import { join } from "node:path";
import { claimsTopic, stateTopic } from "../../src/cluster/topics";
import type { OutputRecord } from "../../src/model/record";
import { openKafka, type TestKafka, uniqueName, waitFor } from "../support/kafka";
import { output, sourceOf, TestAdapter } from "../support/kafka-adapter";

let kafka: TestKafka;
beforeAll(async () => {
  kafka = await openKafka();
});
afterAll(async () => {
  await kafka.close();
});

const adapters: TestAdapter[] = [];
function make(settings: Partial<TestAdapter["settings"]> = {}): TestAdapter {
  const adapter = new TestAdapter({ group: uniqueName("own"), ...settings });
  adapters.push(adapter);
  return adapter;
}
async function start(settings: Partial<TestAdapter["settings"]> = {}): Promise<TestAdapter> {
  const adapter = make(settings);
  await adapter.kafka.start();
  return adapter;
}
afterEach(async () => {
  await Promise.all(adapters.splice(0).map(({ kafka }) => kafka.close()));
});

const claimOf = (claimId: string, transactionalIds: readonly string[] = []) => ({
  claimId,
  transactionalIds,
  router: "r",
  memberId: "m",
});

describe("internal topics", () => {
  test("are created compacted, with a partition per shard, and large messages for state", async () => {
    const { options } = await start({ shards: 3 });
    const { topics } = await kafka.admin.fetchTopicMetadata({ topics: [stateTopic(options.group), claimsTopic(options.group)] });
    expect(topics.map(({ partitions }) => partitions.length)).toEqual([3, 3]);
    const { resources } = await kafka.admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: stateTopic(options.group), configNames: ["cleanup.policy", "max.message.bytes"] }],
    });
    const config = Object.fromEntries(
      (resources[0]?.configEntries ?? []).map(({ configName, configValue }) => [configName, configValue]),
    );
    expect(config).toEqual({ "cleanup.policy": "compact", "max.message.bytes": String(64 * 1024 * 1024) });
  });

  test("with another number of partitions are refused, naming both numbers", async () => {
    const group = uniqueName("shards");
    await kafka.createTopic(stateTopic(group), 3);
    const adapter = make({ group, shards: 4 });
    await expect(adapter.kafka.start()).rejects.toThrow(/has 3 partitions, but the option shards is 4/);
  });

  test("of too small a limit are warned of", async () => {
    const group = uniqueName("small");
    await kafka.createTopic(stateTopic(group), 4);
    const adapter = await start({ group });
    expect(adapter.log.some(({ level, text }) => level === "warn" && text.includes("max.message.bytes=67108864"))).toBe(true);
  });
});

describe("claims", () => {
  test("stand in log order until they are released or fenced, each shard by itself", async () => {
    const adapter = await start();
    expect(await adapter.claims(2)).toEqual([]);
    const first = await adapter.claim(2, claimOf("first", ["a", "b"]));
    const second = await adapter.claim(2, claimOf("second"));
    await adapter.claim(3, claimOf("elsewhere"));
    expect(second).toBe(first + 1);
    expect(await adapter.claims(2)).toEqual([
      { ...claimOf("first", ["a", "b"]), offset: first },
      { ...claimOf("second"), offset: second },
    ]);
    await adapter.fence(2, [claimOf("first", [uniqueName("a"), uniqueName("b")])]);
    expect((await adapter.claims(2)).map(({ claimId }) => claimId)).toEqual(["second"]);
    await adapter.release(2, "second");
    expect(await adapter.claims(2)).toEqual([]);
    expect((await adapter.claims(3)).map(({ claimId }) => claimId)).toEqual(["elsewhere"]);
  });
});

describe("restore", () => {
  test("reads what was committed, to the end, through aborted transactions and markers", async () => {
    const adapter = await start();
    const topic = stateTopic(adapter.options.group);
    await adapter.openSink();
    await adapter.commit([adapter.batch(topic, [output(0, "a", "1"), output(0, "b", "1"), output(1, "other", "shard")])]);
    await kafka.produceInTransaction(topic, [{ partition: 0, key: "a", value: "aborted" }], "abort");
    await adapter.commit([adapter.batch(topic, [output(0, "a", "2"), output(0, "b", null)])]);
    await kafka.produceInTransaction(topic, [{ partition: 0, key: "b", value: "aborted at the end" }], "abort");
    const restored = (await adapter.restore(0)).map(({ key, value }) => [key, value?.toString()]);
    expect(restored).toEqual([
      ["a", "1"],
      ["b", "1"],
      ["a", "2"],
      ["b", undefined],
    ]);
    expect((await adapter.restore(1)).map(({ key }) => key)).toEqual(["other"]);
    expect(await adapter.restore(2)).toEqual([]);
    expect(adapter.kafka.restoreProgress()).toEqual([]);
  });

  test("that waits for an open transaction says where and for what, and goes on when it ends", async () => {
    const adapter = await start();
    const topic = stateTopic(adapter.options.group);
    await kafka.produce(topic, [{ partition: 2, key: "a", value: "1" }]);
    const producer = kafka.transactionalProducer(uniqueName("somebody"));
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ partition: 2, key: "b", value: "2" }] });
    const restoring = adapter.restore(2);
    const warned = () =>
      adapter.log.find(({ level, text }) => level === "warn" && text.startsWith(`${topic}/2 has been held up`));
    const { text } = await waitFor(warned, "a word about the wait");
    expect(text).toContain("last stable offset 1, high watermark 2");
    await transaction.commit();
    expect((await restoring).map(({ key }) => key)).toEqual(["a", "b"]);
    await producer.disconnect();
  });

  test("of several shards at once, many small records, is quick", async () => {
    const adapter = await start();
    const topic = stateTopic(adapter.options.group);
    await adapter.openSink();
    const perShard = 50_000;
    for (let from = 0; from < perShard; from += 5_000) {
      const records: OutputRecord[] = [];
      for (let i = from; i < from + 5_000; i++)
        for (let shard = 0; shard < 4; shard++) records.push(output(shard, `key-${i}`, `value ${i}`));
      expect((await adapter.commit([adapter.batch(topic, records)])).kind).toBe("unit_committed");
    }
    const before = performance.now();
    const shards = await Promise.all([0, 1, 2, 3].map((shard) => adapter.restore(shard)));
    const rate = (4 * perShard) / ((performance.now() - before) / 1000);
    for (const records of shards) {
      expect(records).toHaveLength(perShard);
      expect(records.every(({ key }, i) => key === `key-${i}`)).toBe(true);
    }
    process.stderr.write(`restored ${Math.round(rate)} records/s\n`);
  });

  test("passes what compaction took away, even whole batches in the middle and at the end of a segment", async () => {
    const group = uniqueName("compacted");
    const topic = await kafka.createTopic(stateTopic(group), 4, {
      "cleanup.policy": "compact",
      "min.cleanable.dirty.ratio": "0.001",
      "segment.ms": "500",
      "max.compaction.lag.ms": "500",
      "delete.retention.ms": "0",
    });
    const adapter = await start({ group });
    await adapter.openSink();
    const unit = (value: string, keys: number) =>
      adapter.commit([
        adapter.batch(
          topic,
          Array.from({ length: keys }, (_, i) => output(0, `key-${i}`, value)),
        ),
      ]);
    for (let round = 0; round < 5; round++) await unit(`round ${round}`, 1_000);
    // The cleaner works in its own time; writing on rolls the segments.
    let last = 0;
    await waitFor(
      async () => {
        await unit(`last ${++last}`, 2);
        return (await adapter.restore(0)).length < 3_000;
      },
      "the cleaner to have compacted",
      { everyMs: 600, timeoutMs: 240_000 },
    );
    const remembered = new Map((await adapter.restore(0)).map(({ key, value }) => [key, value?.toString()]));
    expect(remembered.size).toBe(1_000);
    expect(remembered.get("key-0")).toBe(`last ${last}`);
    expect(remembered.get("key-999")).toBe("round 4");
  });
});

describe("the group", () => {
  test("gives all shards to the first router; a second stands by and takes over when the first leaves", async () => {
    const topic = await kafka.createTopic(uniqueName("in"), 4);
    const group = uniqueName("standby");
    const first = await start({ group, router: "first", sources: [sourceOf(topic)] });
    expect((await first.wait("assignment_changed")).shards).toEqual([0, 1, 2, 3]);
    const second = await start({ group, router: "second", sources: [sourceOf(topic)] });
    expect(await second.wait("assignment_changed")).toMatchObject({ shards: [], inputs: [] });
    // The newcomer's join is a rebalance for the first: it keeps everything.
    await waitFor(
      () => first.all("assignment_changed").length >= 1 && first.kafka.memberId() !== undefined,
      "the first to be back",
    );
    await first.kafka.close();
    const taken = await second.wait("assignment_changed", ({ shards }) => shards.length === 4);
    expect(taken.inputs).toHaveLength(4);
  });

  test("keeps the shards where they are when routers come and join anew", async () => {
    const group = uniqueName("sticky");
    const first = await start({ group, router: "zz" });
    await first.wait("assignment_changed");
    for (const router of ["aa", "mm"]) await start({ group, router });
    for (const standby of adapters.slice(1)) standby.ask({ kind: "rejoin_group" });
    await waitFor(() => adapters.slice(1).every((standby) => standby.all("assignment_changed").length >= 2), "new assignments");
    expect(adapters.slice(1).flatMap((standby) => standby.all("assignment_changed").flatMap(({ shards }) => shards))).toEqual([]);
    expect(first.all("assignment_changed").every(({ shards }) => shards.length === 4)).toBe(true);
  });

  test("a living router of the same name on this machine is an error that names --name", async () => {
    const group = uniqueName("namesake");
    await start({ group, router: "same" });
    const namesake = make({ group, router: "same" });
    await expect(namesake.kafka.start()).rejects.toThrow(/named same .* is running on this machine .* --name/);
  });

  test("a killed predecessor of the same name is removed, and its successor joins long before its session ends", async () => {
    const group = uniqueName("killed");
    const settings = { group, router: "victim", options: { sessionTimeoutMs: 45_000 } };
    const child = spawn(process.execPath, [join(__dirname, "../support/kafka-member.js"), JSON.stringify(settings)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.on("data", (data) => {
      said += data;
    });
    await waitFor(() => said.includes("joined"), "the victim to join");
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    const successor = await start(settings);
    expect((await successor.wait("assignment_changed", () => true, 40_000)).shards).toEqual([0, 1, 2, 3]);
    expect(successor.log.some(({ text }) => text.includes("Removed the dead predecessor"))).toBe(true);
    const { groups } = await kafka.admin.describeGroups([group]);
    expect(groups[0]?.members).toHaveLength(1);
  });
});

test("new partitions of an ingress topic are found and assigned", async () => {
  const topic = await kafka.createTopic(uniqueName("growing"), 2);
  const adapter = await start({ sources: [sourceOf(topic)] });
  expect((await adapter.wait("assignment_changed")).inputs).toHaveLength(2);
  await kafka.admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] });
  const grown = await adapter.wait("assignment_changed", ({ inputs }) => inputs.length === 5);
  expect(grown.inputs.map(({ partition }) => partition)).toEqual([0, 1, 2, 3, 4]);
});
