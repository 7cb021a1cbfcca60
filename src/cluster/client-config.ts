/** A cluster as configured → what kafkajs wants to know about it. Reads the PEM files; a missing one is a ConfigError. */
import { readFileSync } from "node:fs";
import * as net from "node:net";
import * as tls from "node:tls";
import type { ISocketFactory, KafkaConfig, SASLOptions } from "kafkajs";
import { logLevel } from "kafkajs";
import type { ClusterSpecification, SaslSpecification, TlsSpecification } from "../config/specification";
import { ConfigError } from "../model/errors";
import type { Log } from "../observe/log";
import { errorText } from "./kafkajs-internals";
import { oauthTokens } from "./oauth-token";

const connectionTimeoutMs = 3_000;
/** A broker that vanished without a word is given up after this; producing large units may take longer. */
const requestTimeoutMs = 10_000;
export const produceTimeoutMs = 30_000;

export function kafkajsConfig(cluster: ClusterSpecification, log: Log, timeoutMs = requestTimeoutMs): KafkaConfig {
  return {
    clientId: cluster.clientId ?? "dirigo",
    brokers: [...cluster.brokers],
    ssl: cluster.ssl === true ? true : cluster.ssl === false ? false : tlsOptions(cluster.ssl),
    ...(cluster.sasl === undefined ? {} : { sasl: saslOptions(cluster.sasl) }),
    connectionTimeout: cluster.connectionTimeoutMs ?? connectionTimeoutMs,
    requestTimeout: cluster.requestTimeoutMs ?? timeoutMs,
    enforceRequestTimeout: true,
    // Its default first pause is 300 ms, which is longer than a whole unit takes. We go on trying around it, with our own patience.
    retry: { initialRetryTime: 5, factor: 0.2, multiplier: 2, maxRetryTime: 500, retries: 5 },
    socketFactory: promptSockets,
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => tell(log, entry.log.message, entry.log),
  };
}

/** What kafkajs says is detail: whoever asked it for something tells people what failed and what happens next. */
function tell(log: Log, message: string, { timestamp, logger, stack, ...fields }: Record<string, unknown>): void {
  log("debug", `kafkajs: ${message}`, fields);
}

/** As kafkajs's own, but without Nagle's delay: requests follow each other closely on one connection. */
const promptSockets: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const socket = ssl
    ? tls.connect({ host, port, ...(net.isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect)
    : net.connect({ host, port }, () => (isItself(socket) ? undefined : onConnect()));
  socket.once("connect", () => {
    if (isItself(socket)) socket.destroy(new Error(`nobody listens at ${host}:${port}; the connection met itself`));
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 60_000);
  return socket;
};

/**
 * Trying again and again to reach a local broker that is away, at a port from which the kernel also takes those of clients, sooner or later
 * connects a socket to itself; held open, it would keep the port from the broker when that comes back.
 */
function isItself(socket: net.Socket): boolean {
  return socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
}

function tlsOptions(tlsSpecification: TlsSpecification): tls.ConnectionOptions {
  const { ca, cert, key, caFile, certFile, keyFile, keyPassword, keyPasswordFile, checkHostname } = tlsSpecification;
  const options: tls.ConnectionOptions = {};
  const authority = ca ?? read(caFile, "the certificate authority");
  const certificate = cert ?? read(certFile, "the client certificate");
  const privateKey = key ?? read(keyFile, "the client key");
  const password = keyPassword ?? read(keyPasswordFile, "the client key's password")?.trim();
  if (authority !== undefined) options.ca = authority;
  if (certificate !== undefined) options.cert = certificate;
  if (privateKey !== undefined) options.key = privateKey;
  if (password !== undefined) options.passphrase = password;
  if (!checkHostname) options.checkServerIdentity = () => undefined;
  return options;
}

function read(file: string | undefined, what: string): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError([`cannot read ${what} for Kafka from ${file}: ${errorText(error)}`]);
  }
}

function saslOptions(sasl: SaslSpecification): SASLOptions {
  if (sasl.mechanism === "oauthbearer") return { mechanism: "oauthbearer", oauthBearerProvider: oauthTokens(sasl) };
  return { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password } as SASLOptions;
}
