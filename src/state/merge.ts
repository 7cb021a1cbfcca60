/**
 * Partial states become one (DUAL-MODE.md 2.8): each lane of a dual-mode actor has updated its own part, and what the actor then
 * remembers must be what it would have remembered had one lane seen all messages.
 *
 * R1  Identity: an absent part changes nothing.
 * R2  Associative: pairs may be merged in any grouping of the lanes' order. Sums are so short of an overflow, those of fractions within
 *     rounding.
 * R3  Commutative, but for list-concat, whose elements stand in the lanes' order; the elements of a set-union and the keys of a map
 *     or partition say the same in any order.
 * R4  Nothing is half done: what cannot be merged is an error, and both values stay as they are.
 */
import type { MergeSpecification } from "../config/specification";
import { ProtocolError } from "../model/errors";
import { compareTexts, mergeJson } from "./merge-json";
import { membersOf, trimmed } from "./merge-json-text";
import { type Content, contentOf, encodeContent, type TypedContent, typedContent } from "./merge-typed";

/** One state of one lane. */
export interface PartValue {
  /** The encoded TypedValue as the store keeps it (has_value set); undefined: absent. */
  readonly bytes: Uint8Array | undefined;
  /** Instant of its last write, ms; 0: unknown. */
  readonly writtenMs: number;
}

/** Whether lanes can have parts of this state. Without strategy they cannot. */
export function splittable(spec: MergeSpecification | undefined): boolean {
  if (spec === undefined || spec.kind === "exclusive") return false;
  return spec.kind !== "map" || mergesMembers(spec.inner);
}

/** What decides about a whole state, or about the way of its messages, has no say about one member of a map. */
const WHOLE: readonly MergeSpecification["kind"][] = ["latest", "function", "exclusive", "partition"];

function mergesMembers(spec: MergeSpecification): boolean {
  return spec.kind === "map" ? mergesMembers(spec.inner) : !WHOLE.includes(spec.kind);
}

/** Whether the function is asked to merge it. */
export function mergedByFunction(spec: MergeSpecification): boolean {
  return spec.kind === "function";
}

/** Throws ProtocolError (strategy, typename, and why) when these two cannot be merged so; nothing is lost then (R4). */
export function mergeValue(spec: MergeSpecification, base: PartValue, part: PartValue): PartValue {
  const writtenMs = Math.max(base.writtenMs, part.writtenMs);
  if (base.bytes === undefined && part.bytes === undefined) return { bytes: undefined, writtenMs };
  if (part.bytes === undefined) return base;
  if (base.bytes === undefined) return part;
  try {
    const bytes = spec.kind === "latest" ? later(base, part) : merged(spec, base.bytes, part.bytes);
    return { bytes, writtenMs };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new ProtocolError(`merge ${strategyName(spec)} of ${typenameOf(base.bytes)}: ${error.message}`);
  }
}

/** All parts in the order of lanes, neighbours first, so that a value is merged again log2 of their number times. */
export function mergeAll(spec: MergeSpecification, base: PartValue, parts: readonly PartValue[]): PartValue {
  let level: readonly PartValue[] = [base, ...parts];
  while (level.length > 1) level = pairs(spec, level);
  return level[0] as PartValue;
}

function pairs(spec: MergeSpecification, level: readonly PartValue[]): PartValue[] {
  const next: PartValue[] = [];
  for (let i = 0; i < level.length; i += 2) {
    const left = level[i] as PartValue;
    const right = level[i + 1];
    next.push(right === undefined ? left : mergeValue(spec, left, right));
  }
  return next;
}

function strategyName(spec: MergeSpecification): string {
  switch (spec.kind) {
    case "map":
      return `map(${strategyName(spec.inner)})`;
    case "max-by":
      return `max-by(${spec.path.join(".")})`;
    case "partition":
      return `partition(${spec.keyPath.join(".")})`;
    default:
      return spec.kind;
  }
}

function typenameOf(bytes: Uint8Array): string {
  try {
    return typedContent(bytes).typename || "a value without a typename";
  } catch {
    return "bytes that are no TypedValue";
  }
}

