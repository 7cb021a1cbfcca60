/**
 * A producer: one producer id, one thing at a time. Sequence numbers make a repeated send harmless, so whatever may be tried again is
 * tried again with the same numbers until the budget is spent; the outcome is then known in every case but one
 * (`indefinite`: the commit's answer never came).
 *
 *   open ── write* ─────────────── (without a transactional id: acknowledged, at least once)
 *        └─ begin(partitions) ── write* ── commit ┐
 *                     ▲              └─ abort ────┤   abort raises our own epoch: sequences start at 0 again
 *                     └───────────────────────────┘
 *
 * P1: an identity is raised only from the identity we hold (initProducerIdRequest), never over a successor's.
 * P2: a batch keeps its sequence number over all its tries.
 * P3: a transaction whose coordinator or connection was lost since it began is sealed before the next one begins, with its own end.
 *
 * Why P3: a broker acknowledges the end of a transaction, and then writes its markers. One that dies in between takes them up again when
 * it comes back, but Kafka (4.3 too) skips the partitions that have no leader at that moment ("likely deleted already") and calls the
 * transaction complete: its records stay open for ever, and readers of committed records wait behind them. The next marker of the same
 * producer id closes them, whatever transaction it belongs to, and decides for them: so an empty transaction of the same end goes first.
 */
import type { OutputRecord, TopicBatch } from "../model/record";
import { errorText, errorType, type KafkajsBroker, protocolError } from "./kafkajs-internals";
import { isConnectionLost, type Link, pause } from "./link";
import { type ProducedBatch, produceRequest } from "./produce-request";
import { batchOverheadBytes, recordBytesMax } from "./record-batch-encoder";
import type { TopicPartition } from "./requests";
import {
  addPartitionsToTxnRequest,
  endTxnRequest,
  initProducerIdRequest,
  type PartitionError,
  type ProducerEpoch,
  type ProducerIdentity,
} from "./transaction-requests";

export type Refusal = "fenced" | "indefinite" | "aborted";

/** Why a transaction did not land. */
export class UnitError extends Error {
  constructor(
    readonly failure: Refusal,
    message: string,
  ) {
    super(message);
  }
}

/** The records of one partition, in order, and how many of them are acknowledged. */
export interface PartitionRecords extends TopicPartition {
  readonly records: OutputRecord[];
  sent: number;
  /** Largest batch the topic takes. */
  bytesMax: number;
  firstOffset: number | undefined;
}

export type TransactionEnd = "commit" | "abort";

interface Chunk extends ProducedBatch {
  readonly source: PartitionRecords;
}

/** One request carries about this much: larger ones only delay the first byte and grow buffers. A single larger record goes alone. */
const requestBytesAim = 2 * 1024 * 1024;
const retryFirstMs = 2;
const retryMaxMs = 200;
/** Brokers may not have heard of a new topic yet; one that was deleted will not come back. */
const unknownTopicMs = 5_000;
const sequenceEnd = 2147483648;
const networkException = 13;

const retriable = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_FOR_PARTITION",
  "REQUEST_TIMED_OUT",
  "NETWORK_EXCEPTION",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "KAFKA_STORAGE_ERROR",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "CONCURRENT_TRANSACTIONS",
  "GROUP_LOAD_IN_PROGRESS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR_FOR_GROUP",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR",
  "OPERATION_NOT_ATTEMPTED",
]);
const aboutCoordinator = new Set([
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR_FOR_GROUP",
  "COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR",
]);
const fencing = new Set([
  "INVALID_PRODUCER_EPOCH",
  "PRODUCER_FENCED",
  "INVALID_TXN_STATE",
  "INVALID_PRODUCER_ID_MAPPING",
  "TRANSACTION_COORDINATOR_FENCED",
]);

function failureOf(error: unknown): Refusal {
  if (error instanceof UnitError) return error.failure;
  return fencing.has(errorType(error)) ? "fenced" : "aborted";
}

/** The transaction that began last. */
interface LastTransaction {
  readonly partitions: readonly TopicPartition[];
  /** Undefined while it is open. */
  readonly end: TransactionEnd | undefined;
  /** The link's, when it began: another one now means that its markers may be missing. */
  readonly generation: number;
}

