/** The strategies on JSON: two texts become one. What is not merged stays as it is written. */
import type { MergeSpecification } from "../config/specification";
import { ProtocolError } from "../model/errors";
import { addNumbers, canonicalNumber, compareNumbers, numberKey } from "./merge-decimal";
import {
  canonicalJson,
  elementsOf,
  insideOf,
  type JsonKind,
  jsonKind,
  membersOf,
  objectOf,
  textOf,
  trimmed,
  wellFormed,
} from "./merge-json-text";
import { type MergeMember, mergedMembers, unionOf } from "./merge-walk";

/** What walks all of a text by itself finds what is wrong with it. */
const WALKING: readonly MergeSpecification["kind"][] = ["set-union", "map", "partition"];

/** Throws ProtocolError (why, without the strategy) when these two cannot be merged. */
export function mergeJson(spec: MergeSpecification, base: string, part: string): string {
  const [one, other] = [trimmed(base), trimmed(part)];
  return WALKING.includes(spec.kind) ? merged(spec, one, other) : merged(spec, wellFormed(one), wellFormed(other));
}

function merged(spec: MergeSpecification, base: string, part: string): string {
  switch (spec.kind) {
    case "sum":
    case "count":
      return sum(spec.kind, base, part);
    case "min":
      return compareValues(base, part) <= 0 ? base : part;
    case "max":
      return compareValues(base, part) >= 0 ? base : part;
    case "max-by":
      return compareAt(spec.path, base, part) >= 0 ? base : part;
    case "set-union":
      return union(base, part);
    case "list-concat":
      return concatenation(base, part);
    case "map":
      return perKey(base, part, (key, one, other) => inside(key, () => merged(spec.inner, one, other)));
    case "partition":
      return perKey(base, part, (key) => {
        throw new ProtocolError(`key ${shown(JSON.stringify(key()))} is in two parts, so that messages of one key went to both`);
      });
    case "latest": // The last write is known of the whole state only: who wrote another key says nothing of this one.
    case "function":
    case "exclusive":
      throw new ProtocolError("only a state as a whole can be so");
  }
}

/** Says at which key of a map it went wrong. */
function inside(key: () => string, merge: () => string): string {
  try {
    return merge();
  } catch (error) {
    if (error instanceof ProtocolError) throw new ProtocolError(`key ${shown(JSON.stringify(key()))}: ${error.message}`);
    throw error;
  }
}

function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** Both values are of this kind, or it is said which is not. */
function expectBoth(kind: JsonKind, base: string, part: string): void {
  for (const text of [base, part]) {
    if (jsonKind(text) !== kind) throw new ProtocolError(`${shown(text)} is no ${kind}`);
  }
}

function sum(kind: "sum" | "count", base: string, part: string): string {
  expectBoth("number", base, part);
  if (kind === "count") for (const text of [base, part]) expectWhole(text);
  const total = addNumbers(base, part);
  if (total === undefined) throw new ProtocolError(`${shown(base)} + ${shown(part)} is more than a double holds`);
  return total;
}

function expectWhole(text: string): void {
  if (/e-/.test(canonicalNumber(text))) throw new ProtocolError(`${shown(text)} is no whole number`);
}

/** Total: 0 only for equal texts. Numbers by value, texts by their letters' code points, false before true. */
function compareValues(base: string, part: string): number {
  const kind = jsonKind(base);
  if (kind !== jsonKind(part)) throw new ProtocolError(`${shown(base)} and ${shown(part)} cannot be compared`);
  switch (kind) {
    case "number":
      return compareNumbers(base, part) || compareTexts(base, part);
    case "string":
      return compareTexts(textOf(base), textOf(part)) || compareTexts(base, part);
    case "boolean":
      return compareTexts(base, part); // "false" < "true".
    default:
      throw new ProtocolError(`${shown(base)} is neither number nor text`);
  }
}

/** By code points, as in UTF-8; JavaScript's < goes by UTF-16 and puts some emoji before other letters. */
export function compareTexts(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let i = 0; i < length; i++) {
    const first = one.charCodeAt(i);
    const second = other.charCodeAt(i);
    if (first !== second) return codePointRank(first) - codePointRank(second);
  }
  return one.length - other.length;
}

/** Surrogates stand for code points beyond all others. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Ties go by content, then by the way it is written, so that the order of parts decides nothing. */
function compareAt(path: readonly string[], base: string, part: string): number {
  const order = compareNumbers(numberAt(path, base), numberAt(path, part));
  if (order !== 0 || base === part) return order;
  return compareTexts(canonicalJson(base), canonicalJson(part)) || compareTexts(base, part);
}

function numberAt(path: readonly string[], value: string): string {
  let found: string | undefined = value;
  for (const key of path) {
    found = found !== undefined && jsonKind(found) === "object" ? membersOf(found).get(key) : undefined;
  }
  if (found === undefined || jsonKind(found) !== "number") {
    throw new ProtocolError(`${shown(value)} has no number at ${path.join(".")}`);
  }
  return found;
}

/** The base's elements first, then those that only the part has; a set has no order, and this one disturbs the least. */
function union(base: string, part: string): string {
  expectBoth("array", base, part);
  return unionOf(base, part, sameContent) ?? unionByContent(base, part);
}

function sameContent(one: string, other: string): boolean {
  return contentKey(one) === contentKey(other);
}

/** For what is not usual. */
function unionByContent(base: string, part: string): string {
  const added = new Map<string | number, string>();
  for (const element of elementsOf(part)) {
    const content = contentKey(element);
    if (!added.has(content)) added.set(content, element);
  }
  for (const element of elementsOf(base)) added.delete(contentKey(element));
  return added.size === 0 ? base : joined(insideOf(base), [...added.values()].join(","));
}

/** The same for equal values, and for no others: texts begin with a quote, lists and objects with a bracket. */
function contentKey(element: string): string | number {
  return jsonKind(element) === "number" ? numberKey(element) : canonicalJson(element);
}

function concatenation(base: string, part: string): string {
  expectBoth("array", base, part);
  return joined(insideOf(base), insideOf(part));
}

function joined(first: string, second: string): string {
  return `[${first}${first !== "" && second !== "" ? "," : ""}${second}]`;
}

function perKey(base: string, part: string, both: MergeMember): string {
  expectBoth("object", base, part);
  return mergedMembers(base, part, sameText, both) ?? perKeyByText(base, part, both);
}

function sameText(one: string, other: string): boolean {
  return textOf(one) === textOf(other);
}

/** For what is not usual. */
function perKeyByText(base: string, part: string, both: MergeMember): string {
  const members = membersOf(base);
  for (const [key, value] of membersOf(part)) {
    const known = members.get(key);
    members.set(key, known === undefined ? value : both(() => key, known, value));
  }
  return objectOf(members);
}
