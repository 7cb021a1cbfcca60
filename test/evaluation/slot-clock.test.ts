import { SlotClock } from "../../evaluation/slot-clock";

/** Timers that fire late by so much, in a time that only they move. */
class Timers {
  nowMs = 0;
  readonly #set: { atMs: number; action: () => void }[] = [];

  constructor(readonly lateMs: number) {}

  readonly after = (ms: number, action: () => void): void => {
    this.#set.push({ atMs: this.nowMs + ms + this.lateMs, action });
  };

  run(): void {
    for (let next = this.#set.shift(); next; next = this.#set.shift()) {
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.action();
    }
  }
}

function heldBy(lateMs: number, works: readonly number[], slots = 1): readonly (readonly [number, number])[] {
  const timers = new Timers(lateMs);
  const clock = new SlotClock(slots, () => timers.nowMs, timers.after);
  const held: [number, number][] = [];
  for (const workMs of works) clock.hold(workMs, (startedMs, endedMs) => held.push([startedMs, endedMs]));
  timers.run();
  return held;
}

test("a slot is held for as long as the work takes, one request after the other", () => {
  expect(heldBy(0, [5, 3, 2])).toEqual([
    [0, 5],
    [5, 8],
    [8, 10],
  ]);
});

test("what a timer was late is taken off the next: the sum is right", () => {
  const held = heldBy(0.8, [5, 5, 5, 5, 5, 5]);
  expect(held.at(-1)?.[1]).toBeCloseTo(30.8, 6);
});

test("work too short for a timer is owed, not lost", () => {
  const works = new Array<number>(100).fill(0.2);
  const end = heldBy(0.3, works).at(-1)?.[1] as number;
  expect(end).toBeGreaterThan(19);
  expect(end).toBeLessThan(21);
});

test("two slots work side by side", () => {
  expect(heldBy(0, [4, 4, 4], 2).map(([, endedMs]) => endedMs)).toEqual([4, 4, 8]);
});
