import { barrierLoad, experimentOf } from "../../evaluation/experiments";
import { hotActor, mixHot } from "../../evaluation/load";
import { satisfaction } from "../../evaluation/metrics";
import { type Configuration, OURS, PAPER, STATEFUN } from "../../evaluation/module";
import { simulate } from "../../evaluation/sim";

const load = mixHot({ rate: 40, seconds: 22 });
const orderOnly: Configuration = { ...OURS, name: "order only", scaling: "aligned" };
const scalingOnly: Configuration = { ...OURS, name: "scaling only", policy: "fifo" };
const oursHome: Configuration = { ...OURS, name: "Dirigo, home", placement: "home" };

test.each([PAPER, STATEFUN, OURS, oursHome, orderOnly, scalingOnly])(
  "$name: every window comes once, with its exact total",
  (configuration) => {
    const result = simulate({ load, configuration, seed: 3 });
    expect(result.faults).toEqual([]);
    expect(satisfaction(result.applications, "bulk")).toBe(100);
    const { workSeconds, usedSeconds, provisionedSeconds } = result.values;
    expect(workSeconds).toBeLessThan(usedSeconds as number);
    expect(usedSeconds).toBeLessThan(provisionedSeconds as number);
  },
);

test("a seed gives the same run again", () => {
  expect(simulate({ load, configuration: oursHome, seed: 2 })).toEqual(simulate({ load, configuration: oursHome, seed: 2 }));
});

test("all configurations do the same work", () => {
  const work = [PAPER, STATEFUN, OURS].map(
    (configuration) => simulate({ load, configuration, seed: 1 }).values.workSeconds as number,
  );
  for (const each of work) expect(Math.abs(each - (work[0] as number))).toBeLessThan(0.05 * each);
});

test("one hot actor takes more than one slot under dual mode, and no more than one without", () => {
  const hot = hotActor({ rate: 150, seconds: 15 });
  const scaled = simulate({ load: hot, configuration: { ...OURS, replicas: 4 }, seed: 1 });
  const serial = simulate({ load: hot, configuration: { ...OURS, replicas: 4, scaling: "exclusive" }, seed: 1 });
  expect(scaled.faults).toEqual([]);
  expect(scaled.values.leases).toBeGreaterThan(0);
  expect(scaled.values.latency).toBeGreaterThan(80);
  expect(serial.values.latency).toBeLessThan(20);
});

test("without barriers the totals are wrong, and that is noticed", () => {
  const configuration: Configuration = { ...OURS, placement: "home", unsynchronized: true };
  const results = [1, 2, 3].map((seed) => simulate({ load, configuration, seed }));
  expect(results.some(({ faults }) => faults.length > 0)).toBe(true);
});

test("the spreading policy opens as many lessees as it is told, and their barriers are measured", () => {
  const configuration: Configuration = { ...OURS, policy: "spread", replicas: 4, maxLessees: 3 };
  const { values, faults } = simulate({ load: barrierLoad(16 * 1_024), configuration, seed: 1 });
  expect(faults).toEqual([]);
  expect(values.lesseesMean).toBe(3);
  expect(values.consolidateP50).toBeGreaterThan(0);
});

test("experiments name a configuration for each of their arms, and repeat no point", () => {
  for (const id of ["e1", "e3", "e4", "e5"]) {
    const { tasks, configurations } = experimentOf(id, { seeds: [1, 2], rates: [30, 36] }) as NonNullable<
      ReturnType<typeof experimentOf>
    >;
    for (const { arm } of tasks) expect(Object.keys(configurations)).toContain(arm);
    expect(new Set(tasks.map(({ arm, x, seed }) => `${arm}/${x}/${seed}`)).size).toBe(tasks.length);
  }
});
