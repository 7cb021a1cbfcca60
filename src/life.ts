/**
 * One life of the router's memory: from the restore of its shards to the loss or release of them. Mailboxes, state, the open unit and what is in
 * flight live and die together here; what must outlast them is in the log.
 *
 * L1  A unit closes only between events, when no other commits: it holds whole invocations (U1).
 * L2  Ingress and dispatch happen only while running; a retiring life finishes what is in flight.
 * L3  Ids of inputs, invocations and units come from counters that all lives share: an answer to a former life finds nothing.
 */

import { Completion } from "./completion";
import type { EngineOptions, ModuleSpecification } from "./config/specification";
import { Delivery } from "./delivery";
import type { Effects } from "./effect";
import { Outbox } from "./egress/outbox";
import { Pace } from "./egress/pace";
import { Topics } from "./egress/topics";
import type { AssignedInput, Event } from "./event";
import { argumentTypename, argumentValue, jsonTextAt } from "./functions/argument";
import { DelayedMessages } from "./functions/delayed";
import { type Invocation, Invoker, invocationText } from "./functions/invoker";
import type { Delayed } from "./functions/pending";
import { detachTypedValue, type Reply } from "./functions/wire";
import { Admission } from "./ingress/admission";
import { barrierNumberIn } from "./ingress/barrier-number";
import { type Input, Intake } from "./ingress/intake";
import type { Watermark } from "./ingress/watermarks";
import { Windows } from "./ingress/windows";
import { Counter } from "./model/counter";
import { unreachable } from "./model/errors";
import { Blame, type Message } from "./model/message";
import type { Random } from "./model/random";
import { Timers } from "./model/timers";
import { MeasureBook } from "./observe/measure";
import { Applications, type PolicyModules } from "./router/applications";
import type { Mailbox } from "./router/mailbox";
import { type Endpoint, Router, type Worker } from "./router/router";
import { DualMode, strandedText } from "./scaling/dual-mode";
import type { Readings } from "./scaling/readings";
import { Restored } from "./state/restored";
import { type Memory, StateStore } from "./state/store";

/** What outlasts a life. */
export class Heritage {
  readonly book = new MeasureBook();
  readonly inputs = new Counter(0);
  readonly invocations = new Counter();
  readonly units = new Counter();
  constructor(
    readonly options: EngineOptions,
    readonly module: ModuleSpecification,
    /** Name of the cluster of the internal topics. */
    readonly cluster: string,
    readonly random: Random,
    readonly policies: PolicyModules,
  ) {}
}

/** What a timer is about; whoever takes it looks whether it still means something. */
type Wake =
  | { readonly kind: "rested"; readonly mailbox: Mailbox }
  | { readonly kind: "delayed"; readonly delayed: Delayed }
  | { readonly kind: "expiry"; readonly memory: Memory }
  | { readonly kind: "unit" }
  /** Only what is known of it changes: slots are taken after every event. */
  | { readonly kind: "worker"; readonly worker: Worker }
  | { readonly kind: "locate"; readonly input: Input }
  | { readonly kind: "window"; readonly watermark: Watermark };

/** What the scaling room reads out of arguments. */
const READINGS: Readings = {
  typename: argumentTypename,
  barrier: (where, argument) => (where.kind === "counter" ? -1 : (barrierNumberIn(argumentValue(argument), where) ?? -1)),
  subKey: jsonTextAt,
};

export type LifePhase = "restoring" | "running" | "retiring";

/** Offsets for lag tools are noted this often at most. */
const NOTE_PROGRESS_MS = 2_000;
const LOCATE_AGAIN_MS = 250;

export class Life {
  phase: LifePhase = "restoring";
  readonly intake: Intake;
  readonly router: Router;
  readonly outbox: Outbox;
  readonly restored: Restored;
  readonly store = new StateStore();
  readonly delayed = new DelayedMessages();
  readonly #admission: Admission;
  readonly #invoker: Invoker;
  readonly #topics = new Topics();
  readonly #delivery: Delivery;
  readonly #completion: Completion;
  readonly #windows: Windows;
  /** Actors in dual mode; undefined where the configuration has none. */
  readonly dual: DualMode | undefined;
  readonly #timers = new Timers<Wake>();
  readonly #book: MeasureBook;
  /** Good replies that wait for a topic to be described; they keep their slots. */
  #parked: { invocation: Invocation; reply: Reply }[] = [];
  readonly #pace: Pace;
  #notedMs = 0;

