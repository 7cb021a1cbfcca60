import * as fc from "fast-check";
import { argumentTypename, argumentValue, jsonTextAt } from "../../src/functions/argument";
import { typedValueHead } from "../../src/functions/wire";
import { TypedValue } from "../../src/model/typed-value";
import { encodeMessage, encodeTypedValue } from "../support/statefun-proto";

/** In one piece, as functions send it; in two, as it is made of a Kafka record. */
const whole = (typename: string, value: Uint8Array) => new TypedValue(encodeTypedValue(typename, value), undefined);
const parted = (typename: string, value: Uint8Array) => new TypedValue(typedValueHead(typename), value);

const content = (argument: TypedValue) => Buffer.from(argumentValue(argument)).toString();

const names = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
const bytes = fc.uint8Array({ maxLength: 200 });

test("typename and content are read of an argument in one piece and in two", () => {
  fc.assert(
    fc.property(names, bytes, (typename, value) => {
      for (const argument of [whole(typename, value), parted(typename, value)]) {
        expect(argumentTypename(argument)).toBe(typename);
        expect(Buffer.from(argumentValue(argument))).toEqual(Buffer.from(value));
      }
    }),
  );
});

test("messages of one topic share the head that is read once, and each keeps its own content", () => {
  const head = typedValueHead("ex/shared");
  const [one, other] = ["1", "2"].map((text) => new TypedValue(head, Buffer.from(text)));
  expect([one, other].map((argument) => argument && argumentTypename(argument))).toEqual(["ex/shared", "ex/shared"]);
  expect([one, other].map((argument) => argument && content(argument))).toEqual(["1", "2"]);
});

test("fields that are not known are passed over, wherever they stand", () => {
  const value = { typename: "ex/new", has_value: true, value: Buffer.from("v"), metadata: ["x", "y"] };
  const argument = new TypedValue(encodeMessage("FutureTypedValue", value), undefined);
  const reversed = new TypedValue(Buffer.concat([Buffer.from([0x22, 1, 0x78]), argument.head]), undefined);
  for (const each of [argument, reversed]) {
    expect([argumentTypename(each), content(each)]).toEqual(["ex/new", "v"]);
  }
});

test("of cut off bytes stands what could be read, and none throws", () => {
  const { head } = whole("ex/text", Buffer.from("content"));
  for (let length = 0; length < head.length; length++) {
    const argument = new TypedValue(head.subarray(0, length), undefined);
    expect(argumentTypename(argument)).toBe(length < 9 ? "" : "ex/text");
    expect(argumentValue(argument)).toHaveLength(0);
  }
  fc.assert(
    fc.property(bytes, (random) => {
      const argument = new TypedValue(random, undefined);
      expect(typeof argumentTypename(argument)).toBe("string");
      expect(argumentValue(argument)).toBeInstanceOf(Uint8Array);
    }),
  );
});

test("without typename and content both are empty", () => {
  const nothing = new TypedValue(new Uint8Array(0), undefined);
  expect([argumentTypename(nothing), argumentValue(nothing).length]).toEqual(["", 0]);
});

describe("text at a path of a JSON value", () => {
  test.each<[string, string[], string | undefined]>([
    ['{"a":{"b":"x"}}', ["a", "b"], "x"],
    ['{"a":7}', ["a"], "7"],
    ['{"a":true}', ["a"], "true"],
    ['{"a":{"b":[1]}}', ["a"], '{"b":[1]}'],
    ['{"a":[{"b":"x"}]}', ["a", "0", "b"], "x"],
    ['{"a":""}', ["a"], ""],
    ['"x"', [], "x"],
    ['{"a":null}', ["a"], "null"],
    ['{"a":null}', ["a", "b"], undefined],
    ['{"a":"x"}', ["a", "length"], undefined],
    ['{"a":1}', ["b"], undefined],
    ['{"a":1}', ["toString"], undefined],
    ['{"a":1}', ["__proto__", "a"], undefined],
    ["[1", ["0"], undefined],
    ["", [], undefined],
  ])("%s at %j: %j", (text, path, expected) => {
    for (const argument of [whole("ex/json", Buffer.from(text)), parted("ex/json", Buffer.from(text))]) {
      expect(jsonTextAt(argument, path)).toBe(expected);
    }
  });

  it("is of any letters", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), names, (text, name) => {
        expect(jsonTextAt(parted("ex/json", Buffer.from(JSON.stringify({ [name]: text }))), [name])).toBe(text);
      }),
    );
  });
});
