import type { EndpointSpecification, FunctionSpecification } from "../../src/config/specification";
import type { Effects } from "../../src/effect";
import type { Event } from "../../src/event";
import { partitionOf } from "../../src/model/murmur2";
import { MeasureBook } from "../../src/observe/measure";
import { homeWorker } from "../../src/router/endpoint";
import type { Mailbox } from "../../src/router/mailbox";
import { type Endpoint, Router, type Worker } from "../../src/router/router";
import { StateStore } from "../../src/state/store";
import { address, aMessage } from "../support/messages";
import { applicationsOf, endpointSpecification, moduleSpecification } from "../support/module";

interface Running {
  readonly mailbox: Mailbox;
  readonly worker: Worker;
  readonly batch: ReturnType<Router["take"]>;
  readonly dispatchedMs: number;
  readonly attempt: number;
}

/** The router's side of a life: takes free slots as `Life.#fill` does, and answers as told. */
class Floor {
  readonly router: Router;
  readonly endpoint: Endpoint;
  readonly running: Running[] = [];
  readonly effects: Effects = [];
  readonly wakes: { atMs: number; worker: Worker }[] = [];
  now = 0;

  constructor(replicas: number, overrides: Partial<EndpointSpecification> = {}, dual = false) {
    const urls = Array.from({ length: replicas }, (_, at) => `http://r${at}/`);
    const functions = dual ? [DUAL] : [];
    const module = moduleSpecification({ endpoints: [endpointSpecification({ urls, concurrency: 2, ...overrides })], functions });
    const book = new MeasureBook();
    this.router = new Router(module, 8, new StateStore(), applicationsOf(module, { book }), book);
    this.router.wakeAt = (atMs, worker) => this.wakes.push({ atMs, worker });
    this.endpoint = this.router.endpoints[0] as Endpoint;
  }

  worker(at: number): Worker {
    return this.endpoint.workers[at] as Worker;
  }

  enqueue(...ids: string[]): Mailbox[] {
    return ids.map((id) => {
      const type = this.router.type("ex/fn");
      if (!type) throw new Error("not served");
      const mailbox = this.router.mailbox(type, id);
      this.router.enqueue(mailbox, aMessage({ target: address(id) }), this.now);
      return mailbox;
    });
  }

  /** "id@replica" of what begins now. */
  fill(): string[] {
    const begun: string[] = [];
    const { queues } = this.endpoint;
    for (let at = 0; at < queues.length; at++) {
      for (let worker = this.endpoint.freeWorker(at); worker; worker = this.endpoint.freeWorker(at)) {
        const mailbox = this.router.pick(worker, this.now);
        if (!mailbox) break;
        worker.began(this.now);
        const batch = this.router.take(mailbox, worker, this.now);
        const attempt = mailbox.phase.kind === "running" ? mailbox.phase.attempt : 0;
        this.running.push({ mailbox, worker, batch, dispatchedMs: this.now, attempt });
        begun.push(`${mailbox.address.id}@${worker.index}`);
      }
    }
    // R2: whatever this has moved, nothing waits where a slot is free.
    for (const { free, queue } of this.endpoint.workers) if (free && queue.length > 0) throw new Error("R2");
    return begun;
  }

