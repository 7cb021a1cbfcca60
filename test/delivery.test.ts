import { Delivery } from "../src/delivery";
import type { Effects } from "../src/effect";
import { Outbox, type Unit } from "../src/egress/outbox";
import { Topics } from "../src/egress/topics";
import { DelayedMessages } from "../src/functions/delayed";
import type { Invocation } from "../src/functions/invoker";
import type { Delayed } from "../src/functions/pending";
import { decodeReply } from "../src/functions/wire";
import { Intake } from "../src/ingress/intake";
import { partitionOf } from "../src/model/murmur2";
import type { Mailbox } from "../src/router/mailbox";
import { Router } from "../src/router/router";
import { StateStore } from "../src/state/store";
import { address, aMessage } from "./support/messages";
import { ABROAD, applicationsOf, engineOptions, HOME, moduleSpecification } from "./support/module";
import {
  type AddressFields,
  type DelayedFields,
  encodeMessage,
  type ReplyFields,
  replyBytes,
  typedValue,
} from "./support/statefun-proto";

const NOW = 1_000;
const KAFKA_RECORD = "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord";

class Fixture {
  readonly store = new StateStore();
  readonly options = engineOptions();
  readonly router = new Router(moduleSpecification(), 2, this.store, applicationsOf());
  readonly outbox = new Outbox(this.options, HOME.name, this.router.dropIfForgotten);
  readonly topics = new Topics();
  readonly delayed = new DelayedMessages();
  readonly woken: Delayed[] = [];
  readonly effects: Effects = [];
  readonly delivery = new Delivery(moduleSpecification(), this.router, this.outbox, this.topics, this.delayed, (each) =>
    this.woken.push(each),
  );

  constructor() {
    this.topics.described(HOME.name, "t", { partitions: 4, messageBytesMax: 1_000 }, NOW);
    this.topics.described(HOME.name, "raw", { partitions: 4, messageBytesMax: 1_000 }, NOW);
    this.topics.described(ABROAD.name, "t", { partitions: 4, messageBytesMax: 1_000 }, NOW);
    const declared = { name: "s", typename: "ex/t", expireMode: "none", expireAfterMs: 0 } as const;
    this.store.type("ex/fn").declare(declared);
  }

  mailbox(id: string, type = "ex/fn"): Mailbox {
    const found = this.router.type(type);
    if (!found) throw new Error(`${type} is not served`);
    return this.router.mailbox(found, id);
  }

  invocation(id = "a"): Invocation {
    const mailbox = this.mailbox(id);
    const provenance = { timestampMs: 3, headers: [{ key: "h", value: Buffer.from("1") }], traceparent: "00-trace" };
    const batch = [
      aMessage({ target: mailbox.address, ingressMs: 400, deadlineMs: 10_400, provenance }),
      aMessage({ ingressMs: 500 }),
    ];
    const worker = this.router.endpoints[0]?.workers[0];
    if (!worker) throw new Error("no endpoint");
    return { id: 1, mailbox, worker, batch, dispatchedMs: NOW, attempt: 1, rounds: 0, bare: false };
  }

  /** The objection to this reply; nothing may have happened by it (D1). */
  objection(fields: ReplyFields): string | undefined {
    const before = this.snapshot();
    const checked = this.delivery.check(this.invocation(), decodeReply(replyBytes(fields)), NOW, this.effects);
    expect(this.snapshot()).toEqual(before);
    if (checked === undefined) throw new Error("it waits for a topic");
    return "objection" in checked ? checked.objection : undefined;
  }

  apply(fields: ReplyFields, now = NOW, invocation = this.invocation()): void {
    const checked = this.delivery.check(invocation, decodeReply(replyBytes(fields)), now, this.effects);
    if (checked === undefined || "objection" in checked) throw new Error(checked?.objection ?? "it waits for a topic");
    this.delivery.apply(invocation, checked, this.store, now);
  }

