/** Functions of StateFun's SDKs as they are, in dual mode behind a real router: a hot key, lessees, and totals that are exact. */
import { join } from "node:path";
import type { ControlRecord } from "../../src/scaling/control";
import { decodeKey, decodeValue } from "../../src/state/changelog";
import { appliedByLessees, controlRecord, partsIn, protocolFaults, standing } from "../support/dual-log";
import type { SeenRecord } from "../support/kafka";
import { decodeMessage, type TypedValueFields } from "../support/statefun-proto";
import { DualBench } from "./dual-bench";
import { SDKS, type Sdk, startHost } from "./host";
import { startSensor } from "./sensor";

// The first run on a machine fetches the Python and the Java SDK.
const startMs = 180_000;
const messages = 300;
/** Every so many messages one is critical by its header. */
const criticalEvery = 50;

/** Numbers 1 to 1000 in no order. */
const numbers = Array.from({ length: messages }, (_, n) => 1 + ((n * 577) % 1_000));
/** Sums up to there. */
const totals: number[] = [];
for (const number of numbers) totals.push((totals.at(-1) ?? 0) + number);
const isCritical = (n: number) => (n + 1) % criticalEvery === 0;
const headersOf = (n: number) => (isCritical(n) ? { headers: { "dirigo-critical": "true" } } : {});

/** Seen from dist/test/conformance, where this runs compiled. */
const COUNTERS: Readonly<Partial<Record<Sdk, string>>> = {
  javascript: join(__dirname, "hosts", "counter.js"),
  python: join(__dirname, "..", "..", "..", "test", "conformance", "hosts", "counter.py"),
};

function leases(bench: DualBench, actor: string) {
  const records = bench.control.records.map(controlRecord);
  return {
    faults: protocolFaults(records, "forgotten"),
    granted: records.filter(({ kind }) => kind === "lease_granted").length,
    applied: appliedByLessees(records, actor),
    reasons: new Set(records.flatMap((record) => (record.kind === "lease_ended" ? [record.reason] : []))),
    atOnce: bench.tap.faults.filter((fault) => fault === `${actor}: two requests at a time`).length,
  };
}

/** Everything is there that was there when asked. */
async function readAll(bench: DualBench): Promise<void> {
  await bench.state.toEnd();
  await bench.control.toEnd();
}

describe.each(SDKS.filter((sdk) => sdk in COUNTERS))("a counter of the %s SDK in dual mode, its states merged as sums", (sdk) => {
  const counter = {
    typename: "dual/counter",
    valueTypes: ["dual/add", "dual/close"],
    critical: ["dual/close"],
    merge: { count: "sum", total: "sum" },
  };
  let bench: DualBench;
  beforeAll(async () => {
    bench = await DualBench.open(counter, (topic) => startHost(sdk, topic, COUNTERS[sdk]));
    await bench.router.ready();
  }, startMs);
  afterAll(() => bench?.close());

  interface Told {
    readonly by: "add" | "close";
    readonly count: number;
    readonly total: number;
  }
  const told = (by: Told["by"]) =>
    bench.results.records.map(({ text }) => JSON.parse(text) as Told).filter((each) => each.by === by);
  const add = (by: number, n: number) => ({
    key: "hot",
    value: JSON.stringify({ by, tell: isCritical(n) }),
    ...headersOf(n),
  });
  const close = () => bench.say("dual/close", [{ key: "hot", value: "{}" }]);
  const steps = (kind: ControlRecord["kind"]) =>
    bench.control.records.filter((record) => controlRecord(record).kind === kind).length;

  test("critical messages by header see exactly what came before them", async () => {
    await bench.say("dual/add", numbers.map(add));
    await bench.until(() => told("add").length >= messages / criticalEvery, "all critical additions");
    const expected = totals.flatMap((total, n) => (isCritical(n) ? [{ by: "add", count: n + 1, total }] : []));
    expect(told("add")).toEqual(expected);
  }, 120_000);

  test("one by its typename ends leases and sees all that had come by then", async () => {
    const before = { granted: steps("lease_granted"), unsync: steps("unsync") };
    await bench.say(
      "dual/add",
      numbers.slice(0, criticalEvery - 1).map((by, n) => add(by, n)),
    );
    await bench.until(() => steps("lease_granted") > before.granted, "lessees");
    await close();
    await bench.until(() => told("close").length > 0 && steps("unsync") > before.unsync, "the closing");
    const [{ count, total }] = told("close") as [Told];
    // When it came is chance; that it saw all of so many additions, and nothing of later ones, is not.
    expect(count).toBeGreaterThan(messages);
    expect(total).toBe((totals.at(-1) as number) + (totals[count - messages - 1] as number));
    await bench.say("dual/add", [add(numbers[criticalEvery - 1] as number, criticalEvery - 1)]);
    await bench.until(() => told("add").length > messages / criticalEvery, "the last addition");
    expect(told("add").at(-1)).toEqual({
      by: "add",
      count: messages + criticalEvery,
      total: (totals.at(-1) as number) + (totals[criticalEvery - 1] as number),
    });
  }, 120_000);

  test("lessees did a part of it at the same time, by the protocol, and nothing of them is left", async () => {
    await readAll(bench);
    const { faults, granted, applied, reasons, atOnce } = leases(bench, "dual/counter/hot");
    expect(faults).toEqual([]);
    expect(granted).toBeGreaterThan(1);
    expect(applied).toBeGreaterThan(criticalEvery);
    expect(applied).toBeLessThan(messages + criticalEvery);
    expect([...reasons]).toEqual(["critical"]);
    expect(atOnce).toBeGreaterThan(1);
    expect(partsIn(bench.state.records)).toEqual([]);
  });
});

