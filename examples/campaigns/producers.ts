/**
 * Produces the same records for both sides at the same instants, in real time. A record bears the moment at which it really leaves; the window of that moment is its own.
 *
 * For the side without watermarks it also does what producers of a StateFun application would do: when a window is over it says so to every key, in the key's own partition,
 * behind all records of the window. That is exact, because a key's records stay in order from here to its function; and nobody has to wait for anything.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Message, Producer } from "kafkajs";
import type { Expectation } from "./expectation";
import { type Application, applications, windowAt } from "./record";
import { type Arrival, campaigns, shops } from "./traffic";

/** Timers have no finer grain. */
const tickMs = 1;

export interface Targets {
  /** Names of the two deployments: what their topics begin with. */
  readonly fifo: string;
  readonly dirigo: string;
}

export class Producers {
  /** Per application, the end of the window that is open. */
  readonly #openEnds = new Map<Application, number>();
  produced = 0;

  constructor(
    private readonly producer: Producer,
    private readonly targets: Targets,
    private readonly expectation: Expectation,
  ) {}

  /** Resolves when everything is with the broker. At `endMs` the last windows are ended; what was not sent by then is not sent. */
  async run(arrivals: readonly Arrival[], startMs: number, endMs: number): Promise<void> {
    for (const application of applications) this.#openEnds.set(application, windowAt(startMs, application).end);
    let next = 0;
    for (let nowMs = startMs; nowMs < endMs; ) {
      await sleep(tickMs);
      // A clock that is set back must not set the records back.
      nowMs = Math.min(Math.max(nowMs, Date.now()), endMs);
      const batch = new Batch(this.targets);
      this.#endWindows(nowMs, batch);
      for (; nowMs < endMs && next < arrivals.length && startMs + (arrivals[next] as Arrival).atMs <= nowMs; next++) {
        this.#add(arrivals[next] as Arrival, nowMs, batch);
      }
      // One request at a time: kafkajs lets a request with known topics overtake one with a topic it has to ask about first.
      if (batch.messages.size > 0) await this.#send(batch);
    }
  }

  #add({ application: name, key, country, cents }: Arrival, nowMs: number, batch: Batch): void {
    const application = applications.find((each) => each.name === name) as Application;
    this.expectation.add(application, key, nowMs, { country, cents });
    const message = { key, value: JSON.stringify({ country, cents }), timestamp: String(nowMs) };
    batch.add("fifo", application, message);
    batch.add("dirigo", application, message);
    this.produced++;
  }

  #endWindows(nowMs: number, batch: Batch): void {
    for (const application of applications) {
      let end = this.#openEnds.get(application) as number;
      for (; end <= nowMs; end += application.windowMs) {
        const value = JSON.stringify({ start: end - application.windowMs, end });
        // Its deadline is that of its window.
        const timestamp = String(end - 1);
        for (const key of application.topic === "clicks" ? campaigns : shops) {
          batch.add("fifo", application, { key, value, timestamp });
        }
      }
      this.#openEnds.set(application, end);
    }
  }

  async #send({ messages }: Batch): Promise<void> {
    await this.producer.sendBatch({ topicMessages: [...messages].map(([topic, list]) => ({ topic, messages: list })) });
  }
}

/** What leaves in one tick, by topic: one request for both sides. */
class Batch {
  readonly messages = new Map<string, Message[]>();

  constructor(private readonly targets: Targets) {}

  add(side: keyof Targets, application: Application, message: Message): void {
    const topic = `${this.targets[side]}-${application.topic}`;
    const list = this.messages.get(topic);
    if (list === undefined) this.messages.set(topic, [message]);
    else list.push(message);
  }
}
