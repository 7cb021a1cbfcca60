/**
 * The message that asks a function to merge (strategy `function`, DUAL-MODE.md 2.8). The request's states are the base, the message
 * is the part, and the mutations of the reply make the merged base. Its value is a message of the protocol itself, so that whoever
 * can read a request can read it:
 *
 *   TypedValue { typename = "io.dirigo.types/merge"; value = ToFunction.InvocationBatchRequest { state = 2: repeated PersistedValue } }
 */
import { TypedValue } from "../model/typed-value";
import { lengthDelimited, type RequestState, stateBytes, typedValueHead, writeState } from "./wire";

export const MERGE_TYPENAME = "io.dirigo.types/merge";

const HEAD = typedValueHead(MERGE_TYPENAME);

/** `values[i]` goes with `slots[i]`: an encoded TypedValue, or undefined: the part has none, and lists the name alone. */
export function encodeMergeArgument(slots: readonly RequestState[], values: readonly (Uint8Array | undefined)[]): TypedValue {
  let bytes = 0;
  for (let i = 0; i < slots.length; i++) bytes += lengthDelimited(stateBytes(slots[i] as RequestState, values[i]));
  const part = new Uint8Array(bytes);
  let at = 0;
  for (let i = 0; i < slots.length; i++) at = writeState(part, at, slots[i] as RequestState, values[i]);
  return new TypedValue(HEAD, part);
}

/** TypedValue's first field and its length, and the typename: what every such argument begins with. */
const HEAD_BYTES = 2 + MERGE_TYPENAME.length;

/** Nobody but the router may send one: the SDKs take it for a merge. */
export function isMergeArgument({ head }: TypedValue): boolean {
  if (head.length < HEAD_BYTES || head[1] !== MERGE_TYPENAME.length) return false;
  for (let i = 0; i < HEAD_BYTES; i++) if (head[i] !== HEAD[i]) return false;
  return true;
}
