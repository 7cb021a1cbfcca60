import fc from "fast-check";
import { type Type, types } from "../../../src/functions/sdk";
import { ProtocolError } from "../../../src/model/errors";
import { decodeWrapper, encodeWrapper, type WrapperName } from "../../conformance/protocol";

function hex<T>(type: Type<T>, value: T): string {
  return Buffer.from(type.encode(value)).toString("hex");
}

function fromHex<T>(type: Type<T>, bytes: string): T {
  return type.decode(Buffer.from(bytes, "hex"));
}

describe("canonical encodings of the built-in types (STATEFUN.md §2)", () => {
  const table: readonly (readonly [Type<never>, unknown, string])[] = [
    [types.boolean as Type<never>, true, "0801"],
    [types.boolean as Type<never>, false, ""],
    [types.int as Type<never>, 1, "0d01000000"],
    [types.int as Type<never>, -1, "0dffffffff"],
    [types.int as Type<never>, 300, "0d2c010000"],
    [types.int as Type<never>, 0, ""],
    [types.long as Type<never>, 1n, "090100000000000000"],
    [types.long as Type<never>, -1n, "09ffffffffffffffff"],
    [types.long as Type<never>, 0n, ""],
    [types.float as Type<never>, 1, "0d0000803f"],
    [types.float as Type<never>, 0, ""],
    [types.double as Type<never>, 1, "09000000000000f03f"],
    [types.double as Type<never>, 0, ""],
    [types.double as Type<never>, -0, "090000000000000080"],
    [types.string as Type<never>, "a", "0a0161"],
    [types.string as Type<never>, "é", "0a02c3a9"],
    [types.string as Type<never>, "", ""],
  ];

  test.each(table)("%# %p is written and read back", (type, value, bytes) => {
    expect(hex(type, value as never)).toBe(bytes);
    expect(fromHex(type, bytes)).toBe(value);
  });

  test("an explicit default is read, although it is never written", () => {
    expect(fromHex(types.boolean, "0800")).toBe(false);
    expect(fromHex(types.int, "0d00000000")).toBe(0);
    expect(fromHex(types.string, "0a00")).toBe("");
  });

  test("unknown fields before and after the value are passed over", () => {
    expect(fromHex(types.int, "12026869 0d2c010000 1805".replaceAll(" ", ""))).toBe(300);
    expect(fromHex(types.string, "1005 0a0161 1d00000000 2100000000000000ff".replaceAll(" ", ""))).toBe("a");
  });

  test("a value cut off is an error and not a default", () => {
    expect(() => fromHex(types.int, "0d0100")).toThrow(ProtocolError);
    expect(() => fromHex(types.long, "0901")).toThrow(ProtocolError);
    expect(() => fromHex(types.string, "0a0561")).toThrow(ProtocolError);
    expect(() => fromHex(types.boolean, "08")).toThrow(ProtocolError);
    expect(() => fromHex(types.boolean, "08ffffffffffffffffffff01")).toThrow(ProtocolError);
  });
});

describe("against protobufjs, both ways", () => {
  function agrees<T>(
    type: Type<T>,
    wrapper: WrapperName,
    values: fc.Arbitrary<T>,
    plain: (value: T) => unknown = (value) => value,
  ): void {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = type.encode(value);
        expect(decodeWrapper(wrapper, bytes)).toEqual(plain(value));
        expect(type.decode(encodeWrapper(wrapper, value))).toEqual(value);
      }),
    );
  }

  test("bool", () => agrees(types.boolean, "BooleanWrapper", fc.boolean()));
  test("int", () => agrees(types.int, "IntWrapper", fc.integer()));
  test("long", () => agrees(types.long, "LongWrapper", fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), String));
  test("float", () => agrees(types.float, "FloatWrapper", fc.float()));
  test("double", () => agrees(types.double, "DoubleWrapper", fc.double()));
  test("string", () => agrees(types.string, "StringWrapper", fc.string({ unit: "binary", maxLength: 300 })));
});

describe("what cannot be encoded is refused with the value, the type and what was expected", () => {
  test.each([
    [() => types.int.encode(1.5), "1.5 is no io.statefun.types/int: expected an integer from -2147483648 to 2147483647"],
    [() => types.int.encode(2 ** 31), "2147483648 is no io.statefun.types/int"],
    [() => types.int.encode(Number.NaN), "is no io.statefun.types/int"],
    [() => types.int.encode("1" as never), '"1" is no io.statefun.types/int'],
    [() => types.long.encode(2n ** 63n), "9223372036854775808n is no io.statefun.types/long: expected a bigint of 64 bits"],
    [() => types.long.encode(1 as never), "1 is no io.statefun.types/long"],
    [() => types.boolean.encode("yes" as never), '"yes" is no io.statefun.types/bool: expected true or false'],
    [() => types.string.encode(7 as never), "7 is no io.statefun.types/string: expected a string"],
    [() => types.bytes().encode("x" as never), '"x" is no io.dirigo.types/bytes: expected a Buffer or Uint8Array'],
    [() => types.json("a/b").encode(undefined), "undefined is no a/b: expected a value that JSON can write"],
  ])("%#", (act, message) => {
    expect(act).toThrow(ProtocolError);
    expect(act).toThrow(message);
  });

  test("a type's name must be namespace/name", () => {
    for (const name of ["", "a", "/b", "a/", "a/b/c"])
      expect(() => types.json(name)).toThrow(/expected a typename "namespace\/name"/);
  });
});

describe("types of one's own", () => {
  test("json is JSON text, and passes through the schema when it is read", () => {
    const order = types.json<{ n: number }>("shop/order", {
      parse: (value) => {
        const n = (value as { n?: unknown }).n;
        if (typeof n !== "number") throw new TypeError("n must be a number");
        return { n };
      },
    });
    expect(Buffer.from(order.encode({ n: 1 })).toString()).toBe('{"n":1}');
    expect(order.decode(Buffer.from('{"n":2,"extra":true}'))).toEqual({ n: 2 });
    expect(() => order.decode(Buffer.from('{"n":"x"}'))).toThrow("n must be a number");
  });

  test("text is bare UTF-8, unlike StateFun's string", () => {
    const text = types.text("shop/name");
    expect(hex(text, "é")).toBe("c3a9");
    expect(text.decode(Buffer.from("é"))).toBe("é");
  });

  test("bytes are copied when read, so that they outlive the request", () => {
    const bytes = Buffer.from("abc");
    const read = types.bytes("shop/blob").decode(bytes);
    bytes[0] = 0;
    expect(Buffer.from(read).toString()).toBe("abc");
  });

  test("a codec of any kind", () => {
    const reversed = types.custom<string>("shop/reversed", {
      encode: (value) => Buffer.from([...value].reverse().join("")),
      decode: (bytes) => [...bytes.toString()].reverse().join(""),
    });
    expect(Buffer.from(reversed.encode("abc")).toString()).toBe("cba");
    expect(reversed.decode(Buffer.from("cba"))).toBe("abc");
  });
});
