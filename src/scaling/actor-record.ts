/**
 * What a dual-mode actor remembers besides its state: the record `a NUL typename NUL id` of `<group>.state`.
 * Wire (protobuf): 1 version = 1, 2 epoch, 3 done + 1 (0: no barrier yet), 4* channels, 5 the policy's state as JSON.
 */
import { Reader, Writer } from "protobufjs/minimal";
import { decoded, ProtocolError } from "../model/errors";
import type { Channel } from "./alignment";

export interface ActorRecord {
  readonly epoch: number;
  /** Number of the last barrier that is done; -1: none. */
  readonly done: number;
  readonly seen: readonly Channel[];
  /** What the policy has exported at the last release (SCHEDULING.md 1.5), as JSON; empty: nothing. */
  readonly policy: string;
}

export function encodeActorRecord({ epoch, done, seen, policy }: ActorRecord): Uint8Array {
  const writer = Writer.create().uint32(8).uint32(1).uint32(16).uint64(epoch);
  writer.uint32(24).uint64(done + 1);
  for (const channel of seen) writer.uint32(34).string(channel);
  if (policy) writer.uint32(42).string(policy);
  return writer.finish();
}

/** Throws ProtocolError, which names the actor, when written by a newer version, or broken. */
export function decodeActorRecord(bytes: Uint8Array, actor: string): ActorRecord {
  // A reader of plain bytes: that of buffers takes what is there of a text that is cut off.
  return decoded(
    () => `actor record of ${actor}`,
    () => readFields(new Reader(bytes)),
  );
}

function readFields(reader: Reader): ActorRecord {
  let version = 0;
  let epoch = 0;
  let done = -1;
  let policy = "";
  const seen: Channel[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    switch (tag >>> 3) {
      case 1:
        version = reader.uint32();
        break;
      case 2:
        epoch = Number(reader.uint64());
        break;
      case 3:
        done = Number(reader.uint64()) - 1;
        break;
      case 4:
        seen.push(reader.string());
        break;
      case 5:
        policy = reader.string();
        break;
      default:
        reader.skipType(tag & 7);
    }
    // It stands first: what follows in another version may mean something else.
    if (version !== 1) break;
  }
  if (version !== 1) throw new ProtocolError(`is of version ${version}; this router reads version 1`);
  return { epoch, done, seen, policy };
}
