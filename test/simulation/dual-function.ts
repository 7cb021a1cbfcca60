/** The fake functions of a dual-mode world: what a reply says follows from the states and messages of the request. */
import {
  childrenOf,
  criticalAt,
  type DualChild,
  type DualNode,
  type DualState,
  type DualText,
  fold,
  ID_TYPE,
  type Remembered,
  reset,
  WINDOW_TYPE,
  windowText,
} from "./dual-cast";
import { DUAL_TOPIC, encodeDualLine } from "./dual-line";
import type { DualWorld } from "./dual-scenario";
import {
  decodeLong,
  decodePart,
  encodeLong,
  encodeProducerRecord,
  LONG_TYPE,
  NAMESPACE,
  PRODUCER_RECORD_TYPE,
  type ReceivedInvocation,
  type ReceivedState,
  Reply,
  type Request,
  type StateSpecification,
} from "./function-wire";
import { Violation } from "./violation";

export const MERGE_TYPE = "io.dirigo.types/merge";

/** A message as the function sees it. */
export interface DualMessage {
  readonly text: DualText;
  readonly critical: boolean;
  /** Number of the window that ends; undefined: somebody sent it. */
  readonly window: number | undefined;
}

export function readDualMessage(scenario: DualWorld, node: DualNode, id: string, invocation: ReceivedInvocation): DualMessage {
  if (invocation.typename === WINDOW_TYPE) {
    const { start, end } = JSON.parse(invocation.text) as { start: number; end: number };
    if (end - start !== scenario.everyMs) malformed(`${node.name}/${id}`, `a window from ${start} to ${end}`);
    const window = end / scenario.everyMs;
    return { text: windowText(node, id, window), critical: true, window };
  }
  const text = JSON.parse(invocation.text) as DualText;
  return { text, critical: criticalAt(node, text, invocation.typename), window: undefined };
}

export function runDual(scenario: DualWorld, node: DualNode, request: Request, call: number): Reply {
  const [first] = request.invocations;
  if (!first) malformed(`${node.name}/${request.id}`, "a request without invocations");
  const reply = new Reply();
  const remembered = decodeStates(node.states, request.states);
  if (first.typename === MERGE_TYPE) merge(node, request, first, remembered);
  else {
    const messages = request.invocations.map((each) => checked(scenario, node, request.id, each));
    if (messages.some(({ critical }) => critical !== messages[0]?.critical))
      throw new Violation("what is critical runs alone", `${node.name}/${request.id} got a batch of both kinds`);
    for (const message of messages) handle(scenario, node, request.id, message, call, remembered, reply);
  }
  encodeStates(node.states, remembered, reply);
  return reply;
}

/** Comes with the second version of every function, and is never written. */
const LATE: StateSpecification = { name: "late", typename: LONG_TYPE, mode: "none", expireMs: 0 };

export function dualStatesOf(node: DualNode, version: number): readonly StateSpecification[] {
  const states = node.states.map(({ name, typename }): StateSpecification => ({ name, typename, mode: "none", expireMs: 0 }));
  return version > 1 ? [...states, LATE] : states;
}

function checked(scenario: DualWorld, node: DualNode, id: string, invocation: ReceivedInvocation): DualMessage {
  const message = readDualMessage(scenario, node, id, invocation);
  const { text } = message;
  const address = `${node.name}/${id}`;
  if ((invocation.caller ?? "") !== text.s) malformed(address, `caller ${invocation.caller} of a message from '${text.s}'`);
  if (text.t !== id) malformed(address, `a message for id '${text.t}'`);
  return message;
}

function handle(
  { nodes, ids }: DualWorld,
  node: DualNode,
  id: string,
  { text, critical, window }: DualMessage,
  call: number,
  remembered: Remembered,
  reply: Reply,
): void {
  const saw = critical ? Object.fromEntries(remembered) : undefined;
  if (critical) reset(node.states, remembered);
  else fold(node.states, remembered, text);
  for (const child of childrenOf(nodes, ids, node, id, text, critical)) send(child, reply);
  const line = encodeDualLine({ node: node.name, id, messageId: text.m, call, critical, window, saw });
  const value = encodeProducerRecord(DUAL_TOPIC, `${node.name}/${id}`, line);
  reply.egress.push({ name: "audit", typename: PRODUCER_RECORD_TYPE, value });
}

function send({ node, id, typename, text, delayMs }: DualChild, reply: Reply): void {
  const message = { namespace: NAMESPACE, type: node.name, id, text: JSON.stringify(text), typename };
  if (delayMs === undefined) reply.sends.push(message);
  else reply.delayed.push({ kind: "send", delayMs, message, token: "" });
}

/** What the router leaves to the function: multisets become one, and so on. */
function merge(node: DualNode, request: Request, invocation: ReceivedInvocation, remembered: Remembered): void {
  const part = decodePart(invocation.value);
  if (request.invocations.length !== 1) malformed(`${node.name}/${request.id}`, "a merge in a batch with others");
  for (const { name, kind, merge: strategy } of node.states) {
    const value = part.get(name);
    if (!value) continue;
    if (strategy?.kind !== "function") malformed(`${node.name}/${request.id}`, `state ${name} to merge, which the router merges`);
    remembered.set(name, merged(kind, remembered.get(name), decodeState(value)));
  }
}

function merged(kind: DualState["kind"], base: unknown, part: unknown): unknown {
  if (base === undefined) return part;
  switch (kind) {
    case "ids":
      return [...(base as string[]), ...(part as string[])];
    case "total":
      return (base as number) + (part as number);
    case "peak":
      return Math.max(base as number, part as number);
    default:
      throw new Error(`no function merges ${kind}`);
  }
}

export function decodeStates(
  states: readonly DualState[],
  received: ReadonlyMap<string, ReceivedState | undefined>,
): Map<string, unknown> {
  const remembered = new Map<string, unknown>();
  for (const { name } of states) {
    const value = received.get(name);
    if (value) remembered.set(name, decodeState(value));
  }
  return remembered;
}

export function decodeState({ typename, value }: ReceivedState): unknown {
  if (typename === LONG_TYPE) return decodeLong(value);
  return typename === ID_TYPE ? value.toString("utf8") : JSON.parse(value.toString("utf8"));
}

function encodeStates(states: readonly DualState[], remembered: Remembered, reply: Reply): void {
  for (const { name, typename } of states) {
    const value = remembered.get(name);
    reply.mutations.set(name, value === undefined ? undefined : { typename, value: encodeState(typename, value) });
  }
}

function encodeState(typename: string, value: unknown): Uint8Array {
  if (typename === LONG_TYPE) return encodeLong(value as number);
  return Buffer.from(typename === ID_TYPE ? (value as string) : JSON.stringify(value), "utf8");
}

function malformed(address: string, what: string): never {
  throw new Violation("requests are well formed", `${address} got ${what}`);
}
