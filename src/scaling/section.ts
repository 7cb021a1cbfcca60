/** A critical region of a dual-mode actor: why, for what, and how long each step took. */
import type { Message } from "../model/message";
import type { SectionStep } from "../observe/dual-measures";
import type { Unsync } from "./control";

/** `policy`: who chooses lanes ends the leases, as too many sub-keys have one (lanes.ts G4). */
export type SectionReason = "barrier" | "critical" | "idle" | "policy" | "recovery";

/** What stops an actor: its critical messages, or none where only leases end. */
export interface Section {
  readonly reason: SectionReason;
  /** Number of the barrier; -1: none. */
  readonly barrier: number;
  /** In the order of their channels. */
  readonly messages: readonly Message[];
  /** When its first critical message came, when it began to drain, to consolidate, to run what is critical; ms. */
  readonly sinceMs: number;
  readonly drainMs: number;
  /** Leases it has ended, and the mean size of their parts. */
  leases: number;
  partBytes: number;
  consolidateMs: number;
  criticalMs: number;
}

/** Durations of a section that is released now, ms. */
export function stepsOf(
  { sinceMs, drainMs, consolidateMs, criticalMs }: Section,
  now: number,
): Readonly<Record<SectionStep, number>> {
  return {
    align: drainMs - sinceMs,
    drain: consolidateMs - drainMs,
    consolidate: criticalMs - consolidateMs,
    critical: now - criticalMs,
    release: 0, // In one router the lessees are released in the turn in which the last critical message is done.
  };
}

export function unsyncTimes(
  steps: Readonly<Record<SectionStep, number>>,
): Pick<Unsync, "alignMs" | "drainMs" | "consolidateMs" | "criticalMs" | "releaseMs"> {
  const { align, drain, consolidate, critical, release } = steps;
  return { alignMs: align, drainMs: drain, consolidateMs: consolidate, criticalMs: critical, releaseMs: release };
}
