/**
 * A state's value as a merge sees it. StateFun's built-in types are one-field protobuf messages that leave out a default
 * (STATEFUN.md §1.3): int {sfixed32 1}, long {sfixed64 1}, float {float 1}, double {double 1}, bool {bool 1}, string {string 1}.
 * What any other typename stands for is its own affair; if it can be merged, it is JSON.
 */
import { Reader, Writer } from "protobufjs/minimal";
import { detachTypedValue, typedValueHead } from "../functions/wire";
import { ProtocolError } from "../model/errors";
import { TypedValue } from "../model/typed-value";

export type Content =
  | { readonly kind: "integer"; readonly value: bigint; readonly bits: 32 | 64 }
  | { readonly kind: "float"; readonly value: number; readonly bits: 32 | 64 }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  /** Not yet looked at: UTF-8 text that should be JSON. */
  | { readonly kind: "json"; readonly value: string };

export interface TypedContent {
  readonly typename: string;
  /** The content of TypedValue's field 3. */
  readonly value: Uint8Array;
}

const BUILT_IN = "io.statefun.types/";
const EMPTY = new Uint8Array(0);

/** Of an encoded TypedValue. */
export function typedContent(bytes: Uint8Array): TypedContent {
  let typename = "";
  let value: Uint8Array = EMPTY;
  eachField(bytes, (tag, reader) => {
    if (tag === 0x0a) typename = reader.string();
    else if (tag === 0x1a) value = reader.bytes();
    else reader.skipType(tag & 7);
  });
  return { typename, value };
}

export function contentOf({ typename, value }: TypedContent): Content {
  switch (typename) {
    case `${BUILT_IN}int`:
      return { kind: "integer", bits: 32, value: BigInt(fixed(value, 0x0d, 4)?.getInt32(0, true) ?? 0) };
    case `${BUILT_IN}long`:
      return { kind: "integer", bits: 64, value: fixed(value, 0x09, 8)?.getBigInt64(0, true) ?? 0n };
    case `${BUILT_IN}float`:
      return { kind: "float", bits: 32, value: fixed(value, 0x0d, 4)?.getFloat32(0, true) ?? 0 };
    case `${BUILT_IN}double`:
      return { kind: "float", bits: 64, value: fixed(value, 0x09, 8)?.getFloat64(0, true) ?? 0 };
    case `${BUILT_IN}bool`:
      return { kind: "boolean", value: booleanOf(value) };
    case `${BUILT_IN}string`:
      return { kind: "string", value: stringOf(value) };
    default:
      return { kind: "json", value: utf8(value) };
  }
}

/** The encoded TypedValue. Throws ProtocolError when the type cannot hold the content. */
export function encodeContent(typename: string, content: Content): Uint8Array {
  return detachTypedValue(new TypedValue(typedValueHead(typename), wrapperOf(content))).head;
}

function wrapperOf(content: Content): Uint8Array {
  switch (content.kind) {
    case "integer":
      return integerBytes(content.value, content.bits);
    case "float":
      return floatBytes(content.value, content.bits);
    case "boolean":
      return content.value ? Uint8Array.of(0x08, 1) : EMPTY;
    case "string":
      return stringBytes(content.value);
    case "json":
      return Buffer.from(content.value);
  }
}

function integerBytes(value: bigint, bits: 32 | 64): Uint8Array {
  if (BigInt.asIntN(bits, value) !== value) throw new ProtocolError(`${value} is more than ${bits} bits hold`);
  if (value === 0n) return EMPTY;
  return fixedBytes(bits, (view) => (bits === 32 ? view.setInt32(1, Number(value), true) : view.setBigInt64(1, value, true)));
}

/** -0 is no default and so is written (proto3). */
function floatBytes(value: number, bits: 32 | 64): Uint8Array {
  if (Object.is(value, 0)) return EMPTY;
  return fixedBytes(bits, (view) => (bits === 32 ? view.setFloat32(1, value, true) : view.setFloat64(1, value, true)));
}

function fixedBytes(bits: 32 | 64, set: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(1 + bits / 8);
  bytes[0] = bits === 32 ? 0x0d : 0x09;
  set(new DataView(bytes.buffer));
  return bytes;
}

function stringBytes(value: string): Uint8Array {
  return value === "" ? EMPTY : Writer.create().uint32(0x0a).string(value).finish();
}

/** The bytes of the field with this tag; of several the last, as protobuf has it. Undefined: the default. */
function fixed(message: Uint8Array, expected: number, length: number): DataView | undefined {
  let found: DataView | undefined;
  eachField(message, (tag, reader) => {
    if (tag !== expected) return reader.skipType(tag & 7);
    found = new DataView(message.buffer, message.byteOffset + reader.pos, length);
    reader.skip(length);
  });
  return found;
}

function booleanOf(message: Uint8Array): boolean {
  let value = false;
  eachField(message, (tag, reader) => {
    if (tag === 0x08) value = reader.bool();
    else reader.skipType(tag & 7);
  });
  return value;
}

function stringOf(message: Uint8Array): string {
  let value: Uint8Array = EMPTY;
  eachField(message, (tag, reader) => {
    if (tag === 0x0a) value = reader.bytes();
    else reader.skipType(tag & 7);
  });
  return utf8(value);
}

function eachField(message: Uint8Array, read: (tag: number, reader: Reader) => void): void {
  try {
    const reader = Reader.create(message);
    while (reader.pos < reader.len) read(reader.uint32(), reader);
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError(`its ${message.length} bytes are no value of that type: ${(error as Error).message}`);
  }
}

/** Strict: bytes that are no UTF-8 would come back as others. */
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function utf8(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw new ProtocolError(`its ${bytes.length} bytes are no UTF-8 text`);
  }
}
