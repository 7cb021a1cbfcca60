/**
 * Who plays in a world of dual mode: layers of function types, some exclusive, and what each message makes its receiver do. All of it follows
 * from the message alone, so that the whole tree of messages, its critical ones and their barriers, are known in advance.
 */
import type { FunctionSpecification, MergeSpecification } from "../../src/config/specification";
import { Chance, hashOf } from "./chance";
import { LONG_TYPE } from "./function-wire";

/** One function type. Messages flow from lower to higher places, and from an actor to itself. */
export interface DualNode {
  readonly name: string;
  readonly place: number;
  /** undefined: exclusive. */
  readonly dual: FunctionSpecification | undefined;
  readonly states: readonly DualState[];
  /** Places it sends to. */
  readonly downstream: readonly number[];
  /** Ingresses that end its windows. */
  readonly watermarks: readonly string[];
  /** Its critical messages bring the numbers of barriers to those downstream. */
  readonly carries: boolean;
}

export interface DualState {
  readonly name: string;
  /** What becomes of it; the strategy of the same name, or one that must do the same. */
  readonly kind: StateKind;
  readonly typename: string;
  /** undefined: without strategy, so that its actor is never split. */
  readonly merge: MergeSpecification | undefined;
}

/**
 * `ids`: what was applied since the last critical message, a multiset. `keyed`: the same by sub-key, each in the order of application. `total`,
 * `peak`, `tally`, `last`: over all messages.
 */
export type StateKind = "ids" | "keyed" | "total" | "peak" | "tally" | "last";

export const JSON_TYPE = "sim/json";
export const ID_TYPE = "sim/id";

/** What the world knows of a message; it stands in its argument. */
export interface DualText {
  /** Unique: the path of the message from its ingress record. */
  readonly m: string;
  /** `type/id` of its sender; empty: a record. */
  readonly s: string;
  /** Id of its target. */
  readonly t: string;
  /** Sub-key. */
  readonly k: string;
  /** A number for barriers, in the value. */
  readonly n?: number;
  /** It is marked: as critical (1) or for a target to which it is (0); with this series and number (-1: none). */
  readonly c?: readonly [critical: 0 | 1, series: string, barrier: number];
  /** Ballast. */
  readonly x?: string;
}

export const ITEM_TYPE = "sim/item";
export const CLOSE_TYPE = "sim/close";
export const WINDOW_TYPE = "sim/window";

export function dualKey(node: string, id: string, messageId: string): string {
  return `${node}/${id}<${messageId}`;
}

/** Whether a message is critical for this type: as it is marked, or by its typename. */
export function criticalAt({ dual }: DualNode, text: DualText, typename: string): boolean {
  return text.c?.[0] === 1 || (dual?.critical.includes(typename) ?? false);
}

/** The number of its barrier at this type; -1: none. */
export function barrierAt({ dual, watermarks }: DualNode, text: DualText): number {
  if (!dual || (dual.series === undefined && watermarks.length === 0)) return -1;
  const [, series, barrier] = text.c ?? [0, "", -1];
  if (barrier >= 0) return series === "" || series === (dual.series ?? "") ? barrier : -1;
  return dual.barrier && text.n !== undefined ? text.n : -1;
}

/** The mark of what a critical message causes at this type. */
function markOfChildren(node: DualNode, text: DualText): DualText["c"] {
  if (!node.dual) return text.c;
  return [1, node.dual.series ?? "", barrierAt(node, text)];
}

export interface DualChild {
  readonly node: DualNode;
  readonly id: string;
  readonly typename: string;
  readonly text: DualText;
  /** undefined: sent at once. */
  readonly delayMs: number | undefined;
}

const DEPTH_MAX = 5;

