/**
 * What a function answers. Wire (request-reply.proto), fields as written:
 *   FromFunction           { invocation_result = 100; incomplete_invocation_context = 101 }
 *   InvocationResponse     { state_mutations = 1; outgoing_messages = 2; delayed_invocations = 3; outgoing_egresses = 4 }
 *   PersistedValueMutation { mutation_type = 1 (DELETE = 0, MODIFY = 1); state_name = 2; state_value = 3 }
 *   Invocation             { target = 1; argument = 2 }
 *   DelayedInvocation      { delay_in_ms = 1; target = 2; argument = 3; is_cancellation_request = 10; cancellation_token = 11 }
 *   EgressMessage          { egress_namespace = 1; egress_type = 2; argument = 3 }
 *   IncompleteInvocationContext { missing_values = 1: repeated PersistedValueSpec }
 *   PersistedValueSpec     { state_name = 1; expiration_spec = 2 { mode = 1; expire_after_millis = 2 }; type_typename = 3 }
 *   KafkaProducerRecord    { key = 1; value_bytes = 2; topic = 3 }
 */
import { type Address, addressLength, namePrefix, writeAddress } from "./address";
import { fieldLength, utf8Length, varintLength, Writer } from "./protobuf";
import type { NamedState, Slot } from "./state";
import type { Typed } from "./type";

/** Most replies are far smaller; a writer that grew past `keptBytesMax` is not kept for the next request. */
const firstBytes = 4096;
const keptBytesMax = 1 << 20;
const keptWritersMax = 16;
const writers: Writer[] = [];

const kafkaHead = headOf("type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord");

/** typename = 1 and has_value = 2 of a TypedValue. */
function headOf(typename: string): Uint8Array {
  const writer = new Writer(typename.length + 8);
  writer.textField(0x0a, typename, utf8Length(typename));
  writer.byte(0x10);
  writer.byte(1);
  return writer.finish();
}

function typedLength(head: Uint8Array, valueLength: number): number {
  return head.length + fieldLength(valueLength);
}

/**
 * Collects the effects of one batch. They are encoded as they are asked for, the three kinds mixed (order counts only
 * within a kind); the states' mutations are put before them at the end.
 */
export class Reply {
  readonly #writer: Writer;

  constructor() {
    this.#writer = writers.pop() ?? new Writer(firstBytes);
  }

  send(target: Address, value: Typed): void {
    const prefix = namePrefix(target.typename);
    const idLength = utf8Length(target.id);
    const address = addressLength(prefix, idLength);
    const bytes = value.encode();
    const argument = typedLength(value.type.head, bytes.length);
    const writer = this.#writer;
    writer.byte(0x12);
    writer.varint(fieldLength(address) + fieldLength(argument));
    writer.byte(0x0a);
    writer.varint(address);
    writeAddress(writer, prefix, target.id, idLength);
    writer.byte(0x12);
    writer.varint(argument);
    writer.bytes(value.type.head);
    writer.bytesField(0x1a, bytes);
  }

  sendAfter(delayMs: number, target: Address, value: Typed, token: string): void {
    const prefix = namePrefix(target.typename);
    const idLength = utf8Length(target.id);
    const address = addressLength(prefix, idLength);
    const bytes = value.encode();
    const argument = typedLength(value.type.head, bytes.length);
    const tokenLength = utf8Length(token);
    const delay = delayMs === 0 ? 0 : 1 + varintLength(delayMs);
    const writer = this.#writer;
    writer.byte(0x1a);
    writer.varint(delay + fieldLength(address) + fieldLength(argument) + fieldLength(tokenLength));
    if (delay > 0) {
      writer.byte(0x08);
      writer.varint(delayMs);
    }
    writer.byte(0x12);
    writer.varint(address);
    writeAddress(writer, prefix, target.id, idLength);
    writer.byte(0x1a);
    writer.varint(argument);
    writer.bytes(value.type.head);
    writer.bytesField(0x1a, bytes);
    writer.textField(0x5a, token, tokenLength);
  }

  cancel(token: string): void {
    const tokenLength = utf8Length(token);
    const writer = this.#writer;
    writer.byte(0x1a);
    writer.varint(2 + fieldLength(tokenLength));
    writer.byte(0x50);
    writer.byte(1);
    writer.textField(0x5a, token, tokenLength);
  }

