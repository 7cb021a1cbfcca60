/** Deadlines, policies and shares, seen from outside the engine, in virtual time. */
import type { ApplicationSpecification } from "../src/config/specification";
import type { Message } from "../src/model/message";
import type { MissCause } from "../src/observe/measure";
import type { PolicyModules } from "../src/router/applications";
import { edf } from "../src/router/policy/ranks";
import { type Dispatched, EngineDriver, record, type Setup } from "./support/engine-driver";
import { applicationSpecification, endpointSpecification, sourceSpecification } from "./support/module";
import { typedValue } from "./support/statefun-proto";

const send = (id: string, text = "x") => ({ target: { namespace: "ex", type: "fn", id }, argument: typedValue("ex/text", text) });

interface World {
  readonly fraud?: Partial<ApplicationSpecification>;
  readonly bulk?: Partial<ApplicationSpecification> | "none";
  readonly concurrency?: number;
  readonly policies?: PolicyModules;
}

function setupOf({ fraud, bulk = "none", concurrency = 1, policies }: World): Setup {
  const applications = [applicationSpecification(fraud)];
  if (bulk !== "none")
    applications.push(applicationSpecification({ name: "bulk", ingresses: ["ex/bulk"], slo: undefined, ...bulk }));
  return {
    module: {
      endpoints: [endpointSpecification({ concurrency })],
      sources: [sourceSpecification(), sourceSpecification({ ingress: "ex/bulk", topic: "bulk" })],
      applications,
    },
    inputs: [
      { source: 0, partition: 0 },
      { source: 1, partition: 0 },
    ],
    options: { retryFirstMs: 100, retryMaxMs: 100 },
    ...(policies && { policies }),
  };
}

/** An engine with two ingresses: `ex/in` belongs to the application fraud (200 ms), `ex/bulk` to bulk where there is one. */
class Shop {
  readonly driver: EngineDriver;
  readonly #inputs: { readonly fraud: number; readonly bulk: number };

  constructor(world: World = {}) {
    this.driver = EngineDriver.running(setupOf(world));
    const indexOf = (source: number) => [...this.driver.inputs].find(([, input]) => input.source === source)?.[0] ?? -1;
    this.#inputs = { fraud: indexOf(0), bulk: indexOf(1) };
  }

