/**
 * `npm run demo`: everything of examples/flights at once, on this machine. A Kafka, both functions and a router are started,
 * 20,000 flights are produced (a few to warm up, most as fast as they go, the last at a calm rate), and when all results are
 * there each one is compared with a direct computation. Exit code 0 when everything is as it must be; nothing is left running.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Consumer, Kafka, logLevel, Partitioners, type Producer } from "kafkajs";
import { brokerDown, brokerUp } from "../../src/dev/broker";
import { freePort } from "../../src/dev/kafka-probe";
import { runDemo } from "../demo-main";
import { Child } from "./children";
import { Expectation } from "./expectation";
import { type Alert, type Figures, type Flight, readFlights } from "./flight";
import { Latency } from "./latency";
import { Table } from "./table";

const root = join(__dirname, "..", "..", "..");
/** As in alert-server.js, which shares no code with us: it could be written in any language. */
const rule = { threshold: 15, departuresMin: 10 };
const partitions = 8;
/** A JVM and two JavaScript engines that have just started are slow; what they do meanwhile says nothing about later. */
const warmFlights = 1_000;
const calmFlights = 2_000;
const calmPerSecond = 200;
/** Late duplicates, if there were any, would be seen in this time. */
const quietMs = 1_500;
/** Nothing new for this long means that something is lost. */
const patienceMs = 30_000;

class Demo {
  readonly flights = readFlights();
  readonly expectation = new Expectation(this.flights, rule);
  readonly latency = new Latency();
  readonly table = new Table(process.stdout);
  readonly figures: Figures[] = [];
  readonly alerts: Alert[] = [];
  produced = 0;
  phase = "warming up";
  burstMs = 0;
  #lastResultMs = performance.now();
  #burstStartMs = 0;
  /** What has to be undone, the latest first. */
  readonly #undo: (() => unknown)[] = [];
  #ending: Promise<void> | undefined;

  async run(): Promise<string[]> {
    const bootstrap = await this.#startKafka();
    const kafka = new Kafka({ clientId: "demo", brokers: [bootstrap], logLevel: logLevel.NOTHING });
    await this.#createTopics(kafka);
    const router = await this.#startRouter(bootstrap);
    await this.#follow(kafka);
    const drawing = setInterval(() => this.table.draw(this.#progress()), 250);
    this.#undo.push(() => clearInterval(drawing));
    await this.#produce(kafka, router);
    clearInterval(drawing);
    this.table.draw(this.#progress());
    this.table.leave();
    await sleep(quietMs);
    const exit = await router.end();
    const differences = this.expectation.differences(this.figures, this.alerts);
    if (exit !== "exit code 0") differences.push(`the router ended with ${exit}, expected exit code 0`);
    return differences;
  }

  /** Ends whatever was started; may be called at any time, also twice. */
  end(): Promise<void> {
    this.#ending ??= (async () => {
      for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) await undo();
    })();
    return this.#ending;
  }

