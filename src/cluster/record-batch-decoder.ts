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
  /** The first offset not covered; unchanged when there was nothing more. */
  readonly nextOffset: number;
}

/** Records of one partition that were fetched, to be read once and in order. */
export interface RecordSlices {
  /** The next records, `recordsMax` at most. At the end there are none and `nextOffset` stays. */
  read(recordsMax: number): DecodedRecords;
}

const noHeaders: readonly Header[] = Object.freeze([]);
const batchHeaderBytes = 61;
const codecMask = 0x07;
const logAppendTime = 0x08;
const transactional = 0x10;
const control = 0x20;

/**
 * What was fetched of one partition, decoded slice by slice as it is asked for. An answer is as large as the producer's batches, which
 * may hold many times what a reader wants to have in memory: what is not decoded costs its bytes and nothing to the garbage collector.
 */
export class RecordBatches implements RecordSlices {
  readonly #aborted: readonly AbortedTransaction[];
  readonly #aborting = new Set<number>();
  #queued = 0;
  #nextOffset: number;
  /** Of the batch that is being read: what is left of it. */
  #bytes: Buffer;
  #bytesAt = 0;
  #left = 0;
  #baseOffset = 0;
  #lastOffset = 0;
  #baseTimestamp = 0;
  #fixedTimestamp: number | undefined = undefined;

  constructor(
    readonly buffer: Buffer,
    /** Where the next batch begins. */
    private at: number,
    readonly end: number,
    readonly fromOffset: number,
    aborted: readonly AbortedTransaction[],
  ) {
    this.#bytes = buffer;
    this.#nextOffset = fromOffset;
    this.#aborted = aborted.length > 1 ? [...aborted].sort((a, b) => a.firstOffset - b.firstOffset) : aborted;
  }

  read(recordsMax: number): DecodedRecords {
    const records: InputRecord[] = [];
    while (records.length < recordsMax && (this.#left > 0 || this.#openNext())) this.#readInto(records, recordsMax);
    return { records, nextOffset: this.#nextOffset };
  }

  /** Passes what holds no records for us and opens the next batch that does. False at the end. */
  #openNext(): boolean {
    const { buffer } = this;
    // The last batch may be cut off: the broker fills up to the byte limit of the fetch.
    while (this.at + batchHeaderBytes <= this.end) {
      const batch = this.at;
      const batchEnd = batch + 12 + buffer.readInt32BE(batch + 8);
      const magic = buffer[batch + 16];
      if (magic !== 2) throw new Error(`records are stored in message format ${magic}, which is older than Kafka 0.11`);
      if (batchEnd > this.end) return false;
      const baseOffset = readInt64(buffer, batch);
      const lastOffset = baseOffset + buffer.readInt32BE(batch + 23);
      const wanted = this.#holdsRecords(batch, lastOffset);
      this.at = batchEnd;
      if (wanted && buffer.readInt32BE(batch + 57) > 0) {
        this.#open(batch, batchEnd, baseOffset, lastOffset);
        return true;
      }
      this.#passed(lastOffset);
    }
    return false;
  }

  /** Neither a marker nor of a transaction that was aborted. */
  #holdsRecords(batch: number, lastOffset: number): boolean {
    const { buffer } = this;
    const attributes = buffer.readInt16BE(batch + 21);
    const producerId = readInt64(buffer, batch + 43);
    let next = this.#aborted[this.#queued];
    while (next !== undefined && next.firstOffset <= lastOffset) {
      this.#aborting.add(next.producerId);
      next = this.#aborted[++this.#queued];
    }
    if ((attributes & control) === 0) return (attributes & transactional) === 0 || !this.#aborting.has(producerId);
    if (isAbortMarker(buffer, batch)) this.#aborting.delete(producerId);
    return false;
  }

  #passed(lastOffset: number): void {
    if (lastOffset >= this.#nextOffset) this.#nextOffset = lastOffset + 1;
  }

  #open(batch: number, batchEnd: number, baseOffset: number, lastOffset: number): void {
    const { buffer } = this;
    const attributes = buffer.readInt16BE(batch + 21);
    const codec = attributes & codecMask;
    const records = batch + batchHeaderBytes;
    this.#bytes = codec === 0 ? buffer : decompress(codec, buffer.subarray(records, batchEnd));
    this.#bytesAt = codec === 0 ? records : 0;
    this.#baseOffset = baseOffset;
    this.#lastOffset = lastOffset;
    this.#baseTimestamp = readInt64(buffer, batch + 27);
    this.#fixedTimestamp = (attributes & logAppendTime) !== 0 ? readInt64(buffer, batch + 35) : undefined;
    this.#left = buffer.readInt32BE(batch + 57);
  }

  #readInto(records: InputRecord[], recordsMax: number): void {
    const { fromOffset } = this;
    const bytes = this.#bytes;
    const baseOffset = this.#baseOffset;
    const baseTimestamp = this.#baseTimestamp;
    const fixedTimestamp = this.#fixedTimestamp;
    let left = this.#left;
    cursor.at = this.#bytesAt;
    for (; left > 0 && records.length < recordsMax; left--) {
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
    this.#bytesAt = cursor.at;
    this.#left = left;
    if (left === 0) this.#passed(this.#lastOffset);
    else this.#passed((records[records.length - 1] as InputRecord).offset);
  }
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
