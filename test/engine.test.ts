import type { Effect, EffectKind } from "../src/effect";
import type { Event, EventKind } from "../src/event";
import type { TenurePhase } from "../src/scaling/tenure";
import { EngineDriver } from "./support/engine-driver";
import { applicationSpecification, endpointSpecification, HOME, sourceSpecification } from "./support/module";
import { type DelayedFields, type ReplyFields, typedValue } from "./support/statefun-proto";

// ── each phase × each event ────────────────────────────────────────────────────────────────────────────────────────────

type PhaseKind = TenurePhase["kind"];

const driverIn: Record<PhaseKind, () => EngineDriver> = {
  standby: () => new EngineDriver(),
  resting: () => {
    const driver = EngineDriver.running();
    driver.advance(0);
    driver.loseUnit("aborted");
    return driver;
  },
  opening: () => held("open_sink"),
  claiming: () => held("append_claim"),
  running: () => EngineDriver.running({ shards: [0], inputs: [] }),
  retiring: () => {
    const driver = EngineDriver.running({ shards: [0] });
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.commitAll();
    driver.assign([]);
    return driver;
  },
  releasing: () => {
    const driver = EngineDriver.running({ shards: [0], inputs: [], hold: ["release_claim"] });
    driver.assign([]);
    return driver;
  },
};

function held(kind: EffectKind): EngineDriver {
  const driver = new EngineDriver({ hold: [kind] });
  driver.assign([0]);
  return driver;
}

const OLD = { shard: 0, epoch: -1 };

/** Answers to what nobody asked for, or asked for in another life; and what comes unasked. */
const events: { readonly [Kind in EventKind]: Extract<Event, { kind: Kind }> } = {
  assignment_changed: { kind: "assignment_changed", memberId: "m", shards: [1], inputs: [] },
  claim_appended: { kind: "claim_appended", ...OLD, offset: 1 },
  claims_read: { kind: "claims_read", ...OLD, claims: [] },
  claimants_fenced: { kind: "claimants_fenced", ...OLD },
  state_restored: { kind: "state_restored", ...OLD, records: [{ key: Buffer.from("nonsense"), value: null }] },
  shard_restored: { kind: "shard_restored", ...OLD },
  claim_released: { kind: "claim_released", ...OLD },
  ownership_failed: { kind: "ownership_failed", ...OLD, step: "s", reason: "r" },
  sink_opened: { kind: "sink_opened", epoch: -1 },
  sink_failed: { kind: "sink_failed", epoch: -1, reason: "r" },
  input_located: { kind: "input_located", input: 99, offset: 0 },
  input_location_failed: { kind: "input_location_failed", input: 99, reason: "r" },
  input_displaced: { kind: "input_displaced", input: 99, offset: 0 },
  input_exhausted: { kind: "input_exhausted", input: 99, offset: 0, askedMs: 0 },
  records_received: { kind: "records_received", input: 99, records: [], nextOffset: 5 },
  invocation_replied: {
    kind: "invocation_replied",
    invocation: 99,
    status: 200,
    contentType: "application/octet-stream",
    body: new Uint8Array(0),
    retryAfterMs: undefined,
  },
  invocation_failed: { kind: "invocation_failed", invocation: 99, reason: "r" },
  topic_described: { kind: "topic_described", cluster: HOME.name, topic: "t", partitions: 1, messageBytesMax: 1 },
  topic_absent: { kind: "topic_absent", cluster: HOME.name, topic: "t", reason: "r" },
  unit_committed: { kind: "unit_committed", unit: 99 },
  unit_failed: { kind: "unit_failed", unit: 99, failure: "fenced", reason: "r" },
  timer_due: { kind: "timer_due" },
  drain_requested: { kind: "drain_requested" },
};

/** Counted as stale; or nothing at all; or the effects it has, reports and timers left out. */
type Expected = "stale" | readonly EffectKind[];

const unasked: Record<Exclude<EventKind, "assignment_changed" | "drain_requested">, Expected> = {
  claim_appended: "stale",
  claims_read: "stale",
  claimants_fenced: "stale",
  state_restored: "stale",
  shard_restored: "stale",
  claim_released: "stale",
  ownership_failed: "stale",
  sink_opened: "stale",
  sink_failed: "stale",
  input_located: "stale",
  input_location_failed: "stale",
  input_displaced: "stale",
  input_exhausted: "stale",
  records_received: "stale",
  invocation_replied: "stale",
  invocation_failed: "stale",
  topic_described: [],
  topic_absent: [],
  unit_committed: "stale",
  unit_failed: "stale",
  timer_due: [],
};

const table: Record<PhaseKind, Record<EventKind, Expected>> = {
  standby: { ...unasked, assignment_changed: ["open_sink"], drain_requested: ["stop"] },
  resting: { ...unasked, assignment_changed: [], drain_requested: ["stop"] },
  opening: { ...unasked, assignment_changed: ["open_sink"], drain_requested: ["release_claim"] },
  claiming: { ...unasked, assignment_changed: ["open_sink"], drain_requested: ["release_claim"] },
  // Nothing is in flight: it retires within the event.
  running: { ...unasked, assignment_changed: ["release_claim"], drain_requested: ["release_claim"] },
  retiring: { ...unasked, assignment_changed: [], drain_requested: [] },
  releasing: { ...unasked, assignment_changed: [], drain_requested: [] },
};

const HELD: readonly EffectKind[] = ["open_sink", "append_claim", "release_claim"];

describe.each(Object.keys(table) as PhaseKind[])("an engine that is %s", (phase) => {
  test.each(Object.entries(table[phase]) as [EventKind, Expected][])("on %s: %j", (kind, expected) => {
    const driver = driverIn[phase]();
    expect(driver.phase).toBe(phase);
    driver.hold = HELD; // Only what this event itself asks for.
    const { stale } = driver;
    const effects = driver.apply(events[kind]);
    const kinds = effects.map((effect) => effect.kind).filter((each) => each !== "report" && each !== "set_timer");
    expect([driver.stale - stale, kinds]).toEqual(expected === "stale" ? [1, []] : [0, expected]);
  });
});

