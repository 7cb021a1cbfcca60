import * as fc from "fast-check";
import { decodeProgress, encodeProgress, Progress, type ProgressMark } from "../../src/ingress/progress";
import { InvariantError, ProtocolError } from "../../src/model/errors";
import type { RecordEntry } from "../../src/model/message";

type Step =
  | { readonly read: number; readonly targets: number }
  /** Finishes one message of the n-th unfinished record. */
  | { readonly finish: number }
  | { readonly skip: number }
  /** Goes on from the mark that was written last. */
  | { readonly restart: true };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ read: fc.constantFrom(0, 0, 0, 0, 2), targets: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 5, arbitrary: fc.record({ finish: fc.nat({ max: 100 }) }) },
  { weight: 1, arbitrary: fc.record({ skip: fc.integer({ min: 0, max: 4 }) }) },
  { weight: 1, arbitrary: fc.constant({ restart: true } as const) },
);

/** The partition as a plain set of finished offsets; what is neither finished nor unfinished has not been read. */
class Model {
  progress = new Progress(0, { low: 0, ranges: [] });
  readonly finished = new Set<number>();
  unfinished = new Map<number, RecordEntry>();
  next = 0;

  apply(step: Step): void {
    if ("read" in step) this.read(this.next + step.read, step.targets);
    else if ("finish" in step) this.finish(step.finish);
    else if ("skip" in step) this.skipTo(this.next + step.skip);
    else this.restart();
    this.check();
  }

  /** What admission does with a record; offsets between are control markers or compacted away. */
  read(offset: number, targets: number): void {
    this.finishUpTo(offset);
    const before = this.progress.finishedBefore(offset);
    expect(before).toBe(this.finished.has(offset));
    if (before) this.progress.skipTo(offset + 1);
    else this.unfinished.set(offset, this.progress.enter(offset, targets));
    this.next = offset + 1;
  }

  skipTo(position: number): void {
    this.finishUpTo(position);
    this.progress.skipTo(position);
    this.next = position;
  }

  finish(choice: number): void {
    const [offset, entry] = [...this.unfinished][choice % Math.max(1, this.unfinished.size)] ?? [];
    if (offset === undefined || !entry) return;
    const remaining = entry.remaining - 1;
    expect(this.progress.finish(entry)).toBe(remaining === 0);
    if (remaining > 0) return;
    this.unfinished.delete(offset);
    this.finished.add(offset);
  }

  restart(): void {
    const mark = decodeProgress(encodeProgress(this.progress.mark()));
    this.progress = new Progress(0, mark);
    this.unfinished = new Map();
    this.next = mark.low;
  }

  private finishUpTo(end: number): void {
    for (let offset = this.next; offset < end; offset++) this.finished.add(offset);
  }

  check(): void {
    const mark = this.progress.mark();
    expect(this.progress.low).toBe(mark.low);
    expect(this.progress.next).toBe(this.next);
    expect(this.progress.outstanding).toBe(this.unfinished.size);
    expect(new Set(covered(mark))).toEqual(this.finished); // P2, and nothing finished is forgotten.
    // P3: what is written follows what is unfinished, now or in the life before.
    expect(mark.ranges.length).toBeLessThanOrEqual(this.everUnfinished);
    let free = mark.low; // Rising, not touching.
    for (const [first, last] of mark.ranges) {
      expect(first).toBeGreaterThanOrEqual(free);
      expect(last).toBeGreaterThanOrEqual(first);
      free = last + 2;
    }
  }

  /** Gaps in the finished offsets: each is at least one record that was unfinished at some time. */
  private get everUnfinished(): number {
    let gaps = 1;
    const highest = Math.max(0, ...this.finished);
    for (let offset = 0; offset < highest; offset++) {
      if (!this.finished.has(offset) && this.finished.has(offset + 1)) gaps++;
    }
    return gaps;
  }
}

function* covered(mark: ProgressMark): IterableIterator<number> {
  for (let offset = 0; offset < mark.low; offset++) yield offset;
  for (const [first, last] of mark.ranges) for (let offset = first; offset <= last; offset++) yield offset;
}

