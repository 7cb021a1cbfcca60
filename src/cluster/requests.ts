/**
 * What the requests of the hot path have in common, and fetching. Versions are those every broker from 2.5 to 4.x speaks, but for
 * the ones of Kafka's transactions of version 2 (transaction-requests.ts).
 * An answer is decoded as it stands, with an error code per partition: who asked decides what it means.
 * The zero byte in front of a flexible request is the empty tag section of its header, which kafkajs does not write.
 */
import { ByteReader, ByteWriter } from "./bytes";
import type { RawRequest } from "./kafkajs-internals";
import { type AbortedTransaction, RecordBatches, type RecordSlices } from "./record-batch-decoder";

const fetchKey = 1;

export function raw<T>(
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