describe("L2: while not running", () => {
  it("records and located inputs are dropped, and counted", () => {
    const driver = driverIn.retiring();
    const input = driver.onlyInput;
    const { stale } = driver;
    driver.receive(input, ["b", "2"]);
    driver.apply({ kind: "input_located", input, offset: 3 });
    expect(driver.stale - stale).toBe(2);
    expect([driver.inFlight.length, driver.inputs.get(input)?.paused]).toEqual([1, true]);
  });

  it("what was in flight is finished, committed and released, and no input is resumed by it", () => {
    const driver = EngineDriver.running({ shards: [0], options: { partitionDepthMax: 1 } });
    driver.receive(driver.onlyInput, ["a", "1"], ["b", "2"]);
    driver.assign([]);
    const resumed = driver.count("resume_input");
    driver.reply({}, "a");
    driver.reply({}, "b");
    expect(driver.count("resume_input")).toBe(resumed);
    driver.commit();
    expect([driver.phase, driver.broker.claimsOf(0)]).toEqual(["standby", []]);
  });

  it("a message that failed rests, and is not sent again", () => {
    const driver = driverIn.retiring();
    driver.fail();
    driver.advance(100_000);
    expect(driver.count("dispatch")).toBe(1);
  });
});

// ── messages ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const INT = "io.statefun.types/int";

function send(id: string, text: string, type = "fn") {
  return { target: { namespace: "ex", type, id }, argument: typedValue("ex/text", text) };
}

function delayed(delay_in_ms: number, id: string, cancellation_token = "", text = "later"): DelayedFields {
  return { delay_in_ms, ...send(id, text), cancellation_token };
}

function cancel(cancellation_token: string): DelayedFields {
  return { is_cancellation_request: true, cancellation_token };
}

function modify(state_name: string, value: string) {
  return { mutation_type: 1, state_name, state_value: typedValue("ex/t", value) };
}

const SEEN = { state_name: "seen", type_typename: "ex/t" };

function kinds(effects: readonly Effect[]): EffectKind[] {
  return effects.map((effect) => effect.kind);
}

describe("one address", () => {
  it("has one request in flight, and what comes meanwhile is its next batch, oldest first", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.receive(driver.onlyInput, ["a", "2"], ["a", "3"]);
    expect(driver.inFlight.map(({ texts }) => texts)).toEqual([["1"]]);
    driver.reply();
    expect(driver.inFlight.map(({ texts }) => texts)).toEqual([["2", "3"]]);
    driver.reply();
    expect(driver.inFlight).toEqual([]);
  });

  it("is told its type and id, and no caller for records", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["é", "1"]);
    const { effect, request } = driver.request();
    expect([effect.functionName, effect.endpoint]).toEqual(["fn", 0]);
    expect(request.target).toEqual({ namespace: "ex", type: "fn", id: "é" });
    expect(request.invocations).toEqual([
      { argument: { typename: "io.statefun.types/string", has_value: true, value: Buffer.from("1") } },
    ]);
  });

  it("that failed is sent the same batch again after a pause, then what came since; other addresses go on", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"], ["a", "2"], ["b", "1"]);
    expect(driver.request("a").texts).toEqual(["1", "2"]);
    driver.fail("connection refused", "a");
    driver.receive(driver.onlyInput, ["a", "3"], ["c", "1"]);
    driver.reply({}, "b");
    expect(driver.inFlight.map(({ id }) => id)).toEqual(["c"]);
    driver.advance(100); // First pause: 50 to 100 ms.
    expect(driver.request("a").texts).toEqual(["1", "2"]);
    driver.reply({}, "a");
    expect(driver.request("a").texts).toEqual(["3"]);
    expect(driver.reports().find((text) => text.includes("refused"))).toMatch(
      /^ex\/fn\/a, 2 messages: connection refused; attempt 1, next in \d+ ms$/,
    );
  });

  it("rests longer with each failure, up to the cap", () => {
    const driver = EngineDriver.running({ options: { retryFirstMs: 100, retryMaxMs: 1_000 } });
    driver.receive(driver.onlyInput, ["a", "1"]);
    const pauses: number[] = [];
    for (let attempt = 1; attempt <= 8; attempt++) {
      driver.fail();
      const failedMs = driver.now;
      while (driver.inFlight.length === 0) driver.advance(1);
      pauses.push(driver.now - failedMs);
    }
    for (const [i, pause] of pauses.entries()) {
      const whole = Math.min(1_000, 100 * 2 ** i);
      expect(pause).toBeGreaterThanOrEqual(whole / 2);
      expect(pause).toBeLessThanOrEqual(whole + 1);
    }
  });

  test.each([
    ["a status that is not 2xx", { status: 500 }, "answered 500"],
    ["no content type (Java's Undertow handler)", { contentType: undefined }, "content type (none)"],
    ["another content type", { contentType: "application/octet-stream; charset=x" }, "charset=x"],
    ["garbage", { body: Uint8Array.of(0xa2, 0x06, 0x7f) }, "is not a FromFunction message"],
  ])("takes %s for a failure", (_what, answer, reason) => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.answer(new Uint8Array(0), "a", answer);
    expect(driver.reports().at(-1)).toContain(reason);
    driver.advance(1_000);
    expect(driver.request("a").texts).toEqual(["1"]);
  });

  it("takes an empty body of the right type for success (Python)", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.answer(new Uint8Array(0), "a", { contentType: "Application/Octet-Stream" });
    driver.commitAll();
    expect(driver.restarted().inFlight).toEqual([]);
  });

  it("waits as long as a Retry-After asks for, up to the cap", () => {
    const driver = EngineDriver.running({ options: { retryFirstMs: 100, retryMaxMs: 1_000 } });
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.answer(new Uint8Array(0), "a", { status: 429, retryAfterMs: 600 });
    driver.advance(599);
    expect(driver.inFlight).toEqual([]);
    driver.advance(1);
    driver.answer(new Uint8Array(0), "a", { status: 503, retryAfterMs: 60_000 });
    driver.advance(1_000);
    expect(driver.inFlight).toHaveLength(1);
  });
});

