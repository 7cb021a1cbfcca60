/**
 * What actors remember: state values by address, and which states each function type has declared.
 *
 * Owns: values, their expiry, declarations. Leaves to others: when a change is durable (the outbox asks `Memory` for what
 * has changed), and where the records go.
 *
 * S1  An expired value is never returned (StateFun's NeverReturnExpired), whether it has been cleaned up or not.
 * S2  A value is kept as the encoded TypedValue it was, unknown fields included, with has_value set and its own bytes: it
 *     never holds the network buffer it came in.
 * S3  The first declaration of a name decides its typename; a later declaration may change the time to live only.
 */

import type { DecodedValue, ExpireMode, RequestState, StateDeclaration } from "../functions/wire";
import { stateNameField } from "../functions/wire";
import type { Address } from "../model/address";

export { mergedByFunction, splittable, subKeysIn } from "./merge";
export { mergeMsPerByte } from "./merge-cost";
export { checkParts, dropTaken, foldParts, type MergeOf, memoryBytes } from "./parts";

/** A declared state of one function type, at a fixed index in every `Memory` of that type. */
export interface StateSlot extends RequestState {
  readonly index: number;
  readonly name: string;
  readonly typename: string;
  readonly expireMode: ExpireMode;
  readonly expireAfterMs: number;
}

/** What one address remembers. */
export class Memory {
  /** By slot index; the encoded TypedValue. */
  readonly values: (Uint8Array | undefined)[] = [];
  /** By slot index, only where a state expires after write: the instant of the last write. */
  writtenMs: number[] | undefined = undefined;
  /** Last invocation, kept only where a state expires after invocation. */
  invokedMs = 0;
  /** An expiry is waited for (at most one per memory). */
  expiryAwaited = false;
  /** Slots changed since the open unit began; the outbox empties it. */
  readonly changed: number[] = [];
  touched = false;
  constructor(
    readonly address: Address,
    readonly type: TypeStates,
    /** Home shard: where its records go. */
    readonly shard: number,
    /** Above 0: the part of this lessee of a dual-mode actor. */
    readonly lane = 0,
  ) {}

  get empty(): boolean {
    for (const value of this.values) if (value !== undefined) return false;
    return true;
  }
}

/** Every declared state travels with every request; a function that invents names must not grow this without bound. */
const SLOTS_MAX = 1_000;

/** Typename of a slot whose declaration has not been read yet. */
const UNDECLARED = "";

function sameDeclaration(one: StateDeclaration, other: StateDeclaration): boolean {
  return one.typename === other.typename && one.expireMode === other.expireMode && one.expireAfterMs === other.expireAfterMs;
}

/** The states of one function type. */
export class TypeStates {
  readonly slots: StateSlot[] = [];
  readonly #byName = new Map<string, StateSlot>();
  readonly memories = new Map<string, Memory>();
  /** Some state expires after invocation: every invocation renews it. */
  renewedByInvocation = false;
  expires = false;
  /** The instant of each write is kept, also of what does not expire: some state merges by it. */
  stamped = false;

  constructor(readonly typename: string) {}

  slot(name: string): StateSlot | undefined {
    return this.#byName.get(name);
  }

  /** The slot of a restored value; its declaration may come later in the log, and until then its type is not known. */
  reserve(name: string): StateSlot {
    const known = this.#byName.get(name);
    if (known) return known;
    this.declare({ name, typename: UNDECLARED, expireMode: "none", expireAfterMs: 0 });
    return this.#byName.get(name) as StateSlot;
  }

  /** Why this declaration cannot be taken, or undefined. */
  objection(declaration: StateDeclaration): string | undefined {
    // NUL parts the keys of the changelog.
    if (declaration.name.includes("\0")) return "declares a state whose name contains a NUL character";
    const known = this.#byName.get(declaration.name);
    if (!known && this.slots.length >= SLOTS_MAX) return `declares more than ${SLOTS_MAX} states`;
    if (!known || known.typename === declaration.typename || known.typename === UNDECLARED) return undefined;
    return `declares state '${declaration.name}' as ${declaration.typename}, but it is known as ${known.typename}`;
  }

  /** Takes a declaration without objection. True if it says something new, which must then be remembered. */
  declare(declaration: StateDeclaration): boolean {
    const known = this.#byName.get(declaration.name);
    if (known && sameDeclaration(known, declaration)) return false;
    const index = known ? known.index : this.slots.length;
    const slot: StateSlot = { ...declaration, index, nameField: stateNameField(declaration.name) };
    this.slots[index] = slot;
    this.#byName.set(slot.name, slot);
    this.expires = this.slots.some((each) => each.expireMode !== "none");
    this.renewedByInvocation = this.slots.some((each) => each.expireMode === "after-invoke");
    return true;
  }
}

export class StateStore {
  readonly #types = new Map<string, TypeStates>();
  bytes = 0;
  values = 0;

  type(typename: string): TypeStates {
    let type = this.#types.get(typename);
    if (!type) {
      type = new TypeStates(typename);
      this.#types.set(typename, type);
    }
    return type;
  }

