/**
 * One dual-mode actor: a lessor and its lessees, and what stops them (DUAL-MODE.md 2.10, scaling/PROTOCOL.md).
 *
 * Owns: the actor's phase, its heads, what it holds back, its leases. Leaves to others: which lane a message takes (the policy, through its
 * host), how lanes run (router), what is durable (outbox, through its host).
 *
 *   runnable ──barrier aligned, lone critical message, end of a lease──▶ draining ──all lanes idle──▶ consolidating
 *      ▲                                                                                                   │ parts merged
 *      └────────────── released: held messages enter again, in order ◀── critical ◀────────────────────────┘
 *
 * A1  Prior exactly: a section begins when all lanes are idle, and nothing joins a lane between its start and its release except its own
 *     merges and critical messages.
 * A2  Between start and release whatever arrives is held, and enters again in the order it came.
 * A3  While critical, only the lessor runs, on the merged state; all critical messages of a section are one batch, so that their effects are
 *     in one unit, with the number of the barrier.
 * A4  A part is gone in the very turn in which its base has it: no unit can hold one without the other.
 * A5  After a release no part of an earlier epoch exists.
 * A6  What is held for its window does not block its channel: a record behind it may belong to a window before, and must be counted there (W1).
 *     Only numbers do not overtake each other on a channel: one that did would make the other late for its barrier.
 */

import { invariant, unreachable } from "../model/errors";
import type { Message } from "../model/message";
import type { LaneOwner, Mailbox } from "../router/router";
import type { ActorRecord } from "./actor-record";
import { Alignment, type Channel } from "./alignment";
import type { Consolidation } from "./consolidation";
import type { DualType } from "./dual-type";
import type { Lease } from "./lease";
import type { Section, SectionReason } from "./section";

export type ActorPhase =
  /** Aligning while a channel has a head. */
  | { readonly kind: "runnable" }
  | { readonly kind: "draining"; readonly section: Section }
  | { readonly kind: "consolidating"; readonly section: Section; readonly consolidation: Consolidation }
  | { readonly kind: "critical"; readonly section: Section };

const RUNNABLE: ActorPhase = { kind: "runnable" };

/** What an actor needs of the world around it (dual-mode.ts). */
export interface ActorHost {
  /** An ordinary message that may run now: the policy gives it a lane. */
  admit(actor: DualActor, message: Message, now: number): void;
  /** A critical message, or a merge, on this lane. */
  join(lane: Mailbox, message: Message, now: number): void;
  channelOf(message: Message): Channel;
  channelsOf(ingress: string): readonly Channel[];
  /** The barrier number of a critical message for this type; -1: it stands alone. */
  barrierOf(type: DualType, message: Message): number;
  /** Its typename makes it critical. */
  isCritical(type: DualType, message: Message): boolean;
  /** The critical message of a watermark. */
  windowEnd(actor: DualActor, barrier: number, now: number): Message;
  /** Merges what the router merges by itself and lets the function merge the rest; the actor's lanes are idle. */
  consolidate(actor: DualActor, section: Section, now: number): Consolidation;
  /** Held, or not any more: these bounds are other ones than those of what waits. */
  held(actor: DualActor, message: Message, change: 1 | -1, now: number): void;
  /** A barrier's message stands at the head of this channel, or not any more. */
  headed(actor: DualActor, channel: Channel, change: 1 | -1): void;
  /** It waits for a barrier that others have not shown. Told again while it waits. */
  awaits(actor: DualActor, now: number): void;
  leaseEnded(actor: DualActor, lease: Lease, reason: SectionReason, now: number): void;
  sectionMoved(actor: DualActor, moment: "block" | "critical" | "release", section: Section, now: number): void;
  /** Its record is written with the open unit. */
  remember(actor: DualActor): void;
  /** A barrier whose number is done already: it runs by itself. */
  late(actor: DualActor, barrier: number): void;
  /** It has nothing to do: it may be dropped. */
  rests(actor: DualActor, now: number): void;
}

