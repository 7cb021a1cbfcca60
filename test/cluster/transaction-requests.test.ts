/** Kafka's transactions of version 2 on the wire; that a real broker takes them is shown by every test of test/integration. */
import { ByteReader, ByteWriter } from "../../src/cluster/bytes";
import type { KafkajsBroker, RawRequest } from "../../src/cluster/kafkajs-internals";
import { type ProducedBatch, produceRequest } from "../../src/cluster/produce-request";
import { RecordBatches } from "../../src/cluster/record-batch-decoder";
import { recordBytesMax } from "../../src/cluster/record-batch-encoder";
import { endTxnRequest, knowsTransactions2, transactionVersionRequest } from "../../src/cluster/transaction-requests";

async function bytesOf(request: RawRequest<unknown>): Promise<Buffer> {
  return (await request.request.encode()).buffer;
}

async function decoded<T>(request: RawRequest<T>, answer: ByteWriter): Promise<T> {
  return request.response.parse(await request.response.decode(answer.body().buffer));
}

function batch(topic: string, partition: number, values: readonly string[]): ProducedBatch {
  const records = values.map((value) => ({
    partition,
    key: null,
    value: Buffer.from(value),
    headers: undefined,
    timestampMs: 1,
  }));
  const bytes = records.reduce((sum, record) => sum + recordBytesMax(record), 61);
  return { topic, partition, records, from: 0, to: records.length, sequence: 0, bytes };
}

const settings = {
  transactionalId: "id",
  producer: { producerId: 9, producerEpoch: 5, transactional: true },
  adding: true,
  timeoutMs: 7,
};

test("Produce v12: compact lengths, tag sections, and batches that read back", async () => {
  // A batch longer than any one-byte length.
  const batches = [batch("a", 0, ["x".repeat(300), "y"]), batch("b", 3, ["z"]), batch("a", 1, ["w"])];
  const request = produceRequest(batches, settings);
  expect(request.request.apiVersion).toBe(12);
  const reader = new ByteReader(await bytesOf(request));
  expect([reader.int8(), reader.compactString(), reader.int16(), reader.int32()]).toEqual([0, "id", -1, 7]);
  const seen: unknown[] = [];
  for (let topics = reader.uvarint() - 1; topics > 0; topics--) {
    const topic = reader.compactString();
    for (let partitions = reader.uvarint() - 1; partitions > 0; partitions--) {
      const partition = reader.int32();
      const length = reader.uvarint() - 1;
      const { records } = new RecordBatches(reader.buffer, reader.at, reader.at + length, 0, []).read(10);
      seen.push([topic, partition, records.map(({ value }) => String(value).length)]);
      reader.at += length;
      expect(reader.int8()).toBe(0);
    }
    expect(reader.int8()).toBe(0);
  }
  expect(reader.int8()).toBe(0);
  expect(reader.at).toBe(reader.buffer.length);
  expect(seen).toEqual([
    ["a", 0, [300, 1]],
    ["a", 1, [1]],
    ["b", 3, [1]],
  ]);
});

test("Produce v12: an answer with records at fault, messages, and leaders in its tags", async () => {
  const answer = new ByteWriter(256).int8(0).uvarint(2).compactString("a").uvarint(3);
  answer.int32(0).int16(0).int64(42).int64(-1).int64(0).uvarint(1).compactString(null).int8(0);
  answer.int32(1).int16(6).int64(-1).int64(-1).int64(-1);
  answer.uvarint(2).int32(0).compactString("bad").int8(0).compactString("not the leader");
  // Tag 0, the current leader, of 9 bytes.
  answer.uvarint(1).uvarint(0).uvarint(9).int32(2).int32(1).int8(0);
  answer.int8(0).int32(11);
  answer.uvarint(1).uvarint(0).uvarint(1).int8(1);
  expect(await decoded(produceRequest([batch("a", 0, ["x"])], settings), answer)).toEqual([
    { topic: "a", partition: 0, errorCode: 0, baseOffset: 42 },
    { topic: "a", partition: 1, errorCode: 6, baseOffset: -1 },
  ]);
});

test("EndTxn v5 answers with the identity to go on with, v1 with the one that asked", async () => {
  const producer = { producerId: 9, producerEpoch: 5 };
  const raising = endTxnRequest("id", producer, true, true);
  expect(raising.request.apiVersion).toBe(5);
  expect((await bytesOf(raising)).toString("hex")).toBe("00036964000000000000000900050100");
  const answer = new ByteWriter(32).int8(0).int32(0).int16(0).int64(10).int16(0).int8(0);
  expect(await decoded(raising, answer)).toEqual({ errorCode: 0, producerId: 10, producerEpoch: 0 });

  const plain = endTxnRequest("id", producer, false, false);
  expect(plain.request.apiVersion).toBe(1);
  expect((await bytesOf(plain)).toString("hex")).toBe("000269640000000000000009000500");
  expect(await decoded(plain, new ByteWriter(8).int32(0).int16(51))).toEqual({ errorCode: 51, ...producer });
});

describe("the cluster's transaction.version", () => {
  const features = (entries: readonly (readonly [string, number])[]): ByteWriter => {
    const writer = new ByteWriter(128).uvarint(entries.length + 1);
    for (const [name, level] of entries) writer.compactString(name).int16(level).int16(0).int8(0);
    return writer;
  };

  function answer(finalized: readonly (readonly [string, number])[] | undefined): ByteWriter {
    const writer = new ByteWriter(256).int16(0).uvarint(2).int16(0).int16(3).int16(12).int8(0).int32(0);
    if (finalized === undefined) return writer.uvarint(0);
    const body = features(finalized).body().buffer;
    writer.uvarint(2).uvarint(1).uvarint(8).int64(77).uvarint(2).uvarint(body.length);
    for (const byte of body) writer.int8(byte > 127 ? byte - 256 : byte);
    return writer;
  }

  test.each([
    ["finalized among others", [["metadata.version", 29] as const, ["transaction.version", 2] as const], 2],
    ["finalized at 1", [["transaction.version", 1] as const], 1],
    ["not finalized", [["metadata.version", 29] as const], 0],
    ["no features told", undefined, 0],
  ])("%s", async (_, finalized, expected) => {
    expect(await decoded(transactionVersionRequest(), answer(finalized))).toBe(expected);
  });

  test("a broker that does not speak the question has none", async () => {
    expect(await decoded(transactionVersionRequest(), new ByteWriter(8).int16(35))).toBe(0);
  });

  test("asked only where the broker has Produce v12 and EndTxn v5", () => {
    const broker = (produce: number, endTxn: number) =>
      ({
        versions: { 0: { minVersion: 0, maxVersion: produce }, 26: { minVersion: 0, maxVersion: endTxn } },
      }) as unknown as KafkajsBroker;
    expect([broker(12, 5), broker(13, 5), broker(11, 5), broker(12, 4)].map(knowsTransactions2)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(knowsTransactions2({ versions: null } as unknown as KafkajsBroker)).toBe(false);
  });
});