  snapshot(): object {
    const { outbox, delayed, store, router, woken } = this;
    return {
      dirty: outbox.dirty,
      delayed: delayed.waiting,
      values: store.values,
      waiting: router.mailboxBytes,
      woken: woken.length,
      tokens: delayed.objection(address("a"), [
        { delayMs: 0, target: undefined, argument: undefined, cancel: false, token: "tok" },
      ]),
    };
  }

  close(): Unit {
    const unit = this.outbox.close(NOW);
    this.outbox.committing = undefined;
    return unit;
  }
}

const VALUE = typedValue("ex/t", "x");

function to(type: string, id = "b", namespace = "ex"): { target: AddressFields; argument: typeof VALUE } {
  return { target: { namespace, type, id }, argument: VALUE };
}

function later(delay_in_ms: number, cancellation_token = "", id = "b"): DelayedFields {
  return { delay_in_ms, ...to("fn", id), cancellation_token };
}

function cancel(cancellation_token: string): DelayedFields {
  return { is_cancellation_request: true, cancellation_token };
}

function kafka(fields: object, egress_type = "out") {
  const argument = typedValue(KAFKA_RECORD, encodeMessage("KafkaProducerRecord", fields));
  return { egress_namespace: "ex", egress_type, argument };
}

const modified = { mutation_type: 1, state_name: "s", state_value: VALUE };

/** What would land if the reply were possible: so that "nothing was applied" says something. */
const good: ReplyFields = {
  state_mutations: [modified],
  outgoing_messages: [to("fn")],
  delayed_invocations: [later(5, "tok")],
  outgoing_egresses: [kafka({ topic: "t", value_bytes: Buffer.from("v") })],
};

function with_<Key extends keyof ReplyFields>(list: Key, ...more: NonNullable<ReplyFields[Key]>[number][]): ReplyFields {
  return { ...good, [list]: [...(good[list] ?? []), ...more] };
}

describe("what cannot land is refused with the reason, and nothing of it is applied (D1, D2)", () => {
  test.each<[string, ReplyFields, string]>([
    [
      "a message to an unserved type",
      with_("outgoing_messages", to("cart", "7", "shop")),
      "sends a message to shop/cart/7, which no endpoint serves",
    ],
    [
      "a message to an odd type",
      with_("outgoing_messages", to("fn/x", "7")),
      "sends a message to ex/fn/x/7, which no endpoint serves",
    ],
    ["a message to nobody", with_("outgoing_messages", { argument: VALUE }), "sends a message to //, which no endpoint serves"],
    [
      "a delayed message to an unserved type",
      with_("delayed_invocations", { ...later(1), ...to("cart", "7", "shop") }),
      "sends a delayed message to shop/cart/7, which no endpoint serves",
    ],
    [
      "a delayed message to nobody",
      with_("delayed_invocations", { delay_in_ms: 1, argument: VALUE }),
      "sends a delayed message to nobody, which no endpoint serves",
    ],
    ["a negative delay", with_("delayed_invocations", later(-5)), "sends a message with a delay of -5 ms; a delay is 0 or more"],
    ["a token twice in one reply", with_("delayed_invocations", later(5, "tok")), "token 'tok', which is still live"],
    [
      "a cancellation without token",
      with_("delayed_invocations", cancel("")),
      "cancels a delayed message without naming its token",
    ],
    [
      "an undeclared state",
      with_("state_mutations", { ...modified, state_name: "t" }),
      "changes state 't', which it has not declared",
    ],
    [
      "the deletion of an undeclared state",
      with_("state_mutations", { state_name: "t" }),
      "changes state 't', which it has not declared",
    ],
    [
      "a value of another type",
      with_("state_mutations", { ...modified, state_value: typedValue("ex/u", "x") }),
      "sets state 's' of type ex/t to a value of type ex/u",
    ],
    [
      "a modification without value",
      with_("state_mutations", { mutation_type: 1, state_name: "s" }),
      "sets state 's' of type ex/t to a value of type (none)",
    ],
    [
      "an undefined egress",
      with_("outgoing_egresses", kafka({ topic: "t" }, "nowhere")),
      "sends to egress ex/nowhere, which is not defined",
    ],
    [
      "a Kafka record of another type",
      with_("outgoing_egresses", { egress_namespace: "ex", egress_type: "out", argument: VALUE }),
      `egress ex/out takes ${KAFKA_RECORD}, not ex/t`,
    ],
    [
      "a Kafka record without topic",
      with_("outgoing_egresses", kafka({ key: "k" })),
      "the record for egress ex/out names no topic",
    ],
    [
      "a record too large for its topic",
      with_("outgoing_egresses", kafka({ topic: "t", value_bytes: Buffer.alloc(1_000) })),
      "bytes to topic t, which takes 1000 (max.message.bytes)",
    ],
  ])("%s", (_what, fields, reason) => {
    const fixture = new Fixture();
    expect(fixture.objection(good)).toBeUndefined();
    expect(fixture.objection(fields)).toContain(reason);
  });

  it("a state value larger than its topic takes", () => {
    const value = Buffer.alloc(60 * 1024 * 1024);
    const fields = { state_mutations: [{ ...modified, state_value: typedValue("ex/t", value) }] };
    expect(new Fixture().objection(fields)).toMatch(/^sets state 's' to \d+ bytes; a state value may have 62914560$/);
  });

  it("a topic that is absent", () => {
    const fixture = new Fixture();
    fixture.topics.absent(HOME.name, "t", "there is no such topic");
    expect(fixture.objection(good)).toBe("sends to topic t of egress ex/out: there is no such topic");
  });
});

