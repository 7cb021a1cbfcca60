/** E2, E4 and E9 for real, in the report. */
import { ARMS, HOT_ARMS } from "./experiments";
import { shownDifference, shownEstimate, shownNumber, tableText } from "./markdown";
import { COST_ARMS, COST_KINDS, FREE_ARM, SIMULATED } from "./real";
import type { Section } from "./report";
import type { Table } from "./results";
import { quantile } from "./statistics";

function armsOf(table: Table): string[] {
  return table.arms.filter((arm) => arm !== FREE_ARM && !arm.endsWith(SIMULATED));
}

export function headline(table: Table): Section {
  const rates = table.xs();
  const arms = armsOf(table);
  const rows = rates.flatMap((rate) =>
    arms.map((arm) => {
      const simulated = `${arm}${SIMULATED}`;
      return [
        String(rate),
        arm,
        shownEstimate(table.mean(arm, rate, "latency")),
        shownEstimate(table.mean(simulated, rate, "latency")),
        shownEstimate(table.mean(arm, rate, "bulk")),
        `${shownNumber(table.mean(arm, rate, "latencyP50").mean, 0)} / ${shownNumber(table.mean(arm, rate, "latencyP99").mean, 0)}`,
        `${shownNumber(table.mean(simulated, rate, "latencyP50").mean, 0)} / ${shownNumber(table.mean(simulated, rate, "latencyP99").mean, 0)}`,
      ];
    }),
  );
  const differences = arms
    .filter((arm) => arm !== ARMS.paper)
    .map((arm) => [
      `${arm} − ${ARMS.paper}`,
      ...rates.flatMap((rate) => [
        shownDifference(table.difference(arm, ARMS.paper, rate, "latency")),
        shownDifference(table.difference(arm, ARMS.paper, rate, "bulk")),
      ]),
    ]);
  const usage = rates.flatMap((rate) =>
    arms.map((arm) => {
      const cpu = (process: string) => shownNumber(table.mean(arm, rate, `${process}Cpu`).mean, 0);
      const mean = (value: string) => table.mean(arm, rate, value).mean;
      return [
        String(rate),
        arm,
        cpu("router"),
        cpu("broker"),
        cpu("functions"),
        cpu("producers"),
        shownNumber(mean("busy"), 0),
        shownNumber(mean("leases"), 0),
        shownNumber(mean("producerLateMs"), 0),
      ];
    }),
  );
  const [freeRate = Number.NaN] = table.xs(FREE_ARM);
  const free = ["latencyP50", "latencyP95", "latencyP99"].map((value) =>
    shownNumber(table.mean(FREE_ARM, freeRate, value).mean, 0),
  );
  return {
    blocks: {
      satisfaction: tableText(["r", "", "real, %", "simulated, %", "bulk, real, %", "p50 / p99, ms", "simulated"], rows),
      difference: tableText(["", ...rates.flatMap((rate) => [`r = ${rate}`, `bulk, r = ${rate}`])], differences),
      usage: tableText(
        ["r", "", "router", "broker", "functions", "clients", "slots busy, %", "leases", "latest record, ms"],
        usage,
      ),
      free: `With functions that take no time (r = ${freeRate}): p50 ${free[0]} ms, p95 ${free[1]} ms, p99 ${free[2]} ms after the window's end.`,
    },
    plots: {},
  };
}

export function hotActor(table: Table): Section {
  const one = (arm: string) => table.mean(arm, 1, "rate").mean;
  const rows = table.xs().map((slots) => {
    const cell = (arm: string) => table.mean(arm, slots, "rate").mean;
    return [
      String(slots),
      shownNumber(cell(HOT_ARMS.dual), 0),
      shownNumber(cell(HOT_ARMS.dual) / one(HOT_ARMS.dual) / slots, 2),
      shownNumber(cell(HOT_ARMS.exclusive), 0),
    ];
  });
  return {
    blocks: {
      table: tableText(["slots", "dual, records/s", "of linear", "exclusive, records/s"], rows),
    },
    plots: {},
  };
}

export function cost(table: Table): Section {
  const median = (arm: string, x: number, value: string) => quantile(table.column(arm, x, value), 0.5);
  const rows = COST_KINDS.map((kind, x) => {
    const [plain, dual] = [COST_ARMS.exclusive, COST_ARMS.dual].map((arm) => ({
      rate: median(arm, x, "records/s"),
      cpu: median(arm, x, "router µs/msg"),
    })) as [Cost, Cost];
    const percent = (100 * (dual.rate - plain.rate)) / plain.rate;
    return [
      kind,
      shownNumber(plain.rate, 0),
      shownNumber(dual.rate, 0),
      `${percent > 0 ? "+" : ""}${shownNumber(percent, 1)} %`,
      shownNumber(plain.cpu, 2),
      shownNumber(dual.cpu, 2),
    ];
  });
  const latency = [COST_ARMS.exclusive, COST_ARMS.dual].map((arm) =>
    ["p50 ms", "p99 ms"].map((value) => shownNumber(median(arm, COST_KINDS.length, value), 1)).join(" / "),
  );
  return {
    blocks: {
      table: tableText(["", "exclusive, records/s", "dual, records/s", "", "router µs/message", "dual"], rows),
      latency: `Latency at 500/s, p50 / p99: exclusive ${latency[0]} ms, dual ${latency[1]} ms.`,
    },
    plots: {},
  };
}

interface Cost {
  readonly rate: number;
  readonly cpu: number;
}
