import type { MergeSpecification } from "../../src/config/specification";
import { ProtocolError } from "../../src/model/errors";
import { mergeAll, mergedByFunction, mergeValue, type PartValue, splittable } from "../../src/state/merge";
import {
  ABSENT,
  bool,
  double,
  float,
  int,
  json,
  jsonString,
  type Lens,
  long,
  mergeAllOf,
  mergeOf,
  string,
  text,
  typedPart,
  typedValueOf,
} from "./merge-parts";

const SUM: MergeSpecification = { kind: "sum" };
const COUNT: MergeSpecification = { kind: "count" };
const MIN: MergeSpecification = { kind: "min" };
const MAX: MergeSpecification = { kind: "max" };
const UNION: MergeSpecification = { kind: "set-union" };
const CONCAT: MergeSpecification = { kind: "list-concat" };
const LATEST: MergeSpecification = { kind: "latest" };
const EXCLUSIVE: MergeSpecification = { kind: "exclusive" };
const FUNCTION: MergeSpecification = { kind: "function" };
const PARTITION: MergeSpecification = { kind: "partition", keyPath: ["user", "id"] };
const maxBy = (...path: string[]): MergeSpecification => ({ kind: "max-by", path });
const map = (inner: MergeSpecification): MergeSpecification => ({ kind: "map", inner });

/** Why these two cannot be merged; both stay as they are (R4). */
function refusal<T>(spec: MergeSpecification, of: Lens<T>, one: T, other: T): string {
  return refusalOf(spec, of.part(one), of.part(other));
}

function refusalOf(spec: MergeSpecification, base: PartValue, part: PartValue): string {
  const before = [base, part].map(({ bytes }) => Buffer.from(bytes ?? []).toString("hex"));
  try {
    mergeValue(spec, base, part);
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    expect([base, part].map(({ bytes }) => Buffer.from(bytes ?? []).toString("hex"))).toEqual(before);
    return (error as Error).message;
  }
  throw new Error("expected a refusal");
}

describe("which states can be split", () => {
  test.each([SUM, COUNT, MIN, MAX, UNION, CONCAT, LATEST, FUNCTION, PARTITION, maxBy("a"), map(SUM), map(map(maxBy("a")))])(
    "%j can",
    (spec) => expect(splittable(spec)).toBe(true),
  );
  test.each([undefined, EXCLUSIVE, map(EXCLUSIVE), map(LATEST), map(FUNCTION), map(PARTITION), map(map(EXCLUSIVE))])(
    "%j cannot",
    (spec) => expect(splittable(spec)).toBe(false),
  );
  test("only `function` is merged by the function", () => {
    expect([FUNCTION, SUM, EXCLUSIVE, map(FUNCTION)].map(mergedByFunction)).toEqual([true, false, false, false]);
  });
  test.each([EXCLUSIVE, map(LATEST), map(EXCLUSIVE), map(PARTITION)])("what cannot be split is not merged: %j", (spec) => {
    expect(refusal(spec, json, { a: 1 }, { a: 2 })).toMatch(
      /^merge (exclusive|map\(\S+\)) of shop\/json: such a state is never split$/,
    );
  });
  test("the router does not merge for the function", () => {
    expect(refusal(FUNCTION, json, 1, 2)).toBe("merge function of shop/json: only the function itself can");
  });
});

describe("an absent part changes nothing (R1)", () => {
  test.each([SUM, EXCLUSIVE, FUNCTION, LATEST, map(LATEST)])("%j", (spec) => {
    const value = typedPart("ex/any", Buffer.from([0xff]), 5);
    expect(mergeValue(spec, value, { bytes: undefined, writtenMs: 9 })).toBe(value);
    expect(mergeValue(spec, { bytes: undefined, writtenMs: 9 }, value)).toBe(value);
    expect(mergeValue(spec, ABSENT, { bytes: undefined, writtenMs: 9 })).toEqual({ bytes: undefined, writtenMs: 9 });
    expect(mergeAll(spec, ABSENT, [])).toBe(ABSENT);
    expect(mergeAll(spec, ABSENT, [ABSENT, value, ABSENT])).toEqual(value);
  });
});

