/** Reading and writing of Kafka's primitive types. Integers are big-endian; offsets and producer ids are exact up to 2^53. */

const high = 4294967296;

export class ByteWriter {
  buffer: Buffer;
  at = 0;

  constructor(bytes: number) {
    this.buffer = Buffer.allocUnsafe(bytes);
  }

  /** Room for this many more bytes. */
  reserve(bytes: number): void {
    const needed = this.at + bytes;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.at);
    this.buffer = grown;
  }

  int8(value: number): this {
    this.reserve(1);
    this.at = this.buffer.writeInt8(value, this.at);
    return this;
  }

  int16(value: number): this {
    this.reserve(2);
    this.at = this.buffer.writeInt16BE(value, this.at);
    return this;
  }

  int32(value: number): this {
    this.reserve(4);
    this.at = this.buffer.writeInt32BE(value, this.at);
    return this;
  }

  int64(value: number): this {
    this.reserve(8);
    writeInt64(this.buffer, this.at, value);
    this.at += 8;
    return this;
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const length = Buffer.byteLength(value);
    this.int16(length);
    this.reserve(length);
    this.buffer.write(value, this.at, length);
    this.at += length;
    return this;
  }

  /** Seven bits a byte, the lowest first. */
  uvarint(value: number): this {
    this.reserve(5);
    let rest = value;
    while (rest > 0x7f) {
      this.buffer[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.buffer[this.at++] = rest;
    return this;
  }

  /** Flexible versions: length + 1 as an unsigned varint. */
  compactString(value: string | null): this {
    if (value === null) return this.int8(0);
    const length = Buffer.byteLength(value);
    this.uvarint(length + 1).reserve(length);
    this.buffer.write(value, this.at, length);
    this.at += length;
    return this;
  }

  /** The shape kafkajs copies a request's body from. */
  body(): { readonly buf: Buffer; readonly buffer: Buffer } {
    return { buf: this.buffer, buffer: this.buffer.subarray(0, this.at) };
  }
}

export function writeInt64(buffer: Buffer, at: number, value: number): void {
  const upper = Math.floor(value / high);
  buffer.writeInt32BE(upper, at);
  buffer.writeUInt32BE(value - upper * high, at + 4);
}

/** An unsigned varint in four bytes whatever the value, below 2^28: a length that is filled in afterwards. */
export function writeWideUvarint(buffer: Buffer, at: number, value: number): void {
  for (let i = 0; i < 3; i++) buffer[at + i] = ((value >>> (7 * i)) & 0x7f) | 0x80;
  buffer[at + 3] = (value >>> 21) & 0x7f;
}

export function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * high + buffer.readUInt32BE(at + 4);
}

export class ByteReader {
  at = 0;
  constructor(readonly buffer: Buffer) {}

  int8(): number {
    return this.buffer.readInt8(this.at++);
  }

  int16(): number {
    const value = this.buffer.readInt16BE(this.at);
    this.at += 2;
    return value;
  }

  int32(): number {
    const value = this.buffer.readInt32BE(this.at);
    this.at += 4;
    return value;
  }

  int64(): number {
    const value = readInt64(this.buffer, this.at);
    this.at += 8;
    return value;
  }

  string(): string {
    return this.#text(this.int16());
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.buffer.readUInt8(this.at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  /** Flexible versions: length + 1 as an unsigned varint; 0 is null. */
  compactString(): string {
    return this.#text(this.uvarint() - 1);
  }

  /** The optional fields at the end of a flexible structure: [tag size bytes]. */
  skipTags(): void {
    for (let tags = this.uvarint(); tags > 0; tags--) {
      this.uvarint();
      const size = this.uvarint();
      this.at += size;
    }
  }

  #text(length: number): string {
    if (length < 0) return "";
    const value = this.buffer.toString("utf8", this.at, this.at + length);
    this.at += length;
    return value;
  }
}
