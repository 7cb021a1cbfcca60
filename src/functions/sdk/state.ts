/** What a function remembers per address: declarations, and the values of one request behind them. */
import { ProtocolError } from "../../model/errors";
import { type Duration, millisecondsOf } from "./duration";
import { sameBytes, textOf } from "./protobuf";
import { type Schema, type Type, types } from "./type";

/** When a value is forgotten. Modes: 1 = AFTER_WRITE, 2 = AFTER_INVOKE (request-reply.proto, ExpireMode). */
export interface Expiration {
  readonly mode: 1 | 2;
  readonly ms: number;
}

export const after = {
  /** That long after it was last written. */
  write: (duration: Duration): Expiration => expiration(1, duration, "after.write"),
  /** That long after the function was last called with this address, whether it wrote or not. */
  call: (duration: Duration): Expiration => expiration(2, duration, "after.call"),
} as const;

function expiration(mode: 1 | 2, duration: Duration, what: string): Expiration {
  const ms = millisecondsOf(duration, what);
  if (ms === 0) throw new RangeError(`${what}: expected more than 0 milliseconds`);
  return { mode, ms };
}

export interface StateOptions {
  readonly expire?: Expiration;
}

/** A declared state: its type and when it expires. Its name is the key it is declared under. */
export class StateDeclaration<T> {
  constructor(
    readonly type: Type<T>,
    readonly expire: Expiration | undefined,
  ) {}
}

// biome-ignore lint/suspicious/noExplicitAny: a table of declarations of different types; each key keeps its own
export type States = Readonly<Record<string, StateDeclaration<any>>>;

/** `ctx.state`: reading gives the value or undefined; assigning undefined deletes. */
export type StateValues<S extends States> = {
  -readonly [K in keyof S]: S[K] extends StateDeclaration<infer T> ? T | undefined : never;
};

/** The states of a part, which are read only; undefined where the part has none. */
export type PartValues<S extends States> = Readonly<StateValues<S>>;

/** A JSON value of a state is changed by assigning a new one; a change inside it would not be seen. */
export type DeepReadonly<T> = T extends (...parameters: never[]) => unknown
  ? T
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

function of<T>(type: Type<T>, options?: StateOptions): StateDeclaration<T> {
  return new StateDeclaration(type, options?.expire);
}

function json<T>(typename: string, options?: StateOptions): StateDeclaration<DeepReadonly<T>>;
function json<T>(typename: string, schema: Schema<T>, options?: StateOptions): StateDeclaration<DeepReadonly<T>>;
function json<T>(typename: string, second?: Schema<T> | StateOptions, third?: StateOptions): StateDeclaration<DeepReadonly<T>> {
  const schema = second !== undefined && "parse" in second ? second : undefined;
  const options = schema === undefined ? ((second as StateOptions | undefined) ?? third) : third;
  return of(types.json<T>(typename, schema) as unknown as Type<DeepReadonly<T>>, options);
}

export const state = {
  /** Any JavaScript number (a double). For other languages that declare an int or a long, use those. */
  number: (options?: StateOptions): StateDeclaration<number> => of(types.double, options),
  int: (options?: StateOptions): StateDeclaration<number> => of(types.int, options),
  long: (options?: StateOptions): StateDeclaration<bigint> => of(types.long, options),
  float: (options?: StateOptions): StateDeclaration<number> => of(types.float, options),
  double: (options?: StateOptions): StateDeclaration<number> => of(types.double, options),
  boolean: (options?: StateOptions): StateDeclaration<boolean> => of(types.boolean, options),
  string: (options?: StateOptions): StateDeclaration<string> => of(types.string, options),
  bytes: (options?: StateOptions): StateDeclaration<Uint8Array> => of(types.bytes(), options),
  json,
  /** A state of any type, yours included. */
  of,
} as const;

/** A declared state under its name, ready for the wire. */
export interface NamedState {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly declaration: StateDeclaration<unknown>;
}