/** Of two written at one instant, or at unknown ones, the one with the larger bytes: any lane would decide so. */
function later(base: PartValue, part: PartValue): Uint8Array {
  const [one, other] = [base.bytes, part.bytes] as [Uint8Array, Uint8Array];
  expectOneType(typedContent(one), typedContent(other));
  const order = base.writtenMs - part.writtenMs || compareBytes(one, other);
  return order >= 0 ? one : other;
}

function merged(spec: MergeSpecification, base: Uint8Array, part: Uint8Array): Uint8Array {
  if (mergedByFunction(spec)) throw new ProtocolError("only the function itself can");
  if (!splittable(spec)) throw new ProtocolError("such a state is never split");
  const one = typedContent(base);
  const other = typedContent(part);
  expectOneType(one, other);
  const result = mergeContent(spec, contentOf(one), contentOf(other));
  if (result === "base") return base;
  return result === "part" ? part : encodeContent(one.typename, result);
}

function expectOneType(base: TypedContent, part: TypedContent): void {
  if (base.typename !== part.typename)
    throw new ProtocolError(`the other part is a ${part.typename || "value without a typename"}`);
}

/** A value that is picked stays byte for byte as it is. */
type Merged = Content | "base" | "part";

function mergeContent(spec: MergeSpecification, base: Content, part: Content): Merged {
  const text = jsonOf(spec, base);
  const other = jsonOf(spec, part);
  if (text !== undefined && other !== undefined) {
    const value = mergeJson(spec, text, other);
    if (value === text) return "base";
    return value === other ? "part" : { kind: base.kind === "string" ? "string" : "json", value };
  }
  switch (spec.kind) {
    case "sum":
    case "count":
      return sum(spec.kind, base, part);
    case "min":
      return compare(base, part) <= 0 ? "base" : "part";
    case "max":
      return compare(base, part) >= 0 ? "base" : "part";
    default:
      throw new ProtocolError("it is for JSON: a type of one's own, or io.statefun.types/string with JSON in it");
  }
}

/** A built-in string is JSON where the strategy asks for more than one value, and otherwise a text. */
function jsonOf(spec: MergeSpecification, content: Content): string | undefined {
  if (content.kind === "json") return content.value;
  const isText = spec.kind === "sum" || spec.kind === "count" || spec.kind === "min" || spec.kind === "max";
  return content.kind === "string" && !isText ? content.value : undefined;
}

function sum(kind: "sum" | "count", base: Content, part: Content): Content {
  if (base.kind === "integer" && part.kind === "integer") return { ...base, value: base.value + part.value };
  if (base.kind !== "float" || part.kind !== "float") throw new ProtocolError("it is for numbers");
  if (kind === "count" && !(Number.isInteger(base.value) && Number.isInteger(part.value))) {
    throw new ProtocolError(`${base.value} and ${part.value} are not both whole numbers`);
  }
  return { ...base, value: base.value + part.value };
}

/** Total for the values of one type. As in Java, -0 is less than 0 and NaN more than every other number. */
function compare(base: Content, part: Content): number {
  if (base.kind === "integer" && part.kind === "integer") return base.value < part.value ? -1 : Number(base.value > part.value);
  if (base.kind === "float" && part.kind === "float") return compareFloats(base.value, part.value);
  if (base.kind === "string" && part.kind === "string") return compareTexts(base.value, part.value);
  if (base.kind === "boolean" && part.kind === "boolean") return Number(base.value) - Number(part.value);
  throw new ProtocolError("its values cannot be compared");
}

function compareFloats(one: number, other: number): number {
  if (one < other) return -1;
  if (one > other) return 1;
  if (Object.is(one, other)) return 0;
  if (Number.isNaN(one) || Number.isNaN(other)) return Number(Number.isNaN(one)) - Number(Number.isNaN(other));
  return Object.is(one, -0) ? -1 : 1;
}

function compareBytes(one: Uint8Array, other: Uint8Array): number {
  return Buffer.compare(one, other);
}

/** Sub-keys that a state merged by `partition` holds: the members of its object. None when it is no object. */
export function subKeysIn(bytes: Uint8Array): Iterable<string> {
  const content = contentOf(typedContent(bytes));
  try {
    return content.kind === "json" || content.kind === "string" ? membersOf(trimmed(content.value)).keys() : [];
  } catch (error) {
    if (error instanceof ProtocolError) return []; // Whoever merges it will say what it is.
    throw error;
  }
}
