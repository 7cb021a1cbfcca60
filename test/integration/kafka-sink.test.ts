import { stateTopic } from "../../src/cluster/topics";
import { openKafka, type TestKafka, uniqueName } from "../support/kafka";
import { clusterOf, output, TestAdapter } from "../support/kafka-adapter";

let kafka: TestKafka;
beforeAll(async () => {
  kafka = await openKafka();
});
afterAll(async () => {
  await kafka.close();
});

const adapters: TestAdapter[] = [];
async function start(settings: Partial<ConstructorParameters<typeof TestAdapter>[0]> = {}): Promise<TestAdapter> {
  const adapter = await TestAdapter.start({ group: uniqueName("sink"), ...settings });
  adapters.push(adapter);
  return adapter;
}
afterEach(async () => {
  await Promise.all(adapters.splice(0).map(({ kafka }) => kafka.close()));
});

test("units land in the order committed, whichever of the two producers carries them", async () => {
  const topic = await kafka.createTopic(uniqueName("out"), 2);
  const adapter = await start();
  await adapter.openSink();
  for (let unit = 0; unit < 20; unit++) {
    const outcome = await adapter.commit([
      adapter.batch(topic, [output(unit % 2, `k${unit}`, `v${unit}`), output(1 - (unit % 2), null, `w${unit}`)]),
    ]);
    expect(outcome.kind).toBe("unit_committed");
  }
  const records = await kafka.readAll(topic);
  expect(records).toHaveLength(40);
  for (const partition of [0, 1]) {
    const texts = records.filter((record) => record.partition === partition).map(({ text }) => Number(text.slice(1)));
    expect(texts).toEqual(Array.from({ length: 20 }, (_, unit) => unit));
  }
});

test("keys, tombstones, headers and timestamps arrive as they were given", async () => {
  const topic = await kafka.createTopic(uniqueName("shapes"));
  const adapter = await start();
  await adapter.openSink();
  const headers = { type: "a/b", bytes: Buffer.from("ü") };
  const records = [
    output(0, "schlüssel", "wert", { headers, timestampMs: 1_700_000_000_000 }),
    output(0, "tombstone", null, { timestampMs: 1_700_000_000_000 - 40 * 86_400_000 }),
    output(0, null, Buffer.alloc(0), { headers }),
  ];
  expect((await adapter.commit([adapter.batch(topic, records)])).kind).toBe("unit_committed");
  const [first, second, third] = await kafka.readAll(topic);
  expect(first).toMatchObject({
    key: "schlüssel",
    text: "wert",
    timestampMs: 1_700_000_000_000,
    headers: { type: "a/b", bytes: "ü" },
  });
  expect(second).toMatchObject({
    key: "tombstone",
    value: undefined,
    timestampMs: 1_700_000_000_000 - 40 * 86_400_000,
    headers: {},
  });
  expect(third).toMatchObject({ key: undefined, text: "", headers: { type: "a/b", bytes: "ü" } });
});

test("a zombie's commit is refused once its successor fenced it, and its open records are never seen", async () => {
  const topic = await kafka.createTopic(uniqueName("fenced"));
  const group = uniqueName("zombie");
  const zombie = await start({ group });
  const ids = await zombie.openSink();
  expect((await zombie.commit([zombie.batch(topic, [output(0, "k", "before")])])).kind).toBe("unit_committed");
  const claim = { claimId: "zombie", transactionalIds: ids, router: "router-1", memberId: "m" };
  await zombie.claim(0, claim);

  const successor = await start({ group, router: "router-2" });
  expect(await successor.claims(0)).toMatchObject([claim]);
  await successor.fence(0, [claim]);
  expect(await successor.claims(0)).toEqual([]);

  for (let attempt = 0; attempt < 3; attempt++) {
    const outcome = await zombie.commit([zombie.batch(topic, [output(0, "k", `zombie ${attempt}`)])]);
    expect(outcome).toMatchObject({ kind: "unit_failed", failure: "fenced" });
  }
  await successor.openSink();
  expect((await successor.commit([successor.batch(topic, [output(0, "k", "after")])])).kind).toBe("unit_committed");
  expect((await kafka.readAll(topic)).map(({ text }) => text)).toEqual(["before", "after"]);
});

test("a transaction that was open when its producer was fenced is aborted", async () => {
  const topic = await kafka.createTopic(uniqueName("open"));
  const adapter = await start();
  const id = uniqueName("predecessor");
  const producer = kafka.transactionalProducer(id);
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ value: "never seen" }] });
  await adapter.fence(0, [{ claimId: "old", transactionalIds: [id], router: "r", memberId: "m" }]);
  await expect(transaction.commit()).rejects.toThrow();
  await producer.disconnect();
  expect(await kafka.readAll(topic)).toEqual([]);
  expect(await kafka.readAll(topic, { committed: false })).toHaveLength(1);
});