  async #startKafka(): Promise<string> {
    const directory = mkdtempSync(join(tmpdir(), "dirigo-demo-"));
    this.#undo.push(async () => {
      await brokerDown({ directory });
      rmSync(directory, { recursive: true, force: true });
    });
    const { bootstrap } = await brokerUp({ port: 0, directory, say: (text) => console.log(text) });
    return bootstrap;
  }

  async #createTopics(kafka: Kafka): Promise<void> {
    const admin = kafka.admin();
    await admin.connect();
    const topics = ["flights", "airports", "alerts"].map((topic) => ({ topic, numPartitions: partitions, replicationFactor: 1 }));
    await admin.createTopics({ topics, waitForLeaders: true });
    await admin.disconnect();
  }

  async #startRouter(bootstrap: string): Promise<Child> {
    const [airportPort, alertPort, adminPort] = [await freePort(), await freePort(), await freePort()];
    const airport = this.#child("the airport function", join(root, "dist/examples/flights/airport-server.js"), [airportPort]);
    const alert = this.#child("the alert function", join(root, "examples/flights/alert-server.js"), [alertPort]);
    await Promise.all([airport.until(() => airport.said("is served at")), alert.until(() => alert.said("is served at"))]);
    const module = join(root, "examples/flights/module.yaml");
    const options = ["run", "-f", module, "--admin-port", adminPort, "--log", "json"];
    const router = this.#child("the router", join(root, "bin/dirigo"), options, {
      KAFKA_BOOTSTRAP_SERVERS: bootstrap,
      AIRPORT_PORT: String(airportPort),
      ALERT_PORT: String(alertPort),
    });
    await router.until(async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined))?.ok === true);
    console.log(`the router is ready; its metrics: http://127.0.0.1:${adminPort}/metrics\n`);
    return router;
  }

  #child(
    name: string,
    script: string,
    parameters: readonly (string | number)[],
    environment: Record<string, string> = {},
  ): Child {
    const child = new Child(name, [process.execPath, script, ...parameters.map(String)], environment);
    this.#undo.push(() => child.end());
    return child;
  }

  /** Any consumer that reads committed records only sees each result once. */
  async #follow(kafka: Kafka): Promise<void> {
    const consumer: Consumer = kafka.consumer({ groupId: "demo-reader", maxWaitTimeInMs: 100 });
    this.#undo.push(() => consumer.disconnect());
    await consumer.connect();
    await consumer.subscribe({ topics: ["airports", "alerts"], fromBeginning: true });
    const joined = new Promise<void>((resolve) => {
      consumer.on(consumer.events.GROUP_JOIN, () => resolve());
    });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const nowMs = performance.now();
        for (const { value } of batch.messages) this.#see(batch.topic, JSON.parse(String(value)), nowMs);
      },
    });
    await joined;
  }

  #see(topic: string, value: Figures | Alert, nowMs: number): void {
    this.#lastResultMs = nowMs;
    if (topic === "alerts") {
      this.alerts.push(value as Alert);
      this.table.alert(value as Alert);
      return;
    }
    const figures = value as Figures;
    this.figures.push(figures);
    this.table.figures(figures);
    if (figures.after === "departure") this.latency.seen(figures.airport, figures.departures, nowMs);
  }

  async #produce(kafka: Kafka, router: Child): Promise<void> {
    const producer = kafka.producer({
      // What is sent again because one partition refused it is there once in the others, too.
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
    this.#undo.push(() => producer.disconnect());
    await producer.connect();
    const burstEnd = this.flights.length - calmFlights;
    await this.#produceCalmly(producer, 0, warmFlights);
    await this.#awaitResults(router);
    this.phase = "burst";
    await this.#produceAtOnce(producer, warmFlights, burstEnd);
    await this.#awaitResults(router);
    this.phase = "calm";
    await this.#produceCalmly(producer, burstEnd, this.flights.length);
    await this.#awaitResults(router);
  }

  /** All are due now. */
  async #produceAtOnce(producer: Producer, from: number, to: number): Promise<void> {
    this.#burstStartMs = performance.now();
    for (let next = from; next < to; next += 1_000) {
      await this.#send(producer, this.flights.slice(next, Math.min(to, next + 1_000)), () => this.#burstStartMs);
    }
  }

  /** At a fixed rate, whatever happens: a flight that could only be sent late has been waiting since it was due. */
  async #produceCalmly(producer: Producer, from: number, to: number): Promise<void> {
    const startMs = performance.now();
    const dueMs = (index: number): number => startMs + ((index - from) * 1_000) / calmPerSecond;
    for (let next = from; next < to; ) {
      let due = next;
      while (due < to && dueMs(due) <= performance.now()) due++;
      if (due > next) await this.#send(producer, this.flights.slice(next, due), dueMs);
      else await sleep(1);
      next = due;
    }
  }

  async #send(producer: Producer, flights: readonly Flight[], dueMs: (index: number) => number): Promise<void> {
    for (const { origin } of flights) this.latency.produced(origin, dueMs(this.produced++), this.phase);
    const messages = flights.map((flight) => ({ key: flight.origin, value: JSON.stringify(flight) }));
    await producer.send({ topic: "flights", messages });
  }

  /** Of everything produced so far: each flight makes two airports speak. */
  async #awaitResults(router: Child): Promise<void> {
    const all = this.produced === this.flights.length;
    const missing = (): boolean =>
      this.figures.length < 2 * this.produced || (all && this.alerts.length < this.expectation.alertsCount);
    while (missing()) {
      if (!router.running) throw new Error(router.story);
      // What is missing is then named by the comparison.
      if (performance.now() - this.#lastResultMs > patienceMs) return;
      await sleep(20);
    }
    if (this.phase === "burst") this.burstMs = this.#lastResultMs - this.#burstStartMs;
  }

  #rateAt = { atMs: performance.now(), results: 0 };

  #progress() {
    const nowMs = performance.now();
    const results = this.figures.length;
    const perSecond = (results - this.#rateAt.results) / ((nowMs - this.#rateAt.atMs) / 1_000);
    this.#rateAt = { atMs: nowMs, results };
    return { phase: this.phase, flights: this.produced, results, perSecond };
  }

  /** Flights cause an invocation each at their origin, their destination and the alert function. */
  report(): string[] {
    const seconds = this.burstMs / 1_000;
    const flights = this.flights.length - calmFlights - warmFlights;
    const perSecond = (count: number) => Math.round(count / seconds).toLocaleString("en");
    const { airports, alertsCount } = this.expectation;
    return [
      "",
      ...(process.stdout.isTTY ? [] : [...this.table.lines(), ""]),
      `counts      ${this.flights.length} flights, ${airports.size} airports: ${this.figures.length} records in topic airports, ${this.alerts.length} in alerts (of ${alertsCount})`,
      `throughput  burst of ${flights} flights in ${seconds.toFixed(2)} s: ${perSecond(flights)} flights/s = ${perSecond(3 * flights)} messages/s handled, ${perSecond(2 * flights)} results/s`,
      `latency     from a flight to its committed result, at ${calmPerSecond} flights/s: ${this.latency.of("calm")}`,
      `            in the burst (mostly waiting for its turn): ${this.latency.of("burst")}`,
    ];
  }
}

const verdict = {
  right:
    "check       every record of both topics is as computed directly from the flights: none missing, none twice, all in order",
  wrong: "check       FAILED",
  indent: "  ",
};

runDemo(new Demo(), verdict).then((code) => process.exit(code));
