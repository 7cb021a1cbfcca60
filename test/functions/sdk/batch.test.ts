import {
  after,
  type Context,
  defineFunction,
  defineFunctions,
  InvocationError,
  type Message,
  type States,
  state,
  types,
  UnknownFunctionError,
} from "../../../src/functions/sdk";
import { ProtocolError } from "../../../src/model/errors";
import { decodeKafkaRecord, typedValue } from "../../conformance/protocol";
import { failureOf, hello, replyTo, requestFor, resultOf, self, typedAs } from "./exchange";

type Handle<S extends States> = (ctx: Context<S>, message: Message) => void | Promise<void>;

function served<S extends States>(states: S, handle: Handle<S>) {
  return defineFunctions([defineFunction({ typename: "ex/fn", states, handle })]);
}

const goldenRequest = Buffer.from(
  "a206320a0b0a0265781202666e1a01691a2312210a18696f2e737461746566756e2e74797065732f737472696e6710011a030a0161",
  "hex",
);

describe("golden vectors (STATEFUN.md §10)", () => {
  test("the request is read: target ex/fn/i, the string a, no caller", () => {
    const seen: unknown[] = [];
    const functions = served({}, (ctx, message) => {
      seen.push(ctx.self, ctx.caller, message.typename, message.as(types.string));
    });
    functions.invoke(goldenRequest);
    expect(seen).toEqual([{ typename: "ex/fn", id: "i" }, undefined, "io.statefun.types/string", "a"]);
  });

  test("no effects: an empty result", () => {
    const functions = served({}, () => {});
    expect((functions.invoke(goldenRequest) as Buffer).toString("hex")).toBe("a20600");
  });

  test("a declared state that is not listed: an incomplete context, byte for byte as from JavaScript and Python", () => {
    const handle = jest.fn();
    const functions = served({ seen: state.int({ expire: after.call("5s") }) }, handle);
    expect((functions.invoke(goldenRequest) as Buffer).toString("hex")).toBe(
      "aa06260a240a047365656e120508021088271a15696f2e737461746566756e2e74797065732f696e74",
    );
    expect(handle).not.toHaveBeenCalled();
  });

  test("a state without expiry leaves the expiration out, as Java does", () => {
    const functions = served({ b: state.boolean() }, () => {});
    expect((functions.invoke(goldenRequest) as Buffer).toString("hex")).toBe(
      "aa061d0a1b0a01621a16696f2e737461746566756e2e74797065732f626f6f6c",
    );
  });

  test("state, delayed send and cancel: byte for byte as from Python", () => {
    const functions = served({ seen: state.int() }, (ctx) => {
      ctx.sendAfter(5, { typename: "ex/fn", id: "q" }, "hi", { token: "tok" });
      ctx.cancel("tok");
      ctx.state.seen = 1;
    });
    expect((functions.invoke(requestFor([hello], { seen: null })) as Buffer).toString("hex")).toBe(
      "a2066f0a2a080112047365656e1a200a15696f2e737461746566756e2e74797065732f696e7410011a050d010000001a380805120b0a0265781202666e1a01711a220a18696f2e737461746566756e2e74797065732f737472696e6710011a040a0268695a03746f6b1a0750015a03746f6b",
    );
  });

  test("deleting a state", () => {
    const functions = served({ seen: state.int() }, (ctx) => {
      ctx.state.seen = undefined;
    });
    expect((functions.invoke(requestFor([hello], { seen: null })) as Buffer).toString("hex")).toBe("a206080a0612047365656e");
  });

  test("a Kafka record", () => {
    const functions = served({}, (ctx) => ctx.kafka("ex/out", { topic: "t", key: "k", value: Buffer.from("00000001", "hex") }));
    expect((functions.invoke(goldenRequest) as Buffer).toString("hex")).toBe(
      "a2065d225b0a02657812036f75741a500a3e747970652e676f6f676c65617069732e636f6d2f696f2e737461746566756e2e73646b2e6567726573732e4b61666b6150726f64756365725265636f726410011a0c0a016b1204000000011a0174",
    );
  });
});

