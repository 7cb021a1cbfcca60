/**
 * The few pieces of protobuf the protocol needs, by hand: a function's host reads and writes them for every request,
 * and a general library costs several times the work of what it carries.
 */
import { ProtocolError } from "../../model/errors";

/** Shorter texts are read and written a character at a time; for longer ones the native call is quicker. */
const shortText = 40;

/** Walks the fields of one message between `position` and `end` of a buffer. */
export class Reader {
  constructor(
    readonly buffer: Buffer,
    public position: number,
    public end: number,
  ) {
    if (end > buffer.length || position > end) throw truncated();
  }

  get more(): boolean {
    return this.position < this.end;
  }

  /** An unsigned varint. Exact to 2^53; longer ones (negative numbers) only lose precision. */
  varint(): number {
    let byte = this.byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let factor = 0x80;
    for (let count = 1; count < 10; count++) {
      byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    throw new ProtocolError("a varint is longer than ten bytes");
  }

  byte(): number {
    if (this.position >= this.end) throw truncated();
    return this.buffer[this.position++] as number;
  }

  /** Reads the length of a length-delimited field and returns where its content ends; `position` is where it begins. */
  span(): number {
    const length = this.varint();
    const end = this.position + length;
    if (end > this.end) throw truncated();
    return end;
  }

  /** A sub-reader over a length-delimited field; this reader goes on behind it. */
  sub(): Reader {
    const end = this.span();
    const inner = new Reader(this.buffer, this.position, end);
    this.position = end;
    return inner;
  }

  text(): string {
    const end = this.span();
    const text = textOf(this.buffer, this.position, end);
    this.position = end;
    return text;
  }

  /** Moves over `bytes` bytes and returns where they began. */
  fixed(bytes: number): number {
    const at = this.position;
    if (at + bytes > this.end) throw truncated();
    this.position = at + bytes;
    return at;
  }

  /** Moves over the content of a field we do not know. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.fixed(8);
        return;
      case 2:
        this.position = this.span();
        return;
      case 5:
        this.fixed(4);
        return;
      default:
        throw new ProtocolError(`wire type ${tag & 7} is not possible in a proto3 message`);
    }
  }
}

function truncated(): ProtocolError {
  return new ProtocolError("the message ends in the middle of a field");
}

export function textOf(buffer: Buffer, start: number, end: number): string {
  if (end - start > shortText) return buffer.toString("utf8", start, end);
  let text = "";
  for (let at = start; at < end; at++) {
    const byte = buffer[at] as number;
    if (byte >= 0x80) return buffer.toString("utf8", start, end);
    text += String.fromCharCode(byte);
  }
  return text;
}

export function sameBytes(buffer: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
  const length = expected.length;
  if (end - start !== length) return false;
  for (let i = 0; i < length; i++) if (buffer[start + i] !== expected[i]) return false;
  return true;
}

/** Bytes of `text` in UTF-8. */
export function utf8Length(text: string): number {
  const length = text.length;
  if (length > shortText) return Buffer.byteLength(text);
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) >= 0x80) return Buffer.byteLength(text);
  return length;
}

export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Length of a length-delimited field with a one-byte tag; 0 when it is empty, because a default is left out. */
export function fieldLength(contentLength: number): number {
  return contentLength === 0 ? 0 : 1 + varintLength(contentLength) + contentLength;
}

/** A growing buffer. Callers compute lengths first, so nothing is written twice. */
export class Writer {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity: number) {
    this.#buffer = Buffer.allocUnsafeSlow(capacity);
  }

  get length(): number {
    return this.#length;
  }

  get capacity(): number {
    return this.#buffer.length;
  }

  /** Forgets what was written behind `length`. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  byte(value: number): void {
    if (this.#length === this.#buffer.length) this.reserve(1);
    this.#buffer[this.#length++] = value;
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  bytes(content: Uint8Array): void {
    this.reserve(content.length);
    this.#buffer.set(content, this.#length);
    this.#length += content.length;
  }

  /** A length-delimited field, left out when empty. */
  bytesField(tag: number, content: Uint8Array): void {
    if (content.length === 0) return;
    this.byte(tag);
    this.varint(content.length);
    this.bytes(content);
  }

  /** A text field, left out when empty. `length` is its `utf8Length`. */
  textField(tag: number, text: string, length: number): void {
    if (length === 0) return;
    this.byte(tag);
    this.varint(length);
    this.reserve(length);
    if (length === text.length && length <= shortText) {
      for (let i = 0; i < length; i++) this.#buffer[this.#length + i] = text.charCodeAt(i);
    } else {
      this.#buffer.write(text, this.#length, length, "utf8");
    }
    this.#length += length;
  }

  /** Copies what was written between two positions to `target`. */
  copyTo(target: Buffer, at: number, from: number, to: number): void {
    this.#buffer.copy(target, at, from, to);
  }

  /** A copy of everything written. */
  finish(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#length);
    this.#buffer.copy(bytes, 0, 0, this.#length);
    return bytes;
  }
}
