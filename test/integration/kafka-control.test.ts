import { claimsTopic, controlTopic, stateTopic } from "../../src/cluster/topics";
import type { FunctionSpecification } from "../../src/config/specification";
import type { OutputRecord } from "../../src/model/record";
import { type ControlMessage, encodeControl, syncChunkBytes } from "../../src/scaling/control";
import { type FollowedRecord, followedJson, followedText, KafkaControl } from "../../src/scaling/kafka-control";
import { ControlTail } from "../support/control-tail";
import { openKafka, type TestKafka, uniqueName, waitFor } from "../support/kafka";
import { clusterOf, TestAdapter } from "../support/kafka-adapter";

let kafka: TestKafka;
beforeAll(async () => {
  kafka = await openKafka();
});
afterAll(async () => {
  await kafka.close();
});

const dual: FunctionSpecification = {
  functions: [{ namespace: "shop", prefix: "campaign", exact: true }],
  mode: "dual",
  maxLessees: 8,
  upstreams: [],
  critical: [],
  series: undefined,
  barrier: undefined,
  states: {},
};

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function make(settings: Partial<TestAdapter["settings"]> = {}): TestAdapter {
  const adapter = new TestAdapter({ group: uniqueName("control"), shards: 2, functions: [dual], ...settings });
  closing.push(() => adapter.kafka.close());
  return adapter;
}
async function start(settings: Partial<TestAdapter["settings"]> = {}): Promise<TestAdapter> {
  const adapter = make(settings);
  await adapter.kafka.start();
  return adapter;
}

const told = (id: string) => ({ actor: { namespace: "shop", type: "campaign", id }, epoch: 1, atMs: 1_790_000_000_123 });
const granted = (id: string): ControlMessage => ({ kind: "lease_granted", ...told(id), lane: 1, replica: 0, reason: "late" });
const ended = (id: string): ControlMessage => ({ kind: "lease_ended", ...told(id), lane: 1, reason: "idle" });

const records = (shard: number, ...messages: readonly ControlMessage[]): OutputRecord[] =>
  messages.flatMap(encodeControl).map(({ key, value }) => ({
    partition: shard,
    key,
    value,
    headers: undefined,
    timestampMs: undefined,
  }));

async function commit(adapter: TestAdapter, written: readonly OutputRecord[]): Promise<void> {
  const topic = controlTopic(adapter.options.group);
  expect(await adapter.commit([adapter.batch(topic, written)])).toMatchObject({ kind: "unit_committed" });
}

describe("the control topic", () => {
  test("is made with the others where a function is dual-mode, to be deleted after a day", async () => {
    const { options } = await start({ shards: 3 });
    const topic = controlTopic(options.group);
    const { topics } = await kafka.admin.fetchTopicMetadata({ topics: [topic] });
    expect(topics[0]?.partitions.length).toBe(3);
    const configNames = ["cleanup.policy", "retention.ms", "max.message.bytes"];
    const { resources } = await kafka.admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: topic, configNames }],
    });
    const config = (resources[0]?.configEntries ?? []).map(({ configName, configValue }) => [configName, configValue]);
    expect(Object.fromEntries(config)).toEqual({
      "cleanup.policy": "delete",
      "retention.ms": "86400000",
      "max.message.bytes": String(64 * 1024 * 1024),
    });
  });

  test("is not made where all functions are exclusive, and is made when one becomes dual-mode", async () => {
    const { options, kafka: router } = await start({ functions: [{ ...dual, mode: "exclusive" }] });
    const made = async () => (await kafka.admin.listTopics()).filter((topic) => topic.startsWith(`${options.group}.`)).sort();
    expect(await made()).toEqual([claimsTopic(options.group), stateTopic(options.group)]);
    await router.close();
    await start({ group: options.group });
    expect(await made()).toEqual([claimsTopic(options.group), controlTopic(options.group), stateTopic(options.group)]);
  });

  test("with another number of partitions is refused, naming both numbers", async () => {
    const group = uniqueName("control");
    await kafka.createTopic(controlTopic(group), 3);
    await expect(make({ group }).kafka.start()).rejects.toThrow(
      new RegExp(`topic ${group}.control .* has 3 partitions, but the option shards is 2`),
    );
  });

  test("of too small a limit is warned of, and Kafka's own limit is enough", async () => {
    const [small, standard] = [uniqueName("control"), uniqueName("control")];
    await kafka.createTopic(controlTopic(small), 2, { "max.message.bytes": "100000" });
    await kafka.createTopic(controlTopic(standard), 2);
    const warnings = async (group: string) =>
      (await start({ group })).log.filter(({ level, text }) => level === "warn" && text.includes(controlTopic(group)));
    expect((await warnings(small)).map(({ text }) => text)).toEqual([
      expect.stringContaining("takes messages up to 100000 bytes; parts of states need max.message.bytes=1048588"),
    ]);
    expect(await warnings(standard)).toEqual([]);
  });

  test("takes a part of any size in records that its default limit allows", async () => {
    const group = uniqueName("control");
    await kafka.createTopic(controlTopic(group), 2);
    const adapter = await start({ group });
    await adapter.openSink();
    const value = Buffer.alloc(3 * syncChunkBytes + 7, "x");
    const part = [{ name: "sketch", typename: "ex/bytes", value }];
    await commit(adapter, records(1, { kind: "sync_reply", ...told("big"), lane: 1, applied: 4, part }));
    const seen = await kafka.readAll(controlTopic(group));
    expect(seen.map(({ partition, key }) => [partition, key])).toEqual(Array(4).fill([1, "shop/campaign/big"]));
  });
});

