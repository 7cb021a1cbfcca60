/** E5 in the report: how long barriers take, simulated and real, and what the gate is worth. */
import { BARRIER_BYTES, GATE_ARMS, lesseesArm } from "./experiments";
import { shownDifference, shownEstimate, shownNumber, tableText } from "./markdown";
import type { Section } from "./report";
import type { Table } from "./results";
import { lineThrough } from "./statistics";
import type { Series } from "./svg";

const LESSEES = [1, 2, 4, 8] as const;

export function bytesText(bytes: number): string {
  return bytes >= 1_048_576 ? `${bytes / 1_048_576} MiB` : `${bytes / 1_024} KiB`;
}

/** Rounds of merges in a tree: with n lessees the base takes part in so many. */
function rounds(lessees: number): number {
  return Math.ceil(Math.log2(lessees + 1));
}

/** The arms that there are: the real run has fewer. */
function lesseesOf({ arms }: Table): number[] {
  return LESSEES.filter((lessees) => arms.includes(lesseesArm(lessees)));
}

function barrierTable(table: Table, value: string): string {
  const bytes = table.xs(lesseesArm(LESSEES[0]));
  const rows = bytes.map((x) => [
    bytesText(x),
    ...lesseesOf(table).map((lessees) => {
      const arm = lesseesArm(lessees);
      return shownNumber(table.mean(arm, x, value).mean, 1);
    }),
  ]);
  return tableText(["state", ...lesseesOf(table).map(lesseesArm)], rows);
}

/** Consolidation against what has to be merged, in sequence (bytes × rounds) and in all (bytes × lessees). */
function fit(table: Table): string {
  const points = (weight: (lessees: number) => number) =>
    lesseesOf(table).flatMap((lessees) => {
      const arm = lesseesArm(lessees);
      return table
        .xs(arm)
        .map((x): [number, number] => [(x / 1_048_576) * weight(lessees), table.mean(arm, x, "consolidateP50").mean])
        .filter(([, y]) => Number.isFinite(y));
    });
  const inSequence = lineThrough(points(rounds));
  const inAll = lineThrough(points((lessees) => lessees));
  return `Least squares: ${shownNumber(inSequence.intercept, 2)} ms + ${shownNumber(inSequence.slope, 2)} ms per MiB and round of merges (R² = ${shownNumber(inSequence.r2, 3)}); per MiB and lessee R² = ${shownNumber(inAll.r2, 3)}.`;
}

function series(table: Table): Series[] {
  return lesseesOf(table).map((lessees) => {
    const arm = lesseesArm(lessees);
    return { name: arm, points: table.xs(arm).map((x) => ({ x, y: table.mean(arm, x, "consolidateP50").mean })) };
  });
}

function barrierPlot(table: Table, title: string): Section["plots"][string] {
  return {
    title,
    xName: "state of the actor, and of each part, bytes",
    yName: "consolidation, p50, ms",
    logarithmic: true,
    xTicks: BARRIER_BYTES,
    series: series(table),
  };
}

export function simulatedBarriers(table: Table): Section {
  const { leased, aligned } = GATE_ARMS;
  const gate = table
    .xs(leased)
    .map((x) => [
      `${x} ms`,
      shownEstimate(table.mean(aligned, x, "latency")),
      shownEstimate(table.mean(leased, x, "latency")),
      shownDifference(table.difference(leased, aligned, x, "latency")),
      shownNumber(table.mean(leased, x, "leases").mean, 0),
    ]);
  return {
    blocks: {
      consolidation: `${barrierTable(table, "consolidateP50")}\n\n${fit(table)}`,
      gate: tableText(["a merge takes", "no leases, %", "leases, %", "difference", "leases granted"], gate),
    },
    plots: { "e5-consolidation": barrierPlot(table, "Merging the parts of an actor, simulated") },
  };
}

export function realBarriers(table: Table): Section {
  return {
    blocks: {
      consolidation: `${barrierTable(table, "consolidateP50")}\n\n${fit(table)}`,
      critical: barrierTable(table, "criticalP50"),
      drain: barrierTable(table, "drainP50"),
    },
    plots: { "e5-real-consolidation": barrierPlot(table, "Merging the parts of an actor, real functions over HTTP") },
  };
}
