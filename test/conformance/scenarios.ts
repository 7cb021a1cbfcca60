/**
 * What every SDK must do, as a table: messages in, records out. Actors of different scenarios have different ids, so that all
 * scenarios may run at the same time.
 */
import { type BuiltIn, type Command, EXPIRE_MS, type Operation, type Plain, type StateName } from "./commands";

export interface Message {
  readonly id: string;
  readonly command: Command;
}

/** A record's value: JSON when it is an object's text, bytes in hex otherwise. */
export type Observation = { readonly json: Plain } | { readonly hex: string };

export interface RawObservation {
  readonly typename: string;
  readonly hex: string;
}

export interface Scenario {
  readonly title: string;
  readonly steps: readonly {
    readonly afterMs?: number;
    readonly messages: readonly Message[];
    /** Go on when so many results of a key have come. */
    readonly seen?: Readonly<Record<string, number>>;
  }[];
  /** By record key ("" = none), in order: all there is, and nothing else. */
  readonly results?: Readonly<Record<string, readonly Observation[]>>;
  readonly raw?: Readonly<Record<string, readonly RawObservation[]>>;
  /** Time in which nothing more may come. */
  readonly quietMs?: number;
}

const tell = (id: string, tag: string, ...operations: Operation[]): Message => ({ id, command: { tag, operations } });
const order = (tag: string, ...operations: Operation[]): Command => ({ tag, operations });
const report: Operation = { do: "report" };
const count: Operation = { do: "count" };
const set = (state: StateName, value: Plain): Operation => ({ do: "set", state, value });
const get = (state: StateName): Operation => ({ do: "get", state });
const json = (value: Plain): Observation => ({ json: value });
const hex = (value: string): Observation => ({ hex: value });
const got = (tag: string, state: StateName, value: Plain): Observation => json({ tag, state, value });

/** A value of each type that is no default, and the default that must be told from nothing. */
const values: readonly (readonly [StateName, Plain, Plain])[] = [
  ["flag", true, false],
  ["whole", -2147483648, 0],
  ["big", "9007199254740993", "0"],
  ["small", 0.5, 0],
  ["wide", 0.1, 0],
  ["text", "é\u{1f600}", ""],
  ["profile", { name: "Ada", tags: ["x"], n: 1.5 }, {}],
];

const everyState: Scenario = {
  title: "a state of each type is set, kept, told from its default, and deleted",
  steps: [
    { messages: [tell("states", "new", ...values.map(([state]) => get(state)))] },
    { messages: [tell("states", "set", ...values.flatMap(([state, value]) => [set(state, value), get(state)]))] },
    { messages: [tell("states", "kept", ...values.map(([state]) => get(state)))] },
    { messages: [tell("states", "default", ...values.map(([state, , empty]) => set(state, empty)))] },
    { messages: [tell("states", "defaults kept", ...values.map(([state]) => get(state)))] },
    { messages: [tell("states", "delete", ...values.map(([state]): Operation => ({ do: "delete", state })))] },
    { messages: [tell("states", "gone", ...values.map(([state]) => get(state)))] },
  ],
  results: {
    states: [
      ...values.map(([state]) => got("new", state, null)),
      ...values.map(([state, value]) => got("set", state, value)),
      ...values.map(([state, value]) => got("kept", state, value)),
      ...values.map(([state, , empty]) => got("defaults kept", state, empty)),
      ...values.map(([state]) => got("gone", state, null)),
    ],
  },
};

const sendable: readonly (readonly [BuiltIn, Plain])[] = [
  ["bool", true],
  ["int", -7],
  ["long", "-9007199254740993"],
  ["float", 1.5],
  ["double", 0.1],
  ["string", "ü"],
  ["bool", false],
  ["int", 0],
  ["long", "0"],
  ["float", 0],
  ["double", 0],
  ["string", ""],
];

