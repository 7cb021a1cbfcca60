import { Capacity } from "../../evaluation/capacity";
import { shownDifference, shownEstimate, tableText } from "../../evaluation/markdown";
import { numbers } from "../../evaluation/number-list";
import { replaceBlock } from "../../evaluation/report";
import { Table } from "../../evaluation/results";
import { plotSvg } from "../../evaluation/svg";

test("a block is replaced, and the text around it kept", () => {
  const text = "One.\n<!-- begin e1 a -->\nold\n<!-- end e1 a -->\nTwo.\n";
  const replaced = replaceBlock(text, "e1 a", "| new |");
  expect(replaced).toBe("One.\n<!-- begin e1 a -->\n| new |\n<!-- end e1 a -->\nTwo.\n");
  expect(replaceBlock(replaced, "e1 a", "| new |")).toBe(replaced);
  expect(() => replaceBlock(text, "e1 b", "")).toThrow('no place for "e1 b"');
});

test("tables and numbers read as Markdown", () => {
  expect(tableText(["a", "b"], [["1", "2"]])).toBe("| a | b |\n| --- | --- |\n| 1 | 2 |");
  expect(shownEstimate({ mean: 94.84, halfWidth: 0.61, count: 5 })).toBe("94.8 ± 0.6");
  expect(shownEstimate({ mean: 94.84, halfWidth: Number.NaN, count: 1 })).toBe("94.8");
  expect(shownDifference({ mean: 1, halfWidth: 0.5, count: 2 })).toBe("+1.0 ± 0.5");
  expect(shownDifference({ mean: -1, halfWidth: 0.5, count: 2 })).toBe("-1.0 ± 0.5");
});

test("results are compared seed by seed, whatever their order", () => {
  const outcome = (arm: string, seed: number, latency: number) => ({
    experiment: "e",
    arm,
    x: 36,
    seed,
    values: { latency },
    faults: 0,
  });
  const outcomes = [outcome("a", 2, 90), outcome("a", 1, 80), outcome("b", 1, 70), outcome("b", 2, 80)];
  const table = new Table({ experiment: "e", seeds: [1, 2], configurations: {}, notes: {}, outcomes });
  expect(table.arms).toEqual(["a", "b"]);
  expect(table.column("a", 36, "latency")).toEqual([80, 90]);
  expect(table.difference("a", "b", 36, "latency")).toEqual({ mean: 10, halfWidth: 0, count: 2 });
});

test("a plot is well-formed, has every series and point, and says what it shows", () => {
  const points = [
    { x: 24, y: 95, error: 1 },
    { x: 36, y: 80 },
  ];
  const svg = plotSvg({
    title: "a < b",
    xName: "x",
    yName: "y",
    yRange: [0, 100],
    series: [
      { name: "one", points },
      { name: "two", points },
    ],
  });
  expect(svg.match(/<polyline/g)?.length).toBe(2);
  expect(svg.match(/<circle/g)?.length).toBe(4);
  expect(svg).toContain("a &lt; b");
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  const opened = svg.match(/<(svg|title|text|rect|line|circle|polyline)\b/g)?.length ?? 0;
  const closed = (svg.match(/\/>/g)?.length ?? 0) + (svg.match(/<\/(svg|title|text)>/g)?.length ?? 0);
  expect(closed).toBe(opened);
});

test("a logarithmic plot reaches over all its values", () => {
  const series = [{ name: "one", points: [1, 10, 100, 1_000].map((x) => ({ x, y: x * 3 })) }];
  const svg = plotSvg({ title: "t", xName: "x", yName: "y", logarithmic: true, series });
  const heights = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map((match) => Number(match[2]));
  expect(heights).toEqual([...heights].sort((one, other) => other - one));
  expect(new Set(heights).size).toBe(4);
});

test("the highest satisfied rate is found within its precision", () => {
  const capacity = new Capacity(10, 1_000, 0.01);
  for (let rate = capacity.next; rate !== undefined; rate = capacity.next) capacity.tell(rate, rate <= 321);
  expect(capacity.found).toBeLessThanOrEqual(321);
  expect(capacity.found).toBeGreaterThan(321 / 1.011);
});

test("lists of numbers", () => {
  expect(numbers("1-3,7")).toEqual([1, 2, 3, 7]);
  expect(numbers("24, 30")).toEqual([24, 30]);
  for (const wrong of ["", "a", "3-1", "1-2-3", "-4"]) expect(() => numbers(wrong)).toThrow("expected numbers");
});
