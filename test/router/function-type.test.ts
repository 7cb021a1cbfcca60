import { FunctionMeasures } from "../../src/observe/measure";
import { FunctionType } from "../../src/router/function-type";
import { TypeStates } from "../../src/state/store";

function aType(name = "fn", costMs = 0): FunctionType {
  const typename = `ex/${name}`;
  const type = new FunctionType("ex", name, typename, 0, new TypeStates(typename), new FunctionMeasures(typename));
  type.costMs = costMs;
  return type;
}

/** Types with these costs, and who sends to whom. */
function graph(costs: Readonly<Record<string, number>>, ...edges: string[]): Readonly<Record<string, FunctionType>> {
  const types = Object.fromEntries(Object.entries(costs).map(([name, costMs]) => [name, aType(name, costMs)]));
  for (const edge of edges) {
    const [from, to] = edge.split(">").map((name) => types[name]);
    if (from && to) from.downstream.add(to);
  }
  return types;
}

function pathOf(type: FunctionType | undefined): number | undefined {
  type?.computePath(0);
  return type?.pathMs;
}

describe("FunctionType", () => {
  it("estimates its cost as a weighted mean that starts at the first observation", () => {
    const type = aType();
    expect(type.costMs).toBe(0);
    type.observeCost(10, 1);
    expect(type.costMs).toBe(10);
    type.observeCost(40, 2);
    expect(type.costMs).toBeCloseTo(11);
    for (let i = 0; i < 200; i++) type.observeCost(3, 1);
    expect(type.costMs).toBeCloseTo(3);
  });
});

describe("how many messages a request may have", () => {
  function after(
    requests: number,
    timeOf: (messages: number) => number,
    messages: (type: FunctionType, at: number) => number,
  ): FunctionType {
    const type = aType();
    for (let i = 0; i < requests; i++) {
      const count = messages(type, i);
      type.observeCost(timeOf(count), count);
    }
    return type;
  }

  it("is one where a message takes as long as there is, and two are tried now and then", () => {
    const type = aType();
    type.observeCost(12.5, 1);
    let two = 0;
    for (let i = 0; i < 300; i++) {
      const count = type.countWithin(10);
      expect(count).toBeLessThanOrEqual(2);
      if (count === 2) two++;
      type.observeCost(0.5 + 12 * count, count);
    }
    expect(two).toBeGreaterThan(0);
    expect(two).toBeLessThan(30);
  });

  function usual(wayMs: number): { mean: number; most: number } {
    const type = after(
      400,
      (n) => wayMs + n,
      (each) => each.countWithin(10),
    );
    const counts = Array.from({ length: 100 }, () => {
      const count = type.countWithin(10);
      type.observeCost(wayMs + count, count);
      return count;
    });
    return { mean: counts.reduce((sum, count) => sum + count, 0) / counts.length, most: Math.max(...counts) };
  }

  // Of requests that are all alike nothing is learnt: there is one of another size now and then.
  it("counts what the messages add, not the way to the function", () => {
    expect(usual(5).mean).toBeGreaterThanOrEqual(9);
    expect(usual(5).most).toBeLessThanOrEqual(12);
  });

  it("lets messages take as long as the way, where that is far", () => {
    expect(usual(50).mean).toBeGreaterThanOrEqual(45);
    expect(usual(50).most).toBeLessThanOrEqual(55);
  });

  it("grows step by step while more of them cost nothing", () => {
    const type = after(
      1,
      () => 5,
      () => 1,
    );
    expect(type.countWithin(10)).toBe(3);
    const free = after(
      100,
      () => 5,
      (each) => each.countWithin(10),
    );
    expect(free.countWithin(10)).toBeGreaterThan(100);
  });

  it("is what the mean cost allows, and one to try, while requests are all alike", () => {
    expect(
      after(
        50,
        () => 4,
        () => 4,
      ).countWithin(10),
    ).toBe(11);
  });
});

describe("the cost of the hops behind a type", () => {
  it("is nothing at the end", () => {
    expect(pathOf(aType("fn", 10))).toBe(0);
  });

  it("adds up along a chain, without its own", () => {
    const { a, b, c } = graph({ a: 1, b: 10, c: 100 }, "a>b", "b>c");
    expect([a, b, c].map(pathOf)).toEqual([110, 100, 0]);
  });

  it("is that of the longest way through a diamond", () => {
    const { a } = graph({ a: 1, b: 10, c: 30, d: 100 }, "a>b", "a>c", "b>d", "c>d");
    expect(pathOf(a)).toBe(130);
  });

  it("counts a cycle once, and one that sends to itself not at all", () => {
    const { a, b } = graph({ a: 1, b: 10, c: 100 }, "a>b", "b>a", "b>b", "b>c", "c>a");
    expect([a, b].map(pathOf)).toEqual([110, 101]);
  });

  it("looks twelve hops ahead", () => {
    const names = Array.from({ length: 20 }, (_, i) => `n${i}`);
    const edges = names.slice(1).map((name, i) => `${names[i]}>${name}`);
    const types = graph(Object.fromEntries(names.map((name) => [name, 1])), ...edges);
    expect(pathOf(types.n0)).toBe(12);
  });

  it("is found in bounded steps where everybody sends to everybody", () => {
    const names = Array.from({ length: 30 }, (_, i) => `n${i}`);
    const edges = names.flatMap((from) => names.filter((to) => to !== from).map((to) => `${from}>${to}`));
    const types = graph(Object.fromEntries(names.map((name) => [name, 1])), ...edges);
    expect(pathOf(types.n0)).toBe(12); // There are 10^17 ways of this length.
  });
});
