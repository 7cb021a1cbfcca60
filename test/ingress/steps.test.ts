import * as fc from "fast-check";
import { Reader, Writer } from "protobufjs/minimal";
import { readSteps, Steps, type StepsMark, writeSteps } from "../../src/ingress/steps";

const NONE: StepsMark = { end: 0, base: -1, steps: [] };

function again(mark: StepsMark, low: number): Steps {
  const writer = Writer.create();
  writeSteps(writer, low, mark);
  const read = readSteps(Reader.create(writer.finish()), low);
  expect(read).toEqual(mark);
  return new Steps(read);
}

type Step =
  /** Reads a record (`gap` offsets were compacted away before it), with what it raises the number by. */
  | { readonly read: number; readonly rise: number }
  /** Something else raises the number at the position. */
  | { readonly raise: number }
  | { readonly finish: number }
  /** A unit is written. */
  | { readonly mark: true }
  /** A new life, from the mark that was written last. */
  | { readonly crash: true };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ read: fc.constantFrom(0, 0, 0, 2), rise: fc.constantFrom(0, 0, 0, 1, 5) }) },
  { weight: 2, arbitrary: fc.record({ raise: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 5, arbitrary: fc.record({ finish: fc.nat({ max: 50 }) }) },
  { weight: 2, arbitrary: fc.constant({ mark: true } as const) },
  { weight: 1, arbitrary: fc.constant({ crash: true } as const) },
);

/** A partition as a list of what each record was told. */
class Model {
  steps = new Steps(NONE);
  next = 0;
  readonly unfinished = new Set<number>();
  /** What records were told, by offset, in this life. */
  told = new Map<number, number>();
  number = -1;
  saved = { mark: NONE, low: 0, next: 0, unfinished: [] as number[], told: new Map<number, number>(), number: -1 };

  apply(step: Step): void {
    if ("read" in step) this.read(this.next + step.read, step.rise);
    else if ("raise" in step) this.raise(step.raise);
    else if ("finish" in step) this.finish(step.finish);
    else if ("mark" in step) this.mark();
    else this.crash();
  }

  get #known(): boolean {
    return this.next < this.saved.next;
  }

  read(offset: number, rise: number): void {
    const known = this.steps.known(offset);
    expect(known).toBe(offset < this.saved.next);
    if (known) {
      // S2: whatever is said now.
      this.steps.raise(offset, this.number + rise + 7);
      const before = this.saved.told.get(offset);
      if (before !== undefined && this.unfinished.has(offset)) expect(this.steps.at(offset)).toBe(before);
    } else {
      this.number += rise;
      this.steps.raise(offset, this.number);
      expect(this.steps.at(offset)).toBe(this.number);
      this.unfinished.add(offset);
      this.told.set(offset, this.number);
    }
    this.next = offset + 1;
  }

  raise(rise: number): void {
    if (this.#known) return;
    this.number += rise;
    this.steps.raise(this.next, this.number);
    expect(this.steps.at(this.next)).toBe(this.number);
  }

  finish(choice: number): void {
    const read = [...this.unfinished].filter((offset) => offset < this.next);
    const offset = read[choice % Math.max(1, read.length)];
    if (offset !== undefined) this.unfinished.delete(offset);
  }

  mark(): void {
    const read = [...this.unfinished].filter((offset) => offset < this.next).sort((one, other) => one - other);
    const low = read[0] ?? this.next;
    const mark = this.steps.mark(read, this.next);
    expect(this.steps.mark(read, this.next)).toEqual(mark);
    // S3: no more steps than unfinished records, those not read again, and the position.
    expect(mark.steps.length).toBeLessThanOrEqual(this.unfinished.size + 1);
    let before = { offset: low, number: mark.base };
    for (const [offset, number] of mark.steps) {
      expect([offset > before.offset, number > before.number]).toEqual([true, true]); // S1
      before = { offset, number };
    }
    const next = Math.max(this.next, this.saved.next);
    expect(mark.end).toBe(next);
    this.saved = { mark, low, next, unfinished: [...this.unfinished], told: new Map(this.told), number: this.number };
  }

  crash(): void {
    const { mark, low, unfinished, told, number } = this.saved;
    this.steps = again(mark, low);
    this.next = low;
    this.unfinished.clear();
    for (const offset of unfinished) this.unfinished.add(offset);
    this.told = new Map(told);
    this.number = number;
    expect(this.steps.last).toBe(number);
  }
}

describe("Steps", () => {
  it("S1–S3: tell every unfinished record what it was told before, over any reading, finishing and crashing", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: "max" }), (script) => {
        const model = new Model();
        for (const each of script) model.apply(each);
        model.mark();
        model.crash();
        while (model.next < model.saved.next) model.read(model.next, 1);
      }),
      { numRuns: 500 },
    );
  });

  it("S3: a record that is stuck costs one step, however many ends of windows are passed behind it", () => {
    const steps = new Steps(NONE);
    for (let offset = 0; offset < 10_000; offset++) steps.raise(offset, offset);
    expect(steps.mark([0], 10_000)).toEqual({ end: 10_000, base: 0, steps: [[9_999, 9_999]] });
    expect(steps.mark([], 10_000)).toEqual({ end: 10_000, base: 9_999, steps: [] });
  });

  it("a number that is not larger changes nothing", () => {
    const steps = new Steps({ end: 0, base: 5, steps: [] });
    for (const number of [-1, 4, 5]) steps.raise(3, number);
    expect(steps.mark([], 4)).toEqual({ end: 4, base: 5, steps: [] });
  });

  it("of several numbers at one offset the last counts, also for who asked between", () => {
    const steps = new Steps(NONE);
    steps.raise(4, 1);
    expect([steps.at(3), steps.at(4)]).toEqual([-1, 1]);
    steps.raise(4, 3);
    expect([steps.at(4), steps.at(9), steps.last]).toEqual([3, 3, 3]);
    expect(steps.mark([2], 4).steps).toEqual([[4, 3]]);
  });

  it("a log that ends before what a former life read leaves the last number, from there on", () => {
    const steps = new Steps({
      end: 20,
      base: 1,
      steps: [
        [12, 2],
        [15, 4],
      ],
    });
    expect([steps.at(10), steps.at(13)]).toEqual([1, 2]);
    steps.endAt(14);
    expect([steps.known(14), steps.at(14), steps.last]).toEqual([false, 4, 4]);
    steps.raise(14, 5);
    expect(steps.at(14)).toBe(5);
    expect(steps.mark([10], 14)).toEqual({ end: 14, base: 1, steps: [[14, 5]] });
    steps.endAt(30); // Not a way to know more.
    expect(steps.known(14)).toBe(false);
  });

  it("are two bytes each where they are near each other, and exact to the largest numbers", () => {
    const written = (mark: StepsMark, low: number) => {
      const writer = Writer.create();
      writeSteps(writer, low, mark);
      return writer.finish();
    };
    const many = { end: 300, base: 0, steps: Array.from({ length: 100 }, (_, i): [number, number] => [i * 2 + 2, i + 1]) };
    expect(written(many, 0).length).toBe(2 + 1 + 1 + 200);
    const large = { end: Number.MAX_SAFE_INTEGER, base: -1, steps: [[2 ** 52, Number.MAX_SAFE_INTEGER]] as [number, number][] };
    expect(readSteps(Reader.create(written(large, 5)), 5)).toEqual(large);
  });
});
