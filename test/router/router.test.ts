import type { EndpointSpecification } from "../../src/config/specification";
import { partitionOf } from "../../src/model/murmur2";
import { MeasureBook } from "../../src/observe/measure";
import type { FunctionType } from "../../src/router/function-type";
import type { Mailbox } from "../../src/router/mailbox";
import type { Runnable, RunQueue } from "../../src/router/policy/policy";
import { type Endpoint, endpointOf, Router, type Worker } from "../../src/router/router";
import { StateStore } from "../../src/state/store";
import { address, aMessage } from "../support/messages";
import { applicationsOf, endpointSpecification, moduleSpecification } from "../support/module";

function aRouter(overrides: Partial<EndpointSpecification> = {}): { router: Router; store: StateStore; book: MeasureBook } {
  const store = new StateStore();
  const module = moduleSpecification({ endpoints: [endpointSpecification(overrides)] });
  const book = new MeasureBook();
  return { router: new Router(module, 8, store, applicationsOf(module, { book }), book), store, book };
}

function typeOf(router: Router, typename = "ex/fn"): FunctionType {
  const type = router.type(typename);
  if (!type) throw new Error(`${typename} is not served`);
  return type;
}

function endpointAt(router: Router, index = 0): Endpoint {
  const endpoint = router.endpoints[index];
  if (!endpoint) throw new Error(`no endpoint ${index}`);
  return endpoint;
}

function enqueue(router: Router, id: string, bytes = 1): Mailbox {
  const mailbox = router.mailbox(typeOf(router), id);
  router.enqueue(mailbox, aMessage({ target: address(id), bytes }), 0);
  return mailbox;
}

/** Picks and takes as the engine does. */
function run(router: Router): Mailbox | undefined {
  const worker = endpointAt(router).freeWorker(0);
  const mailbox = worker && router.pick(worker, 0);
  if (!worker || !mailbox) return undefined;
  worker.inFlight++;
  router.take(mailbox, worker, 0);
  return mailbox;
}

function end(router: Router, mailbox: Mailbox, ok: boolean): void {
  const batch = [...mailbox.messages()].slice(0, mailbox.phase.kind === "running" ? mailbox.phase.batch : 0);
  (endpointAt(router).workers[0] as Worker).inFlight--;
  if (ok) router.finished(mailbox, batch, 4, 0);
  else router.failed(mailbox, batch, 4, 100, 0);
}

describe("who serves a function", () => {
  const endpoints = [
    endpointSpecification({ id: "ex/*", functions: [{ namespace: "ex", name: undefined }] }),
    endpointSpecification({ id: "ex/fn", functions: [{ namespace: "ex", name: "fn" }] }),
    endpointSpecification({ id: "shop/cart", functions: [{ namespace: "shop", name: "cart" }] }),
  ];

  test.each([
    ["ex", "fn", 1],
    ["ex", "other", 0],
    ["shop", "cart", 2],
    ["shop", "other", -1],
    ["nobody", "fn", -1],
  ])("%s/%s: endpoint %i (a specific entry beats the wildcard)", (namespace, name, expected) => {
    expect(endpointOf(endpoints, namespace, name)).toBe(expected);
  });
});

