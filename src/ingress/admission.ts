/**
 * From records to messages: addressing, deadlines, invalid records, and the bounds on what waits.
 *
 * A1  Every target of a topic gets its own copy (STATEFUN.md §9, trap 14); the record is finished when one copy is, and the
 *     others are then remembered as messages of their own (life.ts): progress cannot say "half".
 * A2  A record without key or value can have no address or argument: skipped, counted and told, never silently.
 * A3  What waits in mailboxes is bounded: above `mailboxBytesMax` nothing is taken in until a quarter of it has gone.
 */
import type { EngineOptions } from "../config/specification";
import type { Effects } from "../effect";
import { Blame, type Mark, MESSAGE_OVERHEAD_BYTES, Message, type Provenance, type RecordEntry } from "../model/message";
import type { InputRecord } from "../model/record";
import { TypedValue } from "../model/typed-value";
import type { FunctionType } from "../router/function-type";
import type { Router } from "../router/router";
import type { Input, Intake, Source } from "./intake";
import type { Progress } from "./progress";

export class Admission {
  #bytesPaused = false;
  #unitPaused = false;
  #key: Uint8Array = new Uint8Array(0);
  #id = "";
  #provenance: Provenance = { timestampMs: 0, headers: [], traceparent: undefined };

  constructor(
    private readonly options: EngineOptions,
    private readonly intake: Intake,
    private readonly router: Router,
  ) {}

  admit(input: Input, records: readonly InputRecord[], now: number, effects: Effects): void {
    const { source } = input;
    const progress = input.progress as Progress;
    const targets = this.#targets(source);
    const { marking } = source;
    for (const record of records) {
      if (record.offset < progress.next) continue;
      source.measures.received++;
      if (!marking.plain) marking.show(progress, record, now);
      if (record.key === null || record.value === null) skipInvalid(input, record, effects);
      else if (!progress.finishedBefore(record.offset)) {
        const entry = progress.enter(record.offset, targets.length);
        source.measures.outstanding++;
        const unmarked = marking.plain && record.headers.length === 0;
        const mark = unmarked ? undefined : marking.mark(input, progress, record, effects);
        this.#toTargets(source, targets, record, entry, mark, now);
        continue;
      }
      progress.skipTo(record.offset + 1);
    }
  }

  #targets(source: Source): FunctionType[] {
    const targets: FunctionType[] = [];
    for (const target of source.specification.targets) {
      const type = this.router.type(target);
      if (type) targets.push(type); // Checked at load: every target is served.
    }
    return targets;
  }

  #toTargets(
    source: Source,
    targets: readonly FunctionType[],
    record: InputRecord,
    entry: RecordEntry,
    mark: Mark | undefined,
    now: number,
  ): void {
    const value = record.value as Uint8Array;
    const id = this.#idOf(record.key as Uint8Array);
    const argument = new TypedValue(source.valueHead, value);
    const provenance = this.#provenanceOf(record);
    const bytes = value.length + MESSAGE_OVERHEAD_BYTES;
    const { application } = source;
    const deadlineMs = statedDeadlineMs(record) ?? application.deadlineMs(record, now);
    for (const type of targets) {
      const mailbox = this.router.mailbox(type, id);
      const { address } = mailbox;
      const { offset } = record;
      const message = new Message(
        address,
        undefined,
        argument,
        bytes,
        entry,
        offset,
        now,
        now,
        deadlineMs,
        type.costMs,
        provenance,
      );
      message.application = application.index;
      if (mark) message.mark = source.marking.markFor(type.typename, mark);
      if (application.measures) message.blame = new Blame();
      if (targets.length > 1) (entry.copies ??= []).push(message);
      this.router.enqueue(mailbox, message, now);
    }
  }

  /** Records without headers that were made in the same ms have the same. */
  #provenanceOf(record: InputRecord): Provenance {
    const last = this.#provenance;
    if (record.headers !== last.headers || record.timestampMs !== last.timestampMs) this.#provenance = provenanceOf(record);
    return this.#provenance;
  }

  /** Malformed UTF-8 becomes U+FFFD, as in StateFun. A hot key comes many times in a row: its text is made once. */
  #idOf(key: Uint8Array): string {
    const last = this.#key;
    let same = key.length === last.length;
    for (let i = 0; same && i < key.length; i++) same = key[i] === last[i];
    if (!same) {
      this.#key = key;
      this.#id = Buffer.from(key.buffer, key.byteOffset, key.length).toString("utf8");
    }
    return this.#id;
  }

  /** Called after every event: pauses and resumes all inputs by what the mailboxes and the open unit hold. */
  bound(unitFull: boolean, effects: Effects): void {
    if (unitFull !== this.#unitPaused) {
      this.#unitPaused = unitFull;
      if (unitFull) this.intake.pauseAll("unit", effects);
      else this.intake.resumeAll("unit", effects);
    }
    const { mailboxBytes } = this.router;
    if (!this.#bytesPaused && mailboxBytes >= this.options.mailboxBytesMax) {
      this.#bytesPaused = true;
      this.intake.pauseAll("bytes", effects);
    } else if (this.#bytesPaused && mailboxBytes < this.options.mailboxBytesMax * 0.75) {
      this.#bytesPaused = false;
      this.intake.resumeAll("bytes", effects);
    }
  }
}

/** A2. */
function skipInvalid(input: Input, record: InputRecord, effects: Effects): void {
  const { measures, specification } = input.source;
  const nullKey = record.key === null;
  if (nullKey) measures.skippedNullKey++;
  else measures.skippedTombstone++;
  effects.push({
    kind: "report",
    level: "warn",
    text: `ingress ${specification.ingress}: skipped a record ${nullKey ? "without key" : "without value (a tombstone)"}`,
    fields: { topic: specification.topic, partition: input.partition, offset: record.offset },
  });
}

/** Header `dirigo-deadline-ms`: the producer's own deadline, ms since 1970 as text. What is no number is as if it were not there. */
function statedDeadlineMs(record: InputRecord): number | undefined {
  for (const { key, value } of record.headers) {
    if (key !== "dirigo-deadline-ms" || !value) continue;
    const stated = Number(Buffer.from(value).toString("latin1"));
    if (stated > 0 && stated <= Number.MAX_SAFE_INTEGER) return stated;
  }
  return undefined;
}

function provenanceOf(record: InputRecord): Provenance {
  let traceparent: string | undefined;
  for (const { key, value } of record.headers) {
    if (key === "traceparent" && value) traceparent = Buffer.from(value).toString("latin1");
  }
  return { timestampMs: record.timestampMs, headers: record.headers, traceparent };
}
