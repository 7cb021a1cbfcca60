/** What stands in a message's argument: its typename, and the content without StateFun's wrapper. */
import { Reader } from "protobufjs/minimal";
import type { TypedValue } from "../model/typed-value";

/** Heads of ingress records are one object per topic: each is read once. */
const typenames = new WeakMap<Uint8Array, string>();

/** Empty: none, or unreadable. */
export function argumentTypename(argument: TypedValue): string {
  const known = typenames.get(argument.head);
  if (known !== undefined) return known;
  const { typename } = readTypedValue(argument.head);
  if (argument.value !== undefined) typenames.set(argument.head, typename);
  return typename;
}

/** The content; empty where there is none. */
export function argumentValue(argument: TypedValue): Uint8Array {
  return argument.value ?? readTypedValue(argument.head).value;
}

/** Text at a path of a JSON object; undefined where there is none. */
export function jsonTextAt(argument: TypedValue, path: readonly string[]): string | undefined {
  try {
    let at: unknown = JSON.parse(Buffer.from(argumentValue(argument)).toString("utf8"));
    for (const name of path) {
      if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
      at = (at as Readonly<Record<string, unknown>>)[name];
    }
    return at === undefined ? undefined : typeof at === "string" ? at : JSON.stringify(at);
  } catch {
    return undefined; // It is not JSON: it has no such text.
  }
}

function readTypedValue(bytes: Uint8Array): { typename: string; value: Uint8Array } {
  let typename = "";
  let value: Uint8Array = new Uint8Array(0);
  try {
    const reader = Reader.create(bytes);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === 10) typename = reader.string();
      else if (tag === 26) value = reader.bytes();
      else reader.skipType(tag & 7);
    }
  } catch {
    // Cut off: what could be read stands. The function will say what it thinks of it.
  }
  return { typename, value };
}
