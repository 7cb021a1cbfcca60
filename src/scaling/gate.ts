/**
 * When an actor gets no lessee, or no more, whatever its policy wishes (lanes.ts G2): it has as many as are configured, its states are not known
 * yet, one of them cannot be split, merging would cost more than it wins, or a barrier is about to end it (SCHEDULING.md 3.5). Admission asks for each message that would
 * be late; explanation.ts tells people.
 */
import type { Message } from "../model/message";
import type { Router } from "../router/router";
import { memoryBytes } from "../state/store";
import type { DualActor } from "./dual-actor";

/** Share of the SLO that a barrier's merges may take: SCHEDULING.md 3.5 `beta`. */
const SYNC_BUDGET = 0.5;
/** A lessee must live for so many messages at least before the next barrier. */
const MESSAGES_LEAST = 2;

/** Why the gate is closed; ms. */
export type Closed =
  | { readonly reason: "max"; readonly maxLessees: number }
  | { readonly reason: "undeclared" }
  | { readonly reason: "unsplittable"; readonly state: string }
  | { readonly reason: "budget"; readonly mergesMs: number; readonly budgetMs: number; readonly bytes: number }
  | { readonly reason: "barrier-near"; readonly leftMs: number; readonly neededMs: number };

/** What stands whatever the message; undefined: nothing. */
export function standingClosed({ type, leases }: DualActor): Closed | undefined {
  const { maxLessees } = type.specification;
  if (leases.length >= maxLessees) return { reason: "max", maxLessees };
  // A part of a state that turns out to have no strategy could never be merged.
  if (!type.type.confirmed) return { reason: "undeclared" };
  const state = type.unsplittable;
  return state && { reason: "unsplittable", state: state.name };
}

/** undefined: the gate is open for this message. */
export function closed(
  actor: DualActor,
  { application, costMs }: Pick<Message, "application" | "costMs">,
  router: Router,
  now: number,
): Closed | undefined {
  return standingClosed(actor) ?? overBudget(actor, application, router) ?? beforeBarrier(actor, costMs, now);
}

function overBudget({ type, lessor, leases }: DualActor, application: number, router: Router): Closed | undefined {
  const bytes = memoryBytes(lessor.memory);
  const budgetMs = SYNC_BUDGET * router.applications.at(application).sloMs - type.type.criticalCostMs;
  const mergesMs = type.mergesMs(lessor.memory, leases.length + 1);
  return mergesMs > budgetMs ? { reason: "budget", mergesMs, budgetMs, bytes } : undefined;
}

function beforeBarrier({ type, sectionMs }: DualActor, costMs: number, now: number): Closed | undefined {
  if (type.periodMs === 0 || sectionMs === 0) return undefined;
  const leftMs = sectionMs + type.periodMs - now;
  const neededMs = MESSAGES_LEAST * costMs;
  return leftMs > 0 && leftMs < neededMs ? { reason: "barrier-near", leftMs, neededMs } : undefined;
}
