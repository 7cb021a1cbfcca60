/** Virtual time: what happens when, by (time, order of planning). */
type Action = () => void;

/** An arbitrary day; not zero, because stored instants are unsigned and a router reads an epoch. */
export const START_MS = 1_700_000_000_000;

export class Agenda {
  now = START_MS;
  /** Actions run so far. */
  steps = 0;
  #planned = 0;
  readonly #at: number[] = [];
  readonly #order: number[] = [];
  readonly #actions: Action[] = [];

  after(delayMs: number, action: Action): void {
    this.at(this.now + delayMs, action);
  }

  at(atMs: number, action: Action): void {
    const time = Math.max(atMs, this.now);
    const order = this.#planned++;
    let index = this.#at.length;
    this.#put(index, time, order, action);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#before(time, order, parent)) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#put(index, time, order, action);
  }

  /** Runs the next action; false when nothing is planned. */
  step(): boolean {
    const action = this.#actions[0];
    if (!action) return false;
    this.now = this.#at[0] as number;
    this.#removeFirst();
    this.steps++;
    action();
    return true;
  }

  #removeFirst(): void {
    const time = this.#at.pop() as number;
    const order = this.#order.pop() as number;
    const action = this.#actions.pop() as Action;
    const length = this.#at.length;
    if (length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= length) break;
      if (child + 1 < length && this.#before(this.#at[child + 1] as number, this.#order[child + 1] as number, child)) child++;
      if (this.#before(time, order, child)) break;
      this.#move(child, index);
      index = child;
    }
    this.#put(index, time, order, action);
  }

  #before(time: number, order: number, index: number): boolean {
    const other = this.#at[index] as number;
    return time < other || (time === other && order < (this.#order[index] as number));
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#at[from] as number, this.#order[from] as number, this.#actions[from] as Action);
  }

  #put(index: number, time: number, order: number, action: Action): void {
    this.#at[index] = time;
    this.#order[index] = order;
    this.#actions[index] = action;
  }
}
