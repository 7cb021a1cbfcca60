/**
 * What a router asks for. Wire (request-reply.proto):
 *   ToFunction             { invocation = 100: InvocationBatchRequest }
 *   InvocationBatchRequest { target = 1: Address; state = 2: repeated PersistedValue; invocations = 3: repeated Invocation }
 *   PersistedValue         { state_name = 1; state_value = 2: TypedValue }
 *   Invocation             { caller = 1: Address; argument = 2: TypedValue }
 * Fields may come in any order, so the first walk only notes where things are.
 */
import { ProtocolError } from "../../model/errors";
import type { Address } from "./address";
import { Message } from "./message";
import { Reader, sameBytes } from "./protobuf";
import { type NamedState, Slot } from "./state";

/** Tag of field 100, length-delimited: (100 << 3) | 2. */
const invocationTag = 802;

export class BatchRequest {
  /** Begin and end of each PersistedValue, and of each Invocation. */
  readonly #states: number[] = [];
  readonly #invocations: number[] = [];
  readonly target: Address;

  constructor(readonly buffer: Buffer) {
    const outer = new Reader(buffer, 0, buffer.length);
    let batch: Reader | undefined;
    while (outer.more) {
      const tag = outer.varint();
      if (tag === invocationTag) batch = outer.sub();
      else outer.skip(tag);
    }
    if (batch === undefined) throw new ProtocolError("the body is a ToFunction without an invocation");
    const target = this.#walk(batch);
    if (target === undefined) throw new ProtocolError("the request names no target");
    this.target = target;
  }

  get count(): number {
    return this.#invocations.length >> 1;
  }

  #walk(batch: Reader): Address | undefined {
    let target: Address | undefined;
    while (batch.more) {
      const tag = batch.varint();
      switch (tag) {
        case 0x0a:
          target = readAddress(batch.sub());
          break;
        case 0x12:
          note(this.#states, batch);
          break;
        case 0x1a:
          note(this.#invocations, batch);
          break;
        default:
          batch.skip(tag);
      }
    }
    return target;
  }

  /** The declared states with what the request holds of them. */
  slots(named: readonly NamedState[]): Slot[] {
    return readStates(this.buffer, this.#states, named);
  }

  #invocation(index: number): Reader {
    return new Reader(this.buffer, this.#invocations[index * 2] as number, this.#invocations[index * 2 + 1] as number);
  }

  message(index: number): Message {
    const invocation = this.#invocation(index);
    let argument: Reader | undefined;
    while (invocation.more) {
      const tag = invocation.varint();
      if (tag === 0x12) argument = invocation.sub();
      else invocation.skip(tag);
    }
    return new Message(argument ?? new Reader(this.buffer, 0, 0));
  }

  /** Java and Python write no caller as an address of three empty texts, others leave it out. */
  caller(index: number): Address | undefined {
    const invocation = this.#invocation(index);
    while (invocation.more) {
      const tag = invocation.varint();
      if (tag === 0x0a) {
        const address = readAddress(invocation.sub());
        return address.typename === "/" && address.id === "" ? undefined : address;
      }
      invocation.skip(tag);
    }
    return undefined;
  }
}

/** The states of an InvocationBatchRequest that has nothing else. */
export function partSlots(bytes: Buffer, named: readonly NamedState[]): Slot[] {
  const part = new Reader(bytes, 0, bytes.length);
  const states: number[] = [];
  while (part.more) {
    const tag = part.varint();
    if (tag === 0x12) note(states, part);
    else part.skip(tag);
  }
  return readStates(bytes, states, named);
}

function readStates(buffer: Buffer, states: readonly number[], named: readonly NamedState[]): Slot[] {
  const slots = named.map((state) => new Slot(state, buffer));
  for (let i = 0; i < states.length; i += 2) {
    readState(new Reader(buffer, states[i] as number, states[i + 1] as number), slots, i >> 1);
  }
  return slots;
}

function note(list: number[], batch: Reader): void {
  const end = batch.span();
  list.push(batch.position, end);
  batch.position = end;
}

function readAddress(reader: Reader): Address {
  let namespace = "";
  let name = "";
  let id = "";
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) namespace = reader.text();
    else if (tag === 0x12) name = reader.text();
    else if (tag === 0x1a) id = reader.text();
    else reader.skip(tag);
  }
  return { typename: `${namespace}/${name}`, id };
}

/** `position` is where the same router put this state: usually where we declared it, so it is looked for there first. */
function readState(reader: Reader, slots: readonly Slot[], position: number): void {
  let nameStart = 0;
  let nameEnd = 0;
  let value: Reader | undefined;
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) {
      nameEnd = reader.span();
      nameStart = reader.position;
      reader.position = nameEnd;
    } else if (tag === 0x12) value = reader.sub();
    else reader.skip(tag);
  }
  const isNamed = (slot: Slot | undefined): slot is Slot =>
    slot !== undefined && sameBytes(reader.buffer, nameStart, nameEnd, slot.named.nameBytes);
  const guess = slots[position];
  const slot = isNamed(guess) ? guess : slots.find(isNamed);
  if (slot === undefined) return; // A state of an earlier version of the function.
  slot.listed = true;
  if (value !== undefined) receiveValue(slot, value);
}

function receiveValue(slot: Slot, reader: Reader): void {
  let typename: [number, number] = [0, 0];
  let content: [number, number] = [0, 0];
  let hasValue = false;
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x10) {
      hasValue = reader.varint() !== 0;
    } else if (tag === 0x0a || tag === 0x1a) {
      const end = reader.span();
      const range: [number, number] = [reader.position, end];
      reader.position = end;
      if (tag === 0x0a) typename = range;
      else content = range;
    } else reader.skip(tag);
  }
  if (hasValue) slot.receive(typename, content);
}
