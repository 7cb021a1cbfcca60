/** Actors in dual mode through the whole engine: lessees, critical messages, barriers, recovery. */
import type { FunctionSpecification } from "../src/config/specification";
import { decodeControl } from "../src/scaling/control";
import { type Dispatched, EngineDriver, type Setup } from "./support/engine-driver";
import { applicationSpecification, endpointSpecification, sourceSpecification } from "./support/module";
import { typedValue } from "./support/statefun-proto";

const CLOSE = "ex/close";
const NUMBER = "ex/number";

function functionSpecification(overrides: Partial<FunctionSpecification> = {}): FunctionSpecification {
  return {
    functions: [{ namespace: "ex", prefix: "fn", exact: true }],
    mode: "dual",
    maxLessees: 4,
    upstreams: [],
    critical: [CLOSE],
    series: undefined,
    barrier: undefined,
    states: { total: { kind: "sum" } },
    ...overrides,
  };
}

/** Partitions of two topics: numbers to add, and messages that close. The function keeps a total and tells it when it closes. */
class Counting {
  readonly driver: EngineDriver;
  readonly told: number[] = [];

  constructor(setup: Setup = {}, functions = [functionSpecification()]) {
    const sources = [
      sourceSpecification({ valueType: NUMBER }),
      sourceSpecification({ ingress: "ex/closing", topic: "closing", valueType: CLOSE }),
    ];
    this.driver = EngineDriver.running({
      inputs: [
        { source: 0, partition: 0 },
        { source: 1, partition: 0 },
      ],
      ...setup,
      module: {
        endpoints: [endpointSpecification({ concurrency: 8, maxNumBatchRequests: 1 })],
        applications: [
          applicationSpecification({
            policy: "min-laxity",
            slo: { latencyMs: 100, percentile: 99, from: "arrival", windowMs: 0 },
          }),
        ],
        sources,
        functions,
        ...setup.module,
      },
    });
  }

