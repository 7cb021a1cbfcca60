/** examples/campaigns: that its modules say what its code says, that its check finds what is wrong, and what is counted as in time. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Deliveries } from "../../examples/campaigns/deliveries";
import { type Due, Expectation } from "../../examples/campaigns/expectation";
import { alerting, applications, reporting, type Total } from "../../examples/campaigns/record";
import { campaigns, hotCampaign, phasesOf, shops, trafficOf } from "../../examples/campaigns/traffic";
import { loadModule } from "../../src/config/module";
import type { ModuleSpecification } from "../../src/config/specification";

const FOLDER = join(__dirname, "..", "..", "..", "examples", "campaigns");

function load(file: string): ModuleSpecification {
  const text = readFileSync(join(FOLDER, file), "utf8");
  const source = { path: file, text, locate: (path: string) => ({ path, problem: undefined }) };
  const { module, findings, warnings } = loadModule([source], {}, { brokers: [] });
  expect([...findings, ...warnings]).toEqual([]);
  return module;
}

describe.each(["module.yaml", "module-fifo.yaml"])("%s", (file) => {
  test.each(applications)("has the SLO and the windows of $name that the demo judges by", ({ name, windowMs, sloMs }) => {
    const found = load(file).applications.find((each) => each.name === name);
    expect(found?.slo).toMatchObject({ latencyMs: sloMs, from: "window-end", windowMs });
  });

  test.each(applications)("sends the topic of $name to its function", ({ topic, typename, valueType, windowMs }) => {
    const source = load(file).sources.find((each) => each.topic === `campaigns-${topic}`);
    expect(source).toMatchObject({ valueType, targets: [typename] });
    expect(source?.watermark?.everyMs).toBe(file === "module.yaml" ? windowMs : undefined);
  });
});

test("Dirigo has fewer slots than FIFO", () => {
  const slots = (file: string) => load(file).endpoints.reduce((sum, { concurrency }) => sum + concurrency, 0);
  expect(slots("module.yaml")).toBeLessThan(slots("module-fifo.yaml"));
});

describe("the traffic", () => {
  const phases = phasesOf(20);
  const arrivals = trafficOf(phases, 1);

  test("is the same for a seed, and another for another", () => {
    expect(trafficOf(phases, 1)).toEqual(arrivals);
    expect(trafficOf(phases, 2)).not.toEqual(arrivals);
  });

  test("is in order, and has every campaign and shop", () => {
    expect(arrivals.every(({ atMs }, index) => index === 0 || atMs >= (arrivals[index - 1]?.atMs ?? 0))).toBe(true);
    expect(new Set(arrivals.map(({ key }) => key))).toEqual(new Set([...campaigns, ...shops]));
  });

  test("makes one campaign too hot for one actor while it is hot, and not before", () => {
    const perSecond = (fromMs: number, toMs: number) => {
      const hot = arrivals.filter(({ key, atMs }) => key === hotCampaign && atMs >= fromMs && atMs < toMs);
      return (1_000 * hot.length) / (toMs - fromMs);
    };
    const one = 1_000 / alerting.holdMs;
    expect(perSecond(phases.hotFromMs, phases.hotToMs)).toBeGreaterThan(one);
    expect(perSecond(0, phases.hotFromMs)).toBeLessThan(one / 2);
  });
});

const tea = { country: "AT", cents: 5 };

/** Two clicks in the first window, one in the second, and a purchase. */
function expectation(): Expectation {
  const expected = new Expectation();
  expected.add(alerting, "tea", 10_000, tea);
  expected.add(alerting, "tea", 10_999, { country: "DE", cents: 7 });
  expected.add(alerting, "tea", 11_000, tea);
  expected.add(reporting, "shop-1", 10_000, tea);
  return expected;
}

const first: Total = {
  application: "alerting",
  key: "tea",
  start: 10_000,
  end: 11_000,
  count: 2,
  cents: 12,
  byCountry: { DE: 1, AT: 1 },
};
const second: Total = { ...first, start: 11_000, end: 12_000, count: 1, cents: 5, byCountry: { AT: 1 } };
const purchases: Total = { ...second, application: "reporting", key: "shop-1", start: 10_000, end: 15_000 };

describe("the check", () => {
  test.each<[string, readonly Total[], readonly RegExp[]]>([
    ["nothing when all is right", [first, purchases, second], []],
    ["a total that is missing", [first, second], [/^reporting shop-1 15000: never told$/]],
    ["one that is told twice", [first, second, second, purchases], [/told twice/, /told after/]],
    [
      "one that is told too late",
      [second, first, purchases],
      [/^alerting tea 11000: told after the window that ended at 12000$/],
    ],
    ["one that was never due", [first, second, purchases, { ...second, end: 13_000 }], [/tea 13000: nothing happened/]],
    ["a click that is missing", [{ ...first, count: 1 }, second, purchases], [/from 10000: 1, .* expected from 10000: 2/]],
    ["a wrong sum", [{ ...first, cents: 11 }, second, purchases], [/11 cents, .*12 cents/]],
    ["a wrong country", [{ ...first, byCountry: { AT: 2 } }, second, purchases], [/AT 2, expected .*AT 1 DE 1/]],
    ["a wrong beginning", [{ ...first, start: 9_000 }, second, purchases], [/from 9000: .*from 10000/]],
  ])("finds %s", (_what, totals, expected) => {
    expect(expectation().differences(totals)).toEqual(expected.map((each) => expect.stringMatching(each)));
  });
});

describe("in time", () => {
  const alerts = ({ application }: Due) => application === alerting;
  const nothing = { due: 0, inTime: 0, dueCount: 0, inTimeCount: 0 };

  function deliveries(...seen: readonly (readonly [Total, number])[]): Deliveries {
    const made = new Deliveries(expectation());
    for (const [total, atMs] of seen) made.seen(total, atMs);
    return made;
  }

  test("is what comes within the SLO after the end of its window, with all its clicks", () => {
    const made = deliveries([first, 11_200], [second, 12_201]);
    expect(made.attainment(alerts, 20_000)).toEqual({ due: 2, inTime: 1, dueCount: 3, inTimeCount: 2 });
    expect(made.latencies(alerts)).toEqual([200, 201]);
  });

  test("is not what comes again", () => {
    expect(deliveries([first, 12_000], [first, 11_001]).attainment(alerts, 11_999)).toMatchObject({ due: 1, inTime: 0 });
  });

  test("is judged once it can no longer be met", () => {
    expect(deliveries().attainment(alerts, 11_200)).toEqual(nothing);
    expect(deliveries().attainment(alerts, 11_201)).toEqual({ ...nothing, due: 1, dueCount: 2 });
  });

  test("is never what never comes", () => {
    expect(deliveries().latencies(alerts)).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect(deliveries([first, 11_000], [second, 12_000]).complete).toBe(false);
    expect(deliveries([first, 11_000], [second, 12_000], [purchases, 15_000]).complete).toBe(true);
  });
});
