/**
 * Types of values that messages and states carry. A type has a name that all languages share and knows how its values
 * become bytes.
 *
 * StateFun's built-in types are one-field protobuf messages that leave out a default: `0`, `false` and `""` are zero
 * bytes. Other SDKs insist on that form when reading, so writing keeps to it; reading takes anything legal.
 */
import { ProtocolError } from "../../model/errors";
import { checkTypename } from "./address";
import { Reader, utf8Length, Writer } from "./protobuf";

const nothing: Buffer = Buffer.alloc(0);

export abstract class Type<T> {
  /** The beginning of a TypedValue of this type: typename = 1 and has_value = 2. */
  readonly head: Uint8Array;
  readonly typenameBytes: Uint8Array;

  constructor(readonly typename: string) {
    checkTypename(typename, "type");
    this.typenameBytes = Buffer.from(typename);
    const writer = new Writer(typename.length + 8);
    writer.bytesField(0x0a, this.typenameBytes);
    writer.byte(0x10);
    writer.byte(1);
    this.head = writer.finish();
  }

  abstract encode(value: T): Uint8Array;
  abstract decode(bytes: Buffer): T;

  /** A value together with its type, ready to be sent: `ctx.send(target, types.int.of(1))`. */
  of(value: T): Typed {
    return new Typed(this, value);
  }

  /** Throws when `value` has no encoding; states check when they are assigned, and encode once per request. */
  check(_value: T): void {}

  /** Makes a value that a state holds safe to hold. */
  settle(value: T): T {
    return value;
  }
}

/** A value with its type. */
export class Typed {
  constructor(
    readonly type: Type<unknown>,
    readonly value: unknown,
  ) {}

  encode(): Uint8Array {
    return this.type.encode(this.value);
  }
}

/** Anything with a `parse` that returns the value or throws: zod, valibot's wrappers, a function of your own. */
export interface Schema<T> {
  parse(value: unknown): T;
}

/** The content field of a wrapper message: the last one with `tag`, other fields passed over; -1 when absent. */
function contentOf(reader: Reader, tag: number, bytes: number): number {
  let at = -1;
  while (reader.more) {
    const found = reader.varint();
    if (found === tag) at = reader.fixed(bytes);
    else reader.skip(found);
  }
  return at;
}

function refuse(type: Type<unknown>, value: unknown, expected: string): never {
  const shown = typeof value === "bigint" ? `${value}n` : (JSON.stringify(value) ?? String(value));
  throw new ProtocolError(`${shown.slice(0, 100)} is no ${type.typename}: expected ${expected}`);
}

class BooleanType extends Type<boolean> {
  static readonly #true = Buffer.from([0x08, 1]);

  override check(value: boolean): void {
    if (typeof value !== "boolean") refuse(this, value, "true or false");
  }
  encode(value: boolean): Uint8Array {
    this.check(value);
    return value ? BooleanType.#true : nothing;
  }
  decode(bytes: Buffer): boolean {
    const reader = new Reader(bytes, 0, bytes.length);
    let value = false;
    while (reader.more) {
      const tag = reader.varint();
      if (tag === 0x08) value = reader.varint() !== 0;
      else reader.skip(tag);
    }
    return value;
  }
}

class IntType extends Type<number> {
  override check(value: number): void {
    if (value !== (value | 0)) refuse(this, value, "an integer from -2147483648 to 2147483647");
  }
  encode(value: number): Uint8Array {
    this.check(value);
    if (value === 0) return nothing;
    const bytes = Buffer.allocUnsafe(5);
    bytes[0] = 0x0d;
    bytes.writeInt32LE(value, 1);
    return bytes;
  }
  decode(bytes: Buffer): number {
    const at = contentOf(new Reader(bytes, 0, bytes.length), 0x0d, 4);
    return at < 0 ? 0 : bytes.readInt32LE(at);
  }
}

class LongType extends Type<bigint> {
  override check(value: bigint): void {
    if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) refuse(this, value, "a bigint of 64 bits");
  }
  encode(value: bigint): Uint8Array {
    this.check(value);
    if (value === 0n) return nothing;
    const bytes = Buffer.allocUnsafe(9);
    bytes[0] = 0x09;
    bytes.writeBigInt64LE(value, 1);
    return bytes;
  }
  decode(bytes: Buffer): bigint {
    const at = contentOf(new Reader(bytes, 0, bytes.length), 0x09, 8);
    return at < 0 ? 0n : bytes.readBigInt64LE(at);
  }
}

/** -0 is written, as proto3 has it; StateFun's JavaScript and Python SDKs leave it out and so read and write it as 0. */
class FloatType extends Type<number> {
  override check(value: number): void {
    if (typeof value !== "number") refuse(this, value, "a number");
  }
  encode(value: number): Uint8Array {
    this.check(value);
    if (Object.is(value, 0)) return nothing;
    const bytes = Buffer.allocUnsafe(5);
    bytes[0] = 0x0d;
    bytes.writeFloatLE(value, 1);
    return bytes;
  }
  decode(bytes: Buffer): number {
    const at = contentOf(new Reader(bytes, 0, bytes.length), 0x0d, 4);
    return at < 0 ? 0 : bytes.readFloatLE(at);
  }
}