describe("first contact", () => {
  it("asks for states once: the same batch again with the declared states, then values", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"], ["a", "2"]);
    expect(driver.request().request).not.toHaveProperty("state");
    driver.incomplete([SEEN]);
    expect(driver.request().texts).toEqual(["1", "2"]);
    expect(driver.request().request.state).toEqual([{ state_name: "seen" }]);
    driver.reply({ state_mutations: [modify("seen", "x")] });
    driver.receive(driver.onlyInput, ["a", "3"], ["b", "1"]);
    const value = { typename: "ex/t", has_value: true, value: Buffer.from("x") };
    expect(driver.request("a").request.state).toEqual([{ state_name: "seen", state_value: value }]);
    expect(driver.request("b").request.state).toEqual([{ state_name: "seen" }]);
    expect(driver.engine.measures.functions[0]).toMatchObject({ incomplete: 1, failures: 0 });
  });

  it("fails after three rounds that still miss states", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"]);
    for (let round = 0; round < 3; round++) driver.incomplete([{ ...SEEN, state_name: `s${round}` }]);
    expect(driver.inFlight).toHaveLength(1);
    driver.incomplete([SEEN]);
    expect(driver.inFlight).toEqual([]);
    expect(driver.reports().at(-1)).toContain("still misses states after 3 rounds");
  });

  it("fails when a state is declared with another type", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.incomplete([SEEN]);
    driver.incomplete([{ ...SEEN, type_typename: INT }]);
    expect(driver.reports().at(-1)).toContain(`declares state 'seen' as ${INT}, but it is known as ex/t`);
  });

  it("after a restart lists no states once, so that changed declarations are told; values come with the second round", () => {
    const before = EngineDriver.running();
    before.receive(before.onlyInput, ["a", "1"]);
    before.incomplete([SEEN]);
    before.reply({ state_mutations: [modify("seen", "x")] });
    before.commitAll();
    const after = before.restarted();
    after.receive(after.onlyInput, ["a", "2"]);
    expect(after.request().request).not.toHaveProperty("state");
    after.incomplete([SEEN]);
    expect(after.request().request.state).toEqual([{ state_name: "seen", state_value: typedValue("ex/t", "x") }]);
    after.reply();
    after.receive(after.onlyInput, ["a", "3"]);
    expect(after.request().request.state).toHaveLength(1);
  });
});

describe("records", () => {
  it("without key or value are skipped with a report, and counted as finished", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, [null, "1"], ["a", null], ["a", "2"]);
    expect(driver.request().texts).toEqual(["2"]);
    const skipped = driver.effects.filter((effect) => effect.kind === "report" && effect.text.includes("skipped"));
    expect(skipped).toEqual([
      {
        kind: "report",
        level: "warn",
        text: "ingress ex/in: skipped a record without key",
        fields: { topic: "in", partition: 0, offset: 0 },
      },
      {
        kind: "report",
        level: "warn",
        text: "ingress ex/in: skipped a record without value (a tombstone)",
        fields: { topic: "in", partition: 0, offset: 1 },
      },
    ]);
    expect(driver.engine.measures.sources[0]).toMatchObject({ received: 3, skippedNullKey: 1, skippedTombstone: 1 });
    driver.commitAll();
    const after = driver.restarted();
    expect(after.inputs.get(after.onlyInput)?.offset).toBe(2);
  });

  it("with an empty key have an address with an empty id", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["", ""]);
    expect(driver.request().request.target).toEqual({ namespace: "ex", type: "fn" });
  });

  it("go to every target as a copy; when one is finished, the others are remembered as messages of their own (A1)", () => {
    const sources = [sourceSpecification({ targets: ["ex/fn", "ex/other"] })];
    const driver = EngineDriver.running({ module: { sources } });
    driver.receive(driver.onlyInput, ["a", "1"]);
    const running = (each: EngineDriver) => each.inFlight.map(({ effect, texts }) => [effect.functionName, texts]);
    expect(running(driver)).toEqual([
      ["fn", ["1"]],
      ["other", ["1"]],
    ]);
    driver.reply();
    driver.commitAll();
    expect(driver.broker.keys("message")).toHaveLength(1);
    // A crash here runs the unfinished copy again, and only that: without a caller, as it came.
    const after = driver.restarted();
    expect(after.inputs.get(after.onlyInput)?.offset).toBe(1);
    expect(running(after)).toEqual([["other", ["1"]]]);
    expect(after.request().request.invocations?.[0]).not.toHaveProperty("caller");
    after.reply();
    after.commitAll();
    expect([after.broker.keys("message"), after.restarted().inFlight]).toEqual([[], []]);
  });

  it("whose copies are finished within one unit leave no message behind", () => {
    const sources = [sourceSpecification({ targets: ["ex/fn", "ex/other"] })];
    const driver = EngineDriver.running({ module: { sources } });
    driver.commitAll();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.reply();
    driver.reply();
    driver.commitAll();
    expect([driver.broker.keys("message"), driver.engine.measures.sources[0]?.outstanding]).toEqual([[], 0]);
  });

  it("finished out of order are not read twice after a restart", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"], ["b", "2"], ["c", "3"]);
    driver.reply({}, "b");
    driver.commitAll();
    const after = driver.restarted();
    expect(after.inputs.get(after.onlyInput)?.offset).toBe(0);
    after.receive(after.onlyInput, ["a", "1"], ["b", "2"], ["c", "3"]);
    expect(after.inFlight.map(({ id }) => id)).toEqual(["a", "c"]);
  });

  it("whose position is gone from the log go on elsewhere, once nothing of before is unfinished", () => {
    const driver = EngineDriver.running();
    const input = driver.onlyInput;
    driver.receive(input, ["a", "1"]);
    driver.apply({ kind: "input_displaced", input, offset: 500 });
    expect(driver.inputs.get(input)?.offset).toBe(1);
    driver.reply();
    expect(driver.inputs.get(input)?.offset).toBe(500);
    driver.receive(input, ["b", "2"]);
    driver.reply({}, "b");
    driver.commitAll();
    const after = driver.restarted();
    expect(after.inputs.get(after.onlyInput)?.offset).toBe(501);
  });

  it("goes on where an input was located, even if nothing was read there", () => {
    const driver = new EngineDriver({ hold: ["locate_input"] });
    driver.assign([0, 1], [{ source: 0, partition: 0 }]);
    driver.apply({ kind: "input_location_failed", input: 0, reason: "no leader" });
    expect(driver.reports().at(-1)).toContain("no start position for in/0: no leader");
    driver.advance(250);
    expect(driver.held.map((effect) => effect.kind)).toEqual(["locate_input", "locate_input"]);
    driver.apply({ kind: "input_located", input: 0, offset: 42 });
    driver.commitAll();
    const after = driver.restarted();
    expect(after.inputs.get(after.onlyInput)?.offset).toBe(42);
  });
});

