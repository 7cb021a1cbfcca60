import * as fc from "fast-check";
import {
  decodeReply,
  detachTypedValue,
  encodeAddress,
  encodeRequest,
  type Reply,
  stateNameField,
  typedValueBytes,
  typedValueHead,
  varintBytes,
} from "../../src/functions/wire";
import type { Address } from "../../src/model/address";
import { ProtocolError } from "../../src/model/errors";
import { Message } from "../../src/model/message";
import { TypedValue } from "../../src/model/typed-value";
import {
  decodeMessage,
  decodeRequest,
  encodeMessage,
  encodeTypedValue,
  type InvocationRequestFields,
  incompleteBytes,
  replyBytes,
  type TypedValueFields,
} from "../support/statefun-proto";

const STRING = "io.statefun.types/string";
const TARGET: Address = { namespace: "ex", type: "fn", id: "i" };

function hex(text: string): Buffer {
  return Buffer.from(text, "hex");
}

function message(argument: TypedValue, caller?: Address): Message {
  const provenance = { timestampMs: 0, headers: [], traceparent: undefined };
  return new Message(TARGET, caller, argument, 0, undefined, 0, 0, 0, 0, 0, provenance);
}

/** The argument as a Kafka record gives it: fields before the value once per topic, and the record's own value. */
function fromRecord(typename: string, value: Uint8Array): TypedValue {
  return new TypedValue(typedValueHead(typename), value);
}

function whole(bytes: Uint8Array): TypedValue {
  return new TypedValue(bytes, undefined);
}

function request(target: Address, messages: Message[], states: [string, Uint8Array | undefined][] = []): Buffer {
  const slots = states.map(([name]) => ({ nameField: stateNameField(name) }));
  const values = states.map(([, value]) => value);
  return encodeRequest(encodeAddress(target), slots, values, messages);
}

/** What a reply says, in plain words, so that whole replies can be compared. */
function told(reply: Reply): object {
  const argument = (bytes: Uint8Array | undefined) => bytes && decodeMessage<TypedValueFields>("TypedValue", bytes);
  return {
    incomplete: reply.incomplete,
    mutations: reply.mutations.map(({ name, value }) => ({ name, value: value && argument(value.bytes) })),
    sends: reply.sends.map(({ target, argument: sent }) => ({ target, argument: argument(sent.head) })),
    delayed: reply.delayed.map((each) => ({ ...each, argument: argument(each.argument?.head) })),
    egress: reply.egress.map(({ egress, typename, value }) => ({ egress, typename, value: Buffer.from(value).toString("hex") })),
  };
}

const NOTHING = { incomplete: undefined, mutations: [], sends: [], delayed: [], egress: [] };

