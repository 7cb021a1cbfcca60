/**
 * StateFun's remote-function protocol on the router's side: ToFunction written, FromFunction read
 * (`request-reply.proto`, STATEFUN.md §1.1).
 *
 * Requests are written by hand into one buffer of the right size: TypedValues are opaque bytes that a schema-driven encoder
 * would first have to be taught to keep, and this runs once per message. Replies are read with protobufjs' Reader.
 */
import { Reader } from "protobufjs/minimal";
import type { Address } from "../model/address";
import { ProtocolError } from "../model/errors";
import type { Message } from "../model/message";
import { TextMemo } from "../model/text-memo";
import { TypedValue } from "../model/typed-value";

/** A state the function has declared, as it stands in a request: name, and its value's bytes if it has one. */
export interface RequestState {
  /** The encoded field `state_name`, see `stateNameField`. */
  readonly nameField: Uint8Array;
}

const TAG_1 = 0x0a;
const TAG_2 = 0x12;
const TAG_3 = 0x1a;
/** ToFunction.invocation = 100 and FromFunction.invocation_result = 100: (100 << 3) | 2 as a varint. */
const TAG_100_FIRST = 0xa2;
const TAG_100_SECOND = 0x06;

export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  if (value < 0x10000000) return 4;
  return 5;
}

function writeVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest > 0x7f) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}

/** TypedArray#set has a fixed cost that exceeds copying a few bytes one by one. */
function copy(out: Uint8Array, at: number, bytes: Uint8Array): number {
  const length = bytes.length;
  if (length > 24) out.set(bytes, at);
  else for (let i = 0; i < length; i++) out[at + i] = bytes[i] as number;
  return at + length;
}

export function lengthDelimited(length: number): number {
  return 1 + varintBytes(length) + length;
}

/** tag, length, text. */
function textField(tag: number, text: string): Uint8Array {
  const bytes = Buffer.from(text, "utf8");
  const out = new Uint8Array(lengthDelimited(bytes.length));
  out[0] = tag;
  copy(out, writeVarint(out, 1, bytes.length), bytes);
  return out;
}

export function stateNameField(name: string): Uint8Array {
  return textField(TAG_1, name);
}

/** The encoded Address without its tag and length; empty strings are left out, as proto3 does. */
export function encodeAddress(address: Address): Uint8Array {
  const parts: Uint8Array[] = [];
  if (address.namespace) parts.push(textField(TAG_1, address.namespace));
  if (address.type) parts.push(textField(TAG_2, address.type));
  if (address.id) parts.push(textField(TAG_3, address.id));
  return Buffer.concat(parts);
}

/** The fields of a TypedValue before its value: typename and has_value = true. */
export function typedValueHead(typename: string): Uint8Array {
  return Buffer.concat([typename ? textField(TAG_1, typename) : new Uint8Array(0), Uint8Array.of(0x10, 0x01)]);
}

export function typedValueBytes(typed: TypedValue): number {
  const value = typed.value;
  // An empty value is proto3's default and left out: has_value tells it from an absent one.
  return value === undefined || value.length === 0 ? typed.head.length : typed.head.length + lengthDelimited(value.length);
}

function writeTypedValue(out: Uint8Array, at: number, typed: TypedValue): number {
  at = copy(out, at, typed.head);
  const value = typed.value;
  if (value === undefined || value.length === 0) return at;
  out[at++] = TAG_3;
  return copy(out, writeVarint(out, at, value.length), value);
}

/** A TypedValue whose bytes are its own: what is kept for long must not hold the network buffer it came in. */
export function detachTypedValue(typed: TypedValue): TypedValue {
  const bytes = new Uint8Array(typedValueBytes(typed));
  writeTypedValue(bytes, 0, typed);
  return new TypedValue(bytes, undefined);
}

const NO_CALLERS: (Uint8Array | undefined)[] = [];

/**
 * ToFunction { invocation { target, state*, invocations* } }.
 * `states[i]` goes with `values[i]` (an encoded TypedValue, or undefined: declared but empty, which must be listed).
 * Callers are encoded by `callerBytes` so that they can be remembered.
 */