describe("pauses", () => {
  const paused = (driver: EngineDriver) => driver.inputs.get(driver.onlyInput)?.paused;

  it("by depth: at the bound, until a quarter of it is finished", () => {
    const driver = EngineDriver.running({ options: { partitionDepthMax: 4 } });
    const seen: (boolean | undefined)[] = [];
    for (const id of ["a", "b", "c", "d"]) {
      driver.receive(driver.onlyInput, [id, "1"]);
      seen.push(paused(driver));
    }
    for (const id of ["a", "b", "c"]) {
      driver.reply({}, id);
      seen.push(paused(driver));
    }
    expect(seen).toEqual([false, false, false, true, false, false, false]);
  });

  it("by bytes: every input, at the bound, until a quarter has gone", () => {
    const driver = EngineDriver.running({
      options: { mailboxBytesMax: 4_000 },
      inputs: [
        { source: 0, partition: 0 },
        { source: 0, partition: 1 },
      ],
    });
    const all = () => [...driver.inputs.values()].map((input) => input.paused);
    const value = "x".repeat(1_000 - 256);
    for (const id of ["a", "b", "c"]) driver.receive(0, [id, value]);
    expect(all()).toEqual([false, false]);
    driver.receive(0, ["d", value]);
    expect(all()).toEqual([true, true]);
    driver.reply({}, "a");
    expect(all()).toEqual([true, true]);
    driver.reply({}, "b");
    expect(all()).toEqual([false, false]);
  });

  it("by unit: while a full unit waits behind one that commits, nothing is read or dispatched", () => {
    const driver = EngineDriver.running({ options: { unitRecordsMax: 2 } });
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.advance(0); // A unit commits.
    driver.reply({ outgoing_messages: [send("x", "1"), send("y", "1")] }, "a");
    expect(driver.inFlight).toEqual([]);
    expect(paused(driver)).toBe(true);
    driver.commit();
    expect(driver.inFlight.map(({ id }) => id)).toEqual(["x", "y"]);
    expect(paused(driver)).toBe(false);
  });

  it("slots bound the requests of an endpoint, and free slots are taken in order", () => {
    const driver = EngineDriver.running({ module: { endpoints: [endpointSpecification({ concurrency: 2 })] } });
    driver.receive(driver.onlyInput, ["a", "1"], ["b", "1"], ["c", "1"], ["d", "1"]);
    expect(driver.inFlight.map(({ id }) => id)).toEqual(["a", "b"]);
    driver.fail("busy", "a");
    expect(driver.inFlight.map(({ id }) => id)).toEqual(["b", "c"]);
    driver.reply({}, "b");
    expect(driver.inFlight.map(({ id }) => id)).toEqual(["c", "d"]);
  });
});

