/**
 * Numbers that belong to a name: drawn by hashing (seed, step, ids), so that every configuration of an experiment sees the same work whatever
 * order it does it in.
 */

/** Which step of a record's way a service time is for. */
export const STEP = { map: 1, aggregate: 2, reduce: 3, closeMap: 4, closeAggregate: 5 } as const;

/** One round of murmur3 over a 32-bit word. */
function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function settle(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hashOf(seed: number, step: number, one: number, two: number, three: number): number {
  return mix(mix(mix(mix(mix(0x5eed, seed), step), one), two), three);
}

/** Uniform in [0, 1). */
export function uniform(seed: number, step: number, one: number, two = 0, three = 0): number {
  return settle(hashOf(seed, step, one, two, three)) / 4294967296;
}

/** Lognormal with this mean; `sigma` is that of its logarithm. */
export function lognormal(mean: number, sigma: number, seed: number, step: number, one: number, two = 0, three = 0): number {
  if (mean === 0) return 0;
  const hash = hashOf(seed, step, one, two, three);
  // Box and Muller; never the logarithm of zero.
  const radius = Math.sqrt(-2 * Math.log((settle(mix(hash, 1)) + 1) / 4294967297));
  const angle = (2 * Math.PI * settle(mix(hash, 2))) / 4294967296;
  return mean * Math.exp(sigma * radius * Math.cos(angle) - (sigma * sigma) / 2);
}