  constructor(private readonly heritage: Heritage) {
    const { options, module, random, book } = heritage;
    this.#book = book;
    this.#pace = new Pace(options.unitLingerMs);
    book.clearGauges();
    const applications = new Applications(module, options, random, book, heritage.policies);
    this.intake = new Intake(module, options, applications, book, heritage.inputs);
    this.router = new Router(module, options.shards, this.store, applications, book);
    this.router.wakeAt = (atMs, worker) => this.#timers.add(atMs, { kind: "worker", worker });
    this.#admission = new Admission(options, this.intake, this.router);
    this.#invoker = new Invoker(options, random, this.store, heritage.invocations);
    const nameOf = (application: number) => applications.at(application).name;
    this.outbox = new Outbox(options, heritage.cluster, this.router.dropIfForgotten, heritage.units, nameOf);
    this.restored = new Restored(this.store, this.router.homeOf);
    const wake = (delayed: Delayed) => this.#timers.add(delayed.dueMs, { kind: "delayed", delayed });
    this.#delivery = new Delivery(module, this.router, this.outbox, this.#topics, this.delayed, wake);
    this.#completion = new Completion(this.intake, this.outbox, this.#delivery);
    this.dual = this.#dualMode();
    this.#windows = new Windows(this.intake, {
      noted: (input) => this.outbox.noted(input),
      passed: (ingress, least, atMs) => this.dual?.passed(ingress, least, atMs),
      wakeAt: (atMs, watermark) => this.#timers.add(atMs, { kind: "window", watermark }),
    });
  }

  #dualMode(): DualMode | undefined {
    const { module, random, book, options } = this.heritage;
    if (!module.functions.some(({ mode }) => mode === "dual")) return undefined;
    const { router, store, outbox, intake } = this;
    const pauseMs = (attempt: number) => this.#invoker.pauseMs(attempt, undefined);
    return new DualMode({ options, module, router, store, outbox, intake, book, random, readings: READINGS, pauseMs });
  }

  get nextWakeMs(): number {
    return this.dual ? Math.min(this.#timers.nextMs, this.dual.nextWakeMs) : this.#timers.nextMs;
  }

  /** Invocations whose effects have not joined a unit. */
  get inFlight(): number {
    return this.#invoker.inFlight + this.#parked.length;
  }

  /** Everything is restored: what waited goes on, and inputs are opened. */
  run(inputs: readonly AssignedInput[], now: number, effects: Effects): string | undefined {
    this.phase = "running";
    const objection = this.dual?.restore(this.restored, now) ?? this.#strandedParts();
    if (objection) return objection;
    this.#delivery.continueFrom(this.restored.highestSequence + 1);
    this.openInputs(inputs, effects); // First: a critical message that waited must not take the channels for none.
    for (const { message, application, dueMs, token } of this.restored.pendingInOrder()) {
      message.application = this.router.applications.named(application).index;
      if (dueMs === 0) {
        this.#account(message, now);
        this.#enqueueSent(message, now, effects);
        continue;
      }
      const delayed: Delayed = { message, dueMs, token, cancelled: false, fired: false };
      this.delayed.add(delayed);
      this.#timers.add(dueMs, { kind: "delayed", delayed });
    }
    for (const type of this.store.types) {
      if (type.expires) for (const memory of type.memories.values()) this.#awaitExpiry(memory);
    }
    effects.push({ kind: "report", level: "info", text: `running: ${this.restored.summary()}` });
    this.restored.releaseMessages();
    this.#windows.begin(now);
    return undefined;
  }

  /** Nothing is in dual mode, and something was. */
  #strandedParts(): string | undefined {
    if (this.dual) return undefined;
    for (const { typename, id } of this.restored.parts()) return strandedText(typename, id);
    return undefined;
  }

  openInputs(inputs: readonly AssignedInput[], effects: Effects): void {
    for (const assigned of inputs) {
      const source = this.intake.sources[assigned.source];
      if (!source) continue;
      const { cluster, topic } = source.specification;
      this.intake.open(assigned, this.restored.progressOf(cluster.name, topic, assigned.partition), effects);
    }
  }

  /** Takes in and dispatches nothing more. */
  retire(effects: Effects): void {
    this.phase = "retiring";
    this.intake.pauseAll("retiring", effects);
  }

  end(effects: Effects): void {
    this.intake.dropAll(effects);
  }

  /** After every event: free slots are taken, bounds hold, what there is to commit is on its way. */
  settle(now: number, effects: Effects): void {
    if (this.phase === "restoring") return;
    if (this.phase === "running") for (const endpoint of this.router.endpoints) this.#fill(endpoint, now, effects);
    if (this.outbox.dirty && !this.outbox.committing) this.#awaitUnit(now, effects);
    this.#admission.bound(this.#unitBlocked, effects);
    this.dual?.settle(effects);
  }

  /** Backpressure of the unit: what comes next waits until it has left. */
  get #unitBlocked(): boolean {
    return this.outbox.full && this.outbox.committing !== undefined;
  }

  // ── ingress ────────────────────────────────────────────────────────────────────────────────────────────────────────

  received(now: number, event: Extract<Event, { kind: "records_received" }>, effects: Effects): void {
    const input = this.intake.inputs.get(event.input);
    if (!input?.progress || this.phase !== "running") {
      this.#book.staleEvents++;
      return;
    }
    this.#admission.admit(input, event.records, now, effects);
    input.progress.skipTo(event.nextOffset);
    this.outbox.progressed(input);
    this.#windows.read(input, event.records.length, now);
    this.intake.bound(input, effects);
  }

  exhausted(now: number, { input: index, offset, askedMs }: Extract<Event, { kind: "input_exhausted" }>): void {
    const input = this.intake.inputs.get(index);
    if (!input || this.phase !== "running") this.#book.staleEvents++;
    else this.#windows.exhausted(input, offset, askedMs, now);
  }

  located(index: number, offset: number, effects: Effects): void {
    const input = this.intake.inputs.get(index);
    if (!input || input.progress || this.phase !== "running") {
      this.#book.staleEvents++;
      return;
    }
    this.intake.start(input, { low: offset, ranges: [] }, effects);
    this.outbox.progressed(input); // "latest" is an instant: where we began must survive us.
  }

  displaced(index: number, offset: number, effects: Effects): void {
    const input = this.intake.inputs.get(index);
    if (!input) {
      this.#book.staleEvents++;
      return;
    }
    input.displacedTo = offset;
    if (this.intake.replace(input, effects)) this.outbox.progressed(input);
  }

  unlocated(now: number, index: number, reason: string, effects: Effects): void {
    const input = this.intake.inputs.get(index);
    if (!input) {
      this.#book.staleEvents++;
      return;
    }
    const { topic, ingress } = input.source.specification;
    const text = `ingress ${ingress}: no start position for ${topic}/${input.partition}: ${reason}; next try in ${LOCATE_AGAIN_MS} ms`;
    effects.push({ kind: "report", level: "warn", text });
    this.#timers.add(now + LOCATE_AGAIN_MS, { kind: "locate", input });
  }

  // ── functions ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #fill(endpoint: Endpoint, now: number, effects: Effects): void {
    if (this.#unitBlocked) return;
    for (let at = 0; at < endpoint.queues.length; at++) {
      for (let worker = endpoint.freeWorker(at); worker; worker = endpoint.freeWorker(at)) {
        const mailbox = this.router.pick(worker, now);
        if (!mailbox) break;
        worker.began(now);
        const batch = this.router.take(mailbox, worker, now);
        this.#invoker.begin(mailbox, worker, batch, now, effects);
      }
    }
  }

  replied(now: number, event: Extract<Event, { kind: "invocation_replied" }>, effects: Effects): void {
    const invocation = this.#invoker.end(event.invocation);
    if (!invocation) {
      this.#book.staleEvents++;
      return;
    }
    const verdict = this.#invoker.judge(invocation, event);
    invocation.worker.replied(invocation, event, verdict.kind, now, effects);
    switch (verdict.kind) {
      case "failed":
        return this.#failed(now, invocation, verdict.reason, verdict.retryAfterMs, effects);
      case "again":
        for (const declaration of verdict.declared) this.outbox.declared(invocation.mailbox.type.typename, declaration);
        invocation.mailbox.type.measures.incomplete++;
        return this.#invoker.again(invocation, now, effects);
      case "reply":
        return this.#deliver(now, invocation, verdict.reply, effects);
      default:
        unreachable(verdict);
    }
  }

  unanswered(now: number, event: Extract<Event, { kind: "invocation_failed" }>, effects: Effects): void {
    const invocation = this.#invoker.end(event.invocation);
    if (!invocation) {
      this.#book.staleEvents++;
      return;
    }
    invocation.worker.unanswered(invocation, event, now, effects);
    this.#failed(now, invocation, event.reason, undefined, effects);
  }

  #deliver(now: number, invocation: Invocation, reply: Reply, effects: Effects): void {
    const checked = this.#delivery.check(invocation, reply, now, effects);
    if (checked === undefined) {
      this.#parked.push({ invocation, reply });
      return;
    }
    if ("objection" in checked) return this.#failed(now, invocation, checked.objection, undefined, effects);
    const serviceMs = now - invocation.dispatchedMs;
    this.router.served(invocation.batch, serviceMs, now);
    this.#delivery.apply(invocation, checked, this.store, now);
    if (invocation.mailbox.memory.lane === 0) this.#awaitExpiry(invocation.mailbox.memory); // A part's values expire when it is merged.
    const last = reply.sends.length === 0 && reply.delayed.length === 0;
    if (last) for (const message of invocation.batch) if (message.blame) this.outbox.output(message, now);
    this.#completion.finish(invocation.batch, effects);
    invocation.worker.inFlight--;
    this.router.finished(invocation.mailbox, invocation.batch, serviceMs, now);
    this.dual?.relieve(invocation.worker.queue, now);
  }

  #failed(now: number, invocation: Invocation, reason: string, retryAfterMs: number | undefined, effects: Effects): void {
    const { mailbox } = invocation;
    const pauseMs = this.#invoker.pauseMs(invocation.attempt, retryAfterMs);
    invocation.worker.inFlight--;
    this.router.failed(mailbox, invocation.batch, now - invocation.dispatchedMs, now + pauseMs, now);
    // It may rest for long, and more joins it: it must not hold the fetched buffers its messages came in.
    for (const message of mailbox.messages()) message.argument = detachTypedValue(message.argument);
    this.#timers.add(now + pauseMs, { kind: "rested", mailbox });
    const text = `${invocationText(invocation)}: ${reason}; attempt ${invocation.attempt}, next in ${Math.round(pauseMs)} ms`;
    effects.push({
      kind: "report",
      level: "warn",
      text,
      fields: { function: mailbox.type.typename, attempt: invocation.attempt },
    });
  }

  // ── egress ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  topicKnown(now: number, event: Extract<Event, { kind: "topic_described" | "topic_absent" }>, effects: Effects): void {
    if (event.kind === "topic_described") this.#topics.described(event.cluster, event.topic, event, now);
    else this.#topics.absent(event.cluster, event.topic, event.reason);
    const parked = this.#parked;
    this.#parked = [];
    for (const { invocation, reply } of parked) this.#deliver(now, invocation, reply, effects);
  }

  #awaitUnit(now: number, effects: Effects): void {
    if (this.outbox.full) return this.closeUnit(now, effects);
    // Even without a pause the unit waits for the timer: what else has already happened joins it.
    if (this.#pace.decide(now, this.outbox.dueMs)) this.#timers.add(this.#pace.closesAtMs, { kind: "unit" });
  }

  /** L1. */
  closeUnit(now: number, effects: Effects): void {
    if (!this.outbox.dirty || this.outbox.committing || this.phase === "restoring") return;
    const unit = this.outbox.close(now);
    this.#pace.closed();
    effects.push({ kind: "commit_unit", unit: unit.id, outside: unit.outside, inside: unit.inside });
  }

  /** False for the answer to a unit of another life. */
  committed(now: number, id: number, effects: Effects): boolean {
    const unit = this.outbox.committing;
    if (unit?.id !== id) return false;
    this.outbox.committing = undefined;
    const { units } = this.#book;
    units.committed++;
    units.records += unit.records;
    units.bytes += unit.bytes;
    units.size.observe(unit.records);
    units.commitMs.observe(now - unit.closedMs);
    units.lastCommitMs = now;
    for (const { input, arrivedMs, records } of unit.finished) {
      input.source.measures.endToEndMs.observeMany(now - arrivedMs, records);
    }
    for (const message of unit.outputs) this.router.judge(message, now);
    for (const { input, low } of unit.lows) input.committedLow = low;
    if (now - this.#notedMs >= NOTE_PROGRESS_MS) this.noteProgress(now, effects);
    if (this.#pace.committed(unit, now) || this.phase === "retiring") this.closeUnit(now, effects);
    return true;
  }

  noteProgress(now: number, effects: Effects): void {
    this.#notedMs = now;
    const progress: { input: number; offset: number }[] = [];
    for (const input of this.intake.inputs.values()) {
      if (input.committedLow >= 0) progress.push({ input: input.index, offset: input.committedLow });
    }
    if (progress.length > 0) effects.push({ kind: "note_progress", progress });
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  wakeUp(now: number, effects: Effects): void {
    this.dual?.wakeUp(now);
    for (let wake = this.#timers.take(now); wake; wake = this.#timers.take(now)) this.#wake(now, wake, effects);
  }

  #wake(now: number, wake: Wake, effects: Effects): void {
    switch (wake.kind) {
      case "unit":
        if (now >= this.#pace.closesAtMs) this.closeUnit(now, effects); // Another one has been closed meanwhile.
        return;
      case "rested":
        return this.router.rested(wake.mailbox, now);
      case "worker":
        return wake.worker.woken(now);
      case "delayed":
        return this.#fire(now, wake.delayed, effects);
      case "expiry":
        return this.#expire(now, wake.memory);
      case "locate":
        if (this.intake.inputs.has(wake.input.index)) this.intake.locate(wake.input, effects);
        return;
      case "window":
        if (this.phase === "running") this.#windows.over(wake.watermark, now);
        return;
      default:
        unreachable(wake);
    }
  }

  #fire(now: number, delayed: Delayed, effects: Effects): void {
    if (delayed.cancelled || delayed.fired) return;
    if (this.phase !== "running") return; // It stays in the log and fires in the next life.
    this.delayed.fire(delayed);
    this.#account(delayed.message, now);
    this.#enqueueSent(delayed.message, now, effects);
  }

  /** Begins the account of a message that comes out of the log; what it waited through a restart counts as retry. */
  #account(message: Message, now: number): void {
    if (!this.router.applications.at(message.application).measures) return;
    message.blame = new Blame();
    message.blame.retryMs = Math.max(0, now - message.ingressMs);
  }

  #enqueueSent(message: Message, now: number, effects: Effects): void {
    const { target } = message;
    const type = this.router.type(`${target.namespace}/${target.type}`);
    if (type) return this.router.enqueue(this.router.mailbox(type, target.id), message, now);
    const text = `a message waits for ${target.namespace}/${target.type}/${target.id}, which no endpoint serves any more; it is kept until one does`;
    effects.push({ kind: "report", level: "warn", text });
  }

  #awaitExpiry(memory: Memory): void {
    if (memory.expiryAwaited) return;
    const atMs = this.store.nextExpiryMs(memory);
    if (atMs === Number.POSITIVE_INFINITY) return;
    memory.expiryAwaited = true;
    this.#timers.add(atMs, { kind: "expiry", memory });
  }

  /** Expired values go from memory and log; a value renewed since is awaited anew. */
  #expire(now: number, memory: Memory): void {
    memory.expiryAwaited = false;
    // An address that was forgotten since and has come back has another memory: what is in the log belongs to that.
    if (this.phase !== "running" || memory.type.memories.get(memory.address.id) !== memory) return;
    const fresh = memory.changed.length === 0 && !memory.touched;
    this.store.sweep(memory, now);
    if (memory.empty && memory.type.renewedByInvocation) memory.touched = true; // So that its invocation time is tombstoned.
    if (fresh && (memory.changed.length > 0 || memory.touched)) this.outbox.changed(memory, 0);
    this.#awaitExpiry(memory);
  }
}
