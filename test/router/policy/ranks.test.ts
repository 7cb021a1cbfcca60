import { Random } from "../../../src/model/random";
import type { Policy } from "../../../src/router/policy/policy";
import { edf, minLaxity, priority, token } from "../../../src/router/policy/ranks";
import { address, aMessage, type MessageFields } from "../../support/messages";

function begun(policy: Policy, params: Readonly<Record<string, unknown>> = {}, sloMs = 200): Policy {
  policy.init({ router: "r1", application: "fraud", sloMs, params, random: new Random(1) });
  return policy;
}

/** The rank the policy gives a message; `caller` makes it one that a function sent. */
function rankOf(
  policy: Policy,
  fields: MessageFields = {},
  now = 0,
  set: { costMs?: number; pathMs?: number; rank?: number } = {},
): number {
  const message = Object.assign(aMessage(fields), set);
  expect(policy.admit(message, now)).toEqual({ do: "queue" });
  return message.rank;
}

const sent = { caller: address("sender") };

test("edf: the earliest deadline first", () => {
  const policy = begun(edf());
  expect(rankOf(policy, { deadlineMs: 10 })).toBeLessThan(rankOf(policy, { deadlineMs: 11 }));
  expect(rankOf(policy, { deadlineMs: 10 }, 5, { costMs: 100 })).toBe(10);
});

describe("min-laxity", () => {
  it("is the latest start: the deadline less this hop, the hops behind it, and the margin", () => {
    const policy = begun(minLaxity(), { margin: 0.1 });
    expect(rankOf(policy, { deadlineMs: 1_000 }, 0, { costMs: 30, pathMs: 50 })).toBe(1_000 - 30 - 50 - 20);
  });

  it("has a margin of 0.3 of the SLO, unless told otherwise", () => {
    expect(rankOf(begun(minLaxity()), { deadlineMs: 1_000 })).toBe(940);
    expect(rankOf(begun(minLaxity(), { margin: 0 }), { deadlineMs: 1_000 })).toBe(1_000);
  });

  it("does not make a message more urgent the further it has come", () => {
    const policy = begun(minLaxity());
    const first = rankOf(policy, { deadlineMs: 1_000 }, 0, { costMs: 10, pathMs: 90 });
    const last = rankOf(policy, { deadlineMs: 1_000, ...sent }, 10, { costMs: 90, pathMs: 0, rank: first });
    expect(last).toBeGreaterThan(first);
  });
});

describe("priority", () => {
  it("goes by level, whatever the age", () => {
    const high = begun(priority(), { priority: 1 });
    const low = begun(priority(), { priority: -1 });
    const month = 30 * 86_400_000;
    expect(rankOf(high, {}, month)).toBeLessThan(rankOf(begun(priority()), {}, 0));
    expect(rankOf(begun(priority()), {}, month)).toBeLessThan(rankOf(low, {}, 0));
  });

  it("goes by age within a level", () => {
    const policy = begun(priority(), { priority: 3 });
    expect(rankOf(policy, {}, 1_700_000_000_000)).toBeLessThan(rankOf(policy, {}, 1_700_000_000_001));
  });
});

describe("token", () => {
  const params = { rate: 2, intervalMs: 100 };

  it("spreads its tokens over the interval; what has none waits for all that have one", () => {
    const policy = begun(token(), params);
    expect([5, 5, 5].map((now) => rankOf(policy, {}, now))).toEqual([0, 50, Number.MAX_VALUE]);
  });

  it("has new ones in the next interval, and keeps none", () => {
    const policy = begun(token(), params);
    rankOf(policy, {}, 5);
    expect([730, 799, 799, 800].map((now) => rankOf(policy, {}, now))).toEqual([700, 750, Number.MAX_VALUE, 800]);
  });

  it("is inherited: what a function sends takes none, and is as urgent as its cause", () => {
    const policy = begun(token(), params);
    expect(rankOf(policy, sent, 5, { rank: 42 })).toBe(42);
    expect(rankOf(policy, {}, 5)).toBe(0);
  });

  it("gives one of two applications with twice the rate twice the turns", () => {
    const [once, twice] = [begun(token(), { rate: 10, intervalMs: 100 }), begun(token(), { rate: 20, intervalMs: 100 })];
    const ranks = [once, twice].flatMap((policy, which) =>
      Array.from({ length: 50 }, () => ({ which, rank: rankOf(policy, {}, 0) })),
    );
    const first = ranks.sort((one, other) => one.rank - other.rank).slice(0, 30);
    expect(first.filter(({ which }) => which === 1)).toHaveLength(20);
  });
});

test("a policy that ranks leaves every other moment alone", () => {
  const policy = begun(edf());
  const queue = policy.createQueue();
  expect(policy.prepareSend(aMessage(), 0)).toEqual({ do: "send" });
  expect(policy.next(queue, 0)).toBeUndefined();
  for (const quiet of [
    () => policy.preApply(aMessage(), 0),
    () => policy.postApply(aMessage(), { ok: true, serviceMs: 1, batchSize: 1 }, 0),
    () => policy.onCommand({}, 0),
    () => policy.onBarrier(address("a"), "block", 0),
  ])
    expect(quiet()).toBeUndefined();
});
