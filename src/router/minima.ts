/**
 * The smallest rank in a line that grows at its tail and shrinks at its head: only those are kept that nobody behind them undercuts, so
 * that the first is the smallest. O(1) on average, however long the line.
 */
export class Minima {
  #ranks: number[] = [];
  /** Where each stands in the line, counted from its beginning. */
  #places: number[] = [];
  #first = 0;

  /** Infinity when nobody is left. */
  get least(): number {
    return this.#ranks[this.#first] ?? Number.POSITIVE_INFINITY;
  }

  joined(rank: number, place: number): void {
    while (this.#ranks.length > this.#first && (this.#ranks.at(-1) as number) >= rank) {
      this.#ranks.pop();
      this.#places.pop();
    }
    this.#ranks.push(rank);
    this.#places.push(place);
  }

  /** All before this place have left. */
  leftBefore(place: number): void {
    while ((this.#places[this.#first] ?? place) < place) this.#first++;
    // The emptied front goes when it is the larger half: each entry is moved at most once on average.
    if (this.#first === 0 || this.#first * 2 < this.#ranks.length) return;
    this.#ranks = this.#ranks.slice(this.#first);
    this.#places = this.#places.slice(this.#first);
    this.#first = 0;
  }
}
