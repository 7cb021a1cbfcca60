/**
 * Windowed counting by an actor in dual mode, through the whole engine: the partitions of an ingress end windows by themselves, lessees share the
 * work, and crashes come anywhere. Each record must be told of once, in its own window.
 */
import * as fc from "fast-check";
import type { FunctionSpecification, WatermarkSpecification } from "../src/config/specification";
import type { InputRecord } from "../src/model/record";
import { Broker, type Dispatched, EngineDriver, record } from "./support/engine-driver";
import {
  applicationSpecification,
  endpointSpecification,
  RAW_EGRESS,
  sourceSpecification,
  watermarkSpecification,
} from "./support/module";
import { typedValue } from "./support/statefun-proto";

const JSON_TYPE = "ex/json";
const START_MS = 1_000_000;
const PARTITIONS = [0, 1];

const FUNCTION: FunctionSpecification = {
  functions: [{ namespace: "ex", prefix: "fn", exact: true }],
  mode: "dual",
  maxLessees: 3,
  upstreams: [],
  critical: [],
  series: undefined,
  barrier: undefined,
  states: { seen: { kind: "list-concat" } },
};

type Step =
  | { readonly produce: number; readonly key: string; readonly skewMs: number }
  | { readonly deliver: number; readonly count: number }
  | { readonly serve: number; readonly fails: boolean }
  | { readonly commit: true }
  | { readonly advanceMs: number }
  /** A partition is asked for more, and has nothing. */
  | { readonly exhaust: number }
  | { readonly crash: true };

const partition = fc.constantFrom(...PARTITIONS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      produce: partition,
      key: fc.constantFrom("a", "a", "b"),
      skewMs: fc.constantFrom(0, 0, -300, -1_500, 900),
    }),
  },
  { weight: 7, arbitrary: fc.record({ deliver: partition, count: fc.integer({ min: 1, max: 4 }) }) },
  {
    weight: 7,
    arbitrary: fc.record({ serve: fc.nat({ max: 20 }), fails: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0) }),
  },
  { weight: 4, arbitrary: fc.constant({ commit: true } as const) },
  { weight: 4, arbitrary: fc.record({ advanceMs: fc.constantFrom(5, 50, 400, 1_300) }) },
  { weight: 1, arbitrary: fc.constant({ crash: true } as const) },
);

/** With a clock that says something, too. */
const wildStep = fc.oneof({ weight: 6, arbitrary: step }, { weight: 1, arbitrary: fc.record({ exhaust: partition }) });

function script(steps: fc.Arbitrary<Step>): fc.Arbitrary<Step[]> {
  return fc.array(steps, { maxLength: 150, size: "max" });
}

interface Told {
  readonly key: string;
  readonly end: number;
  readonly seen: readonly string[];
}

class Clicks {
  driver: EngineDriver;
  readonly broker = new Broker();
  readonly watermark: WatermarkSpecification;
  readonly logs = new Map<number, InputRecord[]>(PARTITIONS.map((at) => [at, []]));

  constructor(time: WatermarkSpecification["time"] = "record-timestamp", targets: readonly string[] = ["ex/fn"]) {
    this.watermark = watermarkSpecification({ time, idleMs: 1_000 });
    this.driver = EngineDriver.running({
      nowMs: START_MS,
      broker: this.broker,
      inputs: PARTITIONS.map((at) => ({ source: 0, partition: at })),
      module: {
        endpoints: [endpointSpecification({ concurrency: 4, maxNumBatchRequests: 2 })],
        sources: [sourceSpecification({ watermark: this.watermark, targets })],
        applications: [
          applicationSpecification({
            policy: "min-laxity",
            slo: { latencyMs: 20, percentile: 99, from: "arrival", windowMs: 0 },
          }),
        ],
        egresses: [RAW_EGRESS],
        functions: [FUNCTION],
      },
    });
    this.driver.describe("raw");
  }