  #end(id: string): Running {
    const at = this.running.findIndex(({ mailbox }) => mailbox.address.id === id);
    const [running] = this.running.splice(at, 1);
    if (at < 0 || !running) throw new Error(`${id} is not running`);
    running.worker.inFlight--;
    return running;
  }

  good(id: string): void {
    this.status(id, 200);
  }

  status(id: string, status: number, retryAfterMs?: number): void {
    const sent = this.running.find(({ mailbox }) => mailbox.address.id === id) as Running;
    const reply: Extract<Event, { kind: "invocation_replied" }> = {
      kind: "invocation_replied",
      invocation: 1,
      status,
      contentType: undefined,
      body: new Uint8Array(0),
      retryAfterMs,
    };
    sent.worker.replied(sent, reply, status === 200 ? "reply" : "failed", this.now, this.effects);
    const { mailbox, batch } = this.#end(id);
    if (status === 200) this.router.finished(mailbox, batch, 1, this.now);
    else this.router.failed(mailbox, batch, 1, this.now, this.now);
  }

  fail(id: string, failure?: "connection" | "timeout"): void {
    const sent = this.running.find(({ mailbox }) => mailbox.address.id === id) as Running;
    const event = { kind: "invocation_failed", invocation: 1, reason: "refused", ...(failure ? { failure } : {}) } as const;
    sent.worker.unanswered(sent, event, this.now, this.effects);
    const { mailbox, batch } = this.#end(id);
    this.router.failed(mailbox, batch, 1, this.now, this.now);
  }

  /** Three requests to it cannot be sent; what the others get meanwhile they do well. */
  lose(at: number): void {
    for (let lost = 0, i = 0; lost < 3; i++) {
      if (i === 100) throw new Error(`nothing comes to ${at}`);
      const id = `lost${at}-${i}`;
      if (this.endpoint.queues.length > 1 && homeWorker(id, this.endpoint.workers.length) !== at) continue;
      this.enqueue(id);
      for (const begun of this.fill()) {
        if (begun === `${id}@${at}`) lost++;
        if (begun === `${id}@${at}`) this.fail(id, "connection");
        else this.good(begun.split("@")[0] as string);
      }
    }
  }

  /** So many ids at home with this worker. */
  homed(at: number, count: number): string[] {
    const ids: string[] = [];
    for (let i = 0; ids.length < count; i++) if (homeWorker(`h${i}`, this.endpoint.workers.length) === at) ids.push(`h${i}`);
    return ids;
  }

  wake(atMs: number): void {
    this.now = atMs;
    for (const each of this.wakes.splice(0)) {
      if (each.atMs <= atMs) each.worker.woken(atMs);
      else this.wakes.push(each);
    }
  }

  get health(): string[] {
    return this.endpoint.workers.map(({ health }) => health);
  }
}

const DUAL: FunctionSpecification = {
  functions: [{ namespace: "ex", prefix: "", exact: false }],
  mode: "dual",
  maxLessees: 4,
  upstreams: [],
  critical: [],
  series: undefined,
  barrier: undefined,
  states: {},
};

const at = (begun: readonly string[], worker: number) => begun.filter((each) => each.endsWith(`@${worker}`)).length;

describe("W1: placement any", () => {
  test("gives the next to whoever has least to do, by turns among equals, within each one's slots", () => {
    const floor = new Floor(3);
    floor.enqueue("a", "b", "c", "d", "e", "f", "g");
    expect(floor.fill()).toEqual(["a@0", "b@1", "c@2", "d@0", "e@1", "f@2"]);
    floor.good("e");
    expect(floor.fill()).toEqual(["g@1"]);
    for (const id of ["a", "d", "c"]) floor.good(id);
    floor.enqueue("h", "i", "j");
    expect(floor.fill()).toEqual(["h@0", "i@2", "j@0"]);
    expect([floor.endpoint.slots, floor.endpoint.inFlight, floor.endpoint.queued]).toEqual([6, 6, 0]);
  });

  test("goes on in turn when each has ended before the next comes", () => {
    const floor = new Floor(3);
    const seen: string[] = [];
    for (const id of ["a", "b", "c", "d"]) {
      floor.enqueue(id);
      seen.push(...floor.fill());
      floor.good(id);
    }
    expect(seen).toEqual(["a@0", "b@1", "c@2", "d@0"]);
  });

  test("looking for work where there is none takes nobody's turn", () => {
    const floor = new Floor(2);
    for (let i = 0; i < 3; i++) floor.fill();
    floor.enqueue("a");
    expect(floor.fill()).toEqual(["a@0"]);
  });

  test("a batch that failed may be tried elsewhere", () => {
    const floor = new Floor(2);
    const [a] = floor.enqueue("a") as [Mailbox];
    expect(floor.fill()).toEqual(["a@0"]);
    floor.fail("a", "connection");
    floor.router.rested(a, 0);
    expect(floor.fill()).toEqual(["a@1"]);
  });
});