describe("a reply to topics that are not known yet", () => {
  it("asks for all of them at once and can be checked again, with nothing applied meanwhile", () => {
    const fixture = new Fixture();
    const reply = decodeReply(
      replyBytes(with_("outgoing_egresses", kafka({ topic: "u" }), kafka({ topic: "w" }), kafka({ topic: "u" }))),
    );
    const before = fixture.snapshot();
    expect(fixture.delivery.check(fixture.invocation(), reply, NOW, fixture.effects)).toBeUndefined();
    expect(fixture.snapshot()).toEqual(before);
    expect(fixture.effects).toEqual([
      { kind: "describe_topic", cluster: HOME.name, topic: "u" },
      { kind: "describe_topic", cluster: HOME.name, topic: "w" },
    ]);
    for (const topic of ["u", "w"]) fixture.topics.described(HOME.name, topic, { partitions: 1, messageBytesMax: 1_000 }, NOW);
    expect(fixture.delivery.check(fixture.invocation(), reply, NOW, fixture.effects)).toMatchObject({ reply });
  });
});

describe("tokens of delayed messages", () => {
  it("cancelled in the reply that sent them leave no trace", () => {
    const fixture = new Fixture();
    fixture.apply({ delayed_invocations: [later(5, "tok"), cancel("tok")] });
    expect([fixture.delayed.waiting, fixture.woken[0]?.cancelled]).toEqual([0, true]);
    expect(fixture.close().inside).toEqual([]);
  });

  it("may be used again in the same reply once cancelled", () => {
    const fixture = new Fixture();
    fixture.apply({ delayed_invocations: [later(5, "tok"), cancel("tok"), later(6, "tok", "c")] });
    expect(fixture.woken.map(({ cancelled, message }) => [message.target.id, cancelled])).toEqual([
      ["b", true],
      ["c", false],
    ]);
  });

  it("still live are refused, and free again once fired", () => {
    const fixture = new Fixture();
    fixture.apply({ delayed_invocations: [later(5, "tok")] });
    expect(fixture.objection({ delayed_invocations: [later(5, "tok")] })).toContain("still live for this address");
    const [live] = fixture.woken;
    if (live) fixture.delayed.fire(live);
    expect(fixture.objection({ delayed_invocations: [later(5, "tok")] })).toBeUndefined();
  });

  it("that are unknown are cancelled to no effect; an empty one is shared by any number", () => {
    const fixture = new Fixture();
    fixture.apply({ delayed_invocations: [cancel("never"), later(1), later(2)] });
    expect(fixture.delayed.waiting).toBe(2);
  });

  it("of a message that is written already are tombstoned when cancelled", () => {
    const fixture = new Fixture();
    fixture.apply({ delayed_invocations: [later(5, "tok")] });
    const written = fixture.close().inside[0]?.records[0];
    fixture.apply({ delayed_invocations: [cancel("tok")] });
    const tombstone = fixture.close().inside[0]?.records[0];
    expect(written?.value).not.toBeNull();
    expect(tombstone).toEqual({ ...written, value: null });
  });
});

