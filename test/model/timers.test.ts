import * as fc from "fast-check";
import { Timers } from "../../src/model/timers";

type Step = { readonly add: number } | { readonly takeAt: number };

const steps = fc.array(
  fc.oneof(
    fc.record({ add: fc.integer({ min: 0, max: 50 }) }),
    fc.record({ takeAt: fc.integer({ min: 0, max: 60 }) }),
  ) as fc.Arbitrary<Step>,
  { maxLength: 200 },
);

describe("Timers", () => {
  it("gives what a sorted list would give", () => {
    fc.assert(
      fc.property(steps, (script) => {
        const timers = new Timers<{ readonly at: number }>();
        const model: { at: number }[] = [];
        for (const step of script) {
          if ("add" in step) {
            const subject = { at: step.add };
            timers.add(step.add, subject);
            model.push(subject);
          } else {
            takeOne(timers, model, step.takeAt);
          }
          expect(timers.size).toBe(model.length);
          expect(timers.nextMs).toBe(Math.min(Number.POSITIVE_INFINITY, ...model.map((each) => each.at)));
        }
        while (model.length > 0) takeOne(timers, model, Number.MAX_SAFE_INTEGER);
        expect(timers.take(Number.MAX_SAFE_INTEGER)).toBeUndefined();
      }),
    );
  });

  function takeOne(timers: Timers<{ readonly at: number }>, model: { at: number }[], now: number): void {
    const earliest = Math.min(Number.POSITIVE_INFINITY, ...model.map((each) => each.at));
    const taken = timers.take(now);
    if (earliest > now) {
      expect(taken).toBeUndefined();
      return;
    }
    // Among equal instants any order is right, but each subject comes out once.
    expect(taken?.at).toBe(earliest);
    const index = taken ? model.indexOf(taken) : -1;
    expect(index).toBeGreaterThanOrEqual(0);
    model.splice(index, 1);
  }
});
