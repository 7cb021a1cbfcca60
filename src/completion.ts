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
        if (copy === message) continue;
        // Were it left to the record, a crash between two units would run the finished copy again.
        this.delivery.adopt(copy, input);
        progress.finish(entry);
      }
    }
    progress.finish(entry);
    input.finished(entry);
    input.source.measures.outstanding--;
    this.outbox.finishedRecord(input, message.ingressMs);
  }

  /** Some records of it are finished. */
  #relieved(input: Input, effects: Effects): void {
    this.intake.replace(input, effects);
    if (input.paused.size > 0) this.intake.bound(input, effects);
  }
}