describe("golden vectors (STATEFUN.md §10)", () => {
  it("a request of one message, no state, no caller", () => {
    const expected = "a206320a0b0a0265781202666e1a01691a2312210a18696f2e737461746566756e2e74797065732f737472696e6710011a030a0161";
    expect(request(TARGET, [message(fromRecord(STRING, hex("0a0161")))]).toString("hex")).toBe(expected);
    expect(request(TARGET, [message(whole(encodeTypedValue(STRING, hex("0a0161"))))]).toString("hex")).toBe(expected);
  });

  it("an empty result (Java, JS) and an empty body (Python) mean no effects", () => {
    expect(told(decodeReply(hex("a20600")))).toEqual(NOTHING);
    expect(told(decodeReply(new Uint8Array(0)))).toEqual(NOTHING);
  });

  it("an empty incomplete context asks for nothing, but is one", () => {
    expect(told(decodeReply(hex("aa0600")))).toEqual({ ...NOTHING, incomplete: [] });
  });

  it("an incomplete context with expiry (JS and Python)", () => {
    const reply = decodeReply(hex("aa06260a240a047365656e120508021088271a15696f2e737461746566756e2e74797065732f696e74"));
    expect(reply.incomplete).toEqual([
      { name: "seen", typename: "io.statefun.types/int", expireMode: "after-invoke", expireAfterMs: 5_000 },
    ]);
  });

  it("an incomplete context without expiry (Java)", () => {
    const reply = decodeReply(hex("aa061d0a1b0a01621a16696f2e737461746566756e2e74797065732f626f6f6c"));
    expect(reply.incomplete).toEqual([{ name: "b", typename: "io.statefun.types/bool", expireMode: "none", expireAfterMs: 0 }]);
  });

  test.each([
    [
      "JS",
      "a2066f0a2a080112047365656e1a200a15696f2e737461746566756e2e74797065732f696e7410011a050d010000001a385a03746f6b0805120b0a0265781202666e1a01711a220a18696f2e737461746566756e2e74797065732f737472696e6710011a040a0268691a0750015a03746f6b",
    ],
    [
      "Python",
      "a2066f0a2a080112047365656e1a200a15696f2e737461746566756e2e74797065732f696e7410011a050d010000001a380805120b0a0265781202666e1a01711a220a18696f2e737461746566756e2e74797065732f737472696e6710011a040a0268695a03746f6b1a0750015a03746f6b",
    ],
  ])("state, a delayed message and its cancellation, in the field order of %s", (_sdk, bytes) => {
    expect(told(decodeReply(hex(bytes)))).toEqual({
      ...NOTHING,
      mutations: [{ name: "seen", value: { typename: "io.statefun.types/int", has_value: true, value: hex("0d01000000") } }],
      delayed: [
        {
          delayMs: 5,
          target: { namespace: "ex", type: "fn", id: "q" },
          argument: { typename: STRING, has_value: true, value: hex("0a026869") },
          cancel: false,
          token: "tok",
        },
        { delayMs: 0, target: undefined, argument: undefined, cancel: true, token: "tok" },
      ],
    });
  });

  it("a deletion, whose enum value is left out (Python)", () => {
    expect(told(decodeReply(hex("a206080a0612047365656e")))).toEqual({
      ...NOTHING,
      mutations: [{ name: "seen", value: undefined }],
    });
  });

  it("a Kafka egress (Python)", () => {
    const bytes =
      "a2065d225b0a02657812036f75741a500a3e747970652e676f6f676c65617069732e636f6d2f696f2e737461746566756e2e73646b2e6567726573732e4b61666b6150726f64756365725265636f726410011a0c0a016b1204000000011a0174";
    const [egress] = decodeReply(hex(bytes)).egress;
    expect(egress?.egress).toBe("ex/out");
    expect(egress?.typename).toBe("type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord");
    expect(Buffer.from(egress?.value ?? []).toString("hex")).toBe("0a016b1204000000011a0174");
  });
});

