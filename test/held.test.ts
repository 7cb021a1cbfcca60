/** What is held behind barriers is bounded, and the bound never stops the reading that ends the wait (DUAL-MODE.md 5.5). */
import type { FunctionSpecification } from "../src/config/specification";
import type { InputRecord } from "../src/model/record";
import { EngineDriver, record } from "./support/engine-driver";
import { sourceSpecification } from "./support/module";

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
  readonly driver = EngineDriver.running({
    inputs: [0, 1].map((partition) => ({ source: 0, partition })),
    options: { heldBytesMax: 1_000, partitionDepthMax: 8 },
    module: { sources: [sourceSpecification()], functions: [FUNCTION] },
  });
  readonly logs: InputRecord[][] = [[], []];
  /** Critical messages that were run, as `key text`. */
  readonly run: string[] = [];

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
    for (let i = 0; i < count; i++) this.#append(partition, key, "data", []);
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
        const { texts, id } = this.driver.reply();
        this.run.push(...texts.filter((text) => text !== "data").map((text) => `${id} ${text}`));
        moved = true;
      }
      this.driver.commitAll();
    }
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
