/**
 * Runs one request: the messages of one address, in order, on one set of states, answered once.
 *
 * B1: a handler that returns nothing costs no promise; one that returns a promise is awaited before the next message.
 * B2: all effects of a batch leave in one reply, or none: a failure discards the reply and names the message.
 * B3: nothing can be asked for once the reply is made.
 */
import { ProtocolError } from "../../model/errors";
import { type Address, addressText } from "./address";
import type { Context, FunctionDefinition, KafkaRecord } from "./definition";
import { type Duration, millisecondsOf } from "./duration";
import type { Message } from "./message";
import { Part, partType } from "./part";
import { incompleteReply, Reply } from "./reply";
import { BatchRequest } from "./request";
import type { Slot, StateAccess, States, StateValues } from "./state";
import { type Sendable, Typed, typed } from "./type";

/** A message of a batch failed, and with it the batch. */
export class InvocationError extends Error {
  override readonly name = "InvocationError";
  constructor(
    readonly address: Address,
    /** 0-based place of the message in the batch. */
    readonly index: number,
    readonly count: number,
    /** The typename of the message's value. */
    readonly valueType: string,
    cause: unknown,
  ) {
    const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    super(
      `${addressText(address)}: message ${index + 1} of ${count} (${valueType || "no typename"}) failed, and its batch with it: ${reason}`,
      { cause },
    );
  }
}

/** The request is for a function that is not served here. */
export class UnknownFunctionError extends Error {
  override readonly name = "UnknownFunctionError";
}

export type Definitions = ReadonlyMap<string, FunctionDefinition>;

/** Answers a ToFunction with a FromFunction. Throws at once, or rejects, with one of the errors above or a ProtocolError. */
export function invoke(body: Buffer, definitions: Definitions): Buffer | Promise<Buffer> {
  const request = new BatchRequest(body);
  const definition = definitions.get(request.target.typename);
  if (definition === undefined) {
    const served = [...definitions.keys()].join(", ");
    throw new UnknownFunctionError(`no function ${request.target.typename} is served here, only ${served || "none at all"}`);
  }
  const slots = request.slots(definition.named);
  return incompleteReply(slots) ?? new Batch(request, definition, slots).run();
}

class Batch implements Context, StateAccess {
  readonly self: Address;
  readonly state: StateValues<States>;
  readonly #reply = new Reply();
  #open = true;
  /** The message that is being handled, or the next one when none is. */
  #index = 0;

  constructor(
    readonly request: BatchRequest,
    readonly definition: FunctionDefinition,
    readonly slots: readonly Slot[],
  ) {
    this.self = request.target;
    this.state = definition.view(this) as StateValues<States>;
  }

  run(): Buffer | Promise<Buffer> {
    try {
      const pending = this.#runWhileReady();
      return pending === undefined ? this.#finish() : this.#runWith(pending);
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  /** Handles messages until one is not ready yet, and returns what it waits for; undefined when all are handled. */
  #runWhileReady(): PromiseLike<void> | undefined {
    const count = this.request.count;
    while (this.#index < count) {
      const pending = this.#handle(this.request.message(this.#index));
      if (pending !== undefined && typeof pending.then === "function") return pending;
      this.#index++;
    }
    return undefined;
  }

  #handle(message: Message): void | Promise<void> {
    if (!message.is(partType)) return this.definition.handle(this, message);
    const part = new Part(this.self, message, this.definition.named);
    return this.definition.merge(this.state, this.definition.view(part) as StateValues<States>);
  }

  #runWith(first: PromiseLike<void>): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => reject(this.#failed(cause));
      const next = (): void => {
        try {
          this.#index++;
          const pending = this.#runWhileReady();
          if (pending === undefined) resolve(this.#finish());
          else pending.then(next, fail);
        } catch (cause) {
          fail(cause);
        }
      };
      first.then(next, fail);
    });
  }

  #finish(): Buffer {
    const effectsEnd = this.#reply.length;
    for (const slot of this.slots) {
      if (slot.writtenBy < 0) continue;
      this.#index = slot.writtenBy; // If encoding fails, the message that wrote it is the one to name.
      this.#reply.mutate(slot.named, slot.encoded());
    }
    this.#open = false;
    return this.#reply.finish(effectsEnd);
  }

  #failed(cause: unknown): InvocationError {
    this.#open = false;
    this.#reply.release();
    return new InvocationError(this.self, this.#index, this.request.count, this.#valueType(), cause);
  }

  #valueType(): string {
    try {
      return this.request.message(this.#index).typename;
    } catch {
      return ""; // The message itself is unreadable, which is then the cause.
    }
  }

  #effects(): Reply {
    if (!this.#open) {
      throw new Error(`${addressText(this.self)}: used after its reply was sent; await in the handler whatever it starts`);
    }
    return this.#reply;
  }

  get caller(): Address | undefined {
    return this.request.caller(Math.min(this.#index, this.request.count - 1));
  }

  readState(index: number): unknown {
    return (this.slots[index] as Slot).get();
  }

  writeState(index: number, value: unknown): void {
    this.#effects();
    (this.slots[index] as Slot).set(value, this.#index);
  }

  send(target: Address, value: Sendable): void {
    this.#effects().send(target, typed(value));
  }

  sendAfter(delay: Duration, target: Address, value: Sendable, options?: { readonly token?: string }): void {
    const token = options?.token;
    if (token === "") throw new TypeError("sendAfter: the token is empty; leave it out when there is nothing to cancel");
    this.#effects().sendAfter(millisecondsOf(delay, "sendAfter"), target, typed(value), token ?? "");
  }

  cancel(token: string): void {
    if (typeof token !== "string" || token === "") throw new TypeError("cancel: expected the token given to sendAfter");
    this.#effects().cancel(token);
  }

  egress(egress: string, value: Sendable): void {
    this.#effects().egress(egress, typed(value));
  }

  kafka(egress: string, record: KafkaRecord): void {
    if (typeof record.topic !== "string" || record.topic === "")
      throw new TypeError(`kafka: the record for ${egress} names no topic`);
    this.#effects().kafka(egress, record.topic, record.key ?? "", kafkaValue(record.value));
  }
}

function kafkaValue(value: KafkaRecord["value"]): string | Uint8Array {
  if (typeof value === "string" || value instanceof Uint8Array) return value;
  if (value instanceof Typed) return value.encode();
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  throw new ProtocolError(
    `kafka: a value of type ${typeof value} has no one encoding; give a string, bytes, an object (JSON) or types.….of(value)`,
  );
}
