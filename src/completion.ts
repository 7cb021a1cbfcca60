/** A batch was answered and its effects have joined the open unit: its records are finished, and so are the messages that were sent. */
import type { Delivery } from "./delivery";
import type { Effects } from "./effect";
import type { Outbox } from "./egress/outbox";
import type { Input, Intake } from "./ingress/intake";
import type { Progress } from "./ingress/progress";
import type { Message, RecordEntry } from "./model/message";

export class Completion {
  constructor(
    private readonly intake: Intake,
    private readonly outbox: Outbox,
    private readonly delivery: Delivery,
  ) {}

  /** The messages of a batch mostly come from one input, which is looked after once. */
  finish(batch: readonly Message[], effects: Effects): void {
    let input: Input | undefined;
    for (const message of batch) {
      const { entry } = message;
      if (!entry) {
        this.outbox.settled(message);
        continue;
      }
      if (input?.index !== entry.input) {
        if (input) this.#relieved(input, effects);
        input = this.intake.inputs.get(entry.input);
      }
      if (input?.progress) this.#finishRecord(input, input.progress, entry, message);
    }
    if (input) this.#relieved(input, effects);
  }

  #finishRecord(input: Input, progress: Progress, entry: RecordEntry, message: Message): void {
    if (entry.copies) {
      if (input.source.disordered) this.#adoptEarlier(input, progress, entry, message.target.id);
      // Were they left to the record, a crash between two units would run the finished copy again.
      for (const copy of entry.copies) if (copy !== message) this.#adopt(input, progress, entry, copy);
    }
    this.#finishCopy(input, progress, entry, message);
  }

  /** The copy is remembered by itself from here on: the record need not stand for it any more. */
  #adopt(input: Input, progress: Progress, entry: RecordEntry, copy: Message): void {
    if (copy.entry !== entry) return; // It is remembered already.
    this.delivery.adopt(copy, input);
    this.#finishCopy(input, progress, entry, copy);
  }

  #finishCopy(input: Input, progress: Progress, entry: RecordEntry, { ingressMs }: Message): void {
    if (!progress.finish(entry)) return;
    input.finished(entry);
    input.source.measures.outstanding--;
    this.outbox.finishedRecord(input, ingressMs);
  }

  /**
   * What stands before this record under the same key and is not finished is remembered before its copies: after a crash they come in this order. All
   * copies of such a record are: progress cannot say that one of them is remembered, and the record, read again, would make it once more.
   */
  #adoptEarlier(input: Input, progress: Progress, entry: RecordEntry, key: string): void {
    const earlier: RecordEntry[] = [];
    for (let before = entry.before; before; before = before.before) {
      if (before.copies?.some(({ target }) => target.id === key)) earlier.push(before);
    }
    for (const own of earlier.reverse()) {
      input.adopted(own);
      for (const copy of own.copies ?? []) this.#adopt(input, progress, own, copy);
    }
  }

  /** Some records of it are finished. */
  #relieved(input: Input, effects: Effects): void {
    this.intake.replace(input, effects);
    if (input.paused.size > 0) this.intake.bound(input, effects);
  }
}
