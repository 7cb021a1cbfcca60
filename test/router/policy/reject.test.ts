import * as fc from "fast-check";
import { Random } from "../../../src/model/random";
import type { ActorView, AdmitDecision, LaneView } from "../../../src/router/policy/policy";
import { Reject } from "../../../src/router/policy/reject";

function lane(number: number, feasible: boolean, waitMs: number): LaneView {
  return { lane: number, feasible, waitMs };
}

/** An actor that counts what a policy looks at. Lessees are given least waiting first, as the router does. */
class Actor implements ActorView {
  /** How many places were asked for. */
  drawn: number[] = [];
  looked = 0;

  constructor(
    private readonly lessor: LaneView,
    private readonly open: readonly LaneView[] = [],
    private readonly places: readonly LaneView[] = [],
  ) {}

  home(): LaneView {
    return this.lessor;
  }

  lessees(): readonly LaneView[] {
    this.looked++;
    return this.open;
  }

  openings(range: number): readonly LaneView[] {
    this.drawn.push(range);
    return this.places.slice(0, range);
  }
}

const SLO_MS = 100;

/** A lane is short up to 20 ms. */
function aReject(params: Readonly<Record<string, unknown>> = {}, scaling = true): Reject {
  const reject = new Reject(scaling);
  reject.init({ router: "r1", application: "fraud", sloMs: SLO_MS, params: { short: 0.2, ...params }, random: new Random(1) });
  return reject;
}

const LATE = lane(0, false, 50);
const LONG = lane(0, true, 21);
const MESSAGE = { costMs: 2 };

/** Where the message goes. */
function chosen(reject: Reject, actor: Actor, costMs = MESSAGE.costMs): LaneView | "lessor" {
  const decision: AdmitDecision = reject.admit({ costMs }, actor);
  return decision.do === "forward" ? decision.to : "lessor";
}