const sends: Scenario = {
  title: "messages of each type reach other actors in order, and know their caller",
  steps: [
    {
      messages: [
        tell(
          "sender",
          "start",
          { do: "caller" },
          ...sendable.map(([type, value]): Operation => ({ do: "send_value", id: "receiver", type, value })),
          { do: "send", id: "receiver/ключ", command: order("named", { do: "caller" }) },
        ),
      ],
    },
  ],
  results: {
    sender: [json({ tag: "start", caller: null })],
    receiver: sendable.map(([type, value]) => json({ type: `io.statefun.types/${type}`, value, caller: "sender" })),
    "receiver/ключ": [json({ tag: "named", caller: "sender" })],
  },
};

const selfSends: Scenario = {
  title: "an actor sends to itself, and sees its own writes",
  steps: [
    {
      messages: [
        tell("self", "first", count, {
          do: "send",
          id: "self",
          command: order(
            "second",
            count,
            { do: "caller" },
            { do: "send", id: "self", command: order("third", count, get("count")) },
          ),
        }),
      ],
    },
  ],
  results: { self: [json({ tag: "second", caller: "self" }), got("third", "count", 3)] },
};

const delays: Scenario = {
  title: "a delayed message comes after what was sent later without delay",
  steps: [
    {
      messages: [
        tell(
          "timer",
          "start",
          { do: "after", ms: 600, id: "woken", command: order("late", report, { do: "caller" }) },
          { do: "after", ms: 0, id: "woken at once", command: order("no delay", report) },
          { do: "send", id: "woken", command: order("now", report) },
        ),
      ],
    },
  ],
  results: {
    woken: [json({ tag: "now" }), json({ tag: "late" }), json({ tag: "late", caller: "timer" })],
    "woken at once": [json({ tag: "no delay" })],
  },
};

const after = (ms: number, token: string, tag: string): Operation => ({
  do: "after",
  ms,
  token,
  id: "canceller",
  command: order(tag, report),
});
const cancel = (token: string): Operation => ({ do: "cancel", token });

const cancellations: Scenario = {
  title: "a delayed message is cancelled by its sender, in the same reply or later; a token can be used again",
  steps: [
    { messages: [tell("canceller", "same reply", after(1_000, "a", "never a"), cancel("a"), cancel("unknown"))] },
    { messages: [tell("canceller", "later", after(5_000, "b", "never b"), after(3_000, "c", "fires c"))] },
    { messages: [tell("stranger", "other sender", cancel("c"))] },
    { messages: [tell("canceller", "cancel", cancel("b"), after(600, "b", "fires b"))] },
  ],
  // The new b may come more than two seconds late and is still in front of c.
  results: { canceller: [json({ tag: "fires b" }), json({ tag: "fires c" })] },
  quietMs: 3_000,
};

const kafka = (kind: Extract<Operation, { do: "kafka" }>["kind"], value: Plain): Operation => ({ do: "kafka", kind, value });

const kafkaValues: Scenario = {
  title: "Kafka records carry each kind of value, with and without a key",
  steps: [
    {
      messages: [
        tell(
          "kafka",
          "values",
          kafka("text", "é"),
          kafka("bytes", "00ff10"),
          kafka("integer", 1),
          kafka("int", 1),
          kafka("profile", { name: "Ada" }),
          kafka("keyless", "no key"),
          kafka("text", ""),
        ),
      ],
    },
  ],
  results: {
    kafka: [hex("c3a9"), hex("00ff10"), hex("00000001"), hex("0d01000000"), json({ name: "Ada" }), hex("")],
    "": [hex(Buffer.from("no key").toString("hex"))],
  },
};

const raw = (type: BuiltIn | "profile", value: Plain): Operation => ({ do: "raw", type, value });
const rawly = (name: string, bytes: string): RawObservation => ({ typename: `io.statefun.types/${name}`, hex: bytes });

