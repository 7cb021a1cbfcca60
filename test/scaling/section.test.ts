import { type Section, stepsOf, unsyncTimes } from "../../src/scaling/section";

const section: Section = {
  reason: "barrier",
  barrier: 3,
  messages: [],
  sinceMs: 100,
  drainMs: 110,
  consolidateMs: 130,
  criticalMs: 170,
  leases: 2,
  partBytes: 9,
};

test("the steps of a section follow one another without a gap", () => {
  const steps = stepsOf(section, 250);
  expect(steps).toEqual({ align: 10, drain: 20, consolidate: 40, critical: 80, release: 0 });
  expect(Object.values(steps).reduce((sum, ms) => sum + ms, 0)).toBe(150);
});

test("they are told with the release as they were measured", () => {
  const told = unsyncTimes({ align: 1, drain: 2, consolidate: 3, critical: 4, release: 5 });
  expect(told).toEqual({ alignMs: 1, drainMs: 2, consolidateMs: 3, criticalMs: 4, releaseMs: 5 });
});
