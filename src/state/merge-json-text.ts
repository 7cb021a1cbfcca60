/**
 * Walks JSON text without making objects of it: a merge keeps what it does not merge letter by letter, long numbers included, and
 * appending to a long list costs no more than copying it.
 *
 * T1  `wellFormed` has seen the text; nothing here checks it again.
 */
import { ProtocolError } from "../model/errors";
import { canonicalNumber } from "./merge-decimal";

export type JsonKind = "object" | "array" | "string" | "number" | "boolean" | "null";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** What is compared by content is nested no deeper: each level takes a frame of the stack. */
const DEPTH_MAX = 500;

/** The text without white space around it. Throws ProtocolError when it is no JSON. */
export function wellFormed(text: string): string {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new ProtocolError(`it is no JSON: ${(error as Error).message}`);
  }
  return text.trim();
}

export function jsonKind(text: string): JsonKind {
  switch (text.charCodeAt(0)) {
    case OPEN_OBJECT:
      return "object";
    case OPEN_LIST:
      return "array";
    case QUOTE:
      return "string";
    case 0x74: // true
    case 0x66: // false
      return "boolean";
    case 0x6e: // null
      return "null";
    default:
      return "number";
  }
}

/** The elements of an array, as they are written. */
export function elementsOf(array: string): string[] {
  const elements: string[] = [];
  let at = afterSpace(array, 1);
  while (array.charCodeAt(at) !== CLOSE_LIST) {
    const end = endOfValue(array, at);
    elements.push(array.slice(at, end));
    at = afterSeparator(array, end);
  }
  return elements;
}

/** The members of an object by key, their values as they are written; of members with one key the last, as everywhere. */
export function membersOf(object: string): Map<string, string> {
  const members = new Map<string, string>();
  let at = afterSpace(object, 1);
  while (object.charCodeAt(at) !== CLOSE_OBJECT) {
    const keyEnd = endOfString(object, at);
    const value = afterSeparator(object, keyEnd);
    const end = endOfValue(object, value);
    members.set(textOf(object.slice(at, keyEnd)), object.slice(value, end));
    at = afterSeparator(object, end);
  }
  return members;
}

export function objectOf(members: ReadonlyMap<string, string>): string {
  const written: string[] = [];
  for (const [key, value] of members) written.push(`${JSON.stringify(key)}:${value}`);
  return `{${written.join(",")}}`;
}

/** What stands between the brackets; "" when the array is empty. */
export function insideOf(array: string): string {
  return array.slice(1, -1).trim();
}

/** One text for equal values: no white space, keys in order, numbers and strings written in one way. */
export function canonicalJson(text: string, depth = 0): string {
  if (depth > DEPTH_MAX) throw new ProtocolError(`it is nested deeper than ${DEPTH_MAX} levels, too deep to compare`);
  switch (jsonKind(text)) {
    case "object":
      return canonicalObject(text, depth);
    case "array":
      return `[${elementsOf(text)
        .map((element) => canonicalJson(element, depth + 1))
        .join(",")}]`;
    case "number":
      return canonicalNumber(text);
    case "string":
      return text.includes("\\") ? JSON.stringify(JSON.parse(text)) : text;
    default:
      return text;
  }
}

function canonicalObject(text: string, depth: number): string {
  const members = [...membersOf(text)].sort(([one], [other]) => (one < other ? -1 : 1));
  return objectOf(new Map(members.map(([key, value]) => [key, canonicalJson(value, depth + 1)])));
}

/** What a JSON string says. */
export function textOf(string: string): string {
  return string.includes("\\") ? JSON.parse(string) : string.slice(1, -1);
}

function afterSpace(text: string, at: number): number {
  while (at < text.length && text.charCodeAt(at) <= 0x20) at++;
  return at;
}

/** The next thing behind a comma or a colon, or the bracket that closes. */
function afterSeparator(text: string, end: number): number {
  const at = afterSpace(text, end);
  const separator = text.charCodeAt(at);
  return separator === COMMA || separator === COLON ? afterSpace(text, at + 1) : at;
}

function endOfValue(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === QUOTE) return endOfString(text, at);
  if (first === OPEN_LIST || first === OPEN_OBJECT) return endOfNested(text, at);
  let end = at;
  while (end < text.length && !endsWord(text.charCodeAt(end))) end++;
  return end;
}

function endsWord(letter: number): boolean {
  return letter === COMMA || letter === CLOSE_LIST || letter === CLOSE_OBJECT || letter <= 0x20;
}

/** Brackets are balanced (T1), so they need not be told apart. */
function endOfNested(text: string, at: number): number {
  let open = 0;
  do {
    const letter = text.charCodeAt(at);
    if (letter === QUOTE) at = endOfString(text, at);
    else {
      if (letter === OPEN_LIST || letter === OPEN_OBJECT) open++;
      else if (letter === CLOSE_LIST || letter === CLOSE_OBJECT) open--;
      at++;
    }
  } while (open > 0);
  return at;
}

/** A quote ends the string unless an odd number of backslashes stands before it. */
function endOfString(text: string, at: number): number {
  let quote = at;
  for (;;) {
    quote = text.indexOf('"', quote + 1);
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((quote - before) % 2 === 1) return quote + 1;
  }
}
