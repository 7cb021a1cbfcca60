/**
 * Producing at a fixed rate and seeing results as they become visible, both in this process, on one clock.
 *
 * The loop is open: a record's time is when it was due, whatever holds up its sending, so that a pause of anything delays all
 * that was due in it and is not hidden by being waited for.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Consumer, type Kafka, Partitioners, type Producer } from "kafkajs";
import type { Stage } from "./stage";
import { type Keys, valueText } from "./workload";

/** Timers have no finer grain. */
const tickMs = 1;

/** When the n-th record of each key was due. */
export class Schedule {
  readonly #dueMs = new Map<string, number[]>();
  total = 0;

  add(key: string, dueMs: number): void {
    const known = this.#dueMs.get(key);
    if (known === undefined) this.#dueMs.set(key, [dueMs]);
    else known.push(dueMs);
    this.total++;
  }

  dueMs(key: string, n: number): number | undefined {
    return this.#dueMs.get(key)?.[n - 1];
  }

  counts(): Map<string, number> {
    return new Map([...this.#dueMs].map(([key, times]) => [key, times.length]));
  }
}

export class OpenLoop {
  #producer: Producer | undefined;
  #failed: unknown;
  #stopped = false;

  constructor(
    readonly stage: Stage,
    readonly topic: string,
    readonly keys: Keys,
    readonly schedule: Schedule,
  ) {}

  async connect(): Promise<void> {
    this.#producer = this.stage.kafka.producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
    await this.#producer.connect();
  }

  /** Until `seconds` have passed, or `stop`. Sends do not wait for each other; one connection keeps them in order. */
  async run(perSecond: number, seconds: number): Promise<void> {
    const startMs = performance.now();
    const count = Math.round(perSecond * seconds);
    const sending: Promise<void>[] = [];
    for (let next = 0; next < count && !this.#stopped; ) {
      const until = Math.min(count, Math.floor(((performance.now() - startMs) * perSecond) / 1_000) + 1);
      if (until > next) sending.push(this.#send(next, until, (index) => startMs + (index * 1_000) / perSecond));
      next = Math.max(next, until);
      await sleep(tickMs);
    }
    await Promise.all(sending);
    if (this.#failed !== undefined) throw this.#failed;
  }

  stop(): void {
    this.#stopped = true;
  }

  async close(): Promise<void> {
    await this.#producer?.disconnect();
  }

  async #send(from: number, to: number, dueMs: (index: number) => number): Promise<void> {
    const messages = [];
    for (let index = from; index < to; index++) {
      const key = this.keys();
      this.schedule.add(key, dueMs(index));
      messages.push({ key, value: valueText(index) });
    }
    try {
      await this.#producer?.send({ topic: this.topic, messages });
    } catch (error) {
      this.#failed ??= error;
    }
  }
}

/** A committed reader of results, which checks each one as it comes. */
export class Arrivals {
  /** Of results whose record was scheduled. */
  latencies: number[] = [];
  received = 0;
  repeated = 0;
  /** Numbers that were skipped: lost, unless they still come, which is then counted as repeated. */
  skipped = 0;
  lastMs = Number.NaN;
  readonly #counts = new Map<string, number>();
  #waiting: { readonly beyond: number; resolve(atMs: number): void } | undefined;

  private constructor(
    readonly consumer: Consumer,
    readonly schedule: Schedule,
  ) {}

  /** Resolves when it has joined its group, so that what comes from now on is seen at once. */
  static async open(kafka: Kafka, topic: string, schedule: Schedule): Promise<Arrivals> {
    const consumer = kafka.consumer({ groupId: `arrivals-${topic}`, readUncommitted: false, maxWaitTimeInMs: 500, minBytes: 1 });
    const arrivals = new Arrivals(consumer, schedule);
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const joined = new Promise<void>((resolve) => {
      consumer.on(consumer.events.GROUP_JOIN, () => resolve());
    });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const nowMs = performance.now();
        for (const { key, value } of batch.messages) arrivals.#see(String(key), Number(value), nowMs);
        arrivals.#wake(nowMs);
      },
    });
    await joined;
    return arrivals;
  }

  #see(key: string, n: number, nowMs: number): void {
    const last = this.#counts.get(key) ?? 0;
    if (n <= last) {
      this.repeated++;
      return;
    }
    this.skipped += n - last - 1;
    this.#counts.set(key, n);
    this.received++;
    this.lastMs = nowMs;
    const dueMs = this.schedule.dueMs(key, n);
    if (dueMs !== undefined) this.latencies.push(nowMs - dueMs);
  }

  #wake(nowMs: number): void {
    if (this.#waiting === undefined || this.received <= this.#waiting.beyond) return;
    this.#waiting.resolve(nowMs);
    this.#waiting = undefined;
  }

  /** The instant of the next result that is not here yet. */
  next(timeoutMs = 60_000): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no result within ${timeoutMs / 1_000} s`)), timeoutMs);
      this.#waiting = {
        beyond: this.received,
        resolve: (atMs) => {
          clearTimeout(timer);
          resolve(atMs);
        },
      };
    });
  }

  /** Until as many are here as were scheduled, or nothing comes any more. */
  async all(patienceMs = 30_000): Promise<void> {
    let last = this.received;
    let changedMs = performance.now();
    while (this.received < this.schedule.total) {
      await sleep(20);
      if (this.received !== last) changedMs = performance.now();
      last = this.received;
      if (performance.now() - changedMs > patienceMs) return;
    }
  }

  /** What is wrong by now: nothing lost, nothing repeated is two zeros. */
  faults(): { readonly lost: number; readonly repeated: number } {
    let lost = 0;
    for (const [key, count] of this.schedule.counts()) lost += count - (this.#counts.get(key) ?? 0);
    return { lost: lost + this.skipped, repeated: this.repeated };
  }

  async close(): Promise<void> {
    await this.consumer.disconnect();
  }
}