describe("Reject", () => {
  it("leaves a message with the lessor while that is in time and short, and looks at nothing else", () => {
    const actor = new Actor(lane(0, true, 20), [lane(1, true, 0)], [lane(-1, true, 0)]);
    expect(chosen(aReject(), actor)).toBe("lessor");
    expect([actor.looked, actor.drawn]).toEqual([0, []]);
  });

  it.each([
    ["long", LONG],
    ["late", lane(0, false, 6)],
  ])("takes an open lessee that is short before it draws a new one, where the lessor is %s", (_what, home) => {
    const short = lane(2, true, 0);
    const actor = new Actor(home, [short, lane(3, true, 1)], [lane(-1, true, 0)]);
    expect(chosen(aReject(), actor)).toBe(short);
    expect(actor.drawn).toEqual([]);
  });

  it("opens another where all lanes are long, before anything is late", () => {
    const opening = lane(-1, true, 0);
    expect(chosen(aReject(), new Actor(LONG, [lane(1, true, 30)], [opening]))).toBe(opening);
  });

  it("a lane is short while what waits there are three messages at most, however small the SLO", () => {
    const home = lane(0, true, 30);
    const opening = lane(-1, true, 0);
    expect(chosen(aReject(), new Actor(home, [], [opening]), 10)).toBe("lessor");
    expect(chosen(aReject(), new Actor(home, [], [opening]), 9.9)).toBe(opening);
  });

  it("a new lessee in time is taken, however long it waits, where all others are late", () => {
    const room = lane(-1, true, 49);
    expect(chosen(aReject(), new Actor(LATE, [lane(1, false, 1)], [lane(-1, false, 0), room]))).toBe(room);
  });

  test.each<[string, LaneView, LaneView[], LaneView[], LaneView | "lessor"]>([
    ["nobody else is there", LATE, [], [], "lessor"],
    ["the other waits clearly less", LATE, [lane(1, false, 44)], [], lane(1, false, 44)],
    ["the other waits less, but not clearly", LATE, [lane(1, false, 45)], [], "lessor"],
    ["a new one waits clearly less than an open one", LATE, [lane(1, false, 30)], [lane(-1, false, 20)], lane(-1, false, 20)],
    ["a new one must win half a message more", LATE, [lane(1, false, 26)], [lane(-1, false, 20)], lane(1, false, 26)],
    ["of two new ones the one that waits less", LATE, [], [lane(-1, false, 30), lane(-1, false, 10)], lane(-1, false, 10)],
    ["the new ones wait as long", LONG, [lane(1, true, 21)], [lane(-1, true, 20)], "lessor"],
    ["the new ones are late", LONG, [], [lane(-1, false, 0)], "lessor"],
  ])("where no lane is short: %s", (_what, home, open, places, expected) => {
    expect(chosen(aReject(), new Actor(home, open, places))).toEqual(expected);
  });

  it("draws as many as the param `range` says, by default two", () => {
    const actor = new Actor(LATE);
    chosen(aReject(), actor);
    chosen(aReject({ range: 5 }), actor);
    chosen(aReject({ range: "all" }), actor);
    expect(actor.drawn).toEqual([2, 5, 2]);
  });

  it("the param `hysteresisMs` says what is clearly less", () => {
    const actor = new Actor(LATE, [lane(1, false, 44)]);
    expect(chosen(aReject({ hysteresisMs: 6 }), actor)).toBe("lessor");
    expect(chosen(aReject({ hysteresisMs: 0 }), new Actor(LATE, [lane(1, false, 49)]))).toEqual(lane(1, false, 49));
  });

  it("the param `short` says which share of the SLO a short lane waits: with 1 only what would be late goes elsewhere", () => {
    const opening = lane(-1, true, 0);
    expect(chosen(aReject({ short: 1 }), new Actor(lane(0, true, 99), [], [opening]))).toBe("lessor");
    expect(chosen(aReject({ short: 1 }), new Actor(LATE, [], [opening]))).toBe(opening);
    expect(chosen(aReject({ short: 0 }), new Actor(lane(0, true, 7), [], [opening]))).toBe(opening);
    // By default a twentieth.
    expect(chosen(aReject({ short: undefined }), new Actor(lane(0, true, 5), [], [opening]), 0)).toBe("lessor");
    expect(chosen(aReject({ short: undefined }), new Actor(lane(0, true, 5.1), [], [opening]), 0)).toBe(opening);
  });

  it("the param `scaling` beats what the policy does by itself", () => {
    const actor = new Actor(LATE, [lane(1, true, 0)]);
    expect(chosen(aReject({}, false), actor)).toBe("lessor");
    expect(chosen(aReject({ scaling: true }, false), actor)).toEqual(lane(1, true, 0));
    expect(chosen(aReject({ scaling: false }, true), actor)).toBe("lessor");
  });

  it("a message that may go nowhere else is queued", () => {
    expect(aReject().admit(MESSAGE, undefined)).toEqual({ do: "queue" });
  });

  it("moves a message only where it is in time and would be late, or waits clearly less; and leaves none on a long lane beside a place that is free", () => {
    const some = fc.record({ feasible: fc.boolean(), waitMs: fc.nat({ max: 60 }) });
    fc.assert(
      fc.property(some, fc.array(some, { maxLength: 4 }), fc.array(some, { maxLength: 3 }), (home, open, places) => {
        const lessees = open
          .map(({ feasible, waitMs }, at) => lane(at + 1, feasible, waitMs))
          .sort((a, b) => a.waitMs - b.waitMs);
        const openings = places.map(({ feasible, waitMs }) => lane(-1, feasible, waitMs));
        const to = chosen(aReject({ range: 3 }), new Actor({ ...home, lane: 0 }, lessees, openings));
        const taken = to === "lessor" ? { ...home, lane: 0 } : to;
        if (to !== "lessor")
          expect(
            to.feasible ? !home.feasible || to.waitMs + 5 < home.waitMs : !home.feasible && to.waitMs + 5 < home.waitMs,
          ).toBe(true);
        if (taken.feasible && taken.waitMs <= 20) return;
        const free = openings.some(({ feasible, waitMs }) => feasible && waitMs === 0);
        if (free && taken.lane >= 0) expect(taken.feasible && taken.waitMs <= 6).toBe(true);
      }),
    );
  });
});
