/**
 * Fencing a transactional id: its holder can commit no more, what it had open is taken back, and what hangs is closed.
 *
 * Initialising a producer with somebody's id does the first two, but not the third: a transaction of which Kafka says that it is
 * complete, while markers of it were never written (why: P3 in cluster/producer.ts). Nobody would ever write another record with that
 * id, so readers of committed records, our restore first of all, would wait for ever. So an empty transaction of the same producer id
 * goes over the partitions that it may have written to.
 *
 * F1: the closing transaction ends as the one before it did: a marker decides for everything that is open in front of it, and
 *     what was acknowledged must not be taken back by us. Which that was is asked before initialising, since afterwards nobody knows it.
 * F2: what was learnt is kept over tries, and so is the producer: initialising again would abort a closing transaction half done.
 */
import { errorText, protocolError } from "../cluster/kafkajs-internals";
import type { Link } from "../cluster/link";
import { heldPartitions, persistently } from "../cluster/offsets";
import { Producer, type TransactionEnd } from "../cluster/producer";
import type { TopicPartition } from "../cluster/requests";
import { stateTopic } from "../cluster/topics";
import { describeTransactionRequest, describeTransactionsKey } from "../cluster/transaction-requests";
import type { Log } from "../observe/log";

/** A fenced producer's open transaction is aborted within milliseconds; beyond this the engine tries again. */
const fenceBudgetMs = 20_000;

export interface FenceOptions {
  readonly group: string;
  readonly shards: number;
  readonly transactionTimeoutMs: number;
  /** Where units may have gone besides the state, as far as we know. */
  otherTopics(): readonly string[];
}

interface Fenced {
  readonly producer: Producer;
  readonly end: TransactionEnd;
}

export class KafkaFence {
  /** Fenced in this epoch: several shards usually name the same ids. */
  #epoch = -1;
  #done = new Map<string, Promise<void>>();
  /** F2: initialised, but not closed. */
  readonly #begun = new Map<string, Fenced>();

  constructor(
    readonly options: FenceOptions,
    /** For the transactions. */
    readonly link: Link,
    /** For questions about topics, which may be gone. */
    readonly sideLink: Link,
    readonly log: Log,
  ) {}

  fence(epoch: number, transactionalId: string): Promise<void> {
    if (this.#epoch !== epoch) {
      this.#epoch = epoch;
      this.#done = new Map();
    }
    const known = this.#done;
    let done = known.get(transactionalId);
    if (done === undefined) {
      done = this.#fence(transactionalId);
      known.set(transactionalId, done);
      done.catch(() => known.delete(transactionalId));
    }
    return done;
  }

  async #fence(transactionalId: string): Promise<void> {
    const fenced = this.#begun.get(transactionalId) ?? (await this.#initialise(transactionalId));
    const topic = stateTopic(this.options.group);
    const partitions = Array.from({ length: this.options.shards }, (_, partition) => ({ topic, partition }));
    try {
      // All of them and without looking: where the log really ends is not known at once after a broker's restart.
      await fenced.producer.seal(partitions, fenced.end);
    } catch (error) {
      // Somebody else fences the same id, and has initialised it after us.
      if (Producer.isFenced(error)) this.#begun.delete(transactionalId);
      throw error;
    }
    this.#begun.delete(transactionalId);
    void this.#closeOthers(transactionalId, fenced);
  }

  async #initialise(transactionalId: string): Promise<Fenced> {
    const end = await this.#lastEnd(transactionalId);
    const producer = new Producer(this.link, transactionalId, this.options.transactionTimeoutMs, fenceBudgetMs);
    await producer.open();
    const fenced = { producer, end };
    this.#begun.set(transactionalId, fenced);
    return fenced;
  }

  /** F1. */
  async #lastEnd(transactionalId: string): Promise<TransactionEnd> {
    return persistently(this.link, async () => {
      const coordinator = await this.link.coordinator("transaction", transactionalId);
      // Brokers before 3.0 cannot say. Hardly anything is aborted in the moment in which a broker dies.
      if (coordinator.versions?.[describeTransactionsKey] === undefined) return "commit";
      const { errorCode, state } = await coordinator.connectionPool.send(describeTransactionRequest(transactionalId));
      if (errorCode === 0) return aborting.has(state) ? "abort" : "commit";
      const error = protocolError(errorCode);
      if (neverKnown.has(errorCode)) return "commit";
      throw error;
    });
  }

  /** The state is what we wait for ourselves; readers of results are helped as well as we can, and nothing waits for it. */
  async #closeOthers(transactionalId: string, { producer, end }: Fenced): Promise<void> {
    try {
      const held: TopicPartition[] = [];
      for (const topic of this.options.otherTopics()) held.push(...(await heldPartitions(this.sideLink, topic)));
      if (held.length === 0) return;
      await producer.seal(held, end);
      const where = held.map(({ topic, partition }) => `${topic}/${partition}`).join(", ");
      this.log("info", `Closed what ${transactionalId} may have left open in ${where}.`, { transactionalId, end });
    } catch (error) {
      this.log("debug", `Looking after what ${transactionalId} may have left open outside the state failed: ${errorText(error)}`);
    }
  }
}

/** In these states the transaction of last resort is an aborted one; one that is ongoing is aborted by initialising. */
const aborting = new Set(["Ongoing", "PrepareAbort", "CompleteAbort", "PrepareEpochFence", "Dead"]);
/** TRANSACTIONAL_ID_NOT_FOUND: it expired, or was named by a claim and never used. */
const neverKnown = new Set([105]);
