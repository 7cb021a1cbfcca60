/**
 * One activation: the messages that wait for one address, and what the address is doing.
 *
 * Owns: the order of an address's messages and its phase. Leaves to others: who runs next (run queue and policy), what a
 * message does (functions), what it remembered (state).
 *
 *            enqueue            picked              replied, nothing waits
 *   idle ───────────▶ ready ───────────▶ running ───────────────────────▶ idle (the activation may be dropped)
 *                       ▲                 │   │  ▲
 *                       ├── replied, more ┘   │  └── picked again
 *                       │   waits             │ failed
 *                       └──── rested ──── resting
 *
 * M1  Messages leave in the order they came (per sender, per address: P2).
 * M2  At most one invocation of an address is in flight.
 * M3  A failed batch is sent again as it was before anything behind it: resting remembers its size.
 * M4  It stands in a run queue exactly while it is ready.
 * M5  A critical message is in no batch with an ordinary one, and in one with critical ones of its own barrier only, on a lane of a
 *     dual-mode actor: there all of them are one batch, whatever its size (DUAL-MODE.md 2.3).
 */
import type { Address } from "../model/address";
import { invariant } from "../model/errors";
import type { Message } from "../model/message";
import type { Memory } from "../state/store";
import type { FunctionType } from "./function-type";
import { Minima } from "./minima";
import type { Runnable } from "./policy/policy";
import type { Share } from "./shares";
import type { Worker } from "./worker";

export type MailboxPhase =
  | { readonly kind: "idle" }
  | { readonly kind: "ready" }
  /** `batch` = how many messages, from the head, are in flight. */
  | { readonly kind: "running"; readonly batch: number; readonly attempt: number }
  | { readonly kind: "resting"; readonly batch: number; readonly attempt: number; readonly untilMs: number };

/** The dual-mode actor a mailbox is a lane of (scaling/dual-actor.ts). */
export interface LaneOwner {
  /** A message for the actor: its owner gives it a lane when it may run. */
  received(message: Message, now: number): void;
  /** So many messages of this lane are finished. */
  batchFinished(lane: Mailbox, messages: number): void;
  /** The lane has nothing more to do. */
  idle(lane: Mailbox, now: number): void;
}

const IDLE: MailboxPhase = { kind: "idle" };
const READY: MailboxPhase = { kind: "ready" };

export class Mailbox implements Runnable {
  phase: MailboxPhase = IDLE;
  #head: Message | undefined;
  #tail: Message | undefined;
  #length = 0;
  /** How many have left, and the smallest rank of the others, as far as they have one. */
  #left = 0;
  #minima: Minima | undefined;
  /** When it became ready last. */
  readyMs = 0;
  /** When the running batch is expected to end. */
  expectedMs = 0;
  /** Expected cost of what waits, ms; kept where the load of its queue is (load.ts). */
  backlogMs = 0;
  /** What its share was charged for the running batch in advance, ms. */
  chargedMs = 0;
  /** Where it stands, or stood when it was picked. */
  share: Share | undefined;
  /** The worker it is pinned to; undefined: any of its endpoint's. */
  worker: Worker | undefined;
  /** The worker it goes back to, while another stands in for that one. */
  home: Worker | undefined;
  /** undefined: an exclusive actor's only lane. */
  owner: LaneOwner | undefined;
  /** Attempts made with the batch at the head, and its size (0: not fixed): M3. */
  #attempt = 0;
  #fixedBatch = 0;

  constructor(
    readonly address: Address,
    readonly type: FunctionType,
    readonly memory: Memory,
  ) {}

  /** How long a message that joined now would wait behind the others of this lane, ms. */
  waitMs(now: number): number {
    const running = this.phase.kind === "running" ? Math.max(0, this.expectedMs - now) : 0;
    return running + this.backlogMs;
  }

  get waiting(): number {
    return this.#length;
  }

  get rank(): number {
    return this.#minima?.least ?? Number.POSITIVE_INFINITY;
  }

  peek(): Message | undefined {
    return this.#head;
  }

