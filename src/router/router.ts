/**
 * The router room's face: messages wait in mailboxes, and ready mailboxes are given free slots in the policy's order.
 *
 * Owns: mailboxes, run queues, slots. Leaves to others: what an invocation is (functions), what counts as done (egress).
 *
 * R1  Requests in flight per worker (a replica of an endpoint) ≤ its slots.
 * R2  Every ready mailbox stands in a run queue of its endpoint, and nothing ready waits while a slot is free that may run it.
 * R3  A policy that throws is counted and replaced by the default decision; no message is lost by it.
 */

import { functionOf } from "../config/function";
import type { EndpointSpecification, ModuleSpecification } from "../config/specification";
import { splitTypename } from "../model/address";
import type { Message } from "../model/message";
import { partitionOf } from "../model/murmur2";
import { MeasureBook, type MissCause, missCauses } from "../observe/measure";
import type { Memory, StateStore } from "../state/store";
import type { Applications } from "./applications";
import { Endpoint } from "./endpoint";
import { FunctionType } from "./function-type";
import { Load } from "./load";
import { type LaneOwner, Mailbox } from "./mailbox";
import type { ActorView, AdmitDecision, Runnable } from "./policy/policy";
import type { Share, Shares } from "./shares";
import type { WakeAt, Worker } from "./worker";

export type { Application, Applications } from "./applications";
export { Endpoint } from "./endpoint";
export type { FunctionType } from "./function-type";
export type { Load } from "./load";
export type { LaneOwner, Mailbox } from "./mailbox";
export type { ActorView, BarrierMoment, LaneView } from "./policy/policy";
export { openingMs, shortWaitMs } from "./policy/reject";
export type { Shares } from "./shares";
export type { Worker } from "./worker";

/** Where messages are ordered by deadline, those of a batch hold its slot for about this long at most: what is more urgent must not wait for it. */
const RANKED_BATCH_MS = 10;
/** A batch counts for this much at least: a share whose cost is not known yet, or too short to measure, must not look idle. */
const CHARGE_MIN_MS = 0.1;
const QUEUE: AdmitDecision = { do: "queue" };
/** How old a path's cost may be. */
const PATH_FRESH_MS = 100;

export class Router {
  readonly #types = new Map<string, FunctionType | undefined>();
  readonly applications: Applications;
  readonly endpoints: readonly Endpoint[];
  mailboxBytes = 0;
  actors = 0;
  /** Has a worker woken at an instant it waits for. */
  wakeAt: WakeAt | undefined;
  /** Who owns the lanes of a dual-mode actor whose lessor this is (scaling/dual-mode.ts). */
  ownerOf: ((lessor: Mailbox) => LaneOwner) | undefined;
  /** Somebody wants to know what a message costs. */
  readonly #costed: boolean;
  constructor(
    readonly module: ModuleSpecification,
    readonly shards: number,
    private readonly store: StateStore,
    applications: Applications,
    private readonly book = new MeasureBook(),
  ) {
    this.applications = applications;
    const fault = () => {
      this.book.policyFaults++;
    };
    const wakeAt: WakeAt = (atMs, worker) => this.wakeAt?.(atMs, worker);
    this.endpoints = module.endpoints.map((each, index) => new Endpoint(index, each, applications.all, fault, wakeAt));
    const split = module.functions.some(({ mode, maxLessees }) => mode === "dual" && maxLessees > 0);
    if (split) for (const endpoint of this.endpoints) this.#watchLoad(endpoint);
    this.#costed = split || applications.timed;
  }

