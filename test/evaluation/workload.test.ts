import { lognormal, STEP, uniform } from "../../evaluation/draws";
import { mixHot } from "../../evaluation/load";
import { longestFirst, planOf } from "../../evaluation/plan";
import { decodeRecord, encodeRecord, workloadOf, zipf } from "../../evaluation/workload";
import { homeWorker } from "../../src/router/endpoint";

const load = mixHot({ rate: 36, seconds: 40 });
const workload = workloadOf(load, 1);

test("a seed gives the same records again, another seed others", () => {
  expect(workloadOf(load, 1)).toEqual(workload);
  expect(workloadOf(load, 2).arrivals).not.toEqual(workload.arrivals);
});

test("records of a partition stand in order, and each window is closed behind its last record", () => {
  for (const [application, { partitions, windowMs }] of load.applications.entries()) {
    for (let partition = 0; partition < partitions; partition++) {
      const own = workload.arrivals.filter((each) => each.application === application && each.partition === partition);
      expect(own.map(({ sequence }) => sequence)).toEqual(own.map((_, index) => index));
      let window = 0;
      for (const arrival of own) {
        expect(arrival.window).toBe(window);
        if (!arrival.closes) expect(Math.floor(arrival.atMs / windowMs)).toBe(window);
        else expect(arrival.atMs).toBe(++window * windowMs);
      }
      expect(window).toBe((load.seconds * 1_000) / windowMs);
    }
  }
});

test("the totals are those of the records", () => {
  for (const [application, totals] of workload.totals.entries()) {
    const own = workload.arrivals.filter((each) => each.application === application && !each.closes);
    expect(totals.reduce((sum, { count }) => sum + count, 0)).toBe(own.length);
    expect(totals.reduce((sum, total) => sum + total.sum, 0)).toBe(own.reduce((sum, { value }) => sum + value, 0));
  }
});

test("before the measurement each second brings the mean; afterwards it is bounded by six times that, and nearly the mean on average", () => {
  const perSecond = (from: number, to: number) => {
    const counts = new Array<number>(to - from).fill(0);
    for (const { application, partition, closes, atMs } of long.arrivals) {
      const second = Math.floor(atMs / 1_000);
      if (application === 0 && partition === 0 && !closes && second >= from && second < to) {
        counts[second - from] = (counts[second - from] as number) + 1;
      }
    }
    return counts;
  };
  const long = workloadOf(mixHot({ rate: 36, seconds: 2_000 }), 3);
  expect(new Set(perSecond(0, 10))).toEqual(new Set([36]));
  const drawn = perSecond(10, 2_000);
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(21);
  expect(Math.max(...drawn)).toBe(216);
  const mean = drawn.reduce((sum, each) => sum + each, 0) / drawn.length;
  expect(mean).toBeGreaterThan(33);
  expect(mean).toBeLessThan(38);
});

test("the popular aggregate changes every ten seconds", () => {
  const popular = (from: number) => {
    const own = workload.arrivals.filter(
      ({ application, closes, atMs }) => application === 0 && !closes && atMs >= from && atMs < from + 10_000,
    );
    const first = own.filter(({ aggregate }) => aggregate === 0).length / own.length;
    return first;
  };
  expect(popular(0)).toBeGreaterThan(0.65);
  expect(popular(10_000)).toBeLessThan(0.35);
  expect(popular(20_000)).toBeGreaterThan(0.65);
});

test("popularity follows Zipf", () => {
  const rankOf = zipf(4, 1.5);
  const shares = [0, 0, 0, 0];
  for (let i = 0; i < 10_000; i++) shares[rankOf((i + 0.5) / 10_000)] = (shares[rankOf((i + 0.5) / 10_000)] as number) + 1;
  const sum = 1 + 2 ** -1.5 + 3 ** -1.5 + 4 ** -1.5;
  shares.forEach((share, k) => {
    expect(share / 10_000).toBeCloseTo((k + 1) ** -1.5 / sum, 3);
  });
});

test("service times belong to the message, have the mean asked for and the spread of a lognormal", () => {
  expect(lognormal(12, 0.5, 1, STEP.aggregate, 2, 3, 4)).toBe(lognormal(12, 0.5, 1, STEP.aggregate, 2, 3, 4));
  expect(lognormal(12, 0.5, 2, STEP.aggregate, 2, 3, 4)).not.toBe(lognormal(12, 0.5, 1, STEP.aggregate, 2, 3, 4));
  const drawn = Array.from({ length: 50_000 }, (_, i) => lognormal(12, 0.5, 1, STEP.aggregate, 0, 0, i));
  const mean = drawn.reduce((sum, each) => sum + each, 0) / drawn.length;
  expect(Math.abs(mean - 12)).toBeLessThan(0.1);
  const logs = drawn.map(Math.log);
  const meanLog = logs.reduce((sum, each) => sum + each, 0) / logs.length;
  const deviation = Math.sqrt(logs.reduce((sum, each) => sum + (each - meanLog) ** 2, 0) / logs.length);
  expect(deviation).toBeCloseTo(0.5, 2);
  expect(lognormal(0, 0.5, 1, STEP.map, 0)).toBe(0);
});

test("uniform draws fill the interval evenly", () => {
  const tenths = new Array<number>(10).fill(0);
  for (let i = 0; i < 20_000; i++) {
    const at = Math.floor(10 * uniform(7, 1, i));
    tenths[at] = (tenths[at] as number) + 1;
  }
  for (const count of tenths) expect(Math.abs(count - 2_000)).toBeLessThan(200);
});

test("a record goes through bytes", () => {
  const fields = { closes: true, application: 4, partition: 1, aggregate: 3, window: 70_000, sequence: 1e6, value: 999_999 };
  expect(decodeRecord(encodeRecord(fields))).toEqual(fields);
});

describe("the plan", () => {
  test("gives every actor its own id, and the product's placement leads it home", () => {
    const plan = planOf(load, 7, 1);
    const ids = plan.flatMap(({ maps, aggregates, reduce }) => [...maps, ...aggregates, reduce]);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBe(3 * 5 + 2 * 7);
    expect(new Set(ids.map((id) => homeWorker(id, 7))).size).toBe(7);
    expect(planOf(load, 7, 1)).toEqual(plan);
    expect(planOf(load, 7, 2)).not.toEqual(plan);
  });

  test("puts the longest first, each on the worker with the least", () => {
    const tasks = [5, 4, 3, 3, 3].map((estimate, index) => ({ name: `t${index}`, estimate }));
    expect([...longestFirst(tasks, 2)]).toEqual([
      ["t0", 0],
      ["t1", 1],
      ["t2", 1],
      ["t3", 0],
      ["t4", 1],
    ]);
  });
});