  /** True if the mailbox was idle and is ready now: it then joins a run queue (M4). */
  enqueue(message: Message): boolean {
    if (this.#tail) this.#tail.next = message;
    else this.#head = message;
    this.#tail = message;
    if (message.rank < Number.POSITIVE_INFINITY) {
      this.#minima ??= new Minima();
      this.#minima.joined(message.rank, this.#left + this.#length);
    }
    this.#length++;
    if (this.phase.kind !== "idle") return false;
    this.phase = READY;
    return true;
  }

  /** The next batch: the failed one again, or as many as fit. At least one. */
  take(countMax: number, bytesMax: number): Message[] {
    invariant(this.phase.kind === "ready", "M2: only a ready mailbox is run");
    const head = this.#head as Message;
    const critical = head.mark?.critical === true;
    const batch: Message[] = [];
    const most = this.#fixedBatch > 0 ? this.#fixedBatch : critical ? this.#criticalMax : countMax;
    let bytes = 0;
    for (let message: Message | undefined = head; message && batch.length < most; message = message.next) {
      bytes += message.bytes;
      if (batch.length > 0 && this.#fixedBatch === 0) {
        if (critical ? !ofOneBarrier(head, message) : bytes > bytesMax || message.mark?.critical === true) break; // M5
      }
      batch.push(message);
    }
    this.#attempt++;
    this.phase = { kind: "running", batch: batch.length, attempt: this.#attempt };
    return batch;
  }

  get #criticalMax(): number {
    return this.owner ? Number.POSITIVE_INFINITY : 1;
  }

  /** The running batch is finished and leaves. True if more waits: the mailbox is ready again. */
  finish(): boolean {
    invariant(this.phase.kind === "running", "M2: only a running mailbox finishes");
    for (let i = 0; i < this.phase.batch; i++) {
      const message = this.#head as Message;
      this.#head = message.next;
      message.next = undefined;
    }
    this.#length -= this.phase.batch;
    this.#left += this.phase.batch;
    this.#minima?.leftBefore(this.#left);
    if (!this.#head) this.#tail = undefined;
    this.#attempt = 0;
    this.#fixedBatch = 0;
    this.phase = this.#head ? READY : IDLE;
    return this.#head !== undefined;
  }

  /** The running batch failed and rests until an instant. */
  fail(untilMs: number): void {
    invariant(this.phase.kind === "running", "M2: only a running mailbox fails");
    this.#fixedBatch = this.phase.batch;
    this.phase = { kind: "resting", batch: this.phase.batch, attempt: this.#attempt, untilMs };
  }

  rested(): void {
    invariant(this.phase.kind === "resting", "M3: only a resting mailbox has rested");
    this.phase = READY;
  }

  /** Takes these out, as far as they wait and are not next. What is left keeps its order. */
  extract(wanted: ReadonlySet<Message>): Message[] {
    const taken: Message[] = [];
    let last = this.#head;
    for (let next = this.#fixed; next > 1; next--) last = last?.next;
    while (last?.next) {
      const message = last.next;
      if (wanted.has(message)) {
        last.next = message.next;
        message.next = undefined;
        taken.push(message);
      } else last = message;
    }
    this.#tail = last;
    this.#length -= taken.length;
    if (taken.length > 0 && this.#minima) this.#rank();
    return taken;
  }

  /** It would not be extracted: it is next, in flight, or to be sent again as it was. */
  stays(message: Message): boolean {
    let left = this.#fixed;
    for (let each = this.#head; each && left > 0; each = each.next, left--) if (each === message) return true;
    return false;
  }

  /** How many from the head stay where they are: what is in flight or is to be sent again as it was, or else the next. */
  get #fixed(): number {
    return this.phase.kind === "running" || this.phase.kind === "resting" ? this.phase.batch : Math.max(1, this.#fixedBatch);
  }

  #rank(): void {
    this.#minima = new Minima();
    let place = this.#left;
    for (const { rank } of this.messages()) {
      if (rank < Number.POSITIVE_INFINITY) this.#minima.joined(rank, place);
      place++;
    }
  }

  /** What is to be sent again as it was. */
  *fixedBatch(): IterableIterator<Message> {
    let left = this.phase.kind === "resting" ? this.phase.batch : 0;
    for (const message of this.messages()) if (left-- > 0) yield message;
  }

  /** What waits for a slot: no invocation holds it, nor does it rest until it is sent again. */
  *waitingMessages(): IterableIterator<Message> {
    let held = this.phase.kind === "running" || this.phase.kind === "resting" ? this.phase.batch : 0;
    for (const message of this.messages()) if (held-- <= 0) yield message;
  }

  *messages(): IterableIterator<Message> {
    for (let message = this.#head; message; message = message.next) yield message;
  }
}

function ofOneBarrier({ mark: one }: Message, { mark: other }: Message): boolean {
  return other?.critical === true && other.series === one?.series && other.barrier === one.barrier;
}
