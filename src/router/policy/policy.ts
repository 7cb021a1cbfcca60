/**
 * What decides whose message runs next: SCHEDULING.md §1.5. The same object runs in the router and in the simulator: no
 * I/O, no clock, no randomness of its own. The runtime enforces the rules (a critical message is never forwarded, an
 * exception becomes the default decision and is counted), not the policy.
 */
import type { Address } from "../../model/address";
import type { Message } from "../../model/message";
import type { Random } from "../../model/random";

export interface PolicyEnvironment {
  readonly router: string;
  /** The application this policy object works for; empty: messages that belong to none. */
  readonly application: string;
  /** Latency the application aims at, ms; without SLO the default deadline (SCHEDULING.md 3.1). */
  readonly sloMs: number;
  readonly params: Readonly<Record<string, unknown>>;
  readonly random: Random;
}

/** An actor as a policy sees it: it is in a queue at most once, and only while it can take a slot. */
export interface Runnable {
  readonly address: Address;
  /** Its oldest waiting message; undefined when nothing waits. */
  peek(): Message | undefined;
  readonly waiting: number;
  /** The smallest rank of what waits (`Message.rank`): smaller runs first. Infinity when nothing waits. */
  readonly rank: number;
}

/** The runnable actors of one endpoint, in the policy's order. */
export interface RunQueue {
  readonly length: number;
  push(actor: Runnable, now: number): void;
  pop(now: number): Runnable | undefined;
  /** The rank of an actor in the queue may have become smaller. A queue that does not order by rank leaves this out. */
  lift?(actor: Runnable, now: number): void;
}

export type SendDecision = { readonly do: "send" };
/** `forward`: the message goes to a lessee of its actor, which is opened if it is not there. */
export type AdmitDecision = { readonly do: "queue" } | { readonly do: "forward"; readonly to: LaneView };

/** One lane of an actor, or one that could be opened. */
export interface LaneView {
  /** 0: the lessor; above: an open lessee; -1: none yet. */
  readonly lane: number;
  /** The message would start in time there, and make nothing late that is not late already. */
  readonly feasible: boolean;
  /** How long it would wait there, ms. */
  readonly waitMs: number;
}

/** The actor a message is about to join, where it may go to a lessee (SCHEDULING.md 3.5). Valid during the call. */
export interface ActorView {
  /** The lessor's lane. */
  home(): LaneView;
  /** Open lessees, least waiting first. */
  lessees(): readonly LaneView[];
  /** Where another could be opened now: at most so many, chosen at random; none when the gate is closed. */
  openings(range: number): readonly LaneView[];
}
export type BarrierMoment = "block" | "critical" | "release";

/** What postApply tells a policy of a finished batch. */
export interface RunResult {
  readonly ok: boolean;
  readonly serviceMs: number;
  readonly batchSize: number;
}

export interface Policy {
  readonly tag: string;
  init(environment: PolicyEnvironment): void;
  createQueue(): RunQueue;
  /** Sender side, of the target's policy, before a message sent by a function is delivered. */
  prepareSend(message: Message, now: number): SendDecision;
  /** Receiver side, when a message is about to join its mailbox; may set its `rank`. Its costs are those of this hop. */
  admit(message: Message, now: number, actor?: ActorView): AdmitDecision;
  /** Which actor takes the free slot. */
  next(queue: RunQueue, now: number): Runnable | undefined;
  preApply(message: Message, now: number): void;
  postApply(message: Message, result: RunResult, now: number): void;
  onCommand(command: unknown, now: number): void;
  onBarrier(actor: Address, moment: BarrierMoment, now: number): void;
  exportState?(actor: Address): unknown;
  importState?(actor: Address, state: unknown): void;
}
