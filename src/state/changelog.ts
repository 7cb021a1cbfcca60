/**
 * The records of `<group>.state`: what a shard remembers, as keys and values.
 *
 * Keys are text with NUL between the parts, so that a console consumer shows them readably; an id comes last, for it may hold any
 * character. Values begin with a varint format version (1); what a router does not know it refuses, since forgetting is worse.
 *
 *   s NUL typename NUL state NUL id    a state value: version, written-ms, encoded TypedValue to the end
 *   l NUL typename NUL state NUL lane NUL id   a state value of a lessee's part: as s
 *   a NUL typename NUL id              a dual-mode actor's barriers and channels: scaling/actor-record.ts
 *   i NUL typename NUL id              last invocation (only types with a state that expires after invocation): version, ms
 *   f NUL typename NUL state           a declared state: version, value typename, expire mode, expire-after ms
 *   m NUL sequence                     a message that waits (pending or delayed): functions/pending.ts
 *   p NUL cluster NUL topic NUL n      progress of an ingress partition: ingress/progress.ts
 */
import { Reader, Writer } from "protobufjs/minimal";
import type { ExpireMode, StateDeclaration } from "../functions/wire";
import { ProtocolError } from "../model/errors";

const NUL = "\0";

export type ChangelogKey =
  | { readonly kind: "value"; readonly typename: string; readonly state: string; readonly id: string }
  | { readonly kind: "part"; readonly typename: string; readonly state: string; readonly lane: number; readonly id: string }
  | { readonly kind: "actor"; readonly typename: string; readonly id: string }
  | { readonly kind: "invoked"; readonly typename: string; readonly id: string }
  | { readonly kind: "declaration"; readonly typename: string; readonly state: string }
  | { readonly kind: "message"; readonly sequence: number }
  | { readonly kind: "progress"; readonly cluster: string; readonly topic: string; readonly partition: number };

export function valueKey(typename: string, state: string, id: string): string {
  return `s${NUL}${typename}${NUL}${state}${NUL}${id}`;
}

/** Of the base for lane 0, else of a part. */
export function laneValueKey(typename: string, state: string, lane: number, id: string): string {
  return lane === 0 ? valueKey(typename, state, id) : `l${NUL}${typename}${NUL}${state}${NUL}${lane}${NUL}${id}`;
}

export function actorKey(typename: string, id: string): string {
  return `a${NUL}${typename}${NUL}${id}`;
}

export function invokedKey(typename: string, id: string): string {
  return `i${NUL}${typename}${NUL}${id}`;
}

export function declarationKey(typename: string, state: string): string {
  return `f${NUL}${typename}${NUL}${state}`;
}

export function messageKey(sequence: number): string {
  return `m${NUL}${sequence}`;
}

export function progressKey(cluster: string, topic: string, partition: number): string {
  return `p${NUL}${cluster}${NUL}${topic}${NUL}${partition}`;
}

/** Throws ProtocolError when it is of a kind of later days, or broken. */
export function decodeKey(bytes: Uint8Array): ChangelogKey {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  const parts = PARTS[text.slice(0, 2)] ?? 1;
  const first = text.indexOf(NUL, 2);
  const second = text.indexOf(NUL, first + 1);
  if ((parts > 1 && first < 0) || (parts > 2 && second <= first)) throw new ProtocolError("its key ends too early");
  switch (text.slice(0, 2)) {
    case `s${NUL}`:
      return { kind: "value", typename: text.slice(2, first), state: text.slice(first + 1, second), id: text.slice(second + 1) };
    case `l${NUL}`: {
      const third = text.indexOf(NUL, second + 1);
      const lane = wholeNumber(text.slice(second + 1, Math.max(second, third)));
      return {
        kind: "part",
        typename: text.slice(2, first),
        state: text.slice(first + 1, second),
        lane,
        id: text.slice(third + 1),
      };
    }
    case `a${NUL}`:
      return { kind: "actor", typename: text.slice(2, first), id: text.slice(first + 1) };
    case `i${NUL}`:
      return { kind: "invoked", typename: text.slice(2, first), id: text.slice(first + 1) };
    case `f${NUL}`:
      return { kind: "declaration", typename: text.slice(2, first), state: text.slice(first + 1) };
    case `m${NUL}`:
      return { kind: "message", sequence: wholeNumber(text.slice(2)) };
    case `p${NUL}`: {
      const partition = wholeNumber(text.slice(second + 1));
      return { kind: "progress", cluster: text.slice(2, first), topic: text.slice(first + 1, second), partition };
    }
    default:
      throw new ProtocolError(`unknown record key ${JSON.stringify(text)} in the state topic: written by a newer Dirigo?`);
  }
}

/** Parts of a key behind its kind. */
const PARTS: Readonly<Record<string, number>> = {
  [`s${NUL}`]: 3,
  [`l${NUL}`]: 4,
  [`a${NUL}`]: 2,
  [`i${NUL}`]: 2,
  [`f${NUL}`]: 2,
  [`m${NUL}`]: 1,
  [`p${NUL}`]: 3,
};

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new ProtocolError(`its key has ${JSON.stringify(text)} where a number is expected`);
  return Number(text);
}

function checkVersion(reader: Reader, what: string): void {
  const version = reader.uint32();
  if (version !== 1) throw new ProtocolError(`${what} record of version ${version}; this router reads version 1`);
}

export function encodeValue(writtenMs: number, typedValue: Uint8Array): Uint8Array {
  const head = Writer.create().uint32(1).uint64(Math.floor(writtenMs)).finish();
  const out = Buffer.allocUnsafe(head.length + typedValue.length);
  out.set(head);
  out.set(typedValue, head.length);
  return out;
}

export function decodeValue(bytes: Uint8Array): { writtenMs: number; typedValue: Uint8Array } {
  const reader = Reader.create(bytes);
  checkVersion(reader, "state value");
  const writtenMs = Number(reader.uint64());
  // A copy: what is remembered must not hold the fetched buffer.
  return { writtenMs, typedValue: new Uint8Array(bytes.subarray(reader.pos)) };
}

export function encodeInvoked(invokedMs: number): Uint8Array {
  return Writer.create().uint32(1).uint64(Math.floor(invokedMs)).finish();
}

export function decodeInvoked(bytes: Uint8Array): number {
  const reader = Reader.create(bytes);
  checkVersion(reader, "invocation time");
  return Number(reader.uint64());
}

const MODES: readonly ExpireMode[] = ["none", "after-write", "after-invoke"];

export function encodeDeclaration(declaration: StateDeclaration): Uint8Array {
  return Writer.create()
    .uint32(1)
    .string(declaration.typename)
    .uint32(MODES.indexOf(declaration.expireMode))
    .uint64(declaration.expireAfterMs)
    .finish();
}

export function decodeDeclaration(name: string, bytes: Uint8Array): StateDeclaration {
  const reader = Reader.create(bytes);
  checkVersion(reader, "state declaration");
  return {
    name,
    typename: reader.string(),
    expireMode: MODES[reader.uint32()] ?? "none",
    expireAfterMs: Number(reader.uint64()),
  };
}
