import { OwnKafka, openKafka, type TestKafka, uniqueName, waitFor } from "../support/kafka";

const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({ key: `k${index % 7}`, value: String(from + index) }));

describe("the shared broker", () => {
  let kafka: TestKafka;
  beforeAll(async () => {
    kafka = await openKafka();
  });
  afterAll(() => kafka.close());

  test("reads everything that was produced, each key in order", async () => {
    const topic = await kafka.createTopic(uniqueName("plain"), 4);
    await kafka.produce(topic, numbered(12_000));
    const records = await kafka.readAll(topic);
    expect(records).toHaveLength(12_000);
    const last = new Map<string, number>();
    for (const { key = "", text } of records) {
      expect(Number(text)).toBeGreaterThan(last.get(key) ?? -1);
      last.set(key, Number(text));
    }
  });

  test("reads to the end of partitions that end with markers, aborted records and nothing at all", async () => {
    const topic = await kafka.createTopic(uniqueName("transactions"), 3);
    const at = (partition: number, from: number) => numbered(5, from).map((record) => ({ ...record, partition }));
    await kafka.produceInTransaction(topic, at(0, 0), "commit");
    await kafka.produceInTransaction(topic, at(0, 100), "abort");
    await kafka.produceInTransaction(topic, at(1, 200), "abort");
    expect((await kafka.readAll(topic)).map(({ text }) => Number(text))).toEqual([0, 1, 2, 3, 4]);
    expect(await kafka.readAll(topic, { committed: false })).toHaveLength(15);
  });

  test("hides what several producers aborted at once", async () => {
    const topic = await kafka.createTopic(uniqueName("interleaved"));
    const producers = ["a", "b", "c"].map((id) => kafka.transactionalProducer(uniqueName(id)));
    await Promise.all(producers.map((producer) => producer.connect()));
    const transactions = await Promise.all(producers.map((producer) => producer.transaction()));
    for (const value of ["1", "2"]) {
      for (const transaction of transactions) await transaction.send({ topic, messages: [{ key: "\0\0\0\0", value }] });
    }
    await transactions[0]?.commit();
    await transactions[1]?.abort();
    await transactions[2]?.abort();
    expect((await kafka.readAll(topic)).map(({ offset }) => offset)).toEqual([0, 3]);
    await Promise.all(producers.map((producer) => producer.disconnect()));
  });

  test("a committed reader says what holds it up when a transaction stays open", async () => {
    const topic = await kafka.createTopic(uniqueName("open"));
    const producer = kafka.transactionalProducer(uniqueName("open"));
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value: "hidden" }] });
    await expect(kafka.readAll(topic, { timeoutMs: 1_000 })).rejects.toThrow(/in vain for the end of open-.*partition 0/s);
    await transaction.commit();
    expect(await kafka.readAll(topic)).toHaveLength(1);
    await producer.disconnect();
  });

  test("keeps headers, timestamps and tombstones", async () => {
    const topic = await kafka.createTopic(uniqueName("whole"), 1, { "cleanup.policy": "compact" });
    await kafka.produce(topic, [
      { key: "a", value: "1", headers: { trace: "t" }, timestamp: "1234" },
      { key: "a", value: null },
    ]);
    const [first, second] = await kafka.readAll(topic);
    expect(first).toMatchObject({ key: "a", text: "1", headers: { trace: "t" }, timestampMs: 1234, offset: 0 });
    expect(second).toMatchObject({ key: "a", value: undefined, offset: 1 });
  });

  test("a follower sees what arrives after it began", async () => {
    const topic = await kafka.createTopic(uniqueName("followed"));
    const reader = kafka.follow(topic);
    await kafka.produce(topic, numbered(3));
    await waitFor(() => reader.records.length === 3, "three records", { seen: () => reader.records });
    expect(await kafka.waitForRecords(topic, 3)).toHaveLength(3);
  });

  test("a record of 64 MiB fits where the topic allows it", async () => {
    const topic = await kafka.createTopic(uniqueName("large"), 1, { "max.message.bytes": String(80 * 1024 * 1024) });
    await kafka.produce(topic, [{ key: "large", value: Buffer.alloc(64 * 1024 * 1024, 7) }]);
    const [record] = await kafka.readAll(topic);
    expect(record?.value?.length).toBe(64 * 1024 * 1024);
  });
});

describe("a broker of one's own", () => {
  let own: OwnKafka;
  beforeAll(async () => {
    own = await OwnKafka.start();
  });
  afterAll(() => own.remove());

  test.each(["after kill -9", "gracefully"] as const)("keeps what it acknowledged when restarted %s", async (how) => {
    const before = await own.open();
    const topic = await before.createTopic(uniqueName("kept"), 2);
    await before.produce(topic, numbered(1_000));
    await before.produceInTransaction(topic, numbered(10, 1_000), "commit");
    // Its markers are written after the commit is acknowledged; a lone broker killed between the two may never write them.
    expect(await before.readAll(topic)).toHaveLength(1_010);
    const broker = await own.restartBroker(how);
    expect(broker).toMatchObject({ bootstrap: own.bootstrap, startedByUs: true });
    expect(await before.readAll(topic)).toHaveLength(1_010);
    await before.close();
  });
});
