import * as fc from "fast-check";
import { addressText } from "../../src/model/address";
import { ProtocolError } from "../../src/model/errors";
import type { Message } from "../../src/model/message";
import type { Mailbox } from "../../src/router/mailbox";
import type { Channel } from "../../src/scaling/alignment";
import { Consolidation, type MergeHost } from "../../src/scaling/consolidation";
import { type ActorHost, type ActorPhase, DualActor } from "../../src/scaling/dual-actor";
import type { DualType } from "../../src/scaling/dual-type";
import { Lease } from "../../src/scaling/lease";
import type { Section, SectionReason } from "../../src/scaling/section";
import { aDualType, afterMark, aLane, criticalMark } from "../support/dual";
import { address, aMessage } from "../support/messages";

/** How the parts of a section are merged. */
type Merges = "by the router" | "by the function" | "not at all";

/** What a critical batch has seen: its messages, and the numbers of those that the base had of all lanes. */
interface Seen {
  readonly texts: readonly string[];
  readonly base: readonly number[];
}

/** Writes down what the actor asks for. Its lanes remember the numbers of the messages they have run, byte by byte. */
class World implements ActorHost {
  readonly actor: DualActor;
  told: string[] = [];
  merges: Merges = "by the router";
  now = 100;
  /** Lane of the next ordinary message; one more than there are: a new one. */
  lane = 0;
  readonly waiting = new Set<Message>();
  readonly heads = new Set<Channel>();
  readonly seen: Seen[] = [];
  /** Barriers that were waited for when it was told, and since when. */
  readonly awaited: [barrier: number, sinceMs: number][] = [];

  constructor(readonly type: DualType) {
    type.type.states.declare({ name: "numbers", typename: "ex/numbers", expireMode: "none", expireAfterMs: 0 });
    this.actor = new DualActor(type, aLane(type, 0), this);
    this.actor.lessor.owner = this.actor;
  }

  // ── what the actor asks for ──

  admit(_actor: DualActor, message: Message): void {
    if (this.actor.phase.kind !== "runnable") throw new Error(`A1: ${textOf(message)} joins while ${this.actor.phase.kind}`);
    this.told.push(`admit ${textOf(message)}`);
    if (this.lane > this.actor.leases.length) this.open();
    const lease = this.actor.leases[this.lane - 1];
    if (lease) lease.forwarded++;
    (lease?.mailbox ?? this.actor.lessor).enqueue(message);
  }

  join(lane: Mailbox, message: Message): void {
    if (this.actor.phase.kind === "runnable") throw new Error(`A1: ${textOf(message)} joins outside of a section`);
    this.told.push(`join ${textOf(message)} on ${lane.memory.lane}`);
    lane.enqueue(message);
  }

  channelOf({ caller, mark }: Message): Channel {
    return mark?.channel || (caller ? addressText(caller) : "");
  }

  channelsOf(): readonly Channel[] {
    return [];
  }

  barrierOf(type: DualType, { mark }: Message): number {
    return type.numbered ? (mark?.barrier ?? -1) : -1;
  }

  isCritical({ criticalTypenames }: DualType, message: Message): boolean {
    return criticalTypenames.has(textOf(message));
  }

  windowEnd({ type }: DualActor, barrier: number): Message {
    return aMessage({ text: `end ${barrier}`, mark: criticalMark(barrier, type.series) });
  }

  consolidate({ lanes, leases }: DualActor, _section: Section, now: number): Consolidation {
    for (const lane of lanes) if (lane.phase.kind !== "idle") throw new Error(`A1: lane ${lane.memory.lane} is not idle`);
    for (const { forwarded, applied } of leases) if (forwarded !== applied) throw new Error(`${applied} of ${forwarded} applied`);
    this.told.push("consolidate");
    return new Consolidation(lanes, this.#mergeHost, now);
  }

  readonly #mergeHost: MergeHost = {
    asksFunction: () => this.merges === "by the function",
    fold: (into, from) => {
      this.#check();
      this.#merge(into, from);
    },
    taken: (into, from) => this.#merge(into, from),
    check: () => this.#check(),
    ask: (into, from) => this.join(into, aMessage({ text: `part ${from.memory.lane}`, mark: criticalMark() })),
    failed: (reason, attempt) => this.told.push(`${reason}, attempt ${attempt}`),
  };

