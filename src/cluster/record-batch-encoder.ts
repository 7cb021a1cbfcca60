/**
 * Records to the wire: one record batch (magic 2) per partition, as in Kafka's `DefaultRecordBatch`.
 *
 * Why our own: producing is the dearest part of the router. kafkajs makes an Encoder with a zeroed buffer of 512 bytes per record
 * and one more per header, 64-bit arithmetic by BigInt, groups records by copying arrays (quadratic per partition), and wants the
 * coordinator named anew twice a transaction. This writes a batch into one buffer in one pass; the figures are in
 * `bench/kafka-sink.ts`, the proof that the bytes are the same in `test/cluster/record-batch-encoder.test.ts`.
 *
 *   RecordBatch => baseOffset int64, batchLength int32, partitionLeaderEpoch int32, magic int8, crc uint32, attributes int16,
 *                  lastOffsetDelta int32, baseTimestamp int64, maxTimestamp int64, producerId int64, producerEpoch int16,
 *                  baseSequence int32, records [Record]
 *   Record      => length varint, attributes int8, timestampDelta varlong, offsetDelta varint, keyLength varint, key,
 *                  valueLength varint, value, headers [keyLength varint, key, valueLength varint, value]
 */
import type { OutputRecord } from "../model/record";
import type { ByteWriter } from "./bytes";
import { writeInt64 } from "./bytes";
import { crc32c } from "./crc32c";

export interface BatchProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly transactional: boolean;
}

/** Bytes before the first record. */
export const batchOverheadBytes = 61;
/** Lengths, deltas and attributes of one record at most, without key, value and headers. */
const recordOverheadBytes = 32;
const transactionalAttribute = 16;
const noHeaders = Buffer.from([0]);

/** No less than the bytes the record takes in a batch. */
export function recordBytesMax(record: OutputRecord): number {
  const { key, value } = record;
  return (
    recordOverheadBytes +
    (key === null ? 0 : typeof key === "string" ? key.length * 3 : key.length) +
    (value === null ? 0 : value.length) +
    (record.headers === undefined ? 0 : encodedHeaders(record.headers).length)
  );
}

/**
 * Writes `records[from..to)` as one batch. The caller has reserved `batchOverheadBytes` and `recordBytesMax` of each record.
 */
export function writeRecordBatch(
  writer: ByteWriter,
  records: readonly OutputRecord[],
  from: number,
  to: number,
  producer: BatchProducer,
  sequence: number,
  nowMs: number,
): void {
  const buffer = writer.buffer;
  const start = writer.at;
  const baseTimestamp = (records[from] as OutputRecord).timestampMs ?? nowMs;
  let maxTimestamp = baseTimestamp;
  let at = start + batchOverheadBytes;
  for (let i = from; i < to; i++) {
    const record = records[i] as OutputRecord;
    const timestamp = record.timestampMs ?? nowMs;
    if (timestamp > maxTimestamp) maxTimestamp = timestamp;
    at = writeRecord(buffer, at, record, i - from, timestamp - baseTimestamp);
  }
  writeInt64(buffer, start, 0);
  buffer.writeInt32BE(at - start - 12, start + 8);
  buffer.writeInt32BE(0, start + 12);
  buffer[start + 16] = 2;
  buffer.writeInt16BE(producer.transactional ? transactionalAttribute : 0, start + 21);
  buffer.writeInt32BE(to - from - 1, start + 23);
  writeInt64(buffer, start + 27, baseTimestamp);
  writeInt64(buffer, start + 35, maxTimestamp);
  writeInt64(buffer, start + 43, producer.producerId);
  buffer.writeInt16BE(producer.producerEpoch, start + 51);
  buffer.writeInt32BE(sequence, start + 53);
  buffer.writeInt32BE(to - from, start + 57);
  buffer.writeUInt32BE(crc32c(buffer, start + 21, at), start + 17);
  writer.at = at;
}

function writeRecord(buffer: Buffer, start: number, record: OutputRecord, offsetDelta: number, timestampDelta: number): number {
  const { key, value } = record;
  const headers = record.headers === undefined ? noHeaders : encodedHeaders(record.headers);
  const keyLength = key === null ? -1 : typeof key === "string" ? Buffer.byteLength(key) : key.length;
  const valueLength = value === null ? -1 : value.length;
  const body =
    1 +
    varlongSize(timestampDelta) +
    varintSize(offsetDelta) +
    varintSize(keyLength) +
    Math.max(keyLength, 0) +
    varintSize(valueLength) +
    Math.max(valueLength, 0) +
    headers.length;
  let at = writeVarint(buffer, start, body);
  buffer[at++] = 0;
  at = timestampDelta === 0 ? writeVarint(buffer, at, 0) : writeVarlong(buffer, at, timestampDelta);
  at = writeVarint(buffer, at, offsetDelta);
  at = writeVarint(buffer, at, keyLength);
  if (key !== null) {
    if (typeof key === "string") buffer.write(key, at, keyLength);
    else buffer.set(key, at);
    at += keyLength;
  }
  at = writeVarint(buffer, at, valueLength);
  if (value !== null) {
    buffer.set(value, at);
    at += valueLength;
  }
  if (headers === noHeaders) {
    buffer[at] = 0;
    return at + 1;
  }
  buffer.set(headers, at);
  return at + headers.length;
}

/** Header objects are shared by many records (one per value type, say), so their bytes are made once per object. */
const headerBytes = new WeakMap<object, Buffer>();

function encodedHeaders(headers: Readonly<Record<string, Uint8Array | string>>): Buffer {
  const known = headerBytes.get(headers);
  if (known !== undefined) return known;
  const parts = Object.entries(headers).map(([name, value]) => [Buffer.from(name), Buffer.from(value as Uint8Array)] as const);
  const bytes = Buffer.allocUnsafe(parts.reduce((sum, [name, value]) => sum + 10 + name.length + value.length, 5));
  let at = writeVarint(bytes, 0, parts.length);
  for (const [name, value] of parts) {
    at = writeVarint(bytes, at, name.length);
    bytes.set(name, at);
    at = writeVarint(bytes, at + name.length, value.length);
    bytes.set(value, at);
    at += value.length;
  }
  const encoded = bytes.subarray(0, at);
  headerBytes.set(headers, encoded);
  return encoded;
}

/** Zigzag varint of an int32. */
function writeVarint(buffer: Buffer, start: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let at = start;
  while (rest > 0x7f) {
    buffer[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[at] = rest;
  return at + 1;
}

function varintSize(value: number): number {
  const rest = ((value << 1) ^ (value >> 31)) >>> 0;
  if (rest < 0x80) return 1;
  if (rest < 0x4000) return 2;
  if (rest < 0x200000) return 3;
  return rest < 0x10000000 ? 4 : 5;
}

/** Zigzag varint of an int64; timestamps apart by more than 12 days need it, so plain doubles are precise enough. */
function writeVarlong(buffer: Buffer, start: number, value: number): number {
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  let at = start;
  while (rest > 0x7f) {
    buffer[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  buffer[at] = rest;
  return at + 1;
}

function varlongSize(value: number): number {
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  let size = 1;
  while (rest > 0x7f) {
    rest = Math.floor(rest / 128);
    size++;
  }
  return size;
}