  /** What this address remembers; an empty memory at first. `home` tells its shard when it is new. */
  memory(type: TypeStates, namespace: string, name: string, id: string, home: (id: string) => number): Memory {
    let memory = type.memories.get(id);
    if (!memory) {
      memory = new Memory({ namespace, type: name, id }, type, home(id));
      type.memories.set(id, memory);
    }
    return memory;
  }

  get types(): IterableIterator<TypeStates> {
    return this.#types.values();
  }

  /** The values to send along with a request, by slot; expired ones are absent (S1). */
  read(memory: Memory, now: number): readonly (Uint8Array | undefined)[] {
    if (!memory.type.expires) return memory.values;
    return memory.type.slots.map((slot) => (expiryMs(memory, slot) <= now ? undefined : memory.values[slot.index]));
  }

  /** MODIFY. `has_value` is set whatever the function sent (STATEFUN.md §1.4). */
  write(memory: Memory, slot: StateSlot, value: DecodedValue, now: number): void {
    this.place(memory, slot.index, ownBytes(value));
    if (slot.expireMode === "after-write" || memory.type.stamped) (memory.writtenMs ??= [])[slot.index] = now;
    else if (memory.writtenMs) memory.writtenMs[slot.index] = 0;
    markChanged(memory, slot.index);
  }

  /** A part that was restored: its values count from now on, and its last invocation, which the log does not have of a part, is now. */
  counted(part: Memory, now: number): Memory {
    if (part.type.renewedByInvocation) part.invokedMs = now;
    for (const value of part.values) {
      if (value === undefined) continue;
      this.bytes += value.length;
      this.values++;
    }
    return part;
  }

  /** What a merge of parts made: an encoded TypedValue, taken as it is. */
  assign(memory: Memory, slot: StateSlot, bytes: Uint8Array, writtenMs: number): void {
    this.place(memory, slot.index, bytes);
    if (writtenMs > 0 || memory.writtenMs) (memory.writtenMs ??= [])[slot.index] = writtenMs;
    markChanged(memory, slot.index);
  }

  /** DELETE, or expiry; of an absent value a no-op. */
  clear(memory: Memory, slot: StateSlot): void {
    if (memory.values[slot.index] === undefined) return;
    this.place(memory, slot.index, undefined);
    markChanged(memory, slot.index);
  }

  /** An invocation ended: values that live by invocation live on. */
  renew(memory: Memory, now: number): void {
    if (!memory.type.renewedByInvocation) return;
    memory.invokedMs = now;
    memory.touched = true;
  }

  /** Sets a value without marking it changed: for restore, and for the two above. */
  place(memory: Memory, index: number, bytes: Uint8Array | undefined): void {
    const before = memory.values[index];
    if (before !== undefined) {
      this.bytes -= before.length;
      this.values--;
    }
    if (bytes !== undefined) {
      this.bytes += bytes.length;
      this.values++;
    }
    while (memory.values.length < index) memory.values.push(undefined);
    memory.values[index] = bytes;
  }

  /** The earliest instant at which a value of this memory expires; Infinity if none does. */
  nextExpiryMs(memory: Memory): number {
    let earliest = Number.POSITIVE_INFINITY;
    if (!memory.type.expires) return earliest;
    for (const slot of memory.type.slots) {
      if (memory.values[slot.index] !== undefined) earliest = Math.min(earliest, expiryMs(memory, slot));
    }
    return earliest;
  }

  /** Clears what has expired. */
  sweep(memory: Memory, now: number): void {
    for (const slot of memory.type.slots) {
      if (memory.values[slot.index] !== undefined && expiryMs(memory, slot) <= now) this.clear(memory, slot);
    }
  }
}

/**
 * When the value in this slot expires; Infinity for never. A value that stood before its state was given a time to live has no
 * instant yet: its time begins with its next write or invocation, for losing it at once would surprise.
 */
export function expiryMs(memory: Memory, slot: StateSlot): number {
  switch (slot.expireMode) {
    case "none":
      return Number.POSITIVE_INFINITY;
    case "after-write":
      return (memory.writtenMs?.[slot.index] || Number.POSITIVE_INFINITY) + slot.expireAfterMs;
    case "after-invoke":
      return (memory.invokedMs || Number.POSITIVE_INFINITY) + slot.expireAfterMs;
  }
}

function markChanged(memory: Memory, index: number): void {
  if (!memory.changed.includes(index)) memory.changed.push(index);
}

const HAS_VALUE = Uint8Array.of(0x10, 0x01);

/** Own bytes with has_value set. Small arrays live on V8's heap and are cheaper than slices of a pool that they would pin. */
function ownBytes(value: DecodedValue): Uint8Array {
  const extra = value.hasValue ? 0 : HAS_VALUE.length;
  const own = new Uint8Array(value.bytes.length + extra);
  own.set(value.bytes);
  if (extra > 0) own.set(HAS_VALUE, value.bytes.length);
  return own;
}
