import { type ApplicationLoad, mixHot } from "../../evaluation/load";
import { dueMs, Measurement, overlapMs, recordSatisfaction, satisfaction } from "../../evaluation/metrics";
import { workloadOf } from "../../evaluation/workload";

const load = mixHot({ rate: 24, seconds: 30 });
const workload = workloadOf(load, 1);

/** All windows of all applications, each delivered so long after its end. */
function measured(latencyMs: (application: number, window: number) => number | undefined): Measurement {
  const measurement = new Measurement(workload);
  for (const [application, totals] of workload.totals.entries()) {
    const { windowMs } = load.applications[application] as ApplicationLoad;
    for (const [window, total] of totals.entries()) {
      const latency = latencyMs(application, window);
      if (latency !== undefined) measurement.output({ application, window, ...total }, (window + 1) * windowMs + latency);
    }
  }
  return measurement;
}

test("what is due in the interval counts, and only that", () => {
  const results = measured(() => 1).results();
  // Ends at 1 s, 2 s …, due 0.4 s later: from 10.4 s, the first after 10 s, to 28.4 s, the last before 29 s.
  expect(results[0]).toMatchObject({ name: "ls0", due: 19, satisfied: 19 });
  // Ends at 10, 20 and 30 s, due 10 s later: only the first.
  expect(results[3]).toMatchObject({ name: "ba0", due: 1, satisfied: 1 });
});

test("the target itself is in time, later is not, and never is missed", () => {
  const results = measured((application, window) => {
    if (application !== 0) return 1;
    if (window === 12) return 400;
    if (window === 13) return 400.01;
    return window === 14 ? undefined : 1;
  }).results();
  expect(results[0]).toMatchObject({ due: 19, satisfied: 17 });
  // The first window due is number 9.
  expect(results[0]?.latenciesMs.slice(3, 6)).toEqual([400, expect.closeTo(400.01), null]);
  expect(satisfaction(results, "latency")).toBeCloseTo((100 * (57 - 2)) / 57);
  expect(satisfaction(results, "bulk")).toBe(100);
});

test("a wrong total, a window twice and one that never comes are told", () => {
  const measurement = measured((application, window) => (application === 1 && window === 5 ? undefined : 1));
  measurement.output({ application: 0, window: 3, count: 1, sum: 1 }, 4_001);
  const faults = measurement.faults();
  expect(faults).toEqual(["window 3 of ls0 came twice", "window 5 of ls1 never came"]);
  const wrong = new Measurement(workload);
  wrong.output({ application: 0, window: 0, count: 1, sum: 1 }, 1_001);
  expect(wrong.faults()[0]).toMatch(/^window 0 of ls0 is 1 records of 1, expected 48 records of \d+$/);
});

test("records count by their window's deadline", () => {
  const measurement = new Measurement(workload);
  const due = dueMs(load.applications[0] as ApplicationLoad, 12);
  measurement.handled([{ application: 0, window: 12 }], due);
  measurement.handled([{ application: 0, window: 12 }], due + 0.001);
  measurement.handled([{ application: 0, window: 2 }], 10);
  const [first] = measurement.results();
  expect(first?.recordsInTime).toBe(1);
  expect(first?.records).toBe(workload.totals[0]?.slice(9, 28).reduce((sum, { count }) => sum + count, 0));
  expect(recordSatisfaction(measurement.results(), "latency")).toBeLessThan(1);
});

test("time is counted as far as it lies in the interval", () => {
  const interval = { fromMs: 10, toMs: 20 };
  expect(overlapMs(interval, 0, 5)).toBe(0);
  expect(overlapMs(interval, 5, 12)).toBe(2);
  expect(overlapMs(interval, 12, 15)).toBe(3);
  expect(overlapMs(interval, 0, 100)).toBe(10);
});
