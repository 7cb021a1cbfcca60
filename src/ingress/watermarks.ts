/**
 * The barriers an ingress makes by itself: which ends of windows each of its partitions has passed, hence which window a record belongs to,
 * and which ends all partitions have passed. Windows are numbered by the clock: window k is [k * every, (k + 1) * every), and barrier k is its
 * beginning, the end of the window before.
 *
 *   passed   of a partition: the largest barrier that lies `lateness` or more before the largest time it has shown; or before the instant at which
 *            its broker was asked and had nothing more, once it has been quiet for `idle`. With `time: arrival` the clock alone, for all partitions.
 *   after    of a record: its window, or what its partition had passed when it came, if that is later. It runs after that barrier and
 *            before the next one.
 *   least    of the ingress: what all its partitions have passed. Barriers up to there may run.
 *
 * W1  `least` never falls, and no record read after it was told has `after` < `least`: whoever runs barrier n has all that comes before n.
 * W2  W1 holds over any crash. `passed` is kept as steps along the partition (steps.ts), in the progress mark:
 *     - Where a former life has read, the steps of its mark decide, neither clock nor records. Each unfinished record finds the number it was
 *       given; times of records are in the log; so it gets the same `after`.
 *     - A mark is written as it stands when its unit closes. Passing by a record comes with reading, and reading joins the open unit; passing by the
 *       clock joins it too (`noted`), before anybody is told. What a barrier causes lands in that unit or a later one. So if anything caused by barrier n
 *       is committed, so are the passages of n by every partition, at their positions; a successor reads from the low watermarks,
 *       gives what is unfinished the same windows (those before n are finished: they were caused to run before n, in that unit or an
 *       earlier one) and everything behind those positions n or more.
 *     - If it is not committed, nothing in the world depends on it, and the successor may decide otherwise.
 *     - A clock passage is no bet on records still to come: when one does come late, it goes into the window that is open, as in the first life.
 * W3  An input counts from its first position on: until all inputs of the ingress have one, `least` stands. One that joins later (a partition was
 *     added) begins at `least`, for what has been told cannot be taken back.
 * W4  A time further ahead of the router's clock than `AHEAD_MS` is refused: it moves nothing, and its record goes into the window that is open. One
 *     record dated by a broken clock, or in microseconds, would otherwise end all windows of its partition for years. A refused record is
 *     known again by the steps: its time would have raised them.
 */

import type { WatermarkSpecification } from "../config/specification";
import type { Typename } from "../model/address";
import type { InputRecord } from "../model/record";
import type { Input } from "./intake";
import type { ProgressMark } from "./progress";
import { Steps } from "./steps";

/** As much as Kafka 4 itself lets producers' clocks be ahead (`message.timestamp.after.max.ms`). */
const AHEAD_MS = 3_600_000;

/** One ingress. */
export class Watermark {
  /** The last barrier number that was told; -1: none. */
  least = -1;
  readonly inputs: Input[] = [];

  constructor(
    readonly ingress: Typename,
    readonly specification: WatermarkSpecification,
  ) {}

  get byArrival(): boolean {
    return this.specification.time === "arrival";
  }

  /** Where an input begins to be read; numbers of windows of another length keep their instants. */
  begin(low: number, mark: ProgressMark["passages"]): Steps {
    const { everyMs } = this.specification;
    const numberOf = (number: number) => (number < 0 ? -1 : Math.floor((number * (mark?.everyMs ?? everyMs)) / everyMs));
    const steps = (mark?.steps ?? []).map(([offset, number]): [number, number] => [offset, numberOf(number)]);
    return new Steps({ end: mark?.end ?? low, base: Math.max(this.least, numberOf(mark?.base ?? -1)), steps });
  }

  /** A record shows its time, whatever becomes of it. Asked in offset order, before `after`. */
  show(steps: Steps, record: InputRecord, now: number): void {
    if (steps.known(record.offset)) return;
    const number = this.byArrival ? this.#windowOf(now) : this.#shownBy(record);
    if (number <= steps.last) return;
    if (number <= this.#windowOf(now + AHEAD_MS - this.specification.latenessMs)) steps.raise(record.offset, number); // W4
  }

  after(steps: Steps, record: InputRecord): number {
    const passed = steps.at(record.offset);
    if (this.byArrival || this.refuses(steps, record)) return passed;
    return Math.max(passed, this.#windowOf(record.timestampMs));
  }

  /** W4. */
  refuses(steps: Steps, record: InputRecord): boolean {
    return !this.byArrival && this.#shownBy(record) > steps.at(record.offset);
  }

  #shownBy(record: InputRecord): number {
    return this.#windowOf(record.timestampMs - this.specification.latenessMs);
  }

  /** A record without timestamp has -1. */
  #windowOf(timeMs: number): number {
    return Math.max(-1, Math.floor(timeMs / this.specification.everyMs));
  }

  /** As of then, ms, the partition held nothing behind its position, as its broker says. True if it has passed a barrier by the clock. */
  quiet(input: Input, askedMs: number): boolean {
    const { idleMs, latenessMs } = this.specification;
    if (this.byArrival) return false;
    if (input.quietSinceMs < 0) input.quietSinceMs = askedMs;
    if (askedMs - input.quietSinceMs < idleMs) return false;
    return this.#pass(input, this.#windowOf(askedMs - latenessMs));
  }

  /** By arrival: time has come further. Gives the inputs that have passed a barrier. */
  tick(now: number): Input[] {
    return this.inputs.filter((input) => this.#pass(input, this.#windowOf(now)));
  }

  /** The next end of a window, ms. */
  nextMs(now: number): number {
    return (Math.floor(now / this.specification.everyMs) + 1) * this.specification.everyMs;
  }

  /** By the clock, at the position of reading. False where it has nothing to say: the barrier is passed, or a former life has read further (W2). */
  #pass({ progress }: Input, number: number): boolean {
    const steps = progress?.told.passages?.steps;
    if (!progress || !steps || steps.known(progress.next) || number <= steps.last) return false;
    steps.raise(progress.next, number);
    return true;
  }

  /** An input has come further. The new `least`, if that has risen: to be told. */
  risen(input: Input): number | undefined {
    const { progress } = input;
    const passed = progress?.told.passages?.steps.at(progress.next) ?? -1;
    if (passed <= input.passed) return undefined;
    input.passed = passed;
    let least = passed;
    for (const each of this.inputs) {
      if (!each.progress) return undefined; // W3
      least = Math.min(least, each.passed);
    }
    if (least <= this.least) return undefined;
    this.least = least;
    return least;
  }

  /** It need not be read further for the next barrier to run: others are behind. */
  ahead(input: Input): boolean {
    return input.passed > this.least;
  }
}