describe("Router", () => {
  it("knows no function type that is not served, and makes up none from odd names", () => {
    const { router } = aRouter();
    for (const name of ["shop/cart", "ex", "ex/", "/fn", "ex/fn/x", "", "ex/a\0b"]) expect(router.type(name)).toBeUndefined();
    expect(router.functionTypes).toEqual([]);
    expect(typeOf(router)).toBe(typeOf(router));
  });

  it("does not grow with the unserved names that functions invent, and goes on serving", () => {
    const { router } = aRouter();
    for (let i = 0; i < 10_500; i++) router.type(`nobody/f${i}`);
    expect(router.type("ex/late")).toBe(router.type("ex/late"));
    expect(router.type("ex/late")).toBeDefined();
  });

  it("finds the home shard as Kafka's default partitioner finds a key's partition", () => {
    const { router } = aRouter();
    for (const id of ["", "a", "é", "\u{1f600}", "a\0b"]) expect(router.homeOf(id)).toBe(partitionOf(Buffer.from(id, "utf8"), 8));
    expect(router.mailbox(typeOf(router), "é").memory.shard).toBe(router.homeOf("é"));
  });

  it("R1: never has more requests in flight than the endpoint's concurrency", () => {
    const { router } = aRouter({ concurrency: 2 });
    for (const id of ["a", "b", "c"]) enqueue(router, id);
    const first = run(router);
    expect([first?.address.id, run(router)?.address.id, run(router)]).toEqual(["a", "b", undefined]);
    if (first) end(router, first, true);
    expect(run(router)?.address.id).toBe("c");
  });

  it("R2: a ready mailbox stands in the run queue once, a running or resting one not at all", () => {
    const { router } = aRouter();
    const endpoint = endpointAt(router);
    const mailbox = enqueue(router, "a");
    enqueue(router, "a");
    expect(endpoint.queued).toBe(1);
    run(router);
    enqueue(router, "a");
    expect(endpoint.queued).toBe(0);
    end(router, mailbox, false);
    enqueue(router, "a");
    expect(endpoint.queued).toBe(0);
    router.rested(mailbox, 100);
    expect(endpoint.queued).toBe(1);
    run(router);
    end(router, mailbox, true);
    expect(endpoint.queued).toBe(1); // What came while it rested.
  });

  it("drops an activation that holds nothing, and keeps one that remembers", () => {
    const { router, store } = aRouter();
    const type = typeOf(router);
    type.states.declare({ name: "s", typename: "ex/t", expireMode: "none", expireAfterMs: 0 });
    const forgetful = enqueue(router, "forgetful");
    const keeper = enqueue(router, "keeper");
    store.place(keeper.memory, 0, Uint8Array.of(1));
    for (let i = 0; i < 2; i++) run(router);
    end(router, forgetful, true);
    end(router, keeper, true);
    expect(router.actors).toBe(0);
    expect([...type.mailboxes.keys()]).toEqual([]);
    expect([...type.states.memories.keys()]).toEqual(["keeper"]);
  });

  it("keeps the memory of an address with changes that are not written yet", () => {
    const { router } = aRouter();
    const type = typeOf(router);
    const mailbox = enqueue(router, "a");
    mailbox.memory.touched = true;
    run(router);
    end(router, mailbox, true);
    expect(type.states.memories.has("a")).toBe(true);
    mailbox.memory.touched = false;
    const back = enqueue(router, "a");
    router.dropIfForgotten(back.memory); // Something waits for it.
    expect(type.states.memories.has("a")).toBe(true);
    run(router);
    end(router, back, true);
    expect(type.states.memories.has("a")).toBe(false);
  });

  it("counts what waits, runs and rests, down to nothing", () => {
    const { router } = aRouter();
    const { measures } = typeOf(router);
    const mailbox = enqueue(router, "a", 10);
    enqueue(router, "a", 5);
    expect([router.mailboxBytes, router.actors, measures.in, measures.backlog]).toEqual([15, 1, 2, 2]);
    run(router);
    expect([measures.inflight, measures.backlog]).toEqual([1, 2]);
    end(router, mailbox, false);
    expect([measures.inflight, measures.failures, measures.retrying]).toEqual([0, 1, 1]);
    router.rested(mailbox, 0);
    run(router);
    end(router, mailbox, true);
    expect([router.mailboxBytes, router.actors, measures.backlog, measures.retrying, measures.inflight]).toEqual([0, 0, 0, 0, 0]);
    expect([measures.batchSize.count, measures.batchSize.sum, measures.latencyMs.count]).toEqual([2, 4, 1]);
    expect(typeOf(router).costMs).toBe(2); // 4 ms for two messages.
  });

  it("R3: a policy that throws at every hook is counted, and every message runs all the same", () => {
    const { router, book } = aRouter();
    const { policy } = router.applications.at(0);
    const thrower = () => {
      throw new Error("policy");
    };
    policy.admit = thrower;
    policy.prepareSend = thrower;
    policy.next = thrower;
    policy.preApply = thrower;
    policy.postApply = thrower;
    const mailbox = router.mailbox(typeOf(router), "a");
    router.send(mailbox, aMessage(), 0); // prepareSend, admit.
    expect(run(router)).toBe(mailbox); // next, preApply.
    end(router, mailbox, true); // postApply.
    expect(book.policyFaults).toBe(5);
    expect(router.mailboxBytes).toBe(0);
  });

  test.each<[string, (queue: RunQueue) => Runnable | undefined, string[], number]>([
    [
      "takes one out and throws",
      (queue) => {
        queue.pop(0);
        throw new Error("policy");
      },
      ["a", "b", "c"],
      3,
    ],
    ["chooses nobody", () => undefined, ["a", "b", "c"], 3],
    [
      "takes one out, puts it back, and chooses it",
      (queue) => {
        const first = queue.pop(0);
        if (first) queue.push(first, 0);
        return first;
      },
      ["b", "a", "c"],
      3,
    ],
    [
      "puts in what it has not taken out",
      (queue) => {
        const first = queue.pop(0);
        if (first) for (let i = 0; i < 3; i++) queue.push(first, 0);
        return queue.pop(0);
      },
      ["b", "a", "c"],
      0,
    ],
    [
      "takes all out and chooses the last",
      (queue) => {
        let last: Runnable | undefined;
        for (let each = queue.pop(0); each; each = queue.pop(0)) last = each;
        return last;
      },
      ["c", "b", "a"],
      0,
    ],
    [
      "takes one out and chooses none",
      (queue) => {
        queue.pop(0);
        return undefined;
      },
      ["a", "b", "c"],
      3,
    ],
  ])("R3: a policy that %s loses nobody", (_what, next, order, faults) => {
    const { router, book } = aRouter();
    for (const id of ["a", "b", "c"]) enqueue(router, id);
    router.applications.at(0).policy.next = next;
    const ran: string[] = [];
    for (let mailbox = run(router); mailbox; mailbox = run(router)) ran.push(mailbox.address.id);
    expect([ran, book.policyFaults]).toEqual([order, faults]);
    expect(endpointAt(router).queued).toBe(3 - ran.length);
  });

  it("R3: a policy that chooses an actor it has not taken out does not run it twice", () => {
    const { router, book } = aRouter();
    const mailbox = enqueue(router, "a");
    router.applications.at(0).policy.next = () => mailbox;
    expect([run(router), run(router), book.policyFaults]).toEqual([mailbox, undefined, 1]);
  });
});
