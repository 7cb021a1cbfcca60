/** How the outputs of about the last minute met their deadlines: counts in slots of time, of which the oldest is used again. */

const SLOT_MS = 10_000;
/** The slot that is being filled, and a minute before it. */
const SLOTS = 7;

export interface RecentCounts {
  /** How far back the counts go at most, ms. */
  readonly spanMs: number;
  readonly met: number;
  readonly missed: number;
}

export class RecentOutputs {
  /** Per place: the number of its slot since 1970, and its counts. */
  readonly #slots = new Float64Array(SLOTS);
  readonly #met = new Float64Array(SLOTS);
  readonly #missed = new Float64Array(SLOTS);

  observe(met: boolean, now: number): void {
    const slot = Math.floor(now / SLOT_MS);
    const place = slot % SLOTS;
    if (this.#slots[place] !== slot) {
      this.#slots[place] = slot;
      this.#met[place] = 0;
      this.#missed[place] = 0;
    }
    const counts = met ? this.#met : this.#missed;
    counts[place] = (counts[place] as number) + 1;
  }

  counts(now: number): RecentCounts {
    const last = Math.floor(now / SLOT_MS);
    let [met, missed] = [0, 0];
    for (let place = 0; place < SLOTS; place++) {
      if ((this.#slots[place] as number) <= last - SLOTS) continue;
      met += this.#met[place] as number;
      missed += this.#missed[place] as number;
    }
    return { spanMs: now - (last - SLOTS + 1) * SLOT_MS, met, missed };
  }
}