export function encodeRequest(
  target: Uint8Array,
  states: readonly RequestState[],
  values: readonly (Uint8Array | undefined)[],
  messages: readonly Message[],
): Buffer {
  let inner = lengthDelimited(target.length);
  for (let i = 0; i < states.length; i++) inner += lengthDelimited(stateBytes(states[i] as RequestState, values[i]));
  let callers: (Uint8Array | undefined)[] = NO_CALLERS;
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i] as Message;
    const caller = message.caller ? encodeAddress(message.caller) : undefined;
    if (caller) {
      if (callers === NO_CALLERS) callers = [];
      callers[i] = caller;
    }
    inner += lengthDelimited(invocationBytes(caller, typedValueBytes(message.argument)));
  }
  const out = Buffer.allocUnsafe(2 + varintBytes(inner) + inner);
  out[0] = TAG_100_FIRST;
  out[1] = TAG_100_SECOND;
  let at = writeVarint(out, 2, inner);
  out[at++] = TAG_1;
  at = copy(out, writeVarint(out, at, target.length), target);
  for (let i = 0; i < states.length; i++) at = writeState(out, at, states[i] as RequestState, values[i]);
  for (let i = 0; i < messages.length; i++) at = writeInvocation(out, at, callers[i], messages[i] as Message);
  return out;
}

export function stateBytes(state: RequestState, value: Uint8Array | undefined): number {
  return state.nameField.length + (value === undefined ? 0 : lengthDelimited(value.length));
}

export function writeState(out: Uint8Array, at: number, state: RequestState, value: Uint8Array | undefined): number {
  out[at++] = TAG_2;
  at = copy(out, writeVarint(out, at, stateBytes(state, value)), state.nameField);
  if (value === undefined) return at;
  out[at++] = TAG_2;
  return copy(out, writeVarint(out, at, value.length), value);
}

function invocationBytes(caller: Uint8Array | undefined, argumentBytes: number): number {
  return (caller ? lengthDelimited(caller.length) : 0) + lengthDelimited(argumentBytes);
}

function writeInvocation(out: Uint8Array, at: number, caller: Uint8Array | undefined, message: Message): number {
  const argumentBytes = typedValueBytes(message.argument);
  out[at++] = TAG_3;
  at = writeVarint(out, at, invocationBytes(caller, argumentBytes));
  if (caller) {
    out[at++] = TAG_1;
    at = copy(out, writeVarint(out, at, caller.length), caller);
  }
  out[at++] = TAG_2;
  return writeTypedValue(out, writeVarint(out, at, argumentBytes), message.argument);
}

// ── replies ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export type ExpireMode = "none" | "after-write" | "after-invoke";

export interface StateDeclaration {
  readonly name: string;
  readonly typename: string;
  readonly expireMode: ExpireMode;
  readonly expireAfterMs: number;
}

export interface Mutation {
  readonly name: string;
  /** undefined: DELETE. */
  readonly value: DecodedValue | undefined;
}

/** A TypedValue that was looked into: its whole bytes, and what they say. */
export interface DecodedValue {
  readonly bytes: Uint8Array;
  readonly typename: string;
  readonly hasValue: boolean;
  readonly value: Uint8Array;
}

export interface Outgoing {
  readonly target: Address;
  readonly argument: TypedValue;
}

export interface OutgoingDelayed {
  readonly delayMs: number;
  readonly target: Address | undefined;
  readonly argument: TypedValue | undefined;
  readonly cancel: boolean;
  readonly token: string;
}

/** One per output, so its value is not cut out of the reply: the egress says what it needs of it. */
export class OutgoingEgress {
  constructor(
    readonly egress: string,
    readonly typename: string,
    /** The value is `buffer[from..to)`. */
    readonly buffer: Uint8Array,
    readonly from: number,
    readonly to: number,
  ) {}

  get value(): Uint8Array {
    return this.buffer.subarray(this.from, this.to);
  }
}