/** What handling this message sends. A critical one tells everybody downstream, so that barriers pass on. */
export function childrenOf(
  nodes: readonly DualNode[],
  ids: readonly string[],
  node: DualNode,
  id: string,
  text: DualText,
  critical: boolean,
): DualChild[] {
  const chance = new Chance(hashOf(`${node.name}/${id} ${text.m}`));
  const sender = `${node.name}/${id}`;
  const children: DualChild[] = [];
  const send = (to: DualNode, target: string, c: DualText["c"], delayMs?: number) => {
    const m = `${text.m}/${node.place}${children.length}`;
    const child = { m, s: sender, t: target, k: chance.pick(SUB_KEYS), ...(c && { c }) };
    children.push({ node: to, id: target, typename: ITEM_TYPE, text: child, delayMs });
  };
  if (critical) {
    const mark = markOfChildren(node, text);
    for (const place of node.downstream) for (const target of ids) send(nodes[place] as DualNode, target, mark);
  }
  if (text.m.split("/").length > DEPTH_MAX) return children;
  if (!critical) {
    for (const place of node.downstream) if (chance.of(0.6)) send(nodes[place] as DualNode, chance.pick(ids), undefined);
  }
  if (chance.of(0.08)) send(node, id, undefined);
  const [later] = node.downstream;
  if (chance.of(0.05)) send(nodes[later ?? node.place] as DualNode, chance.pick(ids), undefined, chance.pick([1, 30, 400]));
  return children;
}

/** What the window's end number n causes at this actor. */
export function windowText(node: DualNode, id: string, barrier: number): DualText {
  return { m: `w${barrier}@${node.name}.${id}`, s: "", t: id, k: "", c: [1, node.dual?.series ?? "", barrier] };
}

export const SUB_KEYS: readonly string[] = ["red", "green", "blue", "ü"];

// ── states ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What an actor remembers: values by state name, as plain JSON values. */
export type Remembered = Map<string, unknown>;

export function weightOf(messageId: string): number {
  return hashOf(messageId) % 1_000;
}

/** A message is applied. */
export function fold(states: readonly DualState[], remembered: Remembered, { m, k }: DualText): void {
  for (const { name, kind } of states) remembered.set(name, folded(kind, remembered.get(name), m, k));
}

function folded(kind: StateKind, before: unknown, messageId: string, key: string): unknown {
  const weight = weightOf(messageId);
  switch (kind) {
    case "ids":
      return [...((before as string[] | undefined) ?? []), messageId];
    case "keyed": {
      const lists = (before as Record<string, string[]> | undefined) ?? {};
      return { ...lists, [key]: [...(lists[key] ?? []), messageId] };
    }
    case "tally": {
      const tally = (before as Record<string, number> | undefined) ?? {};
      const bucket = `b${weight % 5}`;
      return { ...tally, [bucket]: (tally[bucket] ?? 0) + weight };
    }
    case "total":
      return ((before as number | undefined) ?? 0) + weight;
    case "peak":
      return Math.max((before as number | undefined) ?? 0, weight);
    case "last":
      return messageId;
  }
}

/** After a critical message: what counts since the last one begins anew. */
export function reset(states: readonly DualState[], remembered: Remembered): void {
  for (const { name, kind } of states) if (kind === "ids" || kind === "keyed") remembered.delete(name);
}

/** Equal values have equal texts: a multiset in any order, sub-keys in any order, what lanes have concatenated too; and `last` is judged elsewhere. */
export function comparable(states: readonly DualState[], remembered: Remembered): string {
  const parts: [string, unknown][] = [];
  for (const { name, kind, merge } of states) {
    const value = remembered.get(name);
    if (value === undefined || kind === "last") continue;
    if (kind === "ids") parts.push([name, [...(value as string[])].sort()]);
    else if (kind === "keyed" && merge?.kind !== "partition") {
      const lists = Object.entries(value as Record<string, string[]>).map(([key, list]): [string, string[]] => [
        key,
        [...list].sort(),
      ]);
      parts.push([name, lists.sort(byFirst)]);
    } else if (kind === "keyed" || kind === "tally") parts.push([name, Object.entries(value as object).sort(byFirst)]);
    else parts.push([name, value]);
  }
  return JSON.stringify(parts);
}

function byFirst([one]: [string, unknown], [other]: [string, unknown]): number {
  return one < other ? -1 : 1;
}

export const STATE_TYPES: Readonly<Record<StateKind, string>> = {
  ids: JSON_TYPE,
  keyed: JSON_TYPE,
  tally: JSON_TYPE,
  total: LONG_TYPE,
  peak: LONG_TYPE,
  last: ID_TYPE,
};
