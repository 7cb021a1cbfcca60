import type { ApplicationSpecification, SloSpecification } from "../../src/config/specification";
import { MeasureBook } from "../../src/observe/measure";
import type { PolicyModules } from "../../src/router/applications";
import { edf } from "../../src/router/policy/ranks";
import { applicationSpecification, applicationsOf, engineOptions, moduleSpecification } from "../support/module";

const NOW = 50_000;

function applicationOf(overrides: Partial<ApplicationSpecification>) {
  const applications = applicationsOf(moduleSpecification({ applications: [applicationSpecification(overrides)] }));
  return applications.at(1);
}

const slo = (overrides: Partial<SloSpecification>): SloSpecification => ({
  latencyMs: 200,
  percentile: 99,
  from: "arrival",
  windowMs: 0,
  ...overrides,
});
const record = (timestampMs: number) => ({ offset: 0, key: null, value: null, headers: [], timestampMs });

describe("the deadline of a record", () => {
  test.each<[string, SloSpecification | undefined, number, number]>([
    ["from its arrival", slo({ from: "arrival" }), 12_345, NOW + 200],
    ["from its timestamp", slo({ from: "record-timestamp" }), 12_345, 12_345 + 200],
    ["from its window's end", slo({ from: "window-end", windowMs: 1_000 }), 12_345, 13_000 + 200],
    [
      "from the next window's end, at the first instant of that",
      slo({ from: "window-end", windowMs: 1_000 }),
      13_000,
      14_000 + 200,
    ],
    ["from arrival, where it has no timestamp", slo({ from: "record-timestamp" }), -1, NOW + 200],
    ["from arrival, where it has no window", slo({ from: "window-end", windowMs: 1_000 }), -1, NOW + 200],
    ["by default without an SLO", undefined, 12_345, NOW + 10_000],
  ])("%s", (_what, given, timestampMs, expected) => {
    expect(applicationOf({ slo: given }).deadlineMs(record(timestampMs), NOW)).toBe(expected);
  });
});

describe("Applications", () => {
  const module = moduleSpecification({
    applications: [
      applicationSpecification({ name: "fraud", ingresses: ["ex/in", "ex/more"] }),
      applicationSpecification({ name: "bulk", ingresses: ["ex/bulk"], slo: undefined, policy: "fifo", weight: 2 }),
    ],
  });

  it("finds the application of an ingress, and none's for those that have none", () => {
    const applications = applicationsOf(module);
    const names = ["ex/in", "ex/more", "ex/bulk", "ex/other"].map((ingress) => applications.ofIngress(ingress).name);
    expect(names).toEqual(["fraud", "fraud", "bulk", ""]);
    expect(applications.all.map(({ index }) => index)).toEqual([0, 1, 2]);
  });

  it("finds an application by name; one that is gone is none", () => {
    const applications = applicationsOf(module);
    expect(["bulk", "gone", ""].map((name) => applications.named(name).index)).toEqual([2, 0, 0]);
    expect(applications.at(99).index).toBe(0);
  });

  it("measures those with an SLO only, and goes on with the numbers of a former life", () => {
    const book = new MeasureBook();
    const measured = applicationsOf(module, { book }).all.map(({ measures }) => measures?.name);
    expect(measured).toEqual([undefined, "fraud", undefined]);
    expect(applicationsOf(module, { book }).at(1).measures).toBe(book.applications[0]);
    expect(book.applications).toHaveLength(1);
  });

  it("is timed only where there are applications", () => {
    expect([applicationsOf().timed, applicationsOf(module).timed]).toEqual([false, true]);
  });

  it("tells each policy whom it works for", () => {
    const told: unknown[] = [];
    const modules: PolicyModules = new Map([["/p.mjs", () => ({ ...edf(), init: (environment) => told.push(environment) })]]);
    const policy = { module: "/p.mjs" };
    const specification = applicationSpecification({ policy, params: { depth: 3 } });
    const options = engineOptions({ router: "r7" });
    const applications = applicationsOf(moduleSpecification({ applications: [specification] }), { modules, options });
    expect(told).toEqual([expect.objectContaining({ router: "r7", application: "fraud", sloMs: 200, params: { depth: 3 } })]);
    expect([applications.at(1).own, applications.at(0).own]).toEqual([true, false]);
  });

  it("R3: goes on with a policy that cannot begin, or is not made a second time, and counts that", () => {
    const wrong = () => {
      throw new Error("policy");
    };
    const modules: PolicyModules = new Map([
      ["/init.mjs", () => ({ ...edf(), init: wrong })],
      ["/make.mjs", wrong],
    ]);
    const applications = [...modules.keys()].map((path, i) =>
      applicationSpecification({ name: `a${i}`, ingresses: [`ex/i${i}`], policy: { module: path } }),
    );
    const book = new MeasureBook();
    const { all } = applicationsOf(moduleSpecification({ applications }), { modules, book });
    expect([all.length, book.policyFaults]).toEqual([3, 2]);
  });
});