describe("states", () => {
  const every = {
    flag: state.boolean(),
    int: state.int(),
    long: state.long(),
    float: state.float(),
    double: state.double(),
    number: state.number(),
    text: state.string(),
    blob: state.bytes(),
    profile: state.json<{ name: string; tags: string[] }>("ex/profile"),
    own: state.of(types.text("ex/own")),
  };

  test("each type is read, set and typed on the wire", async () => {
    const functions = served(every, (ctx) => {
      const s = ctx.state;
      expect([s.flag, s.int, s.long, s.float, s.double, s.number, s.text, s.own]).toEqual([true, 1, 2n, 0.5, 0.1, 3, "t", "o"]);
      expect(Buffer.from(s.blob ?? []).toString()).toBe("b");
      expect(s.profile).toEqual({ name: "n", tags: ["x"] });
      s.flag = false;
      s.int = -1;
      s.long = 2n ** 40n;
      s.float = 1.5;
      s.double = 0.2;
      s.number = Number.MAX_SAFE_INTEGER;
      s.text = "";
      s.blob = Buffer.from([0, 255]);
      s.profile = { name: "m", tags: [] };
      s.own = "p";
    });
    const request = requestFor([hello], {
      flag: typedAs(types.boolean, true),
      int: typedAs(types.int, 1),
      long: typedAs(types.long, 2n),
      float: typedAs(types.float, 0.5),
      double: typedAs(types.double, 0.1),
      number: typedAs(types.double, 3),
      text: typedAs(types.string, "t"),
      blob: typedValue("io.dirigo.types/bytes", Buffer.from("b")),
      profile: typedValue("ex/profile", Buffer.from('{"name":"n","tags":["x"]}')),
      own: typedValue("ex/own", Buffer.from("o")),
    });
    const { state_mutations } = await resultOf(functions, request);
    expect(
      state_mutations.map((m) => [m.mutation_type, m.state_name, m.state_value?.typename, m.state_value?.value.toString("hex")]),
    ).toEqual([
      ["MODIFY", "flag", "io.statefun.types/bool", ""],
      ["MODIFY", "int", "io.statefun.types/int", "0dffffffff"],
      ["MODIFY", "long", "io.statefun.types/long", "090000000000010000"],
      ["MODIFY", "float", "io.statefun.types/float", "0d0000c03f"],
      ["MODIFY", "double", "io.statefun.types/double", "099a9999999999c93f"],
      ["MODIFY", "number", "io.statefun.types/double", "09ffffffffffff3f43"],
      ["MODIFY", "text", "io.statefun.types/string", ""],
      ["MODIFY", "blob", "io.dirigo.types/bytes", "00ff"],
      ["MODIFY", "profile", "ex/profile", Buffer.from('{"name":"m","tags":[]}').toString("hex")],
      ["MODIFY", "own", "ex/own", "70"],
    ]);
  });

  test("a listed state without a value is undefined, one with an empty value is its type's default", () => {
    const seen: unknown[] = [];
    const functions = served({ a: state.int(), b: state.int() }, (ctx) => {
      seen.push(ctx.state.a, ctx.state.b);
    });
    functions.invoke(requestFor([hello], { a: null, b: typedValue("io.statefun.types/int", Buffer.alloc(0)) }));
    expect(seen).toEqual([undefined, 0]);
  });

  test("has_value = false is no value, whatever the bytes say", () => {
    const functions = served({ a: state.int() }, (ctx) => expect(ctx.state.a).toBeUndefined());
    functions.invoke(
      requestFor([hello], {
        a: { typename: "io.statefun.types/int", has_value: false, value: Buffer.from("0d01000000", "hex") },
      }),
    );
    expect.assertions(1);
  });

  test("the messages of a batch see each other's writes, and one mutation leaves", async () => {
    const functions = served({ n: state.int() }, (ctx) => {
      ctx.state.n = (ctx.state.n ?? 0) + 1;
    });
    const { state_mutations } = await resultOf(functions, requestFor([hello, hello, hello], { n: typedAs(types.int, 4) }));
    expect(state_mutations.map((m) => m.state_value?.value.toString("hex"))).toEqual(["0d07000000"]);
  });

  test("reading alone mutates nothing", async () => {
    const functions = served({ n: state.int() }, (ctx) => void ctx.state.n);
    expect((await resultOf(functions, requestFor([hello], { n: typedAs(types.int, 4) }))).state_mutations).toEqual([]);
  });

  test("set after delete sets, delete after set deletes", async () => {
    const functions = served({ a: state.int(), b: state.int() }, (ctx) => {
      ctx.state.a = undefined;
      ctx.state.a = 1;
      ctx.state.b = 1;
      ctx.state.b = undefined;
      expect([ctx.state.a, ctx.state.b]).toEqual([1, undefined]);
    });
    const { state_mutations } = await resultOf(functions, requestFor([hello], { a: null, b: null }));
    expect(state_mutations.map((m) => m.mutation_type)).toEqual(["MODIFY", "DELETE"]);
  });

  test("only what is missing is asked for, in the order declared; other states of the request are no matter", async () => {
    const functions = served({ a: state.int(), b: state.string({ expire: after.write("1d") }), c: state.long() }, () => {});
    const { incomplete_invocation_context } = await replyTo(functions, requestFor([hello], { b: null, old: null }));
    expect(incomplete_invocation_context?.missing_values.map((v) => v.state_name)).toEqual(["a", "c"]);
    const all = await replyTo(functions, requestFor([hello]));
    expect(all.incomplete_invocation_context?.missing_values[1]).toEqual({
      state_name: "b",
      type_typename: "io.statefun.types/string",
      expiration_spec: { mode: "AFTER_WRITE", expire_after_millis: 86_400_000 },
    });
    expect(await replyTo(functions, requestFor([hello], { c: null, old: null, b: null, a: null }))).toHaveProperty(
      "invocation_result",
    );
  });

  test("a value of another type than declared fails when it is read, and names both", async () => {
    const functions = served({ n: state.int() }, (ctx) => void ctx.state.n);
    const failure = await failureOf(functions, requestFor([hello], { n: typedAs(types.long, 1n) }));
    expect(failure.message).toContain("state n is declared as io.statefun.types/int, but holds io.statefun.types/long");
  });

  test("a change inside a JSON value throws instead of being lost, read or assigned", async () => {
    const declared = { p: state.json<{ n: number; inner: { m: number } }>("ex/p") };
    const stored = { p: typedValue("ex/p", Buffer.from('{"n":1,"inner":{"m":1}}')) };
    const changesRead = served(declared, (ctx) => {
      (ctx.state.p as { inner: { m: number } }).inner.m = 2;
    });
    expect((await failureOf(changesRead, requestFor([hello], stored))).message).toContain("read only");
    const changesAssigned = served(declared, (ctx) => {
      const value = { n: 1, inner: { m: 1 } };
      ctx.state.p = value;
      value.n = 2;
    });
    expect((await failureOf(changesAssigned, requestFor([hello], stored))).message).toContain("read only");
  });

  test("delete deletes", async () => {
    const functions = served({ n: state.int() }, (ctx) => {
      delete ctx.state.n;
      expect(ctx.state.n).toBeUndefined();
    });
    const { state_mutations } = await resultOf(functions, requestFor([hello], { n: typedAs(types.int, 1) }));
    expect(state_mutations.map((m) => m.mutation_type)).toEqual(["DELETE"]);
  });

  test("all states at once: spread, printed, asked for by name", () => {
    const functions = served({ n: state.int(), s: state.string() }, (ctx) => {
      expect({ ...ctx.state }).toEqual({ n: 1, s: undefined });
      expect(JSON.stringify(ctx.state)).toBe('{"n":1}');
      expect(["n" in ctx.state, "x" in ctx.state, String(Object.keys(ctx.state))]).toEqual([true, false, "n,s"]);
    });
    functions.invoke(requestFor([hello], { n: typedAs(types.int, 1), s: null }));
    expect.assertions(3);
  });

  test.each<[string, (state: Record<string, unknown>) => void, string]>([
    [
      "set",
      (s) => {
        s.typo = 1;
      },
      "ex/fn declares no state typo",
    ],
    ["read", (s) => s.typo, "ex/fn declares no state typo"],
    ["deleted", (s) => delete s.typo, "ex/fn declares no state typo"],
    ["defined", (s) => Object.defineProperty(s, "n", { value: 1 }), "ex/fn: state n is set by assigning it"],
  ])("a state that was not declared cannot be %s", async (_how, act, message) => {
    const functions = served({ n: state.int() }, (ctx) => act(ctx.state as Record<string, unknown>));
    expect((await failureOf(functions, requestFor([hello], { n: null }))).message).toContain(message);
  });

  test("a wrong value fails at the message that assigns it", async () => {
    const functions = served({ n: state.int() }, (ctx, message) => {
      ctx.state.n = message.as(types.string) === "bad" ? 0.5 : 1;
    });
    const failure = await failureOf(functions, requestFor([hello, typedAs(types.string, "bad"), hello], { n: null }));
    expect(failure).toMatchObject({ index: 1, count: 3 });
  });

  test("a value that turns out not to be encodable names the message that assigned it", async () => {
    const functions = served({ p: state.json<{ n: bigint }>("ex/p") }, (ctx, message) => {
      if (message.as(types.string) === "bad") ctx.state.p = { n: 1n };
    });
    const failure = await failureOf(functions, requestFor([hello, typedAs(types.string, "bad"), hello], { p: null }));
    expect(failure).toMatchObject({ name: "InvocationError", index: 1 });
  });

  test("names and declarations are checked when the function is defined", () => {
    expect(() => served({ "a-b": state.int() }, () => {})).toThrow(/letters, digits and _ only, got "a-b"/);
    expect(() => served({ a: 1 } as never, () => {})).toThrow("state a is not declared with state.int()");
    expect(() => after.write(0)).toThrow("expected more than 0 milliseconds");
  });
});

