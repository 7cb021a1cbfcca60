import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectionOptions } from "node:tls";
import { kafkajsConfig } from "../../src/cluster/client-config";
import type { ClusterSpecification, TlsSpecification } from "../../src/config/specification";
import { ConfigError } from "../../src/model/errors";

const plain: ClusterSpecification = {
  name: "a:1,b:2",
  brokers: ["a:1", "b:2"],
  clientId: undefined,
  ssl: false,
  sasl: undefined,
  connectionTimeoutMs: undefined,
  requestTimeoutMs: undefined,
};
const noTls: TlsSpecification = {
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
const log = () => {};

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "dirigo-client-config-"));
  for (const name of ["ca", "cert", "key", "password"]) writeFileSync(join(directory, name), `the ${name}\n`);
});
afterAll(() => rmSync(directory, { recursive: true }));

function tlsOf(tls: Partial<TlsSpecification>): ConnectionOptions {
  return kafkajsConfig({ ...plain, ssl: { ...noTls, ...tls } }, log).ssl as ConnectionOptions;
}

test("brokers, client id and timeouts are passed on, with our own where none are given", () => {
  expect(kafkajsConfig(plain, log)).toMatchObject({
    clientId: "dirigo",
    brokers: ["a:1", "b:2"],
    ssl: false,
    requestTimeout: 10_000,
  });
  expect(kafkajsConfig(plain, log, 7).requestTimeout).toBe(7);
  const own = { ...plain, clientId: "me", connectionTimeoutMs: 5, requestTimeoutMs: 6 };
  expect(kafkajsConfig(own, log, 7)).toMatchObject({ clientId: "me", connectionTimeout: 5, requestTimeout: 6 });
});

test("TLS with the system's authorities, or with PEM from files or in place", () => {
  expect(kafkajsConfig({ ...plain, ssl: true }, log).ssl).toBe(true);
  const files = {
    caFile: join(directory, "ca"),
    certFile: join(directory, "cert"),
    keyFile: join(directory, "key"),
    keyPasswordFile: join(directory, "password"),
  };
  expect(tlsOf(files)).toEqual({ ca: "the ca\n", cert: "the cert\n", key: "the key\n", passphrase: "the password" });
  expect(tlsOf({ ca: "CA", cert: "CERT", key: "KEY", keyPassword: "P" })).toEqual({
    ca: "CA",
    cert: "CERT",
    key: "KEY",
    passphrase: "P",
  });
});

test("the host name is checked unless it is turned off", () => {
  expect(tlsOf({}).checkServerIdentity).toBeUndefined();
  expect(tlsOf({ checkHostname: false }).checkServerIdentity?.("any", {} as never)).toBeUndefined();
  expect(tlsOf({ checkHostname: false }).checkServerIdentity).toBeDefined();
});

test("a PEM file that is not there keeps us from starting, by name", () => {
  expect(() => tlsOf({ caFile: "/nowhere/ca.pem" })).toThrow(ConfigError);
  expect(() => tlsOf({ caFile: "/nowhere/ca.pem" })).toThrow(/certificate authority for Kafka from \/nowhere\/ca.pem/);
});

test.each(["plain", "scram-sha-256", "scram-sha-512"] as const)("SASL %s has its user and password", (mechanism) => {
  const sasl = { mechanism, username: "u", password: "p" };
  expect(kafkajsConfig({ ...plain, sasl }, log).sasl).toEqual(sasl);
});

test("SASL OAUTHBEARER has a provider of tokens", () => {
  const sasl = { mechanism: "oauthbearer" as const, tokenUrl: "http://x", clientId: "c", clientSecret: "s", scope: undefined };
  expect(kafkajsConfig({ ...plain, sasl }, log).sasl).toEqual({
    mechanism: "oauthbearer",
    oauthBearerProvider: expect.any(Function),
  });
});
