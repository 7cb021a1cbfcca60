/**
 * How often people are told the same. An endpoint that is down says so for every address, every second; a topic of tombstones,
 * for every record. The first lines of a kind pass, the rest is counted and told in one line at the end of the window.
 *
 * L1. Each line is either admitted or counted in exactly one summary.
 * L2. At most `kindsMax` kinds are remembered, and at most `linesMax` warnings and errors pass per window, whatever their kinds:
 *     texts that name an address are all of different kinds.
 */
import type { ReportLevel } from "../effect";

export interface Summary {
  readonly level: ReportLevel;
  readonly text: string;
  readonly suppressed: number;
}

export interface LineLimits {
  readonly windowMs: number;
  /** Lines of one kind that pass in a window. */
  readonly sameMax: number;
  readonly linesMax: number;
  readonly kindsMax: number;
}

/** Five show that it goes on, and how the attempts follow each other; ten seconds are short enough to wait for a summary. */
export const defaultLimits: LineLimits = { windowMs: 10_000, sameMax: 5, linesMax: 200, kindsMax: 1_000 };

interface Kind {
  readonly level: ReportLevel;
  readonly sinceMs: number;
  passed: number;
  suppressed: number;
  /** The latest text suppressed: it stands for the others. */
  text: string;
}

export class LineLimit {
  readonly #kinds = new Map<string, Kind>();
  #all: Kind | undefined;

  constructor(readonly limits: LineLimits = defaultLimits) {}

  /** May the line be written? Summaries that are due come first: see `due`. */
  admit(now: number, level: ReportLevel, text: string): boolean {
    const kind = this.#kindOf(now, level, text);
    if (kind !== undefined && kind.passed >= this.limits.sameMax) return suppress(kind, text);
    if (level === "warn" || level === "error" || kind === undefined) {
      this.#all ??= { level: "warn", sinceMs: now, passed: 0, suppressed: 0, text: "" };
      if (this.#all.passed >= this.limits.linesMax) return suppress(this.#all, text);
      this.#all.passed++;
    }
    if (kind !== undefined) kind.passed++;
    return true;
  }

  /** When `due` wants to be asked next; undefined = nothing is held back. */
  nextDueMs(): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const kind of this.#everyKind()) if (kind.suppressed > 0) next = Math.min(next, kind.sinceMs + this.limits.windowMs);
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** What was held back in windows that are over. `now` = Infinity ends all of them. */
  due(now: number): Summary[] {
    const summaries: Summary[] = [];
    const seconds = this.limits.windowMs / 1000;
    for (const [key, kind] of this.#kinds) {
      // They stand in the order of their windows: behind the first that is open, all are.
      if (now - kind.sinceMs < this.limits.windowMs) break;
      this.#kinds.delete(key);
      if (kind.suppressed === 0) continue;
      const text = `${kind.text} (the last of ${kind.suppressed} more lines like it within ${seconds} s)`;
      summaries.push({ level: kind.level, text, suppressed: kind.suppressed });
    }
    const all = this.#all;
    if (all !== undefined && now - all.sinceMs >= this.limits.windowMs) {
      this.#all = undefined;
      const text = `${all.suppressed} more warnings and errors within ${seconds} s were left out; the last: ${all.text}`;
      if (all.suppressed > 0) summaries.push({ level: all.level, text, suppressed: all.suppressed });
    }
    return summaries;
  }

  #kindOf(now: number, level: ReportLevel, text: string): Kind | undefined {
    // Attempts, waits and offsets differ from one failure to the next; in good news each number is news.
    const key = level === "warn" || level === "error" ? `${level} ${text.replace(/\d+/g, "#")}` : `${level} ${text}`;
    let kind = this.#kinds.get(key);
    if (kind === undefined && this.#kinds.size < this.limits.kindsMax) {
      kind = { level, sinceMs: now, passed: 0, suppressed: 0, text };
      this.#kinds.set(key, kind);
    }
    return kind;
  }

  *#everyKind(): Iterable<Kind> {
    yield* this.#kinds.values();
    if (this.#all !== undefined) yield this.#all;
  }
}

function suppress(kind: Kind, text: string): false {
  kind.suppressed++;
  kind.text = text;
  return false;
}