describe("W2: placement home", () => {
  const ids = Array.from({ length: 60 }, (_, i) => `id${i}`);

  test("an address runs where its hash says, and nowhere else", () => {
    const floor = new Floor(3, { placement: "home", concurrency: 60 });
    floor.enqueue(...ids);
    const begun = floor.fill();
    expect(begun.sort()).toEqual(ids.map((id) => `${id}@${homeWorker(id, 3)}`).sort());
    for (let i = 0; i < 3; i++) expect(at(begun, i)).toBeGreaterThan(10);
  });

  test("it waits for its worker though others are free", () => {
    const floor = new Floor(2, { placement: "home", concurrency: 1 });
    const [one, two] = floor.homed(1, 2) as [string, string];
    floor.enqueue(one, two);
    expect([floor.fill(), floor.endpoint.queued]).toEqual([[`${one}@1`], 1]);
    floor.good(one);
    expect(floor.fill()).toEqual([`${two}@1`]);
  });

  test("a home is found as Kafka's default partitioner finds a key's partition", () => {
    for (const id of ["", "a", "é", "\u{1f600}"]) expect(homeWorker(id, 7)).toBe(partitionOf(Buffer.from(id, "utf8"), 7));
    expect(new Set(ids.map((id) => homeWorker(id, 5)))).toEqual(new Set([0, 1, 2, 3, 4]));
  });
});