  #merge(into: Mailbox, from: Mailbox): void {
    this.told.push(`merge ${from.memory.lane} into ${into.memory.lane}`);
    remember(into, [...remembered(into), ...remembered(from)]);
    remember(from, []);
  }

  #check(): void {
    if (this.merges === "not at all") throw new ProtocolError("cannot be merged");
  }

  held(_actor: DualActor, message: Message, change: 1 | -1): void {
    if (this.waiting.has(message) === change > 0) throw new Error(`${textOf(message)} is held ${change} once more`);
    if (change < 0) this.waiting.delete(message);
    else {
      this.told.push(`hold ${textOf(message)}`);
      this.waiting.add(message);
    }
  }

  headed(_actor: DualActor, channel: Channel, change: 1 | -1): void {
    if (this.heads.has(channel) === change > 0) throw new Error(`B1: ${channel} has ${change} head more`);
    if (change < 0) this.heads.delete(channel);
    else this.heads.add(channel);
    this.told.push(`${change < 0 ? "open" : "block"} ${channel}`);
  }

  awaits({ awaited, waitsSinceMs }: DualActor): void {
    this.awaited.push([awaited, waitsSinceMs]);
  }

  leaseEnded(_actor: DualActor, { lane, mailbox }: Lease, reason: SectionReason): void {
    if (!mailbox.memory.empty) throw new Error(`A5: lane ${lane} still has a part`);
    this.told.push(`lease ${lane} ended: ${reason}`);
  }

  sectionMoved(_actor: DualActor, moment: string, { reason, barrier }: Section): void {
    this.told.push(`${moment}: ${reason}${barrier < 0 ? "" : ` ${barrier}`}`);
  }

  remember(): void {
    this.told.push("remember");
  }

  late(_actor: DualActor, barrier: number): void {
    this.told.push(`late for ${barrier}`);
  }

  rests(): void {
    this.told.push("rests");
  }

  // ── what happens to it ──

  open(): void {
    const lane = this.actor.nextLane++;
    const mailbox = aLane(this.type, lane);
    mailbox.owner = this.actor;
    this.actor.leases.push(new Lease(lane, mailbox, this.now));
  }

  receive(message: Message): void {
    this.actor.received(message, this.now);
  }

  /** One batch of this lane, from its beginning to its end. */
  run(lane: Mailbox): void {
    const batch = lane.take(10, 1_000);
    if (batch[0]?.mark?.critical) this.#critical(batch);
    else remember(lane, [...remembered(lane), ...batch.map(({ sequence }) => sequence)]);
    this.actor.batchFinished(lane, batch.length);
    if (!lane.finish()) this.actor.idle(lane, this.now);
  }

  #critical(batch: readonly Message[]): void {
    if (this.actor.phase.kind === "consolidating") return; // A merge: the part follows with the fold.
    this.seen.push({ texts: batch.map(textOf), base: remembered(this.actor.lessor) });
  }

  /** Lanes with something to do. */
  get busy(): Mailbox[] {
    return this.actor.lanes.filter(({ phase }) => phase.kind === "ready");
  }

  /** Runs whatever there is, until there is nothing. */
  work(): void {
    for (let [lane] = this.busy; lane; [lane] = this.busy) this.run(lane);
  }

  pass(barrier: number, ingress = "ex/in"): void {
    if (this.type.passed(ingress, barrier)) this.actor.next(this.now);
  }

  /** What it is told from here on. */
  tellAnew(): this {
    this.told = [];
    return this;
  }
}

function textOf({ argument }: Message): string {
  return Buffer.from(argument.value ?? []).toString();
}

function remembered({ memory }: Mailbox): number[] {
  return [...(memory.values[0] ?? [])];
}

function remember({ memory }: Mailbox, numbers: readonly number[]): void {
  memory.values[0] = numbers.length > 0 ? Uint8Array.from(numbers) : undefined;
}

/** An ordinary message of an upstream actor. */
function ordinary(caller: string, text = `${caller}'s`, after = -1): Message {
  return aMessage({ text, caller: address(caller, "up"), mark: after < 0 ? undefined : afterMark(after) });
}

function critical(caller: string, text: string, barrier = -1): Message {
  return aMessage({ text, caller: address(caller, "up"), mark: criticalMark(barrier, barrier < 0 ? "" : "s") });
}

/** A critical message of a window. */
function closing(caller: string, text: string, after: number, barrier = -1): Message {
  return aMessage({ text, caller: address(caller, "up"), mark: { ...criticalMark(barrier, "s"), after } });
}

const UP: readonly Channel[] = ["ex/up/a", "ex/up/b"];
const upstreams = [{ kind: "function", function: "ex/up", ids: ["a", "b"], count: undefined }] as const;

/** Waits for barriers of `ex/up/a` and `ex/up/b`. */
function aligningWorld(): World {
  return new World(aDualType({ series: "s", upstreams }));
}

/** Windows of the ingress `ex/in`, of which the third has ended. */
function windowedWorld(): World {
  const world = new World(aDualType({ series: "s" }, ["ex/in"]));
  world.pass(3);
  world.actor.done = 3;
  return world.tellAnew();
}

// ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────────

type Stand = ActorPhase["kind"] | "aligning";
type EventKind =
  | "ordinary message"
  | "ordinary message of channel a"
  | "ordinary message of a window that is not open yet"
  | "critical message alone"
  | "critical message by its typename"
  | "barrier of channel b"
  | "another barrier of channel a"
  | "late barrier"
  | "a lane becomes idle"
  | "all lanes become idle"
  | "another try of a merge"
  | "a window has passed"
  | "consolidation is asked for";
/** How it stands then, and what it has asked for. */
type Expected = readonly [stand: Stand, ...told: readonly string[]];

function standOf({ phase, alignment }: DualActor): Stand {
  return phase.kind === "runnable" && alignment.waiting ? "aligning" : phase.kind;
}

/** With three lessees, and in the first three something on every lane; aligning: channel a has shown barrier 5. */
const inStand: Record<Stand, () => World> = {
  runnable: () => {
    const world = new World(aDualType({ series: "s", critical: ["stop"] }, ["ex/in"]));
    world.pass(3);
    world.actor.done = 3;
    for (; world.lane < 4; world.lane++) world.receive(ordinary("x"));
    world.lane = 0;
    return world.tellAnew();
  },
  aligning: () => {
    const world = inStand.runnable();
    world.receive(critical("a", "a5", 5));
    return world.tellAnew();
  },
  draining: () => {
    const world = inStand.runnable();
    world.receive(critical("x", "alone"));
    return world.tellAnew();
  },
  consolidating: () => {
    const world = inStand.draining();
    world.merges = "by the function";
    for (const lane of world.busy) world.run(lane);
    return world.tellAnew();
  },
  critical: () => {
    const world = inStand.draining();
    for (const lane of world.busy) world.run(lane);
    return world.tellAnew();
  },
};

const happen: Record<EventKind, (world: World) => void> = {
  "ordinary message": (world) => world.receive(ordinary("b", "m")),
  "ordinary message of channel a": (world) => world.receive(ordinary("a", "m")),
  "ordinary message of a window that is not open yet": (world) => world.receive(ordinary("b", "m", 4)),
  "critical message alone": (world) => world.receive(critical("b", "m")),
  "critical message by its typename": (world) => world.receive(ordinary("b", "stop")),
  "barrier of channel b": (world) => world.receive(critical("b", "m", 5)),
  "another barrier of channel a": (world) => world.receive(critical("a", "m", 6)),
  "late barrier": (world) => world.receive(critical("b", "m", 3)),
  "a lane becomes idle": (world) => world.run(world.busy.at(-1) as Mailbox),
  "all lanes become idle": (world) => {
    for (const lane of world.busy) world.run(lane);
  },
  "another try of a merge": ({ actor, now }) => actor.mergeAgain(now),
  "a window has passed": (world) => world.pass(4),
  "consolidation is asked for": ({ actor, now }) => actor.consolidate("idle", now),
};

const UNCHANGED = {
  "another try of a merge": [],
  "a window has passed": [],
  "consolidation is asked for": [],
} as const;
/** A2. */
const HELD: Record<Extract<EventKind, `${string}message${string}` | `${string}barrier${string}`>, readonly string[]> = {
  "ordinary message": ["hold m"],
  "ordinary message of channel a": ["hold m"],
  "ordinary message of a window that is not open yet": ["hold m"],
  "critical message alone": ["hold m"],
  "critical message by its typename": ["hold stop"],
  "barrier of channel b": ["hold m"],
  "another barrier of channel a": ["hold m"],
  "late barrier": ["hold m"],
};
const ENDED = ["lease 1 ended: critical", "lease 2 ended: critical", "lease 3 ended: critical"];
const RELEASED: Expected = ["runnable", "remember", "release: critical", "rests"];

function staying<K extends EventKind>(stand: Stand, told: Record<K, readonly string[]>): Record<K, Expected> {
  const events = Object.keys(told) as K[];
  return Object.fromEntries(events.map((event): [K, Expected] => [event, [stand, ...told[event]]])) as Record<K, Expected>;
}

