/** Hands out rising numbers: ids that must stay unique while what they name comes and goes. */
export class Counter {
  #next: number;
  constructor(first = 1) {
    this.#next = first;
  }

  next(): number {
    return this.#next++;
  }
}
