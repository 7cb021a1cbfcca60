/**
 * How soon a unit follows the one before. A transaction costs the broker and us about the same however much is in it, and a marker in
 * each partition it touched: where records have to wait anyway, fewer and larger units make room for the work they wait for.
 *
 *   undecided ──decide──▶ the open unit closes at `closesAtMs` ──closed──▶ undecided
 *                              └── decide: something is due earlier (T4)
 *
 * T1  The next unit waits as long as a small one took: half of the time is for what else the broker, and whoever shares its machine, has
 *     to do, and where they are slow there are fewer units. What comes later than that closes at once.
 * T2  Where even the youngest record was old, the next unit waits for a share of its age: nobody gets much older by that.
 * T3  Behind a large unit the next one waits a little in any case: records flow faster than units commit, and who reads the results waits
 *     for the records in front of theirs.
 * T4  A unit does not wait past the deadline of something in it that is in time.
 */
import type { Unit } from "./outbox";

const SMALL_PAUSE_MAX_MS = 10;
const YOUNG_MS = 20;
const AGE_SHARE = 0.1;
const PAUSE_MAX_MS = 50;
const LARGE_RECORDS = 1_000;
const LARGE_PAUSE_MS = 5;
/** What is due must be committed by then: twice what the last commit took, and no less than this. */
const LEAD_MIN_MS = 5;

export class Pace {
  /** When the open unit closes, unless it is full before; Infinity: undecided. */
  closesAtMs = Number.POSITIVE_INFINITY;
  /** The pause behind the last unit ends. */
  #againAtMs = 0;
  #agePauseMs = 0;
  #leadMs = LEAD_MIN_MS;

  constructor(private readonly lingerMs: number) {}

  /** The open unit has something in it, the earliest of which is due then; true: it closes earlier than was decided before. */
  decide(now: number, dueMs: number): boolean {
    const plannedMs = Math.min(this.closesAtMs, Math.max(now + this.lingerMs, this.#againAtMs));
    const atMs = Math.max(now, Math.min(plannedMs, dueMs - this.#leadMs));
    if (atMs >= this.closesAtMs) return false;
    this.closesAtMs = atMs;
    return true;
  }

  closed(): void {
    this.closesAtMs = Number.POSITIVE_INFINITY;
  }

  /** T1, T2, T3; true: what there is by now may close at once. */
  committed(unit: Unit, now: number): boolean {
    const tookMs = now - unit.closedMs;
    this.#leadMs = Math.max(LEAD_MIN_MS, 2 * tookMs);
    // Without finished records it was a step on the way of some, which tells nothing of how long they are on it.
    if (unit.finished.length > 0) this.#agePauseMs = agePauseMs(unit);
    const sizePauseMs = unit.records < LARGE_RECORDS ? Math.min(tookMs, SMALL_PAUSE_MAX_MS) : LARGE_PAUSE_MS;
    const pauseMs = Math.max(this.#agePauseMs, sizePauseMs);
    this.#againAtMs = now + pauseMs;
    return pauseMs === 0 && this.lingerMs === 0;
  }
}

/** T2. */
function agePauseMs({ finished, closedMs }: Unit): number {
  let youngest = 0;
  for (const { arrivedMs } of finished) if (arrivedMs > youngest) youngest = arrivedMs;
  return Math.min(PAUSE_MAX_MS, Math.max(0, closedMs - youngest - YOUNG_MS) * AGE_SHARE);
}
