/** Means over seeds and how far they can be trusted. */

export interface Estimate {
  readonly mean: number;
  /** Half the width of the 95 % interval; NaN for a single value. */
  readonly halfWidth: number;
  readonly count: number;
}

/** Two-sided 95 % quantiles of Student's t by degrees of freedom, 1 to 30; beyond that the normal's is near enough. */
const STUDENT = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101,
  2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const NORMAL = 1.96;

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Mean with its 95 % interval by Student's t. */
export function estimate(values: readonly number[]): Estimate {
  const count = values.length;
  const mean = meanOf(values);
  if (count < 2) return { mean, halfWidth: Number.NaN, count };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  return { mean, halfWidth: (STUDENT[count - 2] ?? NORMAL) * Math.sqrt(variance / count), count };
}

/** Of one against the other, seed by seed: what both suffer from alike falls out. */
export function pairedDifference(one: readonly number[], other: readonly number[]): Estimate {
  if (one.length !== other.length) throw new RangeError(`${one.length} and ${other.length} values cannot be paired`);
  return estimate(one.map((value, index) => value - (other[index] as number)));
}

export function quantile(values: readonly number[], part: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] as number;
  const above = sorted[Math.ceil(at)] as number;
  return below + (above - below) * (at - Math.floor(at));
}

export interface Line {
  readonly slope: number;
  readonly intercept: number;
  /** Share of the variance that the line explains. */
  readonly r2: number;
}

/** Least squares. */
export function lineThrough(points: readonly (readonly [x: number, y: number])[]): Line {
  const meanX = meanOf(points.map(([x]) => x));
  const meanY = meanOf(points.map(([, y]) => y));
  let xx = 0;
  let xy = 0;
  let yy = 0;
  for (const [x, y] of points) {
    xx += (x - meanX) ** 2;
    xy += (x - meanX) * (y - meanY);
    yy += (y - meanY) ** 2;
  }
  const slope = xx === 0 ? 0 : xy / xx;
  return { slope, intercept: meanY - slope * meanX, r2: xx === 0 || yy === 0 ? 1 : (xy * xy) / (xx * yy) };
}