describe("sum and count", () => {
  test("of integers are exact", () => {
    expect(mergeOf(SUM, int, 2147483640, 7)).toBe(2147483647);
    expect(mergeOf(COUNT, int, -3, 3)).toBe(0);
    expect(mergeOf(SUM, long, 9007199254740993n, 9007199254740993n)).toBe(18014398509481986n);
    expect(mergeOf(SUM, text, "123456789012345678901234567890", "-1")).toBe("123456789012345678901234567889");
  });
  test("of fractions are those of their type", () => {
    expect(mergeOf(SUM, double, 0.1, 0.2)).toBe(0.1 + 0.2);
    expect(mergeOf(SUM, float, Math.fround(0.1), Math.fround(0.2))).toBe(Math.fround(Math.fround(0.1) + Math.fround(0.2)));
    expect(mergeOf(SUM, double, Number.POSITIVE_INFINITY, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(mergeOf(SUM, text, "0.5", "2")).toBe("2.5");
    expect(mergeOf(SUM, text, " 1e3\n", "2")).toBe("1002");
  });
  test("leave out a default, as StateFun's SDKs insist", () => {
    expect(typedValueOf(mergeValue(SUM, int.part(-5), int.part(5))).value).toHaveLength(0);
    expect(typedValueOf(mergeValue(SUM, long.part(-5n), long.part(5n))).value).toHaveLength(0);
    expect(typedValueOf(mergeValue(SUM, float.part(-5), float.part(5))).value).toHaveLength(0);
    expect(typedValueOf(mergeValue(SUM, double.part(-5), double.part(5))).value).toHaveLength(0);
    expect(typedValueOf(mergeValue(SUM, int.part(1), int.part(299))).value.toString("hex")).toBe("0d2c010000");
    expect(typedValueOf(mergeValue(SUM, long.part(1n), long.part(-2n))).value.toString("hex")).toBe("09ffffffffffffffff");
  });
  test("an overflow is refused, not wrapped", () => {
    expect(refusal(SUM, int, 2147483647, 1)).toBe("merge sum of io.statefun.types/int: 2147483648 is more than 32 bits hold");
    expect(refusal(COUNT, long, -(2n ** 63n), -1n)).toBe(
      "merge count of io.statefun.types/long: -9223372036854775809 is more than 64 bits hold",
    );
    expect(refusal(SUM, text, "1.5e308", "1.5e308")).toMatch(/is more than a double holds$/);
  });
  test("are for numbers", () => {
    expect(refusal(SUM, bool, true, true)).toBe("merge sum of io.statefun.types/bool: it is for numbers");
    expect(refusal(SUM, string, "1", "2")).toBe("merge sum of io.statefun.types/string: it is for numbers");
    expect(refusal(SUM, json, { a: 1 }, 2)).toBe('merge sum of shop/json: {"a":1} is no number');
  });
  test("a count is whole", () => {
    expect(mergeOf(COUNT, double, 2, 3)).toBe(5);
    expect(mergeOf(COUNT, text, "2.0", "30e-1")).toBe("5");
    expect(refusal(COUNT, double, 2, 0.5)).toMatch(/2 and 0.5 are not both whole numbers$/);
    expect(refusal(COUNT, text, "2", "0.5")).toBe("merge count of shop/json: 0.5 is no whole number");
  });
});

describe("min and max", () => {
  test("of numbers", () => {
    expect(mergeOf(MIN, int, -5, 3)).toBe(-5);
    expect(mergeOf(MAX, int, -5, 3)).toBe(3);
    expect(mergeOf(MAX, long, 9007199254740992n, 9007199254740993n)).toBe(9007199254740993n);
    expect(mergeOf(MIN, long, 9007199254740993n, 9007199254740992n)).toBe(9007199254740992n);
    expect(mergeOf(MIN, float, 0.5, -0.5)).toBe(-0.5);
    expect(mergeOf(MAX, double, -1, Number.NEGATIVE_INFINITY)).toBe(-1);
  });
  test("of doubles go as in Java: -0 is less than 0, and NaN more than everything", () => {
    expect(mergeOf(MIN, double, 0, -0)).toBe(-0);
    expect(mergeOf(MAX, double, -0, 0)).toBe(0);
    expect(mergeOf(MIN, double, Number.NaN, 5)).toBe(5);
    expect(mergeOf(MAX, double, 5, Number.NaN)).toBe(Number.NaN);
  });
  test("of texts go by code points", () => {
    expect(mergeOf(MIN, string, "b", "a")).toBe("a");
    expect(mergeOf(MAX, string, "b", "ba")).toBe("ba");
    expect(mergeOf(MAX, string, "\uffee", "🙂")).toBe("🙂"); // UTF-16 would say the other.
    expect(mergeOf(MIN, text, '"b"', '"\\u0061"')).toBe('"\\u0061"');
  });
  test("of booleans are and and or", () => {
    expect([mergeOf(MIN, bool, true, false), mergeOf(MAX, bool, false, true)]).toEqual([false, true]);
    expect([mergeOf(MIN, json, true, false), mergeOf(MAX, json, false, true)]).toEqual([false, true]);
  });
  test("of JSON numbers go by value, to the last digit", () => {
    expect(mergeOf(MAX, text, "9007199254740992", "9007199254740993")).toBe("9007199254740993");
    expect(mergeOf(MAX, text, "9", "1e1")).toBe("1e1");
    expect(mergeOf(MIN, text, "-1e400", "-9")).toBe("-1e400");
    expect(mergeOf(MIN, text, "0.1", "0.10000000000000000000000001")).toBe("0.1");
  });
  test("the value that is taken stays as it was, fields of later versions included", () => {
    const future = { bytes: Buffer.concat([int.part(7).bytes as Uint8Array, Buffer.from([0x22, 1, 0x41])]), writtenMs: 3 };
    expect(mergeValue(MAX, int.part(1, 9), future)).toEqual({ bytes: future.bytes, writtenMs: 9 });
  });
  test("compare only what is of one kind", () => {
    expect(refusal(MIN, json, 1, "1")).toBe('merge min of shop/json: 1 and "1" cannot be compared');
    expect(refusal(MAX, json, [1], [2])).toBe("merge max of shop/json: [1] is neither number nor text");
    expect(refusal(MAX, json, null, null)).toMatch(/null is neither number nor text$/);
  });
});

describe("max-by", () => {
  test("takes the value with the largest number at the path", () => {
    const low = { at: { score: 3 }, name: "low" };
    const high = { at: { score: 20 }, name: "high" };
    expect(mergeOf(maxBy("at", "score"), json, low, high)).toEqual(high);
    expect(mergeOf(maxBy("at", "score"), json, high, low)).toEqual(high);
    expect(mergeOf(maxBy("at", "score"), jsonString, high, low)).toEqual(high);
  });
  test("ties go by content, whichever comes first", () => {
    const [one, other] = ['{"n": 1, "a": "x"}', '{"a":"y","n":1.0}'];
    expect(mergeOf(maxBy("n"), text, one, other)).toBe(mergeOf(maxBy("n"), text, other, one));
  });
  test("the number must be there", () => {
    expect(refusal(maxBy("at", "n"), json, { at: { n: 1 } }, { at: {} })).toBe(
      'merge max-by(at.n) of shop/json: {"at":{}} has no number at at.n',
    );
    expect(refusal(maxBy("n"), json, { n: "1" }, { n: 2 })).toMatch(/has no number at n$/);
    expect(refusal(maxBy("length"), json, [1], [2])).toMatch(/has no number at length$/);
    expect(refusal(maxBy("n"), int, 1, 2)).toMatch(/int: it is for JSON/);
  });
});

describe("set-union", () => {
  test("has each element once, by content", () => {
    expect(mergeOf(UNION, text, '[1, "a", {"x":1,"y":[2]}]', '["\\u0061", 1.0, {"y": [2], "x": 1}, null]')).toBe(
      '[1, "a", {"x":1,"y":[2]},null]',
    );
    expect(mergeOf(UNION, jsonString, ["a"], ["b", "b"])).toEqual(["a", "b"]);
    expect(mergeOf(UNION, text, " [ ] ", '["a"]')).toBe('["a"]');
  });
  test("tells long ids apart", () => {
    expect(mergeOf(UNION, text, "[1234567890123456788]", "[1234567890123456789]")).toBe(
      "[1234567890123456788,1234567890123456789]",
    );
  });
  test("tells kinds and depths apart", () => {
    const elements = [1, "1", true, "true", null, "null", [], {}, [[]], "", 0, false, { a: [] }, { a: {} }];
    for (const element of elements) {
      expect(mergeOf(UNION, json, elements, [element])).toEqual(elements);
      expect(mergeOf(UNION, json, [element], elements)).toHaveLength(elements.length);
    }
  });
  test("is for arrays", () => {
    expect(refusal(UNION, json, [1], { a: 1 })).toBe('merge set-union of shop/json: {"a":1} is no array');
  });
  test("elements nested beyond all reason are refused before the stack ends", () => {
    const deep = `[${"[".repeat(100_000)}${"]".repeat(100_000)}]`;
    expect(refusal(UNION, text, "[]", deep)).toMatch(/nested deeper than 500 levels/);
  });
});

describe("list-concat", () => {
  test("keeps all elements, in the order of lanes, as they are written", () => {
    expect(mergeAllOf(CONCAT, text, "[1, 2]", "[]", " [ 2.0 ] ", '["]\\"["]', "[{}]")).toBe('[1, 2,2.0,"]\\"[",{}]');
    expect(mergeOf(CONCAT, jsonString, ["a"], ["a"])).toEqual(["a", "a"]);
  });
  test("is for arrays", () => {
    expect(refusal(CONCAT, json, "ab", ["c"])).toBe('merge list-concat of shop/json: "ab" is no array');
  });
});

describe("map", () => {
  test("merges key by key, and leaves the others as they are", () => {
    expect(mergeOf(map(SUM), json, { a: 1, b: 2 }, { b: 3, c: 4 })).toEqual({ a: 1, b: 5, c: 4 });
    expect(mergeOf(map(SUM), text, '{"id": 12345678901234567890 , "n":1}', '{"n":2}')).toBe(
      '{"id": 12345678901234567890 , "n":3}',
    );
    expect(mergeOf(map(map(MAX)), json, { x: { a: 1 } }, { x: { a: 2, b: 1 }, y: {} })).toEqual({ x: { a: 2, b: 1 }, y: {} });
    expect(mergeOf(map(UNION), jsonString, { a: [1] }, { a: [2] })).toEqual({ a: [1, 2] });
  });
  test("keys are told apart by what they say, and none is special", () => {
    expect(mergeOf(map(SUM), text, '{"a\\"}":1,"__proto__":1}', '{"\\u0061\\"}":2,"__proto__":2,"constructor":5}')).toBe(
      '{"a\\"}":3,"__proto__":3,"constructor":5}',
    );
  });
  test("says at which key it went wrong", () => {
    expect(refusal(map(map(SUM)), json, { a: { "b c": 1 } }, { a: { "b c": "x" } })).toBe(
      'merge map(map(sum)) of shop/json: key "a": key "b c": "x" is no number',
    );
    expect(refusal(map(SUM), json, [1], [2])).toBe("merge map(sum) of shop/json: [1] is no object");
  });
});

describe("partition", () => {
  test("puts keys together", () => {
    expect(mergeAllOf(PARTITION, json, { a: 1 }, {}, { b: [2] }, { c: "x" })).toEqual({ a: 1, b: [2], c: "x" });
  });
  test("one key in two parts is refused, even with one value", () => {
    expect(refusal(PARTITION, json, { a: 1, b: 2 }, { b: 2 })).toBe(
      'merge partition(user.id) of shop/json: key "b" is in two parts, so that messages of one key went to both',
    );
  });
});

describe("latest", () => {
  test("takes what was written last, whatever it is", () => {
    const old = typedPart("ex/any", Buffer.from([0xff, 0]), 5);
    const fresh = typedPart("ex/any", Buffer.from([0xfe]), 6);
    expect(mergeValue(LATEST, old, fresh)).toEqual(fresh);
    expect(mergeValue(LATEST, fresh, old)).toEqual(fresh);
  });
  test("an unknown instant is before all others, and ties do not depend on the order", () => {
    expect(mergeValue(LATEST, int.part(9, 0), int.part(1, 1))).toEqual(int.part(1, 1));
    const [one, other] = [int.part(4, 7), int.part(5, 7)];
    expect(mergeValue(LATEST, one, other)).toEqual(mergeValue(LATEST, other, one));
  });
});

describe("what cannot be read", () => {
  test("another type is refused, by every strategy", () => {
    for (const spec of [SUM, LATEST, PARTITION]) {
      expect(refusalOf(spec, int.part(1), long.part(1n))).toMatch(
        /of io.statefun.types\/int: the other part is a io.statefun.types\/long$/,
      );
    }
  });
  test("bytes that are no JSON, no UTF-8, or no TypedValue", () => {
    expect(refusal(UNION, text, "[1]", "[1")).toMatch(/^merge set-union of shop\/json: it is no JSON: /);
    expect(refusal(SUM, text, "\ufeff1", "1")).toMatch(/it is no JSON: /);
    expect(refusal(UNION, text, "[1]", '[1, "a]')).toMatch(/it is no JSON: it ends too early$/);
    expect(refusal(UNION, text, "[1]", "[1] 2")).toMatch(/it is no JSON: " 2" at letter 3$/);
    expect(refusalOf(UNION, typedPart("ex/bytes", Buffer.from([0x5b, 0xff, 0x5d])), text.part("[]"))).toMatch(
      /the other part is/,
    );
    const noText = typedPart("ex/bytes", Buffer.from([0x22, 0xff, 0x22]));
    expect(refusalOf(MIN, noText, noText)).toBe("merge min of ex/bytes: its 3 bytes are no UTF-8 text");
    expect(refusalOf(SUM, { bytes: Buffer.from([0x0a, 9, 1]), writtenMs: 0 }, int.part(1))).toMatch(
      /^merge sum of bytes that are no TypedValue: its 3 bytes are no value of that type/,
    );
    const cut = typedPart("io.statefun.types/int", Buffer.from([0x0d, 1, 0]));
    expect(refusalOf(SUM, int.part(1), cut)).toMatch(/its 3 bytes are no value of that type/);
  });
  test("anything legal is read: unknown fields, a field twice, an explicit default", () => {
    const odd = typedPart("io.statefun.types/int", Buffer.from([0x12, 1, 0x41, 0x0d, 9, 0, 0, 0, 0x0d, 4, 0, 0, 0]));
    expect(int.read(mergeValue(SUM, odd, int.part(1)))).toBe(5);
    const zero = typedPart("io.statefun.types/long", Buffer.from([0x09, 0, 0, 0, 0, 0, 0, 0, 0]));
    expect(long.read(mergeValue(SUM, zero, long.part(1n)))).toBe(1n);
  });
  test("long values are shown shortened", () => {
    expect(refusal(SUM, json, "x".repeat(1000), 1).length).toBeLessThan(200);
  });
});

test("the instant of the last write is the later one", () => {
  expect(mergeValue(SUM, int.part(1, 5), int.part(2, 3)).writtenMs).toBe(5);
  expect(mergeAll(MAX, int.part(1, 5), [int.part(2, 9), int.part(0, 3)]).writtenMs).toBe(9);
});
