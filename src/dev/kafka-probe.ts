/** Does a Kafka answer there, and is a port free? */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { Kafka, logLevel } from "kafkajs";

/** A broker that has let itself into its cluster lists itself; before that it answers with an empty list. */
export async function answers(port: number): Promise<boolean> {
  const kafka = new Kafka({
    clientId: "dirigo-probe",
    brokers: [`127.0.0.1:${port}`],
    logLevel: logLevel.NOTHING,
    // The caller asks again; a single try must not take long.
    retry: { retries: 0 },
    connectionTimeout: 1_000,
    requestTimeout: 3_000,
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length > 0;
  } catch {
    return false;
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

/** Below those that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere). */
const PORTS_FROM = 15_000;
const PORTS_BEFORE = 32_000;

/**
 * A port nobody listens on, and which nobody is given for a connection of its own: while a broker is away, a client that keeps trying its
 * port could otherwise be given that very port, meet itself, and keep the broker from coming back.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS_FROM, PORTS_BEFORE);
    if (await isFree(port)) return port;
  }
}

export async function isFree(port: number): Promise<boolean> {
  try {
    await listenOnce(port);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return false;
    throw error;
  }
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
