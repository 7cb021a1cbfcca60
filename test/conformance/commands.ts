/**
 * The function every SDK implements for these tests: `conformance/actor`, which does what its messages say.
 * Messages from the topic and between actors are JSON `Command`s; other messages are reported.
 */

export const ACTOR = "conformance/actor";
export const COMMAND = "conformance/command";
export const PROFILE = "conformance/profile";
/** A Kafka egress: reports, as JSON text, and the values of `kafka` operations. */
export const RESULTS = "conformance/results";
/** A raw egress: typed values. */
export const RAW = "conformance/raw";

/** Lower case only: StateFun's JavaScript SDK takes nothing else. */
export const STATES = {
  flag: "io.statefun.types/bool",
  whole: "io.statefun.types/int",
  big: "io.statefun.types/long",
  small: "io.statefun.types/float",
  wide: "io.statefun.types/double",
  text: "io.statefun.types/string",
  profile: PROFILE,
  count: "io.statefun.types/int",
  written: "io.statefun.types/int",
  called: "io.statefun.types/int",
} as const;

/** How long `written` lives after a write, and `called` after a call. */
export const EXPIRE_MS = 8_000;

export type StateName = keyof typeof STATES;

/** Values as JSON has them; a long is decimal text, since JSON's numbers are doubles. */
export type Plain = boolean | number | string | null | { readonly [key: string]: Plain } | readonly Plain[];

/** Names of the built-in types, without their namespace. */
export type BuiltIn = "bool" | "int" | "long" | "float" | "double" | "string";

export interface Command {
  /** Comes back in every report. */
  readonly tag: string;
  readonly operations: readonly Operation[];
}

export type Operation =
  | { readonly do: "set"; readonly state: StateName; readonly value: Plain }
  | { readonly do: "delete"; readonly state: StateName }
  /** Reports {tag, state, value}, null when absent. */
  | { readonly do: "get"; readonly state: StateName }
  /** Adds one to `count`. */
  | { readonly do: "count" }
  /** Reports {tag, caller: "id" or null}. */
  | { readonly do: "caller" }
  | { readonly do: "send"; readonly id: string; readonly command: Command }
  /** A value of a built-in type; its receiver reports {type, value, caller}. */
  | { readonly do: "send_value"; readonly id: string; readonly type: BuiltIn; readonly value: Plain }
  | { readonly do: "after"; readonly ms: number; readonly id: string; readonly token?: string; readonly command: Command }
  | { readonly do: "cancel"; readonly token: string }
  /**
   * A record for the Kafka egress, key = own id. `integer`: a big-endian int of 4 bytes, which the other SDKs write for
   * a bare number; `bytes`: hex; `int`, `profile`: by the type's bytes; `keyless`: text without a key.
   */
  | { readonly do: "kafka"; readonly kind: "text" | "bytes" | "integer" | "int" | "profile" | "keyless"; readonly value: Plain }
  | { readonly do: "raw"; readonly type: BuiltIn | "profile"; readonly value: Plain }
  /** Throws the first `times` times this host meets `mark`. */
  | { readonly do: "fail"; readonly mark: string; readonly times: number }
  /** Waits, so that messages gather behind it. */
  | { readonly do: "hold"; readonly ms: number }
  /** Reports {tag}. */
  | { readonly do: "report" };
