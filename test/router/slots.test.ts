import { Random } from "../../src/model/random";
import { AdaptiveSlots } from "../../src/router/slots";

type Spread = "fixed" | "exponential";

/** Serves so many requests at a time; those beyond wait in order, or are refused from some number in flight on. */
class Service {
  readonly #free: number[];
  /** More than this many in flight are refused. */
  bound = Number.POSITIVE_INFINITY;
  constructor(
    readonly random: Random,
    public servers: number,
    public meanMs: number,
    readonly spread: Spread,
  ) {
    this.#free = Array(servers).fill(0);
  }

  resize(servers: number, now: number): void {
    this.servers = servers;
    this.#free.length = 0;
    for (let i = 0; i < servers; i++) this.#free.push(now);
  }

  /** When the answer to a request sent now is there. */
  serve(size: number, now: number): number {
    const at = this.#free.indexOf(Math.min(...this.#free));
    const startMs = Math.max(now, this.#free[at] as number);
    const workMs = this.meanMs * size * (this.spread === "fixed" ? 1 : -Math.log(1 - this.random.next()));
    this.#free[at] = startMs + workMs;
    return startMs + workMs + 0.5; // The way there and back.
  }
}

interface Flight {
  readonly sentMs: number;
  readonly endMs: number;
  readonly size: number;
  readonly refused: boolean;
}

interface Stretch {
  readonly perSecond: number;
  readonly limit: number;
  readonly refused: number;
}

/** Keeps as many requests in flight as the slots allow, or as there are. */
class Client {
  now = 0;
  readonly #flights: Flight[] = [];
  constructor(
    readonly slots: AdaptiveSlots,
    readonly service: Service,
    readonly sizes: (random: Random) => number = () => 1,
  ) {}

