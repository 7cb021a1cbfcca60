/** Actors in dual mode as people see them: made anew at each question, changes nothing. */
import type { ActorList, ActorQuery, ActorStatus, HeadStatus, LesseeStatus, SectionStatus } from "../observe/actor-status";
import { memoryBytes } from "../state/store";
import type { Channel } from "./alignment";
import type { ActorPhase, DualActor } from "./dual-actor";
import type { DualType } from "./dual-type";
import type { Lease } from "./lease";

/** An actor may have thousands of channels: of so many heads each is shown. */
const HEADS_MAX = 50;

/** The busiest actors of these types: most lessees, or most held, first. */
export function actorList(types: Iterable<DualType>, { top, by }: ActorQuery): ActorList {
  const order = by === "held" ? byHeld : byLessees;
  const first: DualActor[] = [];
  let live = 0;
  for (const { actors } of types) {
    live += actors.size;
    for (const actor of actors.values()) place(first, actor, top, order);
  }
  return { live, actors: first.map(actorStatus) };
}

type Order = (one: DualActor, other: DualActor) => number;

/** Keeps the first ones in order, without sorting all there are. */
function place(first: DualActor[], actor: DualActor, top: number, order: Order): void {
  const last = first[first.length - 1];
  if (last && first.length >= top && order(last, actor) <= 0) return;
  let low = 0;
  let high = first.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (order(first[middle] as DualActor, actor) > 0) high = middle;
    else low = middle + 1;
  }
  first.splice(low, 0, actor);
  if (first.length > top) first.pop();
}

const byLessees: Order = (one, other) =>
  other.leases.length - one.leases.length || other.holding - one.holding || byWaiting(one, other);
const byHeld: Order = (one, other) =>
  other.holding - one.holding || other.leases.length - one.leases.length || byWaiting(one, other);
const byWaiting: Order = (one, other) => other.lessor.waiting - one.lessor.waiting;

export function actorStatus(actor: DualActor): ActorStatus {
  const { lessor, phase, epoch, done, leases, alignment } = actor;
  const heads = [...alignment.heads].sort(([, one], [, other]) => one.barrier - other.barrier);
  return {
    function: lessor.type.typename,
    id: lessor.address.id,
    phase: phase.kind === "runnable" && alignment.waiting ? "aligning" : phase.kind,
    epoch,
    doneBarrier: numberOrNull(done),
    section: sectionStatus(phase),
    waiting: lessor.waiting,
    held: actor.holding,
    heads: heads
      .slice(0, HEADS_MAX)
      .map(
        ([channel, { barrier, sinceMs }]): HeadStatus => ({ channel: channelText(channel), barrier, since: timeText(sinceMs) }),
      ),
    headsAll: heads.length,
    lessees: leases.map(lesseeStatus),
  };
}

function sectionStatus(phase: ActorPhase): SectionStatus | null {
  if (phase.kind === "runnable") return null;
  const { reason, barrier, messages, drainMs } = phase.section;
  return { reason, barrier: numberOrNull(barrier), criticalMessages: messages.length, since: timeText(drainMs) };
}

function lesseeStatus({ lane, mailbox, forwarded, applied, grantedMs }: Lease): LesseeStatus {
  const partBytes = memoryBytes(mailbox.memory);
  const replica = mailbox.worker?.index ?? null;
  return { lane, replica, forwarded, applied, partBytes, since: timeText(grantedMs) };
}

function numberOrNull(barrier: number): number | null {
  return barrier < 0 ? null : barrier;
}

/** As people write it: `shop/clicks/clicks/3`. */
export function channelText(channel: Channel): string {
  return channel.replaceAll("\0", "/");
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