describe("requests", () => {
  it("leave the caller out for messages from an ingress, and name it for others", () => {
    const caller = { namespace: "ex", type: "other", id: "7" };
    const argument = fromRecord(STRING, hex("0a0161"));
    const read = decodeRequest(request(TARGET, [message(argument), message(argument, caller)]));
    expect(read.invocations?.[0]).not.toHaveProperty("caller");
    expect(read.invocations?.[1]?.caller).toEqual(caller);
  });

  it("list a registered state without value by its name only, and a value that is empty as present", () => {
    const empty = encodeTypedValue(STRING, "");
    const read = decodeRequest(
      request(
        TARGET,
        [],
        [
          ["none", undefined],
          ["empty", empty],
        ],
      ),
    );
    expect(read.state).toEqual([
      { state_name: "none" },
      { state_name: "empty", state_value: { typename: STRING, has_value: true } },
    ]);
  });

  it("send an argument of zero bytes as present and without a value field", () => {
    const body = request(TARGET, [message(fromRecord(STRING, new Uint8Array(0)))]);
    expect(decodeRequest(body).invocations).toEqual([{ argument: { typename: STRING, has_value: true } }]);
  });

  it("leave default values out: an address without id, a typename that is empty", () => {
    expect(encodeAddress({ namespace: "", type: "", id: "" })).toHaveLength(0);
    expect(Buffer.from(encodeAddress({ namespace: "ex", type: "fn", id: "" })).toString("hex")).toBe("0a0265781202666e");
    expect(Buffer.from(typedValueHead("")).toString("hex")).toBe("1001");
  });

  it("keep the oldest message first", () => {
    const messages = ["a", "b", "c"].map((text) => message(fromRecord("ex/raw", Buffer.from(text))));
    const values = decodeRequest(request(TARGET, messages)).invocations?.map((each) => String(each.argument?.value));
    expect(values).toEqual(["a", "b", "c"]);
  });

  it("keep fields of a value that we do not know, in arguments and states", () => {
    const future = encodeMessage("FutureTypedValue", {
      typename: STRING,
      has_value: true,
      value: hex("0a0161"),
      metadata: ["trace", "me"],
    });
    const body = request(TARGET, [message(whole(future))], [["kept", future]]);
    const at = body.indexOf(Buffer.from(future));
    expect(at).toBeGreaterThan(0);
    expect(body.lastIndexOf(Buffer.from(future))).toBeGreaterThan(at);
  });

  test.each([0, 1, 23, 24, 25, 126, 127, 128, 129, 255, 16_382, 16_383, 16_384, 16_385, 2_097_152])(
    "write lengths around %i bytes as the reflection reads them",
    (length) => {
      const value = new Uint8Array(length).fill(0x61);
      const state = encodeTypedValue("ex/raw", value);
      const target = { namespace: "ex", type: "fn", id: "x".repeat(Math.min(length, 20_000)) };
      const body = request(target, [message(fromRecord("ex/raw", value), target)], [["big", state]]);
      const expected = encodeMessage("ToFunction", {
        invocation: {
          target,
          state: [{ state_name: "big", state_value: { typename: "ex/raw", has_value: true, value } }],
          invocations: [{ caller: target, argument: { typename: "ex/raw", has_value: true, value } }],
        },
      });
      // Compared as bytes, for jest compares large arrays element by element; the reflection writes empty fields, too.
      if (length > 0) expect(body.equals(expected)).toBe(true);
      else expect(decodeRequest(body).target).toEqual(withoutEmpty(target));
    },
  );

  it("count varint bytes at every boundary", () => {
    for (const [value, bytes] of [
      [0, 1],
      [127, 1],
      [128, 2],
      [16_383, 2],
      [16_384, 3],
      [2_097_151, 3],
      [2_097_152, 4],
      [268_435_455, 4],
      [268_435_456, 5],
    ] as const) {
      expect(varintBytes(value)).toBe(bytes);
    }
  });

  it("are read back whole by the reflection, whatever they hold", () => {
    fc.assert(
      fc.property(anyRequest, ({ target, states, messages }) => {
        const body = request(
          target,
          messages.map((each) => message(asArgument(each), each.caller)),
          states.map(({ name, value }) => [name, value && encodeTypedValue(value.typename, value.value)]),
        );
        expect(decodeRequest(body)).toEqual(expectedRequest(target, states, messages));
      }),
    );
  });
});

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const address = fc.record({ namespace: text, type: text, id: text });
const anyValue = fc.record({ typename: text, value: fc.uint8Array({ maxLength: 300 }) });
const anyMessage = fc.record({
  typename: text,
  value: fc.uint8Array({ maxLength: 300 }),
  caller: fc.option(address, { nil: undefined }),
  split: fc.boolean(),
});
const anyState = fc.record({ name: text, value: fc.option(anyValue, { nil: undefined }) });
const anyRequest = fc.record({
  target: address,
  states: fc.array(anyState, { maxLength: 4 }),
  messages: fc.array(anyMessage, { minLength: 1, maxLength: 5 }),
});

interface AnyMessage {
  readonly typename: string;
  readonly value: Uint8Array;
  readonly caller: Address | undefined;
  readonly split: boolean;
}

function asArgument({ typename, value, split }: AnyMessage): TypedValue {
  return split ? fromRecord(typename, value) : whole(encodeTypedValue(typename, value));
}

/** proto3: what is empty is left out. */
function withoutEmpty<Fields extends object>(fields: Fields): Partial<Fields> {
  const kept = Object.entries(fields).filter(([, value]) => value !== "" && (value as { length?: number }).length !== 0);
  return Object.fromEntries(kept) as Partial<Fields>;
}

function plainValue({ typename, value }: { typename: string; value: Uint8Array }): TypedValueFields {
  return withoutEmpty({ typename, has_value: true, value: Buffer.from(value) });
}

function expectedRequest(
  target: Address,
  states: readonly { name: string; value: { typename: string; value: Uint8Array } | undefined }[],
  messages: readonly AnyMessage[],
): InvocationRequestFields {
  const state = states.map(({ name, value }) => ({
    ...withoutEmpty({ state_name: name }),
    ...(value && { state_value: plainValue(value) }),
  }));
  const invocations = messages.map((each) => ({
    ...(each.caller && { caller: withoutEmpty(each.caller) }),
    argument: plainValue(each),
  }));
  return { target: withoutEmpty(target), ...(state.length > 0 && { state }), invocations };
}

