/**
 * Instants the engine waits for, as a binary heap. An entry is never removed early: whoever set it looks, when it is due,
 * whether it still means something. So every owner keeps at most one entry per thing it waits for.
 */
export class Timers<Subject> {
  readonly #at: number[] = [];
  readonly #subjects: Subject[] = [];

  get size(): number {
    return this.#at.length;
  }

  /** The earliest instant, or Infinity. */
  get nextMs(): number {
    return this.#at.length > 0 ? (this.#at[0] as number) : Number.POSITIVE_INFINITY;
  }

  add(atMs: number, subject: Subject): void {
    let index = this.#at.length;
    this.#at.push(atMs);
    this.#subjects.push(subject);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if ((this.#at[parent] as number) <= atMs) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#at[index] = atMs;
    this.#subjects[index] = subject;
  }

  /** The subject of the earliest instant if that is not after `now`. */
  take(now: number): Subject | undefined {
    if (this.nextMs > now) return undefined;
    const taken = this.#subjects[0] as Subject;
    const lastAt = this.#at.pop() as number;
    const last = this.#subjects.pop() as Subject;
    if (this.#at.length > 0) this.#sink(lastAt, last);
    return taken;
  }

  #sink(atMs: number, subject: Subject): void {
    const length = this.#at.length;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= length) break;
      if (child + 1 < length && (this.#at[child + 1] as number) < (this.#at[child] as number)) child++;
      if ((this.#at[child] as number) >= atMs) break;
      this.#move(child, index);
      index = child;
    }
    this.#at[index] = atMs;
    this.#subjects[index] = subject;
  }

  #move(from: number, to: number): void {
    this.#at[to] = this.#at[from] as number;
    this.#subjects[to] = this.#subjects[from] as Subject;
  }
}
