/**
 * Every option of `run` and `dev`: one table for the command line, the environment, the check of values and
 * docs/configuration.md (a test compares). A flag is the option's name in kebab case, a variable is `DIRIGO_` and the name in capitals,
 * unless the row says otherwise.
 */
import { parseDuration, parseSize, parseWhole } from "./quantity";
import type { RouterOptions } from "./specification";

export type Value = string | number | boolean;

export interface ValueKind {
  readonly expected: string;
  parse(text: string): Value | undefined;
}

/** Options with a value of their own; the cluster comes from `brokers` and the module. */
export type OptionName = Exclude<keyof RouterOptions, "cluster">;

export interface OptionRow<Name extends string = OptionName | "brokers"> {
  readonly name: Name;
  /** How it is called outside, when not by its name. */
  readonly called?: string;
  /** Read when the `DIRIGO_` variable is not set. */
  readonly alsoVariable?: string;
  readonly kind: ValueKind;
  /** The default as one would write it; undefined where it is made of something else, which `otherwise` tells. */
  readonly standard?: string;
  readonly otherwise?: string;
  readonly meaning: string;
  /** Not in `--help`: for who knows what it is for. */
  readonly rare?: true;
}

const durationFrom = (min: number, max = 86_400_000): ValueKind => ({
  expected: `a duration from ${min} ms to ${max} ms, such as 500ms or 10s (a bare number is milliseconds)`,
  parse: (text) => within(parseDuration(text), min, max),
});

const sizeFrom = (min: number): ValueKind => ({
  expected: `a number of bytes of at least ${min}, such as 8388608 or 8 MiB`,
  parse: (text) => within(parseSize(text), min, Number.MAX_SAFE_INTEGER),
});

const wholeFrom = (min: number, max: number): ValueKind => ({
  expected: `a whole number from ${min} to ${max}`,
  parse: (text) => within(parseWhole(text), min, max),
});

const oneOf = (...names: string[]): ValueKind => ({
  expected: names.join(", ").replace(/, ([^,]*)$/, " or $1"),
  parse: (text) => names.find((name) => name === text),
});

const matching = (pattern: RegExp, expected: string): ValueKind => ({
  expected,
  parse: (text) => (pattern.test(text) ? text : undefined),
});

const yesOrNo: ValueKind = {
  expected: "true or false",
  parse: (text) => ({ true: true, yes: true, "1": true, false: false, no: false, "0": false })[text.toLowerCase()],
};

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

/** The longest internal topic is `<group>.messages`, and Kafka names end at 249 characters. */
const GROUP = matching(
  /^[\w.-]{1,240}$/,
  "at most 240 letters, digits, dots, underscores and hyphens: it begins the names of the internal topics",
);
const NAME = matching(/^[\w.-]{1,128}$/, "at most 128 letters, digits, dots, underscores and hyphens");

