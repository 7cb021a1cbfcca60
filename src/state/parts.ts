/** The state of two lanes of one actor becomes that of one: value by value, as declared (merge.ts). */
import type { MergeSpecification } from "../config/specification";
import { ProtocolError } from "../model/errors";
import { mergedByFunction, mergeValue, type PartValue } from "./merge";
import type { Memory, StateSlot, StateStore } from "./store";

export type MergeOf = (state: string) => MergeSpecification | undefined;

interface MergedSlot {
  readonly slot: StateSlot;
  readonly value: PartValue;
}

/** Throws ProtocolError, and changes nothing, when a value cannot be merged. */
export function checkParts(into: Memory, from: Memory, mergeOf: MergeOf): void {
  mergedSlots(into, from, mergeOf);
}

/** `from` is empty afterwards: what the function merges itself has been taken before, or has expired. Throws ProtocolError and changes nothing. */
export function foldParts(store: StateStore, into: Memory, from: Memory, mergeOf: MergeOf): void {
  const merged = mergedSlots(into, from, mergeOf);
  for (const { slot, value } of merged) if (value.bytes) store.assign(into, slot, value.bytes, value.writtenMs);
  lastInvoked(into, from);
  for (const slot of from.type.slots) store.clear(from, slot);
}

/** What the function has merged itself is in `into`: it leaves `from`. */
export function dropTaken(store: StateStore, into: Memory, from: Memory, mergeOf: MergeOf): void {
  lastInvoked(into, from);
  for (const slot of from.type.slots) {
    const specification = mergeOf(slot.name);
    if (specification && mergedByFunction(specification)) store.clear(from, slot);
  }
}

function lastInvoked(into: Memory, from: Memory): void {
  into.invokedMs = Math.max(into.invokedMs, from.invokedMs);
  if (from.invokedMs > 0) into.touched = true;
}

function mergedSlots(into: Memory, from: Memory, mergeOf: MergeOf): MergedSlot[] {
  const merged: MergedSlot[] = [];
  for (const slot of from.type.slots) {
    if (from.values[slot.index] === undefined) continue;
    const specification = mergeOf(slot.name);
    if (!specification) throw new ProtocolError(`state '${slot.name}' has no merge strategy`);
    if (mergedByFunction(specification)) continue;
    merged.push({ slot, value: named(slot, () => mergeValue(specification, partOf(into, slot), partOf(from, slot))) });
  }
  return merged;
}

function partOf(memory: Memory, slot: StateSlot): PartValue {
  return { bytes: memory.values[slot.index], writtenMs: memory.writtenMs?.[slot.index] ?? 0 };
}

function named(slot: StateSlot, merge: () => PartValue): PartValue {
  try {
    return merge();
  } catch (error) {
    if (error instanceof ProtocolError) throw new ProtocolError(`state '${slot.name}': ${error.message}`);
    throw error;
  }
}

/** Bytes of all values. */
export function memoryBytes(memory: Memory): number {
  let bytes = 0;
  for (const value of memory.values) bytes += value?.length ?? 0;
  return bytes;
}
