import * as fc from "fast-check";
import type { Message } from "../../src/model/message";
import type { Mailbox } from "../../src/router/mailbox";
import { type Endpoint, type FunctionType, type Load, Router, type Worker } from "../../src/router/router";
import { StateStore } from "../../src/state/store";
import { functionSpecification } from "../support/dual";
import { address, aMessage } from "../support/messages";
import { applicationSpecification, applicationsOf, endpointSpecification, moduleSpecification } from "../support/module";

const SLOTS = 2;
/** Of an SLO of 200 ms. */
const MARGIN_MS = 50;
const COST_MS = 0.25;

/** One run queue with two slots, through the router that keeps its load. Costs are quarters of a ms: sums of any order are exact. */
class World {
  readonly router: Router;
  readonly running = new Map<Mailbox, readonly Message[]>();
  readonly #sequence = { next: 1 };
  now = 1_000;

  constructor(policy: "edf" | "fifo" = "edf") {
    const module = moduleSpecification({
      endpoints: [endpointSpecification({ concurrency: SLOTS, maxNumBatchRequests: 3 })],
      applications: [applicationSpecification({ policy, params: { margin: 0.25 } })],
      functions: [functionSpecification()],
    });
    this.router = new Router(module, 2, new StateStore(), applicationsOf(module));
    this.type.costMs = COST_MS;
  }

  get type(): FunctionType {
    return this.router.type("ex/fn") as FunctionType;
  }

  get load(): Load {
    return this.endpoint.queues[0]?.load as Load;
  }

  get endpoint(): Endpoint {
    return this.router.endpoints[0] as Endpoint;
  }

  lane(id: number): Mailbox {
    return this.router.mailbox(this.type, String(id));
  }

  get lanes(): Mailbox[] {
    return [...this.type.mailboxes.values()];
  }

  /** No two start at latest at one instant, so that there is one order. */
  message(startMs: number, costMs: number): Message {
    const sequence = this.#sequence.next++;
    const deadlineMs = startMs + sequence / 1_024 + costMs + MARGIN_MS;
    const message = Object.assign(aMessage({ target: address("a"), sequence, deadlineMs }), { application: 1, costMs });
    message.rank = deadlineMs;
    return message;
  }

  join(id: number, message: Message): void {
    this.router.join(this.lane(id), message, this.now);
  }

  run(): void {
    const worker = this.endpoint.freeWorker(0) as Worker | undefined;
    const lane = worker && this.router.pick(worker, this.now);
    if (!worker || !lane) return;
    worker.began(this.now);
    this.running.set(lane, this.router.take(lane, worker, this.now));
  }

  end(which: number, ok: boolean): void {
    const [lane, batch] = [...this.running][which % Math.max(1, this.running.size)] ?? [];
    if (!lane || !batch) return;
    this.running.delete(lane);
    (this.endpoint.workers[0] as Worker).inFlight--;
    if (ok) this.router.finished(lane, batch, 1, this.now);
    else this.router.failed(lane, batch, 1, this.now + 5, this.now);
    this.type.costMs = COST_MS; // As before: a mean would not be exact.
  }

  rested(which: number): void {
    const resting = this.lanes.filter(({ phase }) => phase.kind === "resting");
    const lane = resting[which % Math.max(1, resting.length)];
    if (lane) this.router.rested(lane, this.now);
  }

  move(which: number, to: number): void {
    const all = this.lanes.flatMap((lane) => [...lane.messages()].map((message) => ({ lane, message })));
    const chosen = all[which % Math.max(1, all.length)];
    if (chosen && chosen.lane !== this.lane(to)) this.router.move(chosen.message, chosen.lane, this.lane(to), this.now);
  }
}

/** SCHEDULING.md 3.2 from the mailboxes alone, anew for each question. */
class Plain {
  readonly waiting: readonly Message[];
  readonly busyMs: number;

  constructor(private readonly world: World) {
    this.waiting = world.lanes.flatMap(waitingOf).sort((one, other) => startOf(one) - startOf(other));
    const ends = [...world.running.keys()].map(({ expectedMs }) => expectedMs);
    this.busyMs = ends.length < SLOTS ? 0 : Math.max(0, sum(ends) / ends.length - world.now) / SLOTS;
  }

  get waitMs(): number {
    return this.busyMs + sum(this.waiting.map(({ costMs }) => costMs)) / SLOTS;
  }

  #startsMs(message: Message): number {
    const before = this.waiting.slice(0, this.waiting.indexOf(message));
    return this.world.now + this.busyMs + sum(before.map(({ costMs }) => costMs)) / SLOTS;
  }

  get late(): Message[] {
    return this.waiting.filter((message) => this.#startsMs(message) > startOf(message));
  }

  feasible(message: Message): boolean {
    const before = this.waiting.filter((each) => startOf(each) <= startOf(message));
    const ownMs = this.world.now + this.busyMs + sum(before.map(({ costMs }) => costMs)) / SLOTS;
    if (ownMs > startOf(message)) return false;
    const behind = this.waiting.filter((each) => startOf(each) > startOf(message));
    return behind.every((each) => {
      const startsMs = this.#startsMs(each);
      return startsMs > startOf(each) || startsMs + message.costMs / SLOTS <= startOf(each);
    });
  }
}