export interface Reply {
  /** Given: nothing ran; these states are missing. */
  incomplete: StateDeclaration[] | undefined;
  readonly mutations: Mutation[];
  readonly sends: Outgoing[];
  readonly delayed: OutgoingDelayed[];
  readonly egress: OutgoingEgress[];
}

const EMPTY = new Uint8Array(0);
const egressNamespaces = new TextMemo();
const egressTypes = new TextMemo();
const egressTypenames = new TextMemo();
const addressNamespaces = new TextMemo();
const addressTypes = new TextMemo();
const stateNames = new TextMemo();
const stateTypenames = new TextMemo();
const NO_ADDRESS: Address = { namespace: "", type: "", id: "" };

/** Throws ProtocolError when the bytes are no FromFunction. Zero bytes are one: no effects (STATEFUN.md §1.2). */
export function decodeReply(body: Uint8Array): Reply {
  const reply: Reply = { incomplete: undefined, mutations: [], sends: [], delayed: [], egress: [] };
  try {
    const reader = Reader.create(body);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === 802) readInvocationResponse(reader, reader.uint32() + reader.pos, reply);
      else if (tag === 810) readIncomplete(reader, reader.uint32() + reader.pos, reply);
      else reader.skipType(tag & 7);
    }
    return reply;
  } catch (error) {
    throw new ProtocolError(`the reply of ${body.length} bytes is not a FromFunction message: ${(error as Error).message}`);
  }
}

function within(reader: Reader, end: number): void {
  if (end > reader.len) throw new RangeError(`a field ends at byte ${end} of ${reader.len}`);
}

/** A field that runs over the end of its message would be kept with bytes that are not its own. */
export function ended(reader: Reader, end: number): void {
  if (reader.pos !== end) throw new RangeError(`a field runs over byte ${end}, where its message ends`);
}

function readInvocationResponse(reader: Reader, end: number, reply: Reply): void {
  within(reader, end);
  while (reader.pos < end) {
    const tag = reader.uint32();
    switch (tag) {
      case 0x0a:
        reply.mutations.push(readMutation(reader, reader.uint32() + reader.pos));
        break;
      case 0x12:
        reply.sends.push(readSend(reader, reader.uint32() + reader.pos));
        break;
      case 0x1a:
        reply.delayed.push(readDelayed(reader, reader.uint32() + reader.pos));
        break;
      case 0x22:
        reply.egress.push(readEgress(reader, reader.uint32() + reader.pos));
        break;
      default:
        reader.skipType(tag & 7);
    }
  }
  ended(reader, end);
}

function readMutation(reader: Reader, end: number): Mutation {
  within(reader, end);
  let type = 0;
  let name = "";
  let value: DecodedValue | undefined;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 0x08) type = reader.uint32();
    else if (tag === 0x12) name = stateNames.read(reader);
    else if (tag === 0x1a) value = readTypedValue(reader, reader.uint32() + reader.pos);
    else reader.skipType(tag & 7);
  }
  ended(reader, end);
  return { name, value: type === 0 ? undefined : (value ?? { bytes: EMPTY, typename: "", hasValue: false, value: EMPTY }) };
}

function readSend(reader: Reader, end: number): Outgoing {
  within(reader, end);
  let target = NO_ADDRESS;
  let argument: TypedValue | undefined;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 0x0a) target = readAddress(reader, reader.uint32() + reader.pos);
    else if (tag === 0x12) argument = new TypedValue(reader.bytes(), undefined);
    else reader.skipType(tag & 7);
  }
  ended(reader, end);
  return { target, argument: argument ?? new TypedValue(EMPTY, undefined) };
}

function readDelayed(reader: Reader, end: number): OutgoingDelayed {
  within(reader, end);
  let delayMs = 0;
  let target: Address | undefined;
  let argument: TypedValue | undefined;
  let cancel = false;
  let token = "";
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 0x08) delayMs = Number(reader.int64());
    else if (tag === 0x12) target = readAddress(reader, reader.uint32() + reader.pos);
    else if (tag === 0x1a) argument = new TypedValue(reader.bytes(), undefined);
    else if (tag === 0x50) cancel = reader.bool();
    else if (tag === 0x5a) token = reader.string();
    else reader.skipType(tag & 7);
  }
  ended(reader, end);
  return { delayMs, target, argument, cancel, token };
}

