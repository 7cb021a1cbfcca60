/**
 * Who plays: the function types, their states, and what each message makes its receiver do. All of it follows from the
 * message's id alone, so that a repeated invocation asks for the same and the whole tree of messages is known in advance.
 */
import { Chance, hashOf } from "./chance";
import { LONG_TYPE, type StateSpecification, TEXT_TYPE } from "./function-wire";

export type TypeName = "counter" | "forwarder" | "delayer" | "fader" | "exporter";

/** Addresses that messages are spread over, a few of them hot; the empty id and letters beyond ASCII are legal ids. */
export const ORDINARY_IDS: readonly string[] = [
  "hot",
  "hot",
  "hot",
  "hot",
  "warm",
  "warm",
  "",
  "ü/東",
  "a",
  "b",
  "c",
  "d",
  "e",
  "f",
  "g",
  "h",
];
/** Answers late, every time. */
export const SLOW_ID = "slow";
/** Fails until it is healed. */
export const POISON_ID = "poison";

const COUNT: StateSpecification = { name: "n", typename: LONG_TYPE, mode: "none", expireMs: 0 };
/** Set by every odd message, deleted by every even one: a forgotten tombstone shows at the next. */
const MARK: StateSpecification = { name: "mark", typename: TEXT_TYPE, mode: "none", expireMs: 0 };
const TOKEN: StateSpecification = { name: "token", typename: TEXT_TYPE, mode: "none", expireMs: 0 };
export const FADE_MS = 1_500;
const FADER_STATES: readonly StateSpecification[] = [
  { name: "warm", typename: TEXT_TYPE, mode: "after-write", expireMs: FADE_MS },
  { name: "warmed", typename: TEXT_TYPE, mode: "none", expireMs: 0 },
  { name: "lively", typename: TEXT_TYPE, mode: "after-invoke", expireMs: FADE_MS },
  { name: "invoked", typename: TEXT_TYPE, mode: "none", expireMs: 0 },
];
/** Comes with the second version of every function, deployed while the world runs. */
const LATE: StateSpecification = { name: "late", typename: LONG_TYPE, mode: "none", expireMs: 0 };

export function statesOf(type: TypeName, version: number): readonly StateSpecification[] {
  const states = [COUNT, MARK];
  if (type === "delayer") states.push(TOKEN);
  if (type === "fader") states.push(...FADER_STATES);
  if (version > 1) states.push(LATE);
  return states;
}

export interface Child {
  /** Unique: the path of the message from its ingress record. */
  readonly messageId: string;
  readonly type: TypeName;
  readonly id: string;
  /** undefined: sent at once. */
  readonly delayMs: number | undefined;
  readonly token: boolean;
  /** Cancelled in the very reply that sends it: must never arrive. */
  readonly cancelledAtOnce: boolean;
}

export interface Plan {
  readonly children: readonly Child[];
  /** A delayer: cancels the last token it remembers, if any. */
  readonly cancelsLast: boolean;
  /** A fader: writes its fading state. */
  readonly warms: boolean;
}

/** Messages go no deeper: with 1.1 children on average the tree of a record stays small. */
const DEPTH_MAX = 4;
const CHILD_TYPES: readonly TypeName[] = ["counter", "forwarder", "delayer", "fader", "counter"];

export function deliveryKey(type: string, id: string, messageId: string): string {
  return `${type}/${id}<${messageId}`;
}

export function planOf(type: TypeName, id: string, messageId: string): Plan {
  const chance = new Chance(hashOf(`${type}/${id} ${messageId}`));
  const children: Child[] = [];
  if (messageId.split("/").length <= DEPTH_MAX) {
    if (type === "forwarder") {
      const count = chance.pick([0, 1, 1, 2, 3]);
      for (let i = 0; i < count; i++) children.push(child(chance, id, `${messageId}/f${i}`, undefined));
    } else if (type === "delayer" && chance.of(0.7)) {
      children.push(child(chance, id, `${messageId}/d0`, chance.pick([0, 20, 300, 2_500])));
    }
  }
  return { children, cancelsLast: type === "delayer" && chance.of(0.3), warms: chance.of(0.4) };
}

function child(chance: Chance, senderId: string, messageId: string, delayMs: number | undefined): Child {
  const type = chance.pick(CHILD_TYPES);
  const id = chance.of(0.25) ? senderId : chance.pick(ORDINARY_IDS);
  const token = delayMs !== undefined && chance.of(0.6);
  return { messageId, type, id, delayMs, token, cancelledAtOnce: token && chance.of(0.15) };
}

/** What a message says: who it is, who sent it, whom it is for, and ballast. */
export function messageText(messageId: string, sender: string, targetId: string, ballast: number): string {
  return `${messageId}|${sender}|${targetId}|${"x".repeat(ballast)}`;
}

export function readMessageText(text: string): { messageId: string; sender: string; targetId: string } {
  const [messageId = "", sender = "", targetId = ""] = text.split("|");
  return { messageId, sender, targetId };
}

/** Ballast by message, mostly little. */
export function ballastOf(messageId: string): number {
  const hash = hashOf(messageId);
  return hash % 16 === 0 ? 400 + (hash % 1_600) : hash % 40;
}
