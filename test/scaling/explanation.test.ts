/** What people are told of actors, through the whole engine: actor-view.ts, explanation.ts, lessee-outlook.ts. */
import type { ApplicationSpecification, FunctionSpecification, ModuleSpecification } from "../../src/config/specification";
import type { ActorStatus, Explanation, LesseeOutlook } from "../../src/observe/actor-status";
import { EngineDriver } from "../support/engine-driver";
import { applicationSpecification, endpointSpecification, sourceSpecification, watermarkSpecification } from "../support/module";
import { typedValue } from "../support/statefun-proto";

const CLOSE = "ex/close";
const NUMBER = "ex/number";

interface Case {
  readonly function?: Partial<FunctionSpecification>;
  readonly application?: Partial<ApplicationSpecification>;
  readonly module?: Partial<ModuleSpecification>;
  /** Partitions of the topic that closes. */
  readonly closing?: number;
  readonly concurrency?: number;
}

/** A function in dual mode that remembers a total, or as much as a test wants. */
class World {
  readonly driver: EngineDriver;

  constructor({ function: specification = {}, application = {}, module = {}, closing = 1, concurrency = 8 }: Case = {}) {
    const closings = Array.from({ length: closing }, (_, partition) => ({ source: 1, partition }));
    this.driver = EngineDriver.running({
      inputs: [{ source: 0, partition: 0 }, ...closings],
      module: {
        endpoints: [endpointSpecification({ concurrency, maxNumBatchRequests: 1 })],
        applications: [
          applicationSpecification({
            policy: "min-laxity",
            slo: { latencyMs: 100, percentile: 99, from: "arrival", windowMs: 0 },
            params: { scaling: true, range: 2, hysteresisMs: 5, short: 1, margin: 0.3 },
            ...application,
          }),
        ],
        sources: [
          sourceSpecification({ valueType: NUMBER }),
          sourceSpecification({ ingress: "ex/closing", topic: "closing", valueType: CLOSE }),
        ],
        functions: [
          {
            functions: [{ namespace: "ex", prefix: "fn", exact: true }],
            mode: "dual",
            maxLessees: 4,
            upstreams: [],
            critical: [CLOSE],
            series: undefined,
            barrier: undefined,
            states: { total: { kind: "sum" } },
            ...specification,
          },
        ],
        ...module,
      },
    });
  }