describe("a typed value", () => {
  it("counts and detaches to the same bytes, in either shape", () => {
    fc.assert(
      fc.property(anyMessage, (each) => {
        const argument = asArgument(each);
        const detached = detachTypedValue(argument);
        expect(detached.value).toBeUndefined();
        expect(typedValueBytes(argument)).toBe(detached.head.length);
        expect(decodeMessage("TypedValue", detached.head)).toEqual(plainValue(each));
        expect(detached.head.buffer.byteLength).toBe(detached.head.length);
      }),
    );
  });
});

const anyReply = fc.record({
  state_mutations: fc.array(
    fc.record({ mutation_type: fc.constantFrom(0, 1), state_name: text, state_value: anyValue.map(present) }),
    { maxLength: 3 },
  ),
  outgoing_messages: fc.array(fc.record({ target: address, argument: anyValue.map(present) }), { maxLength: 3 }),
  delayed_invocations: fc.array(
    fc.record({
      delay_in_ms: fc.integer({ min: -5, max: Number.MAX_SAFE_INTEGER }),
      target: address,
      argument: anyValue.map(present),
      is_cancellation_request: fc.boolean(),
      cancellation_token: text,
    }),
    { maxLength: 3 },
  ),
  outgoing_egresses: fc.array(fc.record({ egress_namespace: text, egress_type: text, argument: anyValue.map(present) }), {
    maxLength: 3,
  }),
});

function present(value: { typename: string; value: Uint8Array }) {
  return { typename: value.typename, has_value: true, value: Buffer.from(value.value) };
}

describe("replies", () => {
  it("say what the reflection wrote, whatever they hold", () => {
    fc.assert(
      fc.property(anyReply, (fields) => {
        expect(told(decodeReply(Buffer.from(replyBytes(fields))))).toEqual({
          incomplete: undefined,
          mutations: fields.state_mutations.map((each) => ({
            name: each.state_name,
            value: each.mutation_type === 0 ? undefined : plainValue(each.state_value),
          })),
          sends: fields.outgoing_messages.map((each) => ({ target: each.target, argument: plainValue(each.argument) })),
          delayed: fields.delayed_invocations.map((each) => ({
            delayMs: each.delay_in_ms,
            target: each.target,
            argument: plainValue(each.argument),
            cancel: each.is_cancellation_request,
            token: each.cancellation_token,
          })),
          egress: fields.outgoing_egresses.map((each) => ({
            egress: `${each.egress_namespace}/${each.egress_type}`,
            typename: each.argument?.typename ?? "",
            value: Buffer.from(each.argument?.value ?? []).toString("hex"),
          })),
        });
      }),
    );
  });

  it("read every declaration, with its expiry", () => {
    const declarations = fc.array(
      fc.record({ name: text, typename: text, mode: fc.constantFrom(0, 1, 2), after: fc.maxSafeNat() }),
      { maxLength: 4 },
    );
    const modes = ["none", "after-write", "after-invoke"];
    fc.assert(
      fc.property(declarations, (list) => {
        const bytes = incompleteBytes(
          ...list.map(({ name, typename, mode, after }) => ({
            state_name: name,
            type_typename: typename,
            expiration_spec: { mode, expire_after_millis: after },
          })),
        );
        const expected = list.map(({ name, typename, mode, after }) => ({
          name,
          typename: typename || "io.statefun.types/unset",
          expireMode: modes[mode],
          expireAfterMs: after,
        }));
        expect(decodeReply(bytes).incomplete).toEqual(expected);
      }),
    );
  });

  it("take an empty expiration spec as none (Python, Go)", () => {
    const [declaration] = decodeReply(incompleteBytes({ state_name: "a", expiration_spec: {} })).incomplete ?? [];
    expect(declaration).toEqual({ name: "a", typename: "io.statefun.types/unset", expireMode: "none", expireAfterMs: 0 });
  });

  it("keep the unknown fields of values that are stored or sent on", () => {
    const future = encodeMessage("FutureTypedValue", { typename: "ex/t", has_value: true, metadata: ["kept"] });
    const field = (tag: number, content: Uint8Array) => Buffer.concat([Uint8Array.of(tag, content.length), content]);
    const mutation = Buffer.concat([hex("08011201731a"), Uint8Array.of(future.length), future]);
    const send = Buffer.concat([field(0x0a, encodeAddress(TARGET)), field(0x12, future)]);
    const result = Buffer.concat([field(0x0a, mutation), field(0x12, send)]);
    const reply = decodeReply(Buffer.concat([hex("a206"), Uint8Array.of(result.length), result]));
    expect(Buffer.from(reply.mutations[0]?.value?.bytes ?? []).equals(future)).toBe(true);
    expect(Buffer.from(reply.sends[0]?.argument.head ?? []).equals(future)).toBe(true);
  });

  it("read a modification without a value as one: what it lacks is judged later", () => {
    const reply = decodeReply(replyBytes({ state_mutations: [{ mutation_type: 1, state_name: "s" }] }));
    expect(reply.mutations[0]?.value).toMatchObject({ typename: "", hasValue: false });
  });

  it("read the same from any kind of byte array", () => {
    const bytes = replyBytes({ outgoing_messages: [{ target: { namespace: "ex", type: "fn", id: "é\u{1f600}" } }] });
    const shifted = new Uint8Array(bytes.length + 4);
    shifted.set(bytes, 2);
    const view = shifted.subarray(2, 2 + bytes.length);
    expect(decodeReply(view).sends[0]?.target.id).toBe("é\u{1f600}");
    expect(decodeReply(Buffer.from(bytes)).sends[0]?.target.id).toBe("é\u{1f600}");
  });
});

