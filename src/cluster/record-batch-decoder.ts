/**
 * Record batches to records: what a fetch answered for one partition, without control records and, when `aborted` is given, without
 * the records of aborted transactions (as the Java client does it: by batch, with the list in order of its offsets). The position
 * behind counts whole batches by their last offset, so markers, aborted records and what compaction took away are passed in one step.
 */
import type { Header } from "../model/message";
import type { InputRecord } from "../model/record";
import { readInt64 } from "./bytes";
import { decompress } from "./codecs";

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export interface DecodedRecords {
  readonly records: InputRecord[];
  /** The first offset not covered; unchanged when there was no whole batch. */
  readonly nextOffset: number;
}

const noHeaders: readonly Header[] = Object.freeze([]);
const batchHeaderBytes = 61;
const codecMask = 0x07;
const logAppendTime = 0x08;
const transactional = 0x10;
const control = 0x20;

export function decodeRecordBatches(
  buffer: Buffer,
  start: number,
  end: number,
  fromOffset: number,
  aborted: readonly AbortedTransaction[],
): DecodedRecords {
  const records: InputRecord[] = [];
  const queue = aborted.length > 1 ? [...aborted].sort((a, b) => a.firstOffset - b.firstOffset) : aborted;
  const aborting = new Set<number>();
  let queued = 0;
  let nextOffset = fromOffset;
  // The last batch may be cut off: the broker fills up to the byte limit of the fetch.
  for (let at = start; at + batchHeaderBytes <= end; ) {
    const length = buffer.readInt32BE(at + 8);
    const batchEnd = at + 12 + length;
    const magic = buffer[at + 16];
    if (magic !== 2) throw new Error(`records are stored in message format ${magic}, which is older than Kafka 0.11`);
    if (batchEnd > end) break;
    const baseOffset = readInt64(buffer, at);
    const lastOffset = baseOffset + buffer.readInt32BE(at + 23);
    const attributes = buffer.readInt16BE(at + 21);
    const producerId = readInt64(buffer, at + 43);
    for (let next = queue[queued]; next !== undefined && next.firstOffset <= lastOffset; next = queue[++queued]) {
      aborting.add(next.producerId);
    }
    if ((attributes & control) !== 0) {
      if (isAbortMarker(buffer, at)) aborting.delete(producerId);
    } else if ((attributes & transactional) === 0 || !aborting.has(producerId)) {
      readBatch(buffer, at, batchEnd, attributes, baseOffset, fromOffset, records);
    }
    if (lastOffset >= nextOffset) nextOffset = lastOffset + 1;
    at = batchEnd;
  }
  return { records, nextOffset };
}

/** A control record's key is version int16, type int16; type 0 is an abort. Its length, attributes and deltas are varints of few bytes. */
function isAbortMarker(buffer: Buffer, batch: number): boolean {
  if (buffer.readInt32BE(batch + 57) === 0) return false;
  cursor.at = batch + batchHeaderBytes;
  readVarint(buffer);
  cursor.at += 1;
  skipVarlong(buffer);
  readVarint(buffer);
  const keyLength = readVarint(buffer);
  return keyLength >= 4 && buffer.readInt16BE(cursor.at + 2) === 0;
}

function readBatch(
  buffer: Buffer,
  batch: number,
  batchEnd: number,
  attributes: number,
  baseOffset: number,
  fromOffset: number,
  records: InputRecord[],
): void {
  const baseTimestamp = readInt64(buffer, batch + 27);
  const fixedTimestamp = (attributes & logAppendTime) !== 0 ? readInt64(buffer, batch + 35) : undefined;
  const count = buffer.readInt32BE(batch + 57);
  const codec = attributes & codecMask;
  let bytes = buffer;
  cursor.at = batch + batchHeaderBytes;
  if (codec !== 0 && count > 0) {
    bytes = decompress(codec, buffer.subarray(batch + batchHeaderBytes, batchEnd));
    cursor.at = 0;
  }
  for (let i = 0; i < count; i++) {
    const length = readVarint(bytes);
    const recordEnd = cursor.at + length;
    cursor.at += 1;
    const timestampDelta = readVarlong(bytes);
    const offset = baseOffset + readVarint(bytes);
    if (offset >= fromOffset) {
      const record = ownCopy(bytes, cursor.at, recordEnd);
      const key = readBytes(record);
      const value = readBytes(record);
      const headerCount = readVarint(record);
      records.push({
        offset,
        key,
        value,
        timestampMs: fixedTimestamp ?? baseTimestamp + timestampDelta,
        headers: headerCount === 0 ? noHeaders : readHeaders(record, headerCount),
      });
    }
    cursor.at = recordEnd;
  }
}

/**
 * One message that waits long must not hold the megabytes of the answer it came in, so each record is copied into a slab that it
 * shares with its neighbours only. Sets the cursor to the copy. Large ones are most of what they would hold anyway.
 */
const slabBytes = 16 * 1024;
const copyBelowBytes = 256 * 1024;
let slab = Buffer.allocUnsafeSlow(slabBytes);
let slabAt = 0;

function ownCopy(bytes: Buffer, from: number, to: number): Buffer {
  const length = to - from;
  if (length >= copyBelowBytes) {
    cursor.at = from;
    return bytes;
  }
  if (length > slabBytes / 2) {
    cursor.at = 0;
    return Buffer.from(bytes.subarray(from, to));
  }
  if (slabAt + length > slabBytes) {
    slab = Buffer.allocUnsafeSlow(slabBytes);
    slabAt = 0;
  }
  bytes.copy(slab, slabAt, from, to);
  cursor.at = slabAt;
  slabAt += length;
  return slab;
}

function readHeaders(bytes: Buffer, count: number): readonly Header[] {
  const headers: Header[] = [];
  for (let i = 0; i < count; i++) {
    const length = readVarint(bytes);
    const key = bytes.toString("utf8", cursor.at, cursor.at + length);
    cursor.at += length;
    headers.push({ key, value: readBytes(bytes) });
  }
  return headers;
}

function readBytes(bytes: Buffer): Buffer | null {
  const length = readVarint(bytes);
  if (length < 0) return null;
  const from = cursor.at;
  cursor.at = from + length;
  return bytes.subarray(from, from + length);
}

/** Decoding is synchronous, so one cursor serves all of it without an object per batch. */
const cursor = { at: 0 };

function readVarint(bytes: Buffer): number {
  let at = cursor.at;
  let byte = bytes[at++] as number;
  let value = byte & 0x7f;
  let shift = 7;
  while (byte > 0x7f) {
    byte = bytes[at++] as number;
    value |= (byte & 0x7f) << shift;
    shift += 7;
  }
  cursor.at = at;
  return (value >>> 1) ^ -(value & 1);
}

/** Deltas of timestamps: mostly below 2^31, and always exact as a double. */
function readVarlong(bytes: Buffer): number {
  const byte = bytes[cursor.at] as number;
  if (byte <= 0x7f) {
    cursor.at += 1;
    return (byte >>> 1) ^ -(byte & 1);
  }
  let factor = 1;
  let value = 0;
  for (;;) {
    const next = bytes[cursor.at++] as number;
    value += (next & 0x7f) * factor;
    if (next <= 0x7f) break;
    factor *= 128;
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function skipVarlong(bytes: Buffer): void {
  while ((bytes[cursor.at++] as number) > 0x7f);
}
