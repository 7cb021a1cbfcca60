/** Brokers, security, and which components share a cluster. */
import type { ClusterSpecification } from "../../src/config/specification";
import { and, EGRESS, ENDPOINT, INGRESS, valid } from "./module-text";

const properties = (component: string, ...lines: string[]) =>
  and(component, "properties:", ...lines.map((line) => `  - ${line}`));
const login = (module: string, options: string) => `'org.apache.kafka.common.security.${module} required ${options};'`;
const plain = (name: string) => [
  "security.protocol: SASL_SSL",
  "sasl.mechanism: PLAIN",
  `sasl.jaas.config: ${login("plain.PlainLoginModule", `username="${name}" password="secret"`)}`,
];

function cluster(...lines: string[]): ClusterSpecification {
  const [source] = valid([ENDPOINT, properties(INGRESS, ...lines)]).module.sources;
  if (source === undefined) throw new Error("no source");
  return source.cluster;
}

const NO_TLS_OPTIONS = {
  caFile: undefined,
  certFile: undefined,
  keyFile: undefined,
  keyPasswordFile: undefined,
  keyPassword: undefined,
  ca: undefined,
  cert: undefined,
  key: undefined,
  checkHostname: true,
};

test.each([
  [["security.protocol: PLAINTEXT"], false],
  [["security.protocol: SSL"], true],
  [["security.protocol: SSL", "ssl.endpoint.identification.algorithm: https"], true],
  [["security.protocol: SSL", "ssl.endpoint.identification.algorithm: ''"], { ...NO_TLS_OPTIONS, checkHostname: false }],
  [["security.protocol: SSL", "ssl.endpoint.identification.algorithm:"], { ...NO_TLS_OPTIONS, checkHostname: false }],
  [["security.protocol: SSL", "ssl.truststore.location: /ca.pem"], { ...NO_TLS_OPTIONS, caFile: "/ca.pem" }],
  [["security.protocol: SSL", "ssl.truststore.type: pem", "ssl.truststore.location: /ca"], { ...NO_TLS_OPTIONS, caFile: "/ca" }],
  [
    ["security.protocol: SSL", "ssl.keystore.location: /both.pem", "ssl.key.password: p"],
    { ...NO_TLS_OPTIONS, certFile: "/both.pem", keyFile: "/both.pem", keyPassword: "p" },
  ],
])("TLS of %j", (lines, ssl) => {
  expect(cluster(...lines)).toMatchObject({ ssl, sasl: undefined });
});

test("PEM text may stand in the file", () => {
  const pem = (what: string) => `"-----BEGIN ${what}-----\\nx\\n-----END ${what}-----"`;
  const { ssl } = cluster(
    "security.protocol: SSL",
    `ssl.truststore.certificates: ${pem("CERTIFICATE")}`,
    `ssl.keystore.certificate.chain: ${pem("CERTIFICATE")}`,
    `ssl.keystore.key: ${pem("PRIVATE KEY")}`,
  );
  const certificate = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----";
  expect(ssl).toEqual({
    ...NO_TLS_OPTIONS,
    ca: certificate,
    cert: certificate,
    key: "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----",
  });
});

test.each([
  [
    "PLAIN",
    login("plain.PlainLoginModule", 'username="al\\"ice" password="a;b=c"'),
    { mechanism: "plain", username: 'al"ice', password: "a;b=c" },
  ],
  [
    "SCRAM-SHA-256",
    login("scram.ScramLoginModule", "username=alice password=b"),
    { mechanism: "scram-sha-256", username: "alice", password: "b" },
  ],
  [
    "scram-sha-512",
    login("scram.ScramLoginModule", 'username="a" password="b"'),
    { mechanism: "scram-sha-512", username: "a", password: "b" },
  ],
])("SASL %s with %s", (mechanism, jaas, sasl) => {
  expect(cluster("security.protocol: SASL_PLAINTEXT", `sasl.mechanism: ${mechanism}`, `sasl.jaas.config: ${jaas}`)).toMatchObject(
    { ssl: false, sasl },
  );
});

