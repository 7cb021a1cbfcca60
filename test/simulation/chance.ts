/** The one source of choice in a simulated world. Only products and sums, so that every Node version draws the same. */
import { Random } from "../../src/model/random";

export class Chance extends Random {
  /** True with this probability. */
  of(probability: number): boolean {
    return this.next() < probability;
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /**
   * A delay with this mean, at most four times it, mostly short (the cube of a uniform draw). In steps of 1/64 ms, which a
   * double holds exactly beside an epoch in ms, so that sums of delays never depend on their order.
   */
  delay(meanMs: number): number {
    const draw = this.next();
    return quantum(draw * draw * draw * 4 * meanMs);
  }
}

export function quantum(ms: number): number {
  return (Math.floor(ms * 64) + 1) / 64;
}

/** FNV-1a: a seed out of a text, so that what a function does follows from its message and not from when it runs. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
