/**
 * A message that waits across units: sent by a function and not yet finished, or delayed until an instant.
 * Wire of the record `m NUL sequence` in `<group>.state` (a tombstone when finished or cancelled).
 */
import { Reader, Writer } from "protobufjs/minimal";
import type { Address } from "../model/address";
import { decoded, ProtocolError } from "../model/errors";
import { type Header, type Mark, MESSAGE_OVERHEAD_BYTES, Message, type Provenance } from "../model/message";
import { TypedValue } from "../model/typed-value";
import { detachTypedValue, encodeAddress, ended, readAddress, typedValueBytes } from "./wire";

/** A message that is delivered at an instant, unless its token is cancelled before. */
export interface Delayed {
  readonly message: Message;
  readonly dueMs: number;
  /** Empty: cannot be cancelled. */
  readonly token: string;
  cancelled: boolean;
  fired: boolean;
}

export const NO_PROVENANCE: Provenance = { timestampMs: 0, headers: [], traceparent: undefined };

/** Fields: 1 version, 2 target, 3 caller, 4 argument, 5 due ms (0: not delayed), 6 token, 7 ingress ms, 8 deadline ms, 9 record timestamp, 10 traceparent, 11* headers {1 key, 2 value}, 12 application, 13 rank, 14 mark {1 critical, 2 series, 3 barrier + 1, 4 after + 1, 5 channel}. */
export function encodePending(message: Message, dueMs: number, token: string, application: string): Uint8Array {
  const writer = Writer.create();
  writer.uint32(8).uint32(1);
  writer.uint32(18).bytes(encodeAddress(message.target));
  if (message.caller) writer.uint32(26).bytes(encodeAddress(message.caller));
  writer.uint32(34).bytes(detachTypedValue(message.argument).head);
  if (dueMs > 0) writer.uint32(40).uint64(Math.ceil(dueMs));
  if (token) writer.uint32(50).string(token);
  writer.uint32(56).uint64(Math.floor(message.ingressMs));
  writer.uint32(64).uint64(Math.max(0, Math.floor(message.deadlineMs)));
  const provenance = message.provenance;
  if (provenance.timestampMs > 0) writer.uint32(72).uint64(provenance.timestampMs);
  if (provenance.traceparent !== undefined) writer.uint32(82).string(provenance.traceparent);
  for (const header of provenance.headers) {
    writer.uint32(90).fork().uint32(10).string(header.key);
    if (header.value) writer.uint32(18).bytes(header.value);
    writer.ldelim();
  }
  if (application) writer.uint32(98).string(application).uint32(105).double(message.rank);
  if (message.mark) writeMark(writer.uint32(114).fork(), message.mark);
  return writer.finish();
}

function writeMark(writer: Writer, { critical, series, barrier, after, channel }: Mark): void {
  if (critical) writer.uint32(8).bool(true);
  if (series) writer.uint32(18).string(series);
  if (barrier >= 0) writer.uint32(24).uint64(barrier + 1);
  if (after >= 0) writer.uint32(32).uint64(after + 1);
  if (channel) writer.uint32(42).string(channel);
  writer.ldelim();
}

export interface DecodedPending {
  readonly message: Message;
  /** Its application's name; empty: none's. */
  readonly application: string;
  readonly dueMs: number;
  readonly token: string;
}

/** Throws ProtocolError when written by a newer version, or broken. The message owns its bytes. */
export function decodePending(sequence: number, record: Uint8Array, now: number): DecodedPending {
  return decoded(
    () => `waiting message ${sequence}`,
    () => readFields(sequence, Reader.create(new Uint8Array(record)), now),
  );
}

function readFields(sequence: number, reader: Reader, now: number): DecodedPending {
  let target: Address | undefined;
  let caller: Address | undefined;
  let argument = new TypedValue(new Uint8Array(0), undefined);
  let dueMs = 0;
  let token = "";
  let ingressMs = now;
  let deadlineMs = now;
  let timestampMs = 0;
  let traceparent: string | undefined;
  let application = "";
  let rank = Number.POSITIVE_INFINITY;
  let mark: Mark | undefined;
  const headers: Header[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    switch (tag >>> 3) {
      case 1: {
        const version = reader.uint32();
        if (version !== 1) throw new ProtocolError(`is of version ${version}; this router reads version 1`);
        break;
      }
      case 2:
        target = readAddress(reader, reader.uint32() + reader.pos);
        break;
      case 3:
        caller = readAddress(reader, reader.uint32() + reader.pos);
        break;
      case 4:
        argument = new TypedValue(reader.bytes(), undefined);
        break;
      case 5:
        dueMs = Number(reader.uint64());
        break;
      case 6:
        token = reader.string();
        break;
      case 7:
        ingressMs = Number(reader.uint64());
        break;
      case 8:
        deadlineMs = Number(reader.uint64());
        break;
      case 9:
        timestampMs = Number(reader.uint64());
        break;
      case 10:
        traceparent = reader.string();
        break;
      case 11:
        headers.push(readHeader(reader, reader.uint32() + reader.pos));
        break;
      case 12:
        application = reader.string();
        break;
      case 13:
        rank = reader.double();
        break;
      case 14:
        mark = readMark(reader, reader.uint32() + reader.pos);
        break;
      default:
        reader.skipType(tag & 7);
    }
  }
  if (!target) throw new ProtocolError("has no target");
  const provenance = { timestampMs, headers, traceparent };
  const bytes = typedValueBytes(argument) + MESSAGE_OVERHEAD_BYTES;
  const message = new Message(target, caller, argument, bytes, undefined, sequence, ingressMs, now, deadlineMs, 0, provenance);
  message.persisted = true;
  message.rank = rank;
  message.mark = mark;
  return { message, application, dueMs, token };
}

function readMark(reader: Reader, end: number): Mark {
  let mark: Mark = { critical: false, series: "", barrier: -1, after: -1, channel: "" };
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 8) mark = { ...mark, critical: reader.bool() };
    else if (tag === 18) mark = { ...mark, series: reader.string() };
    else if (tag === 24) mark = { ...mark, barrier: Number(reader.uint64()) - 1 };
    else if (tag === 32) mark = { ...mark, after: Number(reader.uint64()) - 1 };
    else if (tag === 42) mark = { ...mark, channel: reader.string() };
    else reader.skipType(tag & 7);
  }
  ended(reader, end);
  return mark;
}

function readHeader(reader: Reader, end: number): Header {
  let key = "";
  let value: Uint8Array | null = null;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 10) key = reader.string();
    else if (tag === 18) value = reader.bytes();
    else reader.skipType(tag & 7);
  }
  ended(reader, end);
  return { key, value };
}
