import * as fc from "fast-check";
import { murmur2, partitionOf } from "../../src/model/murmur2";

describe("murmur2", () => {
  // org.apache.kafka.common.utils.UtilsTest#testMurmur2.
  test.each([
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ])("hashes %j as Kafka does", (text, expected) => {
    expect(murmur2(Buffer.from(text))).toBe(expected);
  });

  it("does not depend on where in a buffer the key lies", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 0, max: 5 }), (key, shift) => {
        const large = new Uint8Array(key.length + shift + 3).fill(0xee);
        large.set(key, shift);
        expect(murmur2(large.subarray(shift, shift + key.length))).toBe(murmur2(key));
      }),
    );
  });
});

describe("partitionOf", () => {
  it("drops the sign bit instead of negating, as Kafka's default partitioner does", () => {
    expect(partitionOf(Buffer.from("21"), 8)).toBe((-973932308 & 0x7fffffff) % 8);
  });

  it("names a partition that exists, for every key", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 1000 }), (key, count) => {
        const partition = partitionOf(key, count);
        expect(Number.isInteger(partition) && partition >= 0 && partition < count).toBe(true);
      }),
    );
  });

  it("keeps a key at home where a topic's partitions are a multiple of the shards", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 8 }), (key, shards, times) => {
        expect(partitionOf(key, shards * times) % shards).toBe(partitionOf(key, shards));
      }),
    );
  });
});