describe.each(SDKS)("the documented function that merges its own state, with the %s SDK in dual mode", (sdk) => {
  const sensor = {
    typename: "lab/sensor",
    valueTypes: ["lab/reading"],
    critical: [],
    merge: { spread: "function" },
  };
  let bench: DualBench;
  beforeAll(async () => {
    bench = await DualBench.open(sensor, () => startSensor(sdk));
    await bench.router.ready();
  }, startMs);
  afterAll(() => bench?.close());

  interface Spread {
    readonly n: number;
    readonly mean: number;
    readonly m2: number;
  }

  const merges = () =>
    bench.tap.exchanges.filter(({ request }) =>
      request.invocations.some(({ argument }) => argument.typename === "io.dirigo.types/merge"),
    );

  test("number, mean and spread are those of all readings", async () => {
    const reading = (value: number, n: number) => ({ key: "hot", value: JSON.stringify({ value }), ...headersOf(n) });
    await bench.say("lab/reading", numbers.map(reading));
    await bench.until(() => spreadIn(bench.state.records)?.n === messages, "all readings in one state");
    const mean = numbers.reduce((sum, number) => sum + number, 0) / messages;
    const m2 = numbers.reduce((sum, number) => sum + (number - mean) ** 2, 0);
    const spread = spreadIn(bench.state.records) as Spread;
    expect(spread.mean / mean).toBeCloseTo(1, 9);
    expect(spread.m2 / m2).toBeCloseTo(1, 9);
  }, 120_000);

  test("the function has merged each part, by the protocol, and none is left", async () => {
    await readAll(bench);
    const { faults, granted, applied, reasons, atOnce } = leases(bench, "lab/sensor/hot");
    expect(faults).toEqual([]);
    expect(granted).toBeGreaterThan(1);
    expect(applied).toBeGreaterThan(criticalEvery);
    expect(applied).toBeLessThan(messages);
    expect([...reasons]).toEqual(["critical"]);
    expect(atOnce).toBeGreaterThan(1);
    expect(merges().length).toBeGreaterThan(1);
    expect(merges().length).toBeLessThanOrEqual(granted);
    expect(merges().filter(({ reply }) => reply === undefined)).toEqual([]);
    expect(partsIn(bench.state.records)).toEqual([]);
  });

  /** Of the base, as it stands in the log. */
  function spreadIn(records: readonly SeenRecord[]): Spread | undefined {
    for (const [text, value] of standing(records)) {
      const key = decodeKey(Buffer.from(text));
      if (key.kind !== "value" || key.id !== "hot") continue;
      const typed = decodeMessage<TypedValueFields>("TypedValue", decodeValue(value).typedValue);
      return JSON.parse(Buffer.from(typed.value ?? []).toString()) as Spread;
    }
    return undefined;
  }
});
