/**
 * Decompression of record batches. Each codec is loaded when the first batch asks for it, so a router that never sees
 * a compressed record loads none. All are synchronous: a batch is at most about a megabyte, and the order of records
 * is then no question.
 *
 * snappy and lz4-napi bring their binaries as packages (nothing is built or fetched at install). For zstd no such package is
 * kept; Node has it built in since 22.15, and before that the small JavaScript reader of fzstd does.
 */

import * as zlib from "node:zlib";
import { gunzipSync } from "node:zlib";

type Decompress = (bytes: Buffer) => Buffer;

const names = ["none", "gzip", "snappy", "lz4", "zstd"];
const loaded: (Decompress | undefined)[] = [];

/** `codec` is the low three bits of a batch's attributes. */
export function decompress(codec: number, bytes: Buffer): Buffer {
  let run = loaded[codec];
  if (run === undefined) {
    run = load(codec);
    loaded[codec] = run;
  }
  return run(bytes);
}

function load(codec: number): Decompress {
  switch (codec) {
    case 1:
      return (bytes) => gunzipSync(bytes);
    case 2:
      return loadSnappy();
    case 3:
      return loadLz4();
    case 4:
      return loadZstd();
    default:
      throw new Error(`a record batch names compression codec ${codec}, which Kafka does not know (known: ${names.join(", ")})`);
  }
}

/** Xerial's framing, which the Java client writes: a 16-byte header, then blocks, each behind its length as int32. */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const xerialHeaderBytes = 16;

function loadSnappy(): Decompress {
  const { uncompressSync } = require("snappy") as { uncompressSync(bytes: Buffer, options: { asBuffer: true }): Buffer };
  return (bytes) => {
    if (bytes.length < xerialHeaderBytes || !bytes.subarray(0, 8).equals(xerialMagic))
      return uncompressSync(bytes, { asBuffer: true });
    const blocks: Buffer[] = [];
    for (let at = xerialHeaderBytes; at + 4 <= bytes.length; ) {
      const length = bytes.readInt32BE(at);
      blocks.push(uncompressSync(bytes.subarray(at + 4, at + 4 + length), { asBuffer: true }));
      at += 4 + length;
    }
    return Buffer.concat(blocks);
  };
}

function loadLz4(): Decompress {
  const { decompressFrameSync } = require("lz4-napi") as { decompressFrameSync(bytes: Buffer): Buffer };
  return (bytes) => decompressFrameSync(bytes);
}

function loadZstd(): Decompress {
  const builtIn = (zlib as { zstdDecompressSync?: (bytes: Buffer) => Buffer }).zstdDecompressSync;
  if (builtIn !== undefined) return (bytes) => builtIn(bytes);
  const { decompress: read } = require("fzstd") as { decompress(bytes: Uint8Array): Uint8Array };
  return (bytes) => {
    const plain = read(bytes);
    return Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength);
  };
}