// ── units ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe("units", () => {
  it("close one at a time, the next behind the one before and a pause", () => {
    const driver = EngineDriver.running();
    driver.commitAll();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.advance(0);
    const first = driver.committing?.unit;
    driver.reply();
    driver.advance(1_000);
    expect(driver.committing?.unit).toBe(first);
    driver.commit();
    driver.advance(9);
    expect(driver.committing).toBeUndefined();
    driver.advance(1);
    expect(driver.committing?.unit).toBe((first ?? 0) + 1);
    driver.commit();
    driver.advance(1_000);
    expect(driver.committing).toBeUndefined(); // Idle: nothing is written.
  });

  it("wait for the linger, but not when they are full", () => {
    const driver = EngineDriver.running({ options: { unitLingerMs: 50, unitRecordsMax: 2 }, inputs: [] });
    driver.assign([0, 1], [{ source: 0, partition: 0 }]);
    driver.advance(49);
    expect(driver.committing).toBeUndefined();
    driver.advance(1);
    driver.commit();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.reply({ outgoing_messages: [send("x", "1"), send("y", "1")] });
    expect(driver.committing).toBeDefined();
  });

  it("wait for the linger behind another one, too", () => {
    const driver = EngineDriver.running({ options: { unitLingerMs: 50 } });
    driver.receive(driver.onlyInput, ["a", "1"], ["b", "1"]);
    driver.reply({}, "a");
    driver.advance(50);
    expect(driver.committing).toBeDefined();
    driver.reply({}, "b");
    driver.commit();
    driver.advance(49);
    expect(driver.committing).toBeUndefined();
    driver.advance(1);
    expect(driver.committing).toBeDefined();
  });

  it("wait where records wait anyway, but not past what is due", () => {
    const applications = [applicationSpecification({ slo: { latencyMs: 1_000, percentile: 99, from: "arrival", windowMs: 0 } })];
    const driver = EngineDriver.running({ module: { applications } });
    driver.receive(driver.onlyInput, ["a", "1"], ["b", "1"], ["c", "1"], ["d", "1"]);
    driver.commitAll();
    const finish = (id: string) => driver.reply({}, id);
    driver.advance(520);
    finish("a");
    driver.advance(0);
    finish("b");
    driver.commit();
    driver.advance(49);
    expect(driver.committing).toBeUndefined();
    driver.advance(1);
    expect(driver.committing).toBeDefined();
    driver.commit();
    driver.advance(390);
    finish("c");
    driver.advance(0);
    finish("d"); // Due in 40 ms, and a commit may take 5.
    driver.commit();
    driver.advance(34);
    expect(driver.committing).toBeUndefined();
    driver.advance(2);
    expect(driver.committing).toBeDefined();
  });

  it("wait a little for more behind a large one, while records flow", () => {
    const driver = EngineDriver.running();
    const outputs = (count: number): ReplyFields => ({ outgoing_messages: Array.from({ length: count }, () => send("x", "1")) });
    driver.receive(driver.onlyInput, ["a", "1"], ["b", "1"]);
    driver.reply(outputs(1_000), "a");
    driver.advance(0);
    expect(driver.committing).toBeDefined();
    driver.reply(outputs(1), "b");
    driver.commit();
    driver.advance(4);
    expect(driver.committing).toBeUndefined();
    driver.advance(1);
    expect(driver.committing).toBeDefined(); // A small one: nothing waits behind it.
    driver.receive(driver.onlyInput, ["c", "1"]);
    driver.reply(outputs(1), "c");
    const before = driver.committing?.unit ?? 0;
    driver.commit();
    expect(driver.committing?.unit).toBe(before + 1);
  });

  it("hold the messages that are not finished, and the next one their tombstones", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.reply({ outgoing_messages: [send("b", "to b"), send("a", "to self")] });
    expect(driver.inFlight.map(({ id, texts }) => [id, texts])).toEqual([
      ["b", ["to b"]],
      ["a", ["to self"]],
    ]);
    expect(driver.request("b").request.invocations?.[0]?.caller).toEqual({ namespace: "ex", type: "fn", id: "a" });
    driver.reply({}, "a");
    driver.commitAll();
    expect(driver.broker.keys("message")).toHaveLength(1);
    driver.reply({}, "b");
    driver.commitAll();
    expect(driver.broker.keys("message")).toEqual([]);
  });

  it("messages that waited go on after a restart, in order, with caller, and are finished once", () => {
    const before = EngineDriver.running();
    before.receive(before.onlyInput, ["a", "1"]);
    before.reply({ outgoing_messages: [send("b", "1"), send("b", "2"), send("c", "3")] });
    before.commitAll();
    const after = before.restarted();
    expect(after.inFlight.map(({ id, texts }) => [id, texts])).toEqual([
      ["b", ["1", "2"]],
      ["c", ["3"]],
    ]);
    expect(after.request("b").request.invocations?.[0]?.caller).toEqual({ namespace: "ex", type: "fn", id: "a" });
    after.reply({ outgoing_messages: [send("d", "4")] }, "b");
    after.reply({}, "c");
    after.commitAll();
    expect(after.restarted().inFlight.map(({ id, texts }) => [id, texts])).toEqual([["d", ["4"]]]);
  });

  it("that were not committed are done again, and leave nothing behind", () => {
    const driver = EngineDriver.running();
    driver.commitAll();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.incomplete([SEEN]);
    driver.reply({ state_mutations: [modify("seen", "x")], outgoing_messages: [send("b", "1")] }, "a");
    const late = driver.request("b");
    driver.advance(0);
    driver.loseUnit("indefinite");
    expect(driver.phase).toBe("resting");
    const { stale } = driver;
    driver.apply({ kind: "invocation_failed", invocation: late.invocation, reason: "late" });
    driver.apply({ kind: "unit_committed", unit: 2 });
    expect(driver.stale - stale).toBe(2);
    driver.inFlight.length = 0;
    driver.advance(1_000);
    expect(driver.phase).toBe("running");
    const input = driver.onlyInput;
    expect([input, driver.inputs.get(input)?.offset]).toEqual([1, 0]);
    driver.receive(input, ["a", "1"]);
    expect(driver.request("a").request).not.toHaveProperty("state");
    expect(driver.engine.measures).toMatchObject({ inflight: 1, actors: 1, stateBytes: 0 });
  });

  test.each([
    ["aborted", "resting", 0],
    ["indefinite", "resting", 0],
    ["fenced", "standby", 1],
  ] as const)("%s: the engine is %s", (failure, phase, rejoins) => {
    const driver = EngineDriver.running();
    driver.advance(0);
    driver.loseUnit(failure, "why");
    expect([driver.phase, driver.count("rejoin_group")]).toEqual([phase, rejoins]);
    expect([...driver.inputs.keys()]).toEqual([]);
    expect(driver.reports().at(-1)).toMatch(new RegExp(`^unit 1 was not committed \\(${failure}\\): why; `));
    driver.advance(5_000);
    expect(driver.phase).toBe(rejoins ? "standby" : "running");
    if (rejoins) driver.assign([0, 1], [{ source: 0, partition: 0 }]);
    expect(driver.phase).toBe("running");
  });

  it("note the low watermarks for lag tools", () => {
    const driver = EngineDriver.running({ nowMs: 10_000 });
    driver.receive(driver.onlyInput, ["a", "1"], ["b", "2"]);
    driver.reply({}, "a");
    driver.advance(0);
    driver.commit();
    expect(driver.effects).toContainEqual({ kind: "note_progress", progress: [{ input: 0, offset: 1 }] });
  });
});

