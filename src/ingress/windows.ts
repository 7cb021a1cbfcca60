/**
 * What moves partitions past the ends of windows, and who hears of it: records, the ends of partitions, the clock (watermarks.ts says what they mean).
 *
 * V1  A passage by the clock joins the open unit before anybody is told of it (W2).
 */
import type { Typename } from "../model/address";
import type { Input, Intake } from "./intake";
import type { Watermark } from "./watermarks";

/** Whom it concerns. */
export interface Onlookers {
  /** The progress of this input belongs to whatever comes of its passage. */
  noted(input: Input): void;
  /** Every partition of the ingress has passed this barrier. */
  passed(ingress: Typename, least: number, now: number): void;
  /** `over` is to be called then. */
  wakeAt(atMs: number, watermark: Watermark): void;
}

export class Windows {
  constructor(
    private readonly intake: Intake,
    private readonly onlookers: Onlookers,
  ) {}

  /** The router runs: time begins to count. What is known of former lives is told before anything comes: who is new by then has not missed it. */
  begin(now: number): void {
    for (const input of this.intake.inputs.values()) this.#tell(input, now);
    for (const watermark of this.intake.watermarks) if (watermark.byArrival) this.over(watermark, now);
  }

  /** So many records of an input were admitted. */
  read(input: Input, records: number, now: number): void {
    if (records > 0) input.quietSinceMs = -1;
    this.#tell(input, now);
  }

  /** The log had nothing behind this position of an input, as of `askedMs`. */
  exhausted(input: Input, position: number, askedMs: number, now: number): void {
    if (!input.progress || position !== input.progress.next) return; // Records are on their way, or it goes on elsewhere.
    input.progress.atEnd();
    if (input.source.watermark?.quiet(input, Math.min(askedMs, now))) this.onlookers.noted(input);
    this.#tell(input, now);
  }

  /** By the clock alone, a window of an ingress is over. */
  over(watermark: Watermark, now: number): void {
    for (const input of watermark.tick(now)) this.onlookers.noted(input);
    for (const input of watermark.inputs) this.#tell(input, now);
    this.onlookers.wakeAt(watermark.nextMs(now), watermark);
  }

  #tell(input: Input, now: number): void {
    const { watermark } = input.source;
    const least = watermark?.risen(input);
    if (watermark && least !== undefined) this.onlookers.passed(watermark.ingress, least, now);
  }
}
