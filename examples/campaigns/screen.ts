/** What is drawn is drawn over itself on a terminal; elsewhere progress is a line now and then. */
const clearToEnd = "\x1b[0J";
const up = (lines: number): string => (lines > 0 ? `\x1b[${lines}A` : "");
const sayEveryMs = 3_000;

export class Screen {
  #drawn = 0;
  #saidMs = 0;

  constructor(private readonly out: NodeJS.WriteStream) {}

  draw(lines: () => readonly string[], brief: () => string): void {
    if (this.out.isTTY) this.#redraw(lines());
    else this.#say(brief);
  }

  #redraw(lines: readonly string[]): void {
    // A line that is broken would be one more than is gone up next time.
    const fitting = lines.map((line) => line.slice(0, Math.max(1, this.out.columns - 1)));
    this.out.write(`${up(this.#drawn)}\r${clearToEnd}${fitting.join("\n")}\n`);
    this.#drawn = fitting.length;
  }

  #say(brief: () => string): void {
    const now = Date.now();
    if (now - this.#saidMs < sayEveryMs) return;
    this.#saidMs = now;
    this.out.write(`${brief()}\n`);
  }

  /** What is drawn stays; what follows is written below it. */
  leave(): void {
    this.#drawn = 0;
  }
}
