import { openKafka, type TestKafka, uniqueName, waitFor } from "../support/kafka";
import { sourceOf, TestAdapter } from "../support/kafka-adapter";
import { watermarkSpecification } from "../support/module";

let kafka: TestKafka;
beforeAll(async () => {
  kafka = await openKafka();
});
afterAll(async () => {
  await kafka.close();
});

const adapters: TestAdapter[] = [];
async function start(
  sources: Parameters<typeof sourceOf>[],
  settings: Partial<TestAdapter["settings"]> = {},
): Promise<TestAdapter> {
  const adapter = new TestAdapter({
    group: uniqueName("inputs"),
    sources: sources.map((args) => sourceOf(...args)),
    ...settings,
  });
  adapters.push(adapter);
  await adapter.kafka.start();
  return adapter;
}
afterEach(async () => {
  await Promise.all(adapters.splice(0).map(({ kafka }) => kafka.close()));
});

const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ partition: 0, value: String(from + i) }));
const upTo = (count: number) => Array.from({ length: count }, (_, i) => String(i));

test("inputs are the ingress partitions congruent to the shards owned", async () => {
  const one = await kafka.createTopic(uniqueName("one"), 3);
  const two = await kafka.createTopic(uniqueName("two"), 5);
  const adapter = await start([[one], [two]], { shards: 2 });
  const { shards, inputs, memberId } = await adapter.wait("assignment_changed");
  expect(shards).toEqual([0, 1]);
  expect(memberId).toBe(adapter.kafka.memberId());
  expect(inputs.filter(({ source }) => source === 0).map(({ partition }) => partition)).toEqual([0, 1, 2]);
  expect(inputs.filter(({ source }) => source === 1).map(({ partition }) => partition)).toEqual([0, 1, 2, 3, 4]);
});

describe("startup positions", () => {
  const atMs = 1_700_000_000_000;
  let topic: string;
  beforeAll(async () => {
    topic = await kafka.createTopic(uniqueName("startup"), 1);
    await kafka.produce(
      topic,
      Array.from({ length: 10 }, (_, i) => ({ partition: 0, value: String(i), timestamp: String(atMs + i * 1000) })),
    );
  });

  test("earliest and latest", async () => {
    const adapter = await start([[topic, { startup: { kind: "earliest" } }]]);
    expect(await adapter.locate(0, 0)).toBe(0);
    const late = await start([[topic, { startup: { kind: "latest" } }]]);
    expect(await late.locate(0, 0)).toBe(10);
  });

  test("the first record at or after a date, the end when there is none", async () => {
    const adapter = await start([[topic, { startup: { kind: "date", timestampMs: atMs + 3500 } }]]);
    expect(await adapter.locate(0, 0)).toBe(4);
    const future = await start([[topic, { startup: { kind: "date", timestampMs: atMs + 1e9 } }]]);
    expect(await future.locate(0, 0)).toBe(10);
  });

  test("specific offsets, and the reset policy for partitions not named", async () => {
    const named = await start([[topic, { startup: { kind: "specific-offsets", offsets: { [`${topic}/0`]: 7 } } }]]);
    expect(await named.locate(0, 0)).toBe(7);
    const other = await start([[topic, { startup: { kind: "specific-offsets", offsets: {} }, autoOffsetReset: "latest" }]]);
    expect(await other.locate(0, 0)).toBe(10);
  });

  test("another group's committed offsets, and the reset policy without", async () => {
    const groupId = uniqueName("elsewhere");
    const startup = { kind: "group-offsets" as const, groupId };
    const without = await start([[topic, { startup, autoOffsetReset: "latest" }]]);
    expect(await without.locate(0, 0)).toBe(10);
    await kafka.admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: "5" }] });
    const committed = await start([[topic, { startup, autoOffsetReset: "latest" }]]);
    expect(await committed.locate(0, 0)).toBe(5);
  });
});

test("records come in order, none twice, through pause, resume and a new position", async () => {
  const topic = await kafka.createTopic(uniqueName("flow"), 1);
  await kafka.produce(topic, numbered(20_000));
  const adapter = await start([[topic, { fetchPartitionMaxBytes: 8192 }]]);
  adapter.ask({ kind: "consume_input", input: 0, source: 0, partition: 0, offset: 0 });
  for (let round = 0; round < 20; round++) {
    await waitFor(() => adapter.texts(0).length > round * 500, "more records");
    adapter.ask({ kind: "pause_input", input: 0 });
    const before = adapter.texts(0).length;
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(adapter.texts(0).length).toBe(before);
    adapter.ask({ kind: "resume_input", input: 0 });
  }
  await waitFor(() => adapter.texts(0).length >= 20_000, "all records");
  expect(adapter.texts(0)).toEqual(upTo(20_000));
  const positions = adapter.all("records_received").map(({ nextOffset }) => nextOffset);
  expect(positions).toEqual([...positions].sort((a, b) => a - b));

  adapter.ask({ kind: "drop_input", input: 0 });
  adapter.ask({ kind: "consume_input", input: 1, source: 0, partition: 0, offset: 19_990 });
  await waitFor(() => adapter.texts(1).length === 10, "the last ten");
  expect(adapter.texts(1)).toEqual(upTo(20_000).slice(19_990));
  await kafka.produce(topic, numbered(1, 20_000));
  await waitFor(() => adapter.texts(1).length === 11, "one more");
  expect(adapter.texts(0)).toHaveLength(20_000);
});

