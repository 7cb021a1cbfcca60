/**
 * The fake functions and their host. They keep nothing: what a reply says follows from the states and messages of the request.
 * Whether a call goes wrong is the weather's choice, made anew for each call.
 */
import type { ReplicaFailure } from "../../src/event";
import { AUDIT_TOPIC, EXPORT_TOPIC, encodeAuditLine } from "./audit";
import {
  ballastOf,
  type Child,
  FADE_MS,
  messageText,
  POISON_ID,
  planOf,
  readMessageText,
  SLOW_ID,
  statesOf,
  type TypeName,
} from "./cast";
import type { DualNode } from "./dual-cast";
import { dualStatesOf, runDual } from "./dual-function";
import type { DualWorld } from "./dual-scenario";
import {
  decodeLong,
  decodeRequest,
  encodeIncomplete,
  encodeLong,
  encodeProducerRecord,
  LONG_TYPE,
  NAMESPACE,
  PRODUCER_RECORD_TYPE,
  Reply,
  type Request,
  type StateSpecification,
  TEXT_TYPE,
} from "./function-wire";
import { Violation } from "./violation";

/** When a call left the router and when its answer was taken in, by that router's clock. */
export class Call {
  /** undefined: not yet, or never. */
  appliedMs: number | undefined = undefined;
  /** Its effects counted by then at the latest: a reply may wait until its topic is described. */
  appliedByMs = 0;
  /** If it ends before, a state that lives by invocation is renewed by it; one that expires while it runs is gone. */
  renewsBeforeMs = Number.POSITIVE_INFINITY;
  /** Why nothing of its answer may count; undefined for a good one. */
  flaw: string | undefined = undefined;
  /** The function has run: no state was missing. */
  complete = false;
  constructor(
    readonly number: number,
    readonly dispatchedMs: number,
  ) {}
}

export type Answer =
  | {
      readonly kind: "reply";
      readonly status: number;
      readonly contentType: string | undefined;
      readonly body: Uint8Array;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly kind: "refused"; readonly reason: string; readonly failure?: ReplicaFailure }
  /** Nothing comes back. */
  | { readonly kind: "silence" };

/** Each is an effect the router must refuse as a whole, with everything else the reply says. */
export type Impossible =
  | "unknown egress"
  | "wrong egress typename"
  | "unknown target"
  | "negative delay"
  | "duplicate token"
  | "undeclared state"
  | "wrong state typename"
  | "cancel without token"
  | "too large for its topic"
  | "absent topic";

export const IMPOSSIBLE: readonly Impossible[] = [
  "unknown egress",
  "wrong egress typename",
  "unknown target",
  "negative delay",
  "duplicate token",
  "undeclared state",
  "wrong state typename",
  "cancel without token",
  "too large for its topic",
  "absent topic",
];

/** Long enough to see a router give up asking at once. */
const STUBBORN_CALLS = 6;

const OCTETS = "application/octet-stream";
const NO_BYTES = new Uint8Array(0);

export class FunctionHost {
  /** 2 after the deployment: one state more. */
  version = 1;
  poisoned = true;
  readonly #calls = new Map<number, Call>();
  #callNumber = 0;
  /** Addresses that will want again what they were given, and how often. */
  readonly #stubborn = new Map<string, number>();
  /** Last call of each address, whatever became of it: StateFun may renew AFTER_INVOKE by reading. */
  readonly #lastCallMs = new Map<string, number>();

  constructor(
    private readonly auditBytesMax: number,
    /** Clocks of two routers may differ by twice this. */
    private readonly skewMs: number,
    private readonly dual: DualWorld | undefined,
  ) {}

