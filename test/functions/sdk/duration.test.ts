import { type Duration, millisecondsOf } from "../../../src/functions/sdk/duration";

test.each<[Duration, number]>([
  [0, 0],
  [250, 250],
  [1.6, 2],
  ["250ms", 250],
  ["1.5s", 1_500],
  ["10m", 600_000],
  ["12h", 43_200_000],
  ["1d", 86_400_000],
])("%p is %p ms", (duration, ms) => {
  expect(millisecondsOf(duration, "x")).toBe(ms);
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, "5", "5 s", "s", "-5s", "1w", undefined])(
  "%p is refused by name",
  (duration) => {
    expect(() => millisecondsOf(duration as Duration, "after.write")).toThrow(
      `after.write: expected milliseconds (0 or more) or a text like "5s", "10m", "1d", got ${String(duration)}`,
    );
  },
);