// ── egress ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe("egress", () => {
  const toRaw = (text: string) => ({ egress_namespace: "ex", egress_type: "raw", argument: typedValue("ex/text", text) });

  it("waits for its topic to be described: the good reply is not asked for again, nor the slot given away", () => {
    const driver = EngineDriver.running({ module: { endpoints: [endpointSpecification({ concurrency: 1 })] } });
    driver.receive(driver.onlyInput, ["a", "1"], ["b", "2"]);
    driver.reply({ outgoing_egresses: [toRaw("x")] });
    expect([driver.count("describe_topic"), driver.inFlight.length]).toEqual([1, 0]);
    driver.describe("raw");
    expect(driver.inFlight.map(({ id }) => id)).toEqual(["b"]);
    driver.reply({ outgoing_egresses: [toRaw("y")] });
    driver.commitAll();
    expect(driver.count("describe_topic")).toBe(1);
    expect(driver.broker.topics.get("raw")?.map(({ key, value }) => `${key}=${value}`)).toEqual(["a=x", "b=y"]);
  });

  it("to a topic that is not there fails its invocation, and is tried again", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.reply({ outgoing_egresses: [toRaw("x")] });
    driver.apply({ kind: "topic_absent", cluster: HOME.name, topic: "raw", reason: "there is no such topic" });
    expect(driver.reports().at(-1)).toContain("sends to topic raw of egress ex/raw: there is no such topic");
    driver.advance(100);
    driver.reply({ outgoing_egresses: [toRaw("x")] });
    driver.describe("raw");
    driver.commitAll();
    expect(driver.broker.topics.get("raw")).toHaveLength(1);
  });

  it("is in the transaction with everything else, or outside of it when delivery is at-least-once", () => {
    const unit = (delivery: "exactly-once" | "at-least-once") => {
      const driver = EngineDriver.running({ options: { delivery } });
      driver.commitAll();
      driver.receive(driver.onlyInput, ["a", "1"]);
      driver.describe("raw");
      driver.reply({ outgoing_egresses: [toRaw("x")] });
      driver.advance(0);
      const topics = (batches: readonly { topic: string }[] | undefined) => batches?.map(({ topic }) => topic);
      return [topics(driver.committing?.outside), topics(driver.committing?.inside)];
    };
    expect(unit("exactly-once")).toEqual([[], ["raw", "g.state"]]);
    expect(unit("at-least-once")).toEqual([["raw"], ["g.state"]]);
  });

  it("a reply that waits for its topic is finished before a drain ends", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.reply({ outgoing_egresses: [toRaw("x")] });
    driver.apply({ kind: "drain_requested" });
    driver.commitAll();
    expect(driver.stopped).toBeUndefined();
    driver.describe("raw");
    driver.commitAll();
    expect(driver.stopped?.code).toBe(0);
    expect(driver.broker.topics.get("raw")).toHaveLength(1);
  });
});

// ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe("delayed messages", () => {
  it("fire at their instant, from the sender, once", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.reply({ delayed_invocations: [delayed(500, "b"), delayed(0, "c")] });
    driver.advance(0);
    expect(driver.inFlight.map(({ id }) => id)).toEqual(["c"]);
    driver.commitAll();
    driver.advance(499);
    expect(driver.inFlight.map(({ id }) => id)).toEqual(["c"]);
    driver.advance(1);
    expect(driver.request("b").request.invocations?.[0]?.caller).toMatchObject({ id: "a" });
    driver.reply({}, "b");
    driver.reply({}, "c");
    driver.commitAll();
    expect([driver.broker.keys("message"), driver.engine.measures.delayed]).toEqual([[], 0]);
  });

  it("cancelled before do not fire, nor after a restart", () => {
    const before = EngineDriver.running();
    before.receive(before.onlyInput, ["a", "1"]);
    before.reply({ delayed_invocations: [delayed(500, "b", "one"), delayed(600, "c", "two"), cancel("one")] });
    before.commitAll();
    const after = before.restarted();
    after.receive(after.onlyInput, ["a", "2"]);
    after.reply({ delayed_invocations: [cancel("two"), cancel("never")] });
    after.commitAll();
    after.advance(1_000);
    expect([after.inFlight, after.broker.keys("message")]).toEqual([[], []]);
  });

  it("fire after a restart: those due meanwhile at once, the others at their instant", () => {
    const before = EngineDriver.running();
    before.receive(before.onlyInput, ["a", "1"]);
    before.reply({ delayed_invocations: [delayed(5_000, "late"), delayed(100, "soon")] });
    before.commitAll();
    const after = before.restarted({ nowMs: before.now + 1_000 });
    after.advance(0);
    expect(after.inFlight.map(({ id }) => id)).toEqual(["soon"]);
    after.advance(3_999);
    expect(after.inFlight).toHaveLength(1);
    after.advance(1);
    expect(after.inFlight.map(({ id }) => id)).toEqual(["soon", "late"]);
  });

  it("after a restart, firing one leaves a later one with the same token cancellable", () => {
    const before = EngineDriver.running();
    before.receive(before.onlyInput, ["a", "1"]);
    before.reply({ delayed_invocations: [delayed(100, "b", "tok", "first")] });
    before.commitAll();
    before.advance(100); // The first has fired, and its token is free; it is not finished.
    before.receive(before.onlyInput, ["a", "2"]);
    before.reply({ delayed_invocations: [delayed(5_000, "b", "tok", "second")] }, "a");
    before.commitAll();
    const after = before.restarted();
    after.advance(0);
    expect(after.request("b").texts).toEqual(["first"]);
    after.reply({}, "b");
    after.receive(after.onlyInput, ["a", "3"]);
    after.reply({ delayed_invocations: [cancel("tok")] }, "a");
    after.commitAll();
    after.advance(10_000);
    expect([after.inFlight, after.broker.keys("message")]).toEqual([[], []]);
  });
});