const table: Record<Stand, Record<EventKind, Expected>> = {
  runnable: {
    "ordinary message": ["runnable", "admit m"],
    "ordinary message of channel a": ["runnable", "admit m"],
    "ordinary message of a window that is not open yet": ["runnable", "hold m"],
    "critical message alone": ["draining", "block: critical"],
    "critical message by its typename": ["draining", "block: critical"],
    "barrier of channel b": ["aligning", "hold m", "block ex/up/b"],
    "another barrier of channel a": ["aligning", "hold m", "block ex/up/a"],
    "late barrier": ["draining", "late for 3", "block: critical"],
    "a lane becomes idle": ["runnable", "rests"],
    "all lanes become idle": ["runnable", "rests", "rests", "rests", "rests"],
    "another try of a merge": ["runnable"],
    "a window has passed": ["draining", "block: barrier 4"],
    "consolidation is asked for": ["draining", "block: idle"],
  },
  aligning: {
    "ordinary message": ["aligning", "admit m"],
    "ordinary message of channel a": ["aligning", "hold m"],
    "ordinary message of a window that is not open yet": ["aligning", "hold m"],
    "critical message alone": ["draining", "block: critical"],
    "critical message by its typename": ["draining", "block: critical"],
    "barrier of channel b": ["aligning", "hold m", "block ex/up/b"],
    "another barrier of channel a": ["aligning", "hold m"],
    "late barrier": ["draining", "late for 3", "block: critical"],
    "a lane becomes idle": ["aligning", "rests"],
    "all lanes become idle": ["aligning", "rests", "rests", "rests", "rests"],
    "another try of a merge": ["aligning"],
    // The smallest number of all: what has shown 5 has nothing for 4.
    "a window has passed": ["draining", "block: barrier 4"],
    "consolidation is asked for": ["draining", "block: idle"],
  },
  draining: {
    ...staying("draining", HELD),
    ...staying("draining", UNCHANGED),
    "a lane becomes idle": ["draining"],
    "all lanes become idle": [
      "critical",
      "consolidate",
      ...["merge 1 into 0", "merge 3 into 2", "merge 2 into 0"],
      ...ENDED,
      "critical: critical",
      "join alone on 0",
    ],
  },
  consolidating: {
    ...staying("consolidating", HELD),
    ...staying("consolidating", UNCHANGED),
    "a lane becomes idle": ["consolidating", "merge 3 into 2"],
    "all lanes become idle": ["consolidating", "merge 1 into 0", "merge 3 into 2", "join part 2 on 0"],
  },
  critical: {
    ...staying("critical", HELD),
    ...staying("critical", UNCHANGED),
    "a lane becomes idle": RELEASED,
    "all lanes become idle": RELEASED,
  },
};

describe.each(Object.keys(table) as Stand[])("an actor that is %s", (stand) => {
  test.each(Object.entries(table[stand]) as [EventKind, Expected][])("on %s: %s", (event, expected) => {
    const world = inStand[stand]();
    expect(standOf(world.actor)).toBe(stand);
    happen[event](world);
    expect([standOf(world.actor), ...world.told]).toEqual(expected);
  });
});

// ── sections ─────────────────────────────────────────────────────────────────────────────────────────────────────────

