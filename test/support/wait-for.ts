/** Waits for something to become true, and when it does not, tells what was seen instead. */
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";

export interface Wait {
  /** Generous by default: it bounds a failure, not a success. */
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** What to show in the failure, for instance the records seen so far. */
  readonly seen?: () => unknown;
}

/** A machine that is ten times slower still passes; a test's own limit (jest.config.js) is longer, so that this one tells. */
const timeoutMsDefault = 120_000;

type Falsy = false | 0 | "" | null | undefined;

/** Resolves with the first truthy value of `condition`. A condition that throws is not yet true. */
export async function waitFor<T>(condition: () => T | Promise<T>, what: string, wait: Wait = {}): Promise<Exclude<T, Falsy>> {
  const timeoutMs = wait.timeoutMs ?? timeoutMsDefault;
  const until = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as Exclude<T, Falsy>;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= until) throw new Error(failure(what, timeoutMs, last, wait.seen));
    await sleep(wait.everyMs ?? 25);
  }
}

function failure(what: string, timeoutMs: number, last: unknown, seen?: () => unknown): string {
  const lines = [`waited ${timeoutMs / 1000} s in vain for ${what}; the last look gave ${brief(last)}`];
  if (seen !== undefined) lines.push(`seen: ${brief(seen())}`);
  return lines.join("\n");
}

function brief(value: unknown): string {
  return value instanceof Error ? value.message : inspect(value, { depth: 4, maxArrayLength: 50, breakLength: 130 });
}