test("consuming goes on undisturbed while the group is joined anew", async () => {
  const topic = await kafka.createTopic(uniqueName("rejoin"), 2);
  const adapter = await start([[topic]]);
  adapter.ask({ kind: "consume_input", input: 0, source: 0, partition: 0, offset: 0 });
  const producing = (async () => {
    for (let i = 0; i < 60; i++) await kafka.produce(topic, numbered(10, i * 10));
  })();
  for (let round = 1; round <= 3; round++) {
    adapter.ask({ kind: "rejoin_group" });
    await waitFor(() => adapter.all("assignment_changed").length > round, "another assignment");
  }
  await producing;
  await waitFor(() => adapter.texts(0).length >= 600, "all records");
  expect(adapter.texts(0)).toEqual(upTo(600));
});

test("only committed records are read, unless the source says otherwise, and positions pass markers", async () => {
  const topic = await kafka.createTopic(uniqueName("isolation"), 1);
  // A key of four zero bytes looks like an abort marker's.
  const aborted = [{ key: Buffer.alloc(4), value: "aborted" }, { value: "aborted too" }];
  await kafka.produceInTransaction(topic, [{ partition: 0, value: "committed" }], "commit");
  await kafka.produceInTransaction(
    topic,
    aborted.map((record) => ({ ...record, partition: 0 })),
    "abort",
  );
  await kafka.produceInTransaction(topic, [{ partition: 0, value: "committed again" }], "commit");
  await kafka.produceInTransaction(topic, [{ partition: 0, value: "aborted last" }], "abort");
  // Five records and a marker behind each transaction. Not the topic's end as listed now: the broker acknowledges
  // the end of a transaction before it has written its marker.
  const end = 9;

  const committed = await start([[topic]]);
  committed.ask({ kind: "consume_input", input: 0, source: 0, partition: 0, offset: 0 });
  const atEnd = await committed.wait("records_received", ({ nextOffset }) => nextOffset === end);
  expect(committed.texts(0)).toEqual(["committed", "committed again"]);
  expect(atEnd.nextOffset).toBe(end);

  const all = await start([[topic, { readUncommitted: true }]]);
  all.ask({ kind: "consume_input", input: 0, source: 0, partition: 0, offset: 0 });
  await all.wait("records_received", ({ nextOffset }) => nextOffset === end);
  expect(all.texts(0)).toEqual(["committed", "aborted", "aborted too", "committed again", "aborted last"]);
});

test("aborted transactions of two producers at once leave nothing, wherever reading begins", async () => {
  const topic = await kafka.createTopic(uniqueName("interleaved"), 1);
  const producers = [kafka.transactionalProducer(uniqueName("x")), kafka.transactionalProducer(uniqueName("y"))];
  await Promise.all(producers.map((producer) => producer.connect()));
  const transactions = await Promise.all(producers.map((producer) => producer.transaction()));
  for (let i = 0; i < 6; i++) await transactions[i % 2]?.send({ topic, messages: [{ partition: 0, value: `aborted ${i}` }] });
  await Promise.all(transactions.map((transaction) => transaction.abort()));
  await kafka.produce(topic, [{ partition: 0, value: "plain" }]);
  await Promise.all(producers.map((producer) => producer.disconnect()));
  const adapter = await start([[topic]]);
  for (let offset = 0; offset < 6; offset++) {
    adapter.ask({ kind: "consume_input", input: offset, source: 0, partition: 0, offset });
    await waitFor(() => adapter.texts(offset).length > 0, "the plain record");
    expect(adapter.texts(offset)).toEqual(["plain"]);
  }
});

test("headers are a list with repeats and nulls; there is one empty list", async () => {
  const topic = await kafka.createTopic(uniqueName("headers"), 1);
  await kafka.produce(topic, [
    { partition: 0, value: "a", headers: { one: "1", many: ["x", "y"] } },
    { partition: 0, value: "b" },
    { partition: 0, value: null, key: "tombstone" },
  ]);
  const adapter = await start([[topic]]);
  adapter.ask({ kind: "consume_input", input: 0, source: 0, partition: 0, offset: 0 });
  await waitFor(() => adapter.records(0).length === 3, "three records");
  const [first, second, third] = adapter.records(0);
  expect(first?.headers.map(({ key, value }) => [key, value && Buffer.from(value).toString()])).toEqual([
    ["one", "1"],
    ["many", "x"],
    ["many", "y"],
  ]);
  expect(second?.headers).toBe(third?.headers);
  expect(third).toMatchObject({ value: null, key: Buffer.from("tombstone") });
  expect(Math.abs(Date.now() - (first?.timestampMs ?? 0))).toBeLessThan(600_000);
});

