/**
 * How far an ingress partition has been worked off: a low watermark and the ranges finished above it.
 *
 * Owns: which records of the partition are read but unfinished. Leaves to others: what a record became.
 *
 *   read ──▶ unfinished (one count per target) ──▶ finished: below the low watermark, or in a range above it
 *
 * P1  Offsets enter in rising order, none twice.
 * P2  Nothing unfinished lies below `low` or inside a range.
 * P3  Memory and the size of a mark follow the number of unfinished records, not the distance read: a record that is
 *     stuck for an hour costs one entry.
 */
import { Reader, Writer } from "protobufjs/minimal";
import { invariant, ProtocolError } from "../model/errors";
import { RecordEntry } from "../model/message";
import { readSteps, type Steps, type StepsMark, writeSteps } from "./steps";

/** Finished offsets above the low watermark: [first, last] pairs, rising, not touching. */
export type Ranges = readonly (readonly [first: number, last: number])[];

/** What is written to `<group>.state` for one partition. */
export interface ProgressMark {
  readonly low: number;
  readonly ranges: Ranges;
  /** Ends of windows that were passed (watermarks.ts), as numbers of windows of this length. */
  readonly passages?: StepsMark & { readonly everyMs: number };
  /** Critical records that had come (marking.ts). */
  readonly counts?: StepsMark;
}

/** What is told of the records of a partition by what came before them. */
export interface Told {
  readonly passages?: { readonly everyMs: number; readonly steps: Steps };
  readonly counts?: Steps;
}

export class Progress {
  #first: RecordEntry | undefined;
  #last: RecordEntry | undefined;
  #next: number;
  #outstanding = 0;
  /** Ranges found in the log at restore: records in them are skipped when they come by again. */
  readonly #skip: Ranges;
  #skipAt = 0;

  constructor(
    readonly input: number,
    start: ProgressMark,
    readonly told: Told = {},
  ) {
    this.#next = start.low;
    this.#skip = start.ranges;
  }

  /** The position to read from next. */
  get next(): number {
    return this.#next;
  }

  /** Records read and not finished. */
  get outstanding(): number {
    return this.#outstanding;
  }

  get low(): number {
    return this.#first ? this.#first.offset : this.#next;
  }