describe("following it", () => {
  function follow(group: string, fromStart: boolean): { seen: FollowedRecord[]; following: Promise<number>; log: string[] } {
    const seen: FollowedRecord[] = [];
    const log: string[] = [];
    const control = new KafkaControl(
      clusterOf(),
      group,
      (record) => seen.push(record),
      (_level, text) => log.push(text),
    );
    closing.push(() => control.close());
    return { seen, following: control.follow(fromStart), log };
  }
  const texts = (seen: readonly FollowedRecord[], shard: number) =>
    seen.filter((each) => each.shard === shard).map(({ record, fault }) => record?.actor.id ?? fault);

  test("shows what is committed, each shard in its order, and names what it cannot read", async () => {
    const adapter = await start();
    const topic = controlTopic(adapter.options.group);
    await adapter.openSink();
    await commit(adapter, [...records(0, granted("a"), ended("a")), ...records(1, granted("b"))]);
    await kafka.produceInTransaction(
      topic,
      encodeControl(granted("aborted")).map(({ key, value }) => ({ partition: 0, key, value: Buffer.from(value) })),
      "abort",
    );
    await kafka.produce(topic, [{ partition: 0, key: "shop/campaign/c", value: Buffer.from([8, 2]) }]);
    const { seen, following } = follow(adapter.options.group, true);
    expect(await following).toBe(2);
    await waitFor(() => seen.length >= 4, "the records", { seen: () => seen });
    await commit(adapter, records(0, granted("d")));
    await waitFor(() => seen.length >= 5, "the later record", { seen: () => seen });
    expect(texts(seen, 0)).toEqual(["a", "a", expect.stringContaining("shop/campaign/c: is of version 2"), "d"]);
    expect(texts(seen, 1)).toEqual(["b"]);
    const [first] = seen.filter(({ shard }) => shard === 1) as [FollowedRecord];
    expect(followedText(first)).toBe(
      "2026-09-21T14:13:20.123Z 1/0 lease_granted shop/campaign/b epoch 1: lane 1 on replica 0, late",
    );
    expect(JSON.parse(followedJson(first))).toEqual({
      shard: 1,
      offset: 0,
      kind: "lease_granted",
      ...told("b"),
      actor: "shop/campaign/b",
      lane: 1,
      replica: 0,
      reason: "late",
    });
    const [unreadable] = seen.filter(({ fault }) => fault !== "") as [FollowedRecord];
    expect(followedText(unreadable)).toMatch(/^- 0\/\d+ unreadable: control record of shop\/campaign\/c: is of version 2/);
    expect(JSON.parse(followedJson(unreadable))).toMatchObject({ shard: 0, fault: unreadable.fault });
  });

  test("from now on leaves out what was before, and waits for a topic that is not there yet", async () => {
    const group = uniqueName("control");
    const early = follow(group, false);
    await waitFor(() => early.log.some((text) => text.includes(`Waiting for topic ${controlTopic(group)}`)), "it to wait");
    const adapter = await start({ group });
    await adapter.openSink();
    expect(await early.following).toBe(2);
    await commit(adapter, records(0, granted("first")));
    await waitFor(() => early.seen.length > 0, "the first record", { seen: () => early.log });
    const late = follow(group, false);
    await late.following;
    await commit(adapter, records(0, granted("second")));
    await waitFor(() => late.seen.length > 0 && early.seen.length > 1, "the second record");
    expect(texts(early.seen, 0)).toEqual(["first", "second"]);
    expect(texts(late.seen, 0)).toEqual(["second"]);
  });
});

describe("dirigo control tail", () => {
  function tail(args: readonly string[]): ControlTail {
    const started = new ControlTail(args);
    closing.push(() => started.kill());
    return started;
  }

  test("prints from the oldest record on until it is interrupted, as text or as JSON", async () => {
    const adapter = await start();
    const { group } = adapter.options;
    await adapter.openSink();
    await commit(adapter, records(0, granted("a"), ended("a")));
    const flags = ["--group", group, "--brokers", kafka.bootstrap, "--from-start"];
    const [text, json] = [tail(flags), tail([...flags, "--json"])];
    const seen = () => [text.out, text.errors, json.out, json.errors];
    await waitFor(() => text.lines.length >= 2 && json.lines.length >= 2, "two lines", { seen });
    expect(text.lines).toEqual([
      "2026-09-21T14:13:20.123Z 0/0 lease_granted shop/campaign/a epoch 1: lane 1 on replica 0, late",
      "2026-09-21T14:13:20.123Z 0/1 lease_ended shop/campaign/a epoch 1: lane 1, idle",
    ]);
    expect(json.lines.map((line) => JSON.parse(line).kind)).toEqual(["lease_granted", "lease_ended"]);
    expect(text.errors).toBe(`following ${group}, 2 shards, from the oldest record on\n`);
    expect([await text.interrupt(), await json.interrupt()]).toEqual([0, 0]);
  });

  test("from now on says when it begins, and ends when nobody reads it any more", async () => {
    const adapter = await start();
    const { group } = adapter.options;
    await adapter.openSink();
    await commit(adapter, records(0, granted("before")));
    const now = tail(["--group", group, "--brokers", kafka.bootstrap]);
    await waitFor(() => now.errors.includes("from now on"), "it to begin", { seen: () => now.errors });
    await commit(adapter, records(1, granted("after")));
    await waitFor(() => now.lines.length > 0, "a line", { seen: () => now.errors });
    expect(now.lines).toEqual([expect.stringContaining("shop/campaign/after")]);
    const left = now.leave();
    await commit(adapter, records(1, ended("after")));
    expect(await left).toBe(0);
  });
});
