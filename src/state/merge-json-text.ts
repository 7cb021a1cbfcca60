/**
 * Walks JSON text without making objects of it: a merge keeps what it does not merge letter by letter, long numbers included, and
 * appending to a long list costs no more than reading it. What is walked is checked (RFC 8259) on the way.
 */
import { ProtocolError } from "../model/errors";
import { canonicalNumber } from "./merge-decimal";

export type JsonKind = "object" | "array" | "string" | "number" | "boolean" | "null";

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Each level takes a frame of the stack. */
const DEPTH_MAX = 500;

/** The text without white space around it; it may be no JSON. */
export function trimmed(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(afterSpace(text, 0), end);
}

/** Throws ProtocolError when a trimmed text is no JSON. */
export function wellFormed(text: string): string {
  ended(text, endOfValue(text, 0, 0));
  return text;
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

/** The elements of an array, as they are written. Throws ProtocolError when it is no JSON. */
export function elementsOf(array: string): string[] {
  const elements: string[] = [];
  const end = endOfArray(array, 0, 0, (start, stop) => elements.push(array.slice(start, stop)));
  ended(array, end);
  return elements;
}

/**
 * The members of an object by key, their values as they are written; of members with one key the last, as everywhere. Throws
 * ProtocolError when it is no JSON.
 */
export function membersOf(object: string): Map<string, string> {
  const members = new Map<string, string>();
  const end = endOfObject(object, 0, 0, (keyStart, keyEnd, start, stop) =>
    members.set(textOf(object.slice(keyStart, keyEnd)), object.slice(start, stop)),
  );
  ended(object, end);
  return members;
}

export function objectOf(members: ReadonlyMap<string, string>): string {
  const written: string[] = [];
  for (const [key, value] of members) written.push(`${JSON.stringify(key)}:${value}`);
  return `{${written.join(",")}}`;
}

/** What stands between the brackets; "" when the array is empty. */
export function insideOf(array: string): string {
  return trimmed(array.slice(1, -1));
}

/** One text for equal values: no white space, keys in order, numbers and strings written in one way. */
export function canonicalJson(text: string): string {
  switch (jsonKind(text)) {
    case "object":
      return canonicalObject(text);
    case "array":
      return `[${elementsOf(text).map(canonicalJson).join(",")}]`;
    case "number":
      return canonicalNumber(text);
    case "string":
      return text.includes("\\") ? JSON.stringify(JSON.parse(text)) : text;
    default:
      return text;
  }
}

function canonicalObject(text: string): string {
  const members = [...membersOf(text)].sort(([one], [other]) => (one < other ? -1 : 1));
  return objectOf(new Map(members.map(([key, value]) => [key, canonicalJson(value)])));
}

/** What a JSON string says. */
export function textOf(string: string): string {
  return string.includes("\\") ? JSON.parse(string) : string.slice(1, -1);
}

function malformed(text: string, at: number): ProtocolError {
  const found = at < text.length ? `${JSON.stringify(text.slice(at, at + 10))} at letter ${at}` : "it ends too early";
  return new ProtocolError(`it is no JSON: ${found}`);
}

function ended(text: string, end: number): void {
  if (end !== text.length) throw malformed(text, end);
}

function isSpace(letter: number): boolean {
  return letter === 0x20 || letter === 0x0a || letter === 0x0d || letter === 0x09;
}

function afterSpace(text: string, at: number): number {
  while (isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** Where the value that begins here ends. */
export function endOfValue(text: string, at: number, depth: number): number {
  switch (text.charCodeAt(at)) {
    case QUOTE:
      return endOfString(text, at);
    case OPEN_LIST:
      return endOfArray(text, at, depth);
    case OPEN_OBJECT:
      return endOfObject(text, at, depth);
    case 0x74:
      return endOfWord(text, at, "true");
    case 0x66:
      return endOfWord(text, at, "false");
    case 0x6e:
      return endOfWord(text, at, "null");
    default:
      return endOfNumber(text, at);
  }
}

function endOfArray(text: string, at: number, depth: number, take?: (start: number, end: number) => void): number {
  let start = opened(text, at, OPEN_LIST, depth);
  if (text.charCodeAt(start) === CLOSE_LIST) return start + 1;
  for (;;) {
    const end = endOfValue(text, start, depth + 1);
    take?.(start, end);
    const separator = afterSpace(text, end);
    if (text.charCodeAt(separator) === CLOSE_LIST) return separator + 1;
    start = behind(text, separator, COMMA);
  }
}

type TakeMember = (keyStart: number, keyEnd: number, start: number, end: number) => void;

function endOfObject(text: string, at: number, depth: number, take?: TakeMember): number {
  let key = opened(text, at, OPEN_OBJECT, depth);
  if (text.charCodeAt(key) === CLOSE_OBJECT) return key + 1;
  for (;;) {
    const keyEnd = endOfString(text, key);
    const start = behind(text, afterSpace(text, keyEnd), COLON);
    const end = endOfValue(text, start, depth + 1);
    take?.(key, keyEnd, start, end);
    const separator = afterSpace(text, end);
    if (text.charCodeAt(separator) === CLOSE_OBJECT) return separator + 1;
    key = behind(text, separator, COMMA);
  }
}

function opened(text: string, at: number, bracket: number, depth: number): number {
  if (depth > DEPTH_MAX) throw new ProtocolError(`it is nested deeper than ${DEPTH_MAX} levels`);
  return behind(text, at, bracket);
}

/** The next letter that counts behind this one, which must stand here. */
function behind(text: string, at: number, letter: number): number {
  if (text.charCodeAt(at) !== letter) throw malformed(text, at);
  return afterSpace(text, at + 1);
}

function endOfWord(text: string, at: number, word: string): number {
  if (!text.startsWith(word, at)) throw malformed(text, at);
  return at + word.length;
}

function endOfNumber(text: string, at: number): number {
  const whole = text.charCodeAt(at) === MINUS ? at + 1 : at;
  let end = text.charCodeAt(whole) === ZERO ? whole + 1 : afterDigits(text, whole);
  if (text.charCodeAt(end) === POINT) end = afterDigits(text, end + 1);
  if ((text.charCodeAt(end) | 0x20) !== 0x65) return end; // e, E
  const sign = text.charCodeAt(end + 1);
  return afterDigits(text, sign === PLUS || sign === MINUS ? end + 2 : end + 1);
}

/** One at least. */
function afterDigits(text: string, at: number): number {
  let end = at;
  for (let letter = text.charCodeAt(end); letter >= ZERO && letter <= NINE; letter = text.charCodeAt(end)) end++;
  if (end === at) throw malformed(text, at);
  return end;
}

function endOfString(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) throw malformed(text, at);
  let end = at + 1;
  for (let letter = text.charCodeAt(end); letter !== QUOTE; letter = text.charCodeAt(end)) {
    if (letter === BACKSLASH) end = afterEscape(text, end);
    else if (letter >= 0x20) end++;
    else throw malformed(text, end); // A control character, or NaN: no letter at all.
  }
  return end + 1;
}

const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

function afterEscape(text: string, at: number): number {
  ESCAPE.lastIndex = at;
  if (!ESCAPE.test(text)) throw malformed(text, at);
  return ESCAPE.lastIndex;
}