  #input(source: number, partition: number): number {
    for (const [index, input] of this.driver.inputs) if (input.source === source && input.partition === partition) return index;
    throw new Error(`no input of source ${source}, partition ${partition}`);
  }

  add(id: string, ...values: readonly string[]): this {
    this.driver.receive(this.#input(0, 0), ...values.map((value) => [id, value] as const));
    return this;
  }

  close(id: string, value = "close", partition = 0): this {
    this.driver.receive(this.#input(1, partition), [id, value]);
    return this;
  }

  /** Answers what is in flight after so long, until nothing is. The state becomes `value`. */
  work(serviceMs: number, value = "1"): this {
    while (this.driver.inFlight.length > 0) {
      const together = this.driver.inFlight.length;
      this.driver.advance(serviceMs);
      for (let i = 0; i < together; i++) this.serve(value);
      this.driver.commitAll();
    }
    return this;
  }

  serve(value = "1"): void {
    const [state] = this.driver.request().request.state ?? [];
    if (!state) return void this.driver.incomplete([{ state_name: "total", type_typename: NUMBER }]);
    const state_value = typedValue(NUMBER, value);
    this.driver.reply({ state_mutations: [{ mutation_type: 1, state_name: "total", state_value }] });
  }

  explain(id = "a", typename = "ex/fn"): Explanation {
    const explanation = this.driver.engine.explain(this.driver.now, typename, id);
    if (!explanation) throw new Error(`nothing is known of ${typename}`);
    return explanation;
  }

  get lessees(): LesseeOutlook {
    return this.explain().lessees;
  }

  actors(top = 20, by: "lessees" | "held" = "lessees"): readonly ActorStatus[] {
    return this.driver.engine.actors({ function: "ex/fn", top, by })?.actors ?? [];
  }

  /** Teaches the router what the function declares, takes and remembers. */
  warm(serviceMs = 20, value = "1"): this {
    return this.add("a", "0").work(serviceMs, value);
  }

  /** So much that one lane would be late. */
  flood(messages = 20): this {
    return this.add("a", ...Array.from({ length: messages }, () => "1"));
  }
}

describe("what an actor does and waits for", () => {
  test("lessees are told with what they were given, and lanes with what they run", () => {
    const world = new World().warm().flood();
    const { doing, lessees, actor, mode } = world.explain();
    expect(mode).toBe("dual");
    expect(doing[0]).toBe(`it runs on ${(actor?.lessees.length ?? 0) + 1} lanes`);
    expect(doing[1]).toMatch(/^the lessor: 1 message in flight, attempt 1, \d+ behind$/);
    expect(doing[2]).toMatch(/^lessee 1: 1 message in flight/);
    expect(lessees.text).not.toBe("");
    expect(actor?.lessees[0]).toMatchObject({ lane: 1, replica: null, applied: 0, partBytes: 0 });
    const given = actor?.lessees.reduce((sum, { forwarded }) => sum + forwarded, 0);
    expect(given).toBe(world.driver.engine.measures.dualTypes[0]?.forwarded);
    expect((actor?.waiting ?? 0) + (given ?? 0)).toBe(20);
  });

  test("a part that has been worked on has a size, and is counted as applied", () => {
    const world = new World().warm().flood();
    const together = world.driver.inFlight.length;
    world.driver.advance(20);
    for (let i = 0; i < together; i++) world.serve();
    const [first] = world.actors();
    expect(first?.lessees[0]?.applied).toBe(1);
    expect(first?.lessees[0]?.partBytes).toBeGreaterThan(0);
  });

  test("while it drains: how many lanes have not finished, and what is held", () => {
    const world = new World().warm().flood().close("a").add("a", "1", "1");
    const { doing, waitsFor, actor } = world.explain();
    const lanes = (actor?.lessees.length ?? 0) + 1;
    expect(doing[0]).toBe(`it drains for a lone critical message: ${lanes} of ${lanes} lanes have not finished`);
    expect(waitsFor).toContain("2 messages held behind this section");
    expect(actor).toMatchObject({
      phase: "draining",
      held: 2,
      section: { reason: "critical", barrier: null, criticalMessages: 1 },
    });
  });

  test("while critical: what runs alone, and that no lessee does", () => {
    const world = new World().warm().close("a");
    const { doing, lessees } = world.explain();
    expect(doing).toEqual([
      "it runs a lone critical message, alone, on the merged state",
      "the lessor: 1 message in flight, attempt 1, 0 behind",
    ]);
    expect(lessees.verdict).toBe("stopped");
  });

  test("while aligning: the channels that have not shown the barrier, by name", () => {
    const closings = { kind: "ingress", ingress: "ex/closing", partitions: "all" } as const;
    const barrier = { kind: "json", path: ["n"] } as const;
    const world = new World({ closing: 3, function: { series: "window", barrier, upstreams: [closings] } }).warm();
    world.close("a", '{"n":17}', 1);
    world.driver.advance(1_500);
    const { doing, waitsFor, actor } = world.explain();
    expect(doing[0]).toBe("it runs what comes before barrier 17, and waits for that barrier");
    expect(waitsFor).toEqual(["barrier 17, for 1.5 s: nothing yet from ex/closing/closing/0, ex/closing/closing/2"]);
    expect(actor).toMatchObject({
      phase: "aligning",
      doneBarrier: null,
      headsAll: 1,
      heads: [{ channel: "ex/closing/closing/1", barrier: 17, since: new Date(world.driver.now - 1_500).toISOString() }],
    });
    world.close("a", '{"n":19}', 0).close("a", '{"n":17}', 2).work(5);
    expect(world.explain().actor).toMatchObject({ phase: "aligning", doneBarrier: 17, headsAll: 1 });
    expect(world.driver.engine.measures.dualTypes[0]?.stepMs.align.sum).toBe(1_500);
    world.driver.advance(100);
    expect(world.explain().waitsFor).toEqual([
      "barrier 19, for 115 ms: nothing yet from ex/closing/closing/1, ex/closing/closing/2",
    ]);
  });

  test("the end of a window: which partitions have not passed it", () => {
    const sources = [
      sourceSpecification({ valueType: NUMBER, watermark: watermarkSpecification() }),
      sourceSpecification({ ingress: "ex/closing", topic: "closing", valueType: CLOSE }),
    ];
    const world = new World({ function: { critical: [] }, module: { sources } }).add("a", "1");
    expect(world.explain().waitsFor).toEqual([
      "the first end of a window: none has been passed yet by ex/in/in/0",
      "1 message held behind a barrier",
    ]);
    const input = [...world.driver.inputs].find(([, { source }]) => source === 0)?.[0] ?? -1;
    const record = { key: Buffer.from("b"), value: Buffer.from("1"), headers: [] };
    world.driver.apply({
      kind: "records_received",
      input,
      records: [{ ...record, offset: 1, timestampMs: 4_500 }],
      nextOffset: 2,
    });
    world.work(5);
    const { align } = world.driver.engine.measures.dualTypes[0]?.stepMs ?? {};
    expect(align?.count).toBeGreaterThan(0);
    expect(align?.sum).toBe(0); // Ends of windows are made when all have passed them.
    expect(world.explain().waitsFor).toEqual([
      "the end of its window at 1970-01-01T00:00:05.000Z, barrier 5: not passed yet by ex/in/in/0",
    ]);
  });

  test("the end of a window that waits for an upstream: who has not shown it, and who never will", () => {
    const watermark = watermarkSpecification({ functions: ["ex/fn", "ex/up"] });
    const sources = [
      sourceSpecification({ valueType: NUMBER, watermark }),
      sourceSpecification({ ingress: "ex/closing", topic: "closing", valueType: CLOSE, targets: ["ex/up"] }),
    ];
    const up = { kind: "function", function: "ex/up", ids: ["u"], count: undefined } as const;
    const world = new World({ function: { critical: [], upstreams: [up] }, module: { sources } });
    const input = [...world.driver.inputs].find(([, { source }]) => source === 0)?.[0] ?? -1;
    const pass = (offset: number, timestampMs: number) => {
      const record = { key: Buffer.from("a"), value: Buffer.from("1"), headers: [], offset, timestampMs };
      world.driver.apply({ kind: "records_received", input, records: [record], nextOffset: offset + 1 });
      world.work(5);
    };
    pass(0, 1_500);
    world.driver.advance(2_000);
    const { doing, waitsFor } = world.explain();
    expect(doing[0]).toBe("it runs what comes before barrier 1, and waits for that barrier");
    expect(waitsFor).toEqual([
      expect.stringMatching(/^barrier 1, for 2\.\d s: nothing yet from ex\/up\/u$/),
      "no barrier comes from ex/up/u: it remembers nothing, and windows end only for actors that remember something or have something to do",
      "1 message held behind a barrier",
    ]);
    world.driver.advance(8_000);
    pass(1, 2_500);
    world.driver.advance(60_000);
    const lines = world.driver.effects.flatMap((effect) =>
      effect.kind === "report" && effect.level === "warn" ? effect.text : [],
    );
    expect(lines).toEqual(["ex/fn/a: it has waited 10 s for barrier 1; nothing yet from ex/up/u; 1 messages are held"]);
    world.close("u").work(5);
    expect(world.explain().waitsFor.filter((each) => each.startsWith("no barrier"))).toEqual([]);
  });

  test("a lane that is ready waits for a slot, one that failed for its next attempt", () => {
    const world = new World({ concurrency: 1, module: { applications: [] } }).warm();
    world.add("b", "1").add("a", "1", "1");
    const waiting = world.explain();
    expect(waiting.doing).toEqual(["it runs without lessees", "the lessor: ready for 0 ms, 2 messages waiting"]);
    expect(waiting.waitsFor).toEqual(["a slot of endpoint ex/*: 1 of 1 taken, 1 lane in line"]);
    world.work(5);
    world.add("a", "1");
    world.driver.fail();
    const { doing, waitsFor } = world.explain();
    expect(doing[1]).toBe("the lessor: attempt 1 with 1 message failed, 0 behind");
    expect(waitsFor).toEqual([expect.stringMatching(/^its next attempt, in \d/)]);
  });

  test("who has nothing to do, or is not here", () => {
    const world = new World().warm();
    expect(world.explain("b").doing).toEqual(["nothing: no message is there for it, and it remembers nothing"]);
    expect(world.explain("a").doing.join()).toMatch(/nothing: no message is there for it; it remembers \d+ bytes/);
    expect(world.explain("b").actor).toBeNull();
    const other = EngineDriver.running({ shards: [0] });
    other.receive(other.onlyInput, ["a", "x"]);
    const elsewhere = [..."bcdefgh"].map((id) => other.engine.explain(other.now, "ex/fn", id)).find((each) => each?.shard === 1);
    expect(elsewhere?.doing).toEqual(["nothing here: this router does not run its shard 1"]);
  });

  test("a function that is not in dual mode is told as well", () => {
    const world = new World({ module: { functions: [] } }).add("a", "1", "1");
    expect(world.explain()).toMatchObject({
      mode: "exclusive",
      doing: ["its mailbox: 1 message in flight, attempt 1, 1 behind"],
      waitsFor: [],
      lessees: { verdict: "exclusive" },
      actor: null,
    });
    expect(world.driver.engine.actors({ function: "ex/fn", top: 20, by: "lessees" })).toBeUndefined();
  });

  test("asking leaves no trace of names that are not there", () => {
    const { driver } = new World().warm();
    const known = driver.engine.measures.functions.length;
    expect(driver.engine.explain(driver.now, "ex/other", "a")).toBeUndefined();
    expect(driver.engine.measures.functions.length).toBe(known);
  });
});

describe("why an actor has no lessee, or no more", () => {
  test("max: it has as many as are configured, or none is", () => {
    expect(new World({ function: { maxLessees: 1 } }).warm().flood().lessees).toEqual({
      verdict: "max",
      text: "it has as many as maxLessees allows, 1",
      numbers: { maxLessees: 1 },
    });
    expect(new World({ function: { maxLessees: 0 } }).add("a", "1").lessees.text).toBe("maxLessees is 0: it is never split");
  });

  test("unsplittable: the state by its name", () => {
    const { verdict, text } = new World({ function: { states: {} } }).warm().flood().lessees;
    expect([verdict, text]).toEqual([
      "unsplittable",
      "its state 'total' cannot be split: it has no merge strategy, or an exclusive one",
    ]);
  });

  test("budget: with its numbers", () => {
    const slo = { latencyMs: 20, percentile: 99, from: "arrival", windowMs: 0 } as const;
    const { verdict, numbers } = new World({ application: { slo } }).warm(4, "1".repeat(3_000_000)).flood().lessees;
    expect(verdict).toBe("budget");
    expect(numbers.budgetMs).toBe(10); // Half of the SLO: it has run no critical message yet.
    expect(numbers.mergesMs).toBeGreaterThan(10);
    expect(numbers.bytes).toBeGreaterThan(3_000_000);
  });

  test("barrier-near: when it is expected, and what a lessee needs", () => {
    const world = new World({ function: { series: "window" } }).warm();
    // One each 100 ms; the next is due in 25 ms, and two messages take 40.
    for (const pauseMs of [99, 99, 74]) {
      world.close("a").work(1);
      world.driver.advance(pauseMs);
    }
    world.flood();
    const { verdict, numbers } = world.lessees;
    expect(verdict).toBe("barrier-near");
    expect(numbers.leftMs).toBeLessThan(numbers.neededMs as number);
  });

  test("policy: it does not split actors", () => {
    const world = new World({ application: { params: { scaling: false, range: 2, hysteresisMs: 5, short: 1, margin: 0.3 } } });
    expect(world.warm().flood().lessees).toEqual({
      verdict: "policy",
      text: "its policy, min-laxity, does not split actors (params.scaling)",
      numbers: {},
    });
  });

  test("in-time: nothing is late", () => {
    const { verdict, numbers } = new World().warm(5).add("a", "1").lessees;
    expect(verdict).toBe("in-time");
    expect(numbers.waitMs).toBeLessThan(numbers.withinMs as number);
  });

  test("idle: nothing waits", () => {
    expect(new World().warm().explain("z").lessees.verdict).toBe("idle");
  });

  test("no-slot: it has as many lanes as there are slots", () => {
    const world = new World({ concurrency: 2 }).warm().flood(30);
    expect(world.explain().actor?.lessees.length).toBe(1);
    expect(world.lessees).toMatchObject({ verdict: "no-slot", numbers: { lanes: 2, slots: 2 } });
  });

  test("no-gain: others have taken the slots", () => {
    const world = new World({ concurrency: 2 }).warm();
    for (let other = 0; other < 40; other++) world.add(`other-${other}`, "1");
    world.add("a", "1", "1");
    expect(world.lessees).toMatchObject({ verdict: "no-gain" });
  });

  test("open: what the admission then does", () => {
    const world = new World().warm().flood(3);
    while (world.lessees.verdict === "in-time") world.flood(1);
    expect(world.lessees.verdict).toBe("open");
    const before = world.explain().actor?.lessees.length ?? 0;
    world.flood(1);
    expect(world.explain().actor?.lessees.length).toBe(before + 1);
  });
});

describe("what the log tells", () => {
  const told = (driver: EngineDriver, level: string) =>
    driver.effects.flatMap((effect) => (effect.kind === "report" && effect.level === level ? effect.text : []));

  test("leases, for those who look closely", () => {
    const world = new World().warm().flood();
    const { length } = world.explain().actor?.lessees ?? [];
    world.close("a").work(20);
    const lines = told(world.driver, "debug");
    expect(lines.filter((line) => /^ex\/fn\/a: lessee \d opened: lanes so far: \d; a message /.test(line)).length).toBe(length);
    expect(lines.filter((line) => /^ex\/fn\/a: lessee \d ended \(critical\) after \d+ ms/.test(line)).length).toBe(length);
  });

  test("a barrier that is waited for too long, with what is missing", () => {
    const closings = { kind: "ingress", ingress: "ex/closing", partitions: "all" } as const;
    const barrier = { kind: "json", path: ["n"] } as const;
    const world = new World({ closing: 2, function: { series: "window", barrier, upstreams: [closings] } }).warm();
    world.close("a", '{"n":17}').driver.advance(10_000);
    expect(told(world.driver, "warn")).toEqual([
      "ex/fn/a: it has waited 10 s for barrier 17; nothing yet from ex/closing/closing/1; 0 messages are held",
    ]);
  });

  test("a barrier that comes when it is done", () => {
    const barrier = { kind: "json", path: ["n"] } as const;
    const world = new World({ function: { series: "window", barrier } }).warm();
    world.close("a", '{"n":17}').work(1).close("a", '{"n":16}');
    expect(told(world.driver, "warn")).toEqual([
      "ex/fn/a: a critical message of barrier 16 came after that barrier was done; it runs by itself",
    ]);
  });

  test("how many actors are recovered", () => {
    const world = new World().warm().flood();
    const together = world.driver.inFlight.length;
    world.driver.advance(20);
    for (let i = 0; i < together; i++) world.serve();
    world.driver.commitAll();
    expect(told(world.driver.restarted(), "info")).toContain(
      "1 actor has partial states of lessees in the log: they are merged before anything of the actor runs",
    );
  });
});

describe("the busiest actors", () => {
  test("most lessees first, and not more than asked for", () => {
    const world = new World().warm();
    for (const id of ["b", "c", "d"]) world.add(id, "1");
    world.flood();
    expect(world.driver.engine.actors({ function: undefined, top: 2, by: "lessees" })?.live).toBe(4);
    const first = world.actors(2);
    expect(first.length).toBe(2);
    expect(first[0]?.id).toBe("a");
    expect(first[0]?.lessees.length).toBeGreaterThan(0);
    expect(first[1]?.lessees).toEqual([]);
  });

  test("most held first", () => {
    const world = new World().warm();
    world.add("b", "1").close("b").add("b", "1").add("c", "1").close("c").add("c", "1", "1", "1").flood();
    expect(world.actors(3, "held").map(({ id, held }) => [id, held])).toEqual([
      ["c", 3],
      ["b", 1],
      ["a", 0],
    ]);
    expect(world.actors(1, "lessees").map(({ id }) => id)).toEqual(["a"]);
  });
});
