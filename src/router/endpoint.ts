/**
 * Where functions run: an endpoint and its replicas. A worker is one replica with its slots; each slot is one request in flight.
 *
 * Owns: which run queue an address waits in, and which worker takes the next from it. Leaves to others: how much a worker takes (worker),
 * the order in a queue (shares and policy), what is sent (functions).
 *
 * W1  `any`: one run queue for all workers. The next in it goes to the worker with a free slot that has the fewest requests in
 *     flight, by turns among equals.
 * W2  `home`: each worker has a run queue of its own, and an address waits in that of the worker it is pinned to.
 * W3  A worker that fails (replica-health.ts) is closed while another is well: it takes nothing. An address that is pinned to it waits with
 *     one that is well instead, and goes home when it next becomes ready after that has come back. With none well all are open.
 */
import type { EndpointSpecification } from "../config/specification";
import type { Message } from "../model/message";
import { partitionOf } from "../model/murmur2";
import type { EndpointStatus } from "../observe/status";
import type { Application } from "./applications";
import type { Mailbox } from "./mailbox";
import { Shares } from "./shares";
import { type WakeAt, Worker } from "./worker";

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
    wakeAt: WakeAt,
  ) {
    const { urls, placement } = specification;
    const queues = Array.from({ length: placement === "home" ? urls.length : 1 }, () => new Shares(applications, fault));
    this.queues = queues;
    this.workers = urls.map((_url, at) => new Worker(at, this, queues[at % queues.length] as Shares, wakeAt));
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

  get status(): EndpointStatus {
    const replicas = this.workers.map(({ url, slots, inFlight, health }) => ({ url, concurrency: slots, inFlight, health }));
    return { id: this.specification.id, concurrency: this.slots, inFlight: this.inFlight, queued: this.queued, replicas };
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

  /** Where none of these lanes is, and one more would find work done. */
  workersBeside(lanes: readonly Mailbox[]): Worker[] {
    return this.workers.filter((worker) => worker.slots > 0 && lanes.every((lane) => lane.worker !== worker));
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
    const welcome = home.open && (home.health !== "due" || home.queue.length === 0); // One is enough to see how it is.
    if (welcome && home === from) return;
    const to = welcome ? home : this.#standIn(mailbox.address.id, home);
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
