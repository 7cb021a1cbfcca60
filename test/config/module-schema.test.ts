/** docs/module.schema.json is up to date, takes what the loader takes, and marks what it does not. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";
import { parseAllDocuments } from "yaml";
import { LEGACY_SHAPES, SHAPES } from "../../src/config/vocabulary";
import { DOCUMENTATION } from "./documentation";
import { moduleSchema, SCHEMA_PATH, schemaText } from "./module-schema";
import { APPLICATION, and, EGRESS, ENDPOINT, FUNCTION, INGRESS, valid, without } from "./module-text";

const accepts = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true }).compile(moduleSchema());

/** What the schema says against the documents of a file. */
function marks(text: string): readonly string[] {
  return [parseAllDocuments(text, { uniqueKeys: false })].flat().flatMap((document) => {
    accepts(document.toJS());
    return (accepts.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  });
}

test("docs/module.schema.json is what the code makes; if not, run: npm run schema", () => {
  expect(readFileSync(SCHEMA_PATH, "utf8")).toBe(schemaText());
});

const MODULES = [
  "examples/flights/module.yaml",
  "examples/campaigns/module.yaml",
  "examples/campaigns/module-fifo.yaml",
  "bench/module.yaml",
];

test.each(MODULES)("%s is accepted", (path) => {
  expect(marks(readFileSync(join(__dirname, "../../..", path), "utf8"))).toEqual([]);
});

test("the examples of docs/configuration.md are accepted", () => {
  const examples = [...DOCUMENTATION.matchAll(/^```yaml\n(kind: .*?)^```/gms)].map(([, text = ""]) => text);
  expect(examples.length).toBeGreaterThan(4);
  for (const text of examples) {
    expect(parseAllDocuments(text).flatMap(({ errors }) => errors)).toEqual([]);
    expect(marks(text)).toEqual([]);
  }
});

const ASYNC = and(
  ENDPOINT.replace("shop/*", "[shop/*, other/cart]"),
  "maxNumBatchRequests: -1",
  "concurrency: '8'",
  "maxBatchBytes: 1 MiB",
  "transport:",
  "  type: io.statefun.transports.v1/async",
  "  call: 1 min",
  "  connect: 10",
  "  pool_ttl: 0s",
  "  pool_size: 5",
  "  payload_max_bytes: 1000",
  "  trust_cacerts: /ca.pem",
  "  client_cert: /c.pem",
  "  client_key: /k.pem",
  "  client_key_password: /p",
  "  timeouts: {call: 3s, connect: 1s, read: 1s, write: 1s}",
);
const OKHTTP = and(
  ENDPOINT.replace("shop/*", "okhttp/*"),
  "transport:",
  "  type: io.statefun.transports.v1/okhttp",
  "  timeouts: {call: 3s, connect: 1s, read: 1s, write: 1s}",
);
const REPLICAS = [
  "urls: ['http://localhost:8000', 'http://localhost:8001/{function.name}']",
  "placement: home",
  "concurrency: {auto: true, max: 10}",
];
const V1 = and(ENDPOINT.replace("v2", "v1").replace("shop/*", "v1/*"), "timeouts: {call: 3s, connect: 1s, read: 1s, write: 1s}");
const V1_REPLICAS = and(without(ENDPOINT.replace("v2", "v1").replace("shop/*", "v1/a"), "urlPathTemplate"), ...REPLICAS);
const V2_REPLICAS = and(without(ENDPOINT.replace("shop/*", "v2/*"), "urlPathTemplate"), ...REPLICAS);
const FULL_INGRESS = and(
  INGRESS.replace(
    "targets: [shop/cart]",
    "targets: [shop/cart]\n      critical: true\n      barrier: {json: window.end}\n    - {topic: ends, valueType: a/b, targets: [shop/cart], barrier: {protobuf: 1.3}}\n    - {topic: more, valueType: a/b, targets: [shop/cart], barrier: counter}",
  ),
  "autoOffsetResetPosition: Earliest",
  "startupPosition:",
  "  type: specific-offsets",
  "  offsets: [orders/0: 5, orders/1: '7']",
  "  date: 2020-02-01 04:15:00.000 +0000",
  "watermark:",
  "  every: 1s",
  "  time: arrival",
  "  lateness: 200ms",
  "  idle: 1 min",
  "  typename: shop/end",
  "  functions: [shop/cart]",
  "properties:",
  "  - fetch.max.bytes: 1000",
  "  - client.id: me",
  "  - some.other: true",
);
const SEMANTIC = "deliverySemantic: {type: at-least-once, transactionTimeout: 15min, transactionTimeoutMillis: 900000}";
const FULL_EGRESS = and(EGRESS, SEMANTIC, "properties: {client.id: me}");
const RAW = and(
  EGRESS.replace("statefun.kafka.v1/egress", "dirigo.kafka.v1/raw-egress").replace("receipts", "raw"),
  SEMANTIC,
  "topic: raw",
  "key: none",
  "properties: {client.id: me}",
);
const FULL_APPLICATION = and(
  APPLICATION,
  "slo: {latency: 200ms, percentile: 99.9, from: window-end, window: 1s}",
  "policy: token",
  "weight: 0.5",
  "params: {rate: 10, interval: 1s, scaling: true, range: 3, hysteresis: 1ms, short: 0.1}",
);
const PRIORITY = APPLICATION.replace("fraud", "reports").replace("shop/orders", "shop/again");
const AGAIN = INGRESS.replace("shop/orders", "shop/again").replace("topic: orders", "topic: again");
const BULK = AGAIN.replaceAll("again", "bulk");
const FULL_FUNCTION = and(
  FUNCTION.replace("shop/cart", "[shop/cart, shop/carts-*]"),
  "maxLessees: 0",
  "upstreams:",
  "  - shop/again",
  "  - {ingress: shop/orders, partitions: seen}",
  "  - {function: shop/router, count: 3}",
  "  - {function: shop/stock, ids: [a, 5]}",
  "critical: [shop/end]",
  "series: {name: window, json: window.end}",
  "states: {total: sum, best: {merge: max-by(a.b)}, seen: 'map(set-union)', parts: partition(customer.id)}",
);
const OTHER_FUNCTION = and(
  FUNCTION.replace("shop/cart", "shop/*"),
  "maxLessees: 64",
  "upstreams: [shop/again]",
  "critical: []",
  "series: {name: window, protobuf: 1.3}",
);
const FULL: readonly string[] = [
  ASYNC,
  OKHTTP,
  V1,
  V1_REPLICAS,
  V2_REPLICAS,
  FULL_FUNCTION,
  OTHER_FUNCTION,
  FUNCTION.replace("shop/cart", "shop/stock").replace("dual", "exclusive"),
  FULL_INGRESS,
  AGAIN,
  BULK,
  FULL_EGRESS,
  RAW,
  FULL_APPLICATION,
  and(PRIORITY, "policy: priority", "params: {priority: -1}"),
  and(PRIORITY.replace("reports", "bulk").replace("again", "bulk"), "slo: {latency: 1}", "params: {margin: 0.1}"),
];
const LEGACY = `version: 3.0
module:
  meta: {type: remote}
  spec:
    functions: []
    endpoints:
      - endpoint:
          meta: {kind: http}
          spec: {functions: shop/*, urlPathTemplate: "http://localhost:8000", timeouts: {call: 5s}}
    ingresses:
      - ingress:
          meta: {type: io.statefun.kafka/ingress, id: shop/orders}
          spec: {address: "kafka:9092", topics: [{topic: orders, valueType: 7, targets: [shop/cart]}]}
    egresses:
      - egress:
          meta: {type: io.statefun.kafka/egress, id: shop/receipts}
          spec: {address: "kafka:9092"}
`;

/** Paths of all options of a value, as the vocabulary writes them: `topics[].topic`. */
function paths(value: unknown, path = ""): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => paths(item, `${path}[]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const inside = path === "" ? name : `${path}.${name}`;
    return [inside, ...paths(inner, inside)];
  });
}

test("every option of the vocabulary is accepted, by the loader too", () => {
  valid(FULL);
  expect(marks(FULL.join("---\n"))).toEqual([]);
  const used = new Set(FULL.flatMap((text) => [parseAllDocuments(text)].flat().flatMap((each) => paths(each.toJS()))));
  const known = Object.values(SHAPES).flatMap(({ section, prefix, names }) =>
    names.map((name) => (section === "Documents" ? name : `spec.${prefix}${name}`)),
  );
  // Names of states are the user's own.
  const isUsed = (path: string) => used.has(path) || [...used].some((each) => each.replace(/(?<=\.states\.)\w+/, "*") === path);
  expect(known.filter((path) => !isUsed(path))).toEqual([]);
});

test("the legacy form is accepted, with all its names", () => {
  valid([LEGACY]);
  expect(marks(LEGACY)).toEqual([]);
  const used = paths(parseAllDocuments(LEGACY).map((each) => each.toJS())[0]);
  const known = Object.values(LEGACY_SHAPES).flatMap(({ prefix, names }) => names.map((name) => prefix + name));
  expect(known.filter((path) => !used.includes(path))).toEqual([]);
});

test("placeholders may stand for any value, and a document may be empty", () => {
  const open = (text: string) =>
    text.replaceAll(
      /: (?:true|counter|window\.end|max-by\(a\.b\)|dual|64|seen|home|8000|1s|10|0\.5|99\.9|token|window-end|200ms|none|raw|5|-1)(?=\n|,|})/g,
      ": '$${X:-1}'",
    );
  const texts = FULL.map(open);
  expect(texts.join("").match(/\{X:-1\}/g)?.length).toBeGreaterThan(15);
  expect(marks(["# nothing\n", ...texts].join("---\n"))).toEqual([]);
});

test("a policy of one's own has any params", () => {
  const file = and(APPLICATION, "policy: ./policies/mine.mjs", "params: {margin: 0.5, deep: {a: [1]}}");
  expect(marks(file)).toEqual([]);
});

describe("is marked:", () => {
  test.each([
    ["an unknown kind", EGRESS.replace("egress", "egres"), "/kind must be equal to one of the allowed values"],
    ["a Kinesis ingress", INGRESS.replace("kafka.v1", "kinesis.v1"), "/kind must be equal"],
    ["a document without a spec", "kind: io.statefun.kafka.v1/egress\n", " must have required property 'spec'"],
    ["an egress without an id", without(EGRESS, "id"), "/spec must have required property 'id'"],
    ["an endpoint without a URL", without(ENDPOINT, "urlPathTemplate"), "/spec must have required property 'urlPathTemplate'"],
    ["an ingress without topics", without(INGRESS, "topics"), "/spec must have required property 'topics'"],
    ["a topic without targets", INGRESS.replace(/ *targets.*\n/, ""), "/spec/topics/0 must have required property 'targets'"],
    ["an unknown option", and(ENDPOINT, "concurency: 5"), "/spec must NOT have additional properties"],
    ["okhttp's option in async", and(ENDPOINT, "transport: {timeout: 5s}"), "/spec/transport must NOT have additional"],
    [
      "async's option in okhttp",
      and(ENDPOINT, "transport: {type: io.statefun.transports.v1/okhttp, call: 5s}"),
      "/spec/transport must NOT have additional",
    ],
    ["a URL of another protocol", ENDPOINT.replace("http:", "ftp:"), "/spec/urlPathTemplate must match"],
    ["a target without a namespace", INGRESS.replace("shop/cart", "cart"), "/spec/topics/0/targets/0 must match"],
    ["an application without a name", without(APPLICATION, "name"), "/spec must have required property 'name'"],
    ["an SLO without a latency", and(APPLICATION, "slo: {percentile: 9}"), "/spec/slo must have required property 'latency'"],
    ["a percentile above 100", and(APPLICATION, "slo: {latency: 1, percentile: 101}"), "/spec/slo/percentile must be <= 100"],
    ["a duration without sense", and(APPLICATION, "slo: {latency: fast}"), "/spec/slo/latency must match"],
    ["a weight of nothing", and(APPLICATION, "weight: 0"), "/spec/weight must be > 0"],
    ["a misspelt policy", and(APPLICATION, "policy: minlaxity"), "/spec/policy must be equal to one of the allowed values"],
    ["a policy in TypeScript", and(APPLICATION, "policy: ./mine.ts"), "/spec/policy must match"],
    [
      "a param of another policy",
      and(APPLICATION, "policy: token", "params: {margin: 0}"),
      "/spec/params property name must be valid",
    ],
    [
      "a param where there are none",
      and(APPLICATION, "policy: edf", "params: {rate: 5}"),
      "/spec/params property name must be valid",
    ],
    ["a URL and URLs", and(ENDPOINT, "urls: [http://a]"), "/spec must match exactly one schema in oneOf"],
    ["no URLs", and(without(ENDPOINT, "urlPathTemplate"), "urls: []"), "/spec/urls must NOT have fewer than 1 items"],
    ["a placement nobody knows", and(ENDPOINT, "placement: hom"), "/spec/placement must be equal to one of the allowed values"],
    ["slots that are no number", and(ENDPOINT, "concurrency: many"), "/spec/concurrency must match"],
    [
      "a bound of a fixed number",
      and(ENDPOINT, "concurrency: {auto: false, max: 5}"),
      "/spec/concurrency/auto must NOT be valid",
    ],
    ["a bound alone", and(ENDPOINT, "concurrency: {max: 5}"), "/spec/concurrency must have required property 'auto'"],
    ["a barrier without a place", `${INGRESS}      barrier: {}\n`, "/spec/topics/0/barrier must NOT have fewer than 1"],
    ["a watermark without a length", and(INGRESS, "watermark: {functions: [a/b]}"), "must have required property 'every'"],
    [
      "a watermark for nobody",
      and(INGRESS, "watermark: {every: 1s, functions: []}"),
      "/spec/watermark/functions must NOT have fewer",
    ],
    ["a document of no function", without(FUNCTION, "functions"), "/spec must have required property 'functions'"],
    ["a * in the middle", FUNCTION.replace("shop/cart", "shop/c*t"), "/spec/functions must match"],
    ["a mode nobody knows", FUNCTION.replace("dual", "dul"), "/spec/mode must be equal to one of the allowed values"],
    ["too many lessees", and(FUNCTION, "maxLessees: 65"), "/spec/maxLessees must be <= 64"],
    ["lessees in exclusive mode", and(FUNCTION.replace("dual", "exclusive"), "maxLessees: 1"), "/spec must NOT be valid"],
    ["lessees without a mode", and(without(FUNCTION, "mode"), "maxLessees: 1"), "/spec must NOT be valid"],
    ["an upstream that is two", and(FUNCTION, "upstreams: [{ingress: a/b, function: a/b}]"), "/spec/upstreams/0 must match"],
    ["count and ids", and(FUNCTION, "upstreams: [{function: a/b, count: 1, ids: [a]}]"), "/spec/upstreams/0 must match"],
    ["a series without a name", and(FUNCTION, "series: {json: a}"), "/spec/series must have required property 'name'"],
    ["a series in two places", and(FUNCTION, "series: {name: s, json: a, protobuf: 1}"), "/spec/series must NOT be valid"],
    ["a misspelt strategy", and(FUNCTION, "states: {a: summ}"), "/spec/states/a must be equal to one of the allowed values"],
    ["a state without a strategy", and(FUNCTION, "states: {a: {}}"), "/spec/states/a must have required property 'merge'"],
    [
      "an unknown option in the legacy form",
      LEGACY.replace("spec: {address", "spec: {idd: 5, address"),
      "must NOT have additional",
    ],
  ])("%s", (_what, text, mark) => {
    expect(marks(text).join("\n")).toContain(mark);
  });
});