  /** What this stretch of time saw: messages per second, the mean limit, refusals. */
  run(forMs: number, demand = Number.POSITIVE_INFINITY): Stretch {
    const fromMs = this.now;
    let [served, weighed, refused] = [0, 0, 0];
    while (this.now < fromMs + forMs) {
      while (this.#flights.length < Math.min(demand, this.slots.limitAt(this.now))) this.#send();
      const flight = this.#next();
      weighed += (flight.endMs - this.now) * this.slots.limitAt(this.now);
      this.now = flight.endMs;
      const { size, sentMs } = flight;
      const inFlight = this.#flights.length + 1;
      if (flight.refused) {
        refused++;
        this.slots.refused(sentMs, inFlight, undefined, this.now);
      } else {
        served += size;
        this.slots.served({ kind: this, size, sentMs, inFlight }, this.now);
      }
    }
    const tookMs = this.now - fromMs;
    return { perSecond: (served / tookMs) * 1000, limit: weighed / tookMs, refused };
  }

  #next(): Flight {
    let next = 0;
    for (const [at, flight] of this.#flights.entries()) if (flight.endMs < (this.#flights[next] as Flight).endMs) next = at;
    return this.#flights.splice(next, 1)[0] as Flight;
  }

  #send(): void {
    const { service, now } = this;
    const size = this.sizes(service.random);
    const refused = this.#flights.length >= service.bound;
    this.#flights.push({ sentMs: now, size, refused, endMs: refused ? now + 0.5 : service.serve(size, now) });
  }
}

const client = (servers: number, meanMs: number, spread: Spread, most = 1000) =>
  new Client(new AdaptiveSlots(most), new Service(new Random(servers * 1000 + meanMs), servers, meanMs, spread));

const CASES = [1, 2, 4, 16, 48].flatMap((servers) =>
  [10, 100].flatMap((meanMs) => (["fixed", "exponential"] as const).map((spread) => ({ servers, meanMs, spread }))),
);

/** What so many servers could do at best. */
const best = ({ service }: Client) => (service.servers / service.meanMs) * 1000;

test.each(CASES)("finds the capacity of $servers servers of $meanMs ms ($spread), and follows when it changes", (each) => {
  const found = client(each.servers, each.meanMs, each.spread);
  const check = ({ perSecond, limit }: Stretch): void => {
    const { servers } = found.service;
    expect(perSecond).toBeGreaterThan(0.75 * best(found));
    expect(limit).toBeGreaterThan(0.9 * servers);
    expect(limit).toBeLessThan(2.5 * servers + 5);
  };
  const windowMs = Math.max(50, (each.meanMs * Math.max(20, 4 * each.servers)) / each.servers);
  found.run(40 * windowMs);
  check(found.run(60 * windowMs));
  found.service.resize(Math.ceil(each.servers / 4), found.now);
  found.run(80 * windowMs);
  check(found.run(60 * windowMs));
  found.service.resize(each.servers, found.now);
  found.run(80 * windowMs);
  check(found.run(60 * windowMs));
});

test("a function that becomes slower for good is not mistaken for one that is overloaded", () => {
  const slower = client(16, 10, "exponential");
  slower.run(3_000);
  slower.service.meanMs = 50;
  slower.run(15_000);
  const { perSecond, limit } = slower.run(15_000);
  expect(perSecond).toBeGreaterThan(0.75 * best(slower));
  expect(limit).toBeLessThan(45);
});

test("batches of many messages take longer, which is no queue", () => {
  const service = new Service(new Random(5), 16, 2, "fixed");
  const mixed = new Client(new AdaptiveSlots(1000), service, (random) => (random.next() < 0.3 ? 32 : 1));
  mixed.run(5_000);
  const { perSecond, limit } = mixed.run(10_000);
  expect(perSecond).toBeGreaterThan(0.8 * best(mixed));
  expect(limit).toBeGreaterThan(14);
});

test("a service that refuses what is beyond its bound is used up to it, and rarely beyond", () => {
  const bounded = client(1_000, 20, "fixed");
  bounded.service.bound = 40;
  bounded.run(10_000);
  const { limit, perSecond, refused } = bounded.run(30_000);
  expect(limit).toBeGreaterThan(25);
  expect(limit).toBeLessThanOrEqual(44);
  expect(refused / (perSecond * 30)).toBeLessThan(0.005);
});

describe("A1", () => {
  test("begins with 8, or as many as there may be", () => {
    expect([new AdaptiveSlots(1000).limitAt(0), new AdaptiveSlots(3).limitAt(0)]).toEqual([8, 3]);
  });

  test("never more than the most, never less than one", () => {
    const most = client(100, 10, "fixed", 20);
    for (let i = 0; i < 200; i++) {
      most.run(10);
      expect(most.slots.limitAt(most.now)).toBeLessThanOrEqual(20);
    }
    expect(most.run(1_000).limit).toBeGreaterThan(18);
    for (let i = 0; i < 50; i++) most.slots.shrink(most.now + i, 20, most.now + i);
    expect(most.slots.limitAt(most.now + 50)).toBe(1);
  });

  test("does not grow where it was not reached, however quick the answers are", () => {
    const few = client(100, 10, "fixed");
    few.run(5_000, 5);
    expect(few.slots.limitAt(few.now)).toBeLessThanOrEqual(9);
    few.run(1_000);
    expect(few.slots.limitAt(few.now)).toBeGreaterThan(12);
  });
});

describe("a refusal", () => {
  test("shrinks the limit at once, and once for all that were sent before", () => {
    const slots = new AdaptiveSlots(1000);
    slots.refused(0, 8, undefined, 10);
    expect(slots.limitAt(10)).toBe(5);
    for (const sentMs of [0, 5, 9]) slots.refused(sentMs, 8, undefined, 11);
    expect(slots.limitAt(11)).toBe(5);
    slots.refused(12, 5, undefined, 14);
    expect(slots.limitAt(14)).toBe(3);
  });

  test("counts from what was in flight, not from what might have been", () => {
    const slots = new AdaptiveSlots(1000);
    slots.refused(0, 2, undefined, 10);
    expect(slots.limitAt(10)).toBe(1);
  });

  test("A2: with Retry-After lets nothing be sent before it, at most a minute", () => {
    const slots = new AdaptiveSlots(1000);
    expect(slots.refused(0, 8, 500, 10)).toBe(510);
    expect(slots.refused(0, 8, 100, 20)).toBe(510); // One that ends sooner does not shorten it.
    expect([slots.limitAt(10), slots.limitAt(509), slots.limitAt(510)]).toEqual([0, 0, 5]);
    expect(slots.refused(600, 5, 3_600_000, 700)).toBe(60_700);
  });
});