describe("DualActor", () => {
  it("A1, A3: what is critical sees on the lessor what all lanes have made, and of what came behind it nothing", () => {
    const world = aligningWorld();
    for (const sequence of [1, 2, 3]) {
      world.lane = sequence - 1;
      world.receive(aMessage({ sequence, caller: address("a", "up") }));
    }
    world.receive(critical("x", "stop"));
    world.receive(aMessage({ sequence: 4, caller: address("x", "up") }));
    world.work();
    expect(world.seen).toEqual([{ texts: ["stop"], base: [1, 2, 3] }]);
    expect(remembered(world.actor.lessor)).toEqual([1, 2, 3, 4]);
  });

  it("A3: all critical messages of a barrier are one batch, a window's end first, the others in the order of their channels", () => {
    const world = new World(aDualType({ series: "s", upstreams }, ["ex/in"]));
    world.actor.done = 3;
    world.receive(critical("b", "of b", 4));
    world.receive(critical("a", "of a", 4));
    expect(world.seen).toEqual([]);
    world.pass(4);
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([["end 4", "of a", "of b"]]);
    expect(world.actor.done).toBe(4);
  });

  it("B2: runs the smallest number; a channel with a larger one stays blocked, and numbers may be skipped", () => {
    const world = aligningWorld();
    world.receive(critical("a", "a7", 7));
    world.receive(ordinary("a", "behind a7"));
    world.receive(critical("b", "b2", 2));
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([["b2"]]);
    expect([world.actor.done, [...world.heads]]).toEqual([2, ["ex/up/a"]]);
    world.receive(critical("b", "b7", 7));
    expect(world.told).not.toContain("admit behind a7");
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([["b2"], ["a7", "b7"]]);
    expect([world.actor.done, [...world.heads], world.actor.holding]).toEqual([7, [], 0]);
    expect(world.told).toContain("admit behind a7");
  });

  it("a barrier that has been held is the head of its channel after the release, and the next section begins at once", () => {
    const world = aligningWorld();
    world.receive(critical("a", "a1", 1));
    world.receive(critical("a", "a2", 2));
    world.receive(critical("b", "b1", 1));
    world.receive(critical("b", "b2", 2));
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([
      ["a1", "b1"],
      ["a2", "b2"],
    ]);
  });

  it("A2: held messages enter again in the order they came, also when a new section begins meanwhile", () => {
    const world = aligningWorld();
    world.receive(critical("x", "1"));
    const arrivals = [
      ordinary("x", "2"),
      ordinary("y", "3"),
      critical("x", "4"),
      ordinary("y", "5"),
      critical("y", "6"),
      ordinary("x", "7"),
    ];
    for (const message of arrivals) world.receive(message);
    expect(world.actor.holding).toBe(6);
    world.work();
    const entered = world.told.filter((each) => /^(admit|join)/.test(each));
    expect(entered).toEqual(["join 1 on 0", "admit 2", "admit 3", "join 4 on 0", "admit 5", "join 6 on 0", "admit 7"]);
    expect([world.actor.holding, world.waiting.size]).toEqual([0, 0]);
  });

  it("A2: no barrier begins before all that was held is in again: what came with it runs with it", () => {
    const world = new World(aDualType({ series: "s" }));
    world.receive(critical("x", "stop"));
    for (const message of [critical("a", "a1", 1), ordinary("y", "m"), critical("b", "b1", 1)]) world.receive(message);
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([["stop"], ["a1", "b1"]]);
    expect(world.told.indexOf("admit m")).toBeLessThan(world.told.indexOf("block: barrier 1"));
  });

  it("counts its sections, and forgets with the release what held for one epoch (A5)", () => {
    const world = aligningWorld();
    world.lane = 1;
    world.receive(ordinary("x"));
    world.actor.pins.set("key", world.actor.leases[0]?.mailbox as Mailbox);
    world.actor.baseKeys = new Set(["other"]);
    world.actor.consolidate("policy", world.now);
    world.work();
    const { epoch, done, leases, pins, baseKeys, nextLane } = world.actor;
    expect({ epoch, done, leases, pins: pins.size, baseKeys, nextLane }).toEqual({
      epoch: 1,
      done: -1,
      leases: [],
      pins: 0,
      baseKeys: undefined,
      nextLane: 1,
    });
  });

  it("there is nothing to consolidate without lessees", () => {
    const world = aligningWorld();
    world.actor.consolidate("idle", world.now);
    expect([world.actor.phase.kind, world.told]).toEqual(["runnable", []]);
  });

  it("a section that ends leases alone is over when the parts are merged: nothing runs for it", () => {
    const world = inStand.runnable();
    world.work();
    world.tellAnew();
    world.actor.consolidate("idle", world.now);
    expect([standOf(world.actor), world.told.at(-1), world.seen]).toEqual(["runnable", "release: idle", []]);
  });

  it("a merge that fails leaves the actor as it stands, until another try has merged the rest", () => {
    const world = inStand.draining();
    world.merges = "not at all";
    for (const lane of world.busy) world.run(lane);
    world.receive(ordinary("x", "m"));
    world.actor.mergeAgain(world.now);
    expect(world.told).toEqual(["consolidate", "cannot be merged, attempt 1", "hold m", "cannot be merged, attempt 2"]);
    expect(standOf(world.actor)).toBe("consolidating");
    world.merges = "by the router";
    world.actor.mergeAgain(world.now);
    expect(standOf(world.actor)).toBe("critical");
    world.work();
    expect(world.told).toContain("admit m");
  });

  it("notes since when the steps of a section last: aligning, draining, consolidating, critical", () => {
    const world = aligningWorld();
    world.lane = 1;
    world.receive(ordinary("x"));
    world.merges = "by the function";
    const at = (now: number, what: () => void) => {
      world.now = now;
      what();
    };
    at(110, () => world.receive(critical("a", "a1", 1)));
    at(125, () => world.receive(critical("b", "b1", 1)));
    at(140, () => world.run(world.busy[0] as Mailbox));
    at(160, () => world.run(world.busy[0] as Mailbox));
    const { phase } = world.actor;
    expect(phase).toMatchObject({
      kind: "critical",
      section: { reason: "barrier", barrier: 1, sinceMs: 110, drainMs: 125, consolidateMs: 140, criticalMs: 160, leases: 1 },
    });
  });

  it("knows how long it is from one section to the next, and does not count those that only end idle leases", () => {
    const world = aligningWorld();
    for (const [now, caller] of [
      [1_000, "x"],
      [1_400, "y"],
    ] as const) {
      world.now = now;
      world.receive(critical(caller, "stop"));
      world.work();
    }
    world.open();
    world.now = 2_000;
    world.actor.consolidate("idle", world.now);
    expect([world.type.periodMs, world.actor.sectionMs]).toEqual([400, 1_400]);
  });

  it("knows since when a lessee has nothing to do", () => {
    const world = inStand.runnable();
    world.now = 250;
    world.run(world.actor.leases[1]?.mailbox as Mailbox);
    expect(world.actor.leases.map(({ idleSinceMs }) => idleSinceMs)).toEqual([100, 250, 100]);
  });

  it("a barrier whose number is done runs by itself and does not move the numbers back", () => {
    const world = aligningWorld();
    world.actor.done = 5;
    world.receive(critical("a", "a5", 5));
    world.work();
    expect([world.seen.length, world.actor.done, world.heads.size]).toEqual([1, 5, 0]);
    expect(world.told).toContain("late for 5");
  });

  it("a lone critical message passes a head of another channel, and waits behind one of its own", () => {
    const world = aligningWorld();
    world.receive(critical("a", "a1", 1));
    world.receive(critical("a", "behind"));
    world.receive(critical("x", "before"));
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([["before"]]);
    world.receive(critical("b", "b1", 1));
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([["before"], ["a1", "b1"], ["behind"]]);
  });
});

