import type { EndpointSpecification, FunctionSpecification } from "../../src/config/specification";
import { jsonTextAt } from "../../src/functions/argument";
import type { Message } from "../../src/model/message";
import { Random } from "../../src/model/random";
import { DualMeasures } from "../../src/observe/dual-measures";
import type { Mailbox } from "../../src/router/mailbox";
import type { ActorView, AdmitDecision, LaneView, Policy } from "../../src/router/policy/policy";
import { minLaxity } from "../../src/router/policy/ranks";
import { type Endpoint, type FunctionType, type Load, Router, type Worker } from "../../src/router/router";
import { type ActorHost, DualActor } from "../../src/scaling/dual-actor";
import { DualType } from "../../src/scaling/dual-type";
import { type Closed, closed } from "../../src/scaling/gate";
import { Lanes } from "../../src/scaling/lanes";
import { Lease } from "../../src/scaling/lease";
import type { Section } from "../../src/scaling/section";
import { Memory, StateStore } from "../../src/state/store";
import { json } from "../state/merge-parts";
import { criticalMark, functionSpecification } from "../support/dual";
import { address, aMessage, type MessageFields } from "../support/messages";
import { applicationSpecification, applicationsOf, endpointSpecification, moduleSpecification } from "../support/module";

type Decide = (actor: ActorView | undefined, message: Message) => LaneView | "lessor" | AdmitDecision;

interface Setup {
  readonly function?: Partial<FunctionSpecification>;
  readonly endpoint?: Partial<EndpointSpecification>;
  readonly seed?: number;
}

const replicas = (count: number) => Array.from({ length: count }, (_, at) => `http://functions-${at}`);
const HOME_OF_FOUR = { placement: "home", urls: replicas(4) } as const;
const SLO_MS = 200;

/** An actor `a` whose policy does what the test says. */
class World {
  decide: Decide = () => "lessor";
  now = 1_000;
  readonly opened: (Worker | undefined)[] = [];
  forwarded = 0;
  readonly router: Router;
  readonly type: FunctionType;
  readonly actor: DualActor;
  readonly lanes: Lanes;

