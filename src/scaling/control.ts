/**
 * What lessor and lessees tell each other, as records of `<group>.control`: PROTOCOL.md. Inside a router they are delivered in memory at
 * once; the records are for other routers and for people, in the same unit as what they tell of.
 *
 * Key: the actor as text, `namespace/type/id`. Value: protobuf, format version first; fields that a router does not know are skipped, a version
 * or a kind that it does not know is refused.
 */
import { Reader, Writer } from "protobufjs/minimal";
import { encodeAddress, ended, readAddress } from "../functions/wire";
import { type Address, addressText } from "../model/address";
import { decoded, ProtocolError, unreachable } from "../model/errors";

/** Bytes of state in one record (SCHEDULING.md 3.5). Far below what topics take by default (1 MiB), so that a broker's limits are no matter. */
export const syncChunkBytes = 512 * 1024;

interface Told {
  readonly actor: Address;
  /** Sections the actor has behind it. */
  readonly epoch: number;
  /** By the router's clock, ms. */
  readonly atMs: number;
}

export interface LeaseGranted extends Told {
  readonly kind: "lease_granted";
  /** Number of the lessee, from 1; the lessor is lane 0. */
  readonly lane: number;
  /** Index of the replica that it runs on. */
  readonly replica: number;
  /** For people. */
  readonly reason: string;
}

/** Why a section began. `critical`: a critical message of no barrier. */
export const leaseEndReasons = ["barrier", "critical", "idle", "policy", "recovery"] as const;
export type LeaseEndReason = (typeof leaseEndReasons)[number];

export interface LeaseEnded extends Told {
  readonly kind: "lease_ended";
  readonly lane: number;
  readonly reason: LeaseEndReason;
}

/** The barrier that a section serves. */
interface Barrier {
  /** Empty: none. */
  readonly series: string;
  /** -1: none. */
  readonly barrier: number;
}

export interface SyncRequest extends Told, Barrier {
  readonly kind: "sync_request";
  readonly lane: number;
  /** Messages the lessor gave on this lease. */
  readonly forwarded: number;
}

/** One state of a part. */
export interface PartState {
  readonly name: string;
  /** As declared by the function. */
  readonly typename: string;
  /** The encoded TypedValue, as in `<group>.state`. */
  readonly value: Uint8Array;
}

export interface SyncReply extends Told {
  readonly kind: "sync_reply";
  readonly lane: number;
  /** Messages of this lease that the part holds: equal to `forwarded` of the request. */
  readonly applied: number;
  readonly part: readonly PartState[];
}

export interface Unsync extends Told, Barrier {
  readonly kind: "unsync";
  /** Critical messages of the section; 0: it only ended leases. */
  readonly critical: number;
  /** How long it took from its first critical message until all channels had theirs, and then: until all lanes were idle, the parts were merged, the critical messages done, the held messages let in again. */
  readonly alignMs: number;
  readonly drainMs: number;
  readonly consolidateMs: number;
  readonly criticalMs: number;
  readonly releaseMs: number;
}

export type ControlMessage = LeaseGranted | LeaseEnded | SyncRequest | SyncReply | Unsync;

/** A state, or a piece of one that is too large for one record. */
export interface PartPiece extends PartState {
  /** Where in the state's value this piece begins, and how many bytes the value has. */
  readonly from: number;
  readonly bytes: number;
}

/** One record of a reply; `part` is what of the part is in it. */
export interface SyncReplyChunk extends SyncReply {
  readonly part: readonly PartPiece[];
  /** From 0 to `chunks` - 1, in this order in the log. */
  readonly chunk: number;
  readonly chunks: number;
}

/** A control message as it stands in the log. */
export type ControlRecord = Exclude<ControlMessage, SyncReply> | SyncReplyChunk;

// ── to bytes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const VERSION = 1;
/** Their places, from 1, are their numbers on the wire. */
const KINDS: readonly ControlRecord["kind"][] = ["lease_granted", "lease_ended", "sync_request", "sync_reply", "unsync"];

/**
 * Fields: 1 version, 2 kind, 3 actor, 4 epoch, 5 at ms, 6 lane, 7 replica, 8 reason, 9 series, 10 barrier, 11 forwarded, 12 applied, 13 chunk,
 * 14 chunks, 15* part {1 name, 2 typename, 3 value, 4 from, 5 bytes}, 16 critical messages, 17–21 ms to align, drain, consolidate, run, release.
 * Absent: 0, empty, and for the barrier -1.
 */
export function encodeControl(message: ControlMessage): { key: string; value: Uint8Array }[] {
  const key = addressText(message.actor);
  if (message.kind !== "sync_reply") return [{ key, value: encode(message) }];
  const chunks = chunksOf(message.part);
  return chunks.map((part, chunk) => ({ key, value: encode({ ...message, part, chunk, chunks: chunks.length }) }));
}

