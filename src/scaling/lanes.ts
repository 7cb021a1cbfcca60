/**
 * Which lane of its actor a message takes: the policy's decision, within the rules (SCHEDULING.md 1.5, 3.5).
 *
 * G1  Only ordinary messages of a dual-mode actor are forwarded, and each once.
 * G2  An actor has no more lessees than configured, than its sync budget allows, and none shortly before a barrier: where merging would
 *     cost more than it wins there is no lease.
 * G3  Messages of one sub-key (`partition`) stay on one lane until the actor is consolidated; what the base has of a sub-key already stays with
 *     the lessor, for a lessee's part begins absent.
 * G4  Which lane a sub-key has is known of a bounded number of them. With one more the actor is consolidated: then all of them are in the base, or over.
 */
import type { Message } from "../model/message";
import type { Random } from "../model/random";
import type { TypedValue } from "../model/typed-value";
import type { ActorView, Endpoint, LaneView, Load, Mailbox, Router, Shares, Worker } from "../router/router";
import { subKeysIn } from "../state/store";
import type { DualActor } from "./dual-actor";
import { closed } from "./gate";
import type { Lease } from "./lease";

/** What waits and is late is looked at anew after each batch, so many of it: SCHEDULING.md 3.5 `burst`. */
const BURST = 8;
/** Among what is late stand messages that cannot move: so many are looked through for those that can. */
const LATE_MAX = 64;

/** About a megabyte of short keys. Where the base has more sub-keys than that, so many: it is read once for each of these turns. */
const PINS_MAX = 10_000;

/** What the lanes need of the scaling room. */
export interface LaneHost {
  open(actor: DualActor, worker: Worker | undefined, now: number): Lease;
  forwarded(actor: DualActor): void;
  /** Text at a path of a message's argument; undefined where there is none. */
  subKey(argument: TypedValue, path: readonly string[]): string | undefined;
}

interface Opening extends LaneView {
  readonly worker: Worker | undefined;
}

export class Lanes {
  readonly #view: View;

  constructor(
    private readonly router: Router,
    private readonly host: LaneHost,
    random: Random,
  ) {
    this.#view = new View(router, random);
  }

  /** Gives an ordinary message its lane. */
  admit(actor: DualActor, message: Message, now: number): void {
    const { lessor, type } = actor;
    if (type.specification.maxLessees === 0) {
      this.router.admit(lessor.type, message, now);
      return this.router.join(lessor, message, now);
    }
    const lane = type.keyPath ? this.#keyed(actor, type.keyPath, message, now) : this.#choose(actor, message, now);
    this.#count(actor, lane, message);
    this.router.join(lane, message, now);
    if (actor.pins.size > Math.max(PINS_MAX, actor.baseKeys?.size ?? 0)) actor.consolidate("policy", now); // G4
  }

