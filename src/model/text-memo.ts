/**
 * Reads a protobuf string that is mostly the one read before: a type's name, a topic, the key of a hot actor. Comparing the bytes costs a
 * fraction of decoding them, and the text is shared instead of made anew for each message.
 */
import type { Reader } from "protobufjs/minimal";

/** Longer texts are not names. */
const MEMO_BYTES_MAX = 128;

export class TextMemo {
  #bytes: Uint8Array = new Uint8Array(0);
  #text = "";

  /** At the length of a length-delimited field. */
  read(reader: Reader): string {
    const start = reader.pos;
    const length = reader.uint32();
    if (length === this.#bytes.length && reader.pos + length <= reader.len && this.#is(reader.buf, reader.pos)) {
      reader.pos += length;
      return this.#text;
    }
    reader.pos = start;
    const text = reader.string();
    if (length <= MEMO_BYTES_MAX) {
      this.#bytes = new Uint8Array(reader.buf.subarray(reader.pos - length, reader.pos));
      this.#text = text;
    }
    return text;
  }

  #is(buffer: Uint8Array, at: number): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < bytes.length; i++) if (buffer[at + i] !== bytes[i]) return false;
    return true;
  }
}
