/** What is held behind barriers is bounded, and the bound never stops the reading that ends the wait (DUAL-MODE.md 5.5). */
import type { FunctionSpecification } from "../src/config/specification";
import type { InputRecord } from "../src/model/record";
import { type Dispatched, EngineDriver, record } from "./support/engine-driver";
import { sourceSpecification } from "./support/module";
import { typedValue } from "./support/statefun-proto";

const FUNCTION: FunctionSpecification = {
  functions: [{ namespace: "ex", prefix: "fn", exact: true }],
  mode: "dual",
  maxLessees: 0,
  upstreams: [{ kind: "ingress", ingress: "ex/in", partitions: "all" }],
  critical: [],
  series: "window",
  barrier: undefined,
  states: {},
};

class Barriers {
  readonly driver: EngineDriver;
  readonly logs: InputRecord[][] = [[], []];
  /** Critical messages that were run, as `key text`. */
  readonly run: string[] = [];

  constructor(upstreams = FUNCTION.upstreams, targets = ["ex/fn"]) {
    this.driver = EngineDriver.running({
      inputs: [0, 1].map((partition) => ({ source: 0, partition })),
      options: { heldBytesMax: 1_000, partitionDepthMax: 8 },
      module: { sources: [sourceSpecification({ targets })], functions: [{ ...FUNCTION, upstreams }] },
    });
  }

  #append(partition: number, key: string, text: string, headers: InputRecord["headers"]): void {
    const log = this.logs[partition] as InputRecord[];
    log.push({ ...record(log.length, key, text), headers });
  }

  barrier(partition: number, key: string, number: number): this {
    const headers = { "dirigo-critical": "1", "dirigo-barrier": String(number) };
    const list = Object.entries(headers).map(([name, value]) => ({ key: name, value: Buffer.from(value) }));
    this.#append(partition, key, `${partition}:${number}`, list);
    return this;
  }

  data(partition: number, key: string, count: number): this {
    for (let i = 0; i < count; i++) this.text(partition, key, "data");
    return this;
  }

  text(partition: number, key: string, text: string): this {
    this.#append(partition, key, text, []);
    return this;
  }

  /** One record of each partition in turn, as far as it is not paused, until nothing moves. */
  flow(): void {
    for (let moved = true; moved; ) {
      moved = false;
      for (const [index, input] of this.driver.inputs) {
        const next = this.logs[input.partition]?.[input.offset];
        if (input.paused || !next) continue;
        input.offset++;
        this.driver.apply({ kind: "records_received", input: index, records: [next], nextOffset: input.offset });
        moved = true;
      }
      while (this.driver.inFlight.length > 0) {
        const { texts, id } = this.#serve();
        this.run.push(...texts.filter((text) => text !== "data").map((text) => `${id} ${text}`));
        moved = true;
      }
      this.driver.commitAll();
    }
  }

  /** `ex/up/u` tells `ex/fn/a` what it gets. */
  #serve(): Pick<Dispatched, "texts" | "id"> {
    const { request, texts, id } = this.driver.request();
    if (request.target?.type !== "up") return this.driver.reply();
    const sent = texts.filter((text) => id === "u" && text !== "data").map((text) => `up ${text}`);
    const target = { namespace: "ex", type: "fn", id: "a" };
    return {
      ...this.driver.reply({ outgoing_messages: sent.map((text) => ({ target, argument: typedValue("ex/text", text) })) }),
      texts: [],
    };
  }

  get paused(): string[] {
    return this.driver.engine
      .view(0)
      .inputs.flatMap(({ partition, pausedReasons }) => pausedReasons.map((each) => `${partition} ${each}`));
  }
}

it("a partition that is ahead of a barrier is paused when too much is held, and goes on behind it", () => {
  const barriers = new Barriers();
  barriers.barrier(0, "a", 1).data(0, "a", 40);
  barriers.flow();
  expect(barriers.paused).toEqual(["0 held"]);
  barriers.barrier(1, "a", 1);
  barriers.flow();
  expect(barriers.run).toEqual(["a 0:1", "a 1:1"]);
  expect(barriers.paused).toEqual([]);
  expect(barriers.driver.engine.view(0).inputs.map(({ outstanding }) => outstanding)).toEqual([0, 0]);
});

it("a partition that some barrier still waits for is read on, whatever is held", () => {
  const barriers = new Barriers();
  barriers.barrier(0, "a", 1).data(0, "a", 40).barrier(0, "b", 1);
  barriers.barrier(1, "b", 1).data(1, "b", 40).barrier(1, "a", 1);
  barriers.flow();
  expect(barriers.run.sort()).toEqual(["a 0:1", "a 1:1", "b 0:1", "b 1:1"]);
  expect(barriers.paused).toEqual([]);
});

const UP = { kind: "function", function: "ex/up", count: undefined } as const;
const IN = { kind: "ingress", ingress: "ex/in", partitions: "seen" } as const;

it("H2: a partition is read on while an actor that has its barrier waits for another actor's, which may stand behind", () => {
  const barriers = new Barriers([IN, { ...UP, ids: ["u"] }], ["ex/fn", "ex/up"]);
  barriers.barrier(0, "a", 1).data(0, "a", 40).barrier(0, "u", 1);
  barriers.flow();
  expect(barriers.run).toEqual(["a 0:1", "a up 0:1"]);
  expect(barriers.paused).toEqual([]);
});

it("H2: also where the other actor is learnt while the barrier is there", () => {
  const barriers = new Barriers(
    [
      { ...IN, partitions: "all" },
      { ...UP, ids: undefined },
    ],
    ["ex/fn", "ex/up"],
  );
  barriers.barrier(0, "a", 1).data(0, "a", 40).barrier(0, "u", 1);
  barriers.flow();
  expect(barriers.paused).toEqual(["0 held"]); // It waits for the other partition only.
  barriers.text(1, "u", "hello");
  barriers.flow();
  barriers.barrier(1, "a", 1);
  barriers.flow();
  expect(barriers.run.filter((each) => each.startsWith("a "))).toEqual(["a up hello", "a 0:1", "a 1:1", "a up 0:1"]);
  expect(barriers.paused).toEqual([]);
});