  #log(at: number): InputRecord[] {
    return this.logs.get(at) as InputRecord[];
  }

  #input(at: number): number {
    for (const [index, input] of this.driver.inputs) if (input.partition === at) return index;
    throw new Error(`partition ${at} is not read`);
  }

  #position(at: number): number {
    return this.driver.inputs.get(this.#input(at))?.offset ?? 0;
  }

  play(each: Step): void {
    const { driver } = this;
    if ("produce" in each) {
      const log = this.#log(each.produce);
      const id = `${each.produce}/${log.length}`;
      log.push({ ...record(log.length, each.key, id), timestampMs: driver.now + each.skewMs });
    } else if ("deliver" in each) this.deliver(each.deliver, each.count);
    else if ("serve" in each) this.serve(each.serve, each.fails);
    else if ("commit" in each) this.commit();
    else if ("advanceMs" in each) driver.advance(each.advanceMs);
    else if ("exhaust" in each) this.exhaust(each.exhaust);
    else this.crash();
  }

  deliver(at: number, count: number): void {
    const position = this.#position(at);
    const records = this.#log(at).slice(position, position + count);
    const state = this.driver.inputs.get(this.#input(at));
    if (records.length === 0 || !state || state.paused) return;
    state.offset = position + records.length;
    this.driver.apply({ kind: "records_received", input: this.#input(at), records, nextOffset: state.offset });
  }

  exhaust(at: number): void {
    if (this.#position(at) < this.#log(at).length) return;
    this.driver.apply({ kind: "input_exhausted", input: this.#input(at), offset: this.#position(at), askedMs: this.driver.now });
  }

  serve(choice: number, fails = false): void {
    const { inFlight } = this.driver;
    const request = inFlight[choice % Math.max(1, inFlight.length)];
    if (!request) return;
    const [state] = request.request.state ?? [];
    // The driver answers by id; what it answers is the first of that id, so that one goes to the front.
    inFlight.splice(inFlight.indexOf(request), 1);
    inFlight.unshift(request);
    if (fails) this.driver.fail("refused", request.id);
    else if (request.effect.functionName === "other") this.driver.reply({}, request.id);
    else if (!state) this.driver.incomplete([{ state_name: "seen", type_typename: JSON_TYPE }], request.id);
    else this.driver.reply(this.#run(request), request.id);
  }

  #run({ request, id }: Dispatched): Parameters<EngineDriver["reply"]>[0] {
    const value = request.state?.[0]?.state_value;
    let seen: string[] = value?.has_value ? JSON.parse(Buffer.from(value.value ?? []).toString()) : [];
    const told: Told[] = [];
    for (const { argument } of request.invocations ?? []) {
      const text = Buffer.from(argument?.value ?? []).toString();
      if (argument?.typename !== this.watermark.typename) seen.push(text);
      else {
        const { end } = JSON.parse(text) as { end: number };
        if (seen.length > 0) told.push({ key: id, end, seen });
        seen = [];
      }
    }
    const mutation = { mutation_type: 1, state_name: "seen", state_value: typedValue(JSON_TYPE, JSON.stringify(seen)) };
    return {
      state_mutations: [seen.length > 0 ? mutation : { mutation_type: 0, state_name: "seen" }],
      outgoing_egresses: told.map((each) => {
        return { egress_namespace: "ex", egress_type: "raw", argument: typedValue(JSON_TYPE, JSON.stringify(each)) };
      }),
    };
  }

  commit(): void {
    this.driver.advance(0);
    if (this.driver.committing) this.driver.commit();
  }

  crash(): void {
    this.driver = this.driver.restarted();
    this.driver.describe("raw");
  }

  /** Everything is read and served, and the partitions fall silent. */
  end(): void {
    for (let turn = 0; turn < 60; turn++) {
      for (const at of PARTITIONS) this.deliver(at, 100);
      if (turn > 10) for (const at of PARTITIONS) this.exhaust(at);
      for (let i = 0; i < 50 && this.driver.inFlight.length > 0; i++) this.serve(0);
      this.driver.commitAll();
      this.driver.advance(500);
    }
  }

  get told(): Told[] {
    const records = this.broker.topics.get("raw") ?? [];
    return records.map(({ value }) => JSON.parse(Buffer.from(value ?? []).toString()) as Told);
  }

  get toldIds(): string[] {
    return this.told.flatMap(({ seen }) => seen).sort();
  }

  get allIds(): string[] {
    return [...this.logs.values()].flatMap((log) => log.map(({ value }) => String(value))).sort();
  }

  /** By record: key, and end of the window it counts for. */
  get expected(): string[] {
    const { everyMs, latenessMs } = this.watermark;
    const all: string[] = [];
    for (const log of this.logs.values()) {
      let passed = -1;
      for (const { key, value, timestampMs } of log) {
        passed = Math.max(passed, Math.floor((timestampMs - latenessMs) / everyMs));
        const end = (Math.max(passed, Math.floor(timestampMs / everyMs)) + 1) * everyMs;
        all.push(`${key} ${end}: ${value}`);
      }
    }
    return all.sort();
  }
}

test("every record is told of once, in its own window, with lessees and over crashes", () => {
  let leases = 0;
  fc.assert(
    fc.property(script(step), (steps) => {
      const clicks = new Clicks();
      for (const each of steps) clicks.play(each);
      leases += clicks.broker.topics.get("g.control")?.length ?? 0;
      clicks.end();
      const told = clicks.told.flatMap(({ key, end, seen }) => seen.map((id) => `${key} ${end}: ${id}`));
      expect(told.sort()).toEqual(clicks.expected);
      expect(clicks.broker.keys("part")).toEqual([]);
    }),
    { numRuns: 60 },
  );
  expect(leases).toBeGreaterThan(0); // Actors were split.
});

test.each<[string, WatermarkSpecification["time"], string[]]>([
  ["partitions that fall silent", "record-timestamp", ["ex/fn"]],
  ["windows by arrival", "arrival", ["ex/fn"]],
  ["copies that outlive their records", "record-timestamp", ["ex/fn", "ex/other"]],
])("every record is told of once, with %s", (_what, time, targets) => {
  fc.assert(
    fc.property(script(wildStep), (steps) => {
      const clicks = new Clicks(time, targets);
      for (const each of steps) clicks.play(each);
      clicks.end();
      expect(clicks.toldIds).toEqual(clicks.allIds);
      for (const key of ["a", "b"]) {
        const ends = clicks.told.filter((each) => each.key === key).map(({ end }) => end);
        expect(ends).toEqual([...new Set(ends)].sort((one, other) => one - other)); // Once each, rising.
      }
      expect(clicks.broker.keys("message")).toEqual([]);
    }),
    { numRuns: 40 },
  );
});

describe("what was found once", () => {
  const produce = (at: number, skewMs = 0): Step => ({ produce: at, key: "a", skewMs });
  const deliver = (at: number): Step => ({ deliver: at, count: 1 });
  const serve: Step = { serve: 0, fails: false };
  const advance = (advanceMs: number): Step => ({ advanceMs });

  function played(clicks: Clicks, ...steps: readonly Step[]): Clicks {
    for (const each of steps) clicks.play(each);
    clicks.end();
    return clicks;
  }

  it("a consolidation within a window does not pass over its end", () => {
    const steps = [produce(0), deliver(0), produce(1, -1_500), deliver(1), advance(5), produce(0, 900), produce(1, 900)];
    const clicks = played(new Clicks(), ...steps);
    expect(clicks.told.map(({ end }) => end)).toEqual([999_000, 1_001_000]);
  });

  it("an idle timer of an actor that was forgotten does not forget the one that came after it", () => {
    const first = [produce(1), deliver(1), advance(1_300), produce(0), deliver(0), serve, serve, serve, serve];
    const second = [advance(1_300), produce(0), produce(0), serve, deliver(0), advance(1_300)];
    const clicks = played(new Clicks("arrival"), ...first, ...second);
    expect(clicks.toldIds).toEqual(clicks.allIds);
  });
});
