import { findingText } from "../../src/config/finding";
import { calledOf, flagOf, OPTIONS, variableOf } from "../../src/config/option-table";
import { brokersOf, type Flags, type ResolvedOptions, resolveOptions } from "../../src/config/options";
import type { RouterOptions } from "../../src/config/specification";
import { ENDPOINT, INGRESS, valid, without } from "./module-text";

const SURROUNDINGS = { verb: "run", hostName: "host-1", terminal: false } as const;
const LOADED = valid.bind(undefined, [ENDPOINT, INGRESS]);

function resolve(
  flags: Flags,
  environment: Record<string, string> = {},
  surroundings: Parameters<typeof resolveOptions>[3] = SURROUNDINGS,
) {
  return resolveOptions(flags, environment, LOADED(), surroundings);
}

function told({ findings }: ResolvedOptions): readonly string[] {
  return findings.map(findingText);
}

/** Without a value for every option this does not compile. */
const DEFAULTS: Omit<RouterOptions, "cluster"> = {
  group: "shop",
  router: "host-1",
  delivery: "exactly-once",
  shards: 8,
  adminHost: "127.0.0.1",
  adminPort: 9070,
  log: "json",
  logLevel: "info",
  createTopics: false,
  defaultSloMs: 10_000,
  partitionDepthMax: 2048,
  mailboxBytesMax: 128 * 1024 * 1024,
  heldBytesMax: 64 * 1024 * 1024,
  leaseIdleMs: 2_000,
  retryFirstMs: 100,
  retryMaxMs: 30_000,
  unitLingerMs: 0,
  unitRecordsMax: 10_000,
  unitBytesMax: 8 * 1024 * 1024,
  handoverMs: 5_000,
  drainMs: 10_000,
  sessionTimeoutMs: 6_000,
  transactionTimeoutMs: 60_000,
  replicationFactor: -1,
};

test("without flags and environment every option has its default, and the cluster is the first ingress's", () => {
  const { options, findings } = resolve({});
  expect(findings).toEqual([]);
  expect(options).toEqual({ ...DEFAULTS, cluster: LOADED().defaults.cluster });
  expect(Object.isFrozen(options)).toBe(true);
});

test("dev creates topics, and a terminal gets a pretty log", () => {
  expect(resolve({}, {}, { verb: "dev", hostName: "a b!", terminal: true }).options).toMatchObject({
    createTopics: true,
    log: "pretty",
    router: "a-b-",
  });
});

const SAMPLES: Record<keyof typeof DEFAULTS, readonly [text: string, value: unknown]> = {
  group: ["g.1", "g.1"],
  router: ["r-1", "r-1"],
  delivery: ["at-least-once", "at-least-once"],
  shards: ["32", 32],
  adminHost: ["0.0.0.0", "0.0.0.0"],
  adminPort: ["0", 0],
  log: ["pretty", "pretty"],
  logLevel: ["debug", "debug"],
  createTopics: ["true", true],
  defaultSloMs: ["3s", 3_000],
  partitionDepthMax: ["10", 10],
  mailboxBytesMax: ["64 MiB", 67_108_864],
  heldBytesMax: ["32 MiB", 33_554_432],
  leaseIdleMs: ["3s", 3_000],
  retryFirstMs: ["5", 5],
  retryMaxMs: ["1 min", 60_000],
  unitLingerMs: ["2ms", 2],
  unitRecordsMax: ["1", 1],
  unitBytesMax: ["65536", 65_536],
  handoverMs: ["0", 0],
  drainMs: ["1s", 1_000],
  sessionTimeoutMs: ["10s", 10_000],
  transactionTimeoutMs: ["30s", 30_000],
  replicationFactor: ["3", 3],
};

const ROWS = OPTIONS.flatMap((row) => (row.name === "brokers" ? [] : [{ ...row, name: row.name }]));

test("the table has a row for every option", () => {
  expect(ROWS.map(({ name }) => name).sort()).toEqual(Object.keys(DEFAULTS).sort());
});

