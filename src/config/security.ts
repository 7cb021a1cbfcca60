/** `security.protocol`, `sasl.*` and `ssl.*` of Kafka's Java client, as our client wants them. */
import type { ClientProperties } from "./client-properties";
import { PLAINTEXT, type Security } from "./cluster";
import { nearest } from "./finding";
import type { Place } from "./place";
import type { SaslSpecification, TlsSpecification } from "./specification";

const PROTOCOLS = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] as const;
const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] as const;
type Mechanism = (typeof MECHANISMS)[number];

const SSL_PROPERTIES = [
  "ssl.truststore.type",
  "ssl.truststore.location",
  "ssl.truststore.certificates",
  "ssl.keystore.type",
  "ssl.keystore.location",
  "ssl.keystore.certificate.chain",
  "ssl.keystore.key",
  "ssl.key.password",
  "ssl.endpoint.identification.algorithm",
];
const SASL_PROPERTIES = [
  "sasl.mechanism",
  "sasl.jaas.config",
  "sasl.oauthbearer.token.endpoint.url",
  "sasl.oauthbearer.client.credentials.client.id",
  "sasl.oauthbearer.client.credentials.client.secret",
  "sasl.oauthbearer.scope",
];

/** Undefined when the component says nothing about security, or something wrong (then a finding tells). */
export function readSecurity(properties: ClientProperties, component: Place): Security | undefined {
  const place = properties.take("security.protocol");
  const protocol = place === undefined ? "PLAINTEXT" : place.choice(PROTOCOLS);
  if (protocol === undefined) return undefined;
  const secured = protocol === "SSL" || protocol === "SASL_SSL";
  const signedIn = protocol.startsWith("SASL");
  if (!secured) warnIdle(properties, SSL_PROPERTIES, protocol);
  if (!signedIn) warnIdle(properties, SASL_PROPERTIES, protocol);
  if (place === undefined) return undefined;
  if (protocol === "PLAINTEXT") return PLAINTEXT;
  return { ssl: secured && readTls(properties), sasl: signedIn ? readSasl(properties, component) : undefined };
}

function warnIdle(properties: ClientProperties, names: readonly string[], protocol: string): void {
  for (const name of names) {
    properties
      .take(name)
      ?.warn(`has no effect with security.protocol ${protocol}`, { expected: "SSL, SASL_SSL or SASL_PLAINTEXT" });
  }
}

/** `true` when nothing but the system's authorities is wanted. */
function readTls(properties: ClientProperties): TlsSpecification | boolean {
  const caFile = pemFile(properties, "ssl.truststore");
  const keyStore = pemFile(properties, "ssl.keystore");
  const tls: TlsSpecification = {
    caFile,
    // Kafka's PEM key store is one file with the key and its certificate chain; Node takes either out of it.
    certFile: keyStore,
    keyFile: keyStore,
    keyPasswordFile: undefined,
    keyPassword: properties.text("ssl.key.password"),
    ca: pemText(properties, "ssl.truststore.certificates"),
    cert: pemText(properties, "ssl.keystore.certificate.chain"),
    key: pemText(properties, "ssl.keystore.key"),
    checkHostname: readHostnameCheck(properties),
  };
  pairUp(properties, "ssl.keystore.certificate.chain", "ssl.keystore.key");
  const plain = Object.values(tls).every((value) => value === undefined || value === true);
  return plain ? true : tls;
}

function pemFile(properties: ClientProperties, store: "ssl.truststore" | "ssl.keystore"): string | undefined {
  const type = properties.take(`${store}.type`);
  const location = properties.take(`${store}.location`);
  const how = "PEM: export it with keytool -exportcert -rfc, or openssl pkcs12 -nodes, and set the type to PEM";
  const named = type?.text();
  if (type !== undefined && named !== undefined && named.toUpperCase() !== "PEM") {
    return type.fail("is a Java key store, which only the JVM reads", { value: named, expected: how });
  }
  const path = location?.filled("the path of a PEM file");
  // Without a type Kafka means JKS; a file that is called PEM is taken at its word.
  if (location !== undefined && path !== undefined && type === undefined && !/\.(pem|crt|cer)$/i.test(path)) {
    return location.fail("is a Java key store (no type means JKS), which only the JVM reads", { value: path, expected: how });
  }
  return path;
}

function pemText(properties: ClientProperties, name: string): string | undefined {
  return properties
    .take(name)
    ?.parsed((text) => (text.includes("-----BEGIN ") ? text : undefined), "PEM text", "PEM text: -----BEGIN …");
}

function pairUp(properties: ClientProperties, left: string, right: string): void {
  const [one, other] = [properties.take(left), properties.take(right)];
  if (one !== undefined && other === undefined) one.fail(`stands without ${right}`, { expected: "both or neither" });
  if (one === undefined && other !== undefined) other.fail(`stands without ${left}`, { expected: "both or neither" });
}

