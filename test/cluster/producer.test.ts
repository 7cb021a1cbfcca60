/**
 * The producer against a broker made by hand: lost answers, refusals, and what may be said about the outcome; in both kinds of
 * transactions (src/cluster/transaction-requests.ts).
 */
import { ByteReader } from "../../src/cluster/bytes";
import type { Link } from "../../src/cluster/link";
import { groupByPartition, Producer, type UnitError } from "../../src/cluster/producer";
import type { OutputRecord } from "../../src/model/record";

const initProducerId = 22;
const addPartitions = 24;
const produce = 0;
const endTxn = 26;
const codes = {
  unknownTopic: 3,
  notLeader: 6,
  tooLarge: 10,
  outOfOrder: 45,
  duplicate: 46,
  invalidEpoch: 47,
  invalidState: 48,
  concurrent: 51,
  notAttempted: 55,
};

interface Batch {
  readonly sequence: number;
  readonly count: number;
  readonly epoch: number;
}

const versions = [1, 2] as const;
type Version = (typeof versions)[number];

/** What to do with the next request of a kind: answer with a code, or do it (or not) and lose the answer. */
type Fault = number | "lost before" | "lost after";

class FakeBroker {
  readonly calls: string[] = [];
  readonly log: Batch[] = [];
  readonly faults = new Map<number, Fault[]>();
  producerId = 9;
  epoch = 4;
  committed = 0;
  lastEpoch = 32_766;
  /** Version 2: the epoch that the last transaction had. */
  #endedEpoch = -1;

  constructor(readonly version: Version) {}

  fail(api: number, ...faults: Fault[]): void {
    this.faults.set(api, faults);
  }

