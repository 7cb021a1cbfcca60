import * as fc from "fast-check";
import { mergedMembers, unionOf } from "../../src/state/merge-walk";

const never = () => false;
const asValues = (one: string, other: string) => JSON.stringify(JSON.parse(one)) === JSON.stringify(JSON.parse(other));

/** JSON values whose content is told by how JSON.stringify writes them: keys in order, no two ways for a number. */
const element = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.double({ noDefaultInfinity: true, noNaN: true }).map((number) => number + 0),
  fc.string({ unit: "grapheme", maxLength: 4 }),
  fc.constantFrom(
    true,
    false,
    null,
    "true",
    "1",
    '"',
    "\\",
    "\n",
    [],
    {},
    [[]],
    [{}],
    { a: 1, b: [2, "x"] },
    { a: 1 },
    [1, 2],
    [2, 1],
  ),
  fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
);
const elements = fc.array(element, { maxLength: 40 });

describe("the union of two arrays", () => {
  it("has the base's elements, then those that only the part has, once", () => {
    fc.assert(
      fc.property(elements, elements, (base, part) => {
        const seen = new Set(base.map((each) => JSON.stringify(each)));
        const news = part.map((each) => JSON.stringify(each)).filter((each) => !seen.has(each) && seen.add(each));
        const union = unionOf(JSON.stringify(base), JSON.stringify(part), asValues);
        expect(union).toBe(`[${[...base.map((each) => JSON.stringify(each)), ...news].join(",")}]`);
      }),
    );
  });

  test.each([
    ["numbers", "[10, 1.5, 0, 100000000000000000000]", "[1e1, 10.0, 15e-1, -0, 1e20]"],
    ["texts", '["a\\n", "\\u0041", "\\ud83d\\ude00"]', '["\\u0061\\u000a", "A", "\u{1f600}"]'],
    ["the order of members", '[{"a":1,"b":[{"c":2}]}]', '[{ "b" : [ { "c" : 2.0 } ], "a" : 1 }]'],
  ])("gives what is written in two ways one hash: %s", (_what, base, part) => {
    expect(unionOf(base, part, () => true)).toBe(base);
  });

  it("asks whether equal hashes are equal content, and keeps both if they are not", () => {
    expect(unionOf("[10]", "[1e1]", never)).toBe("[10,1e1]");
    // Longer than a double is exact.
    expect(unionOf("[90071992547409930]", "[90071992547409931]", never)).toBe("[90071992547409930,90071992547409931]");
  });

  it("leaves what it does not add as it is written, and white space where nobody minds it", () => {
    expect(unionOf(" [1 , 2]".trim(), "[2,3, 4,5]", never)).toBe("[1 , 2,3,4,5]");
    expect(unionOf("[ ]", "[ 1 ]", never)).toBe("[1]");
    expect(unionOf("[ ]", "[ ]", never)).toBe("[ ]");
  });

  test.each([
    ["[1", "[]"],
    ["[1,]", "[]"],
    ["[1]x", "[]"],
    ["[01]", "[]"],
    ["[-]", "[]"],
    ["[.5]", "[]"],
    ["[1.]", "[]"],
    ["[tru]", "[]"],
    ['["a]', "[]"],
    ['["\\x"]', "[]"],
    ['["\n"]', "[]"],
    ['[{"a" 1}]', "[]"],
    ["[{a:1}]", "[]"],
    ['[{"a":1,}]', "[]"],
    ["{}", "[]"],
    ["1", "[]"],
    ['[{"a":1,"a":2}]', "[]"],
    [`[${"[".repeat(200)}${"]".repeat(200)}]`, "[]"],
    [`[${JSON.stringify(Object.fromEntries([...Array(40).keys()].map((key) => [`k${key}`, key])))}]`, "[]"],
  ])("has nothing to say to what is no usual array: %s", (base, part) => {
    expect(unionOf(base, part, never)).toBeUndefined();
    expect(unionOf(part, base, never)).toBeUndefined();
  });

  it("gives up at very many equal hashes, for another way takes them better", () => {
    // Doubles that are equal, of numbers that are not.
    const alike = Array.from({ length: 400 }, (_, i) => `1.${"0".repeat(30)}${String(i).padStart(3, "0")}`);
    expect(unionOf(`[${alike.join(",")}]`, "[]", never)).toBe(`[${alike.join(",")}]`);
    expect(unionOf("[]", `[${alike.join(",")}]`, never)).toBeUndefined();
  });
});

describe("the members of two objects", () => {
  const plus = (_key: () => string, base: string, part: string) => String(Number(base) + Number(part));
  const sameText = (one: string, other: string) => JSON.parse(one) === JSON.parse(other);
  const merged = (base: string, part: string) => mergedMembers(base, part, sameText, plus);

  it("are merged where both have them, the others stay, the base's first", () => {
    const key = fc
      .oneof(fc.string({ unit: "grapheme", maxLength: 3 }), fc.constantFrom("a", "b", '"', "\\", "\n", "1", ""))
      .filter((text) => text !== "__proto__");
    const members = fc.dictionary(key, fc.integer({ min: -1000, max: 1000 }), { noNullPrototype: true, maxKeys: 60 });
    fc.assert(
      fc.property(members, members, (base, part) => {
        const expected = new Map(Object.entries(base));
        for (const [name, value] of Object.entries(part)) expected.set(name, (expected.get(name) ?? 0) + value);
        const text = merged(JSON.stringify(base), JSON.stringify(part)) as string;
        expect([...Object.entries(JSON.parse(text))].sort()).toEqual([...expected].sort());
        expect(text).toBe(`{${[...expected].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`);
      }),
    );
  });

  it("are the same however their keys are written, and stay as they are written", () => {
    expect(merged('{ "a" : 1 ,"\\u0062": 2 }', '{"\\u0061":3,"b":4, "c":5,"d":6}')).toBe('{"a" : 4 ,"\\u0062": 6,"c":5,"d":6}');
    expect([merged("{}", "{}"), merged("{ }", '{"a":1}'), merged('{"a":1}', "{}")]).toEqual(["{}", '{"a":1}', '{"a":1}']);
  });

  test.each(['{"a":1,"a":2}', '{"a":1,}', '{"a" 1}', "{a:1}", '{"a":1', '{"a":1}x', '{"a\\x":1}', "[]"])(
    "have nothing to say of what is no usual object: %s",
    (text) => {
      expect([merged(text, "{}"), merged("{}", text)]).toEqual([undefined, undefined]);
    },
  );

  it("say what is wrong with a value", () => {
    expect(() => merged('{"a":tru}', "{}")).toThrow("it is no JSON");
  });
});
