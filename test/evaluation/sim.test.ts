import { mixHot } from "../../evaluation/load";
import { satisfaction } from "../../evaluation/metrics";
import { PAPER, STATEFUN } from "../../evaluation/module";
import { simulate } from "../../evaluation/sim";

const load = mixHot({ rate: 24, seconds: 25 });

test.each([PAPER, STATEFUN])("$name: every window comes once, with its exact total", (configuration) => {
  const result = simulate({ load, configuration, seed: 3 });
  expect(result.faults).toEqual([]);
  expect(satisfaction(result.applications, "bulk")).toBe(100);
  const { workSeconds, usedSeconds, provisionedSeconds } = result.values;
  expect(workSeconds).toBeLessThan(usedSeconds as number);
  expect(usedSeconds).toBeLessThan(provisionedSeconds as number);
});

test("a seed gives the same run again", () => {
  expect(simulate({ load, configuration: PAPER, seed: 2 })).toEqual(simulate({ load, configuration: PAPER, seed: 2 }));
});

test("all configurations do the same work", () => {
  const work = [PAPER, STATEFUN].map((configuration) => simulate({ load, configuration, seed: 1 }).values.workSeconds);
  expect(Math.abs((work[0] as number) - (work[1] as number))).toBeLessThan(0.05 * (work[0] as number));
});
