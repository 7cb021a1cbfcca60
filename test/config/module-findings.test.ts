/** Every kind of finding and warning once, with its exact text: the text is what the user has. */
import { findingText } from "../../src/config/finding";
import { loadModule } from "../../src/config/module";
import { and, EGRESS, ENDPOINT, findings, INGRESS, warnings, without } from "./module-text";

type Case = readonly [what: string, documents: readonly string[], told: readonly string[]];

const ENDPOINT_V1 = ENDPOINT.replace("v2", "v1");
const RAW_EGRESS = `kind: io.dirigo.kafka.v1/raw-egress
spec:
  id: shop/raw
  address: kafka:9092
  topic: raw
`;

function option(component: string, name: string, lines: readonly string[], indent: string): string {
  return and(component, `${name}:`, ...lines.map((line) => indent + line));
}
const transport = (...lines: string[]) => option(ENDPOINT, "transport", lines, "  ");
const startup = (...lines: string[]) => option(INGRESS, "startupPosition", lines, "  ");
const properties = (component: string, ...lines: string[]) => option(component, "properties", lines, "  - ");

const FINDINGS: readonly Case[] = [
  [
    "a text that is not YAML",
    [ENDPOINT, INGRESS, "kind: [\n"],
    [`module.yaml:17: document 3: is not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]`],
  ],
  [
    "nothing but a text that is not YAML, which may be what others miss",
    [ENDPOINT.replace("shop/*", "{shop"), INGRESS],
    ["module.yaml:4: document 1: is not YAML: Flow map in block collection must be sufficiently indented and end with a }"],
  ],
  [
    "a document that is no map",
    [ENDPOINT, INGRESS, "- a\n"],
    [`module.yaml:16: document 3: is not a map; expected a map of kind, spec`],
  ],
  [
    "a document without a kind",
    [ENDPOINT, INGRESS, without(EGRESS, "none").replace("kind: io.statefun.kafka.v1/egress\n", "")],
    [
      `module.yaml:16: document 3, kind: is missing; expected io.statefun.endpoints.v1/http, io.statefun.endpoints.v2/http, io.statefun.kafka.v1/ingress, io.statefun.kafka.v1/egress, io.dirigo.kafka.v1/raw-egress, io.dirigo.v1/application, io.dirigo.v1/function`,
    ],
  ],
  [
    "a document without a spec",
    [ENDPOINT, INGRESS, "kind: io.statefun.kafka.v1/egress\n"],
    [`module.yaml:16: document 3, spec: is missing; expected the options of this component`],
  ],
  [
    "a spec that is no map",
    [ENDPOINT, INGRESS, "kind: io.statefun.kafka.v1/egress\nspec: 5\n"],
    [`module.yaml:17: document 3, spec: "5" is not a map; expected a map of id, address, properties, deliverySemantic`],
  ],
  [
    "a misspelt kind",
    [ENDPOINT, INGRESS, EGRESS.replace("egress", "egres")],
    [
      `module.yaml:16: document 3, kind: "io.statefun.kafka.v1/egres" is not a known kind; expected io.statefun.endpoints.v1/http, io.statefun.endpoints.v2/http, io.statefun.kafka.v1/ingress, io.statefun.kafka.v1/egress, io.dirigo.kafka.v1/raw-egress, io.dirigo.v1/application, io.dirigo.v1/function; did you mean "io.statefun.kafka.v1/egress"?`,
    ],
  ],
  [
    "a kind nobody knows",
    [ENDPOINT, INGRESS, EGRESS.replace("io.statefun.kafka.v1/egress", "com.example/pulsar")],
    [
      `module.yaml:16: document 3, kind: "com.example/pulsar" is not a known kind; expected io.statefun.endpoints.v1/http, io.statefun.endpoints.v2/http, io.statefun.kafka.v1/ingress, io.statefun.kafka.v1/egress, io.dirigo.kafka.v1/raw-egress, io.dirigo.v1/application, io.dirigo.v1/function`,
    ],
  ],
  [
    "a Kinesis ingress",
    [ENDPOINT, INGRESS.replace("kafka.v1", "kinesis.v1")],
    [
      `module.yaml:6: document 2, kind: "io.statefun.kinesis.v1/ingress" is not supported: Dirigo keeps its progress and state in Kafka and does not read Kinesis; expected io.statefun.endpoints.v1/http, io.statefun.endpoints.v2/http, io.statefun.kafka.v1/ingress, io.statefun.kafka.v1/egress, io.dirigo.kafka.v1/raw-egress, io.dirigo.v1/application, io.dirigo.v1/function`,
    ],
  ],
  [
    "a Kinesis egress",
    [ENDPOINT, INGRESS, EGRESS.replace("kafka.v1", "kinesis.v1")],
    [
      `module.yaml:16: document 3, kind: "io.statefun.kinesis.v1/egress" is not supported: Dirigo's exactly-once unit is a Kafka transaction and does not write to Kinesis; expected io.statefun.endpoints.v1/http, io.statefun.endpoints.v2/http, io.statefun.kafka.v1/ingress, io.statefun.kafka.v1/egress, io.dirigo.kafka.v1/raw-egress, io.dirigo.v1/application, io.dirigo.v1/function`,
    ],
  ],
  [
    "a playground ingress",
    [ENDPOINT, INGRESS.replace("kafka.v1", "playground.v1")],
    [
      `module.yaml:6: document 2, kind: "io.statefun.playground.v1/ingress" is not supported: it exists in StateFun's playground image only; expected io.statefun.endpoints.v1/http, io.statefun.endpoints.v2/http, io.statefun.kafka.v1/ingress, io.statefun.kafka.v1/egress, io.dirigo.kafka.v1/raw-egress, io.dirigo.v1/application, io.dirigo.v1/function`,
    ],
  ],
  [
    "a playground egress",
    [ENDPOINT, INGRESS, EGRESS.replace("kafka.v1", "playground.v1")],
    [
      `module.yaml:16: document 3, kind: "io.statefun.playground.v1/egress" is not supported: it exists in StateFun's playground image only; expected io.statefun.endpoints.v1/http, io.statefun.endpoints.v2/http, io.statefun.kafka.v1/ingress, io.statefun.kafka.v1/egress, io.dirigo.kafka.v1/raw-egress, io.dirigo.v1/application, io.dirigo.v1/function`,
    ],
  ],
  [
    "no ingress at all",
    [ENDPOINT, EGRESS],
    [`module.yaml: there is no ingress, so nothing would ever happen; expected a document of kind io.statefun.kafka.v1/ingress`],
  ],
  [
    "a target that no endpoint serves",
    [ENDPOINT.replace("shop/*", "shop/card"), INGRESS],
    [
      `module.yaml:14: document 2, spec.topics[0].targets[0]: "shop/cart" is served by no endpoint; expected shop/card; did you mean "shop/card"?`,
    ],
  ],
  [
    "a target of a namespace that no endpoint serves",
    [ENDPOINT, INGRESS.replace("shop/cart", "shpo/cart")],
    [
      `module.yaml:14: document 2, spec.topics[0].targets[0]: "shpo/cart" is served by no endpoint; expected shop/*; did you mean "shop/cart"?`,
    ],
  ],
  [
    "a target without any endpoint",
    [INGRESS],
    [
      `module.yaml:9: document 1, spec.topics[0].targets[0]: "shop/cart" is served by no endpoint; expected an endpoint: a document of kind io.statefun.endpoints.v2/http`,
    ],
  ],
  [
    "two endpoints for one function entry",
    [ENDPOINT, ENDPOINT, INGRESS],
    [
      `module.yaml:8: document 2, spec.functions: "shop/*" is also the function entry of another endpoint, at module.yaml:3; expected a name of its own`,
    ],
  ],
  [
    "two ingresses of one id",
    [ENDPOINT, INGRESS, INGRESS.replace("topic: orders", "topic: returns")],
    [
      `module.yaml:18: document 3, spec.id: "shop/orders" is also the id of another ingress, at module.yaml:8; expected a name of its own`,
    ],
  ],
  [
    "two egresses of one id, though of two kinds",
    [ENDPOINT, INGRESS, EGRESS, RAW_EGRESS.replace("shop/raw", "shop/receipts")],
    [
      `module.yaml:23: document 4, spec.id: "shop/receipts" is also the id of another egress, at module.yaml:18; expected a name of its own`,
    ],
  ],
  [
    "one topic in two ingresses",
    [ENDPOINT, INGRESS, INGRESS.replace("shop/orders", "shop/again")],
    [
      `module.yaml:22: document 3, spec.topics[0].topic: "orders" is already read by the ingress at module.yaml:12; expected a topic named once, with all its targets`,
    ],
  ],
  [
    "an endpoint without functions",
    [without(ENDPOINT, "functions"), INGRESS],
    [`module.yaml:3: document 1, spec.functions: is missing; expected namespace/name or namespace/*`],
  ],
  [
    "an endpoint with an empty list of functions",
    [ENDPOINT.replace("shop/*", "[]"), INGRESS],
    [`module.yaml:3: document 1, spec.functions: is empty; expected namespace/name or namespace/*`],
  ],
  [
    "a function without a namespace",
    [ENDPOINT.replace("shop/*", "cart"), INGRESS],
    [`module.yaml:3: document 1, spec.functions: "cart" is not a function; expected namespace/name or namespace/*`],
  ],
  [
    "a function with two slashes",
    [ENDPOINT.replace("shop/*", "shop/a/b"), INGRESS],
    [`module.yaml:3: document 1, spec.functions: "shop/a/b" is not a function; expected namespace/name or namespace/*`],
  ],
  [
    "a * in place of the namespace",
    [ENDPOINT.replace("shop/*", "'*/cart'"), INGRESS],
    [
      `module.yaml:3: document 1, spec.functions: "*/cart" has a * elsewhere than after the namespace; expected namespace/name or namespace/*`,
    ],
  ],
  [
    "a * within a name",
    [ENDPOINT.replace("shop/*", "shop/ca*"), INGRESS],
    [
      `module.yaml:3: document 1, spec.functions: "shop/ca*" has a * elsewhere than after the namespace; expected namespace/name or namespace/*`,
    ],
  ],
  [
    "an endpoint without a URL",
    [without(ENDPOINT, "urlPathTemplate"), INGRESS],
    [
      `module.yaml:3: document 1, spec.urlPathTemplate: is missing; expected http://host/path or https://host/path; {function.name} stands for the function's name (or urls, a list of them)`,
    ],
  ],
  [
    "a URL of another protocol",
    [ENDPOINT.replace("http://", "ftp://"), INGRESS],
    [
      `module.yaml:4: document 1, spec.urlPathTemplate: "ftp://localhost:8000/{function.name}" is not a URL of a function; expected http://host/path or https://host/path; {function.name} stands for the function's name`,
    ],
  ],
  [
    "a Unix socket",
    [ENDPOINT.replace("http://localhost:8000", "http+unix:///tmp/x.sock"), INGRESS],
    [
      `module.yaml:4: document 1, spec.urlPathTemplate: "http+unix:///tmp/x.sock/{function.name}" is a Unix socket, which is not supported; expected http://host/path or https://host/path; {function.name} stands for the function's name`,
    ],
  ],
  [
    "a number that is none",
    [and(ENDPOINT, "maxNumBatchRequests: many"), INGRESS],
    [`module.yaml:5: document 1, spec.maxNumBatchRequests: "many" is not a whole number; expected a whole number`],
  ],
  [
    "a number out of its range",
    [and(ENDPOINT, "concurrency: 0"), INGRESS],
    [`module.yaml:5: document 1, spec.concurrency: "0" is out of range; expected a whole number from 1 to 100000`],
  ],
  [
    "a size that is none",
    [and(ENDPOINT, "maxBatchBytes: 4 apples"), INGRESS],
    [
      `module.yaml:5: document 1, spec.maxBatchBytes: "4 apples" is not a size; expected a number of bytes such as 4194304 or 4 MiB`,
    ],
  ],
  [
    "a transport nobody knows",
    [transport("type: io.statefun.transports.v1/asink"), INGRESS],
    [
      `module.yaml:6: document 1, spec.transport.type: "io.statefun.transports.v1/asink" is not known here; expected io.statefun.transports.v1/async or io.statefun.transports.v1/okhttp; did you mean "io.statefun.transports.v1/async"?`,
    ],
  ],
  [
    "a transport that is no map",
    [and(ENDPOINT, "transport: async"), INGRESS],
    [
      `module.yaml:5: document 1, spec.transport: "async" is not a map; expected a map of type, call, connect, pool_ttl, pool_size, payload_max_bytes, trust_cacerts, client_cert, client_key, client_key_password, timeouts`,
    ],
  ],
  [
    "a duration that is none",
    [transport("call: soon"), INGRESS],
    [
      `module.yaml:6: document 1, spec.transport.call: "soon" is not a duration; expected a duration such as 500ms, 10s, 1 min (a bare number is milliseconds)`,
    ],
  ],
  [
    "a timeout of zero",
    [transport("call: 0 ms"), INGRESS],
    [`module.yaml:6: document 1, spec.transport.call: "0 ms" is out of range; expected a duration of at least 1 ms`],
  ],
  [
    "an okhttp timeout longer than the call",
    [transport("type: io.statefun.transports.v1/okhttp", "timeouts: {call: 5s, read: 6s}"), INGRESS],
    [
      `module.yaml:7: document 1, spec.transport.timeouts.read: "6000 ms" is longer than the call timeout; expected at most 5000 ms`,
    ],
  ],
  [
    "a v1 timeout longer than the call",
    [and(ENDPOINT_V1, "timeouts: {call: 5s, connect: 6s}"), INGRESS],
    [`module.yaml:5: document 1, spec.timeouts.connect: "6000 ms" is longer than the call timeout; expected at most 5000 ms`],
  ],
  [
    "a certificate without its key",
    [transport("client_cert: /a.pem"), INGRESS],
    [`module.yaml:6: document 1, spec.transport.client_cert: stands without client_key; expected both or neither`],
  ],
  [
    "a key without its certificate",
    [transport("client_key: /a.pem"), INGRESS],
    [`module.yaml:6: document 1, spec.transport.client_key: stands without client_cert; expected both or neither`],
  ],
  [
    "a file on the class path",
    [transport("trust_cacerts: classpath:a.pem"), INGRESS],
    [
      `module.yaml:6: document 1, spec.transport.trust_cacerts: "classpath:a.pem" is on a Java class path, and there is no JVM here; expected the path of a file`,
    ],
  ],
  [
    "an ingress without an id",
    [ENDPOINT, without(INGRESS, "id")],
    [`module.yaml:8: document 2, spec.id: is missing; expected namespace/name`],
  ],
  [
    "an id that is no typename",
    [ENDPOINT, INGRESS.replace("shop/orders", "orders")],
    [`module.yaml:8: document 2, spec.id: "orders" is not the id of a component; expected namespace/name, with one slash`],
  ],
  [
    "an address that is none",
    [ENDPOINT, INGRESS.replace("kafka:9092", "kafka")],
    [
      `module.yaml:9: document 2, spec.address: "kafka" is not a list of brokers; expected host:port, or several with commas between`,
    ],
  ],
  [
    "an ingress without topics",
    [ENDPOINT, without(INGRESS, "topics")],
    [`module.yaml:8: document 2, spec.topics: is missing; expected a list of topics, not empty`],
  ],
  [
    "an empty list of topics",
    [ENDPOINT, and(without(INGRESS, "topics"), "topics: []")],
    [`module.yaml:11: document 2, spec.topics: is empty; expected a list of topics, not empty`],
  ],
  [
    "topics that are no list",
    [ENDPOINT, and(without(INGRESS, "topics"), "topics: orders")],
    [`module.yaml:11: document 2, spec.topics: "orders" is not a list; expected a list of topics, not empty`],
  ],
  [
    "a topic without its three options",
    [ENDPOINT, and(without(INGRESS, "topics"), "topics: [{}]")],
    [
      `module.yaml:11: document 2, spec.topics[0].topic: is missing; expected the name of a topic`,
      `module.yaml:11: document 2, spec.topics[0].valueType: is missing; expected the type of the topic's values: namespace/name`,
      `module.yaml:11: document 2, spec.topics[0].targets: is missing; expected a list of functions, not empty`,
    ],
  ],
  [
    "a topic that is no map",
    [ENDPOINT, and(without(INGRESS, "topics"), "topics: [orders]")],
    [
      `module.yaml:11: document 2, spec.topics[0]: "orders" is not a map; expected a map of topic, valueType, targets, critical, barrier`,
    ],
  ],
  [
    "a topic's name that Kafka refuses",
    [ENDPOINT, INGRESS.replace("topic: orders", "topic: or/ders")],
    [
      `module.yaml:12: document 2, spec.topics[0].topic: "or/ders" is not the name of a topic; expected at most 249 letters, digits, dots, underscores and hyphens`,
    ],
  ],
  [
    "a list of targets that is empty",
    [ENDPOINT, INGRESS.replace("[shop/cart]", "[]")],
    [`module.yaml:14: document 2, spec.topics[0].targets: is empty; expected a list of functions, not empty`],
  ],
  [
    "a target that is no function",
    [ENDPOINT, INGRESS.replace("shop/cart", "shop/*")],
    [
      `module.yaml:14: document 2, spec.topics[0].targets[0]: "shop/*" is not a function; expected namespace/name, with one slash`,
    ],
  ],
  [
    "a list where text belongs",
    [ENDPOINT, INGRESS.replace("shop/order\n", "[shop/order]\n")],
    [`module.yaml:13: document 2, spec.topics[0].valueType: is a list; expected text that is not empty`],
  ],
  [
    "a map where text belongs",
    [ENDPOINT, INGRESS.replace("shop/order\n", "{a: b}\n")],
    [`module.yaml:13: document 2, spec.topics[0].valueType: is a map; expected text that is not empty`],
  ],
  [
    "an empty text",
    [ENDPOINT, INGRESS.replace("shop/order\n", "''\n")],
    [`module.yaml:13: document 2, spec.topics[0].valueType: is empty; expected text that is not empty`],
  ],
  [
    "a startup position without a type",
    [ENDPOINT, startup("date: now")],
    [
      `module.yaml:16: document 2, spec.startupPosition.type: is missing; expected group-offsets, earliest, latest, specific-offsets, date`,
    ],
  ],
  [
    "a startup position nobody knows",
    [ENDPOINT, startup("type: earlyest")],
    [
      `module.yaml:16: document 2, spec.startupPosition.type: "earlyest" is not known here; expected group-offsets, earliest, latest, specific-offsets or date; did you mean "earliest"?`,
    ],
  ],
  [
    "group offsets without a group",
    [ENDPOINT, without(startup("type: group-offsets"), "consumerGroupId")],
    [
      `module.yaml:8: document 2, spec.consumerGroupId: is missing; expected the name of a consumer group, because startupPosition is group-offsets`,
    ],
  ],
  [
    "a date that is none",
    [ENDPOINT, startup("type: date", "date: 1 May")],
    [
      `module.yaml:17: document 2, spec.startupPosition.date: "1 May" is not a date; expected yyyy-MM-dd HH:mm:ss.SSS Z, for example 2020-02-01 04:15:00.000 +0000`,
    ],
  ],
  [
    "a date startup without a date",
    [ENDPOINT, startup("type: date")],
    [
      `module.yaml:16: document 2, spec.startupPosition.date: is missing; expected yyyy-MM-dd HH:mm:ss.SSS Z, for example 2020-02-01 04:15:00.000 +0000`,
    ],
  ],
  [
    "specific offsets without any",
    [ENDPOINT, startup("type: specific-offsets")],
    [
      `module.yaml:16: document 2, spec.startupPosition.offsets: is missing; expected a list of pairs, not empty: - topic/partition: offset`,
    ],
  ],
  [
    "specific offsets that are empty",
    [ENDPOINT, startup("type: specific-offsets", "offsets: []")],
    [
      `module.yaml:17: document 2, spec.startupPosition.offsets: is empty; expected a list of pairs, not empty: - topic/partition: offset`,
    ],
  ],
  [
    "specific offsets that are no pairs",
    [ENDPOINT, startup("type: specific-offsets", "offsets: [5]")],
    [
      `module.yaml:17: document 2, spec.startupPosition.offsets[0]: "5" is not a pair; expected a list of pairs, not empty: - topic/partition: offset`,
    ],
  ],
  [
    "an offset of no partition",
    [ENDPOINT, startup("type: specific-offsets", "offsets: [{orders: 5}]")],
    [
      `module.yaml:17: document 2, spec.startupPosition.offsets[0].orders: "orders" is not a partition; expected topic/partition, for example orders/0`,
    ],
  ],
  [
    "an offset below zero",
    [ENDPOINT, startup("type: specific-offsets", "offsets: [{orders/0: -1}]")],
    [
      `module.yaml:17: document 2, spec.startupPosition.offsets[0].orders/0: "-1" is out of range; expected a whole number of at least 0`,
    ],
  ],
  [
    "a reset position nobody knows",
    [ENDPOINT, and(INGRESS, "autoOffsetResetPosition: first")],
    [`module.yaml:15: document 2, spec.autoOffsetResetPosition: "first" is not known here; expected earliest or latest`],
  ],
  [
    "properties that are no pairs",
    [ENDPOINT, and(INGRESS, "properties: [a]")],
    [`module.yaml:15: document 2, spec.properties[0]: "a" is not a pair; expected a list of pairs: - name: value`],
  ],
  [
    "a property's value that is wrong",
    [ENDPOINT, properties(INGRESS, "isolation.level: dirty", "fetch.min.bytes: none")],
    [
      `module.yaml:16: document 2, spec.properties[0].isolation.level: "dirty" is not known here; expected read_committed or read_uncommitted`,
      `module.yaml:17: document 2, spec.properties[1].fetch.min.bytes: "none" is not a size; expected a number of bytes such as 4194304 or 4 MiB`,
    ],
  ],
  [
    "a security protocol nobody knows",
    [ENDPOINT, properties(INGRESS, "security.protocol: TLS")],
    [
      `module.yaml:16: document 2, spec.properties[0].security.protocol: "TLS" is not known here; expected PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL`,
    ],
  ],
  [
    "a Java key store",
    [ENDPOINT, properties(INGRESS, "security.protocol: SSL", "ssl.truststore.type: JKS", "ssl.truststore.location: /t.jks")],
    [
      `module.yaml:17: document 2, spec.properties[1].ssl.truststore.type: "JKS" is a Java key store, which only the JVM reads; expected PEM: export it with keytool -exportcert -rfc, or openssl pkcs12 -nodes, and set the type to PEM`,
    ],
  ],
  [
    "a Java key store, by default",
    [ENDPOINT, properties(INGRESS, "security.protocol: SSL", "ssl.keystore.location: /k.jks")],
    [
      `module.yaml:17: document 2, spec.properties[1].ssl.keystore.location: "/k.jks" is a Java key store (no type means JKS), which only the JVM reads; expected PEM: export it with keytool -exportcert -rfc, or openssl pkcs12 -nodes, and set the type to PEM`,
    ],
  ],
  [
    "a certificate that is no PEM text",
    [ENDPOINT, properties(INGRESS, "security.protocol: SSL", "ssl.truststore.certificates: MIIB")],
    [
      `module.yaml:17: document 2, spec.properties[1].ssl.truststore.certificates: "MIIB" is not PEM text; expected PEM text: -----BEGIN …`,
    ],
  ],
  [
    "PEM text of a key without a certificate, not shown",
    [ENDPOINT, properties(INGRESS, "security.protocol: SSL", "ssl.keystore.key: '-----BEGIN PRIVATE KEY-----'")],
    [
      `module.yaml:17: document 2, spec.properties[1].ssl.keystore.key: stands without ssl.keystore.certificate.chain; expected both or neither`,
    ],
  ],
  [
    "a host name check nobody knows",
    [ENDPOINT, properties(INGRESS, "security.protocol: SSL", "ssl.endpoint.identification.algorithm: none")],
    [
      `module.yaml:17: document 2, spec.properties[1].ssl.endpoint.identification.algorithm: "none" is not known here; expected https, or empty to turn the check off`,
    ],
  ],
  [
    "SASL without a mechanism",
    [ENDPOINT, properties(INGRESS, "security.protocol: SASL_SSL")],
    [
      `module.yaml:8: document 2, spec: has SASL without sasl.mechanism; expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER`,
    ],
  ],
  [
    "a SASL mechanism we do not speak",
    [ENDPOINT, properties(INGRESS, "security.protocol: SASL_SSL", "sasl.mechanism: GSSAPI")],
    [
      `module.yaml:17: document 2, spec.properties[1].sasl.mechanism: "GSSAPI" is a SASL mechanism our client does not speak; expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER`,
    ],
  ],
  [
    "a misspelt SASL mechanism",
    [ENDPOINT, properties(INGRESS, "security.protocol: SASL_SSL", "sasl.mechanism: SCRAM-SHA-521")],
    [
      `module.yaml:17: document 2, spec.properties[1].sasl.mechanism: "SCRAM-SHA-521" is a SASL mechanism our client does not speak; expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; did you mean "SCRAM-SHA-512"?`,
    ],
  ],
  [
    "SASL without credentials",
    [ENDPOINT, properties(INGRESS, "security.protocol: SASL_SSL", "sasl.mechanism: PLAIN")],
    [
      `module.yaml:8: document 2, spec: has SASL without sasl.jaas.config; expected org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";`,
    ],
  ],
  [
    "a JAAS line that is none, not shown",
    [ENDPOINT, properties(INGRESS, "security.protocol: SASL_SSL", "sasl.mechanism: PLAIN", "sasl.jaas.config: alice:secret")],
    [
      `module.yaml:18: document 2, spec.properties[2].sasl.jaas.config: is not a JAAS line; expected org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";`,
    ],
  ],
  [
    "a JAAS line without a password, not shown",
    [
      ENDPOINT,
      properties(INGRESS, "security.protocol: SASL_SSL", "sasl.jaas.config: a.PlainLoginModule required username=alice;"),
    ],
    [
      `module.yaml:17: document 2, spec.properties[1].sasl.jaas.config: names no username and password; expected org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";`,
    ],
  ],
  [
    "a login module of the JVM",
    [
      ENDPOINT,
      properties(
        INGRESS,
        "security.protocol: SASL_SSL",
        "sasl.mechanism: PLAIN",
        "sasl.jaas.config: a.Krb5LoginModule required;",
      ),
    ],
    [
      `module.yaml:18: document 2, spec.properties[2].sasl.jaas.config: names the login module Krb5LoginModule, which only the JVM runs; expected PlainLoginModule, ScramLoginModule or OAuthBearerLoginModule`,
    ],
  ],
  [
    "OAUTHBEARER without a token endpoint",
    [
      ENDPOINT,
      properties(
        INGRESS,
        "security.protocol: SASL_SSL",
        "sasl.mechanism: OAUTHBEARER",
        "sasl.jaas.config: a.OAuthBearerLoginModule required clientId=a clientSecret=b;",
      ),
    ],
    [
      `module.yaml:8: document 2, spec: has SASL OAUTHBEARER without all it needs; expected sasl.oauthbearer.token.endpoint.url, and clientId and clientSecret in sasl.jaas.config`,
    ],
  ],
  [
    "an egress without an id",
    [ENDPOINT, INGRESS, without(EGRESS, "id")],
    [`module.yaml:18: document 3, spec.id: is missing; expected namespace/name`],
  ],
  [
    "a delivery semantic nobody knows",
    [ENDPOINT, INGRESS, and(EGRESS, "deliverySemantic: {type: exactly_once}")],
    [
      `module.yaml:20: document 3, spec.deliverySemantic.type: "exactly_once" is not known here; expected exactly-once, at-least-once or none; did you mean "exactly-once"?`,
    ],
  ],
  [
    "a transaction timeout of zero",
    [ENDPOINT, INGRESS, and(EGRESS, "deliverySemantic: {type: exactly-once, transactionTimeout: 0s}")],
    [
      `module.yaml:20: document 3, spec.deliverySemantic.transactionTimeout: "0s" is out of range; expected a duration of at least 1 ms`,
    ],
  ],
  [
    "a transaction timeout that is none",
    [ENDPOINT, INGRESS, and(EGRESS, "deliverySemantic: {transactionTimeoutMillis: soon}")],
    [
      `module.yaml:20: document 3, spec.deliverySemantic.transactionTimeoutMillis: "soon" is not a duration; expected a duration such as 500ms, 10s, 1 min (a bare number is milliseconds)`,
    ],
  ],
  [
    "a raw egress without a topic",
    [ENDPOINT, INGRESS, without(RAW_EGRESS, "topic")],
    [`module.yaml:18: document 3, spec.topic: is missing; expected the name of a topic`],
  ],
  [
    "a key of a raw egress nobody knows",
    [ENDPOINT, INGRESS, and(RAW_EGRESS, "key: sender")],
    [`module.yaml:21: document 3, spec.key: "sender" is not known here; expected sender-id or none`],
  ],
  [
    "a legacy module of another version",
    ['version: "2.0"\nmodule: {}\n'],
    [
      `module.yaml:1: document 1, version: "2.0" is a format version that is not read here; expected "3.0", or documents of kind and spec without a version`,
    ],
  ],
  ["a legacy module without a version", ["module: {}\n"], [`module.yaml:1: document 1, version: is missing; expected "3.0"`]],
  [
    "a legacy module with functions of StateFun 2",
    [INGRESS, ENDPOINT, 'version: "3.0"\nmodule: {spec: {functions: [{function: {}}]}}\n'],
    [
      `module.yaml:17: document 3, module.spec.functions: is the form of StateFun 2; expected endpoints, which say which functions they serve`,
    ],
  ],
  [
    "a legacy kind nobody knows",
    [
      'version: "3.0"\nmodule: {spec: {ingresses: [{ingress: {meta: {type: io.statefun.kinesis/ingress, id: a/b}, spec: {}}}]}}\n',
    ],
    [
      `module.yaml:2: document 1, module.spec.ingresses[0].ingress.meta.type: "io.statefun.kinesis/ingress" is not supported: Dirigo keeps its progress and state in Kafka and does not read Kinesis; expected io.statefun.kafka/ingress`,
    ],
  ],
];

