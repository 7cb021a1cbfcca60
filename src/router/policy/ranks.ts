/**
 * Policies that are an order of messages: each gives a message its rank at admission, and the actor with the smallest rank runs
 * first. Ranks of one policy compare across applications: that is what isolates a tight SLO from bulk work (SCHEDULING.md 3.5).
 */
import type { Message } from "../../model/message";
import type { Policy, PolicyEnvironment } from "./policy";
import { Reject } from "./reject";
import { RunHeap } from "./run-heap";

/** A policy that ranks and leaves every other moment alone. */
export function ranked(
  tag: string,
  rankOf: (message: Message, now: number) => number,
  init: (environment: PolicyEnvironment) => void,
  /** Actors are split unless the params say otherwise. */
  scaling = false,
): Policy {
  const reject = new Reject(scaling);
  return {
    tag,
    init(environment) {
      reject.init(environment);
      init(environment);
    },
    createQueue: () => new RunHeap(),
    prepareSend: () => ({ do: "send" }),
    admit(message, now, actor) {
      message.rank = rankOf(message, now);
      return reject.admit(message, actor);
    },
    next: (queue, now) => queue.pop(now),
    preApply() {},
    postApply() {},
    onCommand() {},
    onBarrier() {},
  };
}

/** Earliest deadline first. SCHEDULING.md P1. */
export function edf(): Policy {
  return ranked(
    "edf",
    (message) => message.deadlineMs,
    () => {},
  );
}

/** Share of the SLO kept in reserve: in the pilot 0 lost 5 points of satisfaction, 0.15 lost 3.4, 0.5 gained 0.3 (SCHEDULING.md 3.1). */
export const MARGIN = 0.3;

/**
 * Latest start first: what is left of the deadline after this hop, the hops behind it and a margin. Recomputed at every hop, so
 * that a message does not look more urgent the further it has come (SCHEDULING.md 3.1, after Cameo). Actors that may be split get lessees
 * where a message would be late, or wait long, on the lanes there are (reject.ts).
 */
export function minLaxity(): Policy {
  let marginMs = 0;
  return ranked(
    "min-laxity",
    (message) => message.deadlineMs - message.costMs - message.pathMs - marginMs,
    ({ sloMs, params }) => {
      marginMs = sloMs * (typeof params.margin === "number" ? params.margin : MARGIN);
    },
    true,
  );
}

/** By the application's `priority`, higher first; among equals the earlier message. */
export function priority(): Policy {
  let level = 0;
  return ranked(
    "priority",
    // A year is far beyond any wait, so that a level always outweighs age.
    (_message, now) => now - level * 86_400_000 * 365,
    ({ params }) => {
      level = typeof params.priority === "number" ? params.priority : 0;
    },
  );
}

/**
 * Fair shares by tokens (Cameo): an application gets `rate` tokens per `interval`, spread evenly over it; a message from an ingress takes one, and
 * its rank is the token's instant, inherited by what it causes. Without a token a message ranks behind all that have one.
 */
export function token(): Policy {
  let rate = 1;
  let intervalMs = 1_000;
  let intervalStartMs = 0;
  let used = 0;
  const take = (now: number): number => {
    if (now >= intervalStartMs + intervalMs) {
      intervalStartMs = now - (now % intervalMs);
      used = 0;
    }
    if (used >= rate) return Number.MAX_VALUE;
    return intervalStartMs + (used++ * intervalMs) / rate;
  };
  return ranked(
    "token",
    (message, now) => (message.caller === undefined ? take(now) : message.rank),
    ({ params }) => {
      if (typeof params.rate === "number") rate = params.rate;
      if (typeof params.intervalMs === "number") intervalMs = params.intervalMs;
    },
  );
}
