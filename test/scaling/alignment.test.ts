import * as fc from "fast-check";
import type { UpstreamSpecification } from "../../src/config/specification";
import { Alignment, type Channel, isLearned, prefixOf } from "../../src/scaling/alignment";
import { aMessage } from "../support/messages";

const NONE: ReadonlySet<Channel> = new Set();
const PARTITIONS = ["ex/in\0in\x000", "ex/in\0in\x001", "ex/in\0other\x000"] as const;
const channelsOf = (ingress: string): readonly Channel[] => (ingress === "ex/in" ? PARTITIONS : []);

function withHeads(...heads: readonly (readonly [Channel, number])[]): Alignment {
  const alignment = new Alignment();
  for (const [channel, barrier] of heads) alignment.add(channel, aMessage(), barrier, 7);
  return alignment;
}

function missing(upstreams: readonly UpstreamSpecification[], heads: readonly Channel[], seen: readonly Channel[] = []) {
  return withHeads(...heads.map((channel) => [channel, 1] as const)).missing(upstreams, new Set(seen), channelsOf);
}

describe("Alignment", () => {
  it("B1: blocks the channels that have a head, and no other", () => {
    const alignment = withHeads(["a", 3], ["b", 5]);
    expect(["a", "b", "c", ""].filter((channel) => alignment.blocks(channel))).toEqual(["a", "b"]);
    alignment.take(3);
    expect(["a", "b"].filter((channel) => alignment.blocks(channel))).toEqual(["b"]);
  });

  it("B2: takes the messages of one number in the order of their channels, and leaves larger heads where they are", () => {
    const alignment = new Alignment();
    const messages = new Map(["c", "a", "d", "b"].map((channel) => [channel, aMessage({ text: channel })]));
    for (const [channel, message] of messages) alignment.add(channel, message, channel === "d" ? 9 : 4, 1);
    expect(alignment.least).toBe(4);
    expect(alignment.take(4)).toEqual(["a", "b", "c"].map((channel) => [channel, messages.get(channel)]));
    expect([alignment.least, alignment.waiting]).toEqual([9, true]);
    expect(alignment.take(4)).toEqual([]);
    expect(alignment.take(9)).toEqual([["d", messages.get("d")]]);
    expect([alignment.least, alignment.waiting]).toEqual([Number.POSITIVE_INFINITY, false]);
  });

  it("knows since when it waits: the first head of those that stand, anew after none stood", () => {
    const alignment = new Alignment();
    alignment.add("a", aMessage(), 1, 10);
    alignment.add("b", aMessage(), 2, 20);
    expect(alignment.sinceMs).toBe(10);
    alignment.take(1);
    alignment.take(2);
    alignment.add("a", aMessage(), 3, 30);
    expect(alignment.sinceMs).toBe(30);
  });
});

type Kind = "all partitions" | "seen partitions" | "named actors" | "counted actors" | "seen actors";

interface Case {
  readonly upstream: UpstreamSpecification;
  readonly learned: boolean;
  readonly prefix: string;
  /** Heads, channels seen, and what is missing then. */
  readonly cases: readonly (readonly [readonly Channel[], readonly Channel[], readonly Channel[]])[];
}

const [first, second, third] = PARTITIONS;
const ups = (...ids: readonly string[]) => ids.map((id) => `ex/up/${id}`);
/** Begin like the upstreams' names, and are others. */
const NEIGHBOURS = ["ex/input\0in\x000", "ex/upper/a"];

const kinds: Record<Kind, Case> = {
  "all partitions": {
    upstream: { kind: "ingress", ingress: "ex/in", partitions: "all" },
    learned: false,
    prefix: "ex/in\0",
    cases: [
      [[], [], [...PARTITIONS]],
      [[second], ["ex/in\0gone\x007"], [first, third]],
      [[...PARTITIONS], [], []],
    ],
  },
  "seen partitions": {
    upstream: { kind: "ingress", ingress: "ex/in", partitions: "seen" },
    learned: true,
    prefix: "ex/in\0",
    cases: [
      [[], NEIGHBOURS, []],
      [[], [first, third, ...NEIGHBOURS], [first, third]],
      [[first], [first, third], [third]],
      [[first, third], [first, third], []],
    ],
  },
  "named actors": {
    upstream: { kind: "function", function: "ex/up", ids: ["a", "b/c"], count: undefined },
    learned: false,
    prefix: "ex/up/",
    cases: [
      [[], [], ups("a", "b/c")],
      [ups("a", "z"), ups("z"), ups("b/c")],
      [ups("a", "b/c"), [], []],
    ],
  },
  "counted actors": {
    upstream: { kind: "function", function: "ex/up", ids: undefined, count: 3 },
    learned: false,
    prefix: "ex/up/",
    cases: [
      [[], [], ["ex/up/(3 more)"]],
      [[...ups("a"), ...NEIGHBOURS], [], ["ex/up/(2 more)"]],
      [ups("a", "b", "c"), [], []],
      [ups("a", "b", "c", "d"), [], []],
    ],
  },
  "seen actors": {
    upstream: { kind: "function", function: "ex/up", ids: undefined, count: undefined },
    learned: true,
    prefix: "ex/up/",
    cases: [
      [[], NEIGHBOURS, []],
      [ups("a"), [...ups("a", "b"), ...NEIGHBOURS], ups("b")],
      [ups("a", "b"), ups("a", "b"), []],
    ],
  },
};