const WARNINGS: readonly Case[] = [
  [
    "a misspelt option",
    [and(ENDPOINT, "maxNumBatchRequest: 5"), INGRESS],
    [
      `module.yaml:5: document 1, spec.maxNumBatchRequest: is an option nobody knows here; it has no effect; did you mean "maxNumBatchRequests"?`,
    ],
  ],
  [
    "an option nobody knows",
    [ENDPOINT, and(INGRESS, "forwardHeaders: true")],
    [`module.yaml:15: document 2, spec.forwardHeaders: is an option nobody knows here; it has no effect`],
  ],
  [
    "a misspelt option inside an option",
    [ENDPOINT, INGRESS.replace("valueType: shop/order", "valueType: shop/order\n      value_type: shop/order")],
    [
      `module.yaml:14: document 2, spec.topics[0].value_type: is an option nobody knows here; it has no effect; did you mean "valueType"?`,
    ],
  ],
  [
    "something beside kind and spec",
    [`${ENDPOINT}meta: {}\n`, INGRESS],
    [`module.yaml:5: document 1, meta: is an option nobody knows here; it has no effect`],
  ],
  [
    "an option given twice",
    [and(ENDPOINT, "concurrency: 5", "concurrency: 6"), INGRESS],
    [`module.yaml:6: document 1, spec.concurrency: is given twice; this, the later one, counts`],
  ],
  [
    "a property given twice",
    [ENDPOINT, properties(INGRESS, "client.id: a", "client.id: b")],
    [`module.yaml:17: document 2, spec.properties[1].client.id: is given twice; this, the later one, counts`],
  ],
  [
    "another token in a URL",
    [ENDPOINT.replace("{function.name}", "{function.namespace}"), INGRESS],
    [
      `module.yaml:4: document 1, spec.urlPathTemplate: "http://localhost:8000/{function.namespace}" holds {function.namespace}, which is sent as it is; expected {function.name}`,
    ],
  ],
  [
    "async timeouts beside okhttp's",
    [transport("call: 1s", "connect: 1s", "timeouts: {call: 5s, read: 1s, write: 1s}"), INGRESS],
    [
      `module.yaml:6: document 1, spec.transport.call: has no effect beside timeouts, which counts (also its defaults: 1 min and 10 s)`,
      `module.yaml:7: document 1, spec.transport.connect: has no effect beside timeouts, which counts (also its defaults: 1 min and 10 s)`,
      `module.yaml:8: document 1, spec.transport.timeouts.read: has no effect in the async transport`,
      `module.yaml:8: document 1, spec.transport.timeouts.write: has no effect in the async transport`,
    ],
  ],
  [
    "an okhttp write timeout",
    [transport("type: io.statefun.transports.v1/okhttp", "timeouts: {write: 1s}"), INGRESS],
    [`module.yaml:7: document 1, spec.transport.timeouts.write: has no effect: the call timeout covers the request too`],
  ],
  [
    "an option of the other transport",
    [transport("type: io.statefun.transports.v1/okhttp", "pool_size: 5"), INGRESS],
    [`module.yaml:7: document 1, spec.transport.pool_size: is an option nobody knows here; it has no effect`],
  ],
  [
    "a topic twice in one ingress",
    [ENDPOINT, and(INGRESS, "  - {topic: orders, valueType: a/b, targets: [shop/stock]}")],
    [`module.yaml:12: document 2, spec.topics[0].topic: "orders" is named again in this ingress; the later one counts`],
  ],
  [
    "a date of a position that takes none",
    [ENDPOINT, startup("type: earliest", "date: 2020-02-01 04:15:00.000 Z", "offsets: []")],
    [
      `module.yaml:17: document 2, spec.startupPosition.date: has no effect with the startup position earliest; expected type: date`,
      `module.yaml:18: document 2, spec.startupPosition.offsets: has no effect with the startup position earliest; expected type: specific-offsets`,
    ],
  ],
  [
    "an offset of a topic that is not read",
    [ENDPOINT, startup("type: specific-offsets", "offsets: [{order/0: 5}, {orders/1: 5}]")],
    [
      `module.yaml:17: document 2, spec.startupPosition.offsets[0].order/0: "order" has no effect: this ingress does not read the topic; did you mean "orders"?`,
    ],
  ],
  [
    "a property without a meaning",
    [ENDPOINT, properties(INGRESS, "client.rack: a")],
    [
      `module.yaml:16: document 2, spec.properties[0].client.rack: has no effect: this Kafka property has no meaning for Dirigo's client`,
    ],
  ],
  [
    "a misspelt property",
    [ENDPOINT, properties(INGRESS, "fetch.min.byte: 5")],
    [
      `module.yaml:16: document 2, spec.properties[0].fetch.min.byte: has no effect: this Kafka property has no meaning for Dirigo's client; did you mean "fetch.min.bytes"?`,
    ],
  ],
  [
    "a property that something else decides",
    [ENDPOINT, properties(INGRESS, "max.poll.records: 5", "auto.offset.reset: earliest")],
    [
      `module.yaml:16: document 2, spec.properties[0].max.poll.records: has no effect: partitions are paused by depth and bytes (option partitionDepthMax)`,
      `module.yaml:17: document 2, spec.properties[1].auto.offset.reset: has no effect: autoOffsetResetPosition counts, as in StateFun`,
    ],
  ],
  [
    "a consumer's property in an egress",
    [ENDPOINT, INGRESS, properties(EGRESS, "isolation.level: read_committed")],
    [`module.yaml:21: document 3, spec.properties[0].isolation.level: has no effect in an egress`],
  ],
  [
    "security without a protocol",
    [ENDPOINT, properties(INGRESS, "sasl.mechanism: PLAIN", "ssl.truststore.type: PEM")],
    [
      `module.yaml:16: document 2, spec.properties[0].sasl.mechanism: has no effect with security.protocol PLAINTEXT; expected SSL, SASL_SSL or SASL_PLAINTEXT`,
      `module.yaml:17: document 2, spec.properties[1].ssl.truststore.type: has no effect with security.protocol PLAINTEXT; expected SSL, SASL_SSL or SASL_PLAINTEXT`,
    ],
  ],
  [
    "a transaction timeout",
    [
      ENDPOINT,
      INGRESS,
      and(EGRESS, "deliverySemantic: {type: exactly-once, transactionTimeout: 15min, transactionTimeoutMillis: 1000}"),
    ],
    [
      `module.yaml:20: document 3, spec.deliverySemantic.transactionTimeout: has no effect: a transaction is open for milliseconds here; the option transactionTimeoutMs bounds it`,
      `module.yaml:20: document 3, spec.deliverySemantic.transactionTimeoutMillis: has no effect: a transaction is open for milliseconds here; the option transactionTimeoutMs bounds it`,
    ],
  ],
  [
    "two client ids of one cluster",
    [ENDPOINT, properties(INGRESS, "client.id: a"), properties(EGRESS, "client.id: b")],
    [
      `module.yaml:20: document 3, spec: shares its cluster with module.yaml:8, whose client.id counts for both; expected client.id a in both`,
    ],
  ],
  [
    "components without an address",
    [ENDPOINT, without(INGRESS, "address"), without(EGRESS, "address")],
    [
      `module.yaml:8: document 2, spec: names no address, so the brokers must come from elsewhere; expected address: host:port here, --brokers, or KAFKA_BOOTSTRAP_SERVERS (dev starts a broker of its own)`,
      `module.yaml:17: document 3, spec: names no address, so the brokers must come from elsewhere; expected address: host:port here, --brokers, or KAFKA_BOOTSTRAP_SERVERS (dev starts a broker of its own)`,
    ],
  ],
];

