/** Tables and numbers as Markdown. */
import type { Estimate } from "./statistics";

export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** `94.8 ± 0.6`. */
export function shownEstimate({ mean, halfWidth }: Estimate, digits = 1): string {
  if (!Number.isFinite(mean)) return "–";
  return Number.isFinite(halfWidth) ? `${mean.toFixed(digits)} ± ${halfWidth.toFixed(digits)}` : mean.toFixed(digits);
}

export function shownDifference(estimate: Estimate, digits = 1): string {
  const shown = shownEstimate(estimate, digits);
  return estimate.mean > 0 ? `+${shown}` : shown;
}

export function shownNumber(value: number, digits = 1): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}
