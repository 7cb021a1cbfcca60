import { ByteWriter } from "../../src/cluster/bytes";
import { RecordBatches } from "../../src/cluster/record-batch-decoder";
import { batchOverheadBytes, recordBytesMax, writeRecordBatch } from "../../src/cluster/record-batch-encoder";

const all = Number.POSITIVE_INFINITY;

/** A log made by hand: batches of producers, and control batches, at the offsets given. */
interface BatchShape {
  readonly base: number;
  readonly producerId: number;
  readonly texts: readonly string[];
  readonly transactional?: boolean;
  readonly control?: "commit" | "abort";
  /** Compaction keeps a batch's last offset when its last records go. */
  readonly lastOffset?: number;
}

function log(...shapes: BatchShape[]): Buffer {
  return Buffer.concat(shapes.map(batchOf));
}

function batchOf({ base, producerId, texts, transactional = true, control, lastOffset }: BatchShape): Buffer {
  const key = control === undefined ? Buffer.alloc(4) : Buffer.from([0, 0, 0, control === "commit" ? 1 : 0]);
  const values = control === undefined ? texts : ["marker"];
  const records = values.map((text) => ({ partition: 0, key, value: Buffer.from(text), headers: undefined, timestampMs: 1 }));
  const writer = new ByteWriter(records.reduce((sum, record) => sum + recordBytesMax(record), batchOverheadBytes));
  if (records.length > 0)
    writeRecordBatch(writer, records, 0, records.length, { producerId, producerEpoch: 0, transactional }, 0, 0);
  else emptyBatch(writer, producerId);
  const { buffer } = writer.body();
  buffer.writeBigInt64BE(BigInt(base), 0);
  if (control !== undefined) buffer.writeInt16BE(0x30, 21);
  if (lastOffset !== undefined) buffer.writeInt32BE(lastOffset - base, 23);
  return Buffer.from(buffer);
}

/** What compaction leaves of a producer's last batch. */
function emptyBatch(writer: ByteWriter, producerId: number): void {
  writer
    .int64(0)
    .int32(49)
    .int32(0)
    .int8(2)
    .int32(0)
    .int16(0x10)
    .int32(0)
    .int64(1)
    .int64(1)
    .int64(producerId)
    .int16(0)
    .int32(0)
    .int32(0);
}

function read(bytes: Buffer, from = 0, aborted: { producerId: number; firstOffset: number }[] = []) {
  const { records, nextOffset } = new RecordBatches(bytes, 0, bytes.length, from, aborted).read(all);
  return { texts: records.map(({ value }) => Buffer.from(value ?? []).toString()), nextOffset };
}

test("markers are passed and not given", () => {
  const bytes = log({ base: 0, producerId: 1, texts: ["a", "b"] }, { base: 2, producerId: 1, texts: [], control: "commit" });
  expect(read(bytes)).toEqual({ texts: ["a", "b"], nextOffset: 3 });
});

test("an aborted transaction's records are left out up to its marker, whatever keys they have", () => {
  const bytes = log(
    { base: 0, producerId: 1, texts: ["aborted", "aborted"] },
    { base: 2, producerId: 1, texts: ["aborted"] },
    { base: 3, producerId: 1, texts: [], control: "abort" },
    { base: 4, producerId: 1, texts: ["good"] },
    { base: 5, producerId: 1, texts: [], control: "commit" },
  );
  expect(read(bytes, 0, [{ producerId: 1, firstOffset: 0 }])).toEqual({ texts: ["good"], nextOffset: 6 });
});

test("several that aborted at once are all left out, also when reading begins in their middle and the list is unordered", () => {
  const bytes = log(
    { base: 10, producerId: 2, texts: ["aborted 2"] },
    { base: 11, producerId: 1, texts: ["aborted 1"] },
    { base: 12, producerId: 3, texts: ["good"] },
    { base: 13, producerId: 4, texts: ["plain"], transactional: false },
    { base: 14, producerId: 1, texts: [], control: "abort" },
    { base: 15, producerId: 2, texts: [], control: "abort" },
    { base: 16, producerId: 2, texts: ["good again"] },
  );
  const aborted = [
    { producerId: 2, firstOffset: 7 },
    { producerId: 1, firstOffset: 3 },
  ];
  expect(read(bytes, 10, aborted)).toEqual({ texts: ["good", "plain", "good again"], nextOffset: 17 });
});

test("without the list, as an uncommitted reader, everything but markers is given", () => {
  const bytes = log({ base: 0, producerId: 1, texts: ["open"] }, { base: 1, producerId: 1, texts: [], control: "abort" });
  expect(read(bytes)).toEqual({ texts: ["open"], nextOffset: 2 });
});

test("what compaction took away is passed in one step: gaps, tails of batches, empty batches", () => {
  const bytes = log(
    { base: 0, producerId: 1, texts: ["a"], lastOffset: 999 },
    { base: 5_000, producerId: 2, texts: [], lastOffset: 6_999 },
  );
  expect(read(bytes)).toEqual({ texts: ["a"], nextOffset: 7_000 });
  expect(read(bytes, 500)).toEqual({ texts: [], nextOffset: 7_000 });
});

test("records older than Kafka 0.11 are named as such", () => {
  const bytes = log({ base: 0, producerId: 1, texts: ["a"] });
  bytes[16] = 1;
  expect(() => read(bytes)).toThrow(/message format 1/);
});

test("slices give the same records as one reading, and each goes on where the one before ended", () => {
  const bytes = log(
    { base: 0, producerId: 1, texts: ["a", "b", "c"] },
    { base: 3, producerId: 2, texts: ["aborted"] },
    { base: 4, producerId: 2, texts: [], control: "abort" },
    { base: 5, producerId: 1, texts: ["d", "e"], lastOffset: 7 },
    { base: 8, producerId: 1, texts: [], control: "commit" },
  );
  const aborted = [{ producerId: 2, firstOffset: 3 }];
  const whole = new RecordBatches(bytes, 0, bytes.length, 1, aborted).read(all);
  for (const recordsMax of [1, 2, 3]) {
    const slices = new RecordBatches(bytes, 0, bytes.length, 1, aborted);
    const records = [];
    let position = 1;
    for (let slice = slices.read(recordsMax); slice.nextOffset > position; slice = slices.read(recordsMax)) {
      expect(slice.records.length).toBeLessThanOrEqual(recordsMax);
      for (const { offset } of slice.records) {
        expect(offset).toBeGreaterThanOrEqual(position);
        expect(offset).toBeLessThan(slice.nextOffset);
      }
      records.push(...slice.records);
      position = slice.nextOffset;
    }
    expect(records).toEqual(whole.records);
    expect(position).toBe(9);
  }
});
