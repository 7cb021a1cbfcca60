import type { FunctionSpecification } from "../../src/config/specification";
import { aDualType } from "../support/dual";

const state = (name: string) => ({ name, typename: "ex/any", expireMode: "none", expireAfterMs: 0 }) as const;
const seen = { kind: "ingress", ingress: "ex/seen", partitions: "seen" } as const;
const all = { kind: "ingress", ingress: "ex/in", partitions: "all" } as const;

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

  it("a merge costs what merges have cost, more for a larger part, and what the pilot saw before the first", () => {
    const type = aDualType();
    expect(type.mergeMs(1024 * 1024)).toBeCloseTo(5);
    type.observeMerge(10, 2_048);
    expect([type.mergeMs(100), type.mergeMs(2_048), type.mergeMs(4_096)]).toEqual([10, 10, 20]);
    type.observeMerge(20, 2_048);
    expect(type.mergeMs(100)).toBeCloseTo(12);
  });

  it("the time between sections is a mean that follows slowly", () => {
    const type = aDualType();
    type.observePeriod(100);
    type.observePeriod(200);
    expect(type.periodMs).toBeCloseTo(120);
  });
});