describe("messages", () => {
  test("is, as, typename and bytes", () => {
    const order = types.json<{ n: number }>("shop/order");
    const functions = served({}, (_ctx, message) => {
      expect([message.is(order), message.is(types.int), message.typename, message.hasValue]).toEqual([
        true,
        false,
        "shop/order",
        true,
      ]);
      expect(message.as(order)).toEqual({ n: 1 });
      expect(message.bytes.toString()).toBe('{"n":1}');
      expect(() => message.as(types.int)).toThrow("the message is a shop/order, not a io.statefun.types/int");
    });
    functions.invoke(requestFor([typedAs(order, { n: 1 })]));
    expect.assertions(4);
  });

  test("a message without a value says so", () => {
    const functions = served({}, (_ctx, message) => {
      expect(message.hasValue).toBe(false);
      expect(() => message.as(types.int)).toThrow("a io.statefun.types/int without a value");
    });
    functions.invoke(requestFor([{ typename: "io.statefun.types/int", has_value: false, value: Buffer.alloc(0) }]));
    expect.assertions(2);
  });

  test("the caller is the sender's address, also an empty id; three empty texts are none", () => {
    const seen: unknown[] = [];
    const functions = served({}, (ctx) => {
      seen.push(ctx.caller);
    });
    functions.invoke(requestFor([hello], {}, { ...self, id: "" }));
    functions.invoke(requestFor([hello], {}, { namespace: "", type: "", id: "" }));
    expect(seen).toEqual([{ typename: "ex/fn", id: "" }, undefined]);
  });

  test("fields in any order, and ones we do not know, are read", () => {
    const target = "0a0b" + "0a0265781202666e1a0169";
    const argument = "0a18696f2e737461746566756e2e74797065732f737472696e6710011a030a0161";
    const withUnknown = `22030102031a030a01611001${argument.slice(0, 52)}`;
    const invocation = (bytes: string) => field("1a", field("12", bytes));
    const functions = served({}, (_ctx, message) => expect(message.as(types.string)).toBe("a"));
    functions.invoke(Buffer.from(`${field("a206", `${invocation(withUnknown)}3001${target}`)}0801`, "hex"));
    expect.assertions(1);
  });
});

