import fc from "fast-check";
import { encodeMergeArgument } from "../../src/functions/merge-message";
import { encodeAddress, encodeRequest, stateNameField } from "../../src/functions/wire";
import { Message } from "../../src/model/message";
import type { TypedValue } from "../../src/model/typed-value";
import { decodeMessage, decodeRequest, encodeTypedValue, type InvocationRequestFields } from "../support/statefun-proto";
import { decodeMergeArgument, type PartFields } from "./merge-argument";

function encoded(part: PartFields): TypedValue {
  const slots = Object.keys(part).map((name) => ({ nameField: stateNameField(name) }));
  return encodeMergeArgument(slots, Object.values(part));
}

test("the part's states are listed, with their values or without", () => {
  const values = fc.uint8Array({ maxLength: 300 }).map((value) => encodeTypedValue("ex/sketch", value));
  const names = fc.string({ unit: "grapheme", minLength: 1, maxLength: 150 });
  const parts = fc.dictionary(names, fc.option(values, { nil: undefined }), { noNullPrototype: true });
  fc.assert(fc.property(parts, (part) => expect(decodeMergeArgument(encoded(part))).toEqual(part)));
});

test("a value goes as it was stored, fields of later versions included", () => {
  const stored = Buffer.concat([encodeTypedValue("ex/sketch", "v"), Buffer.from([0x22, 1, 0x41])]);
  const { value } = encoded({ sketch: stored });
  expect(Buffer.from(value ?? []).includes(stored)).toBe(true);
});

test("it is a message of the protocol within a message of the protocol", () => {
  const argument = encoded({ sketch: encodeTypedValue("ex/sketch", "part"), seen: undefined });
  const provenance = { timestampMs: 0, headers: [], traceparent: undefined };
  const target = { namespace: "ex", type: "fn", id: "i" };
  const message = new Message(target, undefined, argument, 0, undefined, 0, 0, 0, 0, 0, provenance);
  const slot = { nameField: stateNameField("sketch") };
  const body = encodeRequest(encodeAddress(target), [slot], [encodeTypedValue("ex/sketch", "base")], [message]);
  const request = decodeRequest(body);
  expect(request.state).toEqual([
    { state_name: "sketch", state_value: { typename: "ex/sketch", has_value: true, value: Buffer.from("base") } },
  ]);
  const [invocation] = request.invocations ?? [];
  expect(invocation?.caller).toBeUndefined();
  expect(invocation?.argument).toMatchObject({ typename: "io.dirigo.types/merge", has_value: true });
  const value = invocation?.argument?.value ?? Buffer.alloc(0);
  const part = decodeMessage<InvocationRequestFields>("ToFunction.InvocationBatchRequest", value);
  expect(part).toEqual({
    state: [
      { state_name: "sketch", state_value: { typename: "ex/sketch", has_value: true, value: Buffer.from("part") } },
      { state_name: "seen" },
    ],
  });
});