  #input(source: number): number {
    for (const [index, input] of this.driver.inputs) if (input.source === source) return index;
    throw new Error(`no input of source ${source}`);
  }

  add(id: string, ...numbers: readonly number[]): void {
    this.driver.receive(this.#input(0), ...numbers.map((number) => [id, String(number)] as const));
  }

  addTexts(id: string, ...texts: readonly string[]): void {
    this.driver.receive(this.#input(0), ...texts.map((text) => [id, text] as const));
  }

  /** Offset from which the numbers are read. */
  get position(): number {
    return this.driver.inputs.get(this.#input(0))?.offset ?? 0;
  }

  close(id: string): void {
    this.driver.receive(this.#input(1), [id, "close"]);
  }

  /** The function runs the oldest request in flight. */
  serve(): Dispatched {
    const request = this.driver.request();
    const [state] = request.request.state ?? [];
    if (!state) return this.driver.incomplete([{ state_name: "total", type_typename: NUMBER }]);
    let total = state.state_value?.has_value ? Number(Buffer.from(state.state_value.value ?? []).toString()) : 0;
    for (const { argument } of request.request.invocations ?? []) {
      if (argument?.typename === CLOSE) this.told.push(total);
      else total += Number(Buffer.from(argument?.value ?? []).toString());
    }
    const state_value = typedValue(NUMBER, String(total));
    return this.driver.reply({ state_mutations: [{ mutation_type: 1, state_name: "total", state_value }] });
  }

  /** All at once take this long, until nothing is asked any more. */
  work(serviceMs: number): void {
    while (this.driver.inFlight.length > 0) {
      const together = this.driver.inFlight.length;
      this.driver.advance(serviceMs);
      for (let i = 0; i < together; i++) this.serve();
      this.driver.commitAll();
    }
  }

  /** Teaches the router what the function declares and takes. */
  warm(id: string, serviceMs = 20): this {
    this.add(id, 0);
    this.work(serviceMs);
    return this;
  }

  get control(): string[] {
    const records = this.driver.broker.topics.get("g.control") ?? [];
    return records.map(({ key, value }) => {
      const record = decodeControl(Buffer.from(String(key)), value as Uint8Array);
      return "lane" in record ? `${record.kind} ${record.lane}` : record.kind;
    });
  }
}

const numbers = Array.from({ length: 20 }, (_, i) => i + 1);
const sum = 210;

test("a hot actor gets lessees, and a critical message sees the sum of all parts", () => {
  const counting = new Counting().warm("a");
  counting.add("a", ...numbers);
  expect(counting.driver.inFlight.length).toBeGreaterThan(2);
  counting.close("a");
  counting.work(20);
  expect(counting.told).toEqual([sum]);
  expect(counting.control.filter((each) => each.startsWith("lease_granted")).length).toBeGreaterThan(1);
  expect(counting.driver.broker.keys("part")).toEqual([]);
});

test("an actor that was forgotten between its lessees does not give them the epochs of earlier ones", () => {
  const counting = new Counting().warm("a");
  for (let round = 0; round < 3; round++) {
    counting.add("a", ...numbers);
    counting.close("a");
    counting.work(20);
    expect(counting.driver.engine.measures.actors).toBe(0); // Its state is kept; what it was besides is not.
  }
  const records = (counting.driver.broker.topics.get("g.control") ?? []).map(({ key, value }) =>
    decodeControl(Buffer.from(String(key)), value as Uint8Array),
  );
  const granted = records.flatMap((record) => (record.kind === "lease_granted" ? [`${record.epoch}/${record.lane}`] : []));
  expect(granted.length).toBeGreaterThan(3);
  expect(new Set(granted).size).toBe(granted.length);
  const epochs = records.map(({ epoch }) => epoch);
  expect(epochs).toEqual([...epochs].sort((one, other) => one - other));
});

test("what comes behind a critical message waits for it", () => {
  const counting = new Counting().warm("a");
  counting.add("a", ...numbers);
  counting.close("a");
  counting.add("a", 1_000);
  counting.close("a");
  counting.work(20);
  expect(counting.told).toEqual([sum, sum + 1_000]);
});

test("an actor that keeps its deadlines alone has no lessee, and nothing is written of it", () => {
  const counting = new Counting().warm("a", 5);
  counting.add("a", 1, 2);
  counting.close("a");
  counting.work(5);
  expect(counting.told).toEqual([3]);
  expect(counting.control).toEqual([]);
});

test("a deadline that is missed behind a barrier is the barrier's fault", () => {
  const counting = new Counting().warm("a", 1);
  counting.add("a", 1);
  counting.close("a");
  counting.add("a", 2);
  counting.driver.advance(500); // The first one is slow.
  counting.serve();
  counting.serve();
  counting.work(1);
  const [measures] = counting.driver.engine.measures.applications;
  expect(measures?.missed.barrier).toBe(1);
});

test("after a crash the parts in the log are merged before anything runs", () => {
  const counting = new Counting().warm("a");
  counting.add("a", ...numbers);
  const together = counting.driver.inFlight.length;
  counting.driver.advance(20);
  for (let i = 0; i < together; i++) counting.serve();
  counting.driver.commitAll();
  expect(counting.driver.broker.keys("part").length).toBeGreaterThan(0);
  const after = new Counting({ broker: counting.driver.broker, nowMs: counting.driver.now, seed: 2 });
  after.driver.commitAll();
  expect(after.driver.broker.keys("part")).toEqual([]);
  after.add("a", ...numbers.slice(after.position - 1)); // Before them came the one that taught.
  after.close("a");
  after.work(20);
  expect(after.told).toEqual([sum]);
});

describe("a state that is parted by sub-key", () => {
  const byColour = functionSpecification({ states: { total: { kind: "partition", keyPath: ["colour"] } } });

  /** The function counts numbers by colour. */
  class Colours extends Counting {
    readonly totals: string[] = [];

    constructor() {
      super({}, [byColour]);
    }

    paint(...pairs: readonly (readonly [colour: string, number: number])[]): void {
      this.addTexts("a", ...pairs.map(([colour, number]) => JSON.stringify({ colour, number })));
    }

    override serve(): Dispatched {
      const request = this.driver.request();
      const [state] = request.request.state ?? [];
      if (!state) return this.driver.incomplete([{ state_name: "total", type_typename: "ex/json" }]);
      const text = state.state_value?.has_value ? Buffer.from(state.state_value.value ?? []).toString() : "{}";
      const total = JSON.parse(text) as Record<string, number[]>;
      for (const { argument } of request.request.invocations ?? []) {
        const value = Buffer.from(argument?.value ?? []).toString();
        if (argument?.typename === CLOSE) this.totals.push(JSON.stringify(Object.fromEntries(Object.entries(total).sort())));
        else {
          const { colour, number } = JSON.parse(value) as { colour: string; number: number };
          total[colour] = [...(total[colour] ?? []), number];
        }
      }
      const state_value = typedValue("ex/json", JSON.stringify(total));
      return this.driver.reply({ state_mutations: [{ mutation_type: 1, state_name: "total", state_value }] });
    }
  }

  test("keeps the order of each sub-key, also of those the base knows from before", () => {
    const colours = new Colours();
    colours.paint(["red", 0]);
    colours.work(20);
    const pairs = (from: number) =>
      Array.from({ length: 12 }, (_, i) => [["red", "blue", "green", "white"][i % 4] as string, from + i] as const);
    colours.paint(...pairs(1));
    colours.close("a");
    colours.work(20);
    colours.paint(...pairs(13), ["black", 25], ["black", 26]);
    colours.close("a");
    colours.work(20);
    expect(colours.totals.map((text) => JSON.parse(text))).toEqual([
      { blue: [2, 6, 10], green: [3, 7, 11], red: [0, 1, 5, 9], white: [4, 8, 12] },
      {
        black: [25, 26],
        blue: [2, 6, 10, 14, 18, 22],
        green: [3, 7, 11, 15, 19, 23],
        red: [0, 1, 5, 9, 13, 17, 21],
        white: [4, 8, 12, 16, 20, 24],
      },
    ]);
    expect(colours.control.filter((each) => each.startsWith("lease_granted"))).not.toEqual([]);
  });
});