/** A length-delimited field in hex, content shorter than 128 bytes. */
function field(tag: string, content: string): string {
  return tag + (content.length / 2).toString(16).padStart(2, "0") + content;
}

describe("effects", () => {
  test("sends, delayed sends and egress records leave in the order asked for", async () => {
    const other = defineFunction({ typename: "ex/other", handle: () => {} });
    const functions = served({}, (ctx, message) => {
      const text = message.as(types.string);
      ctx.send(other.at(text), types.int.of(1));
      ctx.send(ctx.self, true);
      ctx.send({ typename: "ex/other", id: "" }, 7n);
      ctx.sendAfter("2s", other.at(text), text);
      ctx.sendAfter(0, ctx.self, text, { token: `t-${text}` });
      ctx.cancel(`t-${text}`);
      ctx.egress("ex/raw", types.json("ex/result").of({ text }));
    });
    const result = await resultOf(functions, requestFor([hello, typedAs(types.string, "b")]));
    expect(result.outgoing_messages.map((m) => [m.target.type, m.target.id, m.argument.typename])).toEqual([
      ["other", "a", "io.statefun.types/int"],
      ["fn", "i", "io.statefun.types/bool"],
      ["other", "", "io.statefun.types/long"],
      ["other", "b", "io.statefun.types/int"],
      ["fn", "i", "io.statefun.types/bool"],
      ["other", "", "io.statefun.types/long"],
    ]);
    expect(
      result.delayed_invocations.map((d) => [d.delay_in_ms, d.target?.id, d.is_cancellation_request, d.cancellation_token]),
    ).toEqual([
      [2_000, "a", false, ""],
      [0, "i", false, "t-a"],
      [0, undefined, true, "t-a"],
      [2_000, "b", false, ""],
      [0, "i", false, "t-b"],
      [0, undefined, true, "t-b"],
    ]);
    expect(result.outgoing_egresses.map((e) => [e.egress_namespace, e.egress_type, e.argument.value.toString()])).toEqual([
      ["ex", "raw", '{"text":"a"}'],
      ["ex", "raw", '{"text":"b"}'],
    ]);
  });

  test("long ids, values and delays are framed right (lengths of two and three bytes, 2^40 ms)", async () => {
    const id = "ü".repeat(200);
    const value = "x".repeat(70_000);
    const functions = served({}, (ctx) => {
      ctx.send({ typename: "ex/fn", id }, value);
      ctx.sendAfter(2 ** 40, { typename: "ex/fn", id }, value, { token: id });
      ctx.egress("ex/raw", value);
      ctx.kafka("ex/out", { topic: "t", key: id, value });
    });
    const result = await resultOf(functions, requestFor([hello]));
    expect(result.outgoing_messages[0]?.target.id).toBe(id);
    expect(types.string.decode(result.outgoing_messages[0]?.argument.value as Buffer)).toBe(value);
    expect(result.delayed_invocations[0]).toMatchObject({ delay_in_ms: 2 ** 40, cancellation_token: id, target: { id } });
    expect(types.string.decode(result.outgoing_egresses[0]?.argument.value as Buffer)).toBe(value);
    expect(decodeKafkaRecord(result.outgoing_egresses[1]?.argument.value as Buffer)).toEqual({
      key: id,
      topic: "t",
      value_bytes: Buffer.from(value),
    });
  });

  test.each([
    ["text", "é", Buffer.from("é")],
    ["no text", "", Buffer.alloc(0)],
    ["bytes", Buffer.from([0, 255]), Buffer.from([0, 255])],
    ["a StateFun int", types.int.of(1), Buffer.from("0d01000000", "hex")],
    ["a JSON value", types.json("ex/p").of([1]), Buffer.from("[1]")],
    ["an object", { a: "é" }, Buffer.from('{"a":"é"}')],
    ["a list", [1, "a"], Buffer.from('[1,"a"]')],
  ] as const)("a Kafka record's value: %s", async (_kind, value, bytes) => {
    const functions = served({}, (ctx) => ctx.kafka("ex/out", { topic: "t", value }));
    const { outgoing_egresses } = await resultOf(functions, requestFor([hello]));
    expect(decodeKafkaRecord(outgoing_egresses[0]?.argument.value as Buffer)).toEqual({
      key: "",
      topic: "t",
      value_bytes: bytes,
    });
    expect(outgoing_egresses[0]?.argument.typename).toBe("type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord");
  });

  test.each<[string, (ctx: Context) => void, string]>([
    ["a number without a type", (ctx) => ctx.send(ctx.self, 1 as never), "cannot tell the type of 1"],
    ["a Kafka value that is a number", (ctx) => ctx.kafka("ex/o", { topic: "t", value: 1 as never }), "has no one encoding"],
    [
      "a Kafka record without a topic",
      (ctx) => ctx.kafka("ex/o", { topic: "", value: "" }),
      "the record for ex/o names no topic",
    ],
    ["a negative delay", (ctx) => ctx.sendAfter(-1, ctx.self, ""), "sendAfter: expected milliseconds (0 or more)"],
    ["an empty token", (ctx) => ctx.sendAfter(1, ctx.self, "", { token: "" }), "the token is empty"],
    ["a cancel without a token", (ctx) => ctx.cancel(""), "cancel: expected the token given to sendAfter"],
    [
      "a target that is no typename",
      (ctx) => ctx.send({ typename: "fn", id: "1" }, ""),
      'expected a typename "namespace/name", got "fn"',
    ],
    ["an egress that is no typename", (ctx) => ctx.egress("out", ""), 'expected a typename "namespace/name", got "out"'],
  ])("%s is refused", async (_what, act, message) => {
    expect((await failureOf(served({}, act), requestFor([hello]))).message).toContain(message);
  });
});