  constructor({ function: overrides = {}, endpoint = {}, seed = 1 }: Setup = {}) {
    const specification = functionSpecification({ states: { total: { kind: "sum" } }, ...overrides });
    const module = moduleSpecification({
      endpoints: [endpointSpecification({ concurrency: 4, ...endpoint })],
      applications: [applicationSpecification({ policy: { module: "own" } })],
      functions: [specification],
    });
    const modules = new Map([["own", () => this.#policy]]);
    this.router = new Router(module, 2, new StateStore(), applicationsOf(module, { modules }));
    this.type = this.router.type("ex/fn") as FunctionType;
    this.type.confirmed = true;
    this.type.costMs = 10;
    const dual = new DualType(this.type, specification, [], new DualMeasures("ex/fn"));
    this.router.ownerOf = (lessor) => new DualActor(dual, lessor, { sectionMoved: () => {} } as unknown as ActorHost);
    this.actor = this.router.mailbox(this.type, "a").owner as DualActor;
    const host = { open: this.#open, forwarded: () => this.forwarded++, subKey: jsonTextAt };
    this.lanes = new Lanes(this.router, host, new Random(seed));
  }

  get #policy(): Policy {
    const rank = ({ deadlineMs, costMs }: Message) => deadlineMs - costMs;
    return {
      ...minLaxity(),
      admit: (message, _now, actor) => {
        message.rank = rank(message);
        const chosen = this.decide(actor, message);
        if (chosen === "lessor") return { do: "queue" };
        return "do" in chosen ? chosen : { do: "forward", to: chosen };
      },
    };
  }

  readonly #open = (actor: DualActor, worker: Worker | undefined, now: number): Lease => {
    this.opened.push(worker);
    const part = new Memory(address("a"), this.type.states, 0, actor.nextLane++);
    const lease = new Lease(part.lane, this.router.lane(actor, actor.lessor, part, worker), now);
    actor.leases.push(lease);
    return lease;
  };

  declare(...names: readonly string[]): this {
    for (const name of names) this.type.states.declare({ name, typename: "shop/json", expireMode: "none", expireAfterMs: 0 });
    return this;
  }

  message(fields: MessageFields = {}): Message {
    const message = aMessage({ deadlineMs: this.now + SLO_MS, bytes: 1, ...fields });
    message.application = 1;
    return message;
  }

  admit(message = this.message()): Message {
    this.lanes.admit(this.actor, message, this.now);
    return message;
  }

  /** So many lessees, each with a message. */
  spread(lessees: number): this {
    const { decide } = this;
    this.decide = (actor) => actor?.openings(1)[0] ?? "lessor";
    for (let i = 0; i < lessees; i++) this.admit();
    this.decide = decide;
    return this;
  }

  laneOf(message: Message): number | undefined {
    return this.actor.lanes.findIndex((lane) => [...lane.messages()].includes(message));
  }

  get endpoint(): Endpoint {
    return this.router.endpoints[0] as Endpoint;
  }

  queue(lane: Mailbox) {
    return this.router.queueOf(lane);
  }

  /** What a policy sees with the next message. */
  seen(): { home: LaneView; lessees: readonly LaneView[]; openings: (range: number) => readonly LaneView[] } {
    let view: ActorView | undefined;
    const ranges = new Map<number, readonly LaneView[]>();
    let home: LaneView | undefined;
    let lessees: readonly LaneView[] = [];
    const { decide } = this;
    this.decide = (actor) => {
      view = actor;
      home = actor?.home();
      lessees = actor?.lessees() ?? [];
      for (const range of [1, 2, 3, 9]) ranges.set(range, actor?.openings(range) ?? []);
      return "lessor";
    };
    this.admit();
    this.decide = decide;
    if (!view || !home) throw new Error("the policy has seen no actor");
    return { home, lessees, openings: (range) => ranges.get(range) ?? [] };
  }
}

/** The first place that could be opened, or the lessor. */
const openOne: Decide = (actor) => actor?.openings(1)[0] ?? "lessor";

describe("G1: what is forwarded", () => {
  it("is counted with the lease and marked, and what stays with the lessor is not", () => {
    const world = new World();
    const stays = world.admit();
    world.decide = openOne;
    const goes = world.admit();
    expect([world.laneOf(stays), world.laneOf(goes)]).toEqual([0, 1]);
    expect([stays.forwarded, goes.forwarded, world.actor.leases[0]?.forwarded, world.forwarded]).toEqual([false, true, 1, 1]);
    world.decide = (actor) => actor?.lessees()[0] ?? "lessor";
    world.admit();
    expect([world.actor.leases.length, world.actor.leases[0]?.forwarded]).toEqual([1, 2]);
  });

  it("is forwarded once: with what has been, the policy sees no lanes", () => {
    const world = new World().spread(1);
    const seen: unknown[] = [];
    world.decide = (actor) => {
      seen.push(actor);
      return actor?.lessees()[0] ?? "lessor";
    };
    const message = world.message();
    message.forwarded = true;
    world.admit(message);
    expect([seen, world.laneOf(message)]).toEqual([[undefined], 0]);
  });

  it("nor does it see any of an actor that is never split", () => {
    const world = new World({ function: { maxLessees: 0 } });
    const seen: unknown[] = [];
    world.decide = (actor) => {
      seen.push(actor);
      return "lessor";
    };
    expect(world.laneOf(world.admit())).toBe(0);
    expect(seen).toEqual([undefined]);
  });

  test.each<[string, Decide]>([
    ["a lane that is not there", () => ({ lane: 9, feasible: true, waitMs: 0 })],
    ["a place it has made up", () => ({ lane: -1, feasible: true, waitMs: 0 })],
    ["a copy of a place", (actor) => ({ ...(actor?.openings(1)[0] as LaneView) })],
    ["the lessor", (actor) => actor?.home() ?? "lessor"],
    ["nothing", () => ({ do: "forward" }) as unknown as AdmitDecision],
  ])("a policy that forwards to %s leaves the message with the lessor", (_what, decide) => {
    const world = new World();
    world.decide = decide;
    expect(world.laneOf(world.admit())).toBe(0);
    expect([world.opened, world.forwarded]).toEqual([[], 0]);
  });

  it("a place of an earlier call cannot be opened any more", () => {
    const world = new World();
    let kept: LaneView | undefined;
    world.decide = (actor) => {
      kept ??= actor?.openings(1)[0];
      return kept ?? "lessor";
    };
    world.admit();
    world.admit();
    expect(world.opened).toHaveLength(1);
  });
});

describe("G2: the gate", () => {
  const reasons: Record<Closed["reason"] | "open", { readonly setup?: Setup; readonly make: (world: World) => void }> = {
    open: { make: () => {} },
    max: { setup: { function: { maxLessees: 2 } }, make: (world) => world.spread(2) },
    undeclared: {
      make: ({ type }) => {
        type.confirmed = false;
      },
    },
    unsplittable: { make: (world) => world.declare("total", "other") },
    budget: {
      make: ({ actor }) => {
        for (let i = 0; i < 20; i++) actor.type.observeMerge(SLO_MS, 100);
      },
    },
    "barrier-near": {
      make: (world) => {
        world.actor.sectionMs = world.now - 990;
        world.actor.type.observePeriod(1_000);
      },
    },
  };

  test.each(Object.entries(reasons))("%s: no place is shown where it is closed, and it says why", (reason, { setup, make }) => {
    const world = new World({ endpoint: { urls: replicas(1), concurrency: 8 }, ...setup });
    make(world);
    const message = world.message();
    message.costMs = 10;
    expect(closed(world.actor, message, world.router, world.now)?.reason ?? "open").toBe(reason);
    expect(world.seen().openings(1)).toHaveLength(reason === "open" ? 1 : 0);
  });

  it("lessees that are open are shown also when it is closed", () => {
    const world = new World({ function: { maxLessees: 2 } }).spread(2);
    expect(world.seen().lessees.map(({ lane }) => lane)).toEqual([1, 2]);
  });

  it("the budget counts rounds of merges, and the critical message's own time", () => {
    const world = new World();
    world.actor.type.observeMerge(30, 100);
    const message = world.message();
    // Half of the SLO is 100 ms: three rounds of 30 ms fit, four do not.
    const open = () => closed(world.actor, message, world.router, world.now) === undefined;
    expect(open()).toBe(true);
    world.spread(3);
    expect(open()).toBe(true);
    world.type.criticalCostMs = 10.5;
    expect(open()).toBe(false);
  });

  it("a barrier that is due already has been skipped or is late: it is not near", () => {
    const world = new World();
    world.actor.type.observePeriod(1_000);
    world.actor.sectionMs = world.now - 1_001;
    expect(closed(world.actor, { application: 1, costMs: 10 }, world.router, world.now)).toBeUndefined();
    world.actor.sectionMs = world.now - 980;
    expect(closed(world.actor, { application: 1, costMs: 10 }, world.router, world.now)).toBeUndefined();
    expect(closed(world.actor, { application: 1, costMs: 10.5 }, world.router, world.now)?.reason).toBe("barrier-near");
  });
});

describe("where a lessee can be opened", () => {
  it("any replica: one place, while the actor has fewer lanes than there are slots", () => {
    const world = new World({ function: { maxLessees: 9 }, endpoint: { urls: replicas(2), concurrency: 2 } });
    for (let lanes = 1; lanes < 4; lanes++) {
      expect(world.seen().openings(9)).toHaveLength(1);
      world.spread(1);
    }
    expect(world.seen().openings(9)).toEqual([]);
    expect(world.opened).toEqual([undefined, undefined, undefined]);
  });

  it("home: on replicas where the actor has no lane, as many as are asked for, and the lessee is pinned there", () => {
    const world = new World({ endpoint: HOME_OF_FOUR });
    const { seen, actor } = { seen: () => world.seen(), actor: world.actor };
    expect([1, 2, 3, 9].map((range) => seen().openings(range).length)).toEqual([1, 2, 3, 3]);
    world.spread(3);
    const workers = actor.lanes.map(({ worker }) => worker?.index);
    expect(new Set(workers).size).toBe(4);
    expect(world.opened.map((worker) => worker?.index)).toEqual(workers.slice(1));
    expect(seen().openings(9)).toEqual([]);
  });

  it("home: not on a replica that takes nothing now", () => {
    const world = new World({ endpoint: HOME_OF_FOUR });
    const avoided = world.endpoint.workers.find((worker) => worker !== world.actor.lessor.worker) as Worker;
    for (let i = 0; i < 3; i++) {
      const sent = { mailbox: world.actor.lessor, batch: [], dispatchedMs: world.now, attempt: 1 };
      avoided.unanswered(
        sent,
        { kind: "invocation_failed", invocation: i, reason: "refused", failure: "connection" },
        world.now,
        [],
      );
    }
    expect([avoided.health, world.seen().openings(9).length]).toEqual(["avoided", 2]);
    world.spread(2);
    expect(world.opened).not.toContain(avoided);
    expect(world.seen().openings(9)).toEqual([]);
  });

  it("home: places are drawn at random, every replica in its turn", () => {
    const drawn = new Map<number | undefined, number>();
    for (let seed = 1; seed <= 60; seed++) {
      const world = new World({ endpoint: HOME_OF_FOUR, seed }).spread(1);
      const index = world.opened[0]?.index;
      drawn.set(index, (drawn.get(index) ?? 0) + 1);
    }
    const home = new World({ endpoint: HOME_OF_FOUR }).actor.lessor.worker?.index;
    expect([...drawn.keys()].sort()).toEqual([0, 1, 2, 3].filter((index) => index !== home));
    for (const count of drawn.values()) expect(count).toBeGreaterThan(5);
  });

  it("says how long a message would wait on each lane, the lane's own messages and the others of its queue", () => {
    const world = new World({ endpoint: { ...HOME_OF_FOUR, concurrency: 1 } });
    for (let i = 0; i < 3; i++) world.admit();
    expect(world.seen()).toMatchObject({ home: { lane: 0, waitMs: 30, feasible: true } });
    world.spread(2);
    world.decide = (actor) => actor?.lessees().find(({ lane }) => lane === 1) ?? "lessor";
    world.admit();
    const { lessees, openings } = world.seen();
    expect(lessees.map(({ lane, waitMs }) => [lane, waitMs])).toEqual([
      [2, 10],
      [1, 20],
    ]);
    expect(openings(1)).toMatchObject([{ lane: -1, waitMs: 0, feasible: true }]);
  });

  it("a lane on which the message would start too late is not feasible, though its queue has room", () => {
    const world = new World({ endpoint: { concurrency: 4 } });
    // 200 ms, less the margin of 60 and the message's own 10.
    for (let i = 0; i < 13; i++) world.admit();
    expect(world.seen().home).toMatchObject({ waitMs: 130, feasible: true });
    expect(world.seen().home).toMatchObject({ waitMs: 140, feasible: false });
    expect(world.seen().openings(1)).toMatchObject([{ feasible: true }]);
  });
});

describe("G3: sub-keys", () => {
  const split: Setup = { function: { states: { carts: { kind: "partition", keyPath: ["user", "id"] } } } };
  const of = (world: World, id: unknown) => world.message({ text: JSON.stringify({ user: { id } }) });

  it("messages of one stay on one lane until the actor is consolidated", () => {
    const world = new World(split);
    world.decide = openOne;
    const lanes = ["x", "y", "x", "y", "x"].map((id) => world.laneOf(world.admit(of(world, id))));
    expect(lanes).toEqual([1, 2, 1, 2, 1]);
    expect(world.actor.leases.map(({ forwarded }) => forwarded)).toEqual([3, 2]);
  });

  it("one that was with the lessor stays there, and numbers are keys as texts are", () => {
    const world = new World(split);
    expect(world.laneOf(world.admit(of(world, 7)))).toBe(0);
    world.decide = openOne;
    expect([7, "7", 8].map((id) => world.laneOf(world.admit(of(world, id))))).toEqual([0, 0, 1]);
  });

  it("what the base has already stays with the lessor: a part begins absent", () => {
    const world = new World(split).declare("carts");
    world.actor.lessor.memory.values[0] = json.part({ x: { items: 1 } }).bytes;
    world.decide = openOne;
    expect(["x", "y"].map((id) => world.laneOf(world.admit(of(world, id))))).toEqual([0, 1]);
  });

  it("what has no key, or no JSON, is the lessor's", () => {
    const world = new World(split);
    world.decide = openOne;
    for (const text of ["{}", '{"user":{}}', '{"user":7}', "no json", ""]) {
      expect(world.laneOf(world.admit(world.message({ text })))).toBe(0);
    }
    expect([world.opened, world.actor.pins.size]).toEqual([[], 0]);
  });

  /** Of the n-th sub-key the first so many times. */
  const admitKeys = (world: World, from: number, to: number) => {
    for (let key = from; key < to; key++) {
      for (const again of [key, 0]) world.admit(of(world, again));
      if (world.actor.phase.kind !== "runnable") return key + 1;
    }
    return to;
  };

  it.each([0, 2])("G4: more than ten thousand with a lane consolidate the actor, with %i lessees", (lessees) => {
    const world = new World(split);
    let left = lessees;
    world.decide = (actor) => (actor && left-- > 0 ? (actor.openings(1)[0] ?? "lessor") : "lessor");
    expect(admitKeys(world, 0, 20_000)).toBe(10_001);
    expect(world.actor.phase).toMatchObject({ kind: "draining", section: { reason: "policy", messages: [] } });
    expect(world.actor.leases.length).toBe(lessees);
  });

  it("G4: as many as the base has are allowed, so that it is not read more often than it grows", () => {
    const world = new World(split).declare("carts");
    const carts = Object.fromEntries(Array.from({ length: 12_000 }, (_, key) => [`old${key}`, 1]));
    world.actor.lessor.memory.values[0] = json.part(carts).bytes;
    expect(admitKeys(world, 0, 20_000)).toBe(12_001);
  });
});

describe("relieving a queue whose batch has ended", () => {
  /** Every message but the first, which is next, is late on the lessor's lane. */
  function crowded(messages: number, setup: Setup = { endpoint: HOME_OF_FOUR }): [World, Message[]] {
    const world = new World(setup);
    const waiting = Array.from({ length: messages }, () => world.admit());
    world.now += SLO_MS;
    hopeless(world);
    world.decide = (actor) => actor?.lessees()[0] ?? actor?.openings(1)[0] ?? "lessor";
    return [world, waiting];
  }

  /** A message that would be late anywhere: since then the queue knows what is late. */
  function hopeless(world: World, lane = world.actor.lessor): void {
    (world.queue(lane).load as Load).feasible(world.message({ deadlineMs: 0 }), world.now);
  }

  const relieve = (world: World) => world.lanes.relieve(world.queue(world.actor.lessor), world.now);

  it("moves what is late and not next to where the policy says, each counted as forwarded", () => {
    const [world, waiting] = crowded(4);
    relieve(world);
    expect(waiting.map((message) => world.laneOf(message))).toEqual([0, 1, 1, 1]);
    expect([world.actor.leases[0]?.forwarded, waiting[1]?.forwarded, waiting[0]?.forwarded]).toEqual([3, true, false]);
  });

  it("moves so many at a time, and the next ones with the next batch", () => {
    const [world] = crowded(12);
    relieve(world);
    expect(world.actor.lessor.waiting).toBe(4);
    relieve(world);
    expect(world.actor.lessor.waiting).toBe(1);
  });

  it("opens no lessee for a message that is next: it would not go there", () => {
    const [world, waiting] = crowded(1);
    relieve(world);
    expect([world.opened.length, world.laneOf(waiting[0] as Message)]).toEqual([0, 0]);
  });

  it("opens no lessee for messages that are to be sent again as they were", () => {
    const [world, waiting] = crowded(5);
    const { lessor } = world.actor;
    const worker = lessor.worker as Worker;
    world.type.costMs = 2; // So that all are one batch.
    world.router.pick(worker, world.now);
    const batch = world.router.take(lessor, worker, world.now);
    world.router.failed(lessor, batch, 1, world.now, world.now);
    world.router.rested(lessor, world.now);
    const another = world.message({ deadlineMs: 0 });
    world.router.join(lessor, another, world.now);
    hopeless(world);
    relieve(world);
    expect(batch).toEqual(waiting);
    expect([...lessor.messages()]).toEqual(waiting);
    expect([world.opened.length, world.laneOf(another)]).toEqual([1, 1]);
    relieve(world);
    expect([...lessor.messages()]).toEqual(waiting);
  });

  it("what moves keeps its order and what it was expected to cost when it came", () => {
    const [world, waiting] = crowded(2);
    const { costMs, pathMs, rank } = waiting[1] as Message;
    world.type.costMs = 77;
    world.type.pathMs = 7;
    relieve(world);
    expect(waiting[1]).toMatchObject({ forwarded: true, costMs, pathMs, rank });
    expect(world.queue(world.actor.lessor).load?.waitMs(world.now)).toBe(10 / 4);
  });

  const section = { reason: "critical", barrier: -1, messages: [] } as unknown as Section;
  test.each<[string, (world: World, waiting: Message[]) => void]>([
    ["is critical", (_world, [, second]) => void Object.assign(second as Message, { mark: criticalMark() })],
    ["was forwarded before", (_world, [, second]) => void Object.assign(second as Message, { forwarded: true })],
    [
      "waits for the merges of its actor",
      ({ actor }) => void Object.assign(actor, { phase: { kind: "consolidating", section } }),
    ],
    ["waits for what is critical", ({ actor }) => void Object.assign(actor, { phase: { kind: "critical", section } })],
    ["is an exclusive actor's", ({ actor }) => void Object.assign(actor.lessor, { owner: undefined })],
  ])("what %s does not move", (_what, change) => {
    const [world, waiting] = crowded(2);
    change(world, waiting);
    relieve(world);
    expect([world.opened.length, world.actor.lessor.waiting]).toEqual([0, 2]);
  });

  it("what is pinned by its sub-key does not move", () => {
    const states: FunctionSpecification["states"] = { carts: { kind: "partition", keyPath: ["id"] } };
    const [world] = crowded(3, { endpoint: HOME_OF_FOUR, function: { states } });
    relieve(world);
    expect([world.opened.length, world.actor.lessor.waiting]).toEqual([0, 3]);
  });

  it("while the lanes are drained, what is late may still move", () => {
    const [world] = crowded(2);
    world.actor.phase = { kind: "draining", section };
    relieve(world);
    expect(world.actor.lessor.waiting).toBe(1);
  });

  it("what waits with a lessee stays there", () => {
    const [world] = crowded(3);
    relieve(world);
    const lessee = world.actor.leases[0]?.mailbox as Mailbox;
    hopeless(world, lessee);
    world.lanes.relieve(world.queue(lessee), world.now);
    expect([lessee.waiting, world.opened.length]).toEqual([2, 1]);
  });
});
