import * as fc from "fast-check";
import type { EgressSpecification } from "../../src/config/specification";
import { type EgressArgument, egressRecord, KAFKA_RECORD_TYPENAME, recordBytes } from "../../src/egress/egress-record";
import { ProtocolError } from "../../src/model/errors";
import { KAFKA_EGRESS, RAW_EGRESS } from "../support/module";
import { encodeMessage } from "../support/statefun-proto";

function argument(value: Uint8Array, typename = KAFKA_RECORD_TYPENAME): EgressArgument {
  const around = Buffer.concat([Buffer.from([0x0a]), value, Buffer.from([0x1a])]);
  return { typename, buffer: around, from: 1, to: 1 + value.length };
}

function hex(text: string): Buffer {
  return Buffer.from(text, "hex");
}

describe("a Kafka egress", () => {
  it("reads the golden record (STATEFUN.md §10): key k, value int 1, topic t", () => {
    const record = egressRecord(KAFKA_EGRESS, argument(hex("0a016b1204000000011a0174")), "sender");
    expect(record).toEqual({ topic: "t", key: "k", value: hex("00000001"), headers: undefined });
  });

  it("reads what protobuf writes, fields in any order", () => {
    const fields = fc.record({
      key: fc.string({ unit: "grapheme" }),
      value_bytes: fc.uint8Array(),
      topic: fc.string({ minLength: 1 }),
    });
    fc.assert(
      fc.property(fields, (each) => {
        const record = egressRecord(KAFKA_EGRESS, argument(encodeMessage("KafkaProducerRecord", each)), "s");
        expect(record.topic).toBe(each.topic);
        expect(record.key).toBe(each.key === "" ? null : each.key);
        expect(Buffer.from(record.value).equals(each.value_bytes)).toBe(true);
      }),
    );
    expect(egressRecord(KAFKA_EGRESS, argument(hex("1a01741204000000010a016b")), "s")).toMatchObject({ topic: "t", key: "k" });
  });

  it("takes an empty key for none, and an absent value for an empty one", () => {
    const record = egressRecord(KAFKA_EGRESS, argument(encodeMessage("KafkaProducerRecord", { topic: "t" })), "s");
    expect(record).toMatchObject({ topic: "t", key: null });
    expect(record.value).toHaveLength(0);
  });

  it("reads the headers of the fork's field 4", () => {
    const record = egressRecord(KAFKA_EGRESS, argument(hex("1a0174" + "22060a0161120178" + "22050a01621200")), "s");
    expect(record.headers).toEqual({ a: hex("78"), b: new Uint8Array(0) });
  });

  test.each([
    ["another typename", argument(hex("1a0174"), "io.statefun.types/string"), "not io.statefun.types/string"],
    ["no typename", argument(hex("1a0174"), ""), "not a value without typename"],
    ["no topic", argument(hex("0a016b")), "names no topic"],
    ["garbage", argument(hex("ffff")), "is not a KafkaProducerRecord"],
    ["a record cut short", argument(hex("0a016b12040000")), "is not a KafkaProducerRecord"],
    ["a header cut short", argument(hex("1a017422060a016112")), "is not a KafkaProducerRecord"],
  ])("refuses %s, naming the egress", (_what, wrong, reason) => {
    expect(() => egressRecord(KAFKA_EGRESS, wrong, "s")).toThrow(ProtocolError);
    expect(() => egressRecord(KAFKA_EGRESS, wrong, "s")).toThrow(reason);
    expect(() => egressRecord(KAFKA_EGRESS, wrong, "s")).toThrow("ex/out");
  });
});

describe("a raw egress", () => {
  it("writes any value to its topic: bytes as they are, key of the sender, typename as a header", () => {
    const record = egressRecord(RAW_EGRESS, argument(hex("0102"), "ex/any"), "sender");
    expect(record).toEqual({ topic: "raw", key: "sender", value: hex("0102"), headers: { typename: "ex/any" } });
  });

  it("without a key where it says none", () => {
    const keyless: EgressSpecification = { ...RAW_EGRESS, key: "none" } as EgressSpecification;
    expect(egressRecord(keyless, argument(hex(""), ""), "sender")).toMatchObject({ key: null, headers: { typename: "" } });
  });
});

describe("the size of a record", () => {
  it("counts bytes once, and only text generously", () => {
    const size = (headers: Record<string, Uint8Array | string>) =>
      recordBytes({ topic: "t", key: null, value: new Uint8Array(0), headers });
    expect(size({ h: new Uint8Array(1_000) }) - size({ h: new Uint8Array(0) })).toBe(1_000);
    expect(size({ h: "x".repeat(1_000) }) - size({ h: "" })).toBe(3_000);
  });

  it("is never less than its bytes", () => {
    const record = fc.record({
      topic: fc.constant("t"),
      key: fc.option(fc.string({ unit: "grapheme" })),
      value: fc.uint8Array(),
      headers: fc.option(fc.dictionary(fc.string({ unit: "grapheme" }), fc.uint8Array()), { nil: undefined }),
    });
    fc.assert(
      fc.property(record, (each) => {
        let bytes = each.value.length + Buffer.byteLength(each.key ?? "");
        for (const [name, value] of Object.entries(each.headers ?? {})) bytes += Buffer.byteLength(name) + value.length;
        expect(recordBytes(each)).toBeGreaterThanOrEqual(bytes);
      }),
    );
  });
});
