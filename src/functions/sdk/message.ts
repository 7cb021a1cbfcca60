import { ProtocolError } from "../../model/errors";
import { type Reader, sameBytes, textOf } from "./protobuf";
import type { Type } from "./type";

/**
 * One message for this address. It reads its bytes when asked.
 * Wire: TypedValue { typename = 1, has_value = 2, value = 3 }.
 */
export class Message {
  readonly #buffer: Buffer;
  #typenameStart = 0;
  #typenameEnd = 0;
  #valueStart = 0;
  #valueEnd = 0;
  #hasValue = false;

  constructor(argument: Reader) {
    this.#buffer = argument.buffer;
    while (argument.more) {
      const tag = argument.varint();
      if (tag === 0x0a) {
        this.#typenameEnd = argument.span();
        this.#typenameStart = argument.position;
        argument.position = this.#typenameEnd;
      } else if (tag === 0x1a) {
        this.#valueEnd = argument.span();
        this.#valueStart = argument.position;
        argument.position = this.#valueEnd;
      } else if (tag === 0x10) this.#hasValue = argument.varint() !== 0;
      else argument.skip(tag);
    }
  }

  /** The typename of its value; for a message from a topic, the topic's `valueType`. */
  get typename(): string {
    return textOf(this.#buffer, this.#typenameStart, this.#typenameEnd);
  }

  /** The value's bytes, without a copy; kept, they keep the whole request in memory. */
  get bytes(): Buffer {
    return this.#buffer.subarray(this.#valueStart, this.#valueEnd);
  }

  /** false: the sender gave a type but no value. */
  get hasValue(): boolean {
    return this.#hasValue;
  }

  is(type: Type<unknown>): boolean {
    return sameBytes(this.#buffer, this.#typenameStart, this.#typenameEnd, type.typenameBytes);
  }

  /** The value. Throws when the message is of another type or carries none. */
  as<T>(type: Type<T>): T {
    if (!sameBytes(this.#buffer, this.#typenameStart, this.#typenameEnd, type.typenameBytes)) {
      throw new ProtocolError(`the message is a ${this.typename || "value without a typename"}, not a ${type.typename}`);
    }
    if (!this.#hasValue) throw new ProtocolError(`the message is a ${type.typename} without a value`);
    return type.decode(this.#buffer.subarray(this.#valueStart, this.#valueEnd));
  }
}
