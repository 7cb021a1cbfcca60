/**
 * Runnable actors by rank, the smallest first, equal ranks in the order they came: a binary heap that knows where each actor stands, so
 * that a more urgent message can lift its actor. O(log n).
 */
import type { Runnable, RunQueue } from "./policy";

interface Place {
  readonly actor: Runnable;
  readonly order: number;
  rank: number;
  index: number;
}

export class RunHeap implements RunQueue {
  readonly #places: Place[] = [];
  readonly #byActor = new Map<Runnable, Place>();
  #order = 0;

  get length(): number {
    return this.#places.length;
  }

  push(actor: Runnable): void {
    const place: Place = { actor, order: this.#order++, rank: actor.rank, index: this.#places.length };
    this.#byActor.set(actor, place);
    this.#places.push(place);
    this.#rise(place);
  }

  /** The actor's rank may have become smaller: a more urgent message has joined it. */
  lift(actor: Runnable): void {
    const place = this.#byActor.get(actor);
    if (!place || actor.rank >= place.rank) return;
    place.rank = actor.rank;
    this.#rise(place);
  }

  pop(): Runnable | undefined {
    const first = this.#places[0];
    const last = this.#places.pop();
    if (!first || !last) return undefined;
    this.#byActor.delete(first.actor);
    if (last !== first) this.#sink(last);
    return first.actor;
  }

  #rise(place: Place): void {
    let { index } = place;
    while (index > 0) {
      const parent = this.#places[(index - 1) >> 1] as Place;
      if (!before(place, parent)) break;
      this.#put(parent, index);
      index = (index - 1) >> 1;
    }
    this.#put(place, index);
  }

  /** Puts `place` at the top and lets it sink. */
  #sink(place: Place): void {
    const { length } = this.#places;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= length) break;
      if (child + 1 < length && before(this.#places[child + 1] as Place, this.#places[child] as Place)) child++;
      const smaller = this.#places[child] as Place;
      if (!before(smaller, place)) break;
      this.#put(smaller, index);
      index = child;
    }
    this.#put(place, index);
  }

  #put(place: Place, index: number): void {
    place.index = index;
    this.#places[index] = place;
  }
}

function before(one: Place, other: Place): boolean {
  return one.rank < other.rank || (one.rank === other.rank && one.order < other.order);
}
