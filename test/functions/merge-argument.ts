/** What a merge message carries, as protobufjs' reflection reads it: the other side of our own encoder. */
import { typedValueBytes } from "../../src/functions/wire";
import type { TypedValue } from "../../src/model/typed-value";
import { decodeMessage, encodeMessage, type InvocationRequestFields, type TypedValueFields } from "../support/statefun-proto";

/** The bytes of an encoded TypedValue by state name; undefined: listed without a value. */
export type PartFields = Readonly<Record<string, Uint8Array | undefined>>;

/** The argument in one piece, as it stands in a request. */
export function wholeArgument({ head, value }: TypedValue): Uint8Array {
  if (value === undefined) return head;
  const { typename, has_value } = decodeMessage<TypedValueFields>("TypedValue", head);
  return encodeMessage("TypedValue", { typename, has_value, ...(value.length > 0 && { value }) });
}

/** Throws when it is anything else than a merge message with states alone in its value. */
export function decodeMergeArgument(argument: TypedValue): PartFields {
  const bytes = wholeArgument(argument);
  if (bytes.length !== typedValueBytes(argument)) throw new Error("the argument is not as long as it says");
  const { typename, has_value, value } = decodeMessage<TypedValueFields>("TypedValue", bytes);
  if (typename !== "io.dirigo.types/merge" || !has_value) throw new Error(`expected a merge message, got ${typename}`);
  const { state = [], ...others } = decodeMessage<InvocationRequestFields>(
    "ToFunction.InvocationBatchRequest",
    value ?? new Uint8Array(0),
  );
  if (Object.keys(others).length > 0) throw new Error(`expected states alone, got ${Object.keys(others)} too`);
  return Object.fromEntries(
    state.map(({ state_name, state_value }) => [state_name ?? "", state_value && encodeMessage("TypedValue", state_value)]),
  );
}
