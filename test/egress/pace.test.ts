import type { Unit } from "../../src/egress/outbox";
import { Pace } from "../../src/egress/pace";

/** A unit that closes at 10,000, with finished records of these ages. */
function unitOf(ages: readonly number[], records = 1): Unit {
  const finished = ages.map((age) => ({ arrivedMs: 10_000 - age, records: 1 }));
  return { closedMs: 10_000, records, finished } as unknown as Unit;
}

const never = Number.POSITIVE_INFINITY;

/** How long a unit waits that was open when this one was committed. */
function pauseAfter(pace: Pace, unit: Unit, commitMs = 3): number {
  const now = unit.closedMs + commitMs;
  const atOnce = pace.committed(unit, now);
  pace.decide(now, never);
  const pauseMs = pace.closesAtMs - now;
  pace.closed();
  expect(atOnce).toBe(pauseMs === 0);
  return pauseMs;
}

describe("the pause between two units", () => {
  test.each([
    ["T1: young records, as long as it took", [5, 20], 1, 3],
    ["T1: one young record among old ones, the same", [5, 3_000], 1, 3],
    ["T1: few enough records, the same", [5], 999, 3],
    ["T1, T2: a little older than young, the longer of the two", [60, 3_000], 1, 4],
    ["T2: old records, a tenth of what the youngest is older than young", [220, 3_000], 1, 20],
    ["T2: very old ones, no more than 50 ms", [9_000], 1, 50],
    ["T3: many records, a little in any case", [5], 1_000, 5],
    ["T2, T3: many old ones, the longer of the two", [220], 1_000, 20],
  ])("%s", (_, ages, records, expected) => {
    expect(pauseAfter(new Pace(0), unitOf(ages, records))).toBeCloseTo(expected);
  });

  it("T1: is no more than 10 ms after a unit that took long, and none after one that took no time", () => {
    expect(pauseAfter(new Pace(0), unitOf([5]), 300)).toBe(10);
    expect(pauseAfter(new Pace(0), unitOf([5]), 0)).toBe(0);
  });

  it("is the linger where that is longer", () => {
    expect(pauseAfter(new Pace(30), unitOf([220]))).toBe(30);
    expect(pauseAfter(new Pace(30), unitOf([5]))).toBe(30);
  });

  it("stays as it is after a unit that finishes no record", () => {
    const pace = new Pace(0);
    pauseAfter(pace, unitOf([220]));
    expect(pauseAfter(pace, unitOf([]))).toBeCloseTo(20);
    pauseAfter(pace, unitOf([5]));
    expect(pauseAfter(pace, unitOf([]))).toBe(3);
  });
});

describe("the open unit", () => {
  it("does not wait for a pause that is over", () => {
    const pace = new Pace(0);
    pauseAfter(pace, unitOf([9_000]));
    pace.decide(10_040, never);
    expect(pace.closesAtMs).toBe(10_053);
    pace.closed();
    pace.decide(10_100, never);
    expect(pace.closesAtMs).toBe(10_100);
  });

  it("is decided about once, until it closes", () => {
    const pace = new Pace(30);
    expect(pace.decide(100, never)).toBe(true);
    expect(pace.decide(110, never)).toBe(false);
    expect(pace.closesAtMs).toBe(130);
    pace.closed();
    expect(pace.decide(140, never)).toBe(true);
    expect(pace.closesAtMs).toBe(170);
  });

  it("T4: closes earlier for what is due, with time for a commit twice as long as the last one", () => {
    const pace = new Pace(30);
    pauseAfter(pace, unitOf([5]), 8);
    const decisions = [
      [20_080, never],
      [20_081, 20_200],
      [20_082, 20_110],
      [20_083, 20_100],
      [20_090, 20_091],
    ].map(([now = 0, dueMs = 0]) => [pace.decide(now, dueMs), pace.closesAtMs]);
    expect(decisions).toEqual([
      [true, 20_110],
      [false, 20_110],
      [true, 20_094],
      [true, 20_084],
      [false, 20_084],
    ]);
  });

  it("T4: closes now where it is too late for that", () => {
    const pace = new Pace(30);
    expect([pace.decide(100, 102), pace.closesAtMs]).toEqual([true, 100]);
  });
});
