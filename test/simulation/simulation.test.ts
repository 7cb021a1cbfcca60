/** `npm run sim` tries many more seeds; here are enough to see that the engine holds, that runs repeat, and that the checkers bite. */
import { crashEach } from "./dual-crash";
import { type RunResult, run } from "./simulation";
import { TEETH, type Tooth } from "./tooth";

const SEEDS = Array.from({ length: 20 }, (_, index) => 1_001 + index);
const STEPS = 3_000;

test.each(SEEDS)("seed %d keeps every promise", (seed) => {
  const { violation, lastLines } = run({ seed, steps: STEPS });
  // Compared as one, so that a failure shows what happened before it.
  expect({ violation: violation?.message, lastLines: violation ? lastLines : [] }).toEqual({
    violation: undefined,
    lastLines: [],
  });
});

test("the seeds have seen what they are for: several processes, thousands of messages, minutes of virtual time", () => {
  const results = SEEDS.slice(0, 6).map((seed) => run({ seed, steps: STEPS }));
  const sum = (of: (result: RunResult) => number) => results.reduce((total, result) => total + of(result), 0);
  expect(sum(({ lines }) => lines)).toBeGreaterThan(3_000);
  expect(sum(({ processes }) => processes)).toBeGreaterThan(12);
  expect(sum(({ virtualMs }) => virtualMs)).toBeGreaterThan(60_000);
});

test("every second world has actors in dual mode: with lessees, barriers, and parts that are found after a crash", () => {
  const results = SEEDS.filter((seed) => seed % 2 === 0).map((seed) => run({ seed, steps: STEPS }));
  const sum = (of: (dual: RunResult["dual"]) => number) => results.reduce((total, { dual }) => total + of(dual), 0);
  expect(sum(({ lessees }) => lessees)).toBeGreaterThan(50);
  expect(sum(({ barriers }) => barriers)).toBeGreaterThan(300);
  expect(sum(({ criticals }) => criticals)).toBeGreaterThan(sum(({ barriers }) => barriers));
  expect(sum(({ recovered }) => recovered)).toBeGreaterThan(0);
});

test("a crash after each step of a small case changes nothing of what comes true", () => {
  let cases = 0;
  for (let seed = 2; cases < 2 && seed <= 120; seed += 2) {
    const { dual, routerSteps } = run({ seed, steps: 200, small: { records: 6, killAt: undefined } });
    if (dual.lessees === 0 || dual.barriers === 0 || routerSteps > 300) continue;
    const { failed, runs } = crashEach({ seed, records: 6 });
    expect({ seed, failed }).toEqual({ seed, failed: undefined });
    expect(runs).toBeGreaterThan(20);
    cases++;
  }
  expect(cases).toBe(2);
});

test("two runs of a seed are the same, to the last line of the trace; another seed is another world", () => {
  const [one, again, other] = [7, 7, 8].map((seed) => {
    const lines: string[] = [];
    const { hash } = run({ seed, steps: STEPS, print: (line) => lines.push(line) });
    return { hash, lines };
  });
  expect(again).toEqual(one);
  expect(other?.hash).not.toBe(one?.hash);
});

describe("the checkers have teeth", () => {
  /** Some breaks show only when a crash, a zombie or late markers meet them. */
  const SEEDS_MAX = 60;

  function firstCaught(tooth: Tooth): RunResult | undefined {
    for (let seed = 1; seed <= SEEDS_MAX; seed++) {
      const result = run({ seed, steps: STEPS, tooth });
      if (result.violation) return result;
    }
    return undefined;
  }

  test.each(TEETH.map((tooth) => [tooth.name, tooth.what, tooth] as const))("%s: %s", (_name, _what, tooth) => {
    const caught = firstCaught(tooth);
    expect(tooth.caughtBy).toContain(caught?.violation?.checker);
  });
});

test("time is only a hint: among the seeds are policies that do what they like, and deadlines that are met and missed", () => {
  const results = SEEDS.map((seed) => run({ seed, steps: STEPS }));
  const sum = (of: (result: RunResult) => number) => results.reduce((total, result) => total + of(result), 0);
  expect(sum(({ policyFaults }) => policyFaults)).toBeGreaterThan(1_000);
  expect(sum(({ met }) => met)).toBeGreaterThan(100);
  expect(sum(({ missed }) => missed)).toBeGreaterThan(100);
});