describe("channels that are learnt", () => {
  const learning = [{ kind: "function", function: "ex/up", ids: undefined, count: undefined }] as const;

  it("who has ever sent something is waited for, each written down once", () => {
    const world = new World(aDualType({ series: "s", upstreams: learning }));
    for (const id of ["a", "b", "a"]) world.receive(ordinary(id));
    world.receive(aMessage({ caller: address("c", "stranger") }));
    expect([...world.actor.seen]).toEqual(UP);
    expect(world.told.filter((each) => each === "remember")).toHaveLength(2);
    world.work();
    world.receive(critical("a", "a1", 1));
    expect(standOf(world.actor)).toBe("aligning");
    world.receive(critical("b", "b1", 1));
    expect(standOf(world.actor)).toBe("critical");
  });

  it("what was learnt, done and exported in a former life is known again", () => {
    const world = new World(aDualType({ series: "s", upstreams: learning }));
    const record = { epoch: 7, done: 4, seen: [...UP], policy: "{}" };
    world.actor.recall(record);
    expect(world.actor.record).toEqual(record);
    expect(world.actor.recorded).toBe(true);
    world.receive(critical("a", "a5", 5));
    expect(standOf(world.actor)).toBe("aligning");
  });
});

describe("windows", () => {
  it("those that pass while nobody is there are done together, without a section", () => {
    const world = windowedWorld();
    world.pass(9);
    expect([world.actor.done, world.told, world.seen]).toEqual([9, ["remember"], []]);
  });

  it("a message that waits for its window enters when all before are passed, without a section where nobody was there", () => {
    const world = windowedWorld();
    world.receive(ordinary("x", "of window 6", 6));
    world.receive(ordinary("x", "of window 5", 5));
    world.pass(5);
    expect(world.told.slice(2)).toEqual(["remember", "hold of window 6", "admit of window 5"]);
    expect(world.actor.done).toBe(5);
    world.pass(8);
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([["end 6"], ["end 7"], ["end 8"]]);
    expect(world.told.indexOf("admit of window 6")).toBeGreaterThan(world.told.indexOf("release: barrier 6"));
    expect(world.actor.done).toBe(8);
  });

  it("a message that has waited for its window counts for it, also when later windows have passed meanwhile", () => {
    const world = windowedWorld();
    world.receive(ordinary("x", "of window 6", 6));
    world.pass(9);
    world.work();
    expect(world.told.slice(0, 3)).toEqual(["hold of window 6", "remember", "admit of window 6"]);
    expect(world.seen.map(({ texts }) => texts)).toEqual([["end 7"], ["end 9"]]);
  });

  it("after a window in which nothing came those that follow end together; what came first ends its own", () => {
    const world = windowedWorld();
    world.receive(ordinary("x", "of window 3", 3));
    world.work();
    world.pass(7);
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([["end 4"], ["end 7"]]);
    expect(world.actor.done).toBe(7);
  });

  it("a section that ends no window leaves it open", () => {
    const world = windowedWorld();
    world.receive(ordinary("x", "of window 3", 3));
    world.receive(critical("x", "stop"));
    world.work();
    world.pass(6);
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([["stop"], ["end 4"], ["end 6"]]);
  });

  it("A6: a critical message that waits for its window lets pass what belongs to one before, and what comes behind it in its own does not pass", () => {
    const world = windowedWorld();
    world.receive(closing("a", "stop", 4));
    world.receive(ordinary("a", "of window 3", 3));
    world.receive(ordinary("a", "of window 4", 4));
    expect(world.told).toEqual(["hold stop", "admit of window 3", "hold of window 4"]);
    world.work();
    world.pass(4);
    world.work();
    const entered = world.told.filter((each) => /^(admit|join)/.test(each));
    expect(entered).toEqual(["admit of window 3", "join end 4 on 0", "join stop on 0", "admit of window 4"]);
  });

  it("A6: numbers of one channel do not overtake each other while one of them waits for its window", () => {
    const world = windowedWorld();
    world.receive(closing("a", "a5", 4, 5));
    world.receive(closing("a", "a6", 3, 6));
    world.receive(closing("b", "b5", 3, 5));
    world.receive(ordinary("a", "of window 3", 3));
    world.receive(ordinary("b", "behind b5", 3));
    expect([...world.heads]).toEqual(["ex/up/b"]);
    world.pass(6);
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([["end 4"], ["end 5", "a5", "b5"], ["end 6", "a6"]]);
    expect(world.told.filter((each) => each.startsWith("late"))).toEqual([]);
    expect([world.waiting.size, world.heads.size]).toEqual([0, 0]);
  });

  it("wait for upstreams, and the wait is told of with its beginning; the end that follows has a wait of its own", () => {
    const world = new World(aDualType({ series: "s", upstreams }, ["ex/in"]));
    world.actor.done = 3;
    world.receive(ordinary("x"));
    world.work();
    world.pass(4);
    world.now += 1_000;
    world.pass(5);
    expect(world.awaited).toEqual([
      [4, 100],
      [4, 100],
    ]);
    world.receive(critical("a", "a4", 4));
    world.receive(critical("b", "b5", 5));
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([["end 4", "a4"]]);
    expect(world.awaited.at(-1)).toEqual([5, 1_100]);
    world.receive(critical("a", "a5", 5));
    world.work();
    expect(world.actor.done).toBe(5);
    expect(world.actor.waitsSinceMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("do not wait for anybody where nothing is there that they could end", () => {
    const world = new World(aDualType({ series: "s", upstreams }, ["ex/in"]));
    world.actor.done = 3;
    world.pass(4);
    expect([world.awaited, world.actor.done]).toEqual([[], 3]);
  });

  it("end when all watermarked ingresses have passed them", () => {
    const world = new World(aDualType({ series: "s" }, ["ex/in", "ex/other"]));
    world.actor.done = 3;
    world.receive(ordinary("x"));
    world.work();
    world.pass(5, "ex/in");
    expect(world.seen).toEqual([]);
    world.pass(4, "ex/other");
    world.work();
    expect(world.seen.map(({ texts }) => texts)).toEqual([["end 4"]]);
  });
});

describe("G4: sub-keys with a lane", () => {
  it("are none after a section for them, which is there also without lessees, and holds what comes meanwhile", () => {
    const world = aligningWorld();
    world.receive(ordinary("x", "1"));
    world.actor.pins.set("key", world.actor.lessor);
    world.actor.baseKeys = new Set(["other"]);
    world.actor.consolidate("policy", world.now);
    world.receive(ordinary("x", "2"));
    expect([world.actor.phase.kind, world.actor.holding]).toEqual(["draining", 1]);
    world.work();
    expect([world.actor.phase.kind, world.actor.pins.size, world.actor.baseKeys]).toEqual(["runnable", 0, undefined]);
    expect(world.told.filter((each) => each.startsWith("admit"))).toEqual(["admit 1", "admit 2"]);
    world.tellAnew().actor.consolidate("policy", world.now);
    expect(world.told).toEqual([]);
  });
});

describe("what may be forgotten", () => {
  const forgettable = (change: (world: World) => void, type = aDualType({ series: "s", upstreams })) => {
    const world = new World(type);
    change(world);
    return world.actor.forgettable;
  };

  test.each<[string, boolean, (world: World) => void]>([
    ["nothing of it is there", true, () => {}],
    ["a message waits", false, (world) => world.receive(ordinary("x"))],
    ["a channel has a head", false, (world) => world.receive(critical("a", "a1", 1))],
    ["a message waits for its window", false, (world) => world.receive(ordinary("x", "m", 4))],
    ["a lessee is there", false, (world) => world.open()],
    ["something is remembered by its lessor, and barriers count", false, ({ actor }) => remember(actor.lessor, [1])],
    ["a critical message runs", false, (world) => world.receive(critical("x", "stop"))],
  ])("%s: %s", (_what, expected, change) => {
    expect(forgettable(change)).toBe(expected);
  });

  test.each<[string, boolean, () => World, number]>([
    ["has done no barrier and learnt no channel", false, aligningWorld, -1],
    ["knows its last barrier", true, aligningWorld, 3],
    ["knows it from its windows", false, windowedWorld, 3],
  ])("one that %s lingers first: %s", (_what, expected, make, done) => {
    const world = make();
    world.actor.done = done;
    expect([world.actor.forgettable, world.actor.lingers]).toEqual([true, expected]);
  });

  it("what an actor without barriers remembers stands in its state: the actor itself is not needed", () => {
    expect(forgettable(({ actor }) => remember(actor.lessor, [1]), aDualType())).toBe(true);
  });
});

// ── any order of events ──────────────────────────────────────────────────────────────────────────────────────────────

type Step =
  | {
      readonly from: "a" | "b" | "x";
      readonly what: "ordinary" | "barrier" | "alone";
      readonly lane: number;
      readonly gap: number;
    }
  | { readonly run: number }
  | { readonly merges: Merges }
  | "again"
  | "consolidate";

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      from: fc.constantFrom("a", "b", "x"),
      what: fc.constantFrom("ordinary", "ordinary", "barrier", "alone"),
      lane: fc.nat({ max: 3 }),
      gap: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ run: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ merges: fc.constantFrom<Merges>("by the router", "by the function", "not at all") }) },
  { weight: 1, arbitrary: fc.constant("again") },
  { weight: 1, arbitrary: fc.constant("consolidate") },
);