describe("bytes that are no reply", () => {
  /** Either a reply or a ProtocolError; anything else would be a crash. True if it was a reply. */
  function readsOrRefuses(bytes: Uint8Array): boolean {
    try {
      decodeReply(bytes);
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(ProtocolError);
      return false;
    }
  }

  it("are a ProtocolError, never a crash of another kind", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        readsOrRefuses(bytes);
        readsOrRefuses(Buffer.concat([Uint8Array.of(0xa2, 0x06, bytes.length % 128), bytes]));
        readsOrRefuses(Buffer.concat([Uint8Array.of(0xaa, 0x06, bytes.length % 128), bytes]));
      }),
      { numRuns: 2_000 },
    );
  });

  it("cut anywhere, are refused unless the cut is behind a whole field", () => {
    const argument = { typename: "ex/t", has_value: true, value: Buffer.from("value") };
    const reply = replyBytes({
      state_mutations: [{ mutation_type: 1, state_name: "s", state_value: argument }],
      outgoing_messages: [{ target: TARGET, argument }],
      delayed_invocations: [{ delay_in_ms: 300, target: TARGET, argument, cancellation_token: "tok" }],
      outgoing_egresses: [{ egress_namespace: "ex", egress_type: "out", argument }],
    });
    const incomplete = incompleteBytes({ state_name: "s", expiration_spec: { mode: 1, expire_after_millis: 9_000 } });
    for (const bytes of [reply, incomplete]) {
      for (let length = 1; length < bytes.length; length++) expect(readsOrRefuses(bytes.subarray(0, length))).toBe(false);
      expect(readsOrRefuses(bytes)).toBe(true);
    }
  });

  test.each([
    ["a field that ends behind the message around it", "a206040a06120473656565"],
    ["a typed value whose value ends behind it", "a206110a0f08011201731a041a06616161616161"],
    ["an address whose id ends behind it", "a2060c120a0a041a06616161616161"],
    ["a length of four gigabytes", "a206ffffffff0f"],
    ["an end-group tag", "a4060c"],
    ["a varint that never ends", "ffffffffffffffffffffffff"],
  ])("are refused: %s", (_what, bytes) => {
    expect(readsOrRefuses(hex(bytes))).toBe(false);
  });

  it("nested a million groups deep, are refused and not followed", () => {
    expect(readsOrRefuses(new Uint8Array(1_000_000).fill(0x0b))).toBe(false);
  });

  it("name how many bytes there were", () => {
    expect(() => decodeReply(Uint8Array.of(0xa2))).toThrow(/^the reply of 1 bytes is not a FromFunction message: /);
  });
});
