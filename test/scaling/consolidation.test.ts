import * as fc from "fast-check";
import { ProtocolError } from "../../src/model/errors";
import type { Mailbox } from "../../src/router/mailbox";
import { Consolidation, type MergeHost } from "../../src/scaling/consolidation";
import { aDualType, aLane } from "../support/dual";

interface Merges {
  /** Lanes whose parts the function merges its share of. */
  readonly asked?: readonly number[];
  /** How many times the router cannot merge the part of this lane. */
  readonly failing?: ReadonlyMap<number, number>;
  /** How often the function makes it impossible to merge the rest of this part. */
  readonly spoilt?: ReadonlyMap<number, number>;
}

/**
 * Lanes that remember a list of numbers, their own at first; the router merges them one behind the other. Of a part that the function is asked
 * for, it merges the first number, and the router the rest.
 */
class World implements MergeHost {
  told: string[] = [];
  readonly lanes: Mailbox[];
  readonly #asked: ReadonlySet<number>;
  readonly #failing: Map<number, number>;
  readonly #spoilt: Map<number, number>;

  constructor(
    readonly contents: (readonly number[])[],
    { asked = [], failing = new Map(), spoilt = new Map() }: Merges = {},
  ) {
    const type = aDualType();
    type.type.states.declare({ name: "numbers", typename: "ex/numbers", expireMode: "none", expireAfterMs: 0 });
    this.lanes = contents.map((_, lane) => aLane(type, lane));
    for (const [lane, numbers] of contents.entries()) this.#set(this.lanes[lane] as Mailbox, numbers);
    this.#asked = new Set(asked);
    this.#failing = new Map(failing);
    this.#spoilt = new Map(spoilt);
  }

  consolidation(): Consolidation {
    return new Consolidation(this.lanes, this, 0);
  }

  get(lane: number): number[] {
    return [...(this.lanes[lane]?.memory.values[0] ?? [])];
  }

  #set({ memory }: Mailbox, numbers: readonly number[]): void {
    memory.values[0] = numbers.length > 0 ? Uint8Array.from(numbers) : undefined;
  }

  #move(into: Mailbox, from: Mailbox, count: number): void {
    const part = this.get(from.memory.lane);
    this.#set(into, [...this.get(into.memory.lane), ...part.slice(0, count)]);
    this.#set(from, part.slice(count));
  }

  /** Its share is the first number of the part, as long as that is there. */
  asksFunction({ memory }: Mailbox): boolean {
    const first = this.contents[memory.lane]?.[0];
    return this.#asked.has(memory.lane) && first !== undefined && this.get(memory.lane)[0] === first;
  }

  check(_into: Mailbox, { memory: { lane } }: Mailbox): void {
    const left = this.#failing.get(lane) ?? 0;
    if (left === 0) return;
    this.#failing.set(lane, left - 1);
    throw new ProtocolError(`lane ${lane} cannot be merged`);
  }

  fold(into: Mailbox, from: Mailbox): void {
    this.check(into, from);
    this.told.push(`${into.memory.lane} < ${from.memory.lane}`);
    this.#move(into, from, Number.POSITIVE_INFINITY);
  }

  ask(into: Mailbox, from: Mailbox): void {
    this.told.push(`${into.memory.lane} ? ${from.memory.lane}`);
  }

  taken(into: Mailbox, from: Mailbox): void {
    const { lane } = from.memory;
    this.told.push(`${into.memory.lane} ! ${lane}`);
    this.#move(into, from, 1);
    const spoilt = this.#spoilt.get(lane);
    if (spoilt) this.#failing.set(lane, spoilt);
  }

  failed(reason: string, attempt: number): void {
    this.told.push(`${reason}: ${attempt}`);
  }
}

/** So many lanes, each with its number. */
function each(lanes: number): number[][] {
  return Array.from({ length: lanes }, (_, lane) => [lane + 1]);
}