/** Plays a script, and to its end what it has left; gives what has come, in order. */
function play(world: World, script: readonly Step[]): Message[] {
  const came: Message[] = [];
  const numbers = { a: 0, b: 0 };
  const receive = (message: Message) => {
    came.push(message);
    world.receive(message);
  };
  const barrier = (from: "a" | "b", gap: number) => {
    numbers[from] += gap;
    receive(numbered(came.length, from, numbers[from]));
  };
  for (const each of script) {
    if (each === "again") world.actor.mergeAgain(world.now);
    else if (each === "consolidate") world.actor.consolidate("idle", world.now);
    else if ("merges" in each) world.merges = each.merges;
    else if ("run" in each) {
      const { busy } = world;
      if (busy.length > 0) world.run(busy[each.run % busy.length] as Mailbox);
    } else if (each.what === "barrier" && each.from !== "x") barrier(each.from, each.gap);
    else {
      world.lane = each.lane;
      receive(numbered(came.length, each.from, each.what === "alone" ? -1 : undefined));
    }
  }
  world.merges = "by the router";
  world.actor.mergeAgain(world.now);
  const last = Math.max(numbers.a, numbers.b) + 1;
  for (const from of ["a", "b"] as const) receive(numbered(came.length, from, last));
  world.work();
  return came;
}