/** What is in flight, or rests until it is sent again as it was, does not wait for a slot. */
function waitingOf(lane: Mailbox): Message[] {
  const { phase } = lane;
  const away = phase.kind === "running" || phase.kind === "resting" ? phase.batch : 0;
  return [...lane.messages()].slice(away);
}

const startOf = ({ deadlineMs, costMs }: Message) => deadlineMs - costMs - MARGIN_MS;
const sum = (numbers: readonly number[]) => numbers.reduce((one, other) => one + other, 0);

const cost = fc.integer({ min: 1, max: 40 }).map((quarters) => quarters / 4);
const start = fc.integer({ min: 990, max: 1_060 });
const lane = fc.nat({ max: 3 });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("join" as const), lane, start, cost }) },
  { weight: 5, arbitrary: fc.constant({ do: "run" as const }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("end" as const), which: fc.nat(), ok: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("rested" as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("move" as const), which: fc.nat(), lane }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("ask" as const), start, cost, most: fc.nat({ max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("later" as const), quarters: fc.nat({ max: 20 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function take(world: World, each: Exclude<Step, { do: "ask" }>): void {
  switch (each.do) {
    case "join":
      return world.join(each.lane, world.message(each.start, each.cost));
    case "run":
      return world.run();
    case "end":
      return world.end(each.which, each.ok);
    case "rested":
      return world.rested(each.which);
    case "move":
      return world.move(each.which, each.lane);
    case "later":
      world.now += each.quarters / 4;
  }
}

/** Would be late anywhere: asking for it builds the index. */
const hopeless = (world: World) => world.message(0, 1);

describe("Load", () => {
  it("answers as a count of all that waits does, whatever joins, runs, fails, rests and moves", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (script) => {
        const world = new World();
        const { load } = world;
        for (const each of script) {
          if (each.do !== "ask") take(world, each);
          else {
            const plain = new Plain(world);
            const message = world.message(each.start, each.cost);
            expect(load.feasible(message, world.now)).toBe(plain.feasible(message));
            expect(load.feasible(hopeless(world), world.now)).toBe(false);
            const late = load.late(world.now, each.most).map((waiting) => waiting.message.sequence);
            expect(late).toEqual(plain.late.slice(0, each.most).map(({ sequence }) => sequence));
          }
          const plain = new Plain(world);
          expect([load.waitMs(world.now), load.busyMs(world.now)]).toEqual([plain.waitMs, plain.busyMs]);
          for (const mailbox of world.lanes) {
            expect(mailbox.backlogMs).toBe(sum(waitingOf(mailbox).map(({ costMs }) => costMs)));
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  it("what rests until it is sent again does not wait for a slot meanwhile, and counts once when it does again", () => {
    const world = new World();
    for (let i = 0; i < 4; i++) world.join(0, world.message(1_001 + i, 4));
    world.run();
    world.end(0, false);
    world.load.feasible(hopeless(world), world.now); // Here the index is built.
    const late = () => world.load.late(world.now + 100, 9).map(({ message: { sequence } }) => sequence);
    expect(late()).toEqual([4]);
    world.rested(0);
    expect(late()).toEqual([1, 2, 3, 4]);
    world.run();
    expect(late()).toEqual([4]);
  });

  it("tells with each late message the lane in which it waits", () => {
    const world = new World();
    for (const id of [0, 1, 2]) world.join(id, world.message(1_001, 4));
    expect(world.load.late(world.now, 9)).toEqual([]); // Nobody has asked yet whether there is room.
    world.load.feasible(hopeless(world), world.now);
    expect(
      world.load.late(world.now, 9).map(
        ({
          lane: {
            address: { id },
          },
        }) => id,
      ),
    ).toEqual(["1", "2"]);
  });

  it("first come, first served: a message starts behind all that is there, and nothing is told to be late", () => {
    const world = new World("fifo");
    for (const id of [0, 1]) world.join(id, world.message(2_000, 10));
    expect(world.load.feasible(world.message(1_010, 4), world.now)).toBe(true);
    expect(world.load.feasible(world.message(1_009, 4), world.now)).toBe(false);
    expect(world.load.late(world.now + 5_000, 9)).toEqual([]);
  });

  it("without slots nothing is in time that needs one: what waits is counted as for one", () => {
    const world = new World();
    world.join(0, world.message(1_001, 8));
    (world.endpoint.workers[0] as Worker).slots = 0;
    expect(world.load.waitMs(world.now)).toBe(8);
  });

  it("is kept only where actors may be split", () => {
    const module = moduleSpecification({ functions: [functionSpecification({ maxLessees: 0 })] });
    const router = new Router(module, 2, new StateStore(), applicationsOf(module));
    expect(router.endpoints[0]?.queues[0]?.load).toBeUndefined();
  });
});
