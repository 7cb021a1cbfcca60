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
  /** How many messages a request has and how long it takes, ms: means like costMs, and how they vary together. */
  #messages = 0;
  #serviceMs = 0;
  #variance = 0;
  #covariance = 0;

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

  /** A request with so many messages took so long. */
  observeCost(serviceMs: number, messages: number): void {
    this.costMs = mean(this.costMs, serviceMs / messages);
    const more = messages - this.#messages;
    this.#messages = mean(this.#messages, messages);
    this.#serviceMs = mean(this.#serviceMs, serviceMs);
    this.#variance += ALPHA * (more * (messages - this.#messages) - this.#variance);
    this.#covariance += ALPHA * (more * (serviceMs - this.#serviceMs) - this.#covariance);
  }

  /**
   * How many messages add this much time to a request, at least one; or as much as it takes whatever is in it (the way to the function above all),
   * where that is more: who waits for the slot waits for that anyway. What a message adds is the slope of time over messages (least squares, recent
   * requests weigh more). It is not followed further than to twice what is usual; and while requests are all alike, so that there is no slope, it is
   * what the mean cost allows and one to try.
   */
  countWithin(addedMs: number): number {
    if (this.costMs === 0) return COUNT_FIRST;
    if (this.#variance <= Math.min(ALIKE, 0.1 * ALIKE * this.#messages)) {
      return Math.max(1, Math.floor(addedMs / this.costMs)) + 1;
    }
    const most = Math.ceil(2 * this.#messages);
    const slopeMs = this.#covariance / this.#variance;
    const allowedMs = Math.max(addedMs, this.#serviceMs - slopeMs * this.#messages);
    return slopeMs * most <= allowedMs ? most : Math.max(1, Math.floor(allowedMs / slopeMs));
  }

  observeCriticalCost(costMs: number): void {
    this.criticalCostMs = mean(this.criticalCostMs, costMs);
  }
}

/** SCHEDULING.md 3.5 `costAlpha`. */
const ALPHA = 0.1;
/** Requests whose sizes have a smaller variance tell nothing of what a message adds; where ten messages are many, a tenth of it is enough. */
const ALIKE = 0.5;
/** Messages of a request before their cost is known. */
const COUNT_FIRST = 8;

function mean(before: number, value: number): number {
  return before === 0 ? value : before + ALPHA * (value - before);
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
