/** What the options of STATEFUN.md §3.3–3.5 become, and their defaults. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of module.yaml.
import { findingText } from "../../src/config/finding";
import type { SourceSpecification, StartupPosition } from "../../src/config/specification";
import { and, EGRESS, ENDPOINT, FUNCTION, INGRESS, valid, warnings, without } from "./module-text";

const MIB = 1024 * 1024;

const ASYNC_DEFAULTS = {
  callTimeoutMs: 120_000,
  connectTimeoutMs: 20_000,
  readTimeoutMs: undefined,
  poolTtlMs: 15_000,
  poolSize: 1024,
  payloadMaxBytes: 32 * MIB,
  tls: undefined,
};
const OKHTTP_DEFAULTS = {
  ...ASYNC_DEFAULTS,
  callTimeoutMs: 60_000,
  connectTimeoutMs: 10_000,
  readTimeoutMs: 10_000,
  poolTtlMs: 60_000,
};

function endpoint(text: string) {
  const [read] = valid([text, INGRESS]).module.endpoints;
  if (read === undefined) throw new Error("no endpoint");
  return read;
}

function source(text: string): SourceSpecification {
  const [read] = valid([ENDPOINT, text]).module.sources;
  if (read === undefined) throw new Error("no source");
  return read;
}

function egress(text: string) {
  const [read] = valid([ENDPOINT, INGRESS, text]).module.egresses;
  if (read === undefined) throw new Error("no egress");
  return read;
}

const transportOf = (...lines: string[]) => endpoint(and(ENDPOINT, "transport:", ...lines.map((line) => `  ${line}`))).transport;
const properties = (component: string, ...lines: string[]) =>
  and(component, "properties:", ...lines.map((line) => `  - ${line}`));

describe("endpoint", () => {
  test("v2 has StateFun's defaults: async, and a threshold of 1000", () => {
    expect(endpoint(ENDPOINT)).toEqual({
      id: "shop/*",
      functions: [{ namespace: "shop", name: undefined }],
      urls: ["http://localhost:8000/{function.name}"],
      placement: "any",
      adaptive: false,
      maxNumBatchRequests: 1000,
      concurrency: 64,
      maxBatchBytes: 4 * MIB,
      transport: ASYNC_DEFAULTS,
    });
  });

  test("v1 is always okhttp, with its timeouts directly under spec", () => {
    const v1 = ENDPOINT.replace("v2", "v1");
    expect(endpoint(v1).transport).toEqual(OKHTTP_DEFAULTS);
    expect(endpoint(and(v1, "timeouts: {call: 2 min, connect: 20s, read: 1 min}")).transport).toEqual({
      ...OKHTTP_DEFAULTS,
      callTimeoutMs: 120_000,
      connectTimeoutMs: 20_000,
      readTimeoutMs: 60_000,
    });
  });

  test("a number of messages, slots and bytes", () => {
    const text = and(ENDPOINT, "maxNumBatchRequests: 50", "concurrency: 3", "maxBatchBytes: 1 MiB");
    expect(endpoint(text)).toMatchObject({ maxNumBatchRequests: 50, concurrency: 3, maxBatchBytes: MIB });
  });

  test.each(["0", "-1"])("maxNumBatchRequests %s turns the threshold off: a very large one", (number) => {
    expect(endpoint(and(ENDPOINT, `maxNumBatchRequests: ${number}`)).maxNumBatchRequests).toBe(2_147_483_647);
  });

  test("several functions are one endpoint (ours)", () => {
    expect(endpoint(ENDPOINT.replace("shop/*", "[shop/cart, other/*]"))).toMatchObject({
      id: "shop/cart, other/*",
      functions: [
        { namespace: "shop", name: "cart" },
        { namespace: "other", name: undefined },
      ],
    });
  });

  const replicas = (...lines: readonly string[]) => endpoint(and(without(ENDPOINT, "urlPathTemplate"), ...lines));

  test("several replicas, each message to any of them or each address to its home (ours)", () => {
    const urls = ["http://a:8000/{function.name}", "http://b:8000/{function.name}"];
    const text = `urls: ['${urls.join("', '")}']`;
    expect(replicas(text)).toMatchObject({ urls, placement: "any", concurrency: 64, adaptive: false });
    expect(replicas(text, "placement: any").placement).toBe("any");
    expect(replicas(text, "placement: home").placement).toBe("home");
    expect(replicas("urls: ['http://a']").urls).toEqual(["http://a"]);
  });

  test.each([
    ["auto", { concurrency: 1000, adaptive: true }],
    ["'${SLOTS:-auto}'", { concurrency: 1000, adaptive: true }],
    ["'${SLOTS:-7}'", { concurrency: 7, adaptive: false }],
    ["{auto: true}", { concurrency: 1000, adaptive: true }],
    ["{auto: true, max: 5}", { concurrency: 5, adaptive: true }],
  ])("concurrency %s (ours)", (text, slots) => {
    expect(endpoint(and(ENDPOINT, `concurrency: ${text}`))).toMatchObject(slots);
    expect(endpoint(and(ENDPOINT.replace("v2", "v1"), `concurrency: ${text}`))).toMatchObject(slots);
  });

  test("a transport without a type is async", () => {
    expect(transportOf("call: 3s")).toEqual({ ...ASYNC_DEFAULTS, callTimeoutMs: 3_000 });
  });

  test("all options of the async transport", () => {
    const tls = ["trust_cacerts: /ca.pem", "client_cert: /c.pem", "client_key: /k.pem", "client_key_password: /p"];
    const lines = ["call: 3s", "connect: 2s", "pool_ttl: 0s", "pool_size: 7", "payload_max_bytes: 1000", ...tls];
    expect(transportOf("type: io.statefun.transports.v1/async", ...lines)).toEqual({
      callTimeoutMs: 3_000,
      connectTimeoutMs: 2_000,
      readTimeoutMs: undefined,
      poolTtlMs: 0,
      poolSize: 7,
      payloadMaxBytes: 1_000,
      tls: {
        caFile: "/ca.pem",
        certFile: "/c.pem",
        keyFile: "/k.pem",
        keyPasswordFile: "/p",
        keyPassword: undefined,
        ca: undefined,
        cert: undefined,
        key: undefined,
        checkHostname: true,
      },
    });
  });

  test("in async, a timeouts object counts and changes the other default too", () => {
    expect(transportOf("timeouts: {call: 3s}")).toEqual({ ...ASYNC_DEFAULTS, callTimeoutMs: 3_000, connectTimeoutMs: 10_000 });
    expect(transportOf("call: 5s", "timeouts: {connect: 1s}")).toMatchObject({ callTimeoutMs: 60_000, connectTimeoutMs: 1_000 });
  });

  test("okhttp's defaults, and they give way to a shorter call", () => {
    const okhttp = "type: io.statefun.transports.v1/okhttp";
    expect(transportOf(okhttp)).toEqual(OKHTTP_DEFAULTS);
    expect(transportOf(okhttp, "timeouts: {call: 5s}")).toMatchObject({
      callTimeoutMs: 5_000,
      connectTimeoutMs: 5_000,
      readTimeoutMs: 5_000,
    });
  });
});

describe("ingress", () => {
  test("StateFun's defaults, except that only committed records are read", () => {
    expect(source(INGRESS)).toEqual({
      ingress: "shop/orders",
      cluster: {
        name: "kafka:9092",
        brokers: ["kafka:9092"],
        ssl: false,
        sasl: undefined,
        clientId: undefined,
        connectionTimeoutMs: undefined,
        requestTimeoutMs: undefined,
      },
      topic: "orders",
      valueType: "shop/order",
      targets: ["shop/cart"],
      critical: false,
      barrier: undefined,
      watermark: undefined,
      startup: { kind: "latest" },
      autoOffsetReset: "latest",
      readUncommitted: false,
      fetchMaxBytes: undefined,
      fetchPartitionMaxBytes: undefined,
      fetchMaxWaitMs: undefined,
      fetchMinBytes: undefined,
    });
  });

  test.each<[string, StartupPosition]>([
    ["type: earliest", { kind: "earliest" }],
    ["type: latest", { kind: "latest" }],
    ["type: group-offsets", { kind: "group-offsets", groupId: "shop" }],
    ["{type: date, date: '2020-02-01 04:15:00.000 +0100'}", { kind: "date", timestampMs: Date.parse("2020-02-01T03:15:00Z") }],
    [
      "{type: specific-offsets, offsets: [orders/0: 5, orders/7: 0]}",
      { kind: "specific-offsets", offsets: { "orders/0": 5, "orders/7": 0 } },
    ],
    ["{type: specific-offsets, offsets: {orders/0: 5}}", { kind: "specific-offsets", offsets: { "orders/0": 5 } }],
  ])("startup position %s", (text, startup) => {
    expect(source(and(INGRESS, `startupPosition:${text.startsWith("{") ? " " : "\n    "}${text}`)).startup).toEqual(startup);
  });

  test("the reset position may be written in any case", () => {
    expect(source(and(INGRESS, "autoOffsetResetPosition: Earliest")).autoOffsetReset).toBe("earliest");
  });

  test("address and group may stand in the properties; the named options win", () => {
    const lines = ["bootstrap.servers: b:9092,a:9092", "group.id: other"];
    const loaded = valid([ENDPOINT, properties(without(without(INGRESS, "address"), "consumerGroupId"), ...lines)]);
    expect([loaded.module.sources[0]?.cluster.name, loaded.defaults.group]).toEqual(["a:9092,b:9092", "other"]);
    const both = valid([ENDPOINT, properties(INGRESS, ...lines)]);
    expect([both.module.sources[0]?.cluster.name, both.defaults.group]).toEqual(["kafka:9092", "shop"]);
  });

  test("properties with a meaning, as a list of pairs or as a map", () => {
    const lines = [
      "isolation.level: read_uncommitted",
      "fetch.max.bytes: 1000",
      "max.partition.fetch.bytes: 100",
      "fetch.max.wait.ms: 10",
      "fetch.min.bytes: 5",
      "client.id: me",
      "request.timeout.ms: 7000",
      "socket.connection.setup.timeout.ms: 3000",
    ];
    const expected = {
      readUncommitted: true,
      fetchMaxBytes: 1000,
      fetchPartitionMaxBytes: 100,
      fetchMaxWaitMs: 10,
      fetchMinBytes: 5,
      cluster: { clientId: "me", requestTimeoutMs: 7000, connectionTimeoutMs: 3000 },
    };
    expect(source(properties(INGRESS, ...lines))).toMatchObject(expected);
    expect(source(and(INGRESS, "properties:", ...lines.map((line) => `  ${line}`)))).toMatchObject(expected);
  });

  test("every topic has its own targets; a topic named twice in one ingress is the later one, as in StateFun", () => {
    const more = [
      "  - {topic: returns, valueType: shop/return, targets: [shop/cart, shop/stock]}",
      "  - {topic: orders, valueType: x/y, targets: [shop/b]}",
    ];
    expect(valid([ENDPOINT, and(INGRESS, ...more)]).module.sources.map(({ topic, targets }) => [topic, targets])).toEqual([
      ["orders", ["shop/b"]],
      ["returns", ["shop/cart", "shop/stock"]],
    ]);
  });

  test("a value type is free text, also when YAML takes it for a number", () => {
    expect(source(INGRESS.replace("shop/order\n", "007\n")).valueType).toBe("007");
  });

  test("a specific entry and a namespace entry both serve a target", () => {
    expect(source(INGRESS).targets).toEqual(["shop/cart"]);
    expect(valid([ENDPOINT.replace("shop/*", "shop/cart"), ENDPOINT, INGRESS]).module.endpoints).toHaveLength(2);
  });
});

describe("critical messages of an ingress (ours)", () => {
  const topic = (...lines: readonly string[]) => source(`${INGRESS}${lines.map((line) => `      ${line}\n`).join("")}`);

  test.each([
    ["critical: true", true],
    ["critical: false", false],
    ["critical: '${YES:-true}'", true],
  ])("%s", (line, critical) => {
    expect(topic(line)).toMatchObject({ critical, barrier: undefined });
  });

  test.each<[string, SourceSpecification["barrier"]]>([
    ["counter", { kind: "counter" }],
    ["{json: window.end}", { kind: "json", path: ["window", "end"] }],
    ["{protobuf: 1.30}", { kind: "protobuf", path: [1, 30] }],
  ])("barrier: %s", (text, barrier) => {
    expect(topic("critical: true", `barrier: ${text}`)).toMatchObject({ critical: true, barrier });
    expect(topic(`barrier: ${text}`)).toMatchObject({ critical: false, barrier });
  });

  test("are those of one topic", () => {
    const other = "    - {topic: ends, valueType: a/b, targets: [shop/cart], critical: true, barrier: counter}\n";
    expect(valid([ENDPOINT, INGRESS + other]).module.sources).toMatchObject([
      { topic: "orders", critical: false, barrier: undefined },
      { topic: "ends", critical: true, barrier: { kind: "counter" } },
    ]);
  });
});

describe("watermark of an ingress (ours)", () => {
  const watermarks = (text: string, ...more: readonly string[]) =>
    valid([ENDPOINT, and(INGRESS, `watermark: ${text}`), FUNCTION, ...more]).module.sources.map(({ watermark }) => watermark);

  test("goes by the times of records, without lateness, and by the clock after 5 s of silence", () => {
    expect(watermarks("{every: 1s, functions: [shop/cart]}")).toEqual([
      {
        everyMs: 1_000,
        time: "record-timestamp",
        latenessMs: 0,
        idleMs: 5_000,
        typename: "io.dirigo.types/window-end",
        functions: ["shop/cart"],
      },
    ]);
  });

  test("all options", () => {
    const lines =
      "{every: 1 min, time: record-timestamp, lateness: 200ms, idle: 2s, typename: a/b, functions: [shop/cart, shop/stock]}";
    expect(watermarks(lines, FUNCTION.replace("shop/cart", "shop/st*"))).toEqual([
      {
        everyMs: 60_000,
        time: "record-timestamp",
        latenessMs: 200,
        idleMs: 2_000,
        typename: "a/b",
        functions: ["shop/cart", "shop/stock"],
      },
    ]);
    expect(watermarks("{every: 1, time: arrival, functions: [shop/cart]}")).toMatchObject([{ everyMs: 1, time: "arrival" }]);
  });

  test("is one for all topics of the ingress", () => {
    const more = "    - {topic: returns, valueType: a/b, targets: [shop/cart]}\n";
    const ingress = and(INGRESS + more, "watermark: {every: 1s, functions: [shop/cart]}");
    const [orders, returns] = valid([ENDPOINT, ingress, FUNCTION]).module.sources;
    expect(orders?.watermark).toBeDefined();
    expect(orders?.watermark).toBe(returns?.watermark);
  });

  test("of several ingresses for one function there may be several, with the same windows", () => {
    const other = INGRESS.replace("shop/orders", "shop/returns").replace("topic: orders", "topic: returns");
    expect(
      watermarks(
        "{every: 1s, lateness: 1s, functions: [shop/cart]}",
        and(other, "watermark: {every: 1000, functions: [shop/cart]}"),
      ),
    ).toMatchObject([{ latenessMs: 1_000 }, { latenessMs: 0 }]);
  });
});

describe("egress", () => {
  test("exactly once unless it says otherwise", () => {
    expect(egress(EGRESS)).toMatchObject({
      kind: "kafka",
      id: "shop/receipts",
      semantic: "exactly-once",
      cluster: { name: "kafka:9092" },
    });
  });

  test.each(["exactly-once", "at-least-once", "none"] as const)("semantic %s", (semantic) => {
    expect(egress(and(EGRESS, `deliverySemantic: {type: ${semantic}}`)).semantic).toBe(semantic);
  });

  test("raw egress: a fixed topic, keyed by the sender's id unless it says otherwise", () => {
    const raw = "kind: io.dirigo.kafka.v1/raw-egress\nspec:\n  id: shop/raw\n  address: kafka:9092\n  topic: raw\n";
    expect(egress(raw)).toMatchObject({ kind: "raw", id: "shop/raw", topic: "raw", key: "sender-id", semantic: "exactly-once" });
    expect(egress(and(raw, "key: none", "deliverySemantic: {type: none}"))).toMatchObject({ key: "none", semantic: "none" });
  });
});

describe("file", () => {
  test("StateFun's playground showcase loads as it is", () => {
    const { module, warnings, defaults } = valid([SHOWCASE]);
    expect(warnings.map(findingText)).toEqual([
      "module.yaml:36: document 3, spec.deliverySemantic.transactionTimeout: has no effect: a transaction is open for milliseconds here; the option transactionTimeoutMs bounds it",
    ]);
    expect(module.endpoints).toMatchObject([
      { id: "showcase/*", transport: { callTimeoutMs: 120_000, connectTimeoutMs: 20_000 } },
    ]);
    expect(module.sources.map(({ topic, valueType, targets }) => [topic, valueType, targets])).toEqual([
      ["names", "io.statefun.types/string", ["showcase/greeter", "showcase/counter"]],
      ["visits", "showcase.types/visit", ["showcase/counter"]],
    ]);
    expect(module.egresses).toMatchObject([{ id: "showcase/greets", kind: "kafka", semantic: "exactly-once" }]);
    expect([defaults.group, defaults.cluster.name]).toEqual(["showcase", "kafka:9092"]);
  });

  test("the legacy form of one root is the same module", () => {
    const { module } = valid([LEGACY]);
    expect(module.endpoints).toMatchObject([{ id: "shop/*", maxNumBatchRequests: 10, transport: { callTimeoutMs: 5_000 } }]);
    expect(module.sources).toMatchObject([{ ingress: "shop/orders", topic: "orders", startup: { kind: "earliest" } }]);
    expect(module.egresses).toMatchObject([{ id: "shop/receipts", semantic: "at-least-once" }]);
  });

  test("empty documents are skipped, and an alias is its anchor", () => {
    const aliased = INGRESS.replace("kafka:9092", "&kafka kafka:9092").replace("valueType: shop/order", "valueType: *kafka");
    expect(valid(["\n", ENDPOINT, "# nothing\n", aliased]).module.sources[0]?.valueType).toBe("kafka:9092");
  });

  test("the result cannot be changed, at any depth", () => {
    const { module, defaults } = valid([ENDPOINT, INGRESS, EGRESS]);
    const changes: (() => void)[] = [
      () => Object.assign(module, { endpoints: [] }),
      () => Object.assign(module.endpoints[0]?.transport ?? {}, { poolSize: 1 }),
      () => Object.assign(module.sources[0]?.targets ?? {}, ["shop/b"]),
      () => Object.assign(defaults.cluster, { name: "x" }),
    ];
    for (const change of changes) expect(change).toThrow(TypeError);
  });

  test("without an address a component takes the default brokers, and says so when there are none", () => {
    const documents = [ENDPOINT, without(INGRESS, "address"), EGRESS];
    const addressed = valid(documents);
    expect(addressed.module.sources[0]?.cluster).toBe(addressed.module.egresses[0]?.cluster);
    expect(addressed.defaults).toMatchObject({ brokersGiven: true, cluster: { name: "kafka:9092" } });
    const bare = [ENDPOINT, without(INGRESS, "address")];
    expect(valid(bare).defaults).toMatchObject({ brokersGiven: false, cluster: { name: "localhost:9092" } });
    expect(warnings(bare)).toHaveLength(1);
    const given = valid(bare, {}, { brokers: ["b:1"] });
    expect([given.warnings, given.defaults.brokersGiven, given.module.sources[0]?.cluster.name]).toEqual([[], true, "b:1"]);
  });

  test("unset variables that addresses consist of are named, for `dev` to set", () => {
    const ingress = INGRESS.replace("kafka:9092", "${KAFKA:-localhost:9092}");
    const egress = EGRESS.replace("kafka:9092", "${KAFKA:-localhost:9092}");
    expect(valid([ENDPOINT, ingress, egress]).defaults.brokerVariables).toEqual(["KAFKA"]);
    expect(valid([ENDPOINT, ingress, egress], { KAFKA: "k:1" }).defaults.brokerVariables).toEqual([]);
  });
});

const SHOWCASE = `# as in the showcase of StateFun's playground
kind: io.statefun.endpoints.v2/http
spec:
  functions: showcase/*
  urlPathTemplate: http://functions:1108/statefun
  transport:
    type: io.statefun.transports.v1/async
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: showcase/names
  address: kafka:9092
  consumerGroupId: showcase
  startupPosition:
    type: earliest
  topics:
    - topic: names
      valueType: io.statefun.types/string
      targets:
        - showcase/greeter
        - showcase/counter
    - topic: visits
      valueType: showcase.types/visit
      targets:
        - showcase/counter
  properties:
    - isolation.level: read_committed
---
kind: io.statefun.kafka.v1/egress
spec:
  id: showcase/greets
  address: kafka:9092
  # the timeout must be below the broker's maximum
  deliverySemantic:
    type: exactly-once
    transactionTimeout: 15min
`;

const LEGACY = `version: "3.0"
module:
  meta:
    type: remote
  spec:
    endpoints:
      - endpoint:
          meta:
            kind: http
          spec:
            functions: shop/*
            urlPathTemplate: http://localhost:8000/statefun
            maxNumBatchRequests: 10
            timeouts:
              call: 5s
    ingresses:
      - ingress:
          meta:
            type: io.statefun.kafka/ingress
            id: shop/orders
          spec:
            address: kafka:9092
            consumerGroupId: shop
            startupPosition:
              type: earliest
            topics:
              - topic: orders
                valueType: shop/order
                targets:
                  - shop/cart
    egresses:
      - egress:
          meta:
            type: io.statefun.kafka/egress
            id: shop/receipts
          spec:
            address: kafka:9092
            deliverySemantic:
              type: at-least-once
`;
