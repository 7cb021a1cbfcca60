/**
 * Where functions run: an endpoint and its replicas. A worker is one replica with its slots; each slot is one request in flight.
 *
 * Owns: which run queue an address waits in, and which worker takes the next from it. Leaves to others: the order in a queue
 * (shares and policy), what is sent (functions).
 *
 * W1  `any`: one run queue for all workers. The next in it goes to the worker with a free slot that has the fewest requests in
 *     flight, by turns among equals.
 * W2  `home`: each worker has a run queue of its own, and an address waits in that of the worker it is pinned to.
 */
import type { EndpointSpecification } from "../config/specification";
import { partitionOf } from "../model/murmur2";
import type { Application } from "./applications";
import { Shares } from "./shares";

export class Worker {
  inFlight = 0;
  /** How many requests it may have in flight. */
  readonly slots: number;

  constructor(
    /** In the endpoint's `workers` and `urls`. */
    readonly index: number,
    readonly endpoint: Endpoint,
    /** Where it takes its work from. */
    readonly queue: Shares,
  ) {
    this.slots = endpoint.specification.concurrency;
  }

  get url(): string {
    return this.endpoint.specification.urls[this.index] as string;
  }

  get free(): boolean {
    return this.inFlight < this.slots;
  }
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

  /** The worker an address is pinned to; undefined where any may run it. */
  workerOf(id: string): Worker | undefined {
    if (this.specification.placement === "any") return undefined;
    return this.workers[homeWorker(id, this.workers.length)];
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
}

/** Which of so many workers is an address's home: Kafka's default partitioner over the id, as for its shard. */
export function homeWorker(id: string, workers: number): number {
  return partitionOf(Buffer.from(id, "utf8"), workers);
}
