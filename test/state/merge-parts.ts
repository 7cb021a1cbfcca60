/** Parts as lanes keep them, written and read by protobufjs' reflection: an oracle for our own codec. */
import type { MergeSpecification } from "../../src/config/specification";
import { mergeAll, mergeValue, type PartValue } from "../../src/state/merge";
import { decodeWrapper, encodeWrapper, type WrapperName } from "../conformance/protocol";
import { decodeMessage, encodeMessage } from "../support/statefun-proto";

export const ABSENT: PartValue = { bytes: undefined, writtenMs: 0 };

export function typedPart(typename: string, value: Uint8Array, writtenMs = 0): PartValue {
  return { bytes: encodeMessage("TypedValue", { typename, has_value: true, value }), writtenMs };
}

export function typedValueOf(part: PartValue): { typename: string; value: Buffer } {
  if (part.bytes === undefined) throw new Error("expected a value, but there is none");
  const { typename, has_value, value } = decodeMessage<{ typename?: string; has_value?: boolean; value?: Uint8Array }>(
    "TypedValue",
    part.bytes,
  );
  if (!has_value) throw new Error("expected has_value to be set");
  return { typename: typename ?? "", value: Buffer.from(value ?? []) };
}

/** A type whose values a test can write, read, and compare. */
export interface Lens<T> {
  readonly name: string;
  part(value: T, writtenMs?: number): PartValue;
  read(part: PartValue): T;
}

function lens<T>(typename: string, encode: (value: T) => Uint8Array, decode: (bytes: Buffer) => T): Lens<T> {
  return {
    name: typename,
    part: (value, writtenMs) => typedPart(typename, encode(value), writtenMs),
    read: (part) => {
      const found = typedValueOf(part);
      if (found.typename !== typename) throw new Error(`expected a ${typename}, got a ${found.typename}`);
      return decode(found.value);
    },
  };
}

function builtIn<T>(name: string, wrapper: WrapperName, of: (value: unknown) => T): Lens<T> {
  return lens(
    `io.statefun.types/${name}`,
    (value) => encodeWrapper(wrapper, value),
    (bytes) => of(decodeWrapper(wrapper, bytes)),
  );
}

export const int = builtIn("int", "IntWrapper", Number);
export const long = builtIn("long", "LongWrapper", (value) => BigInt(value as string));
export const float = builtIn("float", "FloatWrapper", Number);
export const double = builtIn("double", "DoubleWrapper", Number);
export const bool = builtIn("bool", "BooleanWrapper", Boolean);
export const string = builtIn("string", "StringWrapper", String);

/** JSON text as it is written, under a name of its own. */
export const text = lens<string>(
  "shop/json",
  (value) => Buffer.from(value),
  (bytes) => bytes.toString(),
);
export const json = lens<unknown>(
  "shop/json",
  (value) => Buffer.from(JSON.stringify(value)),
  (bytes) => JSON.parse(bytes.toString()),
);
/** JSON in a built-in string. */
export const jsonString: Lens<unknown> = {
  name: string.name,
  part: (value, writtenMs) => string.part(JSON.stringify(value), writtenMs),
  read: (part) => JSON.parse(string.read(part)),
};

/** Base and one part, written and read by one lens. */
export function mergeOf<T>(spec: MergeSpecification, of: Lens<T>, base: T, part: T): T {
  return of.read(mergeValue(spec, of.part(base), of.part(part)));
}

export function mergeAllOf<T>(spec: MergeSpecification, of: Lens<T>, ...lanes: readonly T[]): T {
  const [base, ...parts] = lanes.map((value) => of.part(value));
  return of.read(mergeAll(spec, base ?? ABSENT, parts));
}