const rawEgress: Scenario = {
  title: "typed values leave through the raw egress as they are",
  steps: [
    {
      messages: [
        tell(
          "raw",
          "values",
          raw("int", 1),
          raw("int", 0),
          raw("bool", true),
          raw("long", "-1"),
          raw("float", 1),
          raw("double", 1),
          raw("string", "é"),
        ),
      ],
    },
  ],
  raw: {
    raw: [
      rawly("int", "0d01000000"),
      rawly("int", ""),
      rawly("bool", "0801"),
      rawly("long", "09ffffffffffffffff"),
      rawly("float", "0d0000803f"),
      rawly("double", "09000000000000f03f"),
      rawly("string", "0a02c3a9"),
    ],
  },
};

/** Two thirds of a state's life: long enough that two of them exceed it, short enough that one does not on a slow machine. */
const laterMs = Math.round(EXPIRE_MS * 0.6);

const expiry: Scenario = {
  title: "states expire: after a write unless written again, after a call unless called again",
  steps: [
    {
      messages: [
        tell("rewritten", "0", set("written", 1), get("written")),
        tell("reread", "0", set("written", 1), get("written")),
        tell("recalled", "0", set("called", 1), get("called")),
        tell("forever", "0", set("whole", 1)),
      ],
      // Time counts from the writes, and they may have waited.
      seen: { rewritten: 1, reread: 1, recalled: 1 },
    },
    {
      afterMs: laterMs,
      messages: [
        tell("rewritten", "1", set("written", 2), get("written")),
        tell("reread", "1", get("written")),
        tell("recalled", "1", get("called")),
      ],
      seen: { rewritten: 2, reread: 2, recalled: 2 },
    },
    {
      afterMs: laterMs,
      messages: [
        tell("rewritten", "2", get("written")),
        tell("reread", "2", get("written")),
        tell("recalled", "2", get("called")),
      ],
      seen: { rewritten: 3, reread: 3, recalled: 3 },
    },
    {
      afterMs: EXPIRE_MS * 1.5,
      messages: [
        tell("rewritten", "3", get("written")),
        tell("recalled", "3", get("called")),
        tell("forever", "3", get("whole")),
      ],
    },
  ],
  results: {
    rewritten: [got("0", "written", 1), got("1", "written", 2), got("2", "written", 2), got("3", "written", null)],
    reread: [got("0", "written", 1), got("1", "written", 1), got("2", "written", null)],
    recalled: [got("0", "called", 1), got("1", "called", 1), got("2", "called", 1), got("3", "called", null)],
    forever: [got("3", "whole", 1)],
  },
};

const batched = 60;

const batches: Scenario = {
  title: "messages that gather behind a slow one are handled in order, in few requests",
  steps: [
    {
      messages: [
        tell("batch", "hold", { do: "hold", ms: 500 }),
        ...Array.from({ length: batched }, (_, i) => tell("batch", String(i), count, report)),
        tell("batch", "end", get("count")),
      ],
    },
  ],
  results: {
    batch: [...Array.from({ length: batched }, (_, i) => json({ tag: String(i) })), got("end", "count", batched)],
  },
};

const failures: Scenario = {
  title: "a handler that throws is tried again; its batch counts once and others do not wait",
  steps: [
    {
      messages: [
        tell("failing", "1", count, report),
        tell(
          "failing",
          "2",
          count,
          report,
          { do: "send", id: "failing's friend", command: order("sent", report) },
          {
            do: "fail",
            mark: "conformance",
            times: 3,
          },
        ),
        tell("failing", "3", count, get("count")),
        tell("bystander", "1", report),
      ],
    },
  ],
  results: {
    failing: [json({ tag: "1" }), json({ tag: "2" }), got("3", "count", 3)],
    "failing's friend": [json({ tag: "sent" })],
    bystander: [json({ tag: "1" })],
  },
};

const silence: Scenario = {
  title: "a message that has no effect is done with, and the next one is handled",
  steps: [{ messages: [tell("silent", "nothing")] }, { messages: [tell("silent", "something", report)] }],
  results: { silent: [json({ tag: "something" })] },
};

export const scenarios: readonly Scenario[] = [
  everyState,
  sends,
  selfSends,
  delays,
  cancellations,
  kafkaValues,
  rawEgress,
  expiry,
  batches,
  failures,
  silence,
];
