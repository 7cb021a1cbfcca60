/** One function type in use: where it is served, what it has declared, its live mailboxes. */
import type { FunctionSpecification } from "../config/specification";
import type { FunctionMeasures } from "../observe/measure";
import type { TypeStates } from "../state/store";
import type { Mailbox } from "./mailbox";

export class FunctionType {
  readonly mailboxes = new Map<string, Mailbox>();
  /** Its states were declared, or confirmed, by the function since this router started (functions/invoker.ts). */
  confirmed = false;
  /** Types its handlers have sent to. */
  readonly downstream = new Set<FunctionType>();
  /** Expected cost of the hops behind it, ms, and when that was computed. */
  pathMs = 0;
  pathAtMs = 0;
  /** Service time of one message, ms, as an exponentially weighted mean (SCHEDULING.md 3.1). */
  costMs = 0;
  /** The same of a critical message. */
  criticalCostMs = 0;

  constructor(
    readonly namespace: string,
    readonly name: string,
    readonly typename: string,
    /** Index in ModuleSpecification.endpoints. */
    readonly endpoint: number,
    readonly states: TypeStates,
    readonly measures: FunctionMeasures,
    /** Given: its actors are in dual mode (scaling/dual-mode.ts). */
    readonly dual?: FunctionSpecification,
  ) {}

  /** C_path = max over downstream types of their cost and path (SCHEDULING.md 3.1, after Cameo). Cycles count once. */
  computePath(now: number): void {
    this.pathAtMs = now;
    this.pathMs = longest(this, new Set([this]), { left: STEPS_MAX });
  }

  observeCost(costMs: number): void {
    this.costMs = mean(this.costMs, costMs);
  }

  observeCriticalCost(costMs: number): void {
    this.criticalCostMs = mean(this.criticalCostMs, costMs);
  }
}

/** alpha 0.1: SCHEDULING.md 3.5 `costAlpha`. */
function mean(before: number, value: number): number {
  return before === 0 ? value : before + 0.1 * (value - before);
}

/** Deeper than any application's graph. */
const DEPTH_MAX = 12;
/** Where everybody calls everybody there are more ways than anybody can try: the longest of the first ones must do. */
const STEPS_MAX = 1_000;

function longest(from: FunctionType, way: Set<FunctionType>, steps: { left: number }): number {
  if (way.size > DEPTH_MAX) return 0;
  let most = 0;
  for (const type of from.downstream) {
    if (way.has(type)) continue;
    if (steps.left-- <= 0) break;
    way.add(type);
    most = Math.max(most, type.costMs + longest(type, way, steps));
    way.delete(type);
  }
  return most;
}
