/**
 * What a function sends to an egress becomes a Kafka record: `io.statefun.kafka.v1/egress` (a KafkaProducerRecord names topic, key
 * and value; STATEFUN.md §1.6, §3.5) and `io.dirigo.kafka.v1/raw-egress` (any TypedValue to a fixed topic).
 */
import { Reader } from "protobufjs/minimal";
import type { EgressSpecification } from "../config/specification";
import { ProtocolError } from "../model/errors";
import { TextMemo } from "../model/text-memo";

export const KAFKA_RECORD_TYPENAME = "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord";

export interface EgressRecord {
  readonly topic: string;
  readonly key: string | null;
  readonly value: Uint8Array;
  readonly headers: Record<string, Uint8Array | string> | undefined;
}

/** What a function sends: a TypedValue, opened. Its value is `buffer[from..to)`. */
export interface EgressArgument {
  readonly typename: string;
  readonly buffer: Uint8Array;
  readonly from: number;
  readonly to: number;
}

const EMPTY = new Uint8Array(0);
const keys = new TextMemo();
const topics = new TextMemo();

/** What Kafka adds around a record in a batch, generously: attributes, deltas, lengths, and the batch's own head. */
const RECORD_OVERHEAD_BYTES = 100;

/** Throws ProtocolError when the argument is not what the egress takes. */
export function egressRecord(egress: EgressSpecification, argument: EgressArgument, senderId: string): EgressRecord {
  if (egress.kind === "raw") {
    const key = egress.key === "sender-id" ? senderId : null;
    const value = argument.buffer.subarray(argument.from, argument.to);
    return { topic: egress.topic, key, value, headers: { typename: argument.typename } };
  }
  if (argument.typename !== KAFKA_RECORD_TYPENAME) {
    throw new ProtocolError(
      `egress ${egress.id} takes ${KAFKA_RECORD_TYPENAME}, not ${argument.typename || "a value without typename"}`,
    );
  }
  return decodeProducerRecord(egress.id, argument);
}

/** Of the reply that was looked into last, which mostly holds the next record, too. */
let lastReader = Reader.create(EMPTY);

function readerOf({ buffer, from, to }: EgressArgument): Reader {
  if (lastReader.buf !== buffer) lastReader = Reader.create(buffer);
  lastReader.pos = from;
  lastReader.len = to;
  return lastReader;
}

/** KafkaProducerRecord { string key = 1; bytes value_bytes = 2; string topic = 3 } and the kzmlabs fork's headers = 4 { key, value, has_value }. */
function decodeProducerRecord(egress: string, argument: EgressArgument): EgressRecord {
  let key = "";
  let value: Uint8Array = EMPTY;
  let topic = "";
  let headers: Record<string, Uint8Array | string> | undefined;
  try {
    const reader = readerOf(argument);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === 0x0a) key = keys.read(reader);
      else if (tag === 0x12) value = readValue(reader);
      else if (tag === 0x1a) topic = topics.read(reader);
      else if (tag === 0x22) headers = readHeader(reader, reader.uint32() + reader.pos, headers ?? {});
      else reader.skipType(tag & 7);
    }
  } catch (error) {
    throw new ProtocolError(`the record for egress ${egress} is not a KafkaProducerRecord: ${(error as Error).message}`);
  }
  if (!topic) throw new ProtocolError(`the record for egress ${egress} names no topic`);
  // An empty key is no key, as in StateFun (§3.5).
  return { topic, key: key || null, value, headers };
}

/** As `reader.bytes()`, at a third of the cost of a Buffer. */
function readValue(reader: Reader): Uint8Array {
  const length = reader.uint32();
  const { buf, pos } = reader;
  if (pos + length > reader.len) throw new RangeError(`a field ends at byte ${pos + length} of ${reader.len}`);
  reader.pos = pos + length;
  return new Uint8Array(buf.buffer, buf.byteOffset + pos, length);
}

function readHeader(
  reader: Reader,
  end: number,
  headers: Record<string, Uint8Array | string>,
): Record<string, Uint8Array | string> {
  let name = "";
  let value: Uint8Array = EMPTY;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 0x0a) name = reader.string();
    else if (tag === 0x12) value = reader.bytes();
    else reader.skipType(tag & 7);
  }
  headers[name] = value;
  return headers;
}

export function recordBytes(record: EgressRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + record.value.length + (record.key ? record.key.length * 3 : 0);
  for (const name in record.headers) {
    const value = record.headers[name] as Uint8Array | string;
    bytes += name.length * 3 + (typeof value === "string" ? value.length * 3 : value.length);
  }
  return bytes;
}