test("OAUTHBEARER by the login module's options or by Kafka's newer properties", () => {
  const url = "sasl.oauthbearer.token.endpoint.url: https://id.example/token";
  const expected = {
    mechanism: "oauthbearer",
    tokenUrl: "https://id.example/token",
    clientId: "me",
    clientSecret: "s",
    scope: "kafka",
  };
  const jaas = login("oauthbearer.OAuthBearerLoginModule", "clientId=me clientSecret=s scope=kafka");
  expect(cluster("security.protocol: SASL_SSL", url, `sasl.jaas.config: ${jaas}`)).toMatchObject({ ssl: true, sasl: expected });
  const credentials = "sasl.oauthbearer.client.credentials.client";
  const newer = [`${credentials}.id: me`, `${credentials}.secret: s`, "sasl.oauthbearer.scope: kafka"];
  expect(cluster("security.protocol: SASL_SSL", "sasl.mechanism: OAUTHBEARER", url, ...newer).sasl).toEqual(expected);
});

test("components with the same brokers and security share one object, whatever the order of the brokers", () => {
  const { module } = valid([ENDPOINT, INGRESS.replace("kafka:9092", "b:1,a:1"), EGRESS.replace("kafka:9092", "a:1, b:1")]);
  expect(module.sources[0]?.cluster.name).toBe("a:1,b:1");
  expect(module.egresses[0]?.cluster).toBe(module.sources[0]?.cluster);
});

test("the same brokers with another security are another cluster, named by who reaches it; the ingress keeps the plain name", () => {
  const raw = (id: string, ...lines: string[]) =>
    properties(`kind: io.dirigo.kafka.v1/raw-egress\nspec:\n  id: shop/${id}\n  address: kafka:9092\n  topic: t\n`, ...lines);
  const other = [
    ...plain("alice").slice(0, 2),
    `sasl.jaas.config: ${login("plain.PlainLoginModule", "username=alice password=other")}`,
  ];
  const documents = [
    raw("a", ...plain("alice")),
    raw("b", ...other),
    raw("c", "security.protocol: SSL"),
    raw("d", ...plain("alice")),
    ENDPOINT,
    INGRESS,
  ];
  const { module, defaults } = valid(documents);
  expect([module.sources[0]?.cluster.name, ...module.egresses.map((egress) => egress.cluster.name)]).toEqual([
    "kafka:9092",
    "kafka:9092#alice",
    "kafka:9092#alice-2",
    "kafka:9092#ssl",
    "kafka:9092#alice",
  ]);
  expect(defaults.cluster).toBe(module.sources[0]?.cluster);
});

test("--brokers moves the internal topics, with the security of the first ingress", () => {
  const { module, defaults } = valid([ENDPOINT, properties(INGRESS, ...plain("alice"))], {}, { brokers: ["other:9092"] });
  expect(defaults.cluster).toMatchObject({ name: "other:9092", ssl: true, sasl: { username: "alice" } });
  expect(module.sources[0]?.cluster.name).toBe("kafka:9092");
});

test("a component without an address takes the default's security, unless it has its own", () => {
  const bare = EGRESS.replace("  address: kafka:9092\n", "");
  const { module } = valid([ENDPOINT, properties(INGRESS, ...plain("alice")), bare]);
  expect(module.egresses[0]?.cluster).toBe(module.sources[0]?.cluster);
  const own = valid([ENDPOINT, properties(INGRESS, ...plain("alice")), properties(bare, ...plain("bob"))]);
  expect(own.module.egresses[0]?.cluster).toMatchObject({ name: "kafka:9092#bob", sasl: { username: "bob" } });
});

test("the first component to name a client id or a timeout names it for the cluster", () => {
  const { module, warnings } = valid([ENDPOINT, INGRESS, properties(EGRESS, "client.id: me", "request.timeout.ms: 5s")]);
  expect(module.sources[0]?.cluster).toMatchObject({ clientId: "me", requestTimeoutMs: 5000 });
  expect(warnings).toEqual([]);
});
