/**
 * Where functions run: an endpoint and its replicas. A worker is one replica with its slots; each slot is one request in flight.
 *
 * Owns: which run queue an address waits in, which worker takes the next from it, what is known of workers. Leaves to others: the
 * order in a queue (shares and policy), what is sent (functions).
 *
 * W1  `any`: one run queue for all workers. The next in it goes to the worker with a free slot that has the fewest requests in
 *     flight, by turns among equals.
 * W2  `home`: each worker has a run queue of its own, and an address waits in that of the worker it is pinned to.
 * W3  A worker that fails (replica-health.ts) is closed while another is well: it takes nothing. An address that is pinned to it waits with
 *     one that is well instead, and goes home when it next becomes ready after that has come back. With none well all are open.
 */
import type { EndpointSpecification } from "../config/specification";
import type { Effects } from "../effect";
import type { ReplicaFailure } from "../event";
import type { Message } from "../model/message";
import { partitionOf } from "../model/murmur2";
import type { Application } from "./applications";
import type { Mailbox } from "./mailbox";
import { type HealthPhase, ReplicaHealth, type Sign } from "./replica-health";
import { Shares } from "./shares";
import { AdaptiveSlots } from "./slots";

/** What is known of an invocation when it ends. */
export interface Sent {
  readonly mailbox: Mailbox;
  readonly batch: readonly Message[];
  readonly dispatchedMs: number;
  readonly attempt: number;
}

export class Worker {
  inFlight = 0;
  /** How many requests it may have in flight now. */
  slots: number;
  /** It may be given work (W3). */
  open = true;
  readonly #adaptive: AdaptiveSlots | undefined;
  /** Where there are others to turn to. */
  readonly #health: ReplicaHealth | undefined;

  constructor(
    /** In the endpoint's `workers` and `urls`. */
    readonly index: number,
    readonly endpoint: Endpoint,
    /** Where it takes its work from. */
    readonly queue: Shares,
  ) {
    const { concurrency, adaptive, urls } = endpoint.specification;
    if (adaptive) this.#adaptive = new AdaptiveSlots(concurrency);
    if (urls.length > 1) this.#health = new ReplicaHealth();
    this.slots = this.#adaptive?.limitAt(0) ?? concurrency;
  }

  get url(): string {
    return this.endpoint.specification.urls[this.index] as string;
  }

  get free(): boolean {
    return this.inFlight < this.slots;
  }

  get health(): HealthPhase["kind"] {
    return this.#health?.phase.kind ?? "well";
  }

  /** An invocation begins. */
  began(now: number): void {
    this.inFlight++;
    if (this.#health?.phase.kind !== "due") return;
    this.#health.began(now);
    this.endpoint.arrange(now);
  }

  /** A reply came; a good one can be used. Returns when to look again, if only time changes something (`woken`). */
  replied(
    sent: Sent,
    status: number,
    retryAfterMs: number | undefined,
    good: boolean,
    now: number,
    effects: Effects,
  ): number | undefined {
    if (!this.#adaptive && !this.#health) return undefined;
    const restMs = this.#adaptive && this.#fit(this.#adaptive, sent, status, retryAfterMs, good, now);
    const pauseMs = this.#saw(signOf(status, retryAfterMs, sent.attempt), sent, `answered ${status}`, now, effects);
    this.refresh(now);
    return restMs ?? pauseMs;
  }

  #fit(
    slots: AdaptiveSlots,
    sent: Sent,
    status: number,
    retryAfterMs: number | undefined,
    good: boolean,
    now: number,
  ): number | undefined {
    const { mailbox, batch, dispatchedMs } = sent;
    const { inFlight } = this;
    if (good) slots.served({ kind: mailbox.type, size: batch.length, sentMs: dispatchedMs, inFlight }, now);
    if (status !== 429 && status !== 503) return undefined;
    return slots.refused(dispatchedMs, inFlight, retryAfterMs, now);
  }

  /** No reply came. Returns when to look again, as `replied` does. */
  unanswered(sent: Sent, failure: ReplicaFailure | undefined, reason: string, now: number, effects: Effects): number | undefined {
    if (!this.#adaptive && !this.#health) return undefined;
    if (failure === "timeout") this.#adaptive?.shrink(sent.dispatchedMs, this.inFlight, now);
    const pauseMs = this.#saw(failure ? "failed" : "nothing", sent, reason, now, effects);
    this.refresh(now);
    return pauseMs;
  }

  /** Until when it is avoided from now on, if that has changed. */
  #saw(sign: Sign, { dispatchedMs }: Sent, reason: string, now: number, effects: Effects): number | undefined {
    const health = this.#health;
    if (!health) return undefined;
    const before = health.phase;
    health.saw(sign, dispatchedMs, now);
    const { phase } = health;
    if (phase.kind === before.kind) return undefined;
    this.endpoint.arrange(now);
    const { id } = this.endpoint.specification;
    const told = { kind: "report", fields: { endpoint: id, replica: this.url } } as const;
    if (phase.kind === "well") {
      effects.push({ ...told, level: "info", text: `endpoint ${id}: replica ${this.url} answers again` });
    } else if (phase.kind === "avoided") {
      const text = `endpoint ${id}: replica ${this.url} is avoided for ${phase.pauseMs} ms: ${reason}; ${this.endpoint.wellText}`;
      effects.push({ ...told, level: "warn", text });
      return phase.untilMs;
    }
    return undefined;
  }

  /** An instant it has asked for is there. */
  woken(now: number): void {
    this.#health?.woken(now);
    this.endpoint.arrange(now);
    this.refresh(now);
  }

  /** Whether it takes anything, and how much. `anyWell`: there are others to turn to. */
  arranged(anyWell: boolean, now: number): void {
    this.open = !anyWell || this.#health === undefined || this.#health.open;
    this.refresh(now);
  }

  refresh(now: number): void {
    const most = this.#adaptive?.limitAt(now) ?? this.endpoint.specification.concurrency;
    this.slots = this.open ? most : 0;
  }
}

/** What a reply says of the replica that gave it. */
function signOf(status: number, retryAfterMs: number | undefined, attempt: number): Sign {
  if (status < 500) return "alive";
  // From a proxy that reaches nobody behind it; who says when to come again is only busy.
  if (status === 502 || status === 504) return "failed";
  if (status === 503) return retryAfterMs === undefined ? "failed" : "alive";
  // A batch that fails again is its own fault for all we know.
  return attempt === 1 ? "failed" : "nothing";
}

export class Endpoint {
  readonly queues: readonly Shares[];
  readonly workers: readonly Worker[];
  /** Whose turn it is among equals. */
  #turn = 0;