  #watchLoad(endpoint: Endpoint): void {
    const latestStart = ({ application, deadlineMs, costMs, pathMs }: Message) =>
      deadlineMs - costMs - pathMs - this.applications.at(application).marginMs;
    endpoint.queues.forEach((queue, at) => {
      const slots = () => endpoint.slotsOf(at);
      queue.load = new Load(latestStart, slots, queue.ranked);
    });
  }

  /** The function type of this name, or undefined when no endpoint serves it. */
  type(typename: string): FunctionType | undefined {
    const known = this.#types.get(typename);
    if (known || this.#types.has(typename)) return known;
    const type = this.#resolve(typename);
    // Names come from functions too: a function that invents names must not grow this table without bound.
    if (type || this.#types.size < 10_000) this.#types.set(typename, type);
    return type;
  }

  get functionTypes(): FunctionType[] {
    return [...this.#types.values()].filter((type) => type !== undefined);
  }

  #resolve(typename: string): FunctionType | undefined {
    const parts = splitTypename(typename);
    if (!parts) return undefined;
    const endpoint = endpointOf(this.module.endpoints, parts.namespace, parts.name);
    if (endpoint < 0) return undefined;
    const states = this.store.type(typename);
    const specification = functionOf(this.module.functions, parts.namespace, parts.name);
    const dual = specification?.mode === "dual" ? specification : undefined;
    return new FunctionType(parts.namespace, parts.name, typename, endpoint, states, this.book.function(typename), dual);
  }

  /** The mailbox of an address, made if it is not there. */
  mailbox(type: FunctionType, id: string): Mailbox {
    let mailbox = type.mailboxes.get(id);
    if (!mailbox) {
      const memory = this.memory(type, id);
      mailbox = new Mailbox(memory.address, type, memory);
      mailbox.worker = (this.endpoints[type.endpoint] as Endpoint).workerOf(id);
      type.mailboxes.set(id, mailbox);
      this.actors++;
      if (type.dual) mailbox.owner = this.ownerOf?.(mailbox);
    }
    return mailbox;
  }

  /** One more lane of an actor, with a part of its own; `worker`: where it is pinned to. */
  lane(owner: LaneOwner, lessor: Mailbox, part: Memory, worker: Worker | undefined): Mailbox {
    const lane = new Mailbox(lessor.address, lessor.type, part);
    lane.worker = worker;
    lane.owner = owner;
    return lane;
  }

  memory(type: FunctionType, id: string): Memory {
    return this.store.memory(type.states, type.namespace, type.name, id, this.homeOf);
  }

  /** ARCHITECTURE.md §3: Kafka's default partitioner over the id. */
  readonly homeOf = (id: string): number => partitionOf(Buffer.from(id, "utf8"), this.shards);

  /** A message sent by a function. */
  send(mailbox: Mailbox, message: Message, now: number): void {
    try {
      this.applications.at(message.application).policy.prepareSend(message, now);
    } catch {
      this.book.policyFaults++; // R3: the default decision is to send.
    }
    this.enqueue(mailbox, message, now);
  }

  enqueue(mailbox: Mailbox, message: Message, now: number): void {
    if (mailbox.owner) return mailbox.owner.received(message, now);
    this.admit(mailbox.type, message, now);
    this.join(mailbox, message, now);
  }

  /** The policy's say, with what this hop costs. R3: the default decision is to queue, by deadline where ranks count. */
  admit(type: FunctionType, message: Message, now: number, actor?: ActorView): AdmitDecision {
    if (this.#costed) {
      message.costMs = message.mark?.critical ? type.criticalCostMs : type.costMs;
      message.pathMs = type.pathMs;
    }
    try {
      const decision = this.applications.at(message.application).policy.admit(message, now, actor);
      // A rank that is no number could not be compared, nor written.
      if (typeof message.rank === "number" && !Number.isNaN(message.rank)) return decision ?? QUEUE;
    } catch {}
    this.book.policyFaults++;
    message.rank = message.deadlineMs;
    return QUEUE;
  }

  /** An admitted message joins a lane. */
  join(mailbox: Mailbox, message: Message, now: number): void {
    const { measures } = mailbox.type;
    this.mailboxBytes += message.bytes;
    measures.in++;
    measures.backlog++;
    this.#put(mailbox, message, now);
  }

  #put(mailbox: Mailbox, message: Message, now: number): void {
    this.queueOf(mailbox).load?.joined(message, mailbox);
    if (mailbox.enqueue(message)) this.makeReady(mailbox, now);
    else if (mailbox.phase.kind === "ready" && message.rank === mailbox.rank) mailbox.share?.queue.lift?.(mailbox, now);
  }

  /** Takes a message out of the lane in which it waits; false if it cannot go: it is next there, or in flight. */
  move(message: Message, from: Mailbox, to: Mailbox, now: number): boolean {
    if (from.extract(new Set([message])).length === 0) return false;
    this.queueOf(from).load?.left(message, from, false);
    this.#put(to, message, now);
    return true;
  }

  /** Where a lane waits. */
  queueOf(mailbox: Mailbox): Shares {
    return mailbox.worker?.queue ?? ((this.endpoints[mailbox.type.endpoint] as Endpoint).queues[0] as Shares);
  }

  /** A mailbox that is ready takes its place in the run queue of its oldest message's policy (R2). */
  makeReady(mailbox: Mailbox, now: number): void {
    mailbox.worker?.endpoint.place(mailbox);
    const queue = this.queueOf(mailbox);
    mailbox.share = queue.of((mailbox.peek() as Message).application);
    mailbox.readyMs = now;
    queue.push(mailbox.share, mailbox, now);
  }

  /** The next mailbox to run on this worker, or undefined when nothing is ready for it or no slot is free (R1). */
  pick(worker: Worker, now: number): Mailbox | undefined {
    if (!worker.free) return undefined;
    const share = worker.queue.next();
    if (!share) return undefined;
    const chosen = this.#choose(share, now);
    const { taken } = share.lent;
    for (const actor of taken) if (actor !== chosen) share.queue.push(actor, now);
    taken.length = 0;
    return chosen as Mailbox | undefined;
  }

  /** R3: the default decision is the head of the queue, also for a policy that chooses nobody (R2), or what it has not taken out. */
  #choose({ policy, lent }: Share, now: number): Runnable | undefined {
    try {
      const chosen = policy.next(lent, now);
      if (chosen && lent.taken.includes(chosen)) return chosen;
    } catch {}
    this.book.policyFaults++;
    return lent.taken[0] ?? lent.pop(now);
  }

  /** The batch of a picked mailbox: all that waits, within the endpoint's bounds. */
  take(mailbox: Mailbox, worker: Worker, now: number): Message[] {
    const { measures, costMs } = mailbox.type;
    const { maxNumBatchRequests, maxBatchBytes } = worker.endpoint.specification;
    const batch = mailbox.take(Math.min(maxNumBatchRequests, this.#countMax(mailbox)), maxBatchBytes);
    const first = batch[0] as Message;
    measures.inflight++;
    measures.batchSize.observe(batch.length);
    measures.queueWaitMs.observe(now - first.admittedMs);
    mailbox.chargedMs = Math.max(CHARGE_MIN_MS, costMs * batch.length);
    mailbox.share?.charge(mailbox.chargedMs);
    const { load } = worker.queue;
    if (load) {
      for (const message of batch) load.left(message, mailbox, batch.length === mailbox.waiting);
      mailbox.expectedMs = now + mailbox.chargedMs;
      load.begun(mailbox.expectedMs);
    }
    if (this.applications.timed) for (const message of batch) this.#blame(mailbox, message, now);
    try {
      this.applications.at(first.application).policy.preApply(first, now);
    } catch {
      this.book.policyFaults++;
    }
    return batch;
  }

  #countMax({ share, type }: Mailbox): number {
    if (!share?.queue.lift) return Number.POSITIVE_INFINITY;
    return type.countWithin(RANKED_BATCH_MS);
  }

  /** Where it waited until now: behind its key until the mailbox was ready, for a slot since. */
  #blame(mailbox: Mailbox, message: Message, now: number): void {
    const { blame } = message;
    if (!blame) return;
    const first = mailbox.phase.kind === "running" && mailbox.phase.attempt === 1;
    const slotMs = now - Math.max(mailbox.readyMs, message.admittedMs);
    blame.slotMs += slotMs;
    if (first) blame.keyMs += now - message.admittedMs - slotMs;
    const { measures } = this.applications.at(message.application);
    measures?.laxityMs.observe(message.deadlineMs - message.costMs - message.pathMs - now);
  }

  /** An output is committed: did it meet its deadline, and if not, where did most of its time go? */
  judge(message: Message, now: number): void {
    const { measures } = this.applications.at(message.application);
    const { blame } = message;
    if (!measures || !blame) return;
    measures.recent.observe(now <= message.deadlineMs, now);
    if (now <= message.deadlineMs) {
      measures.met++;
      return;
    }
    const spent: Record<MissCause, number> = {
      key: blame.keyMs,
      slot: blame.slotMs,
      barrier: blame.barrierMs,
      retry: blame.retryMs,
      function: blame.functionMs,
      commit: now - blame.finishedMs,
    };
    const worst = missCauses.reduce((one, other) => (spent[other] > spent[one] ? other : one));
    measures.missed[worst]++;
  }

  /** A good reply is there, and its effects are not: what it causes inherits this time, too. */
  served(batch: readonly Message[], serviceMs: number, now: number): void {
    if (!this.applications.timed) return;
    for (const { blame } of batch) {
      if (!blame) continue;
      blame.functionMs += serviceMs;
      blame.finishedMs = now;
    }
  }

  /** The batch of a mailbox is finished: it leaves, and the next one may run. Drops activations that hold nothing. */
  finished(mailbox: Mailbox, batch: readonly Message[], serviceMs: number, now: number): void {
    const { type, owner } = mailbox;
    const { mark } = batch[0] as Message;
    if (!mark?.critical) type.observeCost(serviceMs, batch.length);
    else if (!mark.merge) type.observeCriticalCost(serviceMs / batch.length);
    type.measures.latencyMs.observe(serviceMs);
    this.#ended(mailbox, batch, true, serviceMs, now);
    if (this.applications.timed && now - type.pathAtMs > PATH_FRESH_MS) type.computePath(now);
    for (const message of batch) this.mailboxBytes -= message.bytes;
    type.measures.backlog -= batch.length;
    owner?.batchFinished(mailbox, batch.length);
    if (mailbox.finish()) this.makeReady(mailbox, now);
    else if (owner) owner.idle(mailbox, now);
    else this.drop(mailbox);
  }

  /** Nothing waits for this address, and nobody else wants to keep its place. */
  drop(mailbox: Mailbox): void {
    mailbox.type.mailboxes.delete(mailbox.address.id);
    this.actors--;
    this.dropIfForgotten(mailbox.memory);
  }

  /** The batch of a mailbox failed: the address rests, and the others go on. */
  failed(mailbox: Mailbox, batch: readonly Message[], serviceMs: number, untilMs: number, now: number): void {
    mailbox.type.measures.failures++;
    mailbox.type.measures.retrying++;
    this.#ended(mailbox, batch, false, serviceMs, now);
    for (const { blame } of batch) if (blame) blame.retryMs += serviceMs + untilMs - now;
    mailbox.fail(untilMs);
  }

  rested(mailbox: Mailbox, now: number): void {
    mailbox.type.measures.retrying--;
    const { load } = this.queueOf(mailbox);
    if (load) for (const message of mailbox.fixedBatch()) load.joined(message, mailbox);
    mailbox.rested();
    this.makeReady(mailbox, now);
  }

  #ended(mailbox: Mailbox, batch: readonly Message[], ok: boolean, serviceMs: number, now: number): void {
    mailbox.type.measures.inflight--;
    this.queueOf(mailbox).load?.ended(mailbox.expectedMs);
    mailbox.share?.charge(Math.max(CHARGE_MIN_MS, serviceMs) - mailbox.chargedMs);
    const first = batch[0] as Message;
    try {
      this.applications.at(first.application).policy.postApply(first, { ok, serviceMs, batchSize: batch.length }, now);
    } catch {
      this.book.policyFaults++;
    }
  }

  /** An address that remembers nothing, for which nothing waits and nothing is to be written, needs no entry. */
  readonly dropIfForgotten = (memory: Memory): void => {
    if (memory.lane > 0 || !memory.empty || memory.changed.length > 0 || memory.touched) return;
    if (!this.#types.get(memory.type.typename)?.mailboxes.has(memory.address.id)) memory.type.memories.delete(memory.address.id);
  };
}

/** Index of the endpoint that serves a function: a specific entry beats `namespace/*` (STATEFUN.md §3.3). -1: none. */
export function endpointOf(endpoints: readonly EndpointSpecification[], namespace: string, name: string): number {
  const specific = endpoints.findIndex((each) => each.functions.some((f) => f.namespace === namespace && f.name === name));
  if (specific >= 0) return specific;
  return endpoints.findIndex((each) => each.functions.some((f) => f.namespace === namespace && f.name === undefined));
}