export class Producer {
  #last: LastTransaction | undefined;
  /** From `begin` until the outcome is known. */
  #busy = false;
  #sealing: Promise<void> | undefined;
  #identity: ProducerEpoch | undefined;
  readonly #sequences = new Map<string, number>();
  #closed = false;
  /** Of the open transaction: its kind is version 2 (transaction-requests.ts). */
  #raising = false;

  constructor(
    readonly link: Link,
    readonly transactionalId: string | undefined,
    readonly transactionTimeoutMs: number,
    /** How long one call may go on trying. */
    readonly budgetMs: number,
  ) {}

  /** Somebody else initialised our transactional id (or the broker gave the transaction up): this producer is finished. */
  static isFenced(error: unknown): boolean {
    return failureOf(error) === "fenced";
  }

  /** A fresh epoch of the id: whoever held it before is fenced and its open transaction aborted when this returns. */
  async open(): Promise<void> {
    this.#identity = undefined;
    this.#last = undefined;
    await this.#initialise();
  }

  async #initialise(): Promise<void> {
    const deadline = Date.now() + this.budgetMs;
    await this.#retry(deadline, async () => {
      const broker = await this.#coordinator();
      const request = initProducerIdRequest(this.transactionalId ?? null, this.transactionTimeoutMs, this.#identity);
      const answer = await broker.connectionPool.send(request);
      if (answer.errorCode !== 0) throw protocolError(answer.errorCode);
      this.#goOn(answer);
    });
  }

  /** Announces the partitions of a transaction, all at once; in transactions of version 2 writing does it. */
  async begin(partitions: readonly TopicPartition[]): Promise<void> {
    this.#busy = true;
    await this.#sealing;
    await this.#retry(Date.now() + this.budgetMs, async () => {
      await this.#sealLast();
      await this.#chooseKind();
      if (!this.#raising) await this.#announce(partitions);
      const topicPartitions = partitions.map(({ topic, partition }) => ({ topic, partition }));
      this.#last = { partitions: topicPartitions, end: undefined, generation: this.link.generation };
    });
  }

  async #chooseKind(): Promise<void> {
    this.#raising = (await this.link.transactionVersion(await this.#coordinator())) >= 2;
  }

  async #announce(partitions: readonly TopicPartition[]): Promise<void> {
    const failed = await this.#refusals(partitions);
    // One partition's fault keeps the others from being attempted; the fault itself is what to look at.
    const fault = failed.find(({ errorCode }) => protocolError(errorCode).type !== "OPERATION_NOT_ATTEMPTED") ?? failed[0];
    if (fault !== undefined) throw protocolError(fault.errorCode);
  }

  async #refusals(partitions: readonly TopicPartition[]): Promise<PartitionError[]> {
    const broker = await this.#coordinator();
    const request = addPartitionsToTxnRequest(this.#transactional(), this.#opened(), partitions);
    return (await broker.connectionPool.send(request)).filter(({ errorCode }) => errorCode !== 0);
  }

  /**
   * An empty transaction: its markers end what an earlier one of this producer id may have left open in these partitions. Answers with
   * those that cannot be had (any more).
   */
  async seal(partitions: readonly TopicPartition[], end: TransactionEnd): Promise<readonly TopicPartition[]> {
    const absent: TopicPartition[] = [];
    await this.#retry(Date.now() + this.budgetMs, async () => {
      absent.push(...(await this.#sealNow(without(partitions, absent), end)));
    });
    return absent;
  }

  async #sealNow(partitions: readonly TopicPartition[], end: TransactionEnd): Promise<readonly TopicPartition[]> {
    await this.#chooseKind();
    const refused = await this.#refusals(partitions);
    const absent = refused.filter(({ errorCode }) => isAbsent(errorCode));
    const rest = without(partitions, absent);
    if (rest.length === 0) return absent;
    if (refused.length > 0) await this.#announce(rest);
    await this.#end(end);
    return absent;
  }

  /**
   * Tried again by itself: once it is done the epoch may be another, which only this request, asked again, tells. `unanswered` is called
   * when no answer came to a try.
   */
  async #end(end: TransactionEnd, unanswered?: () => void): Promise<void> {
    await this.#retry(Date.now() + this.budgetMs, async () => {
      const coordinator = await this.#coordinator();
      const request = endTxnRequest(this.#transactional(), this.#opened(), end === "commit", this.#raising);
      let answer: ProducerIdentity;
      try {
        answer = await coordinator.connectionPool.send(request);
      } catch (error) {
        unanswered?.();
        throw error;
      }
      if (answer.errorCode !== 0) throw protocolError(answer.errorCode);
      if (this.#raising) this.#goOn(answer);
    });
  }

  /** In version 2 each transaction has an epoch of its own, and after the last one of a producer id another id. */
  #goOn({ producerId, producerEpoch }: ProducerEpoch): void {
    this.#identity = { producerId, producerEpoch };
    this.#sequences.clear();
  }

  /** P3, between transactions; while one is under way it is left to its end. */
  async sealWhenIdle(): Promise<void> {
    if (this.#busy || this.#sealing !== undefined || this.#last === undefined) return;
    this.#sealing = this.#retry(Date.now() + this.budgetMs, () => this.#sealLast())
      // The next transaction tries again, and says what is the matter.
      .catch(() => undefined)
      .finally(() => {
        this.#sealing = undefined;
      });
    await this.#sealing;
  }

  /** P3. Asking for the coordinator notices a connection that was lost while nothing was sent. */
  async #sealLast(): Promise<void> {
    const last = this.#last;
    if (last?.end === undefined) return;
    await this.#coordinator();
    const { generation } = this.link;
    if (last.generation === generation) return;
    await this.#sealNow(last.partitions, last.end);
    this.#last = { ...last, generation };
  }

  /** The outcome is known. What a broker lost meanwhile may have left open is seen to at once, since readers may be waiting. */
  async #ended(end: TransactionEnd): Promise<void> {
    this.#busy = false;
    const last = this.#last;
    if (last === undefined) return;
    this.#last = { ...last, end: last.end ?? end };
    if (last.generation !== this.link.generation) await this.sealWhenIdle();
  }

  /** All records acknowledged by all replicas, in order per partition. */
  async write(partitions: readonly PartitionRecords[]): Promise<void> {
    const deadline = Date.now() + this.budgetMs;
    for (let open = partitions.filter(unsent); open.length > 0; open = open.filter(unsent)) {
      await this.#send(this.#nextChunks(open), deadline);
    }
  }

  /** The next request's worth: one batch per partition, within the topic's limit. */
  #nextChunks(open: readonly PartitionRecords[]): Chunk[] {
    const chunks: Chunk[] = [];
    let requestBytes = 0;
    for (const source of open) {
      if (requestBytes >= requestBytesAim && chunks.length > 0) break;
      const bytesMax = Math.min(source.bytesMax, Math.max(requestBytesAim - requestBytes, 0));
      let bytes = batchOverheadBytes;
      let to = source.sent;
      while (to < source.records.length) {
        const more = recordBytesMax(source.records[to] as OutputRecord);
        if (to > source.sent && bytes + more > bytesMax) break;
        if (to === source.sent && chunks.length > 0 && bytes + more > bytesMax) break;
        bytes += more;
        to++;
      }
      if (to === source.sent) continue;
      requestBytes += bytes;
      const { topic, partition, records, sent } = source;
      const sequence = this.#takeSequence(source, to - sent);
      chunks.push({ source, topic, partition, records, from: sent, to, sequence, bytes });
    }
    return chunks;
  }

  #takeSequence({ topic, partition }: TopicPartition, count: number): number {
    const key = `${topic}/${partition}`;
    const sequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, (sequence + count) % sequenceEnd);
    return sequence;
  }

  async #send(chunks: readonly Chunk[], deadline: number): Promise<void> {
    let rest = chunks;
    let tried = false;
    await this.#retry(deadline, async () => {
      const perLeader = new Map<number, Chunk[]>();
      for (const chunk of rest) {
        const node = await this.link.leader(chunk.source, tried);
        const known = perLeader.get(node);
        if (known === undefined) perLeader.set(node, [chunk]);
        else known.push(chunk);
      }
      tried = true;
      const outcomes = await Promise.allSettled([...perLeader].map(([node, share]) => this.#produce(node, share)));
      rest = rest.filter(({ source, to }) => source.sent < to);
      const failed = outcomes.find((outcome) => outcome.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      if (rest.length > 0) throw protocolError(networkException); // P2: an answer without our partition is no acknowledgement.
    });
  }

  async #produce(node: number, chunks: readonly Chunk[]): Promise<void> {
    const broker = await this.link.broker(node);
    const answers = await broker.connectionPool.send(
      produceRequest(chunks, {
        transactionalId: this.transactionalId ?? null,
        producer: { ...this.#opened(), transactional: this.transactionalId !== undefined },
        adding: this.#raising,
        timeoutMs: this.link.specification.requestTimeoutMs ?? 30_000,
      }),
    );
    let fault: number | undefined;
    for (const answer of answers) {
      const chunk = chunks.find(({ topic, partition }) => partition === answer.partition && topic === answer.topic);
      if (chunk === undefined) continue;
      const type = answer.errorCode === 0 ? undefined : protocolError(answer.errorCode).type;
      // Our first try had landed and only its answer was lost.
      if (type === undefined || type === "DUPLICATE_SEQUENCE_NUMBER") {
        chunk.source.sent = chunk.to;
        chunk.source.firstOffset ??= answer.baseOffset;
      } else if (fault === undefined || !retriable.has(type)) {
        fault = answer.errorCode;
      }
    }
    if (fault !== undefined) throw protocolError(fault);
  }

  /** After this the transaction is visible; `indefinite` when the broker's answer could not be had. */
  async commit(): Promise<void> {
    let unanswered = false;
    try {
      await this.#end("commit", () => {
        unanswered = true;
      });
    } catch (error) {
      const failure = unanswered ? "indefinite" : failureOf(error);
      throw new UnitError(failure, `the commit of the transaction of ${this.transactionalId} failed: ${errorText(error)}`);
    }
    await this.#ended("commit");
  }

  /** Nothing of the open transaction will be visible, and this producer may begin again. */
  async abort(): Promise<void> {
    await this.#initialise();
    await this.#ended("abort");
  }

  #transactional(): string {
    if (this.transactionalId === undefined) throw new Error("this producer has no transactional id");
    return this.transactionalId;
  }

  #opened(): ProducerEpoch {
    if (this.#identity === undefined) throw new Error("this producer is not initialised");
    return this.#identity;
  }

  async #coordinator(): Promise<KafkajsBroker> {
    if (this.transactionalId === undefined) return (await this.link.cluster()).findControllerBroker();
    return this.link.coordinator("transaction", this.transactionalId);
  }

  async #retry(deadline: number, attempt: () => Promise<void>): Promise<void> {
    const unknownDeadline = Math.min(deadline, Date.now() + unknownTopicMs);
    for (let waitMs = retryFirstMs; ; waitMs = Math.min(waitMs * 2, retryMaxMs)) {
      try {
        return await attempt();
      } catch (error) {
        const type = errorType(error);
        const lost = isConnectionLost(error);
        const until = type === "UNKNOWN_TOPIC_OR_PARTITION" ? unknownDeadline : deadline;
        if (this.#closed || (!lost && !retriable.has(type)) || Date.now() + waitMs > until) throw error;
        if (lost) this.link.renew();
        else if (aboutCoordinator.has(type)) this.link.forgetCoordinators();
        await pause(waitMs);
      }
    }
  }

  /** Stop trying. The link is the caller's. */
  close(): void {
    this.#closed = true;
  }
}

