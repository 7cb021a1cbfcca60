/** What is counted of a dual-mode function type. Names as users see them: observe/metrics.ts. */
import { Histogram, latencyBoundsMs } from "./histogram";

/** How long a section took, and where: DUAL-MODE.md 2.10. */
export type SectionStep = "align" | "drain" | "consolidate" | "critical" | "release";
export const sectionSteps: readonly SectionStep[] = ["align", "drain", "consolidate", "critical", "release"];

export type LeaseEnd = "barrier" | "critical" | "idle" | "policy" | "recovery";
export const leaseEnds: readonly LeaseEnd[] = ["barrier", "critical", "idle", "policy", "recovery"];

export class DualMeasures {
  leasesGranted = 0;
  readonly leasesEnded: Record<LeaseEnd, number> = { barrier: 0, critical: 0, idle: 0, policy: 0, recovery: 0 };
  /** Messages given to lessees. */
  forwarded = 0;
  /** Sections with critical messages, and those messages. */
  sections = 0;
  criticalMessages = 0;
  /** Critical messages whose barrier's number was done already. */
  lateBarriers = 0;
  mergeFailures = 0;
  controlMessages = 0;
  /** Now: open lessees, messages held behind barriers and their bytes. */
  lessees = 0;
  held = 0;
  heldBytes = 0;
  readonly stepMs: Record<SectionStep, Histogram> = {
    align: new Histogram(latencyBoundsMs),
    drain: new Histogram(latencyBoundsMs),
    consolidate: new Histogram(latencyBoundsMs),
    critical: new Histogram(latencyBoundsMs),
    release: new Histogram(latencyBoundsMs),
  };
  constructor(readonly typename: string) {}

  clearGauges(): void {
    this.lessees = 0;
    this.held = 0;
    this.heldBytes = 0;
  }
}