function chunksOf(part: readonly PartState[]): PartPiece[][] {
  let open: PartPiece[] = [];
  const chunks = [open];
  let room = syncChunkBytes;
  for (const { name, typename, value } of part) {
    let from = 0;
    do {
      if (room <= 0) {
        open = [];
        chunks.push(open);
        room = syncChunkBytes;
      }
      const piece = value.subarray(from, from + room);
      open.push({ name, typename, value: piece, from, bytes: value.length });
      from += piece.length;
      room -= piece.length;
    } while (from < value.length);
  }
  return chunks;
}

function encode(record: ControlRecord): Uint8Array {
  const writer = Writer.create()
    .uint32(8)
    .uint32(VERSION)
    .uint32(16)
    .uint32(KINDS.indexOf(record.kind) + 1);
  writer.uint32(26).bytes(encodeAddress(record.actor));
  writer.uint32(32).uint64(record.epoch).uint32(40).uint64(Math.floor(record.atMs));
  switch (record.kind) {
    case "lease_granted":
      writer.uint32(48).uint32(record.lane).uint32(56).uint32(record.replica).uint32(66).string(record.reason);
      break;
    case "lease_ended":
      writer.uint32(48).uint32(record.lane).uint32(66).string(record.reason);
      break;
    case "sync_request":
      writer.uint32(48).uint32(record.lane);
      writeBarrier(writer, record);
      writer.uint32(88).uint64(record.forwarded);
      break;
    case "sync_reply":
      writer.uint32(48).uint32(record.lane).uint32(96).uint64(record.applied);
      writer.uint32(104).uint32(record.chunk).uint32(112).uint32(record.chunks);
      for (const piece of record.part) writePiece(writer, piece);
      break;
    case "unsync":
      writeBarrier(writer, record);
      writer.uint32(128).uint32(record.critical);
      writer.uint32(137).double(record.alignMs).uint32(145).double(record.drainMs).uint32(153).double(record.consolidateMs);
      writer.uint32(161).double(record.criticalMs).uint32(169).double(record.releaseMs);
      break;
    default:
      unreachable(record);
  }
  return writer.finish();
}

function writeBarrier(writer: Writer, { series, barrier }: Barrier): void {
  if (series) writer.uint32(74).string(series);
  if (barrier >= 0) writer.uint32(80).uint64(barrier);
}

function writePiece(writer: Writer, { name, typename, value, from, bytes }: PartPiece): void {
  writer.uint32(122).fork().uint32(10).string(name).uint32(18).string(typename).uint32(26).bytes(value);
  if (from > 0) writer.uint32(32).uint32(from);
  writer.uint32(40).uint32(bytes).ldelim();
}

// ── from bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Throws ProtocolError when written by a newer version, or broken. The message owns its bytes. */
export function decodeControl(key: Uint8Array | string, value: Uint8Array): ControlRecord {
  const of = typeof key === "string" ? key : Buffer.from(key.buffer, key.byteOffset, key.length).toString("utf8");
  return decoded(
    () => `control record of ${oneLine(of)}`,
    () => checked(readFields(Reader.create(new Uint8Array(value)))),
  );
}

/** All that stands in a record, whatever its kind. */
function noFields() {
  return {
    version: 0,
    kind: 0,
    actor: undefined as Address | undefined,
    epoch: 0,
    atMs: 0,
    lane: 0,
    replica: 0,
    reason: "",
    series: "",
    barrier: -1,
    forwarded: 0,
    applied: 0,
    chunk: 0,
    chunks: 0,
    part: [] as PartPiece[],
    critical: 0,
    alignMs: 0,
    drainMs: 0,
    consolidateMs: 0,
    criticalMs: 0,
    releaseMs: 0,
  };
}

type Fields = ReturnType<typeof noFields>;

function readFields(reader: Reader): Fields {
  const fields = noFields();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const read = READ[tag >>> 3];
    if (read === undefined) reader.skipType(tag & 7);
    else read(fields, reader);
    // It stands first: what follows in another version may mean something else.
    if (fields.version !== VERSION)
      throw new ProtocolError(`is of version ${fields.version}; this router reads version ${VERSION}`);
  }
  return fields;
}

type Read = (fields: Fields, reader: Reader) => void;

/** By field number. */
const READ: readonly (Read | undefined)[] = [
  undefined,
  (fields, reader) => (fields.version = reader.uint32()),
  (fields, reader) => (fields.kind = reader.uint32()),
  (fields, reader) => (fields.actor = readAddress(reader, reader.uint32() + reader.pos)),
  (fields, reader) => (fields.epoch = Number(reader.uint64())),
  (fields, reader) => (fields.atMs = Number(reader.uint64())),
  (fields, reader) => (fields.lane = reader.uint32()),
  (fields, reader) => (fields.replica = reader.uint32()),
  (fields, reader) => (fields.reason = reader.string()),
  (fields, reader) => (fields.series = reader.string()),
  (fields, reader) => (fields.barrier = Number(reader.uint64())),
  (fields, reader) => (fields.forwarded = Number(reader.uint64())),
  (fields, reader) => (fields.applied = Number(reader.uint64())),
  (fields, reader) => (fields.chunk = reader.uint32()),
  (fields, reader) => (fields.chunks = reader.uint32()),
  (fields, reader) => fields.part.push(readPiece(reader, reader.uint32() + reader.pos)),
  (fields, reader) => (fields.critical = reader.uint32()),
  (fields, reader) => (fields.alignMs = reader.double()),
  (fields, reader) => (fields.drainMs = reader.double()),
  (fields, reader) => (fields.consolidateMs = reader.double()),
  (fields, reader) => (fields.criticalMs = reader.double()),
  (fields, reader) => (fields.releaseMs = reader.double()),
];

