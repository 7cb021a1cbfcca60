/**
 * Reads a protobuf string that is mostly the one read before: a type's name, a topic, the key of a hot actor. Comparing the bytes costs a
 * fraction of decoding them, and the text is shared instead of made anew for each message.
 */
import type { Reader } from "protobufjs/minimal";

/** What was looked into last, four bytes at a time: one reply holds many texts. */
let viewed: Uint8Array = new Uint8Array(0);
let view = new DataView(viewed.buffer);

function viewOf(bytes: Uint8Array): DataView {
  if (bytes !== viewed) {
    viewed = bytes;
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  return view;
}

/** Longer texts are not names. */
const MEMO_BYTES_MAX = 128;

export class TextMemo {
  #bytes: Uint8Array = new Uint8Array(0);
  /** The same bytes, four at a time; what is left over is compared one by one. */
  #words: Uint32Array = new Uint32Array(0);
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
    if (length <= MEMO_BYTES_MAX) this.#remember(reader.buf.subarray(reader.pos - length, reader.pos), text);
    return text;
  }

  #remember(bytes: Uint8Array, text: string): void {
    this.#bytes = new Uint8Array(bytes);
    const own = new DataView(this.#bytes.buffer);
    this.#words = Uint32Array.from({ length: bytes.length >>> 2 }, (_, i) => own.getUint32(i * 4, true));
    this.#text = text;
  }

  #is(buffer: Uint8Array, at: number): boolean {
    const words = this.#words;
    const seen = viewOf(buffer);
    for (let i = 0; i < words.length; i++) if (seen.getUint32(at + i * 4, true) !== words[i]) return false;
    const bytes = this.#bytes;
    for (let i = words.length * 4; i < bytes.length; i++) if (buffer[at + i] !== bytes[i]) return false;
    return true;
  }
}