export const OPTIONS: readonly OptionRow[] = [
  {
    name: "brokers",
    alsoVariable: "KAFKA_BOOTSTRAP_SERVERS",
    kind: matching(/\S/, "host:port, or several with commas between"),
    otherwise: "the address of the first ingress",
    meaning: "Kafka of the internal topics, and of components without an address; security is that of the first ingress",
  },
  {
    name: "group",
    kind: GROUP,
    otherwise: "`consumerGroupId` of the first ingress",
    meaning: "name of the deployment: consumer group, and prefix of the internal topics",
  },
  {
    name: "router",
    called: "name",
    kind: NAME,
    otherwise: "the host's name",
    meaning: "this router's name in the group; a successor of the same name takes over at once",
  },
  {
    name: "delivery",
    kind: oneOf("exactly-once", "at-least-once"),
    standard: "exactly-once",
    meaning: "effects in one Kafka transaction, or written at once and perhaps twice after a failure",
  },
  {
    name: "shards",
    kind: wholeFrom(1, 1024),
    standard: "8",
    meaning: "shards of the group, fixed when its topics are created: the most routers that share the work",
  },
  {
    name: "adminHost",
    kind: matching(/^\S+$/, "a host name or address"),
    standard: "127.0.0.1",
    meaning: "where health and metrics are served",
  },
  {
    name: "adminPort",
    kind: wholeFrom(0, 65_535),
    standard: "9070",
    meaning: "port of health and metrics; 0 takes any free one",
  },
  { name: "log", kind: oneOf("pretty", "json"), otherwise: "pretty on a terminal, else json", meaning: "form of the log" },
  {
    name: "logLevel",
    kind: oneOf("debug", "info", "warn", "error"),
    standard: "info",
    meaning: "least important lines that are logged",
  },
  {
    name: "createTopics",
    kind: yesOrNo,
    otherwise: "false in `run`, true in `dev`",
    meaning: "create absent ingress topics, or wait for them",
  },
  {
    name: "defaultSloMs",
    kind: durationFrom(1),
    standard: "10000",
    meaning: "deadline of a message whose ingress has none",
    rare: true,
  },
  {
    name: "partitionDepthMax",
    kind: wholeFrom(1, 10_000_000),
    standard: "2048",
    meaning: "most unfinished records of one ingress partition before it is paused",
    rare: true,
  },
  {
    name: "mailboxBytesMax",
    kind: sizeFrom(65_536),
    standard: "128 MiB",
    meaning: "most bytes that wait in mailboxes before partitions are paused",
    rare: true,
  },
  {
    name: "heldBytesMax",
    kind: sizeFrom(65_536),
    standard: "64 MiB",
    meaning: "most bytes held behind barriers before partitions that have reached theirs are paused",
    rare: true,
  },
  {
    name: "leaseIdleMs",
    kind: durationFrom(1),
    standard: "2000",
    meaning:
      "how long a lessee may have nothing to do before it is consolidated; looked at as often, so it may be up to twice as long",
    rare: true,
  },
  {
    name: "retryFirstMs",
    kind: durationFrom(1),
    standard: "100",
    meaning: "first pause after a failed invocation; it doubles",
    rare: true,
  },
  { name: "retryMaxMs", kind: durationFrom(1), standard: "30000", meaning: "longest pause between two tries", rare: true },
  {
    name: "unitLingerMs",
    kind: durationFrom(0, 60_000),
    standard: "0",
    meaning: "how long a unit waits for more before it is committed",
    rare: true,
  },
  { name: "unitRecordsMax", kind: wholeFrom(1, 1_000_000), standard: "10000", meaning: "most records of one unit", rare: true },
  { name: "unitBytesMax", kind: sizeFrom(65_536), standard: "8 MiB", meaning: "most bytes of one unit", rare: true },
  {
    name: "handoverMs",
    kind: durationFrom(0),
    standard: "5000",
    meaning: "how long a new owner waits for the old one before it fences it",
    rare: true,
  },
  {
    name: "drainMs",
    kind: durationFrom(0),
    standard: "10000",
    meaning: "how long requests in flight may take when the router stops",
    rare: true,
  },
  {
    name: "sessionTimeoutMs",
    kind: durationFrom(1_000, 1_800_000),
    standard: "6000",
    meaning: "after this silence the group takes a router for dead",
    rare: true,
  },
  {
    name: "transactionTimeoutMs",
    kind: durationFrom(1_000, 900_000),
    standard: "60000",
    meaning: "after this the broker aborts a transaction left open (at most its `transaction.max.timeout.ms`)",
    rare: true,
  },
  {
    name: "replicationFactor",
    kind: {
      expected: "a whole number from 1 to 32767, or -1 for the broker's default",
      parse: (text) => (text.trim() === "-1" ? -1 : within(parseWhole(text), 1, 32_767)),
    },
    standard: "-1",
    meaning: "replicas of topics the router creates; -1 is the broker's default",
    rare: true,
  },
];

/** `--admin-port` */
export function flagOf(row: OptionRow): string {
  return `--${calledOf(row).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `DIRIGO_ADMIN_PORT` */
export function variableOf(row: OptionRow): string {
  return `DIRIGO_${calledOf(row)
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .toUpperCase()}`;
}

/** The name in `flags`, as commander makes it of the flag: `adminPort`. */
export function calledOf(row: OptionRow): string {
  return row.called ?? row.name;
}

export function standardText(row: OptionRow): string {
  return row.standard ?? row.otherwise ?? "";
}
