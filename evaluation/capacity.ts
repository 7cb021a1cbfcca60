/** The highest rate that is still satisfied, found by halving (by ratio: rates of different size are found equally well). */
export class Capacity {
  #possible: number;
  #impossible: number;

  constructor(
    /** Surely possible; surely not. */
    fromRate: number,
    toRate: number,
    /** As a share of the rate. */
    private readonly precision: number,
  ) {
    this.#possible = fromRate;
    this.#impossible = toRate;
  }

  /** The rate to try next; undefined when the highest is known well enough. */
  get next(): number | undefined {
    return this.#impossible / this.#possible - 1 > this.precision ? Math.sqrt(this.#possible * this.#impossible) : undefined;
  }

  tell(rate: number, satisfied: boolean): void {
    if (satisfied) this.#possible = rate;
    else this.#impossible = rate;
  }

  get found(): number {
    return this.#possible;
  }
}
