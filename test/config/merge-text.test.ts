/** Merge strategies as text. */
import fc from "fast-check";
import { parseMerge } from "../../src/config/merge-text";
import type { MergeSpecification } from "../../src/config/specification";

const PLAIN = ["sum", "count", "min", "max", "set-union", "list-concat", "latest", "exclusive", "function"] as const;

test.each(PLAIN)("%s", (kind) => {
  expect(parseMerge(kind)).toEqual({ merge: { kind } });
  expect(parseMerge(` ${kind} `)).toEqual({ merge: { kind } });
  expect(parseMerge(`${kind}()`)).toEqual({ fault: { problem: `has something in brackets after ${kind}`, expected: kind } });
});

test("paths", () => {
  expect(parseMerge("max-by(a.b)")).toEqual({ merge: { kind: "max-by", path: ["a", "b"] } });
  expect(parseMerge("partition( customer id.x )")).toEqual({ merge: { kind: "partition", keyPath: ["customer id", "x"] } });
});

const nested = (maps: number) => `${"map(".repeat(maps)}sum${")".repeat(maps)}`;

test("maps, 8 in each other at most", () => {
  let merge: MergeSpecification = { kind: "sum" };
  for (let maps = 0; maps <= 8; maps++) {
    expect(parseMerge(nested(maps))).toEqual({ merge });
    merge = { kind: "map", inner: merge };
  }
  const fault = { problem: "has more than 8 maps in each other", expected: "at most 8" };
  expect(parseMerge(nested(9))).toEqual({ fault });
  expect(parseMerge(nested(100_000))).toEqual({ fault });
});

test.each([
  ["max-by", "has no path after max-by", "max-by(path): keys with dots between, such as window.end"],
  ["max-by()", "has no path after max-by", "max-by(path): keys with dots between, such as window.end"],
  ["max-by(a..b)", "has no path after max-by", "max-by(path): keys with dots between, such as window.end"],
  ["partition(a)(b)", "has no path after partition", "partition(path): keys with dots between, such as window.end"],
  ["map", "does not say how the values of the map are merged", "for example map(sum)"],
  ["map(latest)", "has latest in a map", "it for the whole state, or another strategy inside"],
  ["map(map(exclusive))", "has exclusive in a map", "it for the whole state, or another strategy inside"],
  ["map(function)", "has function in a map", "it for the whole state, or another strategy inside"],
  ["map(partition(a))", "has partition in a map", "it for the whole state, or another strategy inside"],
  ["sum(a)", "has something in brackets after sum", "sum"],
])("%s is refused", (text, problem, expected) => {
  expect(parseMerge(text)).toEqual({ fault: { problem, expected } });
});

test.each([
  ["summ", "sum"],
  ["map(map(maximum))", undefined],
  ["setunion", "set-union"],
  ["maxby(a)", "max-by"],
  ["", undefined],
  ["map(sum", undefined],
  ["sum)", "sum"],
  ["map(sum))", "sum"],
])("%s is no strategy; perhaps %s is meant", (text, near) => {
  expect(parseMerge(text)).toMatchObject({ fault: { problem: "is not a merge strategy", nearest: near } });
});

function written(merge: MergeSpecification): string {
  if (merge.kind === "map") return `map(${written(merge.inner)})`;
  if (merge.kind === "max-by") return `max-by(${merge.path.join(".")})`;
  return merge.kind === "partition" ? `partition(${merge.keyPath.join(".")})` : merge.kind;
}

test("what is written is read again", () => {
  const path = fc.array(fc.stringMatching(/^[\w-]([\w -]*[\w-])?$/), { minLength: 1, maxLength: 4 });
  const inner: fc.Arbitrary<MergeSpecification> = fc.oneof(
    fc.constantFrom(...(["sum", "count", "min", "max", "set-union", "list-concat"] as const)).map((kind) => ({ kind })),
    path.map((keys) => ({ kind: "max-by" as const, path: keys })),
  );
  const maps = fc.tuple(inner, fc.nat(8)).map(([merge, count]) => {
    let whole = merge;
    for (let each = 0; each < count; each++) whole = { kind: "map", inner: whole };
    return whole;
  });
  const partition = path.map((keys) => ({ kind: "partition" as const, keyPath: keys }));
  fc.assert(fc.property(fc.oneof(maps, partition), (merge) => expect(parseMerge(written(merge))).toEqual({ merge })));
});