function readEgress(reader: Reader, end: number): OutgoingEgress {
  within(reader, end);
  let namespace = "";
  let type = "";
  let typename = "";
  let valueFrom = 0;
  let valueTo = 0;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 0x0a) namespace = egressNamespaces.read(reader);
    else if (tag === 0x12) type = egressTypes.read(reader);
    else if (tag === 0x1a) {
      const valueEnd = reader.uint32() + reader.pos;
      within(reader, valueEnd);
      while (reader.pos < valueEnd) {
        const inner = reader.uint32();
        if (inner === 0x0a) typename = egressTypenames.read(reader);
        else if (inner === 0x1a) {
          const length = reader.uint32();
          valueFrom = reader.pos;
          valueTo = valueFrom + length;
          within(reader, valueTo);
          reader.pos = valueTo;
        } else reader.skipType(inner & 7);
      }
      ended(reader, valueEnd);
    } else reader.skipType(tag & 7);
  }
  ended(reader, end);
  return new OutgoingEgress(egressId(namespace, type), typename, reader.buf, valueFrom, valueTo);
}

/** Most replies send to one egress; the memos above make equal names the same text. */
let lastEgress = { namespace: "", type: "", id: "/" };

function egressId(namespace: string, type: string): string {
  if (lastEgress.namespace !== namespace || lastEgress.type !== type) {
    lastEgress = { namespace, type, id: `${namespace}/${type}` };
  }
  return lastEgress.id;
}

export function readAddress(reader: Reader, end: number): Address {
  within(reader, end);
  let namespace = "";
  let type = "";
  let id = "";
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 0x0a) namespace = addressNamespaces.read(reader);
    else if (tag === 0x12) type = addressTypes.read(reader);
    else if (tag === 0x1a) id = reader.string();
    else reader.skipType(tag & 7);
  }
  ended(reader, end);
  return { namespace, type, id };
}

function readTypedValue(reader: Reader, end: number): DecodedValue {
  within(reader, end);
  const start = reader.pos;
  let typename = "";
  let hasValue = false;
  let value: Uint8Array = EMPTY;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 0x0a) typename = stateTypenames.read(reader);
    else if (tag === 0x10) hasValue = reader.bool();
    else if (tag === 0x1a) value = reader.bytes();
    else reader.skipType(tag & 7);
  }
  ended(reader, end);
  return { bytes: reader.buf.subarray(start, end), typename, hasValue, value };
}

function readIncomplete(reader: Reader, end: number, reply: Reply): void {
  within(reader, end);
  reply.incomplete ??= [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 0x0a) reply.incomplete.push(readDeclaration(reader, reader.uint32() + reader.pos));
    else reader.skipType(tag & 7);
  }
  ended(reader, end);
}

const EXPIRE_MODES: readonly ExpireMode[] = ["none", "after-write", "after-invoke"];

function readDeclaration(reader: Reader, end: number): StateDeclaration {
  within(reader, end);
  let name = "";
  let typename = "";
  let mode = 0;
  let expireAfterMs = 0;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 0x0a) name = reader.string();
    else if (tag === 0x1a) typename = reader.string();
    else if (tag === 0x12) {
      const specEnd = reader.uint32() + reader.pos;
      within(reader, specEnd);
      while (reader.pos < specEnd) {
        const inner = reader.uint32();
        if (inner === 0x08) mode = reader.uint32();
        else if (inner === 0x10) expireAfterMs = Number(reader.int64());
        else reader.skipType(inner & 7);
      }
      ended(reader, specEnd);
    } else reader.skipType(tag & 7);
  }
  ended(reader, end);
  // StateFun reads a declaration without a type as `unset`, and no expiration spec as NONE (STATEFUN.md §1.4).
  return { name, typename: typename || "io.statefun.types/unset", expireMode: EXPIRE_MODES[mode] ?? "none", expireAfterMs };
}