describe("Progress", () => {
  it("P1–P3: agrees with a plain set of finished offsets, over reads, finishes in any order, skips and restarts", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (script) => {
        const model = new Model();
        for (const each of script) model.apply(each);
      }),
      { numRuns: 500 },
    );
  });

  it("P1: refuses an offset that was read before", () => {
    const progress = new Progress(0, { low: 5, ranges: [] });
    progress.enter(7, 1);
    expect(() => progress.enter(7, 1)).toThrow(InvariantError);
    expect(() => progress.enter(6, 1)).toThrow("P1");
  });

  it("P2: refuses to finish a record more often than it has messages", () => {
    const progress = new Progress(0, { low: 0, ranges: [] });
    const entry = progress.enter(0, 2);
    expect(progress.finish(entry)).toBe(false);
    expect(progress.finish(entry)).toBe(true);
    expect(() => progress.finish(entry)).toThrow("P2");
  });

  it("P3: a record that is stuck costs one entry and one range, however far reading goes", () => {
    const progress = new Progress(0, { low: 0, ranges: [] });
    progress.enter(0, 1);
    for (let offset = 1; offset <= 10_000; offset++) progress.finish(progress.enter(offset, 1));
    expect(progress.mark()).toEqual({ low: 0, ranges: [[1, 10_000]] });
    expect(progress.outstanding).toBe(1);
  });

  it("keeps ranges of the life before that reading has not come to", () => {
    const progress = new Progress(0, {
      low: 2,
      ranges: [
        [4, 5],
        [9, 12],
      ],
    });
    expect(progress.finishedBefore(2)).toBe(false);
    const two = progress.enter(2, 1);
    expect(progress.mark().ranges).toEqual([
      [4, 5],
      [9, 12],
    ]);
    progress.enter(3, 1);
    expect(progress.finishedBefore(4)).toBe(true);
    progress.skipTo(5);
    progress.finish(two);
    expect(progress.mark()).toEqual({
      low: 3,
      ranges: [
        [4, 5],
        [9, 12],
      ],
    });
  });
});

describe("the record of a mark", () => {
  const marks = fc
    .tuple(
      fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 10_000 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 50 })), { maxLength: 50 }),
    )
    .map(([low, gaps]) => {
      let end = low;
      const ranges = gaps.map(([gap, length]): [number, number] => {
        const first = end + 1 + gap;
        end = first + length;
        return [first, end];
      });
      return { low, ranges };
    });

  it("reads back what was written, up to the largest offset", () => {
    fc.assert(fc.property(marks, (mark) => expect(decodeProgress(encodeProgress(mark))).toEqual(mark)));
    const largest = { low: 0, ranges: [[2 ** 52, Number.MAX_SAFE_INTEGER]] as [number, number][] };
    expect(decodeProgress(encodeProgress(largest))).toEqual(largest);
  });

  it("is small: two bytes a range where records are near each other", () => {
    const ranges = Array.from({ length: 100 }, (_, i): [number, number] => [i * 2 + 1, i * 2 + 1]);
    expect(encodeProgress({ low: 0, ranges }).length).toBe(3 + 200);
  });

  const steps = fc.record({
    end: fc.integer({ min: 0, max: 9_000 }),
    base: fc.integer({ min: -1, max: 2 ** 40 }),
    rises: fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 2 ** 30 })), { maxLength: 20 }),
  });

  it("reads back what was passed and counted behind the ranges", () => {
    const everyMs = fc.constantFrom(0.5, 1, 1_000, 86_400_000);
    fc.assert(
      fc.property(marks, fc.option(steps), fc.option(steps), everyMs, (mark, passages, counts, every) => {
        const told = ({ end, base, rises }: NonNullable<typeof counts>) => {
          let [offset, number] = [mark.low, base];
          return {
            end: mark.low + end,
            base,
            steps: rises.map(([far, high]): [number, number] => [(offset += far), (number += high)]),
          };
        };
        const whole: ProgressMark = {
          ...mark,
          ...(passages && { passages: { everyMs: every, ...told(passages) } }),
          ...(counts && { counts: told(counts) }),
        };
        expect(decodeProgress(encodeProgress(whole))).toEqual(whole);
        expect(encodeProgress(whole)[0]).toBe(passages || counts ? 2 : 1);
      }),
    );
  });

  it("with steps of an unknown kind is refused", () => {
    expect(() => decodeProgress(Uint8Array.of(2, 0, 0, 9))).toThrow("kind 9");
  });

  it("of another version is refused", () => {
    expect(() => decodeProgress(Uint8Array.of(3, 0, 0))).toThrow(ProtocolError);
  });
});
