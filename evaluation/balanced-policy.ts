/**
 * A policy of a user's own: the order of min-laxity, and lanes that are kept even. `min-laxity` opens a lessee when a message would start late, and fills
 * the lessor up to there; this one opens it as soon as it waits clearly less there, and gives each message to the lane that waits least. A barrier then
 * finds short lanes, and has little to drain. Not more than the hooks that every policy has.
 */
import type { ActorView, AdmitDecision, LaneView, Policy } from "../src/router/policy/policy";
import { minLaxity } from "../src/router/policy/ranks";

/** No lessee before the shortest lane is this many messages long: what waits less is not worth a merge. */
const WORTH_A_LESSEE = 3;
/** A message goes elsewhere where it waits this much less, ms: estimates are no better. */
const HYSTERESIS_MS = 5;
/** Workers looked at for a new lessee. */
const RANGE = 2;

export default function balanced(): Partial<Policy> {
  const order = minLaxity();
  return {
    ...order,
    tag: "balanced",
    admit(message, now, actor?: ActorView): AdmitDecision {
      order.admit(message, now);
      if (!actor) return { do: "queue" };
      const here = shortest(actor);
      if (here.feasible && here.waitMs <= WORTH_A_LESSEE * message.costMs) return to(here);
      const opening = leastWaiting(actor.openings(RANGE));
      if (!opening) return to(here);
      const gainMs = here.waitMs - opening.waitMs;
      return to(gainMs > HYSTERESIS_MS + message.costMs / 2 || (opening.feasible && !here.feasible) ? opening : here);
    },
  };
}

function shortest(actor: ActorView): LaneView {
  const home = actor.home();
  const [least] = actor.lessees();
  if (!least) return home;
  return least.waitMs + HYSTERESIS_MS < home.waitMs || (least.feasible && !home.feasible) ? least : home;
}

function to(lane: LaneView): AdmitDecision {
  return lane.lane === 0 ? { do: "queue" } : { do: "forward", to: lane };
}

function leastWaiting(lanes: readonly LaneView[]): LaneView | undefined {
  return lanes.reduce<LaneView | undefined>((one, other) => (!one || other.waitMs < one.waitMs ? other : one), undefined);
}
