import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { ProtocolError } from "../../src/model/errors";
import {
  canonicalJson,
  wellFormed as checked,
  elementsOf,
  insideOf,
  jsonKind,
  membersOf,
  objectOf,
  textOf,
  trimmed,
} from "../../src/state/merge-json-text";

const wellFormed = (raw: string) => checked(trimmed(raw));

const tricky = fc.string({
  unit: fc.constantFrom('"', "\\", "z", ",", ":", "{", "}", "[", "]", " ", "\n", "\u2028", "é", "🙂", "\ud800"),
});
const value = fc.jsonValue({ stringUnit: "binary" });
/** White space in all places where JSON allows it, letters escaped or not. */
const space = fc.constantFrom("", " ", "\n\t", "\r\n  ");
const written = (json: unknown): fc.Arbitrary<string> =>
  fc.tuple(space, fc.nat(3), fc.boolean()).map(([around, indent, escaped]) => {
    const text = JSON.stringify(json, undefined, indent);
    return around + (escaped ? text.replace(/[é🙂z]/gu, unicodeEscapes) : text) + around;
  });

function unicodeEscapes(letters: string): string {
  return [...Array(letters.length).keys()].map((at) => `\\u${letters.charCodeAt(at).toString(16).padStart(4, "0")}`).join("");
}

const text = fc
  .oneof(value, fc.array(tricky), fc.dictionary(tricky, tricky, { noNullPrototype: true }))
  .chain((json) => fc.tuple(fc.constant(json), written(json)));

test("arrays fall into their elements, as they are written", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(value, tricky)).chain((json) => fc.tuple(fc.constant(json), written(json))),
      ([json, raw]) => {
        const array = wellFormed(raw);
        const elements = elementsOf(array);
        expect(elements.map((each) => JSON.parse(each))).toEqual(JSON.parse(JSON.stringify(json)));
        for (const element of elements) expect(array.includes(element) && element.trim() === element).toBe(true);
        expect(JSON.parse(`[${insideOf(array)}]`)).toEqual(JSON.parse(raw));
      },
    ),
  );
});

test("objects fall into their members and are put together again", () => {
  const objects = fc.dictionary(tricky, fc.oneof(value, tricky), { noNullPrototype: true });
  fc.assert(
    fc.property(
      objects.chain((json) => fc.tuple(fc.constant(json), written(json))),
      ([json, raw]) => {
        const members = membersOf(wellFormed(raw));
        expect([...members.keys()]).toEqual(Object.keys(json));
        for (const [key, member] of members) expect(JSON.parse(member)).toEqual(JSON.parse(JSON.stringify(json[key])));
        expect(JSON.parse(objectOf(members))).toEqual(JSON.parse(raw));
      },
    ),
  );
});

test("of two members with one key the last counts, as in JSON.parse", () => {
  expect([...membersOf('{"a":1,"b":2,"\\u0061":3}')]).toEqual([
    ["a", "3"],
    ["b", "2"],
  ]);
});

test("values have one canonical text exactly when they are equal", () => {
  const same = value.chain((json) => fc.tuple(fc.constant(json), written(json), written(shuffled(json))));
  fc.assert(fc.property(same, ([, one, other]) => canonicalJson(wellFormed(one)) === canonicalJson(wellFormed(other))));
  fc.assert(
    fc.property(text, text, ([one, first], [other, second]) => {
      const equal = canonicalJson(wellFormed(first)) === canonicalJson(wellFormed(second));
      expect(equal).toBe(isDeepStrictEqual(plain(one), plain(other)));
    }),
  );
});

/** As it comes back from JSON: no -0, no undefined. */
function plain(json: unknown): unknown {
  return JSON.parse(JSON.stringify(json));
}

/** Keys in another order. */
function shuffled(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(shuffled);
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(
    Object.entries(json)
      .reverse()
      .map(([key, inner]) => [key, shuffled(inner)]),
  );
}

test("kinds are told by their first letter", () => {
  const kinds = ["{}", "[]", '""', "-1", "0", "true", "false", "null"].map(jsonKind);
  expect(kinds).toEqual(["object", "array", "string", "number", "number", "boolean", "boolean", "null"]);
});

test("what a string says", () => {
  fc.assert(
    fc.property(
      tricky.chain((said) => fc.tuple(fc.constant(said), written(said))),
      ([said, raw]) => textOf(raw.trim()) === said,
    ),
  );
});

test.each([
  ...[
    "",
    "[",
    "{",
    "}",
    "{'a':1}",
    "[1,]",
    "[,1]",
    "{,}",
    '{"a":1,}',
    '{"a" 1}',
    '{"a":}',
    "{1:2}",
    "[1 2]",
    "[]]",
    "[1]x",
    "\u00a0[]",
  ],
  ...["NaN", "01", "-", "+1", ".5", "1.", "1e", "1e+", "-01", "0x1", "Infinity", "1_000", "undefined", "tru", "nul", "True"],
  ...['"', '"a', '"\\"', '"\\x"', '"\\u12g4"', '"\n"', '"\t"', '"a" "b"'],
])("%j is no JSON", (raw) => {
  expect(() => JSON.parse(raw)).toThrow();
  expect(() => wellFormed(raw)).toThrow(ProtocolError);
});

test("text is JSON exactly when JSON.parse takes it", () => {
  const token = fc.constantFrom(..."[]{},:", '"a"', '"\\u00e9"', "1", "-0.5e+3", "true", "null", " ", "\n");
  const nearly = text.chain(([, raw]) => fc.nat(raw.length).map((at) => raw.slice(0, at) + raw.slice(at + 1)));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: token }), nearly), (raw) => {
      expect(isTaken(() => wellFormed(raw))).toBe(isTaken(() => JSON.parse(raw)));
    }),
    { numRuns: 1000 },
  );
});

function isTaken(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

test("what is nested too deep is refused, and what is long is not", () => {
  const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  expect(() => wellFormed(nested(100_000))).toThrow(/nested deeper than 500 levels/);
  expect(wellFormed(nested(500))).toBe(nested(500));
  const long = `["${'\\"'.repeat(100_000)}"]`;
  expect(elementsOf(long)).toHaveLength(1);
});