  begin(dispatchedMs: number): Call {
    const call = new Call(++this.#callNumber, dispatchedMs);
    this.#calls.set(call.number, call);
    return call;
  }

  call(number: number): Call | undefined {
    return this.#calls.get(number);
  }

  /** What the function answers when nothing goes wrong. */
  run(body: Uint8Array, call: Call, impossible: Impossible | undefined): Answer {
    const request = decodeRequest(body);
    if (request.namespace !== NAMESPACE) throw new Violation("requests are well formed", `namespace ${request.namespace}`);
    const missing = this.#statesOf(request.type).filter((state) => !request.states.has(state.name));
    if (missing.length > 0) return ok(encodeIncomplete(missing));
    const reply = this.#run(request, call);
    call.complete = true;
    if (impossible) {
      call.flaw = impossible;
      spoil(reply, impossible, this.auditBytesMax);
    }
    return ok(reply.encode());
  }

  #run(request: Request, call: Call): Reply {
    const node = this.#node(request.type);
    if (this.dual && node) return runDual(this.dual, node, request, call.number);
    const address = `${request.type}/${request.id}`;
    const lastMs = this.#lastCallMs.get(address) ?? 0;
    this.#lastCallMs.set(address, call.dispatchedMs);
    return new InvocationOf(request.type as TypeName, request, call, this, lastMs, this.skewMs).run();
  }

