/** Requests as a router would write them, and replies as it would read them. */
import type { Functions } from "../../../src/functions/sdk";
import { type Type, types } from "../../../src/functions/sdk";
import {
  decodeReply,
  encodeRequest,
  type ProtocolReply,
  type ProtocolResult,
  type ProtocolValue,
  typedValue,
} from "../../conformance/protocol";

export const self = { namespace: "ex", type: "fn", id: "i" };

/** Values by state name; null = listed without a value. */
export type StatesSent = Readonly<Record<string, ProtocolValue | null>>;

export function typedAs<T>(type: Type<T>, value: T): ProtocolValue {
  return typedValue(type.typename, type.encode(value));
}

export function requestFor(messages: readonly ProtocolValue[], states: StatesSent = {}, caller?: typeof self): Buffer {
  return encodeRequest({
    target: self,
    state: Object.entries(states).map(([state_name, value]) =>
      value === null ? { state_name } : { state_name, state_value: value },
    ),
    invocations: messages.map((argument) => (caller === undefined ? { argument } : { caller, argument })),
  });
}

export const hello = typedAs(types.string, "a");

export async function replyTo(functions: Functions, request: Buffer): Promise<ProtocolReply> {
  return decodeReply(await functions.invoke(request));
}

export async function resultOf(functions: Functions, request: Buffer): Promise<ProtocolResult> {
  const { invocation_result } = await replyTo(functions, request);
  if (!invocation_result) throw new Error("expected a result, got an incomplete context");
  return invocation_result;
}

/** What the request throws or rejects with. */
export async function failureOf(functions: Functions, request: Buffer): Promise<Error> {
  try {
    await functions.invoke(request);
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected a failure");
}
