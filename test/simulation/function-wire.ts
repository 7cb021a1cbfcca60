/** The remote-function protocol on the function's side, just what the fake functions say (request-reply.proto, StateFun 3.3). */
import { Reader, Writer } from "protobufjs/minimal";

export interface ReceivedState {
  readonly typename: string;
  readonly value: Buffer;
}

export interface ReceivedInvocation {
  /** `type/id` without the namespace; undefined when the field is absent. */
  readonly caller: string | undefined;
  readonly typename: string;
  readonly value: Buffer;
  readonly text: string;
}

export interface Request {
  readonly namespace: string;
  readonly type: string;
  readonly id: string;
  /** Listed states; undefined: listed without a value. */
  readonly states: ReadonlyMap<string, ReceivedState | undefined>;
  readonly invocations: readonly ReceivedInvocation[];
}

type Field = (reader: Reader, number: number) => boolean;

function readFields(reader: Reader, end: number, field: Field): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (!field(reader, tag >>> 3)) reader.skipType(tag & 7);
  }
}

function nested(reader: Reader, field: Field): true {
  readFields(reader, reader.uint32() + reader.pos, field);
  return true;
}

function readAddress(reader: Reader): { namespace: string; type: string; id: string } {
  const address = { namespace: "", type: "", id: "" };
  nested(reader, (at, number) => {
    if (number === 1) address.namespace = at.string();
    else if (number === 2) address.type = at.string();
    else if (number === 3) address.id = at.string();
    else return false;
    return true;
  });
  return address;
}

/** An encoded TypedValue. */
export function readTypedValue(bytes: Uint8Array): ReceivedState {
  const reader = Reader.create(bytes);
  return readTyped(reader, reader.len);
}

function readNestedTypedValue(reader: Reader): ReceivedState {
  return readTyped(reader, reader.uint32() + reader.pos);
}

function readTyped(reader: Reader, end: number): ReceivedState {
  let typename = "";
  let value = Buffer.alloc(0);
  readFields(reader, end, (at, number) => {
    if (number === 1) typename = at.string();
    else if (number === 3) value = Buffer.from(at.bytes());
    else return false;
    return true;
  });
  return { typename, value };
}

export function decodeRequest(body: Uint8Array): Request {
  let address = { namespace: "", type: "", id: "" };
  const states = new Map<string, ReceivedState | undefined>();
  const invocations: ReceivedInvocation[] = [];
  const batch: Field = (reader, number) => {
    if (number === 1) address = readAddress(reader);
    else if (number === 2) {
      const [name, value] = readState(reader);
      states.set(name, value);
    } else if (number === 3) invocations.push(readInvocation(reader));
    else return false;
    return true;
  };
  const reader = Reader.create(body);
  readFields(reader, reader.len, (at, number) => number === 100 && nested(at, batch));
  return { ...address, states, invocations };
}

function readState(reader: Reader): [string, ReceivedState | undefined] {
  let name = "";
  let value: ReceivedState | undefined;
  nested(reader, (at, number) => {
    if (number === 1) name = at.string();
    else if (number === 2) value = readNestedTypedValue(at);
    else return false;
    return true;
  });
  return [name, value];
}

/** The value of an encoded TypedValue. */
export function typedValueOf(bytes: Uint8Array): Uint8Array {
  const reader = Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 26) return reader.bytes();
    reader.skipType(tag & 7);
  }
  return new Uint8Array(0);
}

function readInvocation(reader: Reader): ReceivedInvocation {
  let caller: string | undefined;
  let argument: ReceivedState = { typename: "", value: Buffer.alloc(0) };
  nested(reader, (at, number) => {
    if (number === 1) {
      const from = readAddress(at);
      caller = `${from.type}/${from.id}`;
    } else if (number === 2) argument = readNestedTypedValue(at);
    else return false;
    return true;
  });
  const { typename, value } = argument;
  return { caller, typename, value, text: value.toString("utf8") };
}

/** The part that a merge message carries: an InvocationBatchRequest with nothing but states. */
export function decodePart(bytes: Uint8Array): ReadonlyMap<string, ReceivedState | undefined> {
  const states = new Map<string, ReceivedState | undefined>();
  const reader = Reader.create(bytes);
  readFields(reader, reader.len, (at, number) => {
    if (number !== 2) return false;
    const [name, value] = readState(at);
    states.set(name, value);
    return true;
  });
  return states;
}

// ── replies ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface SentMessage {
  readonly namespace: string;
  readonly type: string;
  readonly id: string;
  readonly text: string;
  /** Of its argument; undefined: text. */
  readonly typename?: string;
}