test.each(FINDINGS)("%s is refused", (_what, documents, told) => {
  expect(findings(documents)).toEqual(told);
});

test.each(WARNINGS)("%s loads with a warning", (_what, documents, told) => {
  expect(findings(documents)).toEqual([]);
  expect(warnings(documents)).toEqual(told);
});

test("findings name their file and come in its order", () => {
  const files = [
    { path: "a.yaml", text: INGRESS.replace("kafka:9092", "kafka") },
    { path: "b.yaml", text: ENDPOINT.replace("http:", "ftp:") },
    { path: "c.yaml", text: and(EGRESS, "deliverySemantic: 5") },
  ];
  expect(
    loadModule(files, {})
      .findings.map(findingText)
      .map((text) => text.slice(0, text.indexOf(","))),
  ).toEqual(["a.yaml:4: document 1", "b.yaml:4: document 1", "c.yaml:5: document 1"]);
});

test("one id in two files is told with the other file", () => {
  const files = [
    { path: "a.yaml", text: [ENDPOINT, INGRESS].join("---\n") },
    { path: "b.yaml", text: INGRESS.replace("topic: orders", "topic: returns") },
  ];
  expect(loadModule(files, {}).findings.map(findingText)).toEqual([
    'b.yaml:3: document 1, spec.id: "shop/orders" is also the id of another ingress, at a.yaml:8; expected a name of its own',
  ]);
});

test("without any document the missing ingress is told with all files", () => {
  const files = [
    { path: "a.yaml", text: "" },
    { path: "b.yaml", text: "---\n# nothing\n---\n" },
  ];
  expect(loadModule(files, {}).findings.map(findingText)).toEqual([
    "a.yaml, b.yaml: there is no ingress, so nothing would ever happen; expected a document of kind io.statefun.kafka.v1/ingress",
  ]);
});

test("no secret is shown, wherever it is wrong", () => {
  const secret = "hunter2";
  const spoilt = properties(
    INGRESS,
    "security.protocol: SASL_SSL",
    `sasl.jaas.config: ${secret}`,
    `ssl.keystore.key: ${secret}`,
    `ssl.keystore.certificate.chain: ${secret}`.replace(secret, "no pem"),
    `ssl.key.password: [${secret}]`,
    `sasl.oauthbearer.client.credentials.client.secret: {a: ${secret}}`,
    `ssl.truststore.password: ${secret}`,
  );
  const told = [...findings([ENDPOINT, spoilt]), ...warnings([ENDPOINT, spoilt])];
  expect(told.length).toBeGreaterThan(4);
  expect(told.filter((text) => text.includes(secret))).toEqual([]);
});
