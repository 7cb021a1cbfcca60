/** The producers and the consumer of a real run, in this process, on one clock. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Consumer, type Kafka, type Message, Partitioners, type Producer } from "kafkajs";
import type { Output } from "./functions";
import type { ApplicationLoad } from "./load";
import { topicOf } from "./module";
import type { IngressRecord } from "./records";
import type { Workload } from "./workload";

/** Timers have no finer grain. */
const TICK_MS = 1;

/**
 * Produces the workload's records when they are due, an open loop: whatever holds up the sending of one, the next is due when it is due. Sends do not
 * wait for each other; one connection keeps them in order.
 */
export class LiveProducer {
  readonly #producer: Producer;
  /** Longest that a record was handed over after it was due, ms. */
  lateMs = 0;
  #failed: unknown;

  constructor(
    kafka: Kafka,
    private readonly workload: Workload,
    private readonly group: string,
    private readonly ingress: readonly IngressRecord[],
  ) {
    this.#producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false });
  }

  async connect(): Promise<void> {
    await this.#producer.connect();
  }

  async run(startMs: number, now: () => number): Promise<void> {
    const sending: Promise<void>[] = [];
    for (let next = 0; next < this.ingress.length; ) {
      const atMs = now() - startMs;
      const from = next;
      while (next < this.ingress.length && (this.ingress[next] as IngressRecord).atMs <= atMs) next++;
      if (next > from) {
        this.lateMs = Math.max(this.lateMs, atMs - (this.ingress[from] as IngressRecord).atMs);
        sending.push(this.#send(this.ingress.slice(from, next), startMs));
      }
      const dueMs = (this.ingress[next]?.atMs ?? 0) + startMs - now();
      await sleep(Math.max(TICK_MS, Math.floor(dueMs)));
    }
    await Promise.all(sending);
    if (this.#failed !== undefined) throw this.#failed;
  }

  async #send(records: readonly IngressRecord[], startMs: number): Promise<void> {
    const byTopic = new Map<string, Message[]>();
    for (const { application, partition, key, value, timestampMs, headers } of records) {
      const topic = topicOf(this.workload.load.applications[application] as ApplicationLoad, this.group);
      const messages = byTopic.get(topic) ?? [];
      byTopic.set(topic, messages);
      messages.push({ partition, key, value, headers, timestamp: String(startMs + timestampMs) });
    }
    try {
      await this.#producer.sendBatch({ topicMessages: [...byTopic].map(([topic, messages]) => ({ topic, messages })) });
    } catch (error) {
      this.#failed ??= error;
    }
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
  }
}

/** Sees outputs as they become visible to a committed reader. */
export class LiveConsumer {
  private constructor(private readonly consumer: Consumer) {}

  /** Resolves when it reads. */
  static async open(kafka: Kafka, topic: string, seen: (output: Output) => void): Promise<LiveConsumer> {
    const consumer = kafka.consumer({ groupId: `seen-${topic}`, readUncommitted: false, maxWaitTimeInMs: 500, minBytes: 1 });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const joined = new Promise<void>((resolve) => {
      consumer.on(consumer.events.GROUP_JOIN, () => resolve());
    });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        for (const { value } of batch.messages) if (value) seen(JSON.parse(value.toString("utf8")) as Output);
      },
    });
    await joined;
    return new LiveConsumer(consumer);
  }

  async close(): Promise<void> {
    await this.consumer.disconnect();
  }
}
