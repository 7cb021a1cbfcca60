import fc from "fast-check";
import { Reader, Writer } from "protobufjs/minimal";
import { TextMemo } from "../../src/model/text-memo";

describe("TextMemo", () => {
  it("reads what Reader#string reads, whatever was read before", () => {
    const text = fc.oneof(fc.constantFrom("", "a", "ab", "é", "x".repeat(200)), fc.string({ unit: "grapheme" }));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 20 }), (texts) => {
        const writer = Writer.create();
        for (const each of texts) writer.string(each);
        const reader = Reader.create(writer.finish());
        const memo = new TextMemo();
        expect(texts.map(() => memo.read(reader))).toEqual(texts);
        expect(reader.pos).toBe(reader.len);
      }),
    );
  });

  it("does not read over the end, also when the memo would fit", () => {
    const memo = new TextMemo();
    memo.read(Reader.create(Writer.create().string("abc").finish()));
    expect(() => memo.read(Reader.create(Uint8Array.of(3, 97, 98)))).toThrow(RangeError);
  });

  it("keeps its own bytes: the buffer it read from may be used again", () => {
    const memo = new TextMemo();
    const bytes = Writer.create().string("abc").finish();
    expect(memo.read(Reader.create(bytes))).toBe("abc");
    bytes[1] = 120;
    expect(memo.read(Reader.create(bytes))).toBe("xbc");
  });
});
