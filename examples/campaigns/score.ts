/** Which windows are judged, and what both sides have made of them, as lines of two columns. */
import type { Attainment, Deliveries } from "./deliveries";
import type { Due } from "./expectation";
import { alerting, reporting } from "./record";
import type { Side } from "./side";
import { hotCampaign, type Phases } from "./traffic";

type Judged = (due: Due) => boolean;

const recentMs = 5_000;
const signsShown = 56;
/** From in time to ten seconds late and more. */
const signs: readonly (readonly [number, string])[] = [
  [alerting.sloMs, "▁"],
  [500, "▂"],
  [1_000, "▃"],
  [2_000, "▄"],
  [4_000, "▅"],
  [7_000, "▆"],
  [10_000, "▇"],
  [Number.MAX_VALUE, "█"],
];

export class Score {
  constructor(
    private readonly sides: readonly Side[],
    private readonly phases: Phases,
    /** ms since 1970. */
    private readonly startMs: number,
  ) {}

  /** Those of the beginning are not judged, nor is the very last, of both applications: no record follows that would end it. */
  #between(fromMs: number, toMs: number): Judged {
    const from = this.startMs + Math.max(fromMs, this.phases.warmMs);
    const to = Math.min(this.startMs + toMs, this.startMs + this.phases.endMs - alerting.windowMs);
    return ({ application, start, end }) => application === alerting && start >= from && end <= to;
  }

  get #hotPhase(): Judged {
    return this.#between(this.phases.hotFromMs, this.phases.hotToMs);
  }

  readonly #reporting: Judged = ({ application, end }) =>
    application === reporting && end <= this.startMs + this.phases.endMs - reporting.windowMs;

  live(nowMs: number): string[] {
    const elapsedMs = nowMs - this.startMs;
    const hot = this.#hotPhase;
    return [
      this.#header(),
      this.#attained(`alerting: windows told within ${alerting.sloMs} ms`, this.#between(0, this.phases.endMs), nowMs),
      this.#row("  clicks in them", (side) => clicksText(side.deliveries.attainment(this.#between(0, this.phases.endMs), nowMs))),
      this.#attained("  windows of the last 5 s", this.#between(elapsedMs - recentMs, elapsedMs), nowMs),
      this.#attained(`  ${hotCampaign} while it is hot`, (due) => due.key === hotCampaign && hot(due), nowMs),
      this.#attained(`reporting: windows told within ${reporting.sloMs / 1_000} s`, this.#reporting, nowMs),
      this.#row("slots in use", (side) => `${side.slotsInUse} of ${side.slots}`),
      this.#row("lessees now, opened so far", lesseesText),
      this.#row("messages waiting", (side) => String(side.waiting)),
      this.#row("windows told", (side) => String(side.deliveries.totals.length)),
      `  windows of ${hotCampaign}, ▁ in time to █ ten seconds late and more:`,
      ...this.sides.map((side) => `    ${side.title.padEnd(16)}${this.#signs(side.deliveries, nowMs)}`),
    ];
  }

  /** How late the hot campaign's latest windows were: the higher, the later. */
  #signs(deliveries: Deliveries, nowMs: number): string {
    const dues = deliveries.dues(({ key, end }) => key === hotCampaign && end < nowMs - alerting.sloMs).slice(-signsShown);
    const text = dues.map((due) => {
      const latencyMs = Math.min(deliveries.latencyMs(due), nowMs - due.end);
      return signs.find(([toMs]) => latencyMs <= toMs)?.[1] ?? "";
    });
    return text.join("");
  }

  /** One line, where nothing can be drawn. */
  brief(nowMs: number): string {
    return this.sides
      .map((side) => {
        const attained = percent(side.deliveries.attainment(this.#between(0, this.phases.endMs), nowMs));
        return `${side.title}: ${attained} in time, ${side.waiting} waiting, ${lesseesText(side)} lessees`;
      })
      .join("; ");
  }

  final(nowMs: number): string[] {
    const { hotFromMs, hotToMs, endMs } = this.phases;
    const all = this.#between(0, endMs);
    const hot = this.#hotPhase;
    const latency = (judged: Judged, part: number) => (side: Side) => latencyText(side.deliveries.latencies(judged), part);
    return [
      this.#header(),
      this.#attained(`alerting: windows told within ${alerting.sloMs} ms`, all, nowMs),
      this.#row("  clicks in them", (side) => clicksText(side.deliveries.attainment(all, nowMs))),
      this.#attained("  windows before", this.#between(0, hotFromMs), nowMs),
      this.#attained(`  ${hotCampaign} while it is hot`, (due) => due.key === hotCampaign && hot(due), nowMs),
      this.#attained("  the other campaigns meanwhile", (due) => due.key !== hotCampaign && hot(due), nowMs),
      this.#attained("  afterwards", this.#between(hotToMs, endMs), nowMs),
      this.#row("  p50 after the window's end", latency(all, 0.5)),
      this.#row("  p99", latency(all, 0.99)),
      this.#attained(`reporting: windows told within ${reporting.sloMs / 1_000} s`, this.#reporting, nowMs),
      this.#row("slots of the service", (side) => String(side.slots)),
      this.#row("lessees opened", (side) => String(side.lesseesOpened)),
      this.#row("messages in time, by the routers' count", (side) => ratio(side.routerAttainment("alerting"))),
    ];
  }

  #header(): string {
    return this.#row("", (side) => side.title);
  }

  #attained(label: string, judged: Judged, nowMs: number): string {
    return this.#row(label, (side) => percent(side.deliveries.attainment(judged, nowMs)));
  }

  #row(label: string, cell: (side: Side) => string): string {
    return `  ${label.padEnd(42)}${this.sides.map((side) => cell(side).padStart(17)).join("")}`;
  }
}

function lesseesText({ lessees, lesseesOpened }: Side): string {
  return `${lessees}, ${lesseesOpened}`;
}

function percent({ due, inTime }: Attainment): string {
  return due === 0 ? "-" : ratio(inTime / due);
}

function clicksText({ dueCount, inTimeCount }: Attainment): string {
  return dueCount === 0 ? "-" : ratio(inTimeCount / dueCount);
}

function ratio(part: number | null): string {
  return part === null ? "-" : `${(100 * part).toFixed(1)} %`;
}

function latencyText(ascending: readonly number[], part: number): string {
  const latencyMs = ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * part))];
  return latencyMs === undefined || latencyMs === Number.POSITIVE_INFINITY ? "-" : `${Math.round(latencyMs)} ms`;
}
