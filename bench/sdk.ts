/**
 * What a message costs in a function's process, in our SDK and in StateFun's JavaScript SDK: `node dist/bench/sdk.js`.
 * A counter (one int of state, one Kafka record per message) behind HTTP, in requests of 1, 10 and 1,000 messages for one address.
 * The server is a process of its own, asked for its CPU time before and after; the client only writes and counts.
 */
import { type ChildProcess, fork } from "node:child_process";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { kafkaEgressMessage, StateFun } from "apache-flink-statefun";
import { type Context, defineFunction, serve, state, types } from "../src/functions/sdk";
import { encodeRequest, typedValue } from "../test/conformance/protocol";

const contestants = ["ours", "ours, asynchronous", "StateFun's"] as const;
type Contestant = (typeof contestants)[number];

const batches = [1, 10, 1_000];
const warmMessages = 50_000;
const messages = 200_000;
const connections = 32;
const egress = "bench/results";
const topic = "results";

const states = { count: state.int() };

function count(ctx: Context<typeof states>): void {
  const now = (ctx.state.count ?? 0) + 1;
  ctx.state.count = now;
  ctx.kafka(egress, { topic, key: ctx.self.id, value: String(now) });
}

async function serveOurs(handle: (ctx: Context<typeof states>) => void | Promise<void>): Promise<number> {
  return (await serve([defineFunction({ typename: "bench/counter", states, handle })], 0, { host: "127.0.0.1" })).port;
}

async function serveTheirs(): Promise<number> {
  const functions = new StateFun();
  functions.bind({
    typename: "bench/counter",
    specs: [{ name: "count", type: StateFun.intType() }],
    fn(context) {
      const now = (context.storage.count ?? 0) + 1;
      context.storage.count = now;
      context.send(kafkaEgressMessage({ typename: egress, topic, key: context.self.id, value: String(now) }));
    },
  });
  const server = createServer(functions.handler());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const servers: Readonly<Record<Contestant, () => Promise<number>>> = {
  ours: () => serveOurs(count),
  "ours, asynchronous": () => serveOurs(async (ctx) => count(ctx)),
  "StateFun's": serveTheirs,
};

/** In the server's process: says its port, and its CPU time whenever asked. */
async function host(contestant: Contestant): Promise<void> {
  const port = await servers[contestant]();
  process.on("message", () => process.send?.(process.cpuUsage().user + process.cpuUsage().system));
  process.on("disconnect", () => process.exit());
  process.send?.(port);
}

function answer(server: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("message", (value) => resolve(Number(value)));
    server.once("exit", () => reject(new Error("the server ended")));
  });
}

function cpuMicroseconds(server: ChildProcess): Promise<number> {
  server.send("cpu");
  return answer(server);
}

function requestOf(batch: number): Buffer {
  const body = encodeRequest({
    target: { namespace: "bench", type: "counter", id: "key-000123" },
    state: [{ state_name: "count", state_value: typedValue("io.statefun.types/int", types.int.encode(300)) }],
    invocations: Array.from({ length: batch }, () => ({ argument: typedValue("bench/record", Buffer.alloc(100, 65)) })),
  });
  const head = `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

/** Counts the bytes of replies by the length the first one announces; a request in flight per connection. */
function replyLength(head: string): number {
  if (!head.startsWith("HTTP/1.1 200")) throw new Error(`the server answered ${head.slice(0, 200)}`);
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  return head.indexOf("\r\n\r\n") + 4 + Number(length);
}

async function send(port: number, request: Buffer, requests: number): Promise<void> {
  let left = requests;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(port, "127.0.0.1").setNoDelay(true);
      let missing = 0;
      const next = () => {
        if (left-- > 0) socket.write(request);
        else socket.end(resolve);
      };
      socket.on("connect", next).on("error", reject);
      socket.on("data", (chunk: Buffer) => {
        if (missing === 0) missing = replyLength(chunk.toString("latin1", 0, 400));
        missing -= chunk.length;
        if (missing === 0) next();
      });
    });
  await Promise.all(Array.from({ length: connections }, one));
}

async function measure(contestant: Contestant, batch: number): Promise<void> {
  const server = fork(__filename, [contestant]);
  const port = await answer(server);
  const request = requestOf(batch);
  await send(port, request, Math.ceil(warmMessages / batch));
  const before = await cpuMicroseconds(server);
  const requests = Math.ceil(messages / batch);
  const startMs = performance.now();
  await send(port, request, requests);
  const seconds = (performance.now() - startMs) / 1_000;
  const cpu = (await cpuMicroseconds(server)) - before;
  const perMessage = (cpu / (requests * batch)).toFixed(2).padStart(7);
  const rate = Math.round((requests * batch) / seconds).toLocaleString("en");
  console.log(
    `${contestant.padEnd(20)} ${String(batch).padStart(5)} a request: ${perMessage} µs of CPU per message, ${rate} messages/s`,
  );
  server.disconnect();
}

async function main(): Promise<void> {
  for (const batch of batches) for (const contestant of contestants) await measure(contestant, batch);
}

const role = contestants.find((name) => name === process.argv[2]);
void (role === undefined ? main() : host(role));
