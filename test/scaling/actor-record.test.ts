import * as fc from "fast-check";
import { Writer } from "protobufjs/minimal";
import { ProtocolError } from "../../src/model/errors";
import { type ActorRecord, decodeActorRecord, encodeActorRecord } from "../../src/scaling/actor-record";

const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 });
const records: fc.Arbitrary<ActorRecord> = fc.record({
  epoch: number,
  done: fc.oneof(number, fc.constant(-1)),
  seen: fc.array(fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("ex/in\0in\x000", "ex/up/a", ""))),
  policy: fc.oneof(fc.constant(""), fc.json()),
});

const read = (bytes: Uint8Array) => decodeActorRecord(bytes, "ex/fn/a");

test("an actor's record is read as it was written", () => {
  fc.assert(fc.property(records, (record) => expect(read(encodeActorRecord(record))).toEqual(record)));
});

test("golden: these bytes stand in logs", () => {
  const record = { epoch: 3, done: 300, seen: ["a/b/c", "x\0y"], policy: "{}" };
  const golden = "0801 1003 18ad02 2205612f622f63 2203780079 2a027b7d".replaceAll(" ", "");
  expect(Buffer.from(encodeActorRecord(record)).toString("hex")).toBe(golden);
  expect(read(Buffer.from(golden, "hex"))).toEqual(record);
});

test("no barrier yet is not barrier 0", () => {
  const doneOf = (done: number) => read(encodeActorRecord({ epoch: 0, done, seen: [], policy: "" })).done;
  expect([doneOf(-1), doneOf(0)]).toEqual([-1, 0]);
});

test("a version that is not known is refused", () => {
  expect(() => read(Writer.create().uint32(8).uint32(2).finish())).toThrow(ProtocolError);
});

test("a record that is cut off or garbled is refused, and it is said whose it is", () => {
  const whole = Buffer.from(encodeActorRecord({ epoch: 300, done: 300, seen: ["a/b/c"], policy: '{"tag":"x"}' }));
  const ends = [...whole.keys()].filter((end) => ![2, 5, 8, 15].includes(end)); // Where a field ends a shorter record does, too.
  for (const end of ends) {
    expect(() => read(whole.subarray(0, end))).toThrow(ProtocolError);
    expect(() => read(new Uint8Array(whole.subarray(0, end)))).toThrow("actor record of ex/fn/a: ");
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        read(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});

test("fields of later days are passed over", () => {
  const record = { epoch: 3, done: 4, seen: ["a"], policy: "" };
  const later = Writer.create().uint32(50).string("new").uint32(56).uint32(7).finish();
  expect(read(Buffer.concat([encodeActorRecord(record), later]))).toEqual(record);
});
