import type { FunctionSpecification } from "../../src/config/specification";
import { aDualType, aLane } from "../support/dual";

const state = (name: string) => ({ name, typename: "ex/any", expireMode: "none", expireAfterMs: 0 }) as const;
const seen = { kind: "ingress", ingress: "ex/seen", partitions: "seen" } as const;
const all = { kind: "ingress", ingress: "ex/in", partitions: "all" } as const;

function withStates(states: FunctionSpecification["states"]) {
  const type = aDualType({ states });
  for (const name of Object.keys(states)) type.type.states.declare(state(name));
  const mergesMs = (bytes: Readonly<Record<string, number>>, lessees: number) => {
    const { memory } = aLane(type, 0);
    for (const { index, name } of type.type.states.slots) memory.values[index] = new Uint8Array(bytes[name] ?? 0);
    return type.mergesMs(memory, lessees);
  };
  return { type, mergesMs };
}

describe("what the configuration makes of a type", () => {
  it("an ingress whose windows end its barriers is not awaited besides", () => {
    const type = aDualType({ upstreams: [all, seen] }, ["ex/in"]);
    expect([type.upstreams, type.learns]).toEqual([[seen], true]);
  });

  test.each<[string, boolean, boolean, Partial<FunctionSpecification>, string[]]>([
    ["without barriers", false, false, {}, []],
    ["with a series", true, true, { series: "s" }, []],
    ["with windows", true, true, {}, ["ex/in"]],
    ["that learns its channels", false, true, { upstreams: [seen] }, []],
    ["that knows its channels", false, false, { upstreams: [all] }, []],
  ])(
    "a type %s: barriers have numbers: %s, its actors are recorded: %s",
    (_what, numbered, remembers, specification, ingresses) => {
      const type = aDualType(specification, ingresses);
      expect([type.numbered, type.remembers]).toEqual([numbered, remembers]);
    },
  );

  it("learns the channels of those upstreams alone whose channels are not known", () => {
    const type = aDualType({ upstreams: [all, seen] });
    const channels = ["ex/seen\0in\x000", "ex/seen2\0in\x000", "ex/in\0in\x000", "ex/seen/a", ""];
    expect(channels.map((channel) => type.learnable(channel))).toEqual([true, false, false, false, false]);
  });

  it("knows by what a message is pinned, and whether writes are stamped", () => {
    const one = aDualType({ states: { a: { kind: "sum" }, b: { kind: "partition", keyPath: ["user", "id"] } } });
    const other = aDualType({ states: { a: { kind: "latest" } } });
    expect([one.keyPath, one.type.states.stamped, other.keyPath, other.type.states.stamped]).toEqual([
      ["user", "id"],
      false,
      undefined,
      true,
    ]);
  });

  it("names the first state it has declared that cannot be split, and those that the function merges", () => {
    const type = aDualType({ states: { total: { kind: "sum" }, sketch: { kind: "function" }, lock: { kind: "exclusive" } } });
    expect(type.unsplittable).toBeUndefined();
    for (const name of ["total", "sketch"]) type.type.states.declare(state(name));
    expect([type.unsplittable, type.slotsMergedByFunction.map(({ name }) => name)]).toEqual([undefined, ["sketch"]]);
    type.type.states.declare(state("unnamed"));
    expect(type.unsplittable?.name).toBe("unnamed");
  });
});

describe("what has been seen of a type", () => {
  it("its windows have come as far as the last of its ingresses, and never go back", () => {
    const type = aDualType({}, ["ex/in", "ex/other"]);
    const passed = [
      ["ex/in", 5],
      ["ex/other", 3],
      ["ex/other", 4],
      ["ex/in", 9],
      ["ex/other", 2],
      ["ex/other", 9],
    ] as const;
    expect(passed.map(([ingress, barrier]) => [type.passed(ingress, barrier), type.least])).toEqual([
      [false, -1],
      [true, 3],
      [true, 4],
      [false, 4],
      [false, 4],
      [true, 9],
    ]);
  });

  it("a function's merge costs what its merges have cost, more for a larger part, and what the pilot saw before the first", () => {
    const { type, mergesMs } = withStates({ sketch: { kind: "function" } });
    expect(mergesMs({ sketch: 1024 * 1024 }, 1)).toBeCloseTo(5);
    type.observeMerge(10, 2_048);
    expect([100, 2_048, 4_096].map((bytes) => mergesMs({ sketch: bytes }, 1))).toEqual([10, 10, 20]);
    expect(mergesMs({ sketch: 100 }, 4)).toBeCloseTo(30); // Three rounds.
    type.observeMerge(20, 2_048);
    expect(mergesMs({ sketch: 100 }, 1)).toBeCloseTo(12);
  });

  it("what the router merges itself costs by its bytes and its kind, though no turn ever takes time", () => {
    const { type, mergesMs } = withStates({ users: { kind: "set-union" }, total: { kind: "sum" }, last: { kind: "latest" } });
    // A number is merged for next to nothing, whatever else is in the actor: no constant per merge closes the gate.
    expect(mergesMs({ total: 12 }, 7)).toBeLessThan(0.01);
    expect(mergesMs({ last: 1024 * 1024 }, 1)).toBeLessThan(1);
    // A lessor and four lessees with a mebibyte each: three rounds over all five.
    const one = mergesMs({ users: 1024 * 1024 }, 4);
    expect([one > 60, one < 200]).toEqual([true, true]);
    expect(mergesMs({ users: 2 * 1024 * 1024 }, 4)).toBeCloseTo(2 * one);
    for (let i = 0; i < 50; i++) type.observeMerge(0, 1_024); // As it is measured: parts are small, the base is not.
    expect(mergesMs({ users: 1024 * 1024 }, 4) / one).toBeCloseTo(1 / 5, 1);
  });

  it("of an actor that remembers nothing yet the parts are taken for the worst that its states may hold", () => {
    const { type, mergesMs } = withStates({ users: { kind: "set-union" } });
    expect(mergesMs({}, 1)).toBe(0);
    type.observeMerge(0, 1024 * 1024);
    expect(mergesMs({}, 1)).toBeGreaterThan(4);
  });

  it("the time between sections is a mean that follows slowly", () => {
    const type = aDualType();
    type.observePeriod(100);
    type.observePeriod(200);
    expect(type.periodMs).toBeCloseTo(120);
  });
});
