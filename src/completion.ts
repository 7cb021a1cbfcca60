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
      for (const copy of entry.copies) {
        if (copy === message || copy.entry !== entry) continue; // It is remembered already.
        if (input.source.disordered) this.#adoptEarlier(input, progress, entry, copy);
        // Were it left to the record, a crash between two units would run the finished copy again.
        this.delivery.adopt(copy, input);
        progress.finish(entry);
      }
    }
    this.#finishCopy(input, progress, entry, message);
  }

  /** It is finished, or remembered by itself: the record need not stand for it any more. */
  #finishCopy(input: Input, progress: Progress, entry: RecordEntry, { ingressMs }: Message): void {
    if (!progress.finish(entry)) return;
    input.finished(entry);
    input.source.measures.outstanding--;
    this.outbox.finishedRecord(input, ingressMs);
  }

  /** What stands before this copy on its channel and is not finished is remembered before it: after a crash they come in this order. */
  #adoptEarlier(input: Input, progress: Progress, entry: RecordEntry, { target: { type, namespace, id } }: Message): void {
    const earlier: Message[] = [];
    for (let before = entry.before; before; before = before.before) {
      for (const copy of before.copies ?? []) {
        const { target } = copy;
        if (copy.entry === before && target.id === id && target.type === type && target.namespace === namespace)
          earlier.push(copy);
      }
    }
    for (const copy of earlier.reverse()) {
      const own = copy.entry as RecordEntry;
      input.adopted(own, copy.heldMs > 0);
      this.delivery.adopt(copy, input);
      this.#finishCopy(input, progress, own, copy);
    }
  }

  /** Some records of it are finished. */
  #relieved(input: Input, effects: Effects): void {
    this.intake.replace(input, effects);
    if (input.paused.size > 0) this.intake.bound(input, effects);
  }
}
