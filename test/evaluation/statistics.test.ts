import { estimate, lineThrough, pairedDifference, quantile } from "../../evaluation/statistics";

test("an estimate is the mean and Student's 95 % interval", () => {
  const { mean, halfWidth, count } = estimate([1, 2, 3, 4, 5]);
  expect([mean, count]).toEqual([3, 5]);
  expect(halfWidth).toBeCloseTo(2.776 * Math.sqrt(2.5 / 5), 6);
});

test("one value has no interval", () => {
  expect(estimate([4])).toEqual({ mean: 4, halfWidth: Number.NaN, count: 1 });
});

test("with many values the interval is the normal one", () => {
  const values = Array.from({ length: 100 }, (_, index) => index % 2);
  expect(estimate(values).halfWidth).toBeCloseTo((1.96 * Math.sqrt(25 / 99)) / 10, 6);
});

test("differences are taken pair by pair: what both share falls out", () => {
  const difference = pairedDifference([11, 22, 33], [10, 21, 32]);
  expect(difference).toEqual({ mean: 1, halfWidth: 0, count: 3 });
  expect(() => pairedDifference([1], [1, 2])).toThrow("cannot be paired");
});

test("quantiles lie between neighbours", () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([4, 1, 3, 2], 1)).toBe(4);
  expect(quantile([7], 0.99)).toBe(7);
  expect(quantile([], 0.5)).toBe(Number.NaN);
});

test("a line through points on a line explains all, through noise less", () => {
  const exact = lineThrough([
    [0, 1],
    [1, 3],
    [2, 5],
  ]);
  expect([exact.slope, exact.intercept, exact.r2]).toEqual([2, 1, 1]);
  const noisy = lineThrough([
    [0, 0],
    [1, 1],
    [2, 0],
    [3, 1],
  ]);
  expect(noisy.r2).toBeLessThan(0.5);
});