  #node(type: string): DualNode | undefined {
    return this.dual?.nodes.find(({ name }) => name === type);
  }

  #statesOf(type: string): readonly StateSpecification[] {
    const node = this.#node(type);
    return node ? dualStatesOf(node, this.version) : statesOf(type as TypeName, this.version);
  }

  /** Declares again what is listed: a router must not play this game for ever. */
  stubborn(body: Uint8Array, call: Call): Answer {
    call.flaw = "an answer that wants what it was given";
    const { type, id } = decodeRequest(body);
    const address = `${type}/${id}`;
    const left = this.#stubborn.get(address) ?? STUBBORN_CALLS;
    if (left > 1) this.#stubborn.set(address, left - 1);
    else this.#stubborn.delete(address);
    return ok(encodeIncomplete(this.#statesOf(type)));
  }

  isStubborn(address: string): boolean {
    return this.#stubborn.has(address);
  }

  isPoisoned(id: string): boolean {
    return this.poisoned && id === POISON_ID;
  }

  isSlow(id: string): boolean {
    return id === SLOW_ID;
  }
}

function ok(body: Uint8Array): Answer {
  return { kind: "reply", status: 200, contentType: OCTETS, body, retryAfterMs: undefined };
}

/** An answer of a service in trouble. `draw` is uniform in [0, 1). Most carry a good body, which must not count all the same. */
export function troubled(draw: number, good: Answer, call: Call): Answer {
  call.flaw = "an answer of a service in trouble";
  const body = good.kind === "reply" ? good.body : NO_BYTES;
  const answer = (status: number, contentType: string | undefined, bytes: Uint8Array, retryAfterMs?: number): Answer => {
    return { kind: "reply", status, contentType, body: bytes, retryAfterMs };
  };
  const kinds: readonly Answer[] = [
    answer(500, OCTETS, body),
    // An Undertow handler of StateFun's Java documentation answers a failure like this.
    answer(200, undefined, NO_BYTES),
    answer(200, undefined, body),
    answer(200, "text/html", body),
    answer(200, OCTETS, Buffer.from("a2ff0aff07", "hex")),
    answer(429, OCTETS, body, 700),
    answer(302, OCTETS, body),
    { kind: "refused", reason: "connection refused", failure: "connection" },
    { kind: "silence" },
    body.length > 0 ? answer(200, OCTETS, body.subarray(0, body.length - 1)) : good,
  ];
  return kinds[Math.floor(draw * kinds.length)] as Answer;
}

/** One request being worked off. */
class InvocationOf {
  readonly #reply = new Reply();
  readonly #address: string;
  #n: number;
  #token: string | undefined;

  constructor(
    private readonly type: TypeName,
    private readonly request: Request,
    private readonly call: Call,
    private readonly host: FunctionHost,
    private readonly lastCallMs: number,
    private readonly skewMs: number,
  ) {
    this.#address = `${type}/${request.id}`;
    const count = request.states.get("n");
    this.#n = count ? decodeLong(count.value) : 0;
    this.#token = this.#text("token");
  }

  run(): Reply {
    this.#checkMark();
    if (this.type === "fader") this.#checkFading();
    const { invocations } = this.request;
    if (invocations.length === 0) this.#malformed("a request without invocations");
    let warms = false;
    for (const { caller, text } of invocations) warms = this.#handle(caller, text) || warms;
    const reply = this.#reply;
    reply.mutations.set("n", { typename: LONG_TYPE, value: encodeLong(this.#n) });
    reply.mutations.set("mark", this.#n % 2 === 1 ? textValue(`m${this.#n}`) : undefined);
    if (this.type === "delayer") reply.mutations.set("token", this.#token === undefined ? undefined : textValue(this.#token));
    if (this.type === "fader") this.#fade(warms);
    if (this.host.version > 1 && this.#n % 3 === 0)
      reply.mutations.set("late", { typename: LONG_TYPE, value: encodeLong(this.#n) });
    return reply;
  }

  /** True if it writes the fading state. */
  #handle(caller: string | undefined, text: string): boolean {
    const message = readMessageText(text);
    if ((caller ?? "") !== message.sender) this.#malformed(`caller ${caller} of a message from '${message.sender}'`);
    if (message.targetId !== this.request.id) this.#malformed(`a message for id '${message.targetId}'`);
    this.#n++;
    const plan = planOf(this.type, this.request.id, message.messageId);
    const cancels: string[] = [];
    for (const child of plan.children) this.#send(child, cancels);
    if (plan.cancelsLast && this.#token !== undefined) {
      this.#cancel(this.#token, cancels);
      this.#token = undefined;
    }
    // A cancellation of nothing is nothing.
    if (this.type === "delayer" && this.#n % 7 === 0) this.#reply.delayed.push({ kind: "cancel", token: "never sent" });
    // Nor one of a token that only another address has sent: tokens belong to their senders.
    if (this.type === "counter" && this.#n % 4 === 0) this.#reply.delayed.push({ kind: "cancel", token: tokenOf(this.#n / 2) });
    this.#audit(message.messageId, cancels);
    return plan.warms;
  }

  #send(child: Child, cancels: string[]): void {
    const text = messageText(child.messageId, this.#address, child.id, ballastOf(child.messageId));
    const message = { namespace: NAMESPACE, type: child.type, id: child.id, text };
    if (child.delayMs === undefined) {
      this.#reply.sends.push(message);
      return;
    }
    // Other addresses use the same tokens: a token belongs to its sender.
    const token = child.token ? tokenOf(this.#n) : "";
    this.#reply.delayed.push({ kind: "send", delayMs: child.delayMs, message, token });
    if (child.cancelledAtOnce) this.#cancel(token, cancels);
    else if (token) this.#token = token;
  }

  #cancel(token: string, cancels: string[]): void {
    this.#reply.delayed.push({ kind: "cancel", token });
    cancels.push(token);
  }

  #audit(messageId: string, cancels: readonly string[]): void {
    const { id } = this.request;
    const line = encodeAuditLine({ type: this.type, id, n: this.#n, messageId, call: this.call.number, cancels });
    if (this.type === "forwarder") {
      this.#reply.egress.push({ name: "audit-raw", typename: "sim/line", value: line });
    } else {
      const value = encodeProducerRecord(AUDIT_TOPIC, id, line);
      this.#reply.egress.push({ name: "audit", typename: PRODUCER_RECORD_TYPE, value });
    }
    if (this.type === "exporter") {
      const value = encodeProducerRecord(EXPORT_TOPIC, id, line);
      this.#reply.egress.push({ name: "export", typename: PRODUCER_RECORD_TYPE, value });
    }
  }

  #text(state: string): string | undefined {
    return this.request.states.get(state)?.value.toString("utf8");
  }

  /** A value and a deletion must have landed together with the count, whatever happened since. */
  #checkMark(): void {
    const expected = this.#n % 2 === 1 ? `m${this.#n}` : undefined;
    const found = this.#text("mark");
    if (found === expected) return;
    throw new Violation(
      "restored state equals running state",
      `${this.#address} has n = ${this.#n} but mark = ${found ?? "nothing"}`,
    );
  }

  // ── fading states ──────────────────────────────────────────────────────────────────────────────────────────────────

  #checkFading(): void {
    const warmed = this.#callIn("warmed");
    this.#checkAlive("warm", warmed?.appliedMs, warmed?.appliedByMs ?? 0);
    const invoked = this.#callIn("invoked");
    const renewed = invoked !== undefined && invoked.appliedByMs < invoked.renewsBeforeMs - this.#tolerance;
    const sinceMs = renewed ? invoked.appliedMs : undefined;
    this.#checkAlive("lively", sinceMs, Math.max(invoked?.appliedByMs ?? 0, this.lastCallMs));
    if (this.#text("lively") !== undefined) this.call.renewsBeforeMs = (invoked?.appliedMs ?? 0) + FADE_MS;
  }

  /** Stored instants are whole ms; and another router's clock may have written them. */
  get #tolerance(): number {
    return 1 + 2 * this.skewMs;
  }

  #callIn(state: string): Call | undefined {
    const call = this.#text(state);
    return call === undefined ? undefined : this.host.call(Number(call));
  }

  /** `renewedMs`: since when it surely lives (undefined: not sure); `latestMs`: since when it may at most be said to. */
  #checkAlive(state: string, renewedMs: number | undefined, latestMs: number): void {
    const present = this.request.states.get(state) !== undefined;
    const tolerance = this.#tolerance;
    const at = this.call.dispatchedMs;
    const told = `${this.#address}, state ${state}: dispatched at ${at}, last renewed at ${renewedMs ?? "never"}`;
    if (present && at > latestMs + FADE_MS + tolerance) {
      throw new Violation("state lives as long as declared", `${told}; it should have expired`);
    }
    if (!present && renewedMs !== undefined && at < renewedMs + FADE_MS - tolerance) {
      throw new Violation("state lives as long as declared", `${told}; it is gone too early`);
    }
  }

  #fade(warms: boolean): void {
    const call = textValue(String(this.call.number));
    if (warms) {
      this.#reply.mutations.set("warm", call);
      this.#reply.mutations.set("warmed", call);
    }
    // Written when absent; after that, being invoked keeps it.
    if (this.request.states.get("lively") === undefined) this.#reply.mutations.set("lively", call);
    this.#reply.mutations.set("invoked", call);
  }

  #malformed(what: string): never {
    throw new Violation("requests are well formed", `${this.#address} got ${what}`);
  }
}

export function tokenOf(n: number): string {
  return `t${n}`;
}

function textValue(text: string): { typename: string; value: Uint8Array } {
  return { typename: TEXT_TYPE, value: Buffer.from(text, "utf8") };
}

function spoil(reply: Reply, how: Impossible, auditBytesMax: number): void {
  const message = { namespace: NAMESPACE, type: "counter", id: "a", text: "impossible||a|" };
  switch (how) {
    case "unknown egress":
      reply.egress.push({ name: "nowhere", typename: PRODUCER_RECORD_TYPE, value: NO_BYTES });
      return;
    case "wrong egress typename":
      reply.egress.push({ name: "audit", typename: TEXT_TYPE, value: NO_BYTES });
      return;
    case "unknown target":
      reply.sends.push({ ...message, namespace: "nobody" });
      return;
    case "negative delay":
      reply.delayed.push({ kind: "send", delayMs: -1, message, token: "" });
      return;
    case "duplicate token":
      for (let i = 0; i < 2; i++) reply.delayed.push({ kind: "send", delayMs: 10, message, token: "twice" });
      return;
    case "undeclared state":
      reply.mutations.set("undeclared", textValue("x"));
      return;
    case "wrong state typename":
      reply.mutations.set("n", textValue("x"));
      return;
    case "cancel without token":
      reply.delayed.push({ kind: "cancel", token: "" });
      return;
    case "too large for its topic":
      reply.egress.push({ name: "audit-raw", typename: "sim/line", value: Buffer.alloc(auditBytesMax + 1) });
      return;
    case "absent topic":
      reply.egress.push({ name: "audit", typename: PRODUCER_RECORD_TYPE, value: encodeProducerRecord("absent", "", NO_BYTES) });
      return;
  }
}
