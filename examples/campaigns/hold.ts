/**
 * Holds a slot for some time, by timer. On a busy machine timers are late: what one was held too long is taken off the next, so that all together hold their slots for as
 * long as they should, and the service is as fast as it says whatever else the machine does.
 */
import { setTimeout as sleep } from "node:timers/promises";

/** Below this much a timer would only be late. */
const worthATimerMs = 0.5;

/** Negative: held for too long so far. */
let owedMs = 0;

export async function hold(ms: number): Promise<void> {
  const dueMs = ms + owedMs;
  owedMs = 0;
  const startMs = performance.now();
  if (dueMs >= worthATimerMs) await sleep(dueMs);
  owedMs += dueMs - (performance.now() - startMs);
}