export class DualActor implements LaneOwner {
  phase: ActorPhase = RUNNABLE;
  epoch = 0;
  /** Number of the last barrier that is done; -1: none. */
  done = -1;
  /** Open leases, by rising lane number. */
  leases: Lease[] = [];
  /** Lanes of sub-keys, where a state is merged by `partition` (lanes.ts G3). */
  readonly pins = new Map<string, Mailbox>();
  /** Sub-keys that the base had when the first lessee was opened after the last release: they stay with the lessor. */
  baseKeys: ReadonlySet<string> | undefined;
  /** Learnt channels (type.learns). */
  readonly seen = new Set<Channel>();
  readonly alignment = new Alignment();
  #held: Message[] = [];
  /** A6. Channels of numbered critical messages that are held for their windows. */
  readonly #early = new Set<Channel>();
  /** What was held is on its way in again: no barrier begins before all of it is. */
  #entering = false;
  /** Since when the end of a window waits for upstreams, ms; Infinity: it does not. */
  #windowSinceMs = Number.POSITIVE_INFINITY;
  /** An ordinary message has entered since the last barrier. */
  #applied = true;
  /** Number of the next lessee. */
  nextLane = 1;
  /** Its last section began then, ms; 0: none yet. */
  sectionMs = 0;
  /** Timers are set: for idle leases, for a barrier that is waited for too long, for being forgotten. */
  idleAwaited = false;
  alarmed = false;
  /** The wait that was told of last: since when it was, ms. */
  toldSinceMs = -1;
  forgetAwaited = false;
  restedMs = 0;
  /** A record of it stands in the log; it is in the open unit's list; it is to be tombstoned. */
  recorded = false;
  remembered = false;
  forgotten = false;
  /** What the policy exported last, as JSON. */
  policyState = "";

  constructor(
    readonly type: DualType,
    readonly lessor: Mailbox,
    private readonly host: ActorHost,
  ) {}

  get record(): ActorRecord {
    return { epoch: this.epoch, done: this.done, seen: [...this.seen], policy: this.policyState };
  }

  /** Of a former life. */
  recall({ epoch, done, seen, policy }: ActorRecord): void {
    this.epoch = epoch;
    this.done = done;
    for (const channel of seen) this.seen.add(channel);
    this.policyState = policy;
    this.recorded = true;
  }

  get holding(): number {
    return this.#held.length;
  }

  /** All its lanes, the lessor first. */
  get lanes(): Mailbox[] {
    return [this.lessor, ...this.leases.map(({ mailbox }) => mailbox)];
  }

  // ── arrivals ───────────────────────────────────────────────────────────────────────────────────────────────────────

  received(message: Message, now: number): void {
    switch (this.phase.kind) {
      case "runnable":
        return this.#enter(message, now);
      case "draining":
      case "consolidating":
      case "critical":
        return this.#hold(message, now); // A2
      default:
        return unreachable(this.phase);
    }
  }

  #enter(message: Message, now: number): void {
    const { type, host } = this;
    if (type.learns) this.#learn(message);
    if (this.#blocked(message)) return this.#hold(message, now);
    const critical = this.#isCritical(message);
    if (this.#tooEarly(message)) {
      if (critical && host.barrierOf(type, message) >= 0) this.#early.add(host.channelOf(message));
      return this.#hold(message, now);
    }
    if (!critical) {
      this.#applied = true;
      return host.admit(this, message, now);
    }
    const barrier = host.barrierOf(type, message);
    if (barrier >= 0 && this.#early.size > 0 && this.#early.has(host.channelOf(message))) return this.#hold(message, now);
    message.mark = {
      critical: true,
      series: type.series,
      barrier,
      after: -1,
      channel: message.mark?.channel ?? "",
    };
    if (barrier > this.done) {
      const channel = host.channelOf(message);
      host.held(this, message, 1, now);
      this.alignment.add(channel, message, barrier, now);
      host.headed(this, channel, 1);
      return this.next(now);
    }
    if (barrier >= 0) host.late(this, barrier);
    this.#begin("critical", -1, [message], now, now);
  }

  /** The end of a window is still to come before it. */
  #tooEarly({ mark }: Message): boolean {
    return mark !== undefined && mark.after > this.done;
  }