function readPiece(reader: Reader, end: number): PartPiece {
  let name = "";
  let typename = "";
  let value: Uint8Array = new Uint8Array(0);
  let from = 0;
  let bytes = 0;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 10) name = reader.string();
    else if (tag === 18) typename = reader.string();
    else if (tag === 26) value = reader.bytes();
    else if (tag === 32) from = reader.uint32();
    else if (tag === 40) bytes = reader.uint32();
    else reader.skipType(tag & 7);
  }
  ended(reader, end);
  return { name, typename, value, from, bytes };
}

function checked(fields: Fields): ControlRecord {
  const { actor, epoch, atMs, lane, series, barrier } = fields;
  const kind = KINDS[fields.kind - 1];
  if (kind === undefined) throw new ProtocolError(`is of kind ${fields.kind}, which this router does not know`);
  if (actor === undefined) throw new ProtocolError("names no actor");
  const told = { actor, epoch, atMs };
  switch (kind) {
    case "lease_granted":
      return { kind, ...told, lane, replica: fields.replica, reason: fields.reason };
    case "lease_ended":
      return { kind, ...told, lane, reason: leaseEndReason(fields.reason) };
    case "sync_request":
      return { kind, ...told, lane, series, barrier, forwarded: fields.forwarded };
    case "sync_reply":
      return { kind, ...told, lane, applied: fields.applied, part: fields.part, chunk: fields.chunk, chunks: fields.chunks };
    case "unsync": {
      const { critical, alignMs, drainMs, consolidateMs, criticalMs, releaseMs } = fields;
      return { kind, ...told, series, barrier, critical, alignMs, drainMs, consolidateMs, criticalMs, releaseMs };
    }
    default:
      return unreachable(kind);
  }
}

function leaseEndReason(text: string): LeaseEndReason {
  const reason = leaseEndReasons.find((each) => each === text);
  if (reason === undefined) throw new ProtocolError(`ends a lease for a reason this router does not know, ${oneLine(text)}`);
  return reason;
}

// ── for people ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** One line, without its time. */
export function controlText(message: ControlMessage | ControlRecord): string {
  const { kind, actor, epoch } = message;
  return oneLine(`${kind} ${addressText(actor)} epoch ${epoch}: ${detailText(message)}`);
}

function detailText(message: ControlMessage | ControlRecord): string {
  switch (message.kind) {
    case "lease_granted":
      return `lane ${message.lane} on replica ${message.replica}, ${message.reason}`;
    case "lease_ended":
      return `lane ${message.lane}, ${message.reason}`;
    case "sync_request":
      return `lane ${message.lane}, ${barrierText(message)}, ${counted(message.forwarded, "message")} forwarded`;
    case "sync_reply": {
      const part = message.part.map(pieceText).join(", ") || "no state";
      const chunk = "chunks" in message && message.chunks > 1 ? `, chunk ${message.chunk + 1} of ${message.chunks}` : "";
      return `lane ${message.lane}, ${counted(message.applied, "message")} applied, ${part}${chunk}`;
    }
    case "unsync": {
      const { alignMs, drainMs, consolidateMs, criticalMs, releaseMs } = message;
      const times = Object.entries({
        align: alignMs,
        drain: drainMs,
        consolidate: consolidateMs,
        critical: criticalMs,
        release: releaseMs,
      });
      const spent = times.map(([what, ms]) => `${what} ${Math.round(ms * 10) / 10} ms`).join(", ");
      return `${barrierText(message)}, ${counted(message.critical, "critical message")}; ${spent}`;
    }
    default:
      return unreachable(message);
  }
}

function barrierText({ series, barrier }: Barrier): string {
  return barrier < 0 ? "no barrier" : `barrier ${series === "" ? "" : `${series} `}${barrier}`;
}

function pieceText(state: PartState | PartPiece): string {
  const size = counted(state.value.length, "byte");
  if (!("bytes" in state) || state.value.length === state.bytes) return `${state.name} ${size}`;
  return `${state.name} ${size} from ${state.from} of ${state.bytes}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** For machines that read text: as it stands in the log, but of values their sizes only, for what they hold is in `<group>.state`. */
export function controlFields(record: ControlRecord): Record<string, unknown> {
  const fields = { ...record, actor: addressText(record.actor) };
  if (record.kind !== "sync_reply") return fields;
  const part = record.part.map(({ value, ...piece }) => ({ ...piece, length: value.length }));
  return { ...fields, part };
}

/** Ids may hold any character; a line has none that ends it. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
