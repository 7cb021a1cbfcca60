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

function aReject(params: Readonly<Record<string, unknown>> = {}, scaling = true): Reject {
  const reject = new Reject(scaling);
  reject.init({ router: "r1", application: "fraud", sloMs: 100, params, random: new Random(1) });
  return reject;
}

const LATE = lane(0, false, 50);

/** Where the message goes. */
function chosen(decision: AdmitDecision): LaneView | "lessor" {
  return decision.do === "forward" ? decision.to : "lessor";
}

describe("Reject", () => {
  it("leaves a message with the lessor while it would start in time there, and looks at nothing else", () => {
    const actor = new Actor(lane(0, true, 50), [lane(1, true, 0)], [lane(-1, true, 0)]);
    expect(chosen(aReject().admit(actor))).toBe("lessor");
    expect([actor.looked, actor.drawn]).toEqual([0, []]);
  });

  it("takes an open lessee with room before it draws a new one, the one that waits least", () => {
    const room = lane(2, true, 20);
    const actor = new Actor(LATE, [lane(1, false, 10), room, lane(3, true, 30)], [lane(-1, true, 0)]);
    expect(chosen(aReject().admit(actor))).toBe(room);
    expect(actor.drawn).toEqual([]);
  });

  it("a new lessee with room is taken, however long it waits", () => {
    const room = lane(-1, true, 49);
    expect(chosen(aReject().admit(new Actor(LATE, [lane(1, false, 1)], [lane(-1, false, 0), room])))).toBe(room);
  });

  test.each<[string, LaneView[], LaneView[], LaneView | "lessor"]>([
    ["nobody else is there", [], [], "lessor"],
    ["the other waits clearly less", [lane(1, false, 44)], [], lane(1, false, 44)],
    ["the other waits less, but not clearly", [lane(1, false, 45)], [], "lessor"],
    ["a new one waits less than an open one", [lane(1, false, 30)], [lane(-1, false, 20)], lane(-1, false, 20)],
    ["a new one waits as long as an open one", [lane(1, false, 20)], [lane(-1, false, 20)], lane(1, false, 20)],
    ["of two new ones the one that waits less", [], [lane(-1, false, 30), lane(-1, false, 10)], lane(-1, false, 10)],
  ])("where it would be late everywhere: %s", (_what, open, places, expected) => {
    expect(chosen(aReject().admit(new Actor(LATE, open, places)))).toEqual(expected);
  });

  it("draws as many as the param `range` says, by default two", () => {
    const actor = new Actor(LATE);
    aReject().admit(actor);
    aReject({ range: 5 }).admit(actor);
    aReject({ range: "all" }).admit(actor);
    expect(actor.drawn).toEqual([2, 5, 2]);
  });

  it("the param `hysteresisMs` says what is clearly less", () => {
    const actor = new Actor(LATE, [lane(1, false, 44)]);
    expect(chosen(aReject({ hysteresisMs: 6 }).admit(actor))).toBe("lessor");
    expect(chosen(aReject({ hysteresisMs: 0 }).admit(new Actor(LATE, [lane(1, false, 49)])))).toEqual(lane(1, false, 49));
  });

  it("the param `scaling` beats what the policy does by itself", () => {
    const actor = new Actor(LATE, [lane(1, true, 0)]);
    expect(chosen(aReject({}, false).admit(actor))).toBe("lessor");
    expect(chosen(aReject({ scaling: true }, false).admit(actor))).toEqual(lane(1, true, 0));
    expect(chosen(aReject({ scaling: false }, true).admit(actor))).toBe("lessor");
  });

  it("a message that may go nowhere else is queued", () => {
    expect(aReject().admit(undefined)).toEqual({ do: "queue" });
  });

  it("never moves a message to where it would be late and wait as long as with the lessor, and none that is in time", () => {
    const some = fc.record({ feasible: fc.boolean(), waitMs: fc.nat({ max: 60 }) });
    fc.assert(
      fc.property(some, fc.array(some, { maxLength: 4 }), fc.array(some, { maxLength: 3 }), (home, open, places) => {
        const lessees = open
          .map(({ feasible, waitMs }, at) => lane(at + 1, feasible, waitMs))
          .sort((a, b) => a.waitMs - b.waitMs);
        const openings = places.map(({ feasible, waitMs }) => lane(-1, feasible, waitMs));
        const to = chosen(aReject({ range: 3 }).admit(new Actor({ ...home, lane: 0 }, lessees, openings)));
        const others = [...lessees, ...openings];
        if (to === "lessor") {
          const better = others.some(({ feasible, waitMs }) => feasible || waitMs + 5 < home.waitMs);
          expect(home.feasible || !better).toBe(true);
          return;
        }
        expect(home.feasible).toBe(false);
        expect(to.feasible).toBe(others.some(({ feasible }) => feasible));
        if (!to.feasible) expect(to.waitMs).toBe(Math.min(...others.map(({ waitMs }) => waitMs)));
      }),
    );
  });
});
