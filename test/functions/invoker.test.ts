import type { Effects } from "../../src/effect";
import type { Event } from "../../src/event";
import { type Invocation, Invoker, invocationText, type Verdict } from "../../src/functions/invoker";
import type { Message } from "../../src/model/message";
import { Random } from "../../src/model/random";
import { Router } from "../../src/router/router";
import { StateStore } from "../../src/state/store";
import { aMessage } from "../support/messages";
import { applicationsOf, engineOptions, moduleSpecification } from "../support/module";
import { type DeclarationFields, decodeRequest, incompleteBytes, replyBytes } from "../support/statefun-proto";

type Replied = Extract<Event, { kind: "invocation_replied" }>;

class Fixture {
  readonly store = new StateStore();
  readonly router = new Router(moduleSpecification(), 2, this.store, applicationsOf());
  readonly invoker = new Invoker(engineOptions({ retryFirstMs: 100, retryMaxMs: 1_000 }), new Random(1), this.store);
  readonly effects: Effects = [];

  begin(id = "a", ...messages: Message[]): Invocation {
    const type = this.router.type("ex/fn");
    const worker = this.router.endpoints[0]?.workers[0];
    if (!type || !worker) throw new Error("not served");
    const mailbox = this.router.mailbox(type, id);
    for (const message of messages.length > 0 ? messages : [aMessage()]) this.router.enqueue(mailbox, message, 0);
    return this.invoker.begin(mailbox, worker, this.router.take(mailbox, worker, 0), 7, this.effects);
  }

  judge(invocation: Invocation, overrides: Partial<Replied>): Verdict {
    this.invoker.end(invocation.id);
    return this.invoker.judge(invocation, {
      kind: "invocation_replied",
      invocation: invocation.id,
      status: 200,
      contentType: "application/octet-stream",
      body: replyBytes(),
      retryAfterMs: undefined,
      ...overrides,
    });
  }

  incomplete(invocation: Invocation, ...declarations: DeclarationFields[]): Verdict {
    return this.judge(invocation, { body: incompleteBytes(...declarations) });
  }

  /** States listed in the last request. */
  get listed(): string[] | undefined {
    const last = this.effects.at(-1);
    if (last?.kind !== "dispatch") throw new Error("nothing dispatched");
    return decodeRequest(last.body).state?.map((state) => state.state_name ?? "");
  }
}

const S: DeclarationFields = { state_name: "s", type_typename: "ex/t" };

describe("a request", () => {
  it("names endpoint, function, trace and batch", () => {
    const fixture = new Fixture();
    const provenance = { timestampMs: 0, headers: [], traceparent: "00-trace" };
    const invocation = fixture.begin("a", aMessage({ provenance, text: "1" }), aMessage({ text: "2" }));
    expect(fixture.effects).toMatchObject([
      { kind: "dispatch", invocation: invocation.id, endpoint: 0, replica: 0, functionName: "fn", traceparent: "00-trace" },
    ]);
    expect(invocation).toMatchObject({ attempt: 1, dispatchedMs: 7, rounds: 0 });
    expect([invocation.batch.length, fixture.invoker.inFlight]).toEqual([2, 1]);
    expect(invocationText(invocation)).toBe("ex/fn/a, 2 messages");
    expect(invocationText(fixture.begin("b"))).toBe("ex/fn/b, 1 message");
  });

  it("F1: ends once; another answer to it belongs to nothing", () => {
    const fixture = new Fixture();
    const invocation = fixture.begin();
    expect(fixture.invoker.end(invocation.id)).toBe(invocation);
    expect(fixture.invoker.end(invocation.id)).toBeUndefined();
    expect(fixture.invoker.end(999)).toBeUndefined();
  });

  it("lists no states until the function has answered once in this life, and all of them afterwards", () => {
    const fixture = new Fixture();
    fixture.store.type("ex/fn").declare({ name: "s", typename: "ex/t", expireMode: "none", expireAfterMs: 0 });
    const first = fixture.begin("a");
    expect(fixture.listed).toBeUndefined();
    fixture.judge(first, { status: 503 });
    const second = fixture.begin("b");
    expect(fixture.listed).toBeUndefined(); // It has not answered yet.
    expect(fixture.incomplete(second, S).kind).toBe("again");
    fixture.invoker.again(second, 8, fixture.effects);
    expect(fixture.listed).toEqual(["s"]);
    fixture.begin("c");
    expect(fixture.listed).toEqual(["s"]);
  });
});

