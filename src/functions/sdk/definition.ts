import { type Address, checkTypename } from "./address";
import type { Duration } from "./duration";
import type { Message } from "./message";
import {
  type NamedState,
  namedStates,
  type PartValues,
  type StateAccess,
  type States,
  type StateValues,
  stateView,
} from "./state";
import type { Sendable, Typed } from "./type";

/** A record for a Kafka egress. Strings become UTF-8, bytes stay, typed values take their type's bytes, plain objects JSON text. */
export interface KafkaRecord {
  readonly topic: string;
  readonly key?: string;
  readonly value: string | Uint8Array | Typed | JsonObject;
}

/** Written with JSON.stringify. Numbers alone are refused: Kafka's integer serializers and text disagree about them. */
export type JsonObject = { readonly [key: string]: unknown } | readonly unknown[];

/**
 * What a handler may ask for; the name is the one all StateFun SDKs use. Everything takes effect together when the
 * request's whole batch has been handled, and not at all when one of its messages fails.
 */
export interface Context<S extends States = States> {
  /** This function instance. */
  readonly self: Address;
  /** Who sent the message; undefined when it came from a topic. */
  readonly caller: Address | undefined;
  readonly state: StateValues<S>;
  send(target: Address, value: Sendable): void;
  /** With a token the message can be cancelled until it is sent. A token may be used again once it has fired or been cancelled. */
  sendAfter(delay: Duration, target: Address, value: Sendable, options?: { readonly token?: string }): void;
  /** Cancels this instance's delayed message with that token; none waiting is no error. */
  cancel(token: string): void;
  /** To an egress that takes typed values, e.g. `io.dirigo.kafka.v1/raw-egress`. */
  egress(egress: string, value: Sendable): void;
  /** To an `io.statefun.kafka.v1/egress`. */
  kafka(egress: string, record: KafkaRecord): void;
}

export interface FunctionOptions<S extends States> {
  /** `namespace/name`: how module.yaml and other functions call it. */
  readonly typename: string;
  readonly states?: S;
  /**
   * Called for each message of an address in order, one after the other. When it returns a promise the next message
   * waits for it; when it does not, no promise is made.
   */
  handle(ctx: Context<S>, message: Message): void | Promise<void>;
  /**
   * For states with `merge: function` in module.yaml: brings into `base` what `part` has. Both have seen other messages of the same
   * address, each from an absent state on; what is absent in the part leaves the base as it is. It must not matter which of two
   * is the base, nor in which grouping several are merged.
   */
  merge?(base: StateValues<S>, part: PartValues<S>): void | Promise<void>;
}

/** A function type. */
export class FunctionDefinition<S extends States = States> {
  readonly typename: string;
  readonly states: S;
  readonly named: readonly NamedState[];
  /** Makes `ctx.state` of one request. */
  readonly view: (access: StateAccess) => object;
  readonly #options: FunctionOptions<S>;

  constructor(options: FunctionOptions<S>) {
    checkTypename(options.typename, "function");
    if (typeof options.handle !== "function") throw new TypeError(`function ${options.typename} has no handle()`);
    if (options.merge !== undefined && typeof options.merge !== "function") {
      throw new TypeError(`function ${options.typename}: merge is no function`);
    }
    this.typename = options.typename;
    this.states = options.states ?? ({} as S);
    this.named = namedStates(this.states, options.typename);
    this.view = stateView(this.named, this.typename);
    this.#options = options;
  }

  /** The address of one instance: `ctx.send(greeter.at("bob"), "hello")`. */
  at(id: string): Address {
    return { typename: this.typename, id };
  }

  handle(ctx: Context<S>, message: Message): void | Promise<void> {
    return this.#options.handle(ctx, message);
  }

  merge(base: StateValues<S>, part: PartValues<S>): void | Promise<void> {
    if (this.#options.merge === undefined) {
      throw new TypeError(
        `${this.typename} is asked to merge a part of its state, but has no merge(base, part): define it, or give its states another merge in module.yaml`,
      );
    }
    return this.#options.merge(base, part);
  }
}

export function defineFunction<S extends States = Record<never, never>>(options: FunctionOptions<S>): FunctionDefinition<S> {
  return new FunctionDefinition(options);
}