  egress(egress: string, value: Typed): void {
    const prefix = namePrefix(egress);
    const bytes = value.encode();
    const argument = typedLength(value.type.head, bytes.length);
    const writer = this.#writer;
    writer.byte(0x22);
    writer.varint(prefix.length + fieldLength(argument));
    writer.bytes(prefix);
    writer.byte(0x1a);
    writer.varint(argument);
    writer.bytes(value.type.head);
    writer.bytesField(0x1a, bytes);
  }

  /** A string is written as the value without a copy in between. */
  kafka(egress: string, topic: string, key: string, value: string | Uint8Array): void {
    const prefix = namePrefix(egress);
    const topicLength = utf8Length(topic);
    const keyLength = utf8Length(key);
    const valueLength = typeof value === "string" ? utf8Length(value) : value.length;
    const record = fieldLength(keyLength) + fieldLength(valueLength) + fieldLength(topicLength);
    const argument = typedLength(kafkaHead, record);
    const writer = this.#writer;
    writer.byte(0x22);
    writer.varint(prefix.length + fieldLength(argument));
    writer.bytes(prefix);
    writer.byte(0x1a);
    writer.varint(argument);
    writer.bytes(kafkaHead);
    writer.byte(0x1a);
    writer.varint(record);
    writer.textField(0x0a, key, keyLength);
    if (typeof value === "string") writer.textField(0x12, value, valueLength);
    else writer.bytesField(0x12, value);
    writer.textField(0x1a, topic, topicLength);
  }

  /** Written behind the effects and moved before them by `finish`, where every other SDK puts them. */
  mutate(named: NamedState, bytes: Uint8Array | undefined): void {
    const writer = this.#writer;
    const name = fieldLength(named.nameBytes.length);
    writer.byte(0x0a);
    if (bytes === undefined) {
      writer.varint(name); // DELETE = 0 is a default and left out.
      writer.bytesField(0x12, named.nameBytes);
      return;
    }
    const head = named.declaration.type.head;
    const value = typedLength(head, bytes.length);
    writer.varint(2 + name + fieldLength(value));
    writer.byte(0x08);
    writer.byte(1);
    writer.bytesField(0x12, named.nameBytes);
    writer.byte(0x1a);
    writer.varint(value);
    writer.bytes(head);
    writer.bytesField(0x1a, bytes);
  }

  /** The whole FromFunction; the reply cannot be used afterwards. `effectsEnd` is the length before the first `mutate`. */
  finish(effectsEnd: number): Buffer {
    const writer = this.#writer;
    const body = writer.length;
    const header = 2 + varintLength(body);
    const bytes = Buffer.allocUnsafe(header + body);
    bytes[0] = 0xa2; // field 100, length-delimited
    bytes[1] = 0x06;
    let at = 2;
    let rest = body;
    while (rest >= 0x80) {
      bytes[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    bytes[at++] = rest;
    writer.copyTo(bytes, at, effectsEnd, body);
    writer.copyTo(bytes, at + body - effectsEnd, 0, effectsEnd);
    this.release();
    return bytes;
  }

  get length(): number {
    return this.#writer.length;
  }

  /** Gives the buffer to the next reply; call once. */
  release(): void {
    this.#writer.truncate(0);
    if (this.#writer.capacity <= keptBytesMax && writers.length < keptWritersMax) writers.push(this.#writer);
  }
}

/** Asks for the states the request did not list; undefined when it listed them all. */
export function incompleteReply(slots: readonly Slot[]): Buffer | undefined {
  if (slots.every((slot) => slot.listed)) return undefined;
  const context = new Writer(256);
  for (const slot of slots) {
    if (!slot.listed) context.bytesField(0x0a, specification(slot.named));
  }
  const reply = new Writer(context.length + 8);
  reply.byte(0xaa); // field 101, length-delimited
  reply.byte(0x06);
  reply.varint(context.length);
  reply.bytes(context.finish());
  return reply.finish();
}

function specification(named: NamedState): Buffer {
  const { type, expire } = named.declaration;
  const writer = new Writer(128);
  writer.bytesField(0x0a, named.nameBytes);
  if (expire !== undefined) {
    writer.byte(0x12);
    writer.varint(3 + varintLength(expire.ms));
    writer.byte(0x08);
    writer.byte(expire.mode);
    writer.byte(0x10);
    writer.varint(expire.ms);
  }
  writer.bytesField(0x1a, type.typenameBytes);
  return writer.finish();
}