describe("an answer (F2)", () => {
  test.each<[string, Partial<Replied>, "reply" | string]>([
    ["200", {}, "reply"],
    ["204 with an empty body", { status: 204, body: new Uint8Array(0) }, "reply"],
    ["299", { status: 299 }, "reply"],
    ["another letter case", { contentType: "APPLICATION/Octet-Stream" }, "reply"],
    ["199", { status: 199 }, "answered 199"],
    ["300", { status: 300 }, "answered 300"],
    ["500 with the right type (JS)", { status: 500, body: new Uint8Array(0) }, "answered 500"],
    [
      "200 without content type (Java)",
      { contentType: undefined, body: new Uint8Array(0) },
      "answered 200 with content type (none)",
    ],
    ["a parameter", { contentType: "application/octet-stream;charset=utf-8" }, "instead of application/octet-stream"],
    ["json", { contentType: "application/json" }, "content type application/json"],
    ["garbage", { body: Uint8Array.of(1, 2, 3) }, "the reply of 3 bytes is not a FromFunction message"],
  ])("%s", (_what, overrides, expected) => {
    const fixture = new Fixture();
    const verdict = fixture.judge(fixture.begin(), overrides);
    if (expected === "reply") expect(verdict.kind).toBe("reply");
    else expect(verdict).toMatchObject({ kind: "failed", reason: expect.stringContaining(expected) });
  });

  it("tells what Retry-After asks for", () => {
    const fixture = new Fixture();
    expect(fixture.judge(fixture.begin(), { status: 429, retryAfterMs: 70 })).toMatchObject({ retryAfterMs: 70 });
  });
});

describe("an incomplete context", () => {
  it("declares what is new and goes again; what is known is no news", () => {
    const fixture = new Fixture();
    const invocation = fixture.begin();
    const expiring = { state_name: "e", type_typename: "ex/t", expiration_spec: { mode: 1, expire_after_millis: 9 } };
    expect(fixture.incomplete(invocation, S, expiring)).toEqual({
      kind: "again",
      declared: [
        { name: "s", typename: "ex/t", expireMode: "none", expireAfterMs: 0 },
        { name: "e", typename: "ex/t", expireMode: "after-write", expireAfterMs: 9 },
      ],
    });
    expect(fixture.incomplete(invocation, S)).toEqual({ kind: "again", declared: [] });
  });

  it("is followed three times, not more", () => {
    const fixture = new Fixture();
    const invocation = fixture.begin();
    const kinds = [1, 2, 3, 4].map(() => fixture.incomplete(invocation, S).kind);
    expect(kinds).toEqual(["again", "again", "again", "failed"]);
  });

  it("with a declaration that contradicts what is known fails, and declares nothing", () => {
    const fixture = new Fixture();
    fixture.incomplete(fixture.begin("a"), S);
    const verdict = fixture.incomplete(fixture.begin("b"), { state_name: "new" }, { ...S, type_typename: "ex/u" });
    expect(verdict).toMatchObject({ kind: "failed", reason: expect.stringContaining("is known as ex/t") });
    expect(fixture.store.type("ex/fn").slot("new")).toBeUndefined();
  });

  it("that contradicts itself fails, and declares nothing", () => {
    const fixture = new Fixture();
    const verdict = fixture.incomplete(fixture.begin(), S, { ...S, type_typename: "ex/u" });
    expect(verdict.kind).toBe("failed");
    expect(fixture.store.type("ex/fn").slot("s")).toBeUndefined();
  });
});

describe("the pause before another attempt", () => {
  it("doubles up to the cap, jittered down to a half", () => {
    const { invoker } = new Fixture();
    for (const [attempt, whole] of [
      [1, 100],
      [2, 200],
      [4, 800],
      [5, 1_000],
      [60, 1_000],
      [5_000, 1_000],
    ] as const) {
      const pauses = Array.from({ length: 50 }, () => invoker.pauseMs(attempt, undefined));
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(whole / 2);
      expect(Math.max(...pauses)).toBeLessThanOrEqual(whole);
      expect(new Set(pauses).size).toBeGreaterThan(10);
    }
  });

  it("is as long as Retry-After asks for, within the cap, and never shorter than its own", () => {
    const { invoker } = new Fixture();
    expect(invoker.pauseMs(1, 600)).toBe(600);
    expect(invoker.pauseMs(1, 3_600_000)).toBe(1_000);
    expect(invoker.pauseMs(5, 1)).toBeGreaterThanOrEqual(500);
  });
});