test.each(ROWS)("$name: flag before environment before default; a wrong value is told", (row) => {
  const [text, value] = SAMPLES[row.name];
  expect(resolve({}, { [variableOf(row)]: text }).options?.[row.name]).toBe(value);
  expect(resolve({ [calledOf(row)]: text }, { [variableOf(row)]: " wrong " }).options?.[row.name]).toBe(value);
  expect(resolve({}, { [variableOf(row)]: "" }).options?.[row.name]).toBe(DEFAULTS[row.name]);
  expect(told(resolve({ [calledOf(row)]: " wrong " }))).toEqual([
    `${flagOf(row)} (${variableOf(row)}): " wrong " is not possible; expected ${row.kind.expected}`,
  ]);
  expect(told(resolve({}, { [variableOf(row)]: " wrong " }))).toEqual([
    `${variableOf(row)} (${flagOf(row)}): " wrong " is not possible; expected ${row.kind.expected}`,
  ]);
});

test.each([
  ['--shards (DIRIGO_SHARDS): "0" is not possible; expected a whole number from 1 to 1024', { shards: "0" }],
  [
    '--group (DIRIGO_GROUP): "my group" is not possible; expected at most 240 letters, digits, dots, underscores and hyphens: it begins the names of the internal topics',
    { group: "my group" },
  ],
  [
    '--drain-ms (DIRIGO_DRAIN_MS): "soon" is not possible; expected a duration from 0 ms to 86400000 ms, such as 500ms or 10s (a bare number is milliseconds)',
    { drainMs: "soon" },
  ],
  [
    '--brokers (DIRIGO_BROKERS, KAFKA_BOOTSTRAP_SERVERS): "kafka" is no list of brokers; expected host:port, or several with commas between',
    { brokers: "kafka" },
  ],
  [
    '--retry-first-ms (DIRIGO_RETRY_FIRST_MS): "5000 ms" is longer than the longest pause (1000 ms); expected at most retryMaxMs',
    { retryFirstMs: "5s", retryMaxMs: "1s" },
  ],
])("%s", (text, flags: Flags) => {
  const resolved = resolve(flags);
  expect(told(resolved)).toEqual([text]);
  expect(resolved.options).toBeUndefined();
});

test("brokers: flag, DIRIGO_BROKERS, KAFKA_BOOTSTRAP_SERVERS, first ingress", () => {
  const environment = { DIRIGO_BROKERS: "b:1", KAFKA_BOOTSTRAP_SERVERS: "c:1" };
  expect(resolve({ brokers: "a:1" }, environment).options?.cluster.name).toBe("a:1");
  expect(resolve({}, environment).options?.cluster.name).toBe("b:1");
  expect(resolve({}, { KAFKA_BOOTSTRAP_SERVERS: "c:1" }).options?.cluster.name).toBe("c:1");
  expect(brokersOf({}, { KAFKA_BOOTSTRAP_SERVERS: "d:1,c:1" })).toEqual(["c:1", "d:1"]);
  expect(brokersOf({}, {})).toBeUndefined();
});

test("without brokers or a group anywhere the missing ones are named", () => {
  const loaded = valid([ENDPOINT, without(without(INGRESS, "address"), "consumerGroupId")]);
  expect(told(resolveOptions({}, {}, loaded, SURROUNDINGS))).toEqual([
    "--group (DIRIGO_GROUP): is not given; expected --group, or consumerGroupId in the first ingress",
    "--brokers (DIRIGO_BROKERS, KAFKA_BOOTSTRAP_SERVERS): is not given; expected --brokers host:port, or an address in the first ingress",
  ]);
});

test("a consumerGroupId that cannot begin a topic's name is told like a flag", () => {
  const loaded = valid([ENDPOINT, INGRESS.replace("consumerGroupId: shop", "consumerGroupId: my shop")]);
  expect(told(resolveOptions({}, {}, loaded, SURROUNDINGS))).toEqual([
    '--group (DIRIGO_GROUP): "my shop" (consumerGroupId of the first ingress) cannot be the group; expected at most 240 letters, digits, dots, underscores and hyphens: it begins the names of the internal topics',
  ]);
  expect(resolveOptions({ group: "shop" }, {}, loaded, SURROUNDINGS).options?.group).toBe("shop");
});

test("a misspelt variable is a warning with the nearest name", () => {
  expect(
    resolve({}, { DIRIGO_SHARD: "4", DIRIGO_CACHE: "/x", DIRIGO_SOMETHING_ELSE_ENTIRELY: "1" }).warnings.map(findingText),
  ).toEqual(['DIRIGO_SHARD: is a variable nobody knows here; it has no effect; did you mean "DIRIGO_SHARDS"?']);
});
