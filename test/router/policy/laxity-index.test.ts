import * as fc from "fast-check";
import { InvariantError } from "../../../src/model/errors";
import { type Handle, LaxityIndex } from "../../../src/router/policy/laxity-index";

interface Item {
  readonly name: number;
  readonly startMs: number;
  readonly costMs: number;
}

/** SCHEDULING.md 3.2, word for word: a list in order, looked at from its beginning for each question. */
class PlainLaxity {
  items: Item[] = [];

  insert(item: Item): void {
    const at = this.items.findIndex(({ startMs }) => startMs > item.startMs);
    this.items.splice(at < 0 ? this.items.length : at, 0, item);
  }

  remove(item: Item): void {
    this.items = this.items.filter((each) => each !== item);
  }

  costBeforeMs(startMs: number): number {
    return total(this.items.filter((each) => each.startMs <= startMs));
  }

  feasible(startMs: number, costMs: number, now: number, busyMs: number): boolean {
    if (now + busyMs + this.costBeforeMs(startMs) > startMs) return false;
    return this.items.every((item, place) => {
      const withoutMs = now + busyMs + total(this.items.slice(0, place));
      const isBehind = item.startMs > startMs;
      return !isBehind || withoutMs > item.startMs || withoutMs + costMs <= item.startMs;
    });
  }

  late(now: number, busyMs: number, most: number): Item[] {
    const late = this.items.filter(({ startMs }, place) => now + busyMs + total(this.items.slice(0, place)) > startMs);
    return late.slice(0, most);
  }
}

const total = (items: readonly Item[]) => items.reduce((sum, { costMs }) => sum + costMs, 0);

// Quarters of a ms are exact in sums of any order, so that the two versions cannot differ by rounding.
const cost = fc.integer({ min: 0, max: 40 }).map((quarters) => quarters / 4);
const instant = fc.integer({ min: 0, max: 120 });

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("insert" as const), startMs: instant, costMs: cost }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("remove" as const), which: fc.nat() }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("fits" as const), startMs: instant, costMs: cost, now: instant, busyMs: cost }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("late" as const), now: instant, busyMs: cost, most: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("before" as const), startMs: instant }) },
);

/** Late at any instant is everything, in order. */
const inOrder = (index: LaxityIndex<Item>) => index.late(Number.MAX_VALUE, 0, index.length);

describe("LaxityIndex", () => {
  it("answers as the plain list does, and keeps its order, after any operations", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (script) => {
        const index = new LaxityIndex<Item>();
        const plain = new PlainLaxity();
        const handles = new Map<Item, Handle>();
        for (const [name, each] of script.entries()) {
          if (each.do === "insert") {
            const item = { name, startMs: each.startMs, costMs: each.costMs };
            handles.set(item, index.insert(item, item.startMs, item.costMs));
            plain.insert(item);
          } else if (each.do === "remove") {
            const item = plain.items[each.which % Math.max(1, plain.items.length)];
            if (item === undefined) continue;
            index.remove(handles.get(item) as Handle);
            plain.remove(item);
          } else if (each.do === "fits") {
            const { startMs, costMs, now, busyMs } = each;
            expect(index.feasible(startMs, costMs, now, busyMs)).toBe(plain.feasible(startMs, costMs, now, busyMs));
          } else if (each.do === "late") {
            expect(index.late(each.now, each.busyMs, each.most)).toEqual(plain.late(each.now, each.busyMs, each.most));
          } else {
            expect(index.costBeforeMs(each.startMs)).toBe(plain.costBeforeMs(each.startMs));
          }
          expect(index.length).toBe(plain.items.length);
          expect(index.totalMs).toBe(total(plain.items));
        }
        expect(inOrder(index)).toEqual(plain.items);
      }),
      { numRuns: 500 },
    );
  });

  it("what it admits, with true costs and nothing more to come, misses nothing (invariant 18)", () => {
    const offer = fc.record({ startMs: instant, costMs: cost });
    fc.assert(
      fc.property(fc.array(offer, { maxLength: 60 }), cost, (offers, busyMs) => {
        const index = new LaxityIndex<Item>();
        for (const [name, { startMs, costMs }] of offers.entries()) {
          if (index.feasible(startMs, costMs, 0, busyMs)) index.insert({ name, startMs, costMs }, startMs, costMs);
        }
        let now = busyMs;
        for (const { startMs, costMs } of inOrder(index)) {
          expect(now).toBeLessThanOrEqual(startMs);
          now += costMs;
        }
      }),
    );
  });

  it("refuses what would start late, and what would make another late", () => {
    const index = new LaxityIndex<string>();
    index.insert("waits", 20, 5);
    expect(index.feasible(10, 10, 10, 0)).toBe(true);
    expect(index.feasible(10, 11, 10, 0)).toBe(false);
    expect(index.feasible(10, 1, 10, 1)).toBe(false);
    expect(index.feasible(20, 100, 15, 0)).toBe(true); // Behind its equal, which it does not delay.
    expect(index.feasible(20, 1, 15, 1)).toBe(false);
  });

  it("does not let an item that is late already veto, nor forget it when it is in time again", () => {
    const index = new LaxityIndex<string>();
    const heavy = index.insert("heavy", 50, 60);
    index.insert("late", 100, 5);
    index.insert("in time", 200, 5);
    expect(index.late(50, 0, 9)).toEqual(["late"]);
    expect(index.feasible(50, 0, 50, 0)).toBe(false);
    index.remove(heavy);
    expect(index.feasible(90, 40, 60, 0)).toBe(true);
    expect(index.feasible(90, 41, 60, 0)).toBe(false);
    // At 101 the first is late whatever happens; only the second, which would start at 106, counts.
    expect(index.feasible(101, 94, 101, 0)).toBe(false);
    expect(index.feasible(150, 94, 101, 0)).toBe(true);
    expect(index.feasible(150, 95, 101, 0)).toBe(false);
    // The clock of a forecast may go back: the running work ended sooner than thought.
    expect(index.feasible(90, 41, 60, 0)).toBe(false);
  });

  it("gives an item up once", () => {
    const index = new LaxityIndex<string>();
    const handle = index.insert("one", 1, 1);
    index.insert("other", 1, 1);
    index.remove(handle);
    expect(() => index.remove(handle)).toThrow(InvariantError);
    expect([index.length, index.totalMs]).toEqual([1, 1]);
    expect(index.late(2, 0, 5)).toEqual(["other"]);
  });

  it("stays exact where it matters with a thousand items on the clock of today", () => {
    const index = new LaxityIndex<number>();
    const now = 1_790_000_000_000;
    const handles = Array.from({ length: 1_000 }, (_, i) => index.insert(i, now + ((i * 617) % 1_000), 0.5));
    expect(index.late(now, 0, 2_000)).toEqual([]);
    // Each item waits for those before it: half a ms each, and they start a ms apart.
    expect(index.feasible(now, 0.5, now, 0)).toBe(false);
    expect(index.feasible(now + 499, 250, now, 0)).toBe(true);
    expect(index.feasible(now + 499, 250.01, now, 0)).toBe(false);
    for (const handle of handles) index.remove(handle);
    expect([index.length, index.totalMs]).toEqual([0, 0]);
  });
});
