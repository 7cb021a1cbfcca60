/**
 * Which records are more than ordinary messages: critical ones with the numbers of their barriers, and those of a window (watermarks.ts).
 *
 * K1  A record is critical if its topic or its header `dirigo-critical` says so. Its barrier's number is that of its header `dirigo-barrier`,
 *     else what its source says; what is no number is told, and the record is critical by itself, in no barrier.
 * K2  The number of a counted record follows from the log: it is the n-th critical record of its partition, whoever reads it, however often.
 * K3  Records without anything to say have no mark, and cost one look at their headers.
 */
import type { SourceSpecification } from "../config/specification";
import type { Effects } from "../effect";
import type { Typename } from "../model/address";
import type { Header, Mark } from "../model/message";
import type { InputRecord } from "../model/record";
import { barrierInText, barrierNumberIn } from "./barrier-number";
import type { Input } from "./intake";
import type { Progress, ProgressMark, Told } from "./progress";
import { Steps } from "./steps";
import type { Watermark } from "./watermarks";

/** What a record's headers say. */
interface Stated {
  readonly critical: boolean;
  readonly barrier: string | undefined;
}

const NOTHING_STATED: Stated = { critical: false, barrier: undefined };

/** Of the records of one topic. */
export class Marking {
  /** Only headers can mark a record of it. */
  readonly plain: boolean;
  readonly #counted: boolean;
  /** Ordinary records of one window share their mark. */
  #ordinary: Mark | undefined;

  constructor(
    private readonly source: SourceSpecification,
    private readonly watermark: Watermark | undefined,
  ) {
    this.#counted = source.barrier?.kind === "counter";
    this.plain = !source.critical && !this.#counted && watermark === undefined;
  }

  /** What is told of the records from here on. */
  begin({ low, passages, counts }: ProgressMark): Told {
    const { watermark } = this;
    return {
      ...(watermark && { passages: { everyMs: watermark.specification.everyMs, steps: watermark.begin(low, passages) } }),
      ...(this.#counted && { counts: new Steps(counts ?? { end: low, base: 0, steps: [] }) }),
    };
  }

  /** Every record, in offset order, whatever becomes of it; before it is marked. Not for plain ones. */
  show({ told }: Progress, record: InputRecord, now: number): void {
    const { passages, counts } = told;
    if (passages) this.watermark?.show(passages.steps, record, now);
    if (counts && this.#isCritical(record)) counts.raise(record.offset, counts.last + 1); // K2
  }

  #isCritical({ headers }: InputRecord): boolean {
    return this.source.critical || (headers.length > 0 && statedIn(headers).critical);
  }

  /** undefined: an ordinary message of no window. */
  mark(input: Input, progress: Progress, record: InputRecord, effects: Effects): Mark | undefined {
    const stated = record.headers.length > 0 ? statedIn(record.headers) : NOTHING_STATED;
    const critical = this.source.critical || stated.critical;
    const after = this.#after(input, progress, record, effects);
    if (!critical && stated.barrier === undefined) return this.#ordinaryAfter(after);
    const { series, number } = this.#barrier(stated, critical, progress, record) ?? aloneOf(input, record, effects);
    return { critical, series, barrier: number, after, channel: "" };
  }

  /** Only functions whose windows end know what their records run after: others would wait for ever. */
  markFor(target: Typename, mark: Mark): Mark | undefined {
    if (mark.after < 0 || this.watermark?.specification.functions.includes(target)) return mark;
    return mark.critical || mark.barrier >= 0 ? { ...mark, after: -1 } : undefined;
  }

  #ordinaryAfter(after: number): Mark | undefined {
    if (after < 0) return undefined;
    if (this.#ordinary?.after !== after) this.#ordinary = { critical: false, series: "", barrier: -1, after, channel: "" };
    return this.#ordinary;
  }

  #after(input: Input, { told }: Progress, record: InputRecord, effects: Effects): number {
    const steps = told.passages?.steps;
    if (!this.watermark || !steps) return -1;
    if (this.watermark.refuses(steps, record)) reportAhead(input, record, effects);
    return this.watermark.after(steps, record);
  }

  /** K1. undefined: there should be a number, and is none. A message that is critical only for its target may bring one in its header. */
  #barrier(stated: Stated, critical: boolean, { told }: Progress, record: InputRecord) {
    const { barrier } = this.source;
    if (stated.barrier !== undefined) return barrierInText(stated.barrier);
    if (!critical || !barrier) return ALONE;
    const number =
      barrier.kind === "counter" ? told.counts?.at(record.offset) : barrierNumberIn(record.value as Uint8Array, barrier);
    return number === undefined ? undefined : { series: "", number };
  }
}

const ALONE = { series: "", number: -1 };

/** Whoever writes the log sees to it that the same is not told too often. */
function aloneOf({ source, partition }: Input, record: InputRecord, effects: Effects): typeof ALONE {
  const { ingress, topic } = source.specification;
  effects.push({
    kind: "report",
    level: "warn",
    text: `ingress ${ingress}: a critical record of ${topic} has no barrier number where one is expected; it runs by itself, in no barrier`,
    fields: { topic, partition, offset: record.offset },
  });
  return ALONE;
}

function reportAhead({ source, partition }: Input, record: InputRecord, effects: Effects): void {
  const { ingress, topic } = source.specification;
  effects.push({
    kind: "report",
    level: "warn",
    text: `ingress ${ingress}: a record of ${topic} is dated more than an hour ahead of this router's clock; it ends no window`,
    fields: { topic, partition, offset: record.offset, timestamp: record.timestampMs },
  });
}

/** Of several headers of one name the last says it. */
function statedIn(headers: readonly Header[]): Stated {
  let critical = false;
  let barrier: string | undefined;
  for (const { key, value } of headers) {
    if (key === "dirigo-critical") critical = isYes(value);
    else if (key === "dirigo-barrier" && value) barrier = Buffer.from(value).toString("utf8");
  }
  return critical || barrier !== undefined ? { critical, barrier } : NOTHING_STATED;
}

function isYes(value: Uint8Array | null): boolean {
  const text = value ? Buffer.from(value).toString("latin1").trim().toLowerCase() : "";
  return text === "true" || text === "1";
}