  /** G3. A message without sub-key is the lessor's. */
  #keyed(actor: DualActor, path: readonly string[], message: Message, now: number): Mailbox {
    const key = this.host.subKey(message.argument, path);
    const pinned = key === undefined ? actor.lessor : actor.pins.get(key);
    if (key === undefined || pinned || this.#inBase(actor, key)) {
      this.router.admit(actor.lessor.type, message, now);
      return pinned ?? actor.lessor;
    }
    const lane = this.#choose(actor, message, now);
    actor.pins.set(key, lane);
    return lane;
  }

  #inBase(actor: DualActor, key: string): boolean {
    if (!actor.baseKeys) {
      const { type, lessor } = actor;
      const keys = new Set<string>();
      for (const { index, name } of type.type.states.slots) {
        const value = lessor.memory.values[index];
        if (value && type.mergeOf(name)?.kind === "partition") for (const each of subKeysIn(value)) keys.add(each);
      }
      actor.baseKeys = keys;
    }
    return actor.baseKeys.has(key);
  }

  #choose(actor: DualActor, message: Message, now: number): Mailbox {
    const view = message.forwarded ? undefined : this.#view.of(actor, message, now); // G1
    const decision = this.router.admit(actor.lessor.type, message, now, view);
    return decision.do === "forward" && decision.to ? this.#lane(actor, decision.to, now) : actor.lessor;
  }

  #lane(actor: DualActor, to: LaneView, now: number): Mailbox {
    const open = actor.leases.find(({ lane }) => lane === to.lane);
    if (open) return open.mailbox;
    // A user's own policy may hand back anything: what is no lane is the lessor's.
    const opening = this.#view.opened(to);
    return opening ? this.host.open(actor, opening.worker, now).mailbox : actor.lessor;
  }

  #count(actor: DualActor, lane: Mailbox, message: Message): void {
    const lease = actor.leases.find(({ mailbox }) => mailbox === lane);
    if (!lease) return;
    lease.forwarded++;
    message.forwarded = true;
    this.host.forwarded(actor);
  }

  /** A batch of this queue has ended: what has become late meanwhile may go elsewhere (SCHEDULING.md 3.4 P5). */
  relieve(queue: Shares, now: number): void {
    const late = queue.load?.late(now, LATE_MAX) ?? [];
    let moved = 0;
    for (const { message, lane } of late) {
      if (moved === BURST) return;
      const actor = this.#movable(message, lane);
      if (!actor) continue;
      // Where it waits it stands with what it was expected to cost when it came.
      const { costMs, pathMs, rank } = message;
      const to = this.#choose(actor, message, now);
      message.costMs = costMs;
      message.pathMs = pathMs;
      message.rank = rank;
      if (to === lane || !this.router.move(message, lane, to, now)) continue;
      this.#count(actor, to, message);
      moved++;
    }
  }

  #movable(message: Message, lane: Mailbox): DualActor | undefined {
    if (message.forwarded || message.mark?.critical || !lane.owner || lane.memory.lane > 0) return undefined;
    if (lane.stays(message)) return undefined; // A lessee would be opened for nothing.
    const actor = lane.owner as DualActor;
    const { kind } = actor.phase;
    return (kind === "runnable" || kind === "draining") && !actor.type.keyPath ? actor : undefined;
  }
}

/** One view for all calls: a policy may look at it during the call only. */
class View implements ActorView {
  #actor: DualActor | undefined;
  #message: Message | undefined;
  #now = 0;
  #openings: Opening[] = [];

  constructor(
    private readonly router: Router,
    private readonly random: Random,
  ) {}

  of(actor: DualActor, message: Message, now: number): this {
    this.#actor = actor;
    this.#message = message;
    this.#now = now;
    this.#openings = [];
    return this;
  }

  opened(view: LaneView): Opening | undefined {
    return this.#openings.find((each) => each === view);
  }

  home(): LaneView {
    return this.#lane((this.#actor as DualActor).lessor, 0);
  }

  lessees(): readonly LaneView[] {
    const { leases } = this.#actor as DualActor;
    return leases.map(({ mailbox, lane }) => this.#lane(mailbox, lane)).sort((one, other) => one.waitMs - other.waitMs);
  }

  #lane(mailbox: Mailbox, lane: number): LaneView {
    const message = this.#message as Message;
    const now = this.#now;
    const load = this.router.queueOf(mailbox).load as Load;
    const ownMs = mailbox.waitMs(now);
    const feasible = now + ownMs <= load.latestStart(message) && load.feasible(message, now);
    return { lane, feasible, waitMs: Math.max(ownMs, load.waitMs(now)) };
  }

  openings(range: number): readonly LaneView[] {
    const actor = this.#actor as DualActor;
    if (closed(actor, this.#message as Message, this.router, this.#now)) return []; // G2
    const endpoint = this.router.endpoints[actor.lessor.type.endpoint] as Endpoint;
    this.#openings = this.#workers(actor, endpoint, range).map((worker) => this.#opening(endpoint, worker));
    return this.#openings;
  }

  #workers(actor: DualActor, endpoint: Endpoint, range: number): (Worker | undefined)[] {
    if (!actor.lessor.worker) return actor.lanes.length < endpoint.slots ? [undefined] : [];
    const free = endpoint.workersBeside(actor.lanes);
    const drawn: Worker[] = [];
    while (free.length > 0 && drawn.length < range) {
      drawn.push(...free.splice(Math.floor(this.random.next() * free.length), 1));
    }
    return drawn;
  }

  #opening(endpoint: Endpoint, worker: Worker | undefined): Opening {
    const { load } = worker?.queue ?? (endpoint.queues[0] as Shares);
    const feasible = (load as Load).feasible(this.#message as Message, this.#now);
    return { lane: -1, feasible, waitMs: (load as Load).waitMs(this.#now), worker };
  }
}