function readHostnameCheck(properties: ClientProperties): boolean {
  const place = properties.take("ssl.endpoint.identification.algorithm");
  if (place === undefined) return true;
  const text = place.absent ? "" : place.text("https, or empty to turn the check off");
  if (text === undefined || text.toLowerCase() === "https") return true;
  if (text.trim() === "") return false;
  place.fail("is not known here", { value: text, expected: "https, or empty to turn the check off" });
  return true;
}

function readSasl(properties: ClientProperties, component: Place): SaslSpecification | undefined {
  const jaasPlace = properties.take("sasl.jaas.config");
  const jaas = jaasPlace === undefined ? undefined : readJaas(jaasPlace);
  const mechanismPlace = properties.take("sasl.mechanism");
  if (mechanismPlace === undefined && jaas?.mechanism === undefined) {
    // Kafka would fall back to GSSAPI, which our client does not speak.
    return component.fail("has SASL without sasl.mechanism", { expected: listed(MECHANISMS) });
  }
  const mechanism = mechanismPlace === undefined ? jaas?.mechanism : readMechanism(mechanismPlace);
  if (mechanism === undefined) return undefined;
  if (mechanism === "OAUTHBEARER") return readOauth(properties, jaas, component);
  if (jaasPlace === undefined) return component.fail("has SASL without sasl.jaas.config", { expected: JAAS_EXPECTED });
  if (jaas === undefined) return undefined;
  const { username, password } = jaas.options;
  if (username === undefined || password === undefined) {
    return jaasPlace.fail("names no username and password", { expected: JAAS_EXPECTED });
  }
  const lower = { PLAIN: "plain", "SCRAM-SHA-256": "scram-sha-256", "SCRAM-SHA-512": "scram-sha-512" } as const;
  return { mechanism: lower[mechanism], username, password };
}

function readMechanism(place: Place): Mechanism | undefined {
  const text = place.text(listed(MECHANISMS));
  const found = MECHANISMS.find((mechanism) => mechanism === text?.toUpperCase());
  if (text === undefined || found !== undefined) return found;
  return place.fail("is a SASL mechanism our client does not speak", {
    value: text,
    expected: listed(MECHANISMS),
    nearest: nearest(text, MECHANISMS),
  });
}

function readOauth(properties: ClientProperties, jaas: Jaas | undefined, component: Place): SaslSpecification | undefined {
  const tokenUrl = properties.text("sasl.oauthbearer.token.endpoint.url");
  const clientId = properties.text("sasl.oauthbearer.client.credentials.client.id") ?? jaas?.options.clientId;
  const clientSecret = properties.text("sasl.oauthbearer.client.credentials.client.secret") ?? jaas?.options.clientSecret;
  if (tokenUrl === undefined || clientId === undefined || clientSecret === undefined) {
    return component.fail("has SASL OAUTHBEARER without all it needs", {
      expected: "sasl.oauthbearer.token.endpoint.url, and clientId and clientSecret in sasl.jaas.config",
    });
  }
  return {
    mechanism: "oauthbearer",
    tokenUrl,
    clientId,
    clientSecret,
    scope: properties.text("sasl.oauthbearer.scope") ?? jaas?.options.scope,
  };
}

interface Jaas {
  /** The mechanism the login module stands for; undefined for SCRAM, which comes in two strengths. */
  readonly mechanism: Mechanism | undefined;
  readonly options: Readonly<Partial<Record<"username" | "password" | "clientId" | "clientSecret" | "scope", string>>>;
}

const LOGIN_MODULES: Readonly<Record<string, Mechanism | undefined>> = {
  PlainLoginModule: "PLAIN",
  ScramLoginModule: undefined,
  OAuthBearerLoginModule: "OAUTHBEARER",
};
const JAAS_EXPECTED = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";';

/** `<login module class> <control flag> name="value" …;` */
function readJaas(place: Place): Jaas | undefined {
  const text = place.text(JAAS_EXPECTED)?.trim();
  if (text === undefined) return undefined;
  const head = /^([\w.$]+)\s+(required|requisite|sufficient|optional)\b/i.exec(text);
  if (head === null) return place.fail("is not a JAAS line", { expected: JAAS_EXPECTED });
  const name = head[1]?.split(".").pop() ?? "";
  if (!(name in LOGIN_MODULES)) {
    return place.fail(`names the login module ${name}, which only the JVM runs`, {
      expected: listed(Object.keys(LOGIN_MODULES)),
    });
  }
  const options: Record<string, string> = {};
  for (const match of text
    .slice(head[0].length)
    .matchAll(/([\w.]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;"']+))/gs)) {
    const [, key = "", double, single, bare] = match;
    options[key] = bare ?? (double ?? single ?? "").replace(/\\(.)/gs, "$1");
  }
  return { mechanism: LOGIN_MODULES[name], options };
}

function listed(names: readonly string[]): string {
  return names.join(", ").replace(/, ([^,]*)$/, " or $1");
}