// The broker compresses anew what it is given, with the codecs of the Java client.
test.each(["gzip", "snappy", "lz4", "zstd"])("records compressed with %s are read", async (codec) => {
  const topic = await kafka.createTopic(uniqueName("compressed"), 1, { "compression.type": codec });
  const messages = Array.from({ length: 5_000 }, (_, i) => ({ partition: 0, key: `key ${i}`, value: `value ${i} `.repeat(10) }));
  await kafka.produce(topic, messages);
  const adapter = await start([[topic]]);
  adapter.ask({ kind: "consume_input", input: 0, source: 0, partition: 0, offset: 250 });
  await waitFor(() => adapter.texts(0).length === 4_750, "all but the first records");
  expect(adapter.texts(0)).toEqual(messages.slice(250).map(({ value }) => value));
});

test("an offset that retention took away is told, with the one where the reset policy goes on", async () => {
  const topic = await kafka.createTopic(uniqueName("retained"), 1);
  await kafka.produce(topic, numbered(10));
  await kafka.admin.fetchTopicOffsets(topic); // Deleting knows only topics that were asked for before.
  await kafka.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "6" }] });
  const adapter = await start([[topic]]);
  adapter.ask({ kind: "consume_input", input: 0, source: 0, partition: 0, offset: 2 });
  const { offset } = await adapter.wait("input_displaced", ({ input }) => input === 0);
  expect(offset).toBe(6);
  adapter.ask({ kind: "consume_input", input: 0, source: 0, partition: 0, offset });
  await waitFor(() => adapter.texts(0).length === 4, "what is left");
  expect(adapter.texts(0)).toEqual(["6", "7", "8", "9"]);
  expect(adapter.log.some(({ level, text }) => level === "warn" && text.includes("has no offset 2"))).toBe(true);
});

test("a partition with nothing more says so where windows are made, and not while a transaction holds something back", async () => {
  const topic = await kafka.createTopic(uniqueName("exhausted"), 2);
  const plain = await kafka.createTopic(uniqueName("plain"), 1);
  await kafka.produce(topic, numbered(3));
  const adapter = await start([[topic, { watermark: watermarkSpecification() }], [plain]]);
  const exhausted = (input: number) => adapter.all("input_exhausted").filter((event) => event.input === input);
  adapter.ask({ kind: "consume_input", input: 2, source: 1, partition: 0, offset: 0 });
  for (const partition of [0, 1]) {
    adapter.ask({ kind: "consume_input", input: partition, source: 0, partition, offset: 0 });
  }
  await waitFor(() => exhausted(0).length > 2 && exhausted(1).length > 2, "the ends of both partitions");
  expect(new Set(exhausted(0).map(({ offset }) => offset))).toEqual(new Set([3]));
  expect(new Set(exhausted(1).map(({ offset }) => offset))).toEqual(new Set([0]));
  expect(adapter.texts(0)).toEqual(upTo(3));

  const producer = kafka.transactionalProducer(uniqueName("open"));
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ partition: 0, value: "held back" }] });
  const one = exhausted(1).length;
  await waitFor(() => exhausted(1).length > one + 2, "whatever was answered before");
  const [zero, then] = [exhausted(0).length, exhausted(1).length];
  await waitFor(() => exhausted(1).length > then + 5, "more answers for both");
  expect(exhausted(0)).toHaveLength(zero);
  await transaction.commit();
  await waitFor(() => exhausted(0).at(-1)?.offset === 5, "the end behind the marker");
  await producer.disconnect();
  expect(exhausted(2)).toEqual([]);
});

test("an absent ingress topic is waited for, or created when asked", async () => {
  const created = uniqueName("created");
  await start([[created]], { options: { createTopics: true }, shards: 3 });
  const { topics } = await kafka.admin.fetchTopicMetadata({ topics: [created] });
  expect(topics[0]?.partitions).toHaveLength(3);

  const awaited = uniqueName("awaited");
  const adapter = new TestAdapter({ group: uniqueName("waits"), sources: [sourceOf(awaited)] });
  adapters.push(adapter);
  const starting = adapter.kafka.start();
  await waitFor(() => adapter.log.some(({ text }) => text.includes(`Waiting for topic ${awaited}`)), "a word about it");
  await kafka.createTopic(awaited, 2);
  await starting;
  expect((await adapter.wait("assignment_changed")).inputs).toHaveLength(2);
});

test("progress noted reaches the group's offsets, where lag tools look", async () => {
  const topic = await kafka.createTopic(uniqueName("lag"), 1);
  await kafka.produce(topic, numbered(5));
  const adapter = await start([[topic]]);
  adapter.ask({ kind: "consume_input", input: 0, source: 0, partition: 0, offset: 0 });
  adapter.ask({ kind: "note_progress", progress: [{ input: 0, offset: 3 }] });
  await waitFor(async () => {
    const [offsets] = await kafka.admin.fetchOffsets({ groupId: adapter.options.group, topics: [topic] });
    return offsets?.partitions[0]?.offset === "3";
  }, "the committed offset");
});
