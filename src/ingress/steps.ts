/**
 * A number that rises along a partition, in steps: how many ends of windows had been passed (watermarks.ts), or how many critical records
 * had come (marking.ts), when a record was read. What was told of a record that is not finished must be told again when it is read again,
 * whatever the clock says then and whatever has been compacted away before it. So the steps go with the progress mark.
 *
 * S1  Steps rise in offset and in number.
 * S2  Below `end`, the position that a former life had read up to, the number is what that life's mark says, and nothing raises it.
 * S3  A mark keeps the steps between unfinished records and those that reading has not come to again: like the ranges (P3), its size
 *     follows the number of unfinished records and not the distance read.
 */
import type { Reader, Writer } from "protobufjs/minimal";

export interface StepsMark {
  /** Position up to which a record was read. */
  readonly end: number;
  /** The number at the low watermark; -1: none. */
  readonly base: number;
  /** [offset, number]: from that record on. Both rise. */
  readonly steps: readonly (readonly [offset: number, number: number])[];
}

export class Steps {
  #end: number;
  #base: number;
  /** The number at the offset asked for last, and the first step above it. */
  #number: number;
  #above = 0;
  #offsets: number[] = [];
  #numbers: number[] = [];

  constructor({ end, base, steps }: StepsMark) {
    this.#end = end;
    this.#base = base;
    this.#number = base;
    for (const [offset, number] of steps) this.#push(offset, number);
  }

  #push(offset: number, number: number): void {
    this.#offsets.push(offset);
    this.#numbers.push(number);
  }

  /** A former life has read further than this. */
  known(offset: number): boolean {
    return offset < this.#end;
  }

  /** The last number of all. */
  get last(): number {
    return this.#numbers[this.#numbers.length - 1] ?? this.#base;
  }

  /** The number at an offset; asked in rising order. */
  at(offset: number): number {
    while (this.#above < this.#offsets.length && (this.#offsets[this.#above] as number) <= offset) {
      this.#number = this.#numbers[this.#above++] as number;
    }
    return this.#number;
  }

  /** From this offset on it is this number, if that is more (S1) and nobody has said otherwise before (S2). */
  raise(offset: number, number: number): void {
    if (number <= this.last || offset < this.#end) return;
    // Nothing lies between two steps at one offset: the second is the one.
    if (this.#offsets[this.#offsets.length - 1] === offset) {
      this.#offsets.pop();
      this.#numbers.pop();
      if (this.#above > this.#offsets.length) this.#above--;
    }
    this.#push(offset, number);
  }

  /** The log has nothing behind this position (any more): what a former life read there is gone. */
  endAt(position: number): void {
    if (position >= this.#end) return;
    const last = this.last;
    this.#end = position;
    while (this.#offsets.length > 0 && (this.#offsets[this.#offsets.length - 1] as number) > position) {
      this.#offsets.pop();
      this.#numbers.pop();
    }
    this.#above = Math.min(this.#above, this.#offsets.length);
    this.raise(position, last); // Numbers never fall on a channel.
  }

  /** S3. `unfinished`: offsets of records that are read and not finished, rising; `next`: the position of reading. */
  mark(unfinished: Iterable<number>, next: number): StepsMark {
    const offsets = this.#offsets;
    const numbers = this.#numbers;
    this.#offsets = [];
    this.#numbers = [];
    let step = 0;
    let low = true;
    const keep = (offset: number) => {
      const from = step;
      while (step < offsets.length && (offsets[step] as number) <= offset) step++;
      if (step > from) this.#number = numbers[step - 1] as number;
      if (low) this.#base = this.#number;
      else if (step > from) this.#push(offsets[step - 1] as number, this.#number);
      low = false;
    };
    this.#number = this.#base;
    for (const offset of unfinished) keep(offset);
    keep(next);
    this.#above = this.#offsets.length;
    for (; step < offsets.length; step++) this.#push(offsets[step] as number, numbers[step] as number);
    return this.#written(next);
  }

  #written(next: number): StepsMark {
    const steps = this.#offsets.map((offset, index): [number, number] => [offset, this.#numbers[index] as number]);
    return { end: Math.max(this.#end, next), base: this.#base, steps };
  }
}

/** Wire, behind the low watermark: end - low, base + 1, count, then per step two varints: offset behind the one before (the low watermark), number above the one before. */
export function writeSteps(writer: Writer, low: number, { end, base, steps }: StepsMark): void {
  writer.uint64(end - low).uint64(base + 1);
  writer.uint32(steps.length);
  let offsetBefore = low;
  let numberBefore = base;
  for (const [offset, number] of steps) {
    writer.uint64(offset - offsetBefore).uint64(number - numberBefore);
    offsetBefore = offset;
    numberBefore = number;
  }
}

export function readSteps(reader: Reader, low: number): StepsMark {
  const end = low + Number(reader.uint64());
  const base = Number(reader.uint64()) - 1;
  const steps: [number, number][] = [];
  let offset = low;
  let number = base;
  for (let count = reader.uint32(); count > 0; count--) {
    offset += Number(reader.uint64());
    number += Number(reader.uint64());
    steps.push([offset, number]);
  }
  return { end, base, steps };
}
