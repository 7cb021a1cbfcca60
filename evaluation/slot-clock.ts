/**
 * A worker's slots in real time: a request holds one for as long as its work takes, by timer, not by burning CPU. Timers have no finer grain than a
 * millisecond, so each worker keeps account: what one request was held too long or too short is taken off or added to the next, and the sum is right.
 */

/** Below this much a timer would only be late. */
const WORTH_A_TIMER_MS = 0.5;

interface Waiting {
  readonly workMs: number;
  readonly done: (startedMs: number, endedMs: number) => void;
}

export class SlotClock {
  /** Work that was done but not waited for; negative: waited for too long. */
  #owedMs = 0;
  #running = 0;
  readonly #waiting: Waiting[] = [];

  constructor(
    private readonly slots: number,
    private readonly now: () => number,
    private readonly after: (ms: number, action: () => void) => void,
  ) {}

  /** Calls `done` when a slot has been held for that long. Whoever finds none free waits its turn. */
  hold(workMs: number, done: Waiting["done"]): void {
    if (this.#running >= this.slots) this.#waiting.push({ workMs, done });
    else this.#start({ workMs, done });
  }

  #start({ workMs, done }: Waiting): void {
    this.#running++;
    const startedMs = this.now();
    const dueMs = workMs + this.#owedMs;
    this.#owedMs = 0;
    const end = (): void => {
      const endedMs = this.now();
      this.#owedMs += dueMs - (endedMs - startedMs);
      this.#running--;
      done(startedMs, endedMs);
      const next = this.#waiting.shift();
      if (next && this.#running < this.slots) this.#start(next);
    };
    if (dueMs < WORTH_A_TIMER_MS) end();
    else this.after(dueMs, end);
  }
}
