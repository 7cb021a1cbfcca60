/**
 * The requests of a transaction.
 *
 * Kafka knows two kinds. In the first the client adds partitions (AddPartitionsToTxn), writes (Produce), and ends (EndTxn v1); sequence
 * numbers go on from transaction to transaction. In version 2 (KIP-890, brokers from 4.0) Produce adds them, one request less, and
 * EndTxn v5 answers with a raised epoch, in which sequence numbers begin at 0: what a late Produce of a transaction that was ended
 * brings can never get into the next one. Which one a cluster speaks is its finalized feature `transaction.version`.
 */
import { type ByteReader, ByteWriter } from "./bytes";
import type { KafkajsBroker, RawRequest } from "./kafkajs-internals";
import { addingProduce, produceKey } from "./produce-request";
import { byTopic, raw, type TopicPartition } from "./requests";

const apiVersionsKey = 18;
const initProducerIdKey = 22;
const addPartitionsToTxnKey = 24;
const endTxnKey = 26;
const raisingEndTxn = 5;
export const describeTransactionsKey = 65;

/** Producer id and epoch, as held. */
export interface ProducerEpoch {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export interface ProducerIdentity extends ProducerEpoch {
  readonly errorCode: number;
}

/**
 * InitProducerId v3, the first flexible one that takes the identity we hold: with it the broker raises the epoch only if nobody else
 * did (KIP-360), so a fenced router cannot bring itself back to life. Without one it raises the epoch whoever holds it: that fences.
 */
export function initProducerIdRequest(
  transactionalId: string | null,
  transactionTimeoutMs: number,
  current: ProducerEpoch | undefined,
): RawRequest<ProducerIdentity> {
  const writer = new ByteWriter(64).int8(0).compactString(transactionalId).int32(transactionTimeoutMs);
  writer
    .int64(current?.producerId ?? -1)
    .int16(current?.producerEpoch ?? -1)
    .int8(0);
  return raw(initProducerIdKey, 3, "InitProducerId", writer, (reader) => {
    reader.skipTags();
    const clientSideThrottleTime = reader.int32();
    const body = { errorCode: reader.int16(), producerId: reader.int64(), producerEpoch: reader.int16() };
    return { clientSideThrottleTime, body };
  });
}

export interface PartitionError extends TopicPartition {
  readonly errorCode: number;
}

/** AddPartitionsToTxn v1 => transactional_id producer_id producer_epoch [topic [partition]] */
export function addPartitionsToTxnRequest(
  transactionalId: string,
  producer: ProducerEpoch,
  partitions: readonly TopicPartition[],
): RawRequest<PartitionError[]> {
  const writer = new ByteWriter(64 + partitions.length * 8);
  writer.string(transactionalId).int64(producer.producerId).int16(producer.producerEpoch);
  const topics = byTopic(partitions);
  writer.int32(topics.size);
  for (const [topic, entries] of topics) {
    writer.string(topic).int32(entries.length);
    for (const entry of entries) writer.int32(entry.partition);
  }
  return raw(addPartitionsToTxnKey, 1, "AddPartitionsToTxn", writer, (reader) => {
    const clientSideThrottleTime = reader.int32();
    const body: PartitionError[] = [];
    for (let count = reader.int32(); count > 0; count--) {
      const topic = reader.string();
      for (let inner = reader.int32(); inner > 0; inner--)
        body.push({ topic, partition: reader.int32(), errorCode: reader.int16() });
    }
    return { clientSideThrottleTime, body };
  });
}

/**
 * EndTxn v1 => transactional_id producer_id producer_epoch committed; v5 the same, flexible, and answers with the identity to go on
 * with, which the broker tells again when it is asked again.
 */
export function endTxnRequest(
  transactionalId: string,
  producer: ProducerEpoch,
  commit: boolean,
  raising: boolean,
): RawRequest<ProducerIdentity> {
  const writer = new ByteWriter(64);
  if (raising) writer.int8(0).compactString(transactionalId);
  else writer.string(transactionalId);
  writer
    .int64(producer.producerId)
    .int16(producer.producerEpoch)
    .int8(commit ? 1 : 0);
  if (raising) writer.int8(0);
  return raw(endTxnKey, raising ? raisingEndTxn : 1, "EndTxn", writer, (reader) => {
    if (raising) reader.skipTags();
    const clientSideThrottleTime = reader.int32();
    const errorCode = reader.int16();
    const { producerId, producerEpoch } = raising ? { producerId: reader.int64(), producerEpoch: reader.int16() } : producer;
    return { clientSideThrottleTime, body: { errorCode, producerId, producerEpoch } };
  });
}

export interface DescribedTransaction {
  readonly errorCode: number;
  /** By Kafka's names: Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, … */
  readonly state: string;
}

/** DescribeTransactions v0 => [transactional_id], all flexible; of one id, and of what the broker tells only the state. From Kafka 3.0. */
export function describeTransactionRequest(transactionalId: string): RawRequest<DescribedTransaction> {
  const writer = new ByteWriter(64).int8(0).int8(2).compactString(transactionalId).int8(0);
  return raw(describeTransactionsKey, 0, "DescribeTransactions", writer, (reader) => {
    reader.skipTags();
    const clientSideThrottleTime = reader.int32();
    reader.int8();
    const errorCode = reader.int16();
    reader.compactString();
    return { clientSideThrottleTime, body: { errorCode, state: reader.compactString() } };
  });
}

/** Does the broker speak what version 2 needs? Only then it is worth asking, and can be asked, for the cluster's features. */
export function knowsTransactions2({ versions }: KafkajsBroker): boolean {
  return (versions?.[produceKey]?.maxVersion ?? 0) >= addingProduce && (versions?.[endTxnKey]?.maxVersion ?? 0) >= raisingEndTxn;
}

const finalizedFeatures = 2;

/**
 * ApiVersions v3 => client_software_name client_software_version, all flexible; its answer has the header of version 0 and, in tag 2,
 * the cluster's finalized features: [name max_version_level min_version_level]. Body: the level of `transaction.version`, or 0.
 */
export function transactionVersionRequest(): RawRequest<number> {
  const writer = new ByteWriter(64).int8(0).compactString("dirigo").compactString("1").int8(0);
  return raw(apiVersionsKey, 3, "ApiVersions", writer, (reader) => {
    const errorCode = reader.int16();
    if (errorCode !== 0) return { clientSideThrottleTime: 0, body: 0 };
    for (let keys = reader.uvarint() - 1; keys > 0; keys--) {
      reader.at += 6;
      reader.skipTags();
    }
    return { clientSideThrottleTime: reader.int32(), body: transactionVersion(reader) };
  });
}

function transactionVersion(reader: ByteReader): number {
  for (let tags = reader.uvarint(); tags > 0; tags--) {
    const tag = reader.uvarint();
    const size = reader.uvarint();
    const end = reader.at + size;
    if (tag === finalizedFeatures) return levelOf("transaction.version", reader);
    reader.at = end;
  }
  return 0;
}

function levelOf(feature: string, reader: ByteReader): number {
  for (let features = reader.uvarint() - 1; features > 0; features--) {
    const name = reader.compactString();
    const level = reader.int16();
    if (name === feature) return level;
    reader.int16();
    reader.skipTags();
  }
  return 0;
}