/** Java's and Go's rule, so that a state can be shared with a function in any language but (lower case only) JavaScript's. */
const namePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function namedStates(states: States, owner: string): NamedState[] {
  return Object.entries(states).map(([name, declaration]) => {
    if (!namePattern.test(name)) throw new TypeError(`${owner}: a state's name has letters, digits and _ only, got "${name}"`);
    if (!(declaration instanceof StateDeclaration)) {
      throw new TypeError(`${owner}: state ${name} is not declared with state.int(), state.json() …`);
    }
    return { name, nameBytes: Buffer.from(name), declaration };
  });
}

type Holding =
  /** Nothing came, or it was deleted. */
  | { readonly kind: "absent" }
  /** As it came: the typename's and the value's place in the request. */
  | { readonly kind: "encoded"; readonly typename: readonly [number, number]; readonly value: readonly [number, number] }
  | { readonly kind: "value"; readonly value: unknown };

const absent: Holding = { kind: "absent" };

/** One state of one request: decoded when first read, encoded once at the end however often it was written. */
export class Slot {
  #holding: Holding = absent;
  /** Index of the message that wrote it last; -1 = untouched. */
  writtenBy = -1;
  /** The request listed it, with a value or without. */
  listed = false;

  constructor(
    readonly named: NamedState,
    readonly request: Buffer,
  ) {}

  receive(typename: readonly [number, number], value: readonly [number, number]): void {
    this.#holding = { kind: "encoded", typename, value };
  }

  get(): unknown {
    const holding = this.#holding;
    if (holding.kind === "value") return holding.value;
    if (holding.kind === "absent") return undefined;
    const type = this.named.declaration.type;
    if (!sameBytes(this.request, holding.typename[0], holding.typename[1], type.typenameBytes)) {
      const found = textOf(this.request, holding.typename[0], holding.typename[1]);
      throw new ProtocolError(`state ${this.named.name} is declared as ${type.typename}, but holds ${found}`);
    }
    const value = type.settle(type.decode(this.request.subarray(holding.value[0], holding.value[1])));
    this.#holding = { kind: "value", value };
    return value;
  }

  set(value: unknown, writer: number): void {
    const type = this.named.declaration.type;
    if (value === undefined || value === null) {
      this.#holding = absent;
    } else {
      type.check(value);
      this.#holding = { kind: "value", value: type.settle(value) };
    }
    this.writtenBy = writer;
  }

  /** The bytes to store; undefined to delete. */
  encoded(): Uint8Array | undefined {
    return this.#holding.kind === "value" ? this.named.declaration.type.encode(this.#holding.value) : undefined;
  }
}

/** What `ctx.state` speaks to. */
export interface StateAccess {
  readState(index: number): unknown;
  writeState(index: number, value: unknown): void;
}

/**
 * Makes `ctx.state` for one function: a proxy, because `delete ctx.state.seen` compiles and so must delete, and because
 * a misspelt name must throw in plain JavaScript too.
 */
export function stateView(named: readonly NamedState[], owner: string): (access: StateAccess) => object {
  const indexes = new Map<string | symbol, number>(named.map(({ name }, index) => [name, index]));
  const indexOf = (name: string | symbol): number => {
    const index = indexes.get(name);
    if (index === undefined) throw new TypeError(`${owner} declares no state ${String(name)}`);
    return index;
  };
  const write = (access: StateAccess, name: string | symbol, value: unknown): true => {
    access.writeState(indexOf(name), value);
    return true;
  };
  const traps: ProxyHandler<StateAccess> = {
    get: (access, name) => {
      const index = indexes.get(name);
      if (index !== undefined) return access.readState(index);
      // Symbols are asked for by whoever prints or awaits it, `then` and `toJSON` too.
      return typeof name === "symbol" || name === "then" || name === "toJSON" ? undefined : indexOf(name);
    },
    set: write,
    deleteProperty: (access, name) => write(access, name, undefined),
    has: (_access, name) => indexes.has(name),
    ownKeys: () => [...indexes.keys()],
    getOwnPropertyDescriptor: (access, name) => {
      const index = indexes.get(name);
      if (index === undefined) return undefined;
      return { value: access.readState(index), writable: true, enumerable: true, configurable: true };
    },
    defineProperty: (_access, name) => {
      throw new TypeError(`${owner}: state ${String(name)} is set by assigning it`);
    },
  };
  return (access) => new Proxy(access, traps);
}