/** `barrier` undefined: ordinary; -1: critical, alone. */
function numbered(sequence: number, from: string, barrier: number | undefined): Message {
  const mark = barrier === undefined ? undefined : criticalMark(barrier, barrier < 0 ? "" : "s");
  return aMessage({ sequence, text: String(sequence), caller: address(from, "up"), mark });
}

const isCritical = ({ mark }: Message) => mark?.critical === true;

test("A1, A2, B2: in any order of events a critical message sees exactly what came before it on its channel, and everything runs once", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (script) => {
      const world = aligningWorld();
      const came = play(world, script);
      const byText = new Map(came.map((message) => [textOf(message), message]));
      const ran = world.seen.flatMap(({ texts }) => texts);
      expect(ran.map(Number).sort((a, b) => a - b)).toEqual(came.filter(isCritical).map(({ sequence }) => sequence));
      for (const { texts, base } of world.seen) {
        for (const each of texts.map((text) => byText.get(text) as Message)) {
          const channel = world.channelOf(each);
          const ofChannel = came.filter((other) => !isCritical(other) && world.channelOf(other) === channel);
          const before = ofChannel.filter(({ sequence }) => sequence < each.sequence).map(({ sequence }) => sequence);
          expect(base.filter((sequence) => ofChannel.some((other) => other.sequence === sequence)).sort((a, b) => a - b)).toEqual(
            before,
          );
        }
      }
      const barriers = world.seen.map(({ texts }) => texts.map((text) => byText.get(text)?.mark?.barrier));
      const rising = barriers.flatMap(([first]) => (first !== undefined && first >= 0 ? [first] : []));
      expect(rising).toEqual([...new Set(rising)].sort((a, b) => a - b)); // Rising, and each of them once.
      for (const batch of barriers) expect(new Set(batch).size).toBe(1);
      world.actor.consolidate("idle", world.now);
      expect(remembered(world.actor.lessor).sort((a, b) => a - b)).toEqual(
        came.filter((each) => !isCritical(each)).map(({ sequence }) => sequence),
      );
      expect([world.waiting.size, world.heads.size, world.actor.holding]).toEqual([0, 0, 0]);
    }),
    { numRuns: 300 },
  );
});
