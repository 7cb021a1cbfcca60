import type { Effects } from "../../src/effect";
import { Topics } from "../../src/egress/topics";

const FACTS = { partitions: 3, messageBytesMax: 1_000 };
const MINUTES_5 = 300_000;

type Phase = "unknown" | "asked" | "known" | "stale" | "absent";

const topicsIn: Record<Phase, () => Topics> = {
  unknown: () => new Topics(),
  asked: () => {
    const topics = new Topics();
    topics.look("c", "t", 0, []);
    return topics;
  },
  known: () => {
    const topics = topicsIn.asked();
    topics.described("c", "t", FACTS, MINUTES_5);
    return topics;
  },
  stale: () => {
    const topics = topicsIn.asked();
    topics.described("c", "t", FACTS, 0);
    return topics;
  },
  absent: () => {
    const topics = topicsIn.asked();
    topics.absent("c", "t", "not there");
    return topics;
  },
};

type Event = "look" | "described" | "absent";
/** What a look says afterwards, and how many descriptions this event and that look ask for. */
type Expected = readonly [typeof FACTS | string | undefined, number];

const table: Record<Phase, Record<Event, Expected>> = {
  unknown: { look: [undefined, 1], described: [FACTS, 0], absent: ["gone", 0] },
  asked: { look: [undefined, 0], described: [FACTS, 0], absent: ["gone", 0] },
  known: { look: [FACTS, 0], described: [FACTS, 0], absent: ["gone", 0] },
  // Old facts are good while new ones are asked for, once.
  stale: { look: [FACTS, 1], described: [FACTS, 0], absent: ["gone", 0] },
  // The first look is told why; the next one asks again.
  absent: { look: [undefined, 1], described: [FACTS, 0], absent: ["gone", 0] },
};

describe.each(Object.keys(table) as Phase[])("a topic that is %s", (phase) => {
  test.each(Object.entries(table[phase]) as [Event, Expected][])("on %s", (event, expected) => {
    const topics = topicsIn[phase]();
    const effects: Effects = [];
    const now = MINUTES_5 + 1;
    if (event === "look") topics.look("c", "t", now, effects);
    else if (event === "described") topics.described("c", "t", FACTS, now);
    else topics.absent("c", "t", "gone");
    expect([topics.look("c", "t", now, effects), effects.length]).toEqual(expected);
    for (const effect of effects) expect(effect).toEqual({ kind: "describe_topic", cluster: "c", topic: "t" });
  });
});

describe("Topics", () => {
  it("tells why a topic cannot be written to", () => {
    expect(topicsIn.absent().look("c", "t", 0, [])).toBe("not there");
  });

  it("keeps topics of one name on two clusters apart", () => {
    const topics = topicsIn.known();
    expect(topics.look("other", "t", 0, [])).toBeUndefined();
  });
});