describe("W3: a replica that fails", () => {
  test("is given nothing while others are well, then one invocation; an answer brings it back", () => {
    const floor = new Floor(2);
    floor.lose(0);
    expect(floor.health).toEqual(["avoided", "well"]);
    floor.enqueue("a", "b", "c");
    expect(floor.fill()).toEqual(["a@1", "b@1"]);
    expect(floor.wakes).toEqual([{ atMs: 1_000, worker: floor.worker(0) }]);
    floor.wake(1_000);
    floor.enqueue("d");
    expect([floor.fill(), floor.health, floor.endpoint.queued]).toEqual([["c@0"], ["probing", "well"], 1]);
    floor.good("c");
    expect([floor.fill(), floor.health]).toEqual([["d@0"], ["well", "well"]]);
    const reports = floor.effects.map((effect) => (effect.kind === "report" ? `${effect.level}: ${effect.text}` : effect.kind));
    expect(reports).toEqual([
      "warn: endpoint ex/*: replica http://r0/ is avoided for 1000 ms: refused; 1 of 2 replicas are well",
      "info: endpoint ex/*: replica http://r0/ answers again; 2 of 2 replicas are well",
    ]);
  });

  test("is left alone twice as long when the probe fails", () => {
    const floor = new Floor(2);
    floor.lose(0);
    floor.wake(1_000);
    floor.enqueue("a", "b", "c");
    const probes = floor.fill().filter((each) => each.endsWith("@0"));
    expect(probes).toHaveLength(1);
    floor.fail(probes.join().slice(0, 1), "timeout");
    expect([floor.health[0], floor.wakes.map(({ atMs }) => atMs)]).toEqual(["avoided", [3_000]]);
  });

  test("with none well all are tried, as if nothing were known", () => {
    const floor = new Floor(2);
    floor.lose(0);
    floor.lose(1);
    expect(floor.health).toEqual(["avoided", "avoided"]);
    floor.enqueue("a", "b", "c", "d");
    expect(floor.fill().sort()).toEqual(["a@0", "b@1", "c@0", "d@1"].sort());
    floor.good("b"); // Now there is one to turn to.
    floor.enqueue("e", "f");
    expect([floor.fill(), floor.health]).toEqual([["e@1"], ["avoided", "well"]]);
    expect(floor.effects.at(1)).toMatchObject({ text: expect.stringContaining("no replica is well, so all are tried") });
  });

  test("an only replica is not judged: there is nobody to turn to", () => {
    const floor = new Floor(1);
    floor.enqueue("a", "b", "c");
    for (const id of ["a", "b", "c"]) {
      floor.fill();
      floor.fail(id, "connection");
    }
    expect([floor.health, floor.effects, floor.wakes, floor.worker(0).slots]).toEqual([["well"], [], [], 2]);
  });

  test.each<[string, (floor: Floor, id: string) => void, string]>([
    ["refused or lost connections", (floor, id) => floor.fail(id, "connection"), "avoided"],
    ["requests without reply", (floor, id) => floor.fail(id, "timeout"), "avoided"],
    ["errors of three batches", (floor, id) => floor.status(id, 500), "avoided"],
    ["a gateway that reaches nobody", (floor, id) => floor.status(id, 502), "avoided"],
    ["no service", (floor, id) => floor.status(id, 503), "avoided"],
    ["no service for a while: it is there, and busy", (floor, id) => floor.status(id, 503, 100), "well"],
    ["too many requests", (floor, id) => floor.status(id, 429), "well"],
    ["replies that are too large, or no request at all", (floor, id) => floor.fail(id), "well"],
    ["a function that is not there", (floor, id) => floor.status(id, 404), "well"],
  ])("%s", (_what, answer, expected) => {
    const floor = new Floor(2, { placement: "home", concurrency: 10 });
    const ids = floor.homed(0, 3);
    floor.enqueue(...ids);
    floor.fill();
    for (const id of ids) answer(floor, id);
    expect(floor.health).toEqual([expected, "well"]);
  });

  test("one batch that fails again and again is its own fault, not the replica's", () => {
    const floor = new Floor(2, { placement: "home" });
    const [id] = floor.homed(0, 1) as [string];
    const [mailbox] = floor.enqueue(id) as [Mailbox];
    for (let i = 0; i < 10; i++) {
      floor.fill();
      floor.status(id, 500);
      floor.router.rested(mailbox, 0);
    }
    expect(floor.health).toEqual(["well", "well"]);
  });

  describe("in placement home", () => {
    const away = (replicas: number, concurrency = 100) => {
      const floor = new Floor(replicas, { placement: "home", concurrency });
      return { floor, ids: floor.homed(0, 40) };
    };

    test("those it is home to are shared by the others, and go home after", () => {
      const { floor, ids } = away(3);
      floor.lose(0);
      floor.enqueue(...ids);
      const begun = floor.fill();
      expect([at(begun, 0), at(begun, 1) + at(begun, 2)]).toEqual([0, 40]);
      expect(Math.min(at(begun, 1), at(begun, 2))).toBeGreaterThan(8);
      floor.wake(1_000);
      for (const id of ids) {
        floor.enqueue(id);
        floor.good(id);
      }
      const second = floor.fill(); // One of them goes home to see.
      expect([at(second, 0), second.length]).toEqual([1, 40]);
      const [probe] = second.filter((each) => each.endsWith("@0")).map((each) => each.slice(0, -2)) as [string];
      floor.good(probe);
      for (const id of ids) {
        floor.enqueue(id);
        if (id !== probe) floor.good(id);
      }
      expect(floor.fill().every((each) => each.endsWith("@0"))).toBe(true);
    });

    test("what waits for it when it is given up does not wait any longer", () => {
      const { floor, ids } = away(2, 3);
      floor.enqueue(...ids.slice(0, 6));
      expect([floor.fill().length, floor.worker(0).queue.length]).toEqual([3, 3]);
      for (const id of ids.slice(0, 3)) floor.fail(id, "connection");
      expect([floor.worker(0).queue.length, floor.worker(1).queue.length]).toEqual([0, 3]);
      expect(floor.fill()).toEqual(ids.slice(3, 6).map((id) => `${id}@1`));
    });

    test("with none well each is tried at home; when one comes back, it serves them all", () => {
      const { floor, ids } = away(2, 1);
      const others = floor.homed(1, 3);
      floor.lose(0);
      floor.lose(1);
      floor.enqueue(...ids.slice(0, 2), ...others.slice(0, 2));
      expect(floor.fill().sort()).toEqual([`${ids[0]}@0`, `${others[0]}@1`].sort());
      floor.good(others[0] as string);
      expect(floor.worker(0).queue.length).toBe(0);
      expect(floor.fill()).toHaveLength(1);
      expect([floor.worker(0).slots, floor.worker(1).queue.length]).toEqual([0, 1]);
    });

    test("what a queue has to do goes with those that leave it", () => {
      const floor = new Floor(2, { placement: "home", concurrency: 3 }, true);
      const ids = floor.homed(0, 9);
      const [first, second] = floor.endpoint.queues.map(({ load }) => load);
      const type = floor.router.type("ex/fn");
      if (!type || !first || !second) throw new Error("no load is kept");
      type.costMs = 8;
      const mailboxes = floor.enqueue(...ids);
      expect([first.waitMs(0), second.waitMs(0)]).toEqual([24, 0]); // Nine messages of 8 ms for three slots.
      expect(floor.fill()).toHaveLength(3);
      for (const id of ids.slice(0, 3)) floor.fail(id, "connection");
      expect([first.waitMs(0), second.waitMs(0)]).toEqual([0, 16]);
      floor.enqueue(ids[0] as string); // It rests: this waits behind what failed, at home.
      expect([first.waitMs(0), second.waitMs(0)]).toEqual([8, 16]);
      for (const mailbox of mailboxes.slice(0, 3)) floor.router.rested(mailbox, 0);
      expect([first.waitMs(0), second.waitMs(0)]).toEqual([0, (10 * 8) / 3]);
      while (floor.fill().length > 0) for (const { mailbox } of [...floor.running]) floor.good(mailbox.address.id);
      expect([first.waitMs(0), second.waitMs(0)]).toEqual([0, 0]);
    });
  });
});