describe("what is applied", () => {
  it("is in StateFun's order within the unit's lists, and joins one unit whole", () => {
    const fixture = new Fixture();
    fixture.apply({
      state_mutations: [modified, { state_name: "s" }, { ...modified, state_value: typedValue("ex/t", "last") }],
      outgoing_messages: [to("fn", "b"), to("fn", "c")],
      delayed_invocations: [later(5, "tok", "d")],
      outgoing_egresses: [
        kafka({ topic: "t", key: "k", value_bytes: Buffer.from("1") }),
        kafka({ topic: "t", key: "k", value_bytes: Buffer.from("2") }),
      ],
    });
    const unit = fixture.close();
    const [egress, state] = unit.inside;
    expect(egress?.records.map(({ value }) => String(value && Buffer.from(value)))).toEqual(["1", "2"]);
    const keys = state?.records.map(({ key }) => String(key).replaceAll("\0", " "));
    expect(keys).toEqual(["s ex/fn s a", "m 1", "m 2", "m 3"]); // Ids in the order: messages, then delayed ones.
  });

  it("gives messages the sender as caller, and the oldest message's ingress instant, deadline and provenance", () => {
    const fixture = new Fixture();
    fixture.apply({ outgoing_messages: [to("other", "b")] });
    const message = fixture.mailbox("b", "ex/other").peek();
    expect(message).toMatchObject({ ingressMs: 400, deadlineMs: 10_400, admittedMs: NOW, entry: undefined, done: false });
    expect(message?.caller).toEqual(address("a"));
    expect(message?.provenance.traceparent).toBe("00-trace");
    expect(message?.shard).toBe(fixture.router.homeOf("b"));
  });

  it("gives a delayed message its due instant as its beginning, and bytes of its own", () => {
    const fixture = new Fixture();
    fixture.apply({ delayed_invocations: [later(500)] });
    const [delayed] = fixture.woken;
    expect(delayed).toMatchObject({ dueMs: NOW + 500, cancelled: false, fired: false });
    expect(delayed?.message).toMatchObject({ ingressMs: NOW + 500, deadlineMs: NOW + 500 + 10_000, caller: address("a") });
    expect(delayed?.message.shard).toBe(fixture.router.homeOf("a")); // Remembered where its sender is at home.
    expect(delayed?.message.argument.head.buffer.byteLength).toBe(delayed?.message.argument.head.length);
  });

  it("sends a keyed record where Kafka's partitioner would, and those without key round the partitions", () => {
    const fixture = new Fixture();
    const keyless = kafka({ topic: "t", value_bytes: Buffer.from("v") });
    fixture.apply({ outgoing_egresses: [kafka({ topic: "t", key: "é" }), keyless, keyless, keyless, keyless, keyless] });
    const partitions = fixture.close().inside[0]?.records.map(({ partition }) => partition) ?? [];
    expect(partitions[0]).toBe(partitionOf(Buffer.from("é"), 4));
    expect(new Set(partitions.slice(1, 5))).toEqual(new Set([0, 1, 2, 3]));
    expect(partitions[5]).toBe(partitions[1]);
  });

  it("carries the trace of its cause in the record's headers", () => {
    const fixture = new Fixture();
    fixture.apply({ outgoing_egresses: [{ egress_namespace: "ex", egress_type: "raw", argument: VALUE }] });
    const [record] = fixture.close().inside[0]?.records ?? [];
    expect(record?.headers).toEqual({ traceparent: "00-trace", typename: "ex/t" });
    expect(String(record?.key)).toBe("a");
  });

  it("goes outside the transaction where the egress is on another cluster", () => {
    const fixture = new Fixture();
    fixture.apply({ outgoing_egresses: [kafka({ topic: "t", key: "k" }, "abroad")] });
    const unit = fixture.close();
    expect([unit.outside.map(({ cluster }) => cluster), unit.inside]).toEqual([[ABROAD.name], []]);
  });

  it("continues the ids of messages behind the highest one restored", () => {
    const fixture = new Fixture();
    fixture.delivery.continueFrom(41);
    fixture.apply({ outgoing_messages: [to("fn")] });
    expect(fixture.mailbox("b").peek()?.sequence).toBe(41);
  });

  it("is critical in all it sends when its cause was, with the barrier; not to itself, and not later", () => {
    const fixture = new Fixture();
    const invocation = fixture.invocation();
    const [cause] = invocation.batch;
    if (cause) cause.mark = { critical: true, series: "window", barrier: 7, after: 6, channel: "ex/in\0in\x000" };
    const sent = [to("other", "b"), to("fn", "a"), to("fn", "b")];
    fixture.apply({ outgoing_messages: sent, delayed_invocations: [later(5)] }, NOW, invocation);
    const inherited = { critical: true, series: "window", barrier: 7, after: -1, channel: "" };
    expect(fixture.mailbox("b", "ex/other").peek()?.mark).toEqual(inherited);
    expect(fixture.mailbox("b").peek()?.mark).toEqual(inherited);
    expect(fixture.mailbox("a").peek()?.mark).toBeUndefined();
    expect(fixture.woken[0]?.message.mark).toBeUndefined();
  });

  it("sends ordinary messages when its cause was one of a window", () => {
    const fixture = new Fixture();
    const invocation = fixture.invocation();
    const [cause] = invocation.batch;
    if (cause) cause.mark = { critical: false, series: "", barrier: -1, after: 6, channel: "" };
    fixture.apply({ outgoing_messages: [to("other", "b")] }, NOW, invocation);
    expect(fixture.mailbox("b", "ex/other").peek()?.mark).toBeUndefined();
  });

  it("is counted", () => {
    const fixture = new Fixture();
    fixture.apply(good);
    expect(fixture.mailbox("a").type.measures).toMatchObject({ outLocal: 1, outDelayed: 1, outEgress: 1 });
  });
});

