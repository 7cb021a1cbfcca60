import { assignShards, formatIdentity, type MemberIdentity, parseIdentity, partitionsOf } from "../../src/scaling/assignment";
import { fateOf, ownIdentity } from "../../src/scaling/fs-process";

const identity = (since: number): MemberIdentity => ({ ...ownIdentity("r"), since });

test("all shards go to one member, the others stand by", () => {
  const shares = assignShards(
    [
      { memberId: "b", identity: identity(0) },
      { memberId: "a", identity: identity(0) },
    ],
    3,
  );
  expect(shares).toEqual(
    new Map([
      ["b", []],
      ["a", [0, 1, 2]],
    ]),
  );
});

test("who holds them keeps them; of two that believe so, the one that came to it last", () => {
  const members = [
    { memberId: "a", identity: identity(0) },
    { memberId: "b", identity: identity(100) },
    { memberId: "c", identity: identity(200) },
    { memberId: "d", identity: undefined },
  ];
  expect([...assignShards(members, 1)].find(([, shards]) => shards.length > 0)?.[0]).toBe("c");
  expect([...assignShards(members.slice(0, 2), 1)].find(([, shards]) => shards.length > 0)?.[0]).toBe("b");
});

test("an ingress partition goes with the shard it is congruent to", () => {
  expect(partitionsOf(new Set([1, 2]), 4, [0, 1, 2, 3, 4, 5, 6, 10])).toEqual([1, 2, 5, 6, 10]);
});

test("an identity survives its way through the group; anything else is none", () => {
  expect(parseIdentity(formatIdentity(identity(7)))).toEqual(identity(7));
  for (const text of ["", "{}", "null", '{"name":1}', "no json"]) expect(parseIdentity(Buffer.from(text))).toBeUndefined();
  expect(parseIdentity(null)).toBeUndefined();
});

test("a process is alive, or provably dead, or out of sight", () => {
  expect(fateOf(identity(0))).toBe("alive");
  expect(fateOf({ ...identity(0), pid: 2 ** 22 + 1, processStart: "1" })).toBe("dead");
  expect(fateOf({ ...identity(0), boot: "another machine" })).toBe("elsewhere");
  expect(fateOf({ ...identity(0), pidNamespace: "another container" })).toBe("elsewhere");
});

test("the same pid started at another time is another process", () => {
  const own = identity(0);
  if (own.processStart !== "") expect(fateOf({ ...own, processStart: `${own.processStart}0` })).toBe("dead");
});
