/**
 * Produce, in two versions: 7, which all brokers speak, and 12, with which the broker adds the partitions to the transaction by itself
 * (KIP-890). It is the first with that meaning; its shape is version 9's, the first flexible one.
 *
 *   Produce v7  => transactional_id acks timeout [topic [partition records]]
 *   Produce v12 => the same with compact lengths, and a tag section behind each partition, each topic and the whole
 */
import type { OutputRecord } from "../model/record";
import { type ByteReader, ByteWriter, writeWideUvarint } from "./bytes";
import type { RawRequest } from "./kafkajs-internals";
import { type BatchProducer, writeRecordBatch } from "./record-batch-encoder";
import { byTopic, raw, type TopicPartition } from "./requests";

export const produceKey = 0;
/** The first version with which the broker adds partitions to a transaction. */
export const addingProduce = 12;
const plainProduce = 7;
const acksAll = -1;

/** `records[from..to)` as one batch; `bytes` is no less than it takes. */
export interface ProducedBatch extends TopicPartition {
  readonly records: readonly OutputRecord[];
  readonly from: number;
  readonly to: number;
  readonly sequence: number;
  readonly bytes: number;
}

export interface ProduceSettings {
  readonly transactionalId: string | null;
  readonly producer: BatchProducer;
  /** The broker is to add the partitions to the transaction. */
  readonly adding: boolean;
  readonly timeoutMs: number;
}

export interface ProducedPartition extends TopicPartition {
  readonly errorCode: number;
  readonly baseOffset: number;
}

export function produceRequest(batches: readonly ProducedBatch[], settings: ProduceSettings): RawRequest<ProducedPartition[]> {
  const writer = new ByteWriter(256 + batches.reduce((sum, { bytes, topic }) => sum + bytes + 16 + topic.length * 3, 0));
  return settings.adding
    ? raw(produceKey, addingProduce, "Produce", flexibleBody(writer, batches, settings), decodeFlexible)
    : raw(produceKey, plainProduce, "Produce", plainBody(writer, batches, settings), decodePlain);
}

function plainBody(writer: ByteWriter, batches: readonly ProducedBatch[], settings: ProduceSettings): ByteWriter {
  const nowMs = Date.now();
  writer.string(settings.transactionalId).int16(acksAll).int32(settings.timeoutMs);
  const topics = byTopic(batches);
  writer.int32(topics.size);
  for (const [topic, entries] of topics) {
    writer.string(topic).int32(entries.length);
    for (const batch of entries) {
      writer.int32(batch.partition).int32(0);
      const start = writer.at;
      writeRecords(writer, batch, settings.producer, nowMs);
      writer.buffer.writeInt32BE(writer.at - start, start - 4);
    }
  }
  return writer;
}

function flexibleBody(writer: ByteWriter, batches: readonly ProducedBatch[], settings: ProduceSettings): ByteWriter {
  const nowMs = Date.now();
  writer.int8(0).compactString(settings.transactionalId).int16(acksAll).int32(settings.timeoutMs);
  const topics = byTopic(batches);
  writer.uvarint(topics.size + 1);
  for (const [topic, entries] of topics) {
    writer.compactString(topic).uvarint(entries.length + 1);
    for (const batch of entries) {
      // How long the batch is, is known behind it: its length has a fixed number of bytes.
      writer.int32(batch.partition).int32(0);
      const start = writer.at;
      writeRecords(writer, batch, settings.producer, nowMs);
      writeWideUvarint(writer.buffer, start - 4, writer.at - start + 1);
      writer.int8(0);
    }
    writer.int8(0);
  }
  return writer.int8(0);
}

function writeRecords(writer: ByteWriter, batch: ProducedBatch, producer: BatchProducer, nowMs: number): void {
  writer.reserve(batch.bytes);
  writeRecordBatch(writer, batch.records, batch.from, batch.to, producer, batch.sequence, nowMs);
}

function decodePlain(reader: ByteReader): { clientSideThrottleTime: number; body: ProducedPartition[] } {
  const body: ProducedPartition[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string();
    for (let partitions = reader.int32(); partitions > 0; partitions--) {
      body.push({ topic, partition: reader.int32(), errorCode: reader.int16(), baseOffset: reader.int64() });
      reader.at += 16;
    }
  }
  return { clientSideThrottleTime: reader.int32(), body };
}

function decodeFlexible(reader: ByteReader): { clientSideThrottleTime: number; body: ProducedPartition[] } {
  const body: ProducedPartition[] = [];
  reader.skipTags();
  for (let topics = reader.uvarint() - 1; topics > 0; topics--) {
    const topic = reader.compactString();
    for (let partitions = reader.uvarint() - 1; partitions > 0; partitions--) {
      body.push({ topic, partition: reader.int32(), errorCode: reader.int16(), baseOffset: reader.int64() });
      reader.at += 16;
      skipRecordErrors(reader);
      reader.compactString();
      reader.skipTags();
    }
    reader.skipTags();
  }
  return { clientSideThrottleTime: reader.int32(), body };
}

/** Which records of a refused batch are at fault: [index message]. The batch is refused as a whole. */
function skipRecordErrors(reader: ByteReader): void {
  for (let faults = reader.uvarint() - 1; faults > 0; faults--) {
    reader.int32();
    reader.compactString();
    reader.skipTags();
  }
}
