/** The merges of one consolidation: what the router does by itself, and what it asks the function for (DUAL-MODE.md 2.8). */
import type { Outbox } from "../egress/outbox";
import { encodeMergeArgument } from "../functions/merge-message";
import type { Message } from "../model/message";
import type { Mailbox } from "../router/router";
import { checkParts, dropTaken, foldParts, type Memory, memoryBytes, type StateStore } from "../state/store";
import type { MergeHost } from "./consolidation";
import type { DualActor } from "./dual-actor";
import type { DualType } from "./dual-type";
import { madeMessage } from "./made-message";
import type { Section } from "./section";

export interface MergingHost {
  join(lane: Mailbox, message: Message, now: number): void;
  failed(actor: DualActor, reason: string, attempt: number, now: number): void;
}

export class Merging {
  constructor(
    private readonly store: StateStore,
    private readonly outbox: Outbox,
    private readonly defaultSloMs: number,
    private readonly host: MergingHost,
  ) {}

  of(actor: DualActor, section: Section): MergeHost {
    const { type } = actor;
    const mergeOf = (state: string) => type.mergeOf(state);
    return {
      asksFunction: ({ memory }, now) => {
        const values = this.store.read(memory, now);
        return type.slotsMergedByFunction.some(({ index }) => values[index] !== undefined);
      },
      fold: (into, from, now) =>
        this.#swept(into.memory, from.memory, now, () => foldParts(this.store, into.memory, from.memory, mergeOf)),
      check: (into, from, now) => this.#swept(into.memory, from.memory, now, () => checkParts(into.memory, from.memory, mergeOf)),
      ask: (into, from, now) => this.#ask(type, section, into, from, now),
      taken: (into, from) =>
        this.#changing([into.memory, from.memory], () => dropTaken(this.store, into.memory, from.memory, mergeOf)),
      failed: (reason, attempt, now) => this.host.failed(actor, reason, attempt, now),
    };
  }

  /** What has expired has no say, and no bytes that could be in the way. */
  #swept(into: Memory, from: Memory, now: number, merge: () => void): void {
    this.#changing([into, from], () => {
      for (const memory of [into, from]) this.store.sweep(memory, now);
      merge();
    });
  }

  /** What changes joins the open unit, each memory once. */
  #changing(memories: readonly Memory[], change: () => void): void {
    const fresh = memories.filter(({ changed, touched }) => changed.length === 0 && !touched);
    try {
      change();
    } finally {
      for (const memory of fresh)
        if (memory.changed.length > 0 || memory.touched) this.outbox.changed(memory, memoryBytes(memory));
    }
  }

  #ask(type: DualType, { messages }: Section, into: Mailbox, { memory }: Mailbox, now: number): void {
    const slots = type.slotsMergedByFunction;
    const values = this.store.read(memory, now); // What has expired is not there for the function (store.ts S1).
    const argument = encodeMergeArgument(
      slots,
      slots.map(({ index }) => values[index]),
    );
    const [first] = messages;
    const message = madeMessage(into, argument, now, first?.deadlineMs ?? now + this.defaultSloMs, now);
    message.application = first?.application ?? 0;
    message.mark = { critical: true, series: "", barrier: -1, after: -1, channel: "", merge: true };
    this.host.join(into, message, now);
  }
}