describe("batches", () => {
  test("B1: synchronous handlers are answered without a promise", () => {
    const functions = served({}, () => {});
    expect(functions.invoke(requestFor(Array.from({ length: 1000 }, () => hello)))).toBeInstanceOf(Buffer);
  });

  test("B1: a handler that waits is awaited before the next message, in order", async () => {
    const seen: string[] = [];
    const functions = served({ n: state.int() }, async (ctx, message) => {
      const n = ctx.state.n ?? 0;
      seen.push(`begin ${n}`);
      if (n % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      ctx.state.n = n + 1;
      ctx.send(ctx.self, message.as(types.string));
      seen.push(`end ${n}`);
    });
    const result = await resultOf(functions, requestFor([hello, hello, hello], { n: null }));
    expect(seen).toEqual(["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"]);
    expect(result.state_mutations[0]?.state_value?.value.toString("hex")).toBe("0d03000000");
    expect(result.outgoing_messages).toHaveLength(3);
  });

  test("B1: the caller is that of the message being handled, before and after waiting", async () => {
    const functions = served({}, async (ctx) => {
      expect(ctx.caller?.id).toBe("c");
      await Promise.resolve();
      expect(ctx.caller?.id).toBe("c");
    });
    await functions.invoke(requestFor([hello, hello], {}, { ...self, id: "c" }));
    expect.assertions(4);
  });

  test.each([
    ["throws", false],
    ["rejects", true],
  ])("B2: a handler that %s fails its batch and says which message", async (_how, later) => {
    const handled: string[] = [];
    const functions = served({ n: state.int() }, (ctx, message) => {
      const text = message.as(types.string);
      handled.push(text);
      ctx.state.n = 1;
      const fail = () => {
        if (text === "bad") throw new RangeError("out of stock");
      };
      return later ? Promise.resolve().then(fail) : fail();
    });
    const bad = typedAs(types.string, "bad");
    const failure = await failureOf(functions, requestFor([hello, bad, hello], { n: null }));
    expect(failure).toBeInstanceOf(InvocationError);
    expect(failure.message).toBe(
      "ex/fn/i: message 2 of 3 (io.statefun.types/string) failed, and its batch with it: RangeError: out of stock",
    );
    expect(failure).toMatchObject({
      index: 1,
      count: 3,
      valueType: "io.statefun.types/string",
      address: { typename: "ex/fn", id: "i" },
    });
    expect(handled).toEqual(["a", "bad"]);
  });

  test("B2: nothing of a failed batch shows in the next one", async () => {
    let fail = true;
    const functions = served({ n: state.int() }, (ctx) => {
      ctx.send(ctx.self, `x${ctx.state.n ?? 0}`);
      ctx.state.n = (ctx.state.n ?? 0) + 1;
      if (fail) throw new Error("not yet");
    });
    await failureOf(functions, requestFor([hello], { n: null }));
    fail = false;
    const result = await resultOf(functions, requestFor([hello], { n: null }));
    expect(result.outgoing_messages).toHaveLength(1);
    expect(result.state_mutations[0]?.state_value?.value.toString("hex")).toBe("0d01000000");
  });

  test("B2: requests that run at the same time do not mix", async () => {
    const functions = served({ n: state.int() }, async (ctx, message) => {
      ctx.send(ctx.self, message.as(types.string));
      await new Promise((resolve) => setImmediate(resolve));
      ctx.send(ctx.self, message.as(types.string));
    });
    const results = await Promise.all(
      ["a", "b", "c"].map((text) => resultOf(functions, requestFor([typedAs(types.string, text)], { n: null }))),
    );
    expect(results.map((r) => r.outgoing_messages.map((m) => types.string.decode(m.argument.value)))).toEqual([
      ["a", "a"],
      ["b", "b"],
      ["c", "c"],
    ]);
  });

  test("B3: what is asked for after the reply throws", async () => {
    let kept: Context<{ n: ReturnType<typeof state.int> }> | undefined;
    const functions = served({ n: state.int() }, (ctx) => {
      kept = ctx;
    });
    functions.invoke(requestFor([hello], { n: null }));
    expect(() => kept?.send(kept.self, "late")).toThrow("ex/fn/i: used after its reply was sent");
    expect(() => {
      if (kept) kept.state.n = 1;
    }).toThrow("used after its reply was sent");
  });

  test("a function that is not served is named, with those that are", async () => {
    const functions = defineFunctions([defineFunction({ typename: "ex/other", handle: () => {} })]);
    const failure = await failureOf(functions, goldenRequest);
    expect(failure).toBeInstanceOf(UnknownFunctionError);
    expect(failure.message).toBe("no function ex/fn is served here, only ex/other");
  });

  test.each([
    ["empty", ""],
    ["another message", "0801"],
    ["without a target", "a20600"],
    ["cut off", goldenRequest.subarray(0, 20).toString("hex")],
    ["of an impossible wire type", "07"],
  ])("a request that is %s is a ProtocolError", async (_what, bytes) => {
    expect(
      await failureOf(
        served({}, () => {}),
        Buffer.from(bytes, "hex"),
      ),
    ).toBeInstanceOf(ProtocolError);
  });

  test("functions are checked when they are put together", () => {
    const one = defineFunction({ typename: "ex/fn", handle: () => {} });
    expect(() => defineFunctions([one, one])).toThrow("function ex/fn is defined twice");
    expect(() => defineFunctions([{} as never])).toThrow("serve what defineFunction() returned");
    expect(() => defineFunction({ typename: "fn", handle: () => {} })).toThrow(
      'function: expected a typename "namespace/name", got "fn"',
    );
    expect(() => defineFunction({ typename: "a/b" } as never)).toThrow("function a/b has no handle()");
  });
});
