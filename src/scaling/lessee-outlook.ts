/** Whether the next late message of an actor would get a lessee, and if not, why: the questions of its admission (reject.ts, lanes.ts), for people. */

import type { Message } from "../model/message";
import type { LesseeOutlook, LesseeVerdict } from "../observe/actor-status";
import {
  type Application,
  type Endpoint,
  type FunctionType,
  type Load,
  type Mailbox,
  openingMs,
  type Router,
  shortWaitMs,
} from "../router/router";
import type { DualActor } from "./dual-actor";
import { type Closed, closed, standingClosed } from "./gate";

export function lesseeOutlook(type: FunctionType, actor: DualActor | undefined, router: Router, now: number): LesseeOutlook {
  if (!type.dual) return outlook("exclusive", "its function is not in dual mode: it runs one batch at a time");
  if (!actor) return outlook("idle", "nothing waits for it");
  const { kind } = actor.phase;
  if (kind === "consolidating" || kind === "critical") return outlook("stopped", "no lessee runs until its section is over");
  const standing = standingClosed(actor);
  if (standing) return closedOutlook(standing);
  const message = newest(actor.lanes);
  if (!message) return outlook("idle", "nothing waits for it");
  return unneeded(actor, message, router, now) ?? barred(actor, message, router, now) ?? placed(actor, message, router, now);
}

/** The last that has come and waits or runs on the first lane that has some: the next will be like it. */
function newest(lanes: readonly Mailbox[]): Message | undefined {
  for (const lane of lanes) {
    let last: Message | undefined;
    for (const message of lane.messages()) last = message;
    if (last) return last;
  }
  return undefined;
}

function unneeded(actor: DualActor, message: Message, router: Router, now: number): LesseeOutlook | undefined {
  const application = router.applications.at(message.application);
  if (!application.own && application.specification?.params.scaling !== true) {
    return outlook("policy", `its policy, ${policyName(application)}, does not split actors (params.scaling)`);
  }
  const withinMs = startWithinMs(message, application, now);
  const waitMs = shortestMs(actor, router, now);
  const shortMs = application.own ? withinMs : shortWaitMs(numberOf(application, "short") * application.sloMs, message.costMs);
  if (waitMs > Math.min(withinMs, shortMs)) return undefined;
  const text = `a message that came now would wait ${tenths(waitMs)} ms on the shortest lane, needs no other up to ${tenths(shortMs)} ms, and has ${tenths(withinMs)} ms to start`;
  return outlook("in-time", text, { waitMs, shortMs, withinMs });
}

function barred(actor: DualActor, message: Message, router: Router, now: number): LesseeOutlook | undefined {
  const reason = closed(actor, message, router, now);
  return reason && closedOutlook(reason);
}

function placed(actor: DualActor, message: Message, router: Router, now: number): LesseeOutlook {
  const { lessor, lanes } = actor;
  const endpoint = router.endpoints[lessor.type.endpoint] as Endpoint;
  const places = placesFor(actor, endpoint).map((load) => load.waitMs(now));
  if (places.length === 0) {
    const text = lessor.worker
      ? `it has a lane on each of the ${endpoint.workers.filter(({ slots }) => slots > 0).length} replicas of endpoint ${endpoint.specification.id} that take anything`
      : `no slot is left: it has ${lanes.length} lanes, and endpoint ${endpoint.specification.id} has ${endpoint.slots} slots`;
    return outlook("no-slot", text, { lanes: lanes.length, slots: endpoint.slots });
  }
  const application = router.applications.at(message.application);
  const waitMs = shortestMs(actor, router, now);
  const bestMs = Math.min(...places);
  const withinMs = startWithinMs(message, application, now);
  const clearlyMs = numberOf(application, "hysteresisMs") + openingMs(message.costMs);
  const numbers = { waitMs, bestMs, withinMs };
  const saves = bestMs <= withinMs && waitMs > withinMs;
  if (!application.own && !saves && bestMs + clearlyMs >= waitMs) {
    const why = bestMs > 0 ? "no slot is free" : "nothing would be won";
    const text = `${why}: a message would wait ${tenths(bestMs)} ms with a new lessee, ${tenths(waitMs)} ms on the shortest lane, and has ${tenths(withinMs)} ms to start`;
    return outlook("no-gain", text, numbers);
  }
  const text = application.own
    ? `its policy, ${policyName(application)}, may open one`
    : `the next message gets one: it would wait ${tenths(bestMs)} ms there, and ${tenths(waitMs)} ms on the shortest lane`;
  return outlook("open", text, numbers);
}

/** Loads of the queues in which a new lessee could stand. */
function placesFor({ lessor, lanes }: DualActor, endpoint: Endpoint): Load[] {
  const free = lessor.worker
    ? endpoint.workersBeside(lanes).map(({ queue }) => queue)
    : endpoint.queues.slice(0, lanes.length < endpoint.slots ? 1 : 0);
  return free.flatMap(({ load }) => load ?? []);
}

function startWithinMs({ deadlineMs, costMs, pathMs }: Message, { marginMs }: Application, now: number): number {
  return deadlineMs - costMs - pathMs - marginMs - now;
}

function waitOf(lane: Mailbox, router: Router, now: number): number {
  return Math.max(lane.waitMs(now), router.queueOf(lane).load?.waitMs(now) ?? 0);
}

function shortestMs({ lanes }: DualActor, router: Router, now: number): number {
  return Math.min(...lanes.map((lane) => waitOf(lane, router, now)));
}

function numberOf({ specification }: Application, param: string): number {
  const value = specification?.params[param];
  return typeof value === "number" ? value : 0;
}

function policyName({ specification }: Application): string {
  const policy = specification?.policy ?? "fifo";
  return typeof policy === "string" ? policy : policy.module;
}

function closedOutlook(gate: Closed): LesseeOutlook {
  switch (gate.reason) {
    case "max": {
      const { maxLessees } = gate;
      const text = maxLessees === 0 ? "maxLessees is 0: it is never split" : `it has as many as maxLessees allows, ${maxLessees}`;
      return outlook("max", text, { maxLessees });
    }
    case "undeclared":
      return outlook("undeclared", "its function has not declared its states since this router started");
    case "unsplittable":
      return outlook("unsplittable", `its state '${gate.state}' cannot be split: it has no merge strategy, or an exclusive one`);
    case "budget": {
      const { mergesMs, budgetMs, bytes } = gate;
      const text = `merging would cost more than it wins: ${tenths(mergesMs)} ms are expected for its ${bytes} bytes, and the SLO leaves ${tenths(budgetMs)} ms`;
      return outlook("budget", text, { mergesMs, budgetMs, bytes });
    }
    case "barrier-near": {
      const { leftMs, neededMs } = gate;
      const text = `its next barrier is expected in ${tenths(leftMs)} ms, and a lessee pays from ${tenths(neededMs)} ms on`;
      return outlook("barrier-near", text, { leftMs, neededMs });
    }
  }
}

function outlook(verdict: LesseeVerdict, text: string, numbers: Readonly<Record<string, number>> = {}): LesseeOutlook {
  return { verdict, text, numbers };
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
