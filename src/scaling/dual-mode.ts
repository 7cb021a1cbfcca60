/**
 * The scaling room's face for actors in dual mode: lessors, lessees, barriers (PROTOCOL.md). One object per life.
 *
 * Owns: the actors of dual-mode types and their leases, what they remember of barriers, what is held back. Leaves to others: lanes' messages
 * (router), values (state), what is durable (outbox), how far partitions have passed windows (ingress).
 *
 * D1  Before an actor whose parts were found in the log runs anything, they are merged: recovery is consolidation.
 * D2  Every step of the protocol is a record of `<group>.control` in the unit that makes it true.
 */
import type { EngineOptions, ModuleSpecification } from "../config/specification";
import type { Effects } from "../effect";
import type { Outbox } from "../egress/outbox";
import type { Input, Intake } from "../ingress/intake";
import { addressText } from "../model/address";
import { invariant } from "../model/errors";
import type { Message } from "../model/message";
import type { Random } from "../model/random";
import { Timers } from "../model/timers";
import type { SectionStep } from "../observe/dual-measures";
import type { MeasureBook } from "../observe/measure";
import type { BarrierMoment, FunctionType, LaneOwner, Mailbox, Router, Shares, Worker } from "../router/router";
import { actorKey } from "../state/changelog";
import { Memory, memoryBytes, type StateStore } from "../state/store";
import { type ActorRecord, decodeActorRecord, encodeActorRecord } from "./actor-record";
import { ActorReports } from "./actor-reports";
import type { Channel } from "./alignment";
import { Consolidation } from "./consolidation";
import { type ControlMessage, encodeControl, type PartState } from "./control";
import { type ActorHost, DualActor } from "./dual-actor";
import { DualType } from "./dual-type";
import { Heads } from "./heads";
import { Lanes } from "./lanes";
import { Lease } from "./lease";
import { windowEndMessage } from "./made-message";
import { Merging } from "./merging";
import type { Readings } from "./readings";
import { type Section, type SectionReason, stepsOf, unsyncTimes } from "./section";

/** A barrier that is waited for this long is told of, once. */
const ALARM_MS = 10_000;
/** An actor that remembers nothing but its channels and its last barrier is forgotten when it has been idle for this long. */
const FORGET_MS = 3_600_000;

/** What a timer is about; whoever takes it looks whether it still means something. */
type Wake =
  | { readonly kind: "idle"; readonly actor: DualActor }
  | { readonly kind: "merge"; readonly actor: DualActor }
  | { readonly kind: "alarm"; readonly actor: DualActor; readonly sinceMs: number }
  | { readonly kind: "forget"; readonly actor: DualActor };

/** What was found of dual-mode actors in the log (state/restored.ts); parts by lane, in rising order. */
export interface RestoredActors {
  readonly actors: Iterable<{ readonly typename: string; readonly id: string; readonly value: Uint8Array }>;
  parts(): Iterable<{ readonly typename: string; readonly id: string; readonly parts: ReadonlyMap<number, Memory> }>;
}

/** What the scaling room needs of the others. */
export interface DualModeParts {
  readonly options: EngineOptions;
  readonly module: ModuleSpecification;
  readonly router: Router;
  readonly store: StateStore;
  readonly outbox: Outbox;
  readonly intake: Intake;
  readonly book: MeasureBook;
  readonly random: Random;
  /** What stands in arguments. */
  readonly readings: Readings;
  /** Pause before the n-th next try, ms. */
  readonly pauseMs: (attempt: number) => number;
}

export class DualMode implements ActorHost {
  readonly #types = new Map<FunctionType, DualType>();
  readonly #timers = new Timers<Wake>();
  readonly #lanes: Lanes;
  readonly #merging: Merging;
  readonly #records = new Map<string, ActorRecord>();
  readonly #channels = new Map<number, Channel>();
  readonly #heads = new Heads();
  readonly #reports = new ActorReports();
  heldBytes = 0;