  #isCritical(message: Message): boolean {
    return message.mark?.critical || this.host.isCritical(this.type, message);
  }

  #blocked(message: Message): boolean {
    return this.alignment.waiting && this.alignment.blocks(this.host.channelOf(message));
  }

  #learn(message: Message): void {
    const channel = this.host.channelOf(message);
    if (this.seen.has(channel) || !this.type.learnable(channel)) return;
    this.seen.add(channel);
    this.host.remember(this);
  }

  #hold(message: Message, now: number): void {
    this.#held.push(message);
    this.host.held(this, message, 1, now);
  }

  // ── sections ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins the next barrier if it is aligned. */
  next(now: number): void {
    while (this.phase.kind === "runnable" && !this.#entering) {
      const due = this.#due();
      if (due === undefined) return this.#await(now);
      this.#windowSinceMs = Number.POSITIVE_INFINITY;
      if (this.#live || this.alignment.waiting) {
        const sinceMs = this.alignment.sinceOf(due) ?? now;
        return this.#begin("barrier", due, this.#messagesOf(due, now), sinceMs, now);
      }
      // Nobody is here whose window could end.
      this.done = due;
      this.host.remember(this);
      this.#enterHeld(now);
    }
  }

  #await(now: number): void {
    if ((this.#live || this.#held.length > 0) && this.#windowDue() !== undefined)
      this.#windowSinceMs = Math.min(this.#windowSinceMs, now);
    if (this.waitsSinceMs < Number.POSITIVE_INFINITY) this.host.awaits(this, now);
  }

  /** Since when it waits for a barrier, ms; Infinity: it does not. */
  get waitsSinceMs(): number {
    return Math.min(this.alignment.sinceMs, this.#windowSinceMs);
  }

  /** The barrier that it waits for; Infinity: none. */
  get awaited(): number {
    return Math.min(this.#windowDue() ?? Number.POSITIVE_INFINITY, this.alignment.least);
  }

  #messagesOf(due: number, now: number): Message[] {
    const messages: Message[] = [];
    if (this.type.watermarks.length > 0 && due <= this.type.least) messages.push(this.host.windowEnd(this, due, now));
    for (const [channel, message] of this.alignment.take(due)) {
      messages.push(message);
      this.host.held(this, message, -1, now);
      this.host.headed(this, channel, -1);
    }
    return messages;
  }

  /** The number of the next barrier, if all that it waits for is there. */
  #due(): number | undefined {
    const { type, alignment } = this;
    const window = type.watermarks.length > 0 ? this.#windowDue() : Number.POSITIVE_INFINITY;
    if (window === undefined) return undefined;
    const due = Math.min(window, alignment.least);
    if (due === Number.POSITIVE_INFINITY) return undefined;
    if (type.upstreams.length > 0 && alignment.missing(type.upstreams, this.seen, this.host.channelsOf).length > 0)
      return undefined;
    return due;
  }

  /** The next window's end that all partitions have passed. Windows in which nothing was done are passed over together. */
  #windowDue(): number | undefined {
    const { least } = this.type;
    if (least <= this.done) return undefined;
    if (this.#applied && this.#live && this.done >= 0) return this.done + 1;
    let due = least;
    for (const { mark } of this.#held) if (mark && mark.after > this.done) due = Math.min(due, mark.after);
    return due;
  }

  /** It remembers something, or something is on its way. */
  get #live(): boolean {
    return !this.lessor.memory.empty || this.leases.length > 0 || this.lessor.phase.kind !== "idle";
  }

  /** All leases end, and no sub-key has a lane any more: a section without critical messages. */
  consolidate(reason: SectionReason, now: number): void {
    if (this.phase.kind === "runnable" && (this.leases.length > 0 || this.pins.size > 0)) this.#begin(reason, -1, [], now, now);
  }

  #begin(reason: SectionReason, barrier: number, messages: readonly Message[], sinceMs: number, now: number): void {
    const section = {
      reason,
      barrier,
      messages,
      sinceMs,
      drainMs: now,
      leases: 0,
      partBytes: 0,
      consolidateMs: now,
      criticalMs: now,
    };
    if (reason !== "idle") {
      if (this.sectionMs > 0) this.type.observePeriod(now - this.sectionMs);
      this.sectionMs = now;
    }
    this.phase = { kind: "draining", section };
    this.host.sectionMoved(this, "block", section, now);
    this.#drained(section, now);
  }

  #drained(section: Section, now: number): void {
    for (const lane of this.lanes) if (lane.phase.kind !== "idle") return;
    section.consolidateMs = now;
    const consolidation = this.host.consolidate(this, section, now);
    this.phase = { kind: "consolidating", section, consolidation };
    this.#merged(consolidation, section, now);
  }

  #merged(consolidation: Consolidation, section: Section, now: number): void {
    if (!consolidation.finished) return;
    section.leases = this.leases.length;
    for (const lease of this.leases) this.host.leaseEnded(this, lease, section.reason, now);
    this.leases = [];
    section.criticalMs = now;
    this.phase = { kind: "critical", section };
    if (section.messages.length === 0) return this.#release(section, now);
    this.host.sectionMoved(this, "critical", section, now);
    for (const message of section.messages) this.host.join(this.lessor, message, now);
  }

  #release(section: Section, now: number): void {
    this.epoch++;
    if (section.barrier > this.done) this.done = section.barrier;
    this.phase = RUNNABLE;
    if (section.barrier >= 0) this.#applied = false; // A section that ends no window leaves it open.
    this.pins.clear();
    this.baseKeys = undefined;
    this.nextLane = 1;
    this.host.remember(this);
    this.host.sectionMoved(this, "release", section, now);
    this.#enterHeld(now);
    this.next(now);
  }

  /** A2. What meets a new section on the way is held again, in order. */
  #enterHeld(now: number): void {
    const held = this.#held;
    this.#held = [];
    this.#early.clear();
    this.#entering = true;
    for (const message of held) {
      this.host.held(this, message, -1, now);
      this.received(message, now);
    }
    this.#entering = false;
  }

  // ── lanes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  batchFinished(lane: Mailbox, messages: number): void {
    for (const lease of this.leases) if (lease.mailbox === lane) lease.applied += messages;
  }

  /** A lane has nothing more to do. */
  idle(lane: Mailbox, now: number): void {
    const { phase } = this;
    switch (phase.kind) {
      case "runnable":
        for (const lease of this.leases) if (lease.mailbox === lane) lease.idleSinceMs = now;
        return this.host.rests(this, now);
      case "draining":
        return this.#drained(phase.section, now);
      case "consolidating":
        phase.consolidation.merged(lane, now);
        return this.#merged(phase.consolidation, phase.section, now);
      case "critical":
        invariant(lane === this.lessor, "A3: while critical only the lessor runs");
        this.#release(phase.section, now);
        return this.host.rests(this, now);
      default:
        return unreachable(phase);
    }
  }

  /** Another try of a merge that failed in the router. */
  mergeAgain(now: number): void {
    if (this.phase.kind !== "consolidating") return;
    this.phase.consolidation.again(now);
    this.#merged(this.phase.consolidation, this.phase.section, now);
  }

  /** What it knows of channels and barriers may be asked for soon: a copy of the last barrier that comes late must not wait for the others again. Windows are known from its type. */
  get lingers(): boolean {
    return this.seen.size > 0 || (this.done >= 0 && this.type.watermarks.length === 0);
  }

  /** Nothing of it is worth keeping in memory. */
  get forgettable(): boolean {
    return (
      this.phase.kind === "runnable" &&
      this.leases.length === 0 &&
      this.#held.length === 0 &&
      !this.alignment.waiting &&
      this.lessor.phase.kind === "idle" &&
      (this.lessor.memory.empty || !this.type.remembers)
    );
  }
}