  constructor(
    readonly index: number,
    readonly specification: EndpointSpecification,
    applications: readonly Application[],
    fault: () => void,
  ) {
    const { urls, placement } = specification;
    const queues = Array.from({ length: placement === "home" ? urls.length : 1 }, () => new Shares(applications, fault));
    this.queues = queues;
    this.workers = urls.map((_url, at) => new Worker(at, this, queues[at % queues.length] as Shares));
  }

  get slots(): number {
    return this.workers.reduce((sum, worker) => sum + worker.slots, 0);
  }

  get inFlight(): number {
    return this.workers.reduce((sum, worker) => sum + worker.inFlight, 0);
  }

  /** Addresses that wait for a slot. */
  get queued(): number {
    return this.queues.reduce((sum, queue) => sum + queue.length, 0);
  }

  get wellText(): string {
    const well = this.workers.filter(({ health }) => health === "well").length;
    return well === 0 ? "no replica is well, so all are tried" : `${well} of ${this.workers.length} replicas are well`;
  }

  /** The worker an address is pinned to; undefined where any may run it. */
  workerOf(id: string): Worker | undefined {
    if (this.specification.placement === "any") return undefined;
    return this.workers[homeWorker(id, this.workers.length)];
  }

  /** Slots that serve a run queue. */
  slotsOf(at: number): number {
    return this.queues.length === 1 ? this.slots : (this.workers[at] as Worker).slots;
  }

  /** Who takes the next from a run queue; undefined when no slot is free, or when nothing waits (R2). `at` indexes `queues`. */
  freeWorker(at: number): Worker | undefined {
    // With several queues each has one worker; with one worker there is no choice either.
    const only = this.workers.length === this.queues.length;
    if (!only) return (this.queues[at] as Shares).length > 0 ? this.#leastLoaded() : undefined;
    const worker = this.workers[at] as Worker;
    return worker.free ? worker : undefined;
  }

  /** W1. */
  #leastLoaded(): Worker | undefined {
    const { workers } = this;
    let chosen: Worker | undefined;
    for (let i = 0; i < workers.length; i++) {
      const worker = workers[(this.#turn + i) % workers.length] as Worker;
      if (worker.free && (chosen === undefined || worker.inFlight < chosen.inFlight)) chosen = worker;
    }
    if (chosen) this.#turn = chosen.index + 1;
    return chosen;
  }

  /** W3: something is known anew of a worker. */
  arrange(now: number): void {
    const anyWell = this.workers.some(({ health }) => health === "well");
    for (const worker of this.workers) worker.arranged(anyWell, now);
    if (this.queues.length === 1) return;
    for (const { open, queue } of this.workers) {
      if (open || queue.length === 0) continue;
      for (const actor of queue.takeAll(now)) this.#replace(actor as Mailbox, now);
    }
  }

  /** A ready mailbox goes from the run queue it stood in to the one it is to stand in now. */
  #replace(mailbox: Mailbox, now: number): void {
    this.place(mailbox);
    const { queue } = mailbox.worker as Worker;
    mailbox.share = queue.of((mailbox.peek() as Message).application);
    queue.push(mailbox.share, mailbox, now);
  }

  /** W3: a pinned address that is about to wait does so at home, or with a stand-in. */
  place(mailbox: Mailbox): void {
    const from = mailbox.worker as Worker;
    const home = mailbox.home ?? from;
    if (home.open && home === from) return;
    const to = home.open ? home : this.#standIn(mailbox.address.id, home);
    mailbox.home = to === home ? undefined : home;
    if (to === from) return;
    mailbox.worker = to;
    const messages = from.queue.load && to.queue.load ? [...mailbox.waitingMessages()] : [];
    messages.forEach((message, at) => {
      from.queue.load?.left(message, mailbox, at === messages.length - 1);
      to.queue.load?.joined(message, mailbox);
    });
  }

  /** Those that are well share the addresses of one that is not, by the same hash. */
  #standIn(id: string, home: Worker): Worker {
    const well = this.workers.filter(({ health }) => health === "well");
    const { length } = this.workers;
    return well[Math.floor(homeWorker(id, length * well.length) / length)] ?? home;
  }
}

/** Which of so many workers is an address's home: Kafka's default partitioner over the id, as for its shard. */
export function homeWorker(id: string, workers: number): number {
  return partitionOf(Buffer.from(id, "utf8"), workers);
}
