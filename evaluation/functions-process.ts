/**
 * The functions of a real run: one HTTP server, a path per worker, each worker with one slot. Told what to serve by its parent; tells its port, and
 * afterwards what was done. Ends with its parent.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Functions } from "../src/functions/sdk";
import { functionsOf, Meter } from "./functions";
import type { Load } from "./load";
import { Measurement, measuredInterval, SlotTime } from "./metrics";
import type { Plan } from "./plan";
import { SlotClock } from "./slot-clock";
import { workloadOf } from "./workload";

export interface ServeOrder {
  readonly kind: "serve";
  readonly load: Load;
  readonly plan: Plan;
  readonly seed: number;
  readonly topic: string;
  readonly workers: number;
  /** Work takes no time: what is left is the cost of the way. */
  readonly free: boolean;
}

/** The run's first instant, ms since 1970. */
export interface BeginOrder {
  readonly kind: "begin";
  readonly startMs: number;
}

export type Order = ServeOrder | BeginOrder | { readonly kind: "tell" };

export interface Told {
  /** By application: records handled by their deadline. */
  readonly recordsInTime: readonly number[];
  readonly values: Readonly<Record<string, number>>;
}

class Host {
  readonly #functions: Functions;
  readonly #meter = new Meter();
  readonly #measurement: Measurement;
  readonly #slotTime: SlotTime;
  readonly #clocks: readonly SlotClock[];
  #startMs = Number.POSITIVE_INFINITY;

  constructor(private readonly order: ServeOrder) {
    const { load, plan, seed, topic, workers } = order;
    this.#functions = functionsOf({ load, plan, seed, topic, meter: this.#meter });
    this.#measurement = new Measurement(workloadOf(load, seed));
    this.#slotTime = new SlotTime(measuredInterval(load));
    const wait = (ms: number, action: () => void) => void setTimeout(action, Math.round(ms));
    this.#clocks = Array.from({ length: workers }, () => new SlotClock(1, now, wait));
  }

  begin(startMs: number): void {
    this.#startMs = startMs;
  }

  tell(): Told {
    const recordsInTime = this.#measurement.results().map((each) => each.recordsInTime);
    return { recordsInTime, values: this.#slotTime.values(this.order.workers) };
  }

  receive(request: IncomingMessage, response: ServerResponse): void {
    const clock = this.#clocks[Number(/^\/w(\d+)/.exec(request.url ?? "")?.[1])];
    if (!clock) {
      response.writeHead(404).end();
      return;
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => this.#answer(clock, Buffer.concat(chunks), response));
  }

  #answer(clock: SlotClock, body: Buffer, response: ServerResponse): void {
    this.#meter.clear();
    const reply = this.#functions.invoke(body);
    if (reply instanceof Promise) throw new Error("a function of the evaluation must answer at once");
    const workMs = this.order.free ? 0 : this.#meter.workMs;
    const handled = [...this.#meter.handled];
    clock.hold(workMs, (startedMs, endedMs) => {
      response.writeHead(200, ["Content-Type", "application/octet-stream", "Content-Length", String(reply.length)]);
      response.end(reply);
      this.#measurement.handled(handled, endedMs - this.#startMs);
      this.#slotTime.served(startedMs - this.#startMs, endedMs - this.#startMs, workMs);
    });
  }
}

const offsetMs = Date.now() - performance.now();
/** With fractions. */
function now(): number {
  return performance.now() + offsetMs;
}

let host: Host | undefined;

process.on("message", (order: Order) => {
  switch (order.kind) {
    case "serve":
      host = new Host(order);
      return serve(host);
    case "begin":
      return host?.begin(order.startMs);
    case "tell":
      return void process.send?.(host?.tell());
  }
});
process.once("disconnect", () => process.exit());

function serve(served: Host): void {
  const server = createServer({ keepAliveTimeout: 75_000, noDelay: true }, (request, response) =>
    served.receive(request, response),
  );
  server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
}
