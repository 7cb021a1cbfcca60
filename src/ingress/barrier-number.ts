/**
 * The number of a barrier as it stands in a message: in a JSON or protobuf value, by its path, or in the text of a header. Numbers are whole,
 * 0 to 2^53 - 1: what is anything else is no number, and the message stands alone.
 */
import { Reader } from "protobufjs/minimal";
import type { BarrierNumberSpecification } from "../config/specification";

/** Where a number can be read in a value. */
export type NumberPath = Exclude<BarrierNumberSpecification, { readonly kind: "counter" }>;

/** The number at this path of a value (the content of a TypedValue, without its wrapper); undefined: there is none. */
export function barrierNumberIn(value: Uint8Array, path: NumberPath): number | undefined {
  try {
    return path.kind === "json" ? inJson(value, path.path) : inProtobuf(Reader.create(value), value.length, path.path, 0);
  } catch {
    return undefined; // Not JSON, or cut off: whatever it is, it has no number.
  }
}

/** Protobuf's JSON form writes 64-bit integers as text. */
function inJson(value: Uint8Array, path: readonly string[]): number | undefined {
  let at: unknown = JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.length).toString("utf8"));
  for (const name of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return typeof at === "string" ? digits(at) : whole(at);
}

/** A varint, or an integer of fixed length. As protobuf has it, of a field that comes several times the last one counts, and an embedded message that does is one. */
function inProtobuf(reader: Reader, end: number, path: readonly number[], depth: number): number | undefined {
  let found: number | undefined;
  while (reader.pos < end) {
    const tag = reader.uint32();
    const wire = tag & 7;
    if (tag >>> 3 !== path[depth]) reader.skipType(wire);
    else if (depth === path.length - 1) found = integer(reader, wire);
    else if (wire === 2) {
      const inner = reader.uint32() + reader.pos;
      if (inner > end) return undefined;
      found = inProtobuf(reader, inner, path, depth + 1) ?? found;
    } else reader.skipType(wire);
  }
  return reader.pos === end ? found : undefined;
}

function integer(reader: Reader, wire: number): number | undefined {
  if (wire === 0) return whole(Number(reader.uint64()));
  if (wire === 1) return whole(Number(reader.fixed64()));
  if (wire === 5) return whole(reader.fixed32());
  reader.skipType(wire);
  return undefined;
}

/** `17`, or `series:17`. undefined: neither. */
export function barrierInText(text: string): { readonly series: string; readonly number: number } | undefined {
  const colon = text.lastIndexOf(":");
  const number = digits(text.slice(colon + 1).trim());
  return number === undefined ? undefined : { series: text.slice(0, Math.max(0, colon)).trim(), number };
}

function digits(text: string): number | undefined {
  return /^\d{1,16}$/.test(text) ? whole(Number(text)) : undefined;
}

/** Larger ones are not exact any more. */
function whole(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}