export type SentDelayed =
  | { readonly kind: "send"; readonly delayMs: number; readonly message: SentMessage; readonly token: string }
  | { readonly kind: "cancel"; readonly token: string };

export interface SentEgress {
  readonly name: string;
  readonly typename: string;
  readonly value: Uint8Array;
}

export interface StateSpecification {
  readonly name: string;
  readonly typename: string;
  readonly mode: "none" | "after-write" | "after-invoke";
  readonly expireMs: number;
}

export class Reply {
  /** undefined: DELETE. */
  readonly mutations = new Map<string, { readonly typename: string; readonly value: Uint8Array } | undefined>();
  readonly sends: SentMessage[] = [];
  readonly delayed: SentDelayed[] = [];
  readonly egress: SentEgress[] = [];

  encode(): Uint8Array {
    const writer = Writer.create();
    writer.uint32(802).fork();
    for (const [name, value] of this.mutations) {
      writer.uint32(10).fork();
      if (value) writer.uint32(8).int32(1);
      writer.uint32(18).string(name);
      if (value) writeTypedValue(writer.uint32(26), value.typename, value.value);
      writer.ldelim();
    }
    for (const send of this.sends) writeMessage(writer.uint32(18).fork(), 1, send).ldelim();
    for (const delayed of this.delayed) writeDelayed(writer, delayed);
    for (const egress of this.egress) {
      writer.uint32(34).fork().uint32(10).string(NAMESPACE).uint32(18).string(egress.name);
      writeTypedValue(writer.uint32(26), egress.typename, egress.value);
      writer.ldelim();
    }
    return writer.ldelim().finish();
  }
}

export const NAMESPACE = "sim";
export const TEXT_TYPE = "sim/text";

/** The target in field `first`, the argument in the one after. */
function writeMessage(writer: Writer, first: number, message: SentMessage): Writer {
  const address = writer.uint32((first << 3) | 2).fork();
  address.uint32(10).string(message.namespace).uint32(18).string(message.type).uint32(26).string(message.id).ldelim();
  writeTypedValue(writer.uint32(((first + 1) << 3) | 2), message.typename ?? TEXT_TYPE, Buffer.from(message.text, "utf8"));
  return writer;
}

function writeDelayed(writer: Writer, delayed: SentDelayed): void {
  writer.uint32(26).fork();
  if (delayed.kind === "cancel") {
    writer.uint32(80).bool(true).uint32(90).string(delayed.token);
  } else {
    writer.uint32(8).int64(delayed.delayMs);
    writeMessage(writer, 2, delayed.message);
    if (delayed.token) writer.uint32(90).string(delayed.token);
  }
  writer.ldelim();
}

function writeTypedValue(writer: Writer, typename: string, value: Uint8Array): void {
  writer.fork().uint32(10).string(typename).uint32(16).bool(true);
  if (value.length > 0) writer.uint32(26).bytes(value);
  writer.ldelim();
}

const MODES = { none: 0, "after-write": 1, "after-invoke": 2 } as const;

export function encodeIncomplete(missing: readonly StateSpecification[]): Uint8Array {
  const writer = Writer.create().uint32(810).fork();
  for (const state of missing) {
    writer.uint32(10).fork().uint32(10).string(state.name);
    if (state.mode !== "none")
      writer.uint32(18).fork().uint32(8).int32(MODES[state.mode]).uint32(16).int64(state.expireMs).ldelim();
    writer.uint32(26).string(state.typename).ldelim();
  }
  return writer.ldelim().finish();
}

/** KafkaProducerRecord {key = 1, value_bytes = 2, topic = 3}. */
export function encodeProducerRecord(topic: string, key: string, value: Uint8Array): Uint8Array {
  const writer = Writer.create();
  if (key) writer.uint32(10).string(key);
  return writer.uint32(18).bytes(value).uint32(26).string(topic).finish();
}

export const PRODUCER_RECORD_TYPE = "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord";

export const LONG_TYPE = "io.statefun.types/long";

/** LongWrapper: nothing for zero, else tag 1 and eight bytes, little-endian. */
export function encodeLong(value: number): Uint8Array {
  if (value === 0) return new Uint8Array(0);
  const bytes = Buffer.alloc(9);
  bytes[0] = 0x09;
  bytes.writeBigInt64LE(BigInt(value), 1);
  return bytes;
}

export function decodeLong(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : Number(Buffer.from(bytes).readBigInt64LE(1));
}
