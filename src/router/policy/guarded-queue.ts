/**
 * A user's own run queue, watched: what stands in it is known here, so that a queue that throws, forgets or invents actors costs its
 * order and nothing else (R3). Whoever it does not give back comes out of this list, first come, first served.
 */
import type { Runnable, RunQueue } from "./policy";

export class GuardedQueue implements RunQueue {
  readonly #standing = new Set<Runnable>();
  readonly #queue: RunQueue | undefined;
  /** Present only where the user's queue has it: it says that the queue orders by rank. */
  readonly lift?: (actor: Runnable, now: number) => void;

  constructor(
    make: () => RunQueue,
    private readonly fault: () => void,
  ) {
    const queue = this.#guarded(make);
    this.#queue = queue;
    if (typeof queue?.lift === "function") {
      this.lift = (actor, now) => {
        this.#guarded(() => queue.lift?.(actor, now));
      };
    }
  }

  get length(): number {
    return this.#standing.size;
  }

  push(actor: Runnable, now: number): void {
    this.#standing.add(actor);
    this.#guarded(() => this.#queue?.push(actor, now));
  }

  pop(now: number): Runnable | undefined {
    if (this.#standing.size === 0) return undefined;
    let actor = this.#guarded(() => this.#queue?.pop(now));
    if (!actor || !this.#standing.has(actor)) {
      this.fault();
      actor = this.#standing.values().next().value as Runnable;
    }
    this.#standing.delete(actor);
    return actor;
  }

  #guarded<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch {
      this.fault();
      return undefined;
    }
  }
}
