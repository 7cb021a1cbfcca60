import * as fc from "fast-check";
import { ProtocolError } from "../../src/model/errors";
import {
  actorKey,
  type ChangelogKey,
  declarationKey,
  decodeDeclaration,
  decodeInvoked,
  decodeKey,
  decodeValue,
  encodeDeclaration,
  encodeInvoked,
  encodeValue,
  invokedKey,
  laneValueKey,
  messageKey,
  progressKey,
  valueKey,
} from "../../src/state/changelog";

/** Parts of a key that are names of ours or a module's: they hold no NUL. */
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((text) => !text.includes("\0"));
/** Ids hold anything. */
const id = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.constantFrom("", "\0", "\0\0", "a\0b", "\u{1f600}\0", "\ufeffbom", "s\0x\0y\0z"),
);
const key: fc.Arbitrary<ChangelogKey> = fc.oneof(
  fc.record({ kind: fc.constant("value" as const), typename: name, state: name, id }),
  fc.record({ kind: fc.constant("invoked" as const), typename: name, id }),
  fc.record({ kind: fc.constant("declaration" as const), typename: name, state: name }),
  fc.record({ kind: fc.constant("message" as const), sequence: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant("part" as const), typename: name, state: name, lane: fc.integer({ min: 1, max: 64 }), id }),
  fc.record({ kind: fc.constant("actor" as const), typename: name, id }),
  fc.record({ kind: fc.constant("progress" as const), cluster: name, topic: name, partition: fc.nat() }),
);

function keyText(each: ChangelogKey): string {
  switch (each.kind) {
    case "value":
      return valueKey(each.typename, each.state, each.id);
    case "part":
      return laneValueKey(each.typename, each.state, each.lane, each.id);
    case "actor":
      return actorKey(each.typename, each.id);
    case "invoked":
      return invokedKey(each.typename, each.id);
    case "declaration":
      return declarationKey(each.typename, each.state);
    case "message":
      return messageKey(each.sequence);
    case "progress":
      return progressKey(each.cluster, each.topic, each.partition);
  }
}

describe("keys of the state topic", () => {
  it("are read back as they were written, with any character in an id", () => {
    fc.assert(
      fc.property(key, (each) => {
        expect(decodeKey(Buffer.from(keyText(each), "utf8"))).toEqual(each);
        const padded = Buffer.from(`xx${keyText(each)}yy`, "utf8");
        expect(decodeKey(new Uint8Array(padded).subarray(2, padded.length - 2))).toEqual(each);
      }),
    );
  });

  it("are different for different things", () => {
    fc.assert(
      fc.property(key, key, (one, other) => {
        expect(keyText(one) === keyText(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });

  test.each(["", "s", "x\0a", "st\0a"])("of an unknown kind are refused: %j", (text) => {
    expect(() => decodeKey(Buffer.from(text))).toThrow(ProtocolError);
  });
});

test.each([
  "s\0ex/fn",
  "s\0ex/fn\0seen",
  "l\0ex/fn\0seen\x001",
  "l\0ex/fn\0seen\0x\0a",
  "a\0ex/fn",
  "m\0",
  "m\0x",
  "p\0c\0t",
  "p\0c\0t\0-1",
])("a key that is cut off or garbled is refused: %j", (text) => {
  expect(() => decodeKey(Buffer.from(text))).toThrow(ProtocolError);
});

describe("values of the state topic", () => {
  it("keep a state value byte by byte, and when it was written", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.maxSafeNat(), (bytes, writtenMs) => {
        const decoded = decodeValue(encodeValue(writtenMs, bytes));
        expect(decoded.writtenMs).toBe(writtenMs);
        expect(Buffer.from(decoded.typedValue).equals(bytes)).toBe(true);
      }),
    );
  });

  it("give a value its own bytes, not those of the fetched buffer", () => {
    const { typedValue } = decodeValue(encodeValue(1, new Uint8Array(100)));
    expect(typedValue.buffer.byteLength).toBe(100);
  });

  it("keep whole milliseconds of instants", () => {
    expect(decodeValue(encodeValue(12.75, new Uint8Array(0))).writtenMs).toBe(12);
    expect(decodeInvoked(encodeInvoked(1_700_000_000_000.5))).toBe(1_700_000_000_000);
  });

  it("keep a declaration", () => {
    const declaration = fc.record({
      name,
      typename: fc.string(),
      expireMode: fc.constantFrom("none" as const, "after-write" as const, "after-invoke" as const),
      expireAfterMs: fc.maxSafeNat(),
    });
    fc.assert(fc.property(declaration, (each) => expect(decodeDeclaration(each.name, encodeDeclaration(each))).toEqual(each)));
  });

  test.each([
    ["a state value", () => decodeValue(Uint8Array.of(2, 0))],
    ["an invocation time", () => decodeInvoked(Uint8Array.of(2, 0))],
    ["a declaration", () => decodeDeclaration("s", Uint8Array.of(2, 0))],
  ])("of another version are refused: %s", (_what, decode) => {
    expect(decode).toThrow(ProtocolError);
    expect(decode).toThrow("this router reads version 1");
  });
});