  link(): Link {
    const broker = { connectionPool: { send: (request: RequestShape) => this.#send(request) } };
    return {
      specification: { requestTimeoutMs: 1_000 },
      renew: () => this.calls.push("renew"),
      forgetCoordinators: () => {},
      transactionVersion: async () => this.version,
      cluster: async () => ({ findControllerBroker: async () => broker }),
      coordinator: async () => broker,
      leader: async () => 1,
      broker: async () => broker,
    } as unknown as Link;
  }

  async #send({ request }: RequestShape): Promise<unknown> {
    const fault = this.faults.get(request.apiKey)?.shift();
    this.calls.push(request.apiName);
    if (fault === "lost before") throw lost();
    const code = typeof fault === "number" ? fault : 0;
    const answer = this.#do(request.apiKey, (await request.encode()).buffer, code);
    if (fault === "lost after") throw lost();
    return answer;
  }

  #do(api: number, body: Buffer, code: number): unknown {
    switch (api) {
      case initProducerId:
        if (code === 0) this.epoch++;
        return this.#identity(code);
      case addPartitions:
        return [{ topic: "t", partition: 0, errorCode: code === 0 ? this.#add(body) : code }];
      case produce:
        return [{ topic: "t", partition: 0, errorCode: code === 0 ? this.#append(body) : code, baseOffset: 0 }];
      case endTxn:
        return this.#identity(code === 0 ? this.#end(body) : code);
      default:
        throw new Error(`unexpected request ${api}`);
    }
  }

  #identity(errorCode: number) {
    return { errorCode, producerId: this.producerId, producerEpoch: this.epoch };
  }

  #add(body: Buffer): number {
    const reader = new ByteReader(body);
    reader.string();
    reader.int64();
    return reader.int16() === this.epoch ? 0 : codes.invalidEpoch;
  }

  /** Version 2: an epoch for each transaction; who asks again with the last one is answered again. */
  #end(body: Buffer): number {
    if (this.version === 2) {
      const reader = new ByteReader(body);
      reader.int8();
      reader.compactString();
      reader.int64();
      const epoch = reader.int16();
      if (epoch === this.#endedEpoch) return 0;
      if (epoch !== this.epoch) return codes.invalidEpoch;
      this.#endedEpoch = epoch;
      if (epoch < this.lastEpoch) this.epoch++;
      else [this.producerId, this.epoch] = [this.producerId + 1, 0];
    }
    this.committed++;
    return 0;
  }

  /** Takes each sequence once, as a broker does. */
  #append(body: Buffer): number {
    const batch = this.version === 2 ? batchOfFlexible(body) : batchOfPlain(body);
    const next = {
      epoch: body.readInt16BE(batch + 51),
      sequence: body.readInt32BE(batch + 53),
      count: body.readInt32BE(batch + 57),
    };
    const before = this.log.filter(({ epoch }) => epoch === next.epoch).reduce((sum, { count }) => sum + count, 0);
    if (next.sequence < before) return codes.duplicate;
    if (next.sequence > before) return codes.outOfOrder;
    this.log.push(next);
    return 0;
  }
}

function batchOfPlain(body: Buffer): number {
  const reader = new ByteReader(body);
  reader.string();
  reader.at += 6 + 4;
  reader.string();
  return reader.at + 4 + 4 + 4;
}

function batchOfFlexible(body: Buffer): number {
  const reader = new ByteReader(body);
  reader.int8();
  reader.compactString();
  reader.at += 6;
  reader.uvarint();
  reader.compactString();
  reader.uvarint();
  reader.int32();
  reader.uvarint();
  return reader.at;
}

interface RequestShape {
  readonly request: { readonly apiKey: number; readonly apiName: string; encode(): Promise<{ buffer: Buffer }> };
}

function lost(): Error {
  return Object.assign(new Error("connection lost"), { name: "KafkaJSConnectionClosedError" });
}

function groups(count: number, bytesMax = 1_000_000) {
  const records: OutputRecord[] = Array.from({ length: count }, (_, i) => ({
    partition: 0,
    key: `${i}`,
    value: Buffer.alloc(100),
    headers: undefined,
    timestampMs: 1,
  }));
  return groupByPartition([{ cluster: "c", topic: "t", records }], () => bytesMax);
}

async function opened(version: Version, budgetMs = 2_000): Promise<{ broker: FakeBroker; producer: Producer }> {
  const broker = new FakeBroker(version);
  const producer = new Producer(broker.link(), "id", 1_000, budgetMs);
  await producer.open();
  return { broker, producer };
}

async function land(producer: Producer, count = 3): Promise<void> {
  const unit = groups(count);
  await producer.begin(unit);
  await producer.write(unit);
  await producer.commit();
}

test("a transaction is three requests: partitions, records, end; in version 2 the second brings the first", async () => {
  const calls = async (version: Version) => {
    const { broker, producer } = await opened(version);
    broker.calls.length = 0;
    await land(producer);
    return broker.calls;
  };
  expect(await calls(1)).toEqual(["AddPartitionsToTxn", "Produce", "EndTxn"]);
  expect(await calls(2)).toEqual(["Produce", "EndTxn"]);
});

describe.each(versions)("in transactions of version %i", (version) => {
  test("P2: whatever answer is lost, before or after it was done, the records are there once and the unit is committed", async () => {
    for (const api of [addPartitions, produce, endTxn]) {
      for (const fault of ["lost before", "lost after"] as const) {
        const { broker, producer } = await opened(version);
        const { epoch } = broker;
        broker.fail(api, fault, fault, fault);
        await land(producer);
        await land(producer);
        const second = version === 2 ? { sequence: 0, count: 3, epoch: epoch + 1 } : { sequence: 3, count: 3, epoch };
        expect(broker.log).toEqual([{ sequence: 0, count: 3, epoch }, second]);
        expect(broker.committed).toBe(api === endTxn && fault === "lost after" && version === 1 ? 5 : 2);
      }
    }
  });

  test("transient refusals are tried again: markers still being written, leaders moving, partitions not attempted", async () => {
    const { broker, producer } = await opened(version);
    broker.fail(addPartitions, codes.concurrent, codes.notAttempted, codes.concurrent);
    broker.fail(produce, codes.notLeader, codes.concurrent, codes.notLeader);
    broker.fail(endTxn, codes.concurrent);
    await land(producer);
    expect(broker.committed).toBe(1);
    expect(broker.log).toHaveLength(1);
  });

  test("a large unit is split by the topic's limit, sequences going on, a record above it alone", async () => {
    const { broker, producer } = await opened(version);
    const unit = groups(100, 2_000);
    await producer.begin(unit);
    await producer.write(unit);
    expect(broker.log.length).toBeGreaterThan(5);
    expect(broker.log.reduce((sum, { count }) => sum + count, 0)).toBe(100);
    const tiny = groups(2, 10);
    await producer.begin(tiny);
    await producer.write(tiny);
    expect(broker.log.slice(-2).map(({ count }) => count)).toEqual([1, 1]);
  });

  test("a refused record ends the try at once, and after the abort sequences start anew under a new epoch (P1)", async () => {
    const { broker, producer } = await opened(version);
    const unit = groups(3);
    await producer.begin(unit);
    broker.fail(produce, codes.tooLarge);
    await expect(producer.write(unit)).rejects.toMatchObject({ type: "MESSAGE_TOO_LARGE" });
    const epoch = broker.epoch;
    await producer.abort();
    await land(producer);
    expect(broker.log).toEqual([{ sequence: 0, count: 3, epoch: epoch + 1 }]);
  });

  test.each([
    ...(version === 1 ? ([["begin", addPartitions, codes.invalidEpoch]] as const) : []),
    ["write", produce, codes.invalidEpoch],
    ["commit", endTxn, codes.invalidEpoch],
    ["commit", endTxn, codes.invalidState],
  ] as const)("fenced while in %s: said so at once", async (_, api, code) => {
    const { broker, producer } = await opened(version);
    broker.fail(api, code);
    const failure = await land(producer).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(Producer.isFenced(failure)).toBe(true);
  });

  test("a commit whose answers are all lost is indefinite; so is a fence told only after a lost answer", async () => {
    const { broker, producer } = await opened(version, 50);
    broker.fail(endTxn, ...Array.from({ length: 1_000 }, () => "lost before" as const));
    await expect(land(producer)).rejects.toMatchObject({ failure: "indefinite" } satisfies Partial<UnitError>);

    const other = await opened(version);
    other.broker.fail(endTxn, "lost after", codes.invalidEpoch);
    await expect(land(other.producer)).rejects.toMatchObject({ failure: "indefinite" });
  });

  test.each([
    ["done at once", []],
    ["its answer lost", ["lost after"]],
    ["refused for a moment, then its answer lost", [codes.concurrent, "lost after"]],
  ] as const)("P3: sealing is an empty transaction, and the next one goes on from it: %s", async (_, faults) => {
    const { broker, producer } = await opened(version);
    await land(producer);
    broker.calls.length = 0;
    broker.fail(endTxn, ...faults);
    expect(await producer.seal([{ topic: "t", partition: 0 }], "abort")).toEqual([]);
    const ends = faults.length + 1;
    expect(broker.calls.filter((call) => call !== "renew")).toEqual(["AddPartitionsToTxn", ...Array(ends).fill("EndTxn")]);
    await land(producer);
    expect(broker.log.at(-1)).toEqual({
      sequence: version === 2 ? 0 : 3,
      count: 3,
      epoch: broker.epoch - (version === 2 ? 1 : 0),
    });
  });
});

test("version 2: behind the last epoch of a producer id the broker gives another id, and the producer goes on with it", async () => {
  const { broker, producer } = await opened(2);
  broker.lastEpoch = broker.epoch + 1;
  for (let count = 0; count < 3; count++) await land(producer);
  expect(broker.log.map(({ epoch }) => epoch)).toEqual([5, 6, 0]);
  expect(broker.producerId).toBe(10);
});

test("records are grouped by partition in the order given, over all batches of a topic", () => {
  const record = (partition: number, key: string): OutputRecord => ({
    partition,
    key,
    value: null,
    headers: undefined,
    timestampMs: undefined,
  });
  const batches = [
    { cluster: "c", topic: "a", records: [record(1, "1"), record(0, "2"), record(1, "3")] },
    { cluster: "c", topic: "b", records: [record(1, "4")] },
    { cluster: "c", topic: "a", records: [record(0, "5")] },
  ];
  const grouped = groupByPartition(batches, (topic) => topic.length);
  expect(grouped.map(({ topic, partition, records }) => [topic, partition, records.map(({ key }) => key).join("")])).toEqual([
    ["a", 1, "13"],
    ["a", 0, "25"],
    ["b", 1, "4"],
  ]);
});