describe("a copy that outlives its record", () => {
  it("is remembered as a message, with its mark and the channel it came on", () => {
    const fixture = new Fixture();
    const options = engineOptions();
    const intake = new Intake(moduleSpecification(), options, applicationsOf());
    const input = intake.open({ source: 0, partition: 3 }, { low: 0, ranges: [] }, []);
    if (!input?.progress) throw new Error("not opened");
    const channel = "ex/in\0in\x003";
    const entry = input.progress.enter(9, 2);
    const [plain, marked] = [aMessage({ entry }), aMessage({ entry })];
    marked.mark = { critical: true, series: "w", barrier: 7, after: 6, channel: "" };
    fixture.delivery.continueFrom(41);
    for (const copy of [plain, marked]) fixture.delivery.adopt(copy, input);
    expect(plain).toMatchObject({ entry: undefined, sequence: 41, shard: fixture.router.homeOf("a") });
    expect(plain.mark).toEqual({ critical: false, series: "", barrier: -1, after: -1, channel });
    expect(marked.mark).toEqual({ critical: true, series: "w", barrier: 7, after: 6, channel });
    const keys = fixture.close().inside[0]?.records.map(({ key }) => String(key));
    expect(keys).toEqual(["m\x0041", "m\x0042"]);
  });
});