test("a unit larger than a topic's max.message.bytes is split and lands whole", async () => {
  const topic = await kafka.createTopic(uniqueName("split"), 2, { "max.message.bytes": "50000" });
  const adapter = await start();
  await adapter.openSink();
  const records = Array.from({ length: 400 }, (_, i) => output(i % 2, `k${i}`, `${i} `.padEnd(1000, "x")));
  expect((await adapter.commit([adapter.batch(topic, records)])).kind).toBe("unit_committed");
  for (const partition of [0, 1]) {
    const seen = (await kafka.readAll(topic))
      .filter((record) => record.partition === partition)
      .map(({ text }) => Number(text.split(" ")[0]));
    expect(seen).toEqual(records.flatMap(({ value }, i) => (value !== null && i % 2 === partition ? [i] : [])));
  }
});

test("a record larger than its topic takes fails the unit as aborted, leaves nothing, and the next unit lands", async () => {
  const topic = await kafka.createTopic(uniqueName("large"), 1, { "max.message.bytes": "50000" });
  const adapter = await start();
  await adapter.openSink();
  const small = output(0, "k", "small");
  const outcome = await adapter.commit([adapter.batch(topic, [small, output(0, "k", Buffer.alloc(60_000))])]);
  expect(outcome).toMatchObject({ kind: "unit_failed", failure: "aborted" });
  for (let unit = 0; unit < 4; unit++) {
    expect((await adapter.commit([adapter.batch(topic, [output(0, "k", `after ${unit}`)])])).kind).toBe("unit_committed");
  }
  expect((await kafka.readAll(topic)).map(({ text }) => text)).toEqual(["after 0", "after 1", "after 2", "after 3"]);
});

test("a state value of 32 MiB is written and restored", async () => {
  const adapter = await start();
  await adapter.openSink();
  const value = Buffer.alloc(32 * 1024 * 1024, "dirigo ");
  const topic = stateTopic(adapter.options.group);
  expect((await adapter.commit([adapter.batch(topic, [output(1, "large", value), output(1, "small", "s")])])).kind).toBe(
    "unit_committed",
  );
  const restored = await adapter.restore(1);
  expect(restored.map(({ key }) => key)).toEqual(["large", "small"]);
  expect(restored[0]?.value?.equals(value)).toBe(true);
});

test("what is outside the transaction is acknowledged first, also on another cluster, also alone", async () => {
  const topic = await kafka.createTopic(uniqueName("outside"));
  const inside = await kafka.createTopic(uniqueName("inside"));
  const other = clusterOf(undefined, "another name for the same broker");
  const adapter = await start({ clusters: [other] });
  await adapter.openSink();
  const alone = await adapter.commit([], [adapter.batch(topic, [output(0, null, "alone")], other.name)]);
  expect(alone.kind).toBe("unit_committed");
  const both = await adapter.commit(
    [adapter.batch(inside, [output(0, null, "in")])],
    [adapter.batch(topic, [output(0, null, "out")], other.name)],
  );
  expect(both.kind).toBe("unit_committed");
  expect((await kafka.readAll(topic)).map(({ text }) => text)).toEqual(["alone", "out"]);
  expect((await kafka.readAll(inside)).map(({ text }) => text)).toEqual(["in"]);
});

test("an empty unit is committed at once", async () => {
  const adapter = await start();
  await adapter.openSink();
  expect((await adapter.commit([])).kind).toBe("unit_committed");
});

test("topics are described with partitions and their limit; an absent one is named", async () => {
  const topic = await kafka.createTopic(uniqueName("described"), 3, { "max.message.bytes": "123456" });
  const adapter = await start();
  adapter.ask({ kind: "describe_topic", cluster: adapter.cluster, topic });
  expect(await adapter.wait("topic_described")).toMatchObject({ topic, partitions: 3, messageBytesMax: 123456 });
  const absent = uniqueName("absent");
  adapter.ask({ kind: "describe_topic", cluster: adapter.cluster, topic: absent });
  const event = await adapter.wait("topic_absent");
  expect(event).toMatchObject({ topic: absent });
  expect(event.reason).toContain("does not exist");
  adapter.ask({ kind: "describe_topic", cluster: adapter.cluster, topic });
  await adapter.wait("topic_described", () => adapter.all("topic_described").length === 2);
});