describe("Consolidation", () => {
  test.each<[number, string[]]>([
    [0, []],
    [1, ["0 < 1"]],
    [2, ["0 < 1", "0 < 2"]],
    [3, ["0 < 1", "2 < 3", "0 < 2"]],
    [4, ["0 < 1", "2 < 3", "0 < 2", "0 < 4"]],
    [7, ["0 < 1", "2 < 3", "4 < 5", "6 < 7", "0 < 2", "4 < 6", "0 < 4"]],
  ])("merges %i parts as a tree, neighbours first: %j", (lessees, merges) => {
    const world = new World(each(lessees + 1));
    const consolidation = world.consolidation();
    expect([world.told, consolidation.finished]).toEqual([merges, true]);
  });

  it("asks for all merges of a round together, and begins the next when the last is done", () => {
    const world = new World(each(4), { asked: [1, 2, 3] });
    const consolidation = world.consolidation();
    expect(world.told).toEqual(["0 ? 1", "2 ? 3"]);
    consolidation.merged(world.lanes[2] as Mailbox, 0);
    expect([world.told.slice(2), consolidation.finished]).toEqual([["2 ! 3"], false]);
    consolidation.merged(world.lanes[0] as Mailbox, 0);
    expect([world.told.slice(3), consolidation.finished]).toEqual([["0 ! 1", "0 ? 2"], false]);
    consolidation.merged(world.lanes[0] as Mailbox, 0);
    expect([world.told.at(-2), world.told.at(-1), consolidation.finished]).toEqual(["0 ! 2", "0 < 2", true]);
    expect(world.get(0)).toEqual([1, 2, 3, 4]);
  });

  it("C1: what the function has merged is gone from the part before anything else is tried", () => {
    const world = new World([[1], [2, 3]], { asked: [1], spoilt: new Map([[1, 1]]) });
    world.consolidation().merged(world.lanes[0] as Mailbox, 0);
    expect([world.get(0), world.get(1)]).toEqual([[1, 2], [3]]);
  });

  it("C2: a merge that fails is tried again from where it stood, the others of its round not", () => {
    const world = new World(each(4), { failing: new Map([[3, 2]]) });
    const consolidation = world.consolidation();
    expect([world.told, consolidation.failure]).toEqual([["0 < 1", "lane 3 cannot be merged: 1"], "lane 3 cannot be merged"]);
    expect(world.get(3)).toEqual([4]);
    consolidation.again(0);
    expect(world.told.slice(2)).toEqual(["lane 3 cannot be merged: 2"]);
    consolidation.again(0);
    expect([world.told.slice(3), consolidation.finished, consolidation.failure]).toEqual([["2 < 3", "0 < 2"], true, ""]);
    expect(world.get(0)).toEqual([1, 2, 3, 4]);
  });

  it("C2: the function is not asked while the router could not merge the rest", () => {
    const world = new World(each(2), { asked: [1], failing: new Map([[1, 1]]) });
    const consolidation = world.consolidation();
    expect(world.told).toEqual(["lane 1 cannot be merged: 1"]);
    consolidation.again(0);
    expect(world.told.slice(1)).toEqual(["0 ? 1"]);
  });

  it("C2: a function that spoils the merge of the rest fails it, is not asked twice, and nothing is lost", () => {
    const world = new World([[1], [2, 3]], { asked: [1], spoilt: new Map([[1, 2]]) });
    const consolidation = world.consolidation();
    consolidation.merged(world.lanes[0] as Mailbox, 0);
    consolidation.again(0);
    expect([world.told.slice(2), consolidation.finished]).toEqual([
      ["lane 1 cannot be merged: 1", "lane 1 cannot be merged: 2"],
      false,
    ]);
    consolidation.again(0);
    expect([world.told.slice(4), consolidation.finished, world.get(0)]).toEqual([["0 < 1"], true, [1, 2, 3]]);
  });

  it("another try changes nothing while the function is asked, nor does a lane that nobody has asked", () => {
    const world = new World(each(3), { asked: [1] });
    const consolidation = world.consolidation();
    consolidation.again(0);
    consolidation.merged(world.lanes[2] as Mailbox, 0);
    expect(world.told).toEqual(["0 ? 1"]);
  });

  it("a part that is empty is not merged, nor is the function asked for it", () => {
    const world = new World([[1], [], [], [4]], { asked: [1, 2] });
    expect(world.consolidation().finished).toBe(true);
    expect([world.told, world.get(0)]).toEqual([
      ["2 < 3", "0 < 2"],
      [1, 4],
    ]);
  });

  it("only bytes that cannot be merged are tried again: a bug goes up", () => {
    const world = new World(each(2));
    world.fold = () => {
      throw new RangeError("bug");
    };
    expect(() => world.consolidation()).toThrow("bug");
  });
});

const lanesOf = fc.array(fc.array(fc.nat({ max: 255 }), { maxLength: 3 }), { minLength: 1, maxLength: 13 });
const some = fc.uniqueArray(fc.integer({ min: 1, max: 12 }));
const times = fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 2 })));

test("C1, C2: parts of any number, asked or not, failing or not, answered in any order, become one in the order of the lanes", () => {
  fc.assert(
    fc.property(lanesOf, some, times, times, fc.array(fc.nat()), (contents, asked, failing, spoilt, order) => {
      // Numbers of their own, so that the function's share of a part is known by its first.
      let next = 0;
      const numbered = contents.map((numbers) => numbers.map(() => next++));
      const world = new World(numbered, { asked, failing: new Map(failing), spoilt: new Map(spoilt) });
      const consolidation = world.consolidation();
      for (let turn = 0; !consolidation.finished && turn < 200; turn++) {
        const open = world.told.filter((told) => told.includes("?"));
        const answered = new Set(world.told.filter((told) => told.includes("!")));
        const waiting = open.filter((told) => !answered.has(told.replace("?", "!")));
        const which = waiting[(order[turn % Math.max(1, order.length)] ?? 0) % Math.max(1, waiting.length)];
        if (which === undefined) consolidation.again(0);
        else consolidation.merged(world.lanes[Number.parseInt(which, 10)] as Mailbox, 0);
        // Nothing is there twice, and nothing is missing, at any moment.
        const all = world.lanes.flatMap((_, lane) => world.get(lane)).sort((one, other) => one - other);
        expect(all).toEqual(numbered.flat());
      }
      expect(consolidation.finished).toBe(true);
      expect(world.get(0)).toEqual(numbered.flat());
    }),
    { numRuns: 300 },
  );
});