describe("expiry", () => {
  function withState(mode: number, after: number): EngineDriver {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.incomplete([{ ...SEEN, expiration_spec: { mode, expire_after_millis: after } }]);
    driver.reply({ state_mutations: [modify("seen", "x")] });
    driver.commitAll();
    return driver;
  }

  const listed = (driver: EngineDriver) => {
    driver.receive(driver.onlyInput, ["a", "again"]);
    return driver.request("a").request.state?.[0]?.state_value !== undefined;
  };

  it("after write: the value is gone from memory and from the log", () => {
    const driver = withState(1, 1_000);
    driver.advance(900);
    expect(listed(driver)).toBe(true);
    driver.reply();
    driver.advance(100);
    driver.commitAll();
    expect([driver.broker.keys("value"), driver.engine.measures.stateBytes]).toEqual([[], 0]);
    expect(listed(driver)).toBe(false);
  });

  it("after invoke: lives on with each invocation, and its instant leaves the log with it", () => {
    const driver = withState(2, 1_000);
    driver.advance(900);
    expect(listed(driver)).toBe(true);
    driver.reply();
    driver.commitAll();
    driver.advance(900);
    expect(driver.broker.keys("invoked")).toHaveLength(1);
    driver.advance(100);
    driver.commitAll();
    expect([driver.broker.keys("value"), driver.broker.keys("invoked")]).toEqual([[], []]);
  });

  it("goes on over a restart", () => {
    const after = withState(1, 1_000).restarted();
    after.advance(1_000);
    after.commitAll();
    expect(after.broker.keys("value")).toEqual([]);
  });

  it("of an address that was forgotten and came back does not touch what it remembers now", () => {
    const driver = withState(2, 1_000);
    driver.advance(100);
    driver.receive(driver.onlyInput, ["a", "2"]);
    driver.reply({ state_mutations: [{ mutation_type: 0, state_name: "seen" }] });
    driver.commitAll();
    driver.advance(400);
    driver.receive(driver.onlyInput, ["a", "3"]);
    driver.reply({ state_mutations: [modify("seen", "new")] });
    driver.commitAll();
    driver.advance(600); // The first value would expire now.
    driver.commitAll();
    expect([driver.broker.keys("value").length, driver.broker.keys("invoked").length]).toEqual([1, 1]);
  });
});

// ── leaving ────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe("a drain", () => {
  it("finishes what is in flight, commits, releases and stops", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"], ["a", "2"]);
    driver.apply({ kind: "drain_requested" });
    driver.commitAll();
    expect([driver.phase, driver.inputs.get(0)?.paused, driver.stopped]).toEqual(["retiring", true, undefined]);
    driver.reply({ outgoing_messages: [send("b", "later")] });
    driver.commitAll();
    expect(driver.stopped).toEqual({
      kind: "stop",
      code: 0,
      reason: "drained: everything is committed and every shard released",
    });
    expect([driver.broker.claimsOf(0), driver.broker.claimsOf(1)]).toEqual([[], []]);
    expect(driver.restarted().inFlight.map(({ id }) => id)).toEqual(["b"]);
  });

  it("waits for in-flight invocations no longer than its time, and commits the rest", () => {
    const driver = EngineDriver.running({ options: { drainMs: 2_000 } });
    driver.receive(driver.onlyInput, ["stuck", "1"], ["b", "2"]);
    driver.apply({ kind: "drain_requested" });
    driver.reply({}, "b");
    driver.commitAll();
    driver.advance(1_999);
    expect(driver.stopped).toBeUndefined();
    driver.advance(1);
    driver.commitAll();
    expect(driver.stopped?.code).toBe(0);
    const after = driver.restarted();
    after.receive(after.onlyInput, ["stuck", "1"], ["b", "2"]);
    expect(after.inFlight.map(({ id }) => id)).toEqual(["stuck"]);
  });

  it("whose last unit is lost stops without releasing its claims: the unit may still land, so the successor must fence us", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.apply({ kind: "drain_requested" });
    driver.reply();
    driver.advance(0);
    driver.loseUnit("indefinite");
    expect(driver.stopped?.code).toBe(1);
    driver.advance(100_000);
    expect([driver.count("release_claim"), driver.count("stop")]).toEqual([0, 1]);
    expect(driver.broker.claimsOf(0)).toHaveLength(1);
  });

  it("that cannot release its claims in time stops all the same", () => {
    const driver = EngineDriver.running({ hold: ["release_claim"], options: { drainMs: 2_000 }, inputs: [] });
    driver.apply({ kind: "drain_requested" });
    expect(driver.phase).toBe("releasing");
    driver.advance(2_000);
    expect(driver.stopped?.code).toBe(1);
  });
});

describe("a change of the assignment", () => {
  it("that takes everything away commits and releases, and stands by; that gives it back claims anew", () => {
    const driver = EngineDriver.running();
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.assign([]);
    driver.reply();
    driver.commitAll();
    expect(driver.phase).toBe("standby");
    driver.assign([0, 1], [{ source: 0, partition: 0 }]);
    expect(driver.phase).toBe("running");
    expect(driver.inputs.get(driver.onlyInput)?.offset).toBe(1);
  });

  it("that is the same changes nothing; more partitions of an ingress are opened beside the others", () => {
    const driver = EngineDriver.running();
    const inputs = [
      { source: 0, partition: 0 },
      { source: 0, partition: 1 },
    ];
    expect(kinds(driver.assign([0, 1], inputs.slice(0, 1)))).toEqual([]);
    expect(kinds(driver.assign([1, 0], inputs))).toEqual(expect.arrayContaining(["locate_input", "consume_input"]));
    expect(driver.inputs.size).toBe(2);
  });

  it("that takes everything away while it claims releases what is claimed, so that nobody waits for us", () => {
    const driver = new EngineDriver({ hold: ["restore_shard"] });
    driver.assign([0, 1]);
    expect(driver.broker.claimsOf(1)).toHaveLength(1);
    driver.assign([]);
    expect([driver.phase, driver.broker.claimsOf(0), driver.broker.claimsOf(1)]).toEqual(["standby", [], []]);
  });

  it("a claim behind ours ends this life: what was done is not committed any more", () => {
    const driver = new EngineDriver({ hold: ["restore_shard"] });
    driver.assign([0], [{ source: 0, partition: 0 }]);
    const offset = driver.broker.nextOffset();
    driver.broker.append(0, { claimId: "x", transactionalIds: ["x"], router: "r2", memberId: "", offset });
    const { epoch } = driver.engine.tenure;
    driver.hold = [];
    driver.apply({ kind: "shard_restored", shard: 0, epoch });
    expect(driver.phase).toBe("resting");
    expect(driver.reports().at(-1)).toContain("was claimed by another router");
    driver.advance(1_000);
    expect(driver.phase).toBe("claiming"); // Claimed anew, it waits for the other.
  });
});

