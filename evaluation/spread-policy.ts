/**
 * A policy of a user's own, for measuring barriers: an actor gets as many lessees as `params.lessees` says, as soon as it has anything to do, and its messages
 * go round. Not to be imitated: lessees that nobody needs only cost.
 */
import type { ActorView, AdmitDecision, LaneView, Policy, PolicyEnvironment } from "../src/router/policy/policy";

export default function spread(): Partial<Policy> {
  let wanted = 0;
  let turn = 0;
  return {
    tag: "spread",
    init({ params }: PolicyEnvironment): void {
      if (typeof params.lessees === "number") wanted = params.lessees;
    },
    admit(message, _now, actor?: ActorView): AdmitDecision {
      message.rank = message.deadlineMs;
      if (!actor || wanted === 0) return { do: "queue" };
      const lessees = actor.lessees();
      const [opening] = lessees.length < wanted ? actor.openings(1) : [];
      const lanes: LaneView[] = opening ? [opening] : [actor.home(), ...[...lessees].sort((one, other) => one.lane - other.lane)];
      const to = lanes[turn++ % lanes.length] as LaneView;
      return to.lane === 0 ? { do: "queue" } : { do: "forward", to };
    },
  };
}
