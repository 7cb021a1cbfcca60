/**
 * What an aggregate remembers: per open window how many upstreams have closed it, a count and a sum; the rest of its fixed size is padding, the state
 * of a real function. Adding two tallies window by window is a commutative monoid with the empty tally as its identity.
 *
 * u32 how many entries, u32 0, then per entry: u32 window, u32 closes, f64 count, f64 sum; little-endian.
 */
const HEAD_BYTES = 8;
const ENTRY_BYTES = 24;

export interface TallyTotal {
  readonly count: number;
  readonly sum: number;
}

export class Tally {
  constructor(readonly bytes: Buffer) {}

  static ofBytes(length: number): Tally {
    return new Tally(Buffer.alloc(Math.max(length, HEAD_BYTES + ENTRY_BYTES)));
  }

  get #entries(): number {
    return this.bytes.readUInt32LE(0);
  }

  /** Where the entry of a window stands, made if it is not there. */
  #at(window: number): number {
    const { bytes } = this;
    const entries = this.#entries;
    for (let i = 0; i < entries; i++) {
      const at = HEAD_BYTES + i * ENTRY_BYTES;
      if (bytes.readUInt32LE(at) === window) return at;
    }
    const at = HEAD_BYTES + entries * ENTRY_BYTES;
    if (at + ENTRY_BYTES > bytes.length)
      throw new RangeError(`${entries} windows are open, more than ${bytes.length} bytes hold`);
    bytes.fill(0, at, at + ENTRY_BYTES);
    bytes.writeUInt32LE(window, at);
    bytes.writeUInt32LE(entries + 1, 0);
    return at;
  }

  add(window: number, closes: number, count: number, sum: number): void {
    const { bytes } = this;
    const at = this.#at(window);
    bytes.writeUInt32LE(bytes.readUInt32LE(at + 4) + closes, at + 4);
    bytes.writeDoubleLE(bytes.readDoubleLE(at + 8) + count, at + 8);
    bytes.writeDoubleLE(bytes.readDoubleLE(at + 16) + sum, at + 16);
  }

  /** One upstream more has closed the window; its total, and the window is forgotten, when that was the last of so many. */
  close(window: number, needed: number): TallyTotal | undefined {
    this.add(window, 1, 0, 0);
    const { bytes } = this;
    const at = this.#at(window);
    if (bytes.readUInt32LE(at + 4) < needed) return undefined;
    const total = { count: bytes.readDoubleLE(at + 8), sum: bytes.readDoubleLE(at + 16) };
    const last = HEAD_BYTES + (this.#entries - 1) * ENTRY_BYTES;
    bytes.copyWithin(at, last, last + ENTRY_BYTES);
    bytes.writeUInt32LE(this.#entries - 1, 0);
    return total;
  }

  /** Adds all of another one. */
  absorb(other: Tally): this {
    const { bytes } = other;
    for (let i = 0; i < other.#entries; i++) {
      const at = HEAD_BYTES + i * ENTRY_BYTES;
      this.add(bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4), bytes.readDoubleLE(at + 8), bytes.readDoubleLE(at + 16));
    }
    return this;
  }
}
