/**
 * The call timeout of all requests to one endpoint. It is the same for each, so the requests stand in the order of their
 * deadlines by themselves: a linked list and one timer for its head, nothing per request that the event loop must keep.
 */
export interface Timed {
  /** 0 = not in the list. */
  deadlineMs: number;
  before: Timed | undefined;
  after: Timed | undefined;
  /** Called once, after it was taken out of the list. */
  expire(): void;
}

export class CallDeadlines {
  #first: Timed | undefined;
  #last: Timed | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly timeoutMs: number) {}

  add(timed: Timed): void {
    const now = performance.now();
    timed.deadlineMs = now + this.timeoutMs;
    timed.before = this.#last;
    if (this.#last === undefined) this.#first = timed;
    else this.#last.after = timed;
    this.#last = timed;
    if (this.#timer === undefined) this.#arm(this.timeoutMs);
  }

  /** The timer is left as it is: it may go off for nobody, once per timeout and not once per request. */
  remove(timed: Timed): void {
    if (timed.deadlineMs === 0) return;
    timed.deadlineMs = 0;
    if (timed.before === undefined) this.#first = timed.after;
    else timed.before.after = timed.after;
    if (timed.after === undefined) this.#last = timed.before;
    else timed.after.before = timed.before;
    timed.before = undefined;
    timed.after = undefined;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    // Node's timers fire up to 1 ms early by this clock; one more and a deadline is never found not yet due.
    this.#timer = setTimeout(this.#due, Math.ceil(delayMs) + 1);
    this.#timer.unref();
  }

  readonly #due = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    while (this.#first !== undefined && this.#first.deadlineMs <= now) {
      const timed = this.#first;
      this.remove(timed);
      timed.expire();
    }
    if (this.#first !== undefined && this.#timer === undefined) this.#arm(this.#first.deadlineMs - now);
  };
}