class DoubleType extends Type<number> {
  override check(value: number): void {
    if (typeof value !== "number") refuse(this, value, "a number");
  }
  encode(value: number): Uint8Array {
    this.check(value);
    if (Object.is(value, 0)) return nothing; // -0 is written: see FloatType.
    const bytes = Buffer.allocUnsafe(9);
    bytes[0] = 0x09;
    bytes.writeDoubleLE(value, 1);
    return bytes;
  }
  decode(bytes: Buffer): number {
    const at = contentOf(new Reader(bytes, 0, bytes.length), 0x09, 8);
    return at < 0 ? 0 : bytes.readDoubleLE(at);
  }
}

class StringType extends Type<string> {
  override check(value: string): void {
    if (typeof value !== "string") refuse(this, value, "a string");
  }
  encode(value: string): Uint8Array {
    this.check(value);
    if (value === "") return nothing;
    const length = utf8Length(value);
    const writer = new Writer(length + 6);
    writer.textField(0x0a, value, length);
    return writer.finish();
  }
  decode(bytes: Buffer): string {
    const reader = new Reader(bytes, 0, bytes.length);
    let value = "";
    while (reader.more) {
      const tag = reader.varint();
      if (tag === 0x0a) value = reader.text();
      else reader.skip(tag);
    }
    return value;
  }
}

class JsonType<T> extends Type<T> {
  constructor(
    typename: string,
    readonly schema: Schema<T> | undefined,
  ) {
    super(typename);
  }
  encode(value: T): Uint8Array {
    const text = JSON.stringify(value);
    if (text === undefined) refuse(this, value, "a value that JSON can write");
    return Buffer.from(text);
  }
  decode(bytes: Buffer): T {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return this.schema === undefined ? (value as T) : this.schema.parse(value);
  }
  /** A change inside a state's value, without assigning it, would be lost silently: frozen, it throws instead. */
  override settle(value: T): T {
    return frozen(value);
  }
}

function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) frozen(inner);
  return value;
}

class TextType extends Type<string> {
  override check(value: string): void {
    if (typeof value !== "string") refuse(this, value, "a string");
  }
  encode(value: string): Uint8Array {
    this.check(value);
    return Buffer.from(value);
  }
  decode(bytes: Buffer): string {
    return bytes.toString("utf8");
  }
}

class BytesType extends Type<Uint8Array> {
  override check(value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) refuse(this, value, "a Buffer or Uint8Array");
  }
  encode(value: Uint8Array): Uint8Array {
    this.check(value);
    return value;
  }
  /** A copy, so that a value that is kept does not keep its whole request in memory. */
  decode(bytes: Buffer): Buffer {
    return Buffer.from(bytes);
  }
}

/** How values of a type of your own become bytes and back; protobufjs, msgpack, Avro … */
export interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Buffer): T;
}

class CustomType<T> extends Type<T> {
  constructor(
    typename: string,
    readonly codec: Codec<T>,
  ) {
    super(typename);
  }
  encode(value: T): Uint8Array {
    return this.codec.encode(value);
  }
  decode(bytes: Buffer): T {
    return this.codec.decode(bytes);
  }
}

/** Name of plain bytes when the user gives none; StateFun has no built-in type for them. */
const bytesTypename = "io.dirigo.types/bytes";

export const types = {
  boolean: new BooleanType("io.statefun.types/bool") as Type<boolean>,
  /** 32 bits. */
  int: new IntType("io.statefun.types/int") as Type<number>,
  /** 64 bits, as a bigint. */
  long: new LongType("io.statefun.types/long") as Type<bigint>,
  /** 32 bits: what is read back may differ from what was written in the eighth digit. */
  float: new FloatType("io.statefun.types/float") as Type<number>,
  /** A JavaScript number as it is. */
  double: new DoubleType("io.statefun.types/double") as Type<number>,
  /** StateFun's string: a protobuf message, not bare UTF-8; for that see `text`. */
  string: new StringType("io.statefun.types/string") as Type<string>,

  /** JSON text. What is read passes through `schema` when one is given. */
  json<T>(typename: string, schema?: Schema<T>): Type<T> {
    return new JsonType(typename, schema);
  },
  /** Bare UTF-8 under a name of your own: what most producers write as a record's value. */
  text(typename: string): Type<string> {
    return new TextType(typename);
  },
  /** Bytes as they are. */
  bytes(typename: string = bytesTypename): Type<Uint8Array> {
    return new BytesType(typename);
  },
  custom<T>(typename: string, codec: Codec<T>): Type<T> {
    return new CustomType(typename, codec);
  },
} as const;

/** What can be sent without naming a type: strings, booleans and bigints have exactly one built-in type each. */
export type Sendable = Typed | string | boolean | bigint;

/** A plain number is refused: it could be an int, a double or a float, and the receiver asks for exactly one of them. */
export function typed(value: Sendable): Typed {
  if (value instanceof Typed) return value;
  switch (typeof value) {
    case "string":
      return types.string.of(value);
    case "boolean":
      return types.boolean.of(value);
    case "bigint":
      return types.long.of(value);
    default:
      throw new TypeError(
        `cannot tell the type of ${JSON.stringify(value)}: say it, for example types.int.of(1) or types.json<Order>("shop/order").of(order)`,
      );
  }
}
