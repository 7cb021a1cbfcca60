import * as fc from "fast-check";
import { ByteReader, ByteWriter, readInt64, writeInt64 } from "../../src/cluster/bytes";
import { crc32c } from "../../src/cluster/crc32c";
import { RecordBatches } from "../../src/cluster/record-batch-decoder";
import { batchOverheadBytes, recordBytesMax, writeRecordBatch } from "../../src/cluster/record-batch-encoder";
import type { OutputRecord } from "../../src/model/record";

const all = Number.POSITIVE_INFINITY;

// kafkajs's own encoder: what every broker has been fed with for years.
const { RecordBatch } = require("kafkajs/src/protocol/recordBatch/v0");
const Record = require("kafkajs/src/protocol/recordBatch/record/v0");

const producer = { producerId: 4_711_000_000, producerEpoch: 12, transactional: true };
const nowMs = 1_700_000_000_000;

function encode(records: readonly OutputRecord[], sequence = 0): Buffer {
  const bytes = records.reduce((sum, record) => sum + recordBytesMax(record), batchOverheadBytes);
  const writer = new ByteWriter(0);
  writer.reserve(bytes);
  writeRecordBatch(writer, records, 0, records.length, producer, sequence, nowMs);
  expect(writer.at).toBeLessThanOrEqual(bytes);
  return writer.buffer.subarray(0, writer.at);
}

async function kafkajsEncode(records: readonly OutputRecord[], sequence = 0): Promise<Buffer> {
  const times = records.map(({ timestampMs }) => timestampMs ?? nowMs);
  const first = times[0] ?? nowMs;
  const encoded = records.map(({ key, value, headers }, i) =>
    Record({
      offsetDelta: i,
      timestampDelta: (times[i] ?? nowMs) - first,
      key: key instanceof Uint8Array ? Buffer.from(key) : key,
      value: value && Buffer.from(value),
      ...(headers === undefined
        ? {}
        : { headers: Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, Buffer.from(bytes as string)])) }),
    }),
  );
  const batch = await RecordBatch({
    records: encoded,
    firstTimestamp: first,
    maxTimestamp: Math.max(...times),
    producerId: producer.producerId,
    producerEpoch: producer.producerEpoch,
    firstSequence: sequence,
    transactional: true,
    lastOffsetDelta: records.length - 1,
  });
  return batch.buffer;
}

const bytes = fc.uint8Array({ maxLength: 300 });
const outputs = fc.array(
  fc.record({
    partition: fc.constant(0),
    key: fc.oneof(fc.constant(null), fc.string(), fc.string({ unit: "binary", maxLength: 80 }), bytes),
    value: fc.option(bytes),
    headers: fc.option(fc.dictionary(fc.string({ maxLength: 10 }), fc.oneof(fc.string(), bytes), { maxKeys: 3 }), {
      nil: undefined,
    }),
    timestampMs: fc.option(fc.integer({ min: 1_000_000_000_000, max: 1_800_000_000_000 }), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 200 },
);

test("a batch has the bytes kafkajs gives it", async () => {
  await fc.assert(
    fc.asyncProperty(outputs, fc.nat(), async (records, sequence) => {
      expect(encode(records, sequence).equals(await kafkajsEncode(records, sequence))).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test("what is encoded is decoded again", () => {
  fc.assert(
    fc.property(outputs, (records) => {
      const batch = encode(records);
      const { records: decoded, nextOffset } = new RecordBatches(batch, 0, batch.length, 0, []).read(all);
      expect(nextOffset).toBe(records.length);
      expect(decoded.map(({ offset }) => offset)).toEqual(records.map((_, i) => i));
      decoded.forEach((record, i) => {
        const { key, value, headers, timestampMs } = records[i] as OutputRecord;
        expect(record.key).toEqual(key === null ? null : Buffer.from(key as string));
        expect(record.value).toEqual(value && Buffer.from(value));
        expect(record.timestampMs).toBe(timestampMs ?? nowMs);
        const given = Object.entries(headers ?? {}).map(([name, bytes]) => ({ key: name, value: Buffer.from(bytes as string) }));
        expect(record.headers).toEqual(given);
      });
    }),
    { numRuns: 200 },
  );
});

test("only records from the offset asked for are given; a batch that is cut off waits for the next fetch", () => {
  const records = Array.from({ length: 10 }, (_, i) => ({
    partition: 0,
    key: null,
    value: Buffer.from([i]),
    headers: undefined,
    timestampMs: 1,
  }));
  const batch = encode(records);
  expect(new RecordBatches(batch, 0, batch.length, 7, []).read(all).records.map(({ offset }) => offset)).toEqual([7, 8, 9]);
  for (const missing of [1, 20, batch.length - 61]) {
    const cut = new RecordBatches(batch, 0, batch.length - missing, 7, []).read(all);
    expect(cut).toEqual({ records: [], nextOffset: 7 });
  }
});

test("CRC-32C of known strings", () => {
  const sum = (text: string) => crc32c(Buffer.from(text), 0, Buffer.byteLength(text));
  expect(sum("123456789")).toBe(0xe3069283); // RFC 3720's check value
  expect(sum("")).toBe(0);
  expect(sum("a".repeat(1000))).toBe(referenceCrc(Buffer.from("a".repeat(1000))));
});

function referenceCrc(data: Buffer): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test("64-bit integers are exact up to 2^53, and negative ones too", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const buffer = Buffer.alloc(8);
      writeInt64(buffer, 0, value);
      expect(readInt64(buffer, 0)).toBe(value);
      expect(buffer.readBigInt64BE(0)).toBe(BigInt(value));
    }),
  );
});

test("strings, short and compact, are length and UTF-8", () => {
  const long = "ü".repeat(100);
  const writer = new ByteWriter(1).string("hé").string(null).compactString("ab").compactString(null).compactString(long);
  const reader = new ByteReader(writer.body().buffer);
  expect(reader.string()).toBe("hé");
  expect(reader.string()).toBe("");
  expect([reader.int8(), reader.int8(), reader.int8()]).toEqual([3, 97, 98]);
  expect(reader.int8()).toBe(0);
  expect([reader.int8() & 0x7f, reader.int8()]).toEqual([201 & 0x7f, 201 >> 7]);
});