  constructor(private readonly parts: DualModeParts) {
    const { router, module, random } = parts;
    this.#lanes = new Lanes(router, { open: this.#open, forwarded: this.#forwarded, subKey: parts.readings.subKey }, random);
    this.#merging = new Merging(parts.store, parts.outbox, parts.options.defaultSloMs, {
      join: (lane, message, now) => this.join(lane, message, now),
      failed: this.#mergeFailed,
    });
    router.ownerOf = (lessor) => this.#actor(lessor);
    for (const { watermark } of module.sources) {
      for (const name of watermark?.functions ?? []) {
        const type = router.type(name);
        if (type?.dual) this.#type(type);
      }
    }
  }

  get types(): IterableIterator<DualType> {
    return this.#types.values();
  }

  get nextWakeMs(): number {
    return this.#timers.nextMs;
  }

  // ── actors ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #type(type: FunctionType): DualType {
    let dual = this.#types.get(type);
    if (!dual) {
      invariant(type.dual, "a dual-mode type has a specification");
      const watermarks = new Map(
        this.parts.module.sources.flatMap(({ ingress, watermark }) =>
          watermark?.functions.includes(type.typename) ? [[ingress, { ingress, specification: watermark }]] : [],
        ),
      );
      dual = new DualType(type, type.dual, [...watermarks.values()], this.parts.book.dual(type.typename));
      this.#types.set(type, dual);
    }
    return dual;
  }

  #actor(lessor: Mailbox): LaneOwner {
    const type = this.#type(lessor.type);
    const actor = new DualActor(type, lessor, this);
    type.actors.set(lessor.address.id, actor);
    actor.epoch = type.firstEpoch;
    const record = this.#records.get(recordName(lessor));
    if (record) {
      this.#records.delete(recordName(lessor));
      actor.recall(record);
      if (record.policy) this.#importPolicy(actor, record.policy);
    } else if (type.watermarks.length > 0) {
      actor.done = type.least;
      this.remember(actor);
    }
    return actor;
  }

  /** Nothing of it is worth keeping in memory, or soon will not be. */
  rests(actor: DualActor, now: number): void {
    if (actor.forgotten) return; // Its address may have another actor by now.
    const { leaseIdleMs } = this.parts.options;
    if (actor.leases.length > 0 && !actor.idleAwaited) {
      actor.idleAwaited = true;
      this.#timers.add(now + leaseIdleMs, { kind: "idle", actor });
    }
    if (!actor.forgettable) return;
    if (!actor.lingers) return this.#forget(actor);
    actor.restedMs = now;
    if (actor.forgetAwaited) return;
    actor.forgetAwaited = true;
    this.#timers.add(now + FORGET_MS, { kind: "forget", actor });
  }

  #forget(actor: DualActor): void {
    actor.forgotten = true;
    if (actor.recorded) this.remember(actor);
    actor.type.forget(actor);
    this.parts.router.drop(actor.lessor);
  }

  // ── arrivals ───────────────────────────────────────────────────────────────────────────────────────────────────────

  admit(actor: DualActor, message: Message, now: number): void {
    this.#lanes.admit(actor, message, now);
  }

  join(lane: Mailbox, message: Message, now: number): void {
    this.parts.router.admit(lane.type, message, now);
    this.parts.router.join(lane, message, now);
  }

  channelOf(message: Message): Channel {
    const { entry, mark, caller } = message;
    if (entry) return this.#inputChannel(entry.input);
    if (mark?.channel) return mark.channel;
    return caller ? addressText(caller) : "";
  }

  #inputChannel(index: number): Channel {
    let channel = this.#channels.get(index);
    if (channel === undefined) {
      const input = this.parts.intake.inputs.get(index);
      if (!input) return "";
      const { ingress, topic } = input.source.specification;
      channel = `${ingress}\0${topic}\0${input.partition}`;
      this.#channels.set(index, channel);
    }
    return channel;
  }

  readonly channelsOf = (ingress: string): readonly Channel[] => {
    const channels: Channel[] = [];
    for (const input of this.parts.intake.inputs.values()) {
      if (input.source.specification.ingress === ingress) channels.push(this.#inputChannel(input.index));
    }
    return channels;
  };

  barrierOf(type: DualType, message: Message): number {
    if (!type.numbered) return -1;
    const { mark, argument } = message;
    if (mark && mark.barrier >= 0) return mark.series === "" || mark.series === type.series ? mark.barrier : -1;
    const { barrier } = type.specification;
    return barrier ? this.parts.readings.barrier(barrier, argument) : -1;
  }

  isCritical(type: DualType, message: Message): boolean {
    return type.criticalTypenames.size > 0 && type.criticalTypenames.has(this.parts.readings.typename(message.argument));
  }

  held({ type: { measures } }: DualActor, message: Message, change: 1 | -1, now: number): void {
    const { intake } = this.parts;
    const bytes = change * message.bytes;
    this.heldBytes += bytes;
    measures.held += change;
    measures.heldBytes += bytes;
    intake.heldChanged(message, change);
    if (change > 0) {
      message.heldMs = now;
      return;
    }
    if (message.blame) message.blame.barrierMs += now - message.heldMs;
    message.heldMs = 0;
    message.admittedMs = now; // What it waited behind the barrier is not its key's fault.
  }

  headed(actor: DualActor, channel: Channel, change: 1 | -1): void {
    this.#heads.changed(actor, channel, change);
  }

  awaits(actor: DualActor, now: number): void {
    this.#heads.waits(actor);
    const sinceMs = actor.waitsSinceMs;
    if (actor.alarmed || actor.toldSinceMs === sinceMs) return;
    actor.alarmed = true;
    this.#timers.add(now + ALARM_MS, { kind: "alarm", actor, sinceMs });
  }

  /** This input has shown a barrier that others have not, and nobody waits for more of it: it may be paused without holding anything up. */
  readonly #synced = (input: Input): boolean => {
    const channel = this.#inputChannel(input.index);
    const { watermark } = input.source;
    return !this.#heads.awaited(channel) && (watermark ? watermark.ahead(input) : this.#heads.brought(channel));
  };

  late(actor: DualActor, barrier: number): void {
    actor.type.measures.lateBarriers++;
    this.#reports.lateBarrier(actor, barrier);
  }

  // ── watermarks ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Every partition of this ingress has passed the barrier of this number. */
  passed(ingress: string, barrier: number, now: number): void {
    for (const type of this.#types.values()) {
      if (!type.watermarks.some((each) => each.ingress === ingress) || !type.passed(ingress, barrier)) continue;
      for (const memory of type.type.states.memories.values()) {
        if (!memory.empty && !type.actors.has(memory.address.id)) this.parts.router.mailbox(type.type, memory.address.id);
      }
      for (const actor of [...type.actors.values()]) {
        actor.next(now);
        this.rests(actor, now);
      }
    }
  }

  windowEnd({ type, lessor }: DualActor, barrier: number, now: number): Message {
    const [watermark] = type.watermarks;
    invariant(watermark, "only a watermark ends windows by itself");
    return windowEndMessage(
      lessor,
      type.series,
      watermark,
      barrier,
      this.parts.router.applications.ofIngress(watermark.ingress),
      now,
    );
  }

  // ── leases ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #open = (actor: DualActor, worker: Worker | undefined, now: number): Lease => {
    const { lessor, type } = actor;
    const lane = actor.nextLane++;
    const lease = this.#lease(actor, lane, worker, now);
    type.measures.leasesGranted++;
    const reason = `lanes so far: ${actor.leases.length}; a message would have been late there, or waited long`;
    const replica = worker?.index ?? 0;
    this.#control(actor, { kind: "lease_granted", actor: lessor.address, epoch: actor.epoch, atMs: now, lane, replica, reason });
    this.#reports.leaseGranted(actor, lease, reason);
    return lease;
  };

  #lease(actor: DualActor, lane: number, worker: Worker | undefined, now: number): Lease {
    const { address, type, shard } = actor.lessor.memory;
    return this.#adopt(actor, worker, new Memory(address, type, shard, lane), now);
  }

  /** A lessee with this part. */
  #adopt(actor: DualActor, worker: Worker | undefined, part: Memory, now: number): Lease {
    const { lessor, type } = actor;
    const lease = new Lease(part.lane, this.parts.router.lane(actor, lessor, part, worker), now);
    actor.leases.push(lease);
    type.measures.lessees++;
    return lease;
  }

  readonly #forwarded = (actor: DualActor): void => {
    actor.type.measures.forwarded++;
  };

  /** A batch of this run queue has ended. */
  relieve(queue: Shares, now: number): void {
    if (queue.load) this.#lanes.relieve(queue, now);
  }

  leaseEnded(actor: DualActor, lease: Lease, reason: SectionReason, now: number): void {
    const { lane } = lease;
    actor.type.measures.lessees--;
    actor.type.measures.leasesEnded[reason]++;
    this.#control(actor, { kind: "lease_ended", actor: actor.lessor.address, epoch: actor.epoch, atMs: now, lane, reason });
    this.#reports.leaseEnded(actor, lease, reason, now);
  }

  // ── sections ───────────────────────────────────────────────────────────────────────────────────────────────────────

  consolidate(actor: DualActor, section: Section, now: number): Consolidation {
    const { lessor, type, epoch, leases } = actor;
    for (const { lane, forwarded, applied, mailbox } of leases) {
      invariant(forwarded === applied, "DUAL-MODE.md 6.8: what was forwarded to a lessee was applied there");
      const told = { actor: lessor.address, epoch, atMs: now, lane };
      this.#control(actor, { kind: "sync_request", ...told, series: type.series, barrier: section.barrier, forwarded });
      this.#control(actor, { kind: "sync_reply", ...told, applied, part: partOf(mailbox.memory) });
    }
    const bytes = leases.reduce((sum, { mailbox }) => sum + memoryBytes(mailbox.memory), 0);
    section.partBytes = leases.length > 0 ? bytes / leases.length : 0;
    return new Consolidation(actor.lanes, this.#merging.of(actor, section), now);
  }

  readonly #mergeFailed = (actor: DualActor, reason: string, attempt: number, now: number): void => {
    actor.type.measures.mergeFailures++;
    const pauseMs = this.parts.pauseMs(attempt);
    this.#timers.add(now + pauseMs, { kind: "merge", actor });
    this.#reports.mergeFailed(actor, reason, attempt, pauseMs);
  };

  sectionMoved(actor: DualActor, moment: BarrierMoment, section: Section, now: number): void {
    const { type, lessor } = actor;
    this.#tellPolicy(actor, moment, section, now);
    if (moment !== "release") return;
    const { messages, barrier } = section;
    const steps = stepsOf(section, now);
    if (messages.length > 0) {
      type.measures.sections++;
      type.measures.criticalMessages += messages.length;
      for (const [step, ms] of Object.entries(steps)) type.measures.stepMs[step as SectionStep].observe(ms);
    }
    if (section.leases === 0) return;
    type.observeMerge(steps.consolidate / Math.ceil(Math.log2(section.leases + 1)), section.partBytes);
    const told = { actor: lessor.address, epoch: actor.epoch, atMs: now, series: type.series, barrier };
    this.#control(actor, { kind: "unsync", ...told, critical: messages.length, ...unsyncTimes(steps) });
  }

  #tellPolicy(actor: DualActor, moment: BarrierMoment, { messages }: Section, now: number): void {
    const { applications } = this.parts.router;
    const { policy } = applications.at(messages[0]?.application ?? 0);
    const { address } = actor.lessor;
    try {
      policy.onBarrier(address, moment, now);
      if (moment !== "release" || !policy.exportState) return;
      const state: unknown = policy.exportState(address);
      actor.policyState = state === undefined ? "" : JSON.stringify({ tag: policy.tag, state });
      if (actor.policyState) this.remember(actor);
    } catch {
      this.parts.book.policyFaults++;
    }
  }

  #importPolicy(actor: DualActor, text: string): void {
    try {
      const { tag, state } = JSON.parse(text) as { tag: string; state: unknown };
      actor.policyState = text;
      for (const { policy } of this.parts.router.applications.all) {
        if (policy.tag === tag) policy.importState?.(actor.lessor.address, state);
      }
    } catch {
      this.parts.book.policyFaults++;
    }
  }

  // ── durable ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #control(actor: DualActor, message: ControlMessage): void {
    const { outbox } = this.parts;
    actor.type.measures.controlMessages++;
    for (const { key, value } of encodeControl(message)) outbox.control(actor.lessor.memory.shard, key, value);
  }

  remember(actor: DualActor): void {
    if (actor.remembered || !(actor.type.remembers || actor.policyState)) return;
    actor.remembered = true;
    actor.recorded = true;
    const { address, memory, type } = actor.lessor;
    this.parts.outbox.remember({
      shard: memory.shard,
      key: actorKey(type.typename, address.id),
      value: () => {
        actor.remembered = false;
        return actor.forgotten ? null : encodeActorRecord(actor.record);
      },
    });
  }

  /** D1. Why what was found in the log cannot be taken up, or undefined. */
  restore(restored: RestoredActors, now: number): string | undefined {
    for (const { typename, id, value } of restored.actors)
      this.#records.set(`${typename}\0${id}`, decodeActorRecord(value, `${typename}/${id}`));
    let found = 0;
    for (const { typename, id, parts } of restored.parts()) {
      const type = this.parts.router.type(typename);
      if (!type?.dual) return strandedText(typename, id);
      const actor = this.parts.router.mailbox(type, id).owner as DualActor;
      for (const part of parts.values()) this.#adopt(actor, actor.lessor.worker, this.parts.store.counted(part, now), now);
      actor.consolidate("recovery", now);
      found++;
    }
    this.#reports.recovered(found);
    return undefined;
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** After every event: what is held stays within its bound, and what there is to tell is told. */
  settle(effects: Effects): void {
    const { intake, options } = this.parts;
    intake.boundHeld(this.heldBytes > options.heldBytesMax, this.#synced, effects);
    this.#reports.tell(effects);
  }

  wakeUp(now: number): void {
    for (let wake = this.#timers.take(now); wake; wake = this.#timers.take(now)) this.#wake(now, wake);
  }

  #wake(now: number, wake: Wake): void {
    const { actor, kind } = wake;
    switch (kind) {
      case "idle":
        return this.#idle(actor, now);
      case "merge":
        return actor.mergeAgain(now);
      case "alarm":
        return this.#alarm(actor, wake.sinceMs);
      case "forget":
        actor.forgetAwaited = false;
        if (actor.forgotten || !actor.forgettable) return;
        if (now - actor.restedMs >= FORGET_MS) return this.#forget(actor);
        return this.rests(actor, actor.restedMs);
    }
  }

  /** One idle lessee ends them all: they come back within milliseconds when they are needed (PROTOCOL.md). */
  #idle(actor: DualActor, now: number): void {
    actor.idleAwaited = false;
    const { leaseIdleMs } = this.parts.options;
    const idle = actor.leases.filter(({ mailbox }) => mailbox.phase.kind === "idle");
    if (idle.some(({ idleSinceMs }) => now - idleSinceMs >= leaseIdleMs)) actor.consolidate("idle", now);
    this.rests(actor, now);
  }

  #alarm(actor: DualActor, sinceMs: number): void {
    actor.alarmed = false;
    const { waitsSinceMs } = actor;
    if (waitsSinceMs === Number.POSITIVE_INFINITY) return;
    if (waitsSinceMs !== sinceMs) return this.awaits(actor, waitsSinceMs);
    actor.toldSinceMs = sinceMs;
    const missing = actor.alignment.missing(actor.type.upstreams, actor.seen, this.channelsOf);
    this.#reports.barrierAwaited(actor, missing, ALARM_MS);
  }
}

/** What was split must be merged as it was declared when it was split. */
export function strandedText(typename: string, id: string): string {
  return `${typename}/${id} has partial states of lessees, and ${typename} is not in dual mode any more: declare it as before until its actors are consolidated`;
}

function recordName({ type, address }: Mailbox): string {
  return `${type.typename}\0${address.id}`;
}

function partOf(memory: Memory): PartState[] {
  return memory.type.slots.flatMap(({ index, name, typename }) => {
    const value = memory.values[index];
    return value ? [{ name, typename, value }] : [];
  });
}
