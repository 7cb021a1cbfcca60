/** Records to be counted: 100 bytes each, keys drawn from a seeded distribution, so that two runs are the same. */
import { Random } from "../src/model/random";

export type KeyKind = "hot" | "zipf" | "cold";

export const recordBytes = 100;
export const partitions = 8;

/** One key, Zipf 1.1 over 10,000 keys, or uniform over 100,000. */
export const keyMeaning: Readonly<Record<KeyKind, string>> = {
  hot: "one key",
  zipf: "Zipf 1.1 over 10,000 keys",
  cold: "uniform over 100,000 keys",
};

/** Draws the next key. */
export type Keys = () => string;

export function keysOf(kind: KeyKind, seed: number): Keys {
  switch (kind) {
    case "hot":
      return () => "k0";
    case "zipf":
      return zipfKeys(10_000, 1.1, seed);
    case "cold":
      return uniformKeys(100_000, seed);
  }
}

export function uniformKeys(count: number, seed: number): Keys {
  const random = new Random(seed);
  return () => `k${Math.floor(random.next() * count)}`;
}

/** The k-th most frequent key occurs with a probability proportional to 1 / k^exponent. */
export function zipfKeys(count: number, exponent: number, seed: number): Keys {
  const random = new Random(seed);
  const cumulated = new Float64Array(count);
  let sum = 0;
  for (let k = 0; k < count; k++) {
    sum += 1 / (k + 1) ** exponent;
    cumulated[k] = sum;
  }
  return () => {
    const drawn = random.next() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (drawn <= (cumulated[middle] as number)) high = middle;
      else low = middle + 1;
    }
    return `k${low}`;
  };
}

/** A value that says which record it is; the rest is filled up. */
export function valueText(index: number): string {
  return `${index} `.padEnd(recordBytes, "x");
}

/** How often each key occurs. */
export function countKeys(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}
