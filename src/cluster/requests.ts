/**
 * The requests of the hot path, in versions every broker from 2.5 to 4.x speaks: fetch, produce and the three of a transaction.
 * An answer is decoded as it stands, with an error code per partition: who asked decides what it means.
 */
import { ByteReader, ByteWriter } from "./bytes";
import type { RawRequest } from "./kafkajs-internals";
import { type AbortedTransaction, RecordBatches, type RecordSlices } from "./record-batch-decoder";

const produceKey = 0;
const fetchKey = 1;
const initProducerIdKey = 22;
const addPartitionsToTxnKey = 24;
const endTxnKey = 26;
export const describeTransactionsKey = 65;

function raw<T>(
  apiKey: number,
  apiVersion: number,
  apiName: string,
  writer: ByteWriter,
  decode: (reader: ByteReader) => { readonly clientSideThrottleTime: number; readonly body: T },
): RawRequest<T> {
  return {
    request: { apiKey, apiVersion, apiName, encode: async () => writer.body() },
    response: { decode: async (payload) => decode(new ByteReader(payload)), parse: async (decoded) => decoded.body },
    logResponseError: false,
  };
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Entries of one topic stand together on the wire. */
export function byTopic<T extends TopicPartition>(entries: readonly T[]): Map<string, T[]> {
  const topics = new Map<string, T[]>();
  for (const entry of entries) {
    const known = topics.get(entry.topic);
    if (known === undefined) topics.set(entry.topic, [entry]);
    else known.push(entry);
  }
  return topics;
}

// ── fetch ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface FetchPosition extends TopicPartition {
  readonly offset: number;
  readonly bytesMax: number;
}

export interface FetchLimits {
  readonly readUncommitted: boolean;
  readonly waitMs: number;
  readonly bytesMin: number;
  readonly bytesMax: number;
}

export interface FetchedPartition extends TopicPartition {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  /** Decoded on demand: a partition nobody wants any more costs nothing. */
  from(offset: number): RecordSlices;
}

/** Fetch v11: … [topic [partition leader_epoch fetch_offset log_start_offset max_bytes]] [forgotten] rack. No fetch session. */
export function fetchRequest(positions: readonly FetchPosition[], limits: FetchLimits): RawRequest<FetchedPartition[]> {
  const writer = new ByteWriter(64 + positions.length * 64);
  writer.int32(-1).int32(limits.waitMs).int32(limits.bytesMin).int32(limits.bytesMax);
  writer
    .int8(limits.readUncommitted ? 0 : 1)
    .int32(0)
    .int32(-1);
  const topics = byTopic(positions);
  writer.int32(topics.size);
  for (const [topic, entries] of topics) {
    writer.string(topic).int32(entries.length);
    for (const entry of entries) writer.int32(entry.partition).int32(-1).int64(entry.offset).int64(-1).int32(entry.bytesMax);
  }
  writer.int32(0).string("");
  return raw(fetchKey, 11, "Fetch", writer, decodeFetched);
}

function decodeFetched(reader: ByteReader): { clientSideThrottleTime: number; body: FetchedPartition[] } {
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  reader.int32();
  const body: FetchedPartition[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string();
    for (let partitions = reader.int32(); partitions > 0; partitions--) {
      const partition = reader.int32();
      const partitionError = reader.int16();
      const highWatermark = reader.int64();
      const lastStableOffset = reader.int64();
      reader.int64();
      const aborted: AbortedTransaction[] = [];
      for (let count = reader.int32(); count > 0; count--)
        aborted.push({ producerId: reader.int64(), firstOffset: reader.int64() });
      reader.int32();
      const start = reader.at + 4;
      const end = start + Math.max(0, reader.int32());
      reader.at = end;
      body.push({
        topic,
        partition,
        errorCode: errorCode !== 0 ? errorCode : partitionError,
        highWatermark,
        lastStableOffset,
        from: (offset) => new RecordBatches(reader.buffer, start, end, offset, aborted),
      });
    }
  }
  return { clientSideThrottleTime, body };
}

// ── produce ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface ProducedPartition extends TopicPartition {
  readonly errorCode: number;
  readonly baseOffset: number;
}

/** Produce v7 => transactional_id acks timeout [topic [partition records]]; `writer` holds the whole body. */
export function produceRequest(writer: ByteWriter): RawRequest<ProducedPartition[]> {
  return raw(produceKey, 7, "Produce", writer, (reader) => {
    const body: ProducedPartition[] = [];
    for (let topics = reader.int32(); topics > 0; topics--) {
      const topic = reader.string();
      for (let partitions = reader.int32(); partitions > 0; partitions--) {
        const partition = reader.int32();
        const errorCode = reader.int16();
        const baseOffset = reader.int64();
        reader.at += 16;
        body.push({ topic, partition, errorCode, baseOffset });
      }
    }
    return { clientSideThrottleTime: reader.int32(), body };
  });
}

// ── transactions ─────────────────────────────────────────────────────────────────────────────────────────────────────

export interface ProducerIdentity {
  readonly errorCode: number;
  readonly producerId: number;
  readonly producerEpoch: number;
}

/**
 * InitProducerId v3, the first flexible one that takes the identity we hold: with it the broker raises the epoch only if nobody else
 * did (KIP-360), so a fenced router cannot bring itself back to life. Without one it raises the epoch whoever holds it: that fences.
 * The zero byte in front is the empty tag section of the flexible request header, which kafkajs does not write.
 */
export function initProducerIdRequest(
  transactionalId: string | null,
  transactionTimeoutMs: number,
  current: { readonly producerId: number; readonly producerEpoch: number } | undefined,
): RawRequest<ProducerIdentity> {
  const writer = new ByteWriter(64).int8(0).compactString(transactionalId).int32(transactionTimeoutMs);
  writer
    .int64(current?.producerId ?? -1)
    .int16(current?.producerEpoch ?? -1)
    .int8(0);
  return raw(initProducerIdKey, 3, "InitProducerId", writer, (reader) => {
    reader.int8();
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
  producer: { readonly producerId: number; readonly producerEpoch: number },
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

/** EndTxn v1 => transactional_id producer_id producer_epoch committed */
export function endTxnRequest(
  transactionalId: string,
  producer: { readonly producerId: number; readonly producerEpoch: number },
  commit: boolean,
): RawRequest<number> {
  const writer = new ByteWriter(64)
    .string(transactionalId)
    .int64(producer.producerId)
    .int16(producer.producerEpoch)
    .int8(commit ? 1 : 0);
  return raw(endTxnKey, 1, "EndTxn", writer, (reader) => {
    const clientSideThrottleTime = reader.int32();
    return { clientSideThrottleTime, body: reader.int16() };
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
    reader.int8();
    const clientSideThrottleTime = reader.int32();
    reader.int8();
    const errorCode = reader.int16();
    reader.compactString();
    return { clientSideThrottleTime, body: { errorCode, state: reader.compactString() } };
  });
}