describe("R3: a policy that throws", () => {
  it("is counted, and every message is processed all the same", () => {
    const driver = EngineDriver.running();
    const { policy } = driver.engine.life.router.applications.at(0);
    const fault = () => {
      throw new Error("policy");
    };
    Object.assign(policy, { admit: fault, prepareSend: fault, next: fault, preApply: fault, postApply: fault });
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.reply({ outgoing_messages: [send("b", "2")] });
    driver.reply({}, "b");
    driver.commitAll();
    expect(driver.engine.measures.policyFaults).toBeGreaterThanOrEqual(9);
    expect([driver.broker.keys("message"), driver.engine.measures.mailboxBytes]).toEqual([[], 0]);
  });
});

describe("ownership", () => {
  it("tries a step that failed again after a while, each in its turn", () => {
    const steps: EffectKind[] = ["open_sink", "append_claim", "read_claims", "restore_shard"];
    const driver = new EngineDriver({ hold: steps });
    driver.assign([0]);
    for (const step of steps) {
      const asked = driver.count(step);
      const { epoch } = driver.engine.tenure;
      if (step === "open_sink") driver.apply({ kind: "sink_failed", epoch, reason: "no broker" });
      else driver.apply({ kind: "ownership_failed", shard: 0, epoch, step, reason: "no broker" });
      expect(driver.reports().at(-1)).toContain("no broker; next try in 250 ms");
      driver.advance(249);
      expect(driver.count(step)).toBe(asked);
      driver.hold = steps.slice(steps.indexOf(step) + 1);
      driver.advance(1);
      expect(driver.count(step)).toBeGreaterThan(asked);
    }
    expect(driver.phase).toBe("running");
  });

  it("waits for another router to release, and fences it when its time is up", () => {
    const driver = new EngineDriver({ options: { handoverMs: 1_000 } });
    const offset = driver.broker.nextOffset();
    driver.broker.append(0, { claimId: "x", transactionalIds: ["x"], router: "r2", memberId: "", offset });
    driver.assign([0]);
    driver.advance(999);
    expect([driver.phase, driver.count("fence_claimants")]).toEqual(["claiming", 0]);
    driver.advance(250);
    expect([driver.phase, driver.count("fence_claimants")]).toEqual(["running", 1]);
    expect(driver.broker.claimsOf(0).map(({ router }) => router)).toEqual(["r1"]);
  });

  it("keeps a message whose function is served no more, says so, and delivers it when it is again", () => {
    const before = EngineDriver.running();
    before.receive(before.onlyInput, ["a", "1"]);
    before.reply({ outgoing_messages: [send("b", "kept", "gone")] });
    before.commitAll();
    const endpoints = [endpointSpecification({ functions: [{ namespace: "ex", name: "fn" }] })];
    const without = before.restarted({ module: { endpoints } });
    expect([without.inFlight, without.reports().some((text) => text.includes("ex/gone/b, which no endpoint serves"))]).toEqual([
      [],
      true,
    ]);
    without.commitAll();
    const again = without.restarted({ module: {} });
    expect(again.inFlight.map(({ id, texts }) => [id, texts])).toEqual([["b", ["kept"]]]);
  });

  test.each([
    ["m\x007", "what was restored cannot be taken up: waiting message 7: "],
    ["i\0ex/fn\0a", 'shard 0 cannot be restored: record "i\\u0000ex/fn\\u0000a": '],
  ])("stops with a clear reason at a record that is cut off, and gives nothing up for it: %j", (text, reason) => {
    const driver = new EngineDriver();
    driver.broker.state.set(0, new Map([[text, { key: Buffer.from(text), value: Uint8Array.of(0x12, 0x80) }]]));
    driver.assign([0], [{ source: 0, partition: 0 }]);
    expect(driver.stopped).toMatchObject({ code: 1, reason: expect.stringContaining(reason) });
    expect([driver.count("dispatch"), driver.count("commit_unit")]).toEqual([0, 0]);
  });

  it("is shown, with inputs and endpoints", () => {
    const driver = new EngineDriver({ hold: ["restore_shard"] });
    expect(driver.engine.view(driver.now)).toMatchObject({ phase: "standby", assigned: false, shards: [], inputs: [] });
    driver.assign([0], [{ source: 0, partition: 0 }]);
    const { epoch } = driver.engine.tenure;
    const key = Buffer.from("m\x007");
    driver.apply({ kind: "state_restored", shard: 0, epoch, records: [{ key, value: null }] });
    driver.advance(40);
    expect(driver.engine.view(driver.now).shards).toEqual([
      { shard: 0, phase: "restoring", restoredRecords: 1, restoredBytes: key.length, restoringMs: 40 },
    ]);
    driver.apply({ kind: "shard_restored", shard: 0, epoch });
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.advance(0);
    const view = driver.engine.view(driver.now + 500);
    expect(view).toMatchObject({ phase: "running", assigned: true });
    expect(view.shards[0]).toMatchObject({ phase: "running", restoringMs: 0 });
    expect(view.inputs).toMatchObject([{ topic: "in", position: 1, outstanding: 1, pausedReasons: [] }]);
    const replicas = [{ url: "http://functions/{function.name}", concurrency: 64, inFlight: 1, health: "well" }];
    expect(view.endpoints).toEqual([{ id: "ex/*", concurrency: 64, inFlight: 1, queued: 0, replicas }]);
    expect(driver.engine.committingSinceMs).toBe(driver.now);
  });
});
