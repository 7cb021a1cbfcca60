/** What happened, in order: a running hash that tells two runs apart, and the last lines for people. */
import { START_MS } from "./agenda";

const KEPT = 400;

export class Trace {
  #hash = 0x811c9dc5;
  readonly #lines: string[] = [];
  #at = 0;

  /** `print` gets every line as it happens. */
  constructor(readonly print: ((line: string) => void) | undefined) {}

  note(now: number, text: string): void {
    let hash = Math.imul(this.#hash ^ Math.floor((now - START_MS) * 64), 0x01000193);
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.#hash = hash;
    this.remark(now, text);
  }

  /** A line for people only. */
  remark(now: number, text: string): void {
    const line = `${((now - START_MS) / 1000).toFixed(6)} ${text}`;
    this.#lines[this.#at++ % KEPT] = line;
    this.print?.(line);
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  last(count: number): string[] {
    const lines: string[] = [];
    for (let i = Math.max(0, this.#at - Math.min(count, KEPT)); i < this.#at; i++) lines.push(this.#lines[i % KEPT] as string);
    return lines;
  }
}
