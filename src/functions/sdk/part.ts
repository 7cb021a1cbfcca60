/** A part of the function's state, brought by a message: the function merges it into the state of the request (DUAL-MODE.md 2.8). */
import { type Address, addressText } from "./address";
import type { Message } from "./message";
import { partSlots } from "./request";
import type { NamedState, Slot, StateAccess } from "./state";
import { types } from "./type";

/** Its value is an InvocationBatchRequest that has states alone. */
export const partType = types.bytes("io.dirigo.types/merge");

export class Part implements StateAccess {
  readonly #slots: readonly Slot[];

  constructor(
    readonly self: Address,
    message: Message,
    named: readonly NamedState[],
  ) {
    this.#slots = partSlots(message.bytes, named);
  }

  readState(index: number): unknown {
    return (this.#slots[index] as Slot).get();
  }

  writeState(): never {
    throw new TypeError(`${addressText(this.self)}: a part is read only; what is merged is assigned to the base`);
  }
}