describe("adaptive slots", () => {
  test("begin small, shrink when refused, and wait for the instant of a Retry-After", () => {
    const floor = new Floor(1, { adaptive: true, concurrency: 100 });
    floor.enqueue(...Array.from({ length: 20 }, (_, i) => `a${i}`));
    expect(floor.fill()).toHaveLength(8);
    floor.now = 5;
    floor.status("a0", 429, 700);
    floor.good("a1");
    expect([floor.fill(), floor.worker(0).slots, floor.wakes.map(({ atMs }) => atMs)]).toEqual([[], 0, [705]]);
    for (let i = 2; i < 8; i++) floor.good(`a${i}`);
    expect(floor.fill()).toEqual([]);
    floor.wake(705);
    expect(floor.fill()).toHaveLength(5);
  });

  test("one replica's rest is not the others'", () => {
    const floor = new Floor(2, { adaptive: true, concurrency: 100 });
    floor.enqueue(...Array.from({ length: 30 }, (_, i) => `a${i}`));
    expect(floor.fill()).toHaveLength(16);
    const { mailbox } = floor.running[0] as Running;
    floor.status(mailbox.address.id, 503, 700);
    expect([floor.worker(0).slots, floor.worker(1).slots, floor.health]).toEqual([0, 8, ["well", "well"]]);
  });

  test("shrink when a reply does not come in time, not when a connection is lost", () => {
    const floor = new Floor(1, { adaptive: true, concurrency: 100 });
    floor.enqueue(...Array.from({ length: 8 }, (_, i) => `a${i}`));
    floor.fill();
    floor.fail("a0", "connection");
    expect(floor.worker(0).slots).toBe(8);
    floor.fail("a1", "timeout");
    expect(floor.worker(0).slots).toBeLessThan(8);
  });

  test("fixed slots stay, whatever is answered", () => {
    const floor = new Floor(1, { concurrency: 4 });
    floor.enqueue("a", "b", "c");
    floor.fill();
    floor.status("a", 429, 700);
    floor.status("b", 503);
    floor.fail("c", "timeout");
    expect([floor.worker(0).slots, floor.wakes]).toEqual([4, []]);
  });
});
