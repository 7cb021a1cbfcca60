import { fieldLength, utf8Length, Writer } from "./protobuf";

/** Names one function instance: the function's typename (`namespace/name`) and the instance's id. */
export interface Address {
  readonly typename: string;
  readonly id: string;
}

export function addressText(address: Address): string {
  return `${address.typename}/${address.id}`;
}

/** Throws unless `typename` is `namespace/name`: module.yaml and the router cannot name anything else. */
export function checkTypename(typename: string, what: string): void {
  if (typeof typename !== "string" || !/^[^/]+\/[^/]+$/.test(typename)) {
    throw new TypeError(`${what}: expected a typename "namespace/name", got ${JSON.stringify(typename)}`);
  }
}

/** Functions address few typenames; the bound only stops one that makes names up from filling the memory. */
const prefixesMax = 4096;
const prefixes = new Map<string, Uint8Array>();

/**
 * `{namespace = 1, name = 2}` of a typename, encoded: how both Address and EgressMessage begin. The last slash divides,
 * as in the other SDKs, so that a caller from elsewhere can always be answered.
 */
export function namePrefix(typename: string): Uint8Array {
  const known = prefixes.get(typename);
  if (known !== undefined) return known;
  const slash = typeof typename === "string" ? typename.lastIndexOf("/") : -1;
  if (slash <= 0 || slash === typename.length - 1) {
    throw new TypeError(`expected a typename "namespace/name", got ${JSON.stringify(typename)}`);
  }
  const namespace = typename.slice(0, slash);
  const name = typename.slice(slash + 1);
  const writer = new Writer(typename.length + 8);
  writer.textField(0x0a, namespace, utf8Length(namespace));
  writer.textField(0x12, name, utf8Length(name));
  const prefix = writer.finish();
  if (prefixes.size >= prefixesMax) prefixes.clear();
  prefixes.set(typename, prefix);
  return prefix;
}

/** Address { namespace = 1, type = 2, id = 3 }, its length given by `addressLength`. */
export function writeAddress(writer: Writer, prefix: Uint8Array, id: string, idLength: number): void {
  writer.bytes(prefix);
  writer.textField(0x1a, id, idLength);
}

export function addressLength(prefix: Uint8Array, idLength: number): number {
  return prefix.length + fieldLength(idLength);
}
