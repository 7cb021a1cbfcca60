/** Milliseconds, or a number with its unit: `"250ms"`, `"5s"`, `"10m"`, `"12h"`, `"1d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Whole milliseconds (rounded to the nearest); `what` begins the error text. */
export function millisecondsOf(duration: Duration, what: string): number {
  const ms = typeof duration === "number" ? duration : parsed(duration);
  if (!(ms >= 0) || ms > Number.MAX_SAFE_INTEGER) {
    throw new RangeError(`${what}: expected milliseconds (0 or more) or a text like "5s", "10m", "1d", got ${String(duration)}`);
  }
  return Math.round(ms);
}

function parsed(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  return match ? Number(match[1]) * (unitMs[match[2] as string] as number) : Number.NaN;
}
