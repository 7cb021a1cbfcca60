/**
 * What one request to a function costs the router: CPU microseconds of this process per small POST, 64 in flight, the server in
 * a process of its own. `node dist/bench/http-endpoint.js [requests]` prints one line per way of sending.
 *
 *   socket       bytes written to kept connections, the reply not looked at: the floor
 *   clients      undici's dispatch, our stack of clients, no timeouts, nothing made of the reply
 *   pool         undici's dispatch on its Pool
 *   request      undici's request on its Pool, a promise per request
 *   pipelined    undici's dispatch on 4 connections with 16 requests each (a slow function would hold up 15 others)
 *   dirigo       what ships: functions/http-endpoint.ts, with deadlines and events
 */
import { type ChildProcess, fork } from "node:child_process";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { Client, type Dispatcher, Pool } from "undici";
import type { EndpointSpecification } from "../src/config/specification";
import { openEndpoints } from "../src/functions/http-endpoint";

const inFlight = 64;
const warmUp = 5_000;
const octets = "application/octet-stream";
const body = Buffer.alloc(150, 1);
const headers = ["content-type", octets, "accept", octets, "accept-encoding", "gzip,deflate", "user-agent", "statefun"];

/** Sends one request; calls `done` when its reply is whole. */
type Send = (done: () => void) => void;
type Way = (port: number) => Send;

class Counting implements Dispatcher.DispatchHandler {
  constructor(readonly done: () => void) {}
  onRequestStart(): void {}
  onResponseStart(): void {}
  onResponseData(): void {}
  onResponseEnd(): void {
    this.done();
  }
  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    throw error;
  }
}

const request = { path: "/f", method: "POST" as const, headers, body };

const socket: Way = (port) => {
  const text = `POST /f HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: ${octets}\r\naccept: ${octets}\r\naccept-encoding: gzip,deflate\r\nuser-agent: statefun\r\ncontent-length: ${body.length}\r\n\r\n`;
  const bytes = Buffer.concat([Buffer.from(text), body]);
  const idle: { connection: net.Socket; done: () => void }[] = [];
  for (let i = 0; i < inFlight; i++) {
    const slot = { connection: net.connect(port, "127.0.0.1"), done: (): void => undefined };
    slot.connection.setNoDelay(true);
    slot.connection.on("data", () => {
      idle.push(slot);
      slot.done();
    });
    idle.push(slot);
  }
  return (done) => {
    const slot = idle.pop();
    if (slot === undefined) throw new Error("more requests in flight than sockets");
    slot.done = done;
    slot.connection.write(bytes);
  };
};

const clients: Way = (port) => {
  const idle = Array.from(
    { length: inFlight },
    () => new Client(`http://127.0.0.1:${port}`, { headersTimeout: 0, bodyTimeout: 0 }),
  );
  return (done) => {
    const client = idle.pop();
    if (client === undefined) throw new Error("more requests in flight than clients");
    client.dispatch(
      request,
      new Counting(() => {
        idle.push(client);
        done();
      }),
    );
  };
};

const pool: Way = (port) => {
  const dispatcher = new Pool(`http://127.0.0.1:${port}`, { connections: inFlight });
  return (done) => dispatcher.dispatch(request, new Counting(done));
};

const promised: Way = (port) => {
  const dispatcher = new Pool(`http://127.0.0.1:${port}`, { connections: inFlight });
  return (done) => {
    void dispatcher.request(request).then(async (reply) => {
      await reply.body.arrayBuffer();
      done();
    });
  };
};

const pipelined: Way = (port) => {
  const dispatcher = new Pool(`http://127.0.0.1:${port}`, { connections: 4, pipelining: 16 });
  // Called idempotent only to let undici pipeline it: with real functions this would be a lie.
  return (done) => dispatcher.dispatch({ ...request, idempotent: true }, new Counting(done));
};

const dirigo: Way = (port) => {
  const specification: EndpointSpecification = {
    id: "bench/*",
    functions: [{ namespace: "bench", name: undefined }],
    urls: [`http://127.0.0.1:${port}/{function.name}`],
    placement: "any",
    adaptive: false,
    maxNumBatchRequests: 1000,
    concurrency: inFlight,
    maxBatchBytes: 4 << 20,
    transport: {
      callTimeoutMs: 120_000,
      connectTimeoutMs: 20_000,
      readTimeoutMs: undefined,
      poolTtlMs: 15_000,
      poolSize: 1024,
      payloadMaxBytes: 32 << 20,
      tls: undefined,
    },
  };
  const waiting = new Map<number, () => void>();
  const endpoints = openEndpoints(
    [specification],
    (event) => {
      if (event.kind !== "invocation_replied" || event.status !== 200) throw new Error(JSON.stringify(event));
      const done = waiting.get(event.invocation);
      waiting.delete(event.invocation);
      done?.();
    },
    () => undefined,
  );
  let next = 0;
  return (done) => {
    const invocation = next++;
    waiting.set(invocation, done);
    endpoints.perform({ kind: "dispatch", invocation, endpoint: 0, replica: 0, functionName: "f", traceparent: undefined, body });
  };
};

function measure(send: Send, requests: number): Promise<{ cpuMicros: number; perSecond: number }> {
  return new Promise((resolve) => {
    let sent = 0;
    let answered = 0;
    let cpu = process.cpuUsage();
    let startMs = performance.now();
    const done = () => {
      answered++;
      if (answered === warmUp) {
        cpu = process.cpuUsage();
        startMs = performance.now();
      }
      if (answered === warmUp + requests) {
        const used = process.cpuUsage(cpu);
        const seconds = (performance.now() - startMs) / 1000;
        resolve({ cpuMicros: (used.user + used.system) / requests, perSecond: requests / seconds });
      } else if (sent < warmUp + requests) {
        sent++;
        send(done);
      }
    };
    for (; sent < inFlight; sent++) send(done);
  });
}

function serve(): void {
  const reply = Buffer.from([0xa2, 0x06, 0x00]);
  const server = http.createServer((incoming, response) => {
    incoming.resume();
    incoming.on("end", () => {
      response.writeHead(200, { "content-type": octets, "content-length": reply.length });
      response.end(reply);
    });
  });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
  process.on("disconnect", () => process.exit());
}

/** One way per process: a way's garbage and compiled code are no burden on the next. */
function run(role: string, requests: number, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = fork(__filename, [role, String(requests), String(port)]);
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${role} ended with ${code}`))));
  });
}

const ways: Readonly<Record<string, Way>> = { socket, clients, pool, request: promised, pipelined, dirigo };

async function main(): Promise<void> {
  const role = process.argv[2] ?? "";
  if (role === "serve") return serve();
  const way = ways[role];
  if (way !== undefined) {
    const { cpuMicros, perSecond } = await measure(way(Number(process.argv[4])), Number(process.argv[3]));
    console.log(`${role.padEnd(10)} ${cpuMicros.toFixed(1).padStart(6)} µs CPU per request  ${Math.round(perSecond)}/s`);
    process.exit(0);
  }
  const requests = Number(role === "" ? 100_000 : role);
  const server = fork(__filename, ["serve"]);
  const port = await new Promise<number>((resolve) => server.once("message", (value) => resolve(Number(value))));
  for (const name of Object.keys(ways)) await run(name, requests, port);
  server.disconnect();
}

void main();