  /** True if a former life of this partition has finished this offset; asked in rising order. */
  finishedBefore(offset: number): boolean {
    while (this.#skipAt < this.#skip.length && (this.#skip[this.#skipAt] as readonly [number, number])[1] < offset)
      this.#skipAt++;
    const range = this.#skip[this.#skipAt];
    return range !== undefined && range[0] <= offset;
  }

  /** A record that becomes `targets` (> 0) messages. */
  enter(offset: number, targets: number): RecordEntry {
    invariant(offset >= this.#next, "P1: offsets rise");
    const entry = new RecordEntry(this.input, offset, targets);
    entry.before = this.#last;
    if (this.#last) this.#last.after = entry;
    else this.#first = entry;
    this.#last = entry;
    this.#next = offset + 1;
    this.#outstanding++;
    return entry;
  }

  /** Reading has come to this position; what lies between is finished (skipped, a marker, compacted away). */
  skipTo(position: number): void {
    if (position > this.#next) this.#next = position;
  }

  /** One message of the record is finished. True if that finished the record. */
  finish(entry: RecordEntry): boolean {
    invariant(entry.remaining > 0, "P2: a record is finished once per target");
    entry.remaining--;
    if (entry.remaining > 0) return false;
    this.#outstanding--;
    if (entry.before) entry.before.after = entry.after;
    else this.#first = entry.after;
    if (entry.after) entry.after.before = entry.before;
    else this.#last = entry.before;
    entry.before = undefined;
    entry.after = undefined;
    return true;
  }

  mark(): ProgressMark {
    const ranges: [number, number][] = [];
    for (let entry = this.#first; entry; entry = entry.after) {
      const end = entry.after ? entry.after.offset : this.#next;
      if (end > entry.offset + 1) ranges.push([entry.offset + 1, end - 1]);
    }
    // Ranges of the former life that reading has not come to yet are still finished.
    for (let i = this.#skipAt; i < this.#skip.length; i++) {
      const [first, last] = this.#skip[i] as readonly [number, number];
      if (last < this.#next) continue;
      const rest = Math.max(first, this.#next);
      const before = ranges[ranges.length - 1];
      if (before && before[1] + 1 === rest) before[1] = last;
      else ranges.push([rest, last]);
    }
    return { low: this.low, ranges, ...this.#told() };
  }

  /** Where it goes on at another position: what was told is not taken back. */
  elsewhere(low: number): ProgressMark {
    const { passages, counts } = this.told;
    const from = (steps: Steps): StepsMark => ({ end: low, base: steps.last, steps: [] });
    return {
      low,
      ranges: [],
      ...(passages && { passages: { everyMs: passages.everyMs, ...from(passages.steps) } }),
      ...(counts && { counts: from(counts) }),
    };
  }

  /** The log has nothing behind the position. */
  atEnd(): void {
    this.told.passages?.steps.endAt(this.#next);
    this.told.counts?.endAt(this.#next);
  }

  #told(): Pick<ProgressMark, "passages" | "counts"> {
    const { passages, counts } = this.told;
    return {
      ...(passages && { passages: { everyMs: passages.everyMs, ...passages.steps.mark(this.#unfinished(), this.#next) } }),
      ...(counts && { counts: counts.mark(this.#unfinished(), this.#next) }),
    };
  }

  *#unfinished(): IterableIterator<number> {
    for (let entry = this.#first; entry; entry = entry.after) yield entry.offset;
  }
}

const PASSAGES = 1;
const COUNTS = 2;

/**
 * Wire: version, low, count, then per range two varints: gap behind the end of the one before, length - 1. Version 1 ends here, and is what is
 * written where there is nothing more to say. In version 2 follow, until the end, a kind and its steps (steps.ts): 1 passages, with the length of
 * the windows in ms (double) before them, 2 counts.
 */
export function encodeProgress(mark: ProgressMark): Uint8Array {
  const { low, ranges, passages, counts } = mark;
  const writer = Writer.create()
    .uint32(passages || counts ? 2 : 1)
    .uint64(low)
    .uint32(ranges.length);
  let end = low;
  for (const [first, last] of ranges) {
    writer.uint64(first - end).uint64(last - first);
    end = last;
  }
  if (passages) writeSteps(writer.uint32(PASSAGES).double(passages.everyMs), low, passages);
  if (counts) writeSteps(writer.uint32(COUNTS), low, counts);
  return writer.finish();
}

export function decodeProgress(bytes: Uint8Array): ProgressMark {
  const reader = Reader.create(bytes);
  const version = reader.uint32();
  if (version !== 1 && version !== 2)
    throw new ProtocolError(`progress record of version ${version}; this router reads versions 1 and 2`);
  const low = Number(reader.uint64());
  const count = reader.uint32();
  const ranges: [number, number][] = [];
  let end = low;
  for (let i = 0; i < count; i++) {
    const first = end + Number(reader.uint64());
    end = first + Number(reader.uint64());
    ranges.push([first, end]);
  }
  return { low, ranges, ...(version === 2 && readTold(reader, low)) };
}

function readTold(reader: Reader, low: number): Pick<ProgressMark, "passages" | "counts"> {
  let told: Pick<ProgressMark, "passages" | "counts"> = {};
  while (reader.pos < reader.len) {
    const kind = reader.uint32();
    if (kind === PASSAGES) {
      const everyMs = reader.double();
      told = { ...told, passages: { everyMs, ...readSteps(reader, low) } };
    } else if (kind === COUNTS) told = { ...told, counts: readSteps(reader, low) };
    else throw new ProtocolError(`progress record with steps of kind ${kind}; this router knows 1 and 2`);
  }
  return told;
}
