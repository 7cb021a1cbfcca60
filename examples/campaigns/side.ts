/** One side of the demo: a router and a function service of its own, who reads its totals, and what its router says of itself. */
import { join } from "node:path";
import type { Consumer, Kafka } from "kafkajs";
import { freePort } from "../../src/dev/kafka-probe";
import { Child } from "../flights/children";
import { Deliveries } from "./deliveries";
import type { Expectation } from "./expectation";
import type { ApplicationName, Total } from "./record";

const root = join(__dirname, "..", "..", "..");
const askEveryMs = 500;

export interface SideOptions {
  readonly kafka: Kafka;
  readonly bootstrap: string;
  /** Of the deployment: consumer group, and what its topics begin with. */
  readonly name: string;
  /** For tables. */
  readonly title: string;
  readonly module: "module.yaml" | "module-fifo.yaml";
  readonly expectation: Expectation;
  /** Told whatever has to be undone. */
  readonly undo: (action: () => unknown) => void;
}

/** From /v1/status: docs/observability.md. */
interface Status {
  readonly endpoints: readonly { readonly concurrency: number; readonly inFlight: number }[];
  readonly functions: readonly { readonly backlog: number }[];
  readonly dualFunctions: readonly { readonly lessees: number; readonly leasesGranted: number; readonly held: number }[];
  readonly applications: readonly { readonly application: ApplicationName; readonly attainment: number | null }[];
}

export class Side {
  readonly deliveries: Deliveries;
  #router: Child | undefined;
  #admin = "";
  #status: Status | undefined;
  #asking = false;

  private constructor(private readonly options: SideOptions) {
    this.deliveries = new Deliveries(options.expectation);
  }

  /** Resolves when its router is ready and its totals are read. */
  static async start(options: SideOptions): Promise<Side> {
    const side = new Side(options);
    await Promise.all([side.#startRouter(), side.#follow()]);
    const asking = setInterval(() => side.#ask(), askEveryMs);
    options.undo(() => clearInterval(asking));
    return side;
  }

  get title(): string {
    return this.options.title;
  }

  get metricsUrl(): string {
    return `${this.#admin}/metrics`;
  }

  get topic(): string {
    return `${this.options.name}-totals`;
  }

  async #startRouter(): Promise<void> {
    const { name, bootstrap, module } = this.options;
    const [port, adminPort] = [await freePort(), await freePort()];
    const service = this.#child("functions", ["dist/examples/campaigns/campaign-server.js", port, this.topic]);
    await service.until(() => service.said("are served at"));
    const file = join(root, "examples/campaigns", module);
    this.#router = this.#child(
      "router",
      ["bin/dirigo", "run", "-f", file, "--name", name, "--admin-port", adminPort, "--log", "json"],
      {
        KAFKA_BOOTSTRAP_SERVERS: bootstrap,
        FUNCTIONS_PORT: String(port),
        CAMPAIGNS_GROUP: name,
      },
    );
    this.#admin = `http://127.0.0.1:${adminPort}`;
    await this.#router.until(async () => (await fetch(`${this.#admin}/readyz`).catch(() => undefined))?.ok === true);
  }

  #child(what: string, [script = "", ...parameters]: (string | number)[], environment: Record<string, string> = {}): Child {
    const command = [process.execPath, join(root, String(script)), ...parameters.map(String)];
    const child = new Child(`the ${what} of ${this.options.name}`, command, environment);
    this.options.undo(() => child.end());
    return child;
  }

  /** Any consumer that reads committed records only sees each total once. */
  async #follow(): Promise<void> {
    const { kafka, name, undo } = this.options;
    const consumer: Consumer = kafka.consumer({ groupId: `${name}-reader`, maxWaitTimeInMs: 100 });
    undo(() => consumer.disconnect());
    await consumer.connect();
    await consumer.subscribe({ topics: [this.topic], fromBeginning: true });
    const joined = new Promise<void>((resolve) => {
      consumer.on(consumer.events.GROUP_JOIN, () => resolve());
    });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const nowMs = Date.now();
        for (const { value } of batch.messages) this.deliveries.seen(JSON.parse(String(value)) as Total, nowMs);
      },
    });
    await joined;
  }

  /** An answer that does not come leaves the last one standing. */
  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      this.#status = (await (await fetch(`${this.#admin}/v1/status`)).json()) as Status;
    } catch {
      // The router is ending, or too busy to say how it is.
    } finally {
      this.#asking = false;
    }
  }

  /** Throws when the router has ended by itself. */
  check(): void {
    if (this.#router?.running === false) throw new Error(this.#router.story);
  }

  /** Asked for the last time, then ended; resolves with how it ended. */
  async end(): Promise<string> {
    await this.#ask();
    return (await this.#router?.end()) ?? "";
  }

  get slots(): number {
    return sum(this.#status?.endpoints, (each) => each.concurrency);
  }

  get slotsInUse(): number {
    return sum(this.#status?.endpoints, (each) => each.inFlight);
  }

  /** Messages in mailboxes, and those held behind the ends of windows. */
  get waiting(): number {
    return sum(this.#status?.functions, (each) => each.backlog) + sum(this.#status?.dualFunctions, (each) => each.held);
  }

  get lessees(): number {
    return sum(this.#status?.dualFunctions, (each) => each.lessees);
  }

  get lesseesOpened(): number {
    return sum(this.#status?.dualFunctions, (each) => each.leasesGranted);
  }

  /** By the router's own count, of every message and not of the totals alone; null before the first. */
  routerAttainment(application: ApplicationName): number | null {
    return this.#status?.applications.find((each) => each.application === application)?.attainment ?? null;
  }
}

function sum<T>(list: readonly T[] = [], of: (each: T) => number): number {
  return list.reduce((total, each) => total + of(each), 0);
}
