/** What each experiment says in the report. */
import { ARMS, HOT_ARMS } from "./experiments";
import { shownDifference, shownEstimate, shownNumber, tableText } from "./markdown";
import type { Section } from "./report";
import type { Table } from "./results";
import { realBarriers, simulatedBarriers } from "./sections-barriers";
import { cost, headline as realHeadline, hotActor as realHotActor } from "./sections-real";
import type { Series } from "./svg";

function lines(table: Table, arms: readonly string[], value: string): Series[] {
  return arms
    .filter((arm) => table.arms.includes(arm))
    .map((arm) => ({
      name: arm,
      dashed: arm.startsWith("FIFO"),
      points: table.xs(arm).map((x) => {
        const { mean, halfWidth } = table.mean(arm, x, value);
        return { x, y: mean, error: halfWidth };
      }),
    }));
}

function byRate(table: Table, arms: readonly string[], cell: (arm: string, rate: number) => string): string {
  const rates = table.xs();
  const rows = arms.filter((arm) => table.arms.includes(arm)).map((arm) => [arm, ...rates.map((rate) => cell(arm, rate))]);
  return tableText(["", ...rates.map((rate) => `r = ${rate}`)], rows);
}

function headline(table: Table): Section {
  const arms = Object.values(ARMS);
  const { paper, statefun, ours, oursHome } = ARMS;
  const against = [
    [ours, paper],
    [ours, statefun],
    [oursHome, paper],
  ] as const;
  const rates = table.xs();
  const differences = against.map(([one, other]) => [
    `${one} − ${other}`,
    ...rates.map((rate) => shownDifference(table.difference(one, other, rate, "latency"))),
  ]);
  const bulk = against.map(([one, other]) => [
    `${one} − ${other}`,
    ...rates.map((rate) => shownDifference(table.difference(one, other, rate, "bulk"))),
  ]);
  const head = ["", ...rates.map((rate) => `r = ${rate}`)];
  return {
    blocks: {
      satisfaction: byRate(table, arms, (arm, rate) => shownEstimate(table.mean(arm, rate, "latency"))),
      difference: tableText(head, differences),
      bulk: `${byRate(table, arms, (arm, rate) => shownEstimate(table.mean(arm, rate, "bulk")))}\n\n${tableText(head, bulk)}`,
      records: byRate(table, arms, (arm, rate) => shownEstimate(table.mean(arm, rate, "latencyRecords"))),
      latency: byRate(table, arms, (arm, rate) =>
        ["latencyP50", "latencyP95", "latencyP99"].map((value) => shownNumber(table.mean(arm, rate, value).mean, 0)).join(" / "),
      ),
      resources: byRate(table, arms, (arm, rate) => {
        const mean = (value: string) => table.mean(arm, rate, value).mean;
        const perHundred = (100 * mean("controlRecords")) / mean("records");
        return `${shownNumber(mean("provisionedSeconds"), 0)} / ${shownNumber(mean("usedSeconds"), 0)} / ${shownNumber(mean("busy"), 0)} % / ${shownNumber(perHundred, 0)}`;
      }),
      leases: byRate(table, [ours, oursHome], (arm, rate) => {
        const mean = (value: string) => table.mean(arm, rate, value).mean;
        return `${shownNumber(mean("leases"), 0)} / ${shownNumber(mean("leaseSeconds"), 0)} s / ${shownNumber(mean("drainP50"))} / ${shownNumber(mean("consolidateP50"))} / ${shownNumber(mean("criticalP50"))}`;
      }),
    },
    plots: {
      "e1-satisfaction": {
        title: "Outputs within 400 ms of their window's end, %",
        xName: "records per second and partition (r)",
        yName: "satisfied, %",
        yRange: [0, 100],
        series: lines(table, arms, "latency"),
      },
      "e1-p99": {
        title: "99th percentile of output latency, latency applications",
        xName: "records per second and partition (r)",
        yName: "ms after the window's end",
        logarithmic: true,
        xTicks: rates,
        series: lines(table, arms, "latencyP99"),
      },
    },
  };
}

function ablation(table: Table): Section {
  const rate = table.xs()[0] ?? Number.NaN;
  const full = table.arms[0] ?? "";
  const rows = table.arms.map((arm) => {
    const wrong = table.outcomes(arm, rate).reduce((sum, { faults }) => sum + faults, 0);
    return [
      arm,
      shownEstimate(table.mean(arm, rate, "latency")),
      arm === full ? "" : shownDifference(table.difference(arm, full, rate, "latency")),
      shownEstimate(table.mean(arm, rate, "bulk")),
      shownNumber(table.mean(arm, rate, "latencyP99").mean, 0),
      shownNumber(table.mean(arm, rate, "leases").mean, 0),
      wrong === 0 ? "exact" : `${wrong} wrong`,
    ];
  });
  return {
    blocks: { table: tableText(["", "latency, %", "against full", "bulk, %", "p99, ms", "leases", "totals"], rows) },
    plots: {},
  };
}

function hotActor(table: Table): Section {
  const slots = table.xs();
  const one = table.mean(HOT_ARMS.dual, 1, "rate").mean;
  const rows = slots.map((x) => {
    const dual = table.mean(HOT_ARMS.dual, x, "rate");
    const late = table.mean(HOT_ARMS.late, x, "rate");
    return [
      String(x),
      shownEstimate(dual, 0),
      shownNumber(dual.mean / one / x, 2),
      shownEstimate(late, 0),
      shownNumber(late.mean / one / x, 2),
      shownEstimate(table.mean(HOT_ARMS.exclusive, x, "rate"), 0),
      shownNumber(table.mean(HOT_ARMS.dual, x, "lesseesMean").mean),
    ];
  });
  return {
    blocks: {
      table: tableText(
        [
          "slots",
          "dual, records/s",
          "of linear",
          "leases for what is late, records/s",
          "of linear",
          "exclusive, records/s",
          "lessees at a barrier",
        ],
        rows,
      ),
    },
    plots: {
      "e4-hot-actor": {
        title: "One hot actor: highest rate with 95 % of windows in time",
        xName: "slots",
        yName: "records per second",
        logarithmic: false,
        series: [
          ...lines(table, Object.values(HOT_ARMS), "rate"),
          { name: "linear", dashed: true, points: slots.map((x) => ({ x, y: x * one })) },
        ],
      },
    },
  };
}

export const SECTIONS: Readonly<Record<string, (table: Table) => Section>> = {
  e1: headline,
  e2: realHeadline,
  e3: ablation,
  e4: hotActor,
  "e4-real": realHotActor,
  e5: simulatedBarriers,
  "e5-real": realBarriers,
  e9: cost,
};