describe.each(Object.entries(kinds))("of an upstream of %s", (_kind, { upstream, learned, prefix, cases }) => {
  test.each(cases)("with heads of %j, and %j seen: missing %j", (heads, seen, expected) => {
    expect(missing([upstream], heads, seen)).toEqual(expected);
  });

  test(`channels begin with ${JSON.stringify(prefix)} and are ${learned ? "learnt" : "not learnt"}`, () => {
    expect([prefixOf(upstream), isLearned(upstream)]).toEqual([prefix, learned]);
  });
});

test("all upstreams are awaited, each for itself", () => {
  const upstreams = [kinds["all partitions"].upstream, kinds["counted actors"].upstream];
  expect(missing(upstreams, [first, third, ...ups("a", "b")])).toEqual([second, "ex/up/(1 more)"]);
  expect(missing([], [])).toEqual([]);
});

// ── no order of arrivals locks channels against each other ───────────────────────────────────────────────────────────

/** Rising barrier numbers of each channel, with gaps. The largest one comes on all: what follows it nobody knows yet. */
const LAST = 20;
const channels = fc.array(
  fc
    .uniqueArray(fc.integer({ min: 0, max: LAST - 1 }), { maxLength: 8 })
    .map((numbers) => [...numbers.sort((a, b) => a - b), LAST]),
  { minLength: 1, maxLength: 5 },
);
const arrivals = channels.chain((numbers) =>
  fc.tuple(
    fc.constant(numbers),
    fc.shuffledSubarray(
      numbers.flatMap((each, at) => each.map(() => at)),
      { minLength: numbers.flat().length },
    ),
  ),
);

/** Which barrier runs when every channel has a head. */
type Rule = (heads: Alignment) => number;
const smallestHead: Rule = ({ least }) => least;
/** The number that came first waits for its own kind: what an alignment by arrival would do. */
const firstCome: Rule = ({ heads }) => [...heads.values()][0]?.barrier ?? Number.POSITIVE_INFINITY;

/** Lets barriers come in this order of channels; gives the numbers that ran with the channels that had them, or undefined: locked. */
function aligned(numbers: readonly (readonly number[])[], order: readonly number[], rule: Rule, together: boolean) {
  const names = numbers.map((_, at) => `ex/up/${at}`);
  const upstream: UpstreamSpecification = {
    kind: "function",
    function: "ex/up",
    ids: names.map((_, at) => String(at)),
    count: undefined,
  };
  const alignment = new Alignment();
  const behind: number[][] = numbers.map(() => []);
  const next = numbers.map((each) => [...each]);
  const ran: [number, Channel[]][] = [];
  const show = (at: number) => {
    const barrier = behind[at]?.shift();
    if (barrier !== undefined) alignment.add(names[at] as Channel, aMessage(), barrier, 0);
  };
  for (const at of order) {
    behind[at]?.push(next[at]?.shift() as number);
    if (!alignment.blocks(names[at] as Channel)) show(at);
    while (alignment.waiting && alignment.missing([upstream], NONE, channelsOf).length === 0) {
      const due = rule(alignment);
      // Without the rule of the smallest head a barrier needs a message of each channel.
      if (together && [...alignment.heads.values()].some(({ barrier }) => barrier !== due)) return undefined;
      const taken = alignment.take(due).map(([channel]) => channel);
      ran.push([due, taken]);
      for (const channel of taken) show(names.indexOf(channel));
    }
  }
  return alignment.waiting ? undefined : ran;
}

/** What must run: every number once, rising, with the channels that have it. */
function wanted(numbers: readonly (readonly number[])[]): [number, Channel[]][] {
  const rising = [...new Set(numbers.flat())].sort((one, other) => one - other);
  return rising.map((number) => [number, numbers.flatMap((each, at) => (each.includes(number) ? [`ex/up/${at}`] : []))]);
}

function inOrder(rule: Rule, together: boolean) {
  return fc.property(arrivals, ([numbers, order]) => {
    expect(aligned(numbers, order, rule, together)).toEqual(wanted(numbers));
  });
}

test("B1, B2: whatever the order of arrivals, every number runs once, in rising order, and no channel is left waiting", () => {
  fc.assert(inOrder(smallestHead, false), { numRuns: 300 });
});

test.each([
  ["what came first runs first", firstCome, false],
  ["a barrier waits until all heads have its number", firstCome, true],
] as const)("the property has teeth: it fails when %s", (_what, rule, together) => {
  expect(fc.check(inOrder(rule, together), { numRuns: 300 }).failed).toBe(true);
});