  fraud(...ids: string[]): void {
    this.driver.receive(this.#inputs.fraud, ...ids.map((id) => [id, id] as const));
  }

  bulk(...ids: string[]): void {
    this.driver.receive(this.#inputs.bulk, ...ids.map((id) => [id, id] as const));
  }

  /** A record that states its deadline. */
  stated(id: string, text: string, deadlineMs: number): void {
    const input = this.driver.inputs.get(this.#inputs.fraud);
    if (!input) throw new Error("no input");
    const headers = [{ key: "dirigo-deadline-ms", value: Buffer.from(String(deadlineMs)) }];
    const records = [{ ...record(input.offset, id, text), headers }];
    input.offset++;
    this.driver.apply({ kind: "records_received", input: this.#inputs.fraud, records, nextOffset: input.offset });
  }

  /** Every request takes this long, one after the other, until nobody asks any more; gives them in their order. */
  work(serviceMs: number, most = Number.POSITIVE_INFINITY): Dispatched[] {
    const done: Dispatched[] = [];
    while (this.driver.inFlight.length > 0 && done.length < most) {
      this.driver.advance(serviceMs);
      if (this.driver.committing) this.driver.commit();
      done.push(this.driver.reply());
    }
    this.driver.commitAll();
    return done;
  }

  get score(): { readonly met: number; readonly missed: Partial<Record<MissCause, number>> } {
    const measures = this.driver.engine.measures.applications.find(({ name }) => name === "fraud");
    const missed = Object.entries(measures?.missed ?? {}).filter(([, count]) => count > 0);
    return { met: measures?.met ?? 0, missed: Object.fromEntries(missed) };
  }
}

function waiting(driver: EngineDriver, id: string): Message {
  const message = driver.engine.life.router.type("ex/fn")?.mailboxes.get(id)?.peek();
  if (!message) throw new Error(`nothing waits for ${id}`);
  return message;
}

describe("an output", () => {
  it("has met its deadline when it is committed by then", () => {
    const shop = new Shop();
    shop.fraud("a");
    shop.driver.advance(150);
    shop.driver.reply();
    shop.driver.advance(50);
    shop.driver.commitAll();
    expect(shop.score).toEqual({ met: 1, missed: {} });
  });

  /** Of `barrier`: dual-mode.test.ts. */
  const ways: Record<Exclude<MissCause, "barrier">, (shop: Shop) => void> = {
    function: (shop) => {
      shop.fraud("a");
      shop.work(500);
    },
    commit: (shop) => {
      shop.fraud("a");
      shop.driver.reply();
      shop.driver.advance(500);
      shop.driver.commitAll();
    },
    retry: (shop) => {
      shop.fraud("a");
      for (let i = 0; i < 4; i++) {
        shop.driver.fail();
        shop.driver.advance(100);
      }
      shop.driver.reply();
      shop.driver.commitAll();
    },
    key: (shop) => {
      shop.bulk("a"); // Belongs to no application: only what waits behind it is counted.
      shop.fraud("a");
      shop.driver.advance(500);
      shop.driver.reply();
      shop.work(0);
    },
    slot: (shop) => {
      shop.bulk("a");
      shop.fraud("b");
      shop.driver.advance(500);
      shop.driver.reply();
      shop.work(0);
    },
  };

  test.each(Object.entries(ways))("that is late by %s says so", (cause, way) => {
    const shop = new Shop();
    way(shop);
    expect(shop.score).toEqual({ met: 0, missed: { [cause]: 1 } });
  });

  it("is the last message of a chain, and answers for the whole of it", () => {
    const shop = new Shop();
    shop.fraud("a");
    shop.driver.advance(150);
    shop.driver.reply({ outgoing_messages: [send("b")] });
    shop.driver.reply({}, "b");
    shop.driver.advance(100); // Until the commit; the function took longer.
    shop.driver.commitAll();
    expect(shop.score).toEqual({ met: 0, missed: { function: 1 } });
  });

  it("of a delayed message has its time from when that is due", () => {
    const shop = new Shop();
    shop.fraud("a");
    shop.driver.reply({ delayed_invocations: [{ delay_in_ms: 5_000, ...send("b"), cancellation_token: "" }] });
    shop.driver.commitAll();
    shop.driver.advance(5_000);
    expect(waiting(shop.driver, "b")).toMatchObject({ application: 1, deadlineMs: 1_000 + 5_000 + 200 });
    shop.driver.advance(100);
    shop.work(0);
    expect(shop.score).toEqual({ met: 1, missed: {} });
  });

  it("that waited through a restart is late by retry", () => {
    const shop = new Shop();
    shop.fraud("a");
    shop.driver.reply({ outgoing_messages: [send("b")] });
    shop.driver.commitAll();
    shop.driver.advance(3_000);
    const after = shop.driver.restarted();
    after.reply({}, "b");
    after.commitAll();
    expect(after.engine.measures.applications[0]?.missed.retry).toBe(1);
  });
});

describe("a policy by rank", () => {
  it("takes batches that hold a slot for a short while only; fifo takes all there is", () => {
    const twenty = Array.from({ length: 20 }, () => "a");
    const sizes = (policy: "edf" | "fifo") => {
      const shop = new Shop({ fraud: { policy } });
      shop.fraud(...twenty);
      return shop.work(40, 2).map(({ texts }) => texts.length);
    };
    expect(sizes("fifo")).toEqual([20]);
    expect(sizes("edf")).toEqual([8, 3]); // 40 ms for eight are 5 ms each: two in 10 ms, and one to try.
  });

  it("lifts an address that waits already when something more urgent joins it", () => {
    const shop = new Shop();
    shop.fraud("busy");
    shop.stated("a", "a1", 9_000);
    shop.stated("b", "b1", 5_000);
    shop.stated("a", "a2", 2_000);
    expect(shop.work(10).map(({ texts }) => texts)).toEqual([["busy"], ["a1", "a2"], ["b1"]]);
  });

  it("is not hurried by what fifo sends to the same address", () => {
    const shop = new Shop({ bulk: { policy: "fifo" } });
    shop.fraud("busy");
    shop.stated("a", "a1", 9_000);
    shop.stated("b", "b1", 5_000);
    shop.bulk("a");
    expect(shop.work(10).map(({ id }) => id)).toEqual(["busy", "b", "a"]);
  });

  it("lets a tight SLO overtake bulk work, where fifo makes it late", () => {
    const keys = Array.from({ length: 100 }, (_, i) => `bulk${i}`);
    const scoreOf = (policy: "fifo" | "min-laxity") => {
      const shop = new Shop({ fraud: { policy }, bulk: { policy } });
      shop.bulk(...keys);
      shop.work(10, 20);
      shop.fraud("a", "b", "c");
      expect(shop.work(10)).toHaveLength(83); // Nobody is forgotten over it.
      return shop.score;
    };
    expect(scoreOf("fifo")).toEqual({ met: 0, missed: { slot: 3 } });
    expect(scoreOf("min-laxity")).toEqual({ met: 3, missed: {} });
  });
});

test("policies of two applications on one endpoint share its slots by weight", () => {
  const shop = new Shop({ fraud: { policy: "edf", weight: 3 }, bulk: { policy: "priority", weight: 1 } });
  shop.fraud(...Array.from({ length: 100 }, (_, i) => `f${i}`));
  shop.bulk(...Array.from({ length: 100 }, (_, i) => `b${i}`));
  const first = shop.work(10, 80).filter(({ id }) => id.startsWith("f"));
  expect(first.length).toBeGreaterThanOrEqual(58);
  expect(first.length).toBeLessThanOrEqual(62);
});

test("H1: nobody starves where functions take no time that could be measured", () => {
  const shop = new Shop({ fraud: { policy: "edf" }, bulk: { policy: "priority" } });
  shop.fraud(...Array.from({ length: 40 }, (_, i) => `f${i}`));
  shop.bulk(...Array.from({ length: 40 }, (_, i) => `b${i}`));
  const first = shop.work(0, 40).filter(({ id }) => id.startsWith("f"));
  expect(first.length).toBeGreaterThanOrEqual(18);
  expect(first.length).toBeLessThanOrEqual(22);
});

test("R3: a policy that chooses nobody does not hold up the others of its endpoint", () => {
  const policy = { module: "/mine.mjs" };
  const mine = () => ({ ...edf(), next: () => undefined });
  const shop = new Shop({ fraud: { policy }, bulk: { policy: "priority" }, policies: new Map([[policy.module, mine]]) });
  shop.fraud("a", "b");
  shop.bulk("c");
  expect(new Set(shop.work(1).map(({ id }) => id))).toEqual(new Set(["a", "b", "c"]));
});

describe("after a restart", () => {
  function before(): EngineDriver {
    const shop = new Shop({ fraud: { policy: "token", params: { rate: 4, intervalMs: 1_000 } }, concurrency: 8 });
    shop.fraud("first", "second");
    const { driver } = shop;
    driver.reply({}, "first");
    driver.reply(
      {
        outgoing_messages: [send("sent")],
        delayed_invocations: [{ delay_in_ms: 700, ...send("later"), cancellation_token: "" }],
      },
      "second",
    );
    driver.commitAll();
    return driver;
  }

  it("messages that wait have their application, deadline and rank, delayed ones too", () => {
    const after = before().restarted();
    expect(waiting(after, "sent")).toMatchObject({ application: 1, deadlineMs: 1_200, rank: 1_250 });
    after.advance(700);
    expect(waiting(after, "later")).toMatchObject({ application: 1, deadlineMs: 1_900, rank: 1_250 });
  });

  it("messages of an application that is gone belong to none, and run all the same", () => {
    const driver = before();
    const after = driver.restarted({ module: { ...driver.setup.module, applications: [] } });
    after.advance(700);
    for (const id of ["sent", "later"]) {
      expect(waiting(after, id)).toMatchObject({ application: 0, blame: undefined });
      after.reply({}, id);
    }
    after.commitAll();
    expect([after.broker.keys("message"), after.engine.measures.applications]).toEqual([[], []]);
  });

  it("they find their application by its name, wherever it stands now", () => {
    const driver = before();
    const applications = [
      applicationSpecification({ name: "new", ingresses: ["ex/bulk"] }),
      applicationSpecification({ policy: "edf" }),
    ];
    const after = driver.restarted({ module: { ...driver.setup.module, applications } });
    expect(waiting(after, "sent")).toMatchObject({ application: 2, rank: 1_200 });
  });
});

test("R3: a user's policy that throws, and gives ranks that are none, is counted; all is done all the same, by deadline", () => {
  const wrong = () => {
    throw new Error("policy");
  };
  const policy = { module: "/mine.mjs" };
  const mine = {
    tag: "mine",
    init: wrong,
    createQueue: wrong,
    prepareSend: wrong,
    admit(message: Message) {
      message.rank = 7n as unknown as number;
      return { do: "queue" as const };
    },
    next: wrong,
    preApply: wrong,
    postApply: wrong,
    onCommand: wrong,
    onBarrier: wrong,
  };
  const shop = new Shop({ fraud: { policy }, policies: new Map([[policy.module, () => mine]]) });
  shop.fraud("a", "b");
  shop.driver.reply({ outgoing_messages: [send("c")] });
  expect(waiting(shop.driver, "c").rank).toBe(1_200);
  expect(shop.work(1).map(({ id }) => id)).toEqual(["b", "c"]);
  expect(shop.driver.engine.measures.policyFaults).toBeGreaterThan(10);
  expect([shop.score.met, shop.driver.broker.keys("message")]).toEqual([2, []]);
});