/** Nobody can be kept waiting there: the topic was deleted, or is ours no more. */
function isAbsent(errorCode: number): boolean {
  const { type } = protocolError(errorCode);
  return type === "UNKNOWN_TOPIC_OR_PARTITION" || type === "TOPIC_AUTHORIZATION_FAILED";
}

function without(partitions: readonly TopicPartition[], others: readonly TopicPartition[]): readonly TopicPartition[] {
  if (others.length === 0) return partitions;
  return partitions.filter((each) => !others.some((other) => other.topic === each.topic && other.partition === each.partition));
}

function unsent({ sent, records }: PartitionRecords): boolean {
  return sent < records.length;
}

/** The records of each partition together, in the order given. */
export function groupByPartition(batches: readonly TopicBatch[], bytesMaxOf: (topic: string) => number): PartitionRecords[] {
  const groups: PartitionRecords[] = [];
  const perTopic = new Map<string, PartitionRecords[]>();
  for (const { topic, records } of batches) {
    let partitions = perTopic.get(topic);
    if (partitions === undefined) {
      partitions = [];
      perTopic.set(topic, partitions);
    }
    for (const record of records) {
      let group = partitions[record.partition];
      if (group === undefined) {
        group = { topic, partition: record.partition, records: [], sent: 0, bytesMax: bytesMaxOf(topic), firstOffset: undefined };
        partitions[record.partition] = group;
        groups.push(group);
      }
      group.records.push(record);
    }
  }
  return groups;
}
