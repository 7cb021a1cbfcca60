import * as fc from "fast-check";
import { Writer } from "protobufjs/minimal";
import { barrierInText, barrierNumberIn } from "../../src/ingress/barrier-number";

const LARGEST = Number.MAX_SAFE_INTEGER;

function inJson(text: string, path: readonly string[]): number | undefined {
  return barrierNumberIn(Buffer.from(text), { kind: "json", path });
}

function inProtobuf(value: Uint8Array, path: readonly number[]): number | undefined {
  return barrierNumberIn(value, { kind: "protobuf", path });
}

describe("a barrier number in JSON", () => {
  test.each<[string, string[], number]>([
    ['{"n":17}', ["n"], 17],
    ['{"n":0}', ["n"], 0],
    ['{"n":17.0}', ["n"], 17],
    ['{"n":1e3}', ["n"], 1_000],
    ['{"window":{"end":5,"start":4}}', ["window", "end"], 5],
    ['{"windows":[{"end":5},{"end":6}]}', ["windows", "1", "end"], 6],
    [`{"n":${LARGEST}}`, ["n"], LARGEST],
    [`{"n":"${LARGEST}"}`, ["n"], LARGEST], // As protobuf writes 64-bit integers.
    ['{"a.b":{"":3}}', ["a.b", ""], 3],
  ])("%s at %j is %d", (text, path, expected) => {
    expect(inJson(text, path)).toBe(expected);
  });

  test.each<[string, string[]]>([
    ["", ["n"]],
    ["soon", ["n"]],
    ['{"n":1', ["n"]],
    ["null", ["n"]],
    ["17", ["n"]],
    ['{"n":null}', ["n"]],
    ['{"n":-1}', ["n"]],
    ['{"n":1.5}', ["n"]],
    ['{"n":true}', ["n"]],
    ['{"n":{}}', ["n"]],
    ['{"n":"1.5"}', ["n"]],
    ['{"n":"-1"}', ["n"]],
    ['{"n":""}', ["n"]],
    ['{"n":"9007199254740992"}', ["n"]],
    ['{"n":9007199254740992}', ["n"]],
    ['{"n":1e400}', ["n"]],
    ['{"m":1}', ["n"]],
    ['{"n":1}', ["n", "m"]],
    ['"text"', ["length"]],
    ['{"m":1}', ["constructor", "length"]],
    ['{"m":1}', ["__proto__", "n"]],
  ])("%s has none at %j", (text, path) => {
    expect(inJson(text, path)).toBeUndefined();
  });
});

describe("a barrier number in protobuf", () => {
  /** { 1: { 3: 17 }, 2: "text", 4: fixed64 5, 5: fixed32 6, 6: 0 } */
  function whole(): Writer {
    const writer = Writer.create().uint32(10).fork().uint32(24).uint64(17).ldelim();
    writer.uint32(18).string("text").uint32(33).fixed64(5).uint32(45).fixed32(6).uint32(48).uint64(0);
    return writer;
  }

  test.each<[number[], number]>([
    [[1, 3], 17],
    [[4], 5],
    [[5], 6],
    [[6], 0],
  ])("stands at %j", (path, expected) => {
    expect(inProtobuf(whole().finish(), path)).toBe(expected);
  });

  test.each<[string, number[]]>([
    ["an absent field", [9]],
    ["a field absent inside", [1, 9]],
    ["an embedded message", [1]],
    ["a text", [2]],
    ["what is inside a number", [4, 1]],
  ])("does not stand in %s", (_what, path) => {
    expect(inProtobuf(whole().finish(), path)).toBeUndefined();
  });

  it("is the last of several, and an embedded message that comes twice is one", () => {
    const twice = whole().uint32(48).uint64(8).uint32(10).fork().uint32(16).uint64(1).ldelim().finish();
    expect(inProtobuf(twice, [6])).toBe(8);
    expect(inProtobuf(twice, [1, 3])).toBe(17);
    expect(inProtobuf(twice, [1, 2])).toBe(1);
  });

  it("is exact up to 2^53 - 1, and none above or below zero", () => {
    const field = (write: (writer: Writer) => Writer) => write(Writer.create().uint32(8)).finish();
    expect(
      inProtobuf(
        field((writer) => writer.uint64(LARGEST)),
        [1],
      ),
    ).toBe(LARGEST);
    expect(
      inProtobuf(
        field((writer) => writer.uint64(LARGEST + 1)),
        [1],
      ),
    ).toBeUndefined();
    expect(
      inProtobuf(
        field((writer) => writer.int64(-1)),
        [1],
      ),
    ).toBeUndefined();
  });

  it("does not stand in bytes that are cut off, or are none", () => {
    const bytes = whole().finish();
    expect(inProtobuf(bytes.subarray(0, bytes.length - 1), [6])).toBeUndefined();
    expect(inProtobuf(bytes.subarray(0, 3), [1, 3])).toBeUndefined();
    expect(inProtobuf(new Uint8Array(0), [1])).toBeUndefined();
  });

  it("never throws, whatever the bytes", () => {
    const path = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), path, (bytes, numbers) => {
        const found = inProtobuf(bytes, numbers);
        expect(found === undefined || (Number.isSafeInteger(found) && found >= 0)).toBe(true);
      }),
    );
  });
});

describe("a barrier in text", () => {
  test.each<[string, string, number]>([
    ["17", "", 17],
    ["0", "", 0],
    [" 17 ", "", 17],
    ["window:17", "window", 17],
    ["window: 17", "window", 17],
    ["shop:window:17", "shop:window", 17],
    [":17", "", 17],
    [`w:${LARGEST}`, "w", LARGEST],
  ])("%j", (text, series, number) => {
    expect(barrierInText(text)).toEqual({ series, number });
  });

  test.each(["", "window", "window:", "17:window", "-1", "1.5", "1e3", "0x11", "9007199254740992", "17 18"])(
    "%j is none",
    (text) => {
      expect(barrierInText(text)).toBeUndefined();
    },
  );
});
