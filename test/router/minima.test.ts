import * as fc from "fast-check";
import { Minima } from "../../src/router/minima";

describe("Minima", () => {
  it("agrees with a plain list over any run of comings and goings", () => {
    const step = fc.oneof(
      fc.record({ join: fc.integer({ min: -9, max: 9 }) }),
      fc.record({ leave: fc.integer({ min: 1, max: 6 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (script) => {
        const minima = new Minima();
        const line: number[] = [];
        let left = 0;
        for (const each of script) {
          if ("join" in each) {
            minima.joined(each.join, left + line.length);
            line.push(each.join);
          } else {
            left += line.splice(0, each.leave).length;
            minima.leftBefore(left);
          }
          expect(minima.least).toBe(Math.min(...line));
        }
      }),
    );
  });

  it("skips those that have no rank", () => {
    const minima = new Minima();
    minima.joined(5, 3); // Three without a rank stand before it.
    minima.leftBefore(3);
    expect(minima.least).toBe(5);
    minima.leftBefore(4);
    expect(minima.least).toBe(Number.POSITIVE_INFINITY);
  });
});
