/**
 * What must come true in a world of dual mode, and what has. Judged at each commit, before anybody can read it; the lines of an actor stand in
 * its partition of the log in the order in which they took effect.
 *
 * The invariants of DUAL-MODE.md 6, and who watches them:
 *
 *  1   prior exactly: here. What a critical message saw is the fold of all that took effect before it; all that stands before it on its channel has; and of a
 *      barrier every awaited channel has a head, and all before that has taken effect. Windows: a record runs after the barrier that its window
 *      begins with, and, where no clock has a say, before the one that it ends with.
 *  2   no early post: here. What stands behind a critical message on its channel takes effect after it.
 *  3   mutual exclusion: dual-watch.ts, at each request.
 *  4   fold: here, for every strategy, at each critical message and of the bases at the end. Unlawful merges: dual-tooth.ts.
 *  5   barrier once: here. Numbers rise, all critical messages of one are one call; a copy that comes late comes alone.
 *  6   channel order: here. Channels between functions are as their senders' lines stand in the log.
 *  7   no loss, no doubles: here. Each expected delivery takes effect once, and nothing else. After each step of a router: dual-crash.ts.
 *  8   one executor: dual-watch.ts; what was forwarded was applied: dual-control.ts.
 *  9   non-forwarding: dual-watch.ts.
 * 10   holds are released: policies hold nothing back in this build. What barriers hold is released, for everything drains (simulation.ts).
 * 11   leases end: dual-control.ts, and no part is left in the end (simulation.ts).
 * 12   progress: simulation.ts ("everything drains"), over barriers that are skipped, repeated and late. First come: dual-tooth.ts.
 * 13   single writer of leases: waits for several routers; that of shards: ledger.ts, L5.
 * 14   recovery is consolidation: nothing here knows of restarts, and dual-crash.ts compares with a run without.
 * 15   ledger: progress never passes unfinished work (ledger.ts, L4).
 * 16   dedup window: waits for several routers.
 * 17–19  laxity index, admission, quanta: tests of the router's own, without a world.
 * 20   time is only a hint: chaos-policy.ts takes any lane, rank and moment; clocks differ and jump.
 * 21   determinism: simulation.test.ts.
 * 22   memory: watch.ts, with tiny bounds on what is held (dual-scenario.ts); 12 holds under them.
 * 23   failed invocations: no message is parked in this build; failures are tried again, and 1 counts what they held up.
 */
import { decodePending } from "../../src/functions/pending";
import {
  barrierAt,
  childrenOf,
  comparable,
  criticalAt,
  type DualNode,
  type DualText,
  dualKey,
  fold,
  type Remembered,
  reset,
  windowText,
} from "./dual-cast";
import { DUAL_TOPIC, type DualLine, decodeDualLine } from "./dual-line";
import type { DualWorld } from "./dual-scenario";
import { typedValueOf } from "./function-wire";
import type { InputRecordOf, Ledger } from "./ledger";
import type { StoredRecord, Transaction } from "./partition-log";
import { type Checker, Violation } from "./violation";

export interface DualDelivery {
  readonly key: string;
  readonly text: DualText;
  readonly critical: boolean;
  /** Number of its barrier for its target; -1: none. */
  readonly barrier: number;
  /** undefined: no order is promised (delayed messages). */
  readonly channel: ChannelLedger | undefined;
  /** Place on its channel. */
  readonly at: number;
  readonly root: InputRecordOf | undefined;
  /** An ordinary record of a watermarked ingress: it runs after this barrier; -1: no matter. */
  readonly after: number;
  done: boolean;
  /** A copy of a record that stands on its own: progress may pass the record. */
  remembered: boolean;
}

/** One channel into one actor: what was sent, in order. */
export class ChannelLedger {
  readonly sent: DualDelivery[] = [];
  /** The first that is not done. */
  #open = 0;
  /** Something of it has taken effect. */
  used = false;
  /** The critical message of it that took effect last. */
  lastCritical: DualDelivery | undefined = undefined;
  constructor(readonly name: string) {}

  /** All before this place are done. */
  doneBefore(at: number): boolean {
    while (this.sent[this.#open]?.done) this.#open++;
    return this.#open >= at;
  }

  get firstOpen(): DualDelivery | undefined {
    this.doneBefore(0);
    return this.sent[this.#open];
  }

  /** The first critical message that is not done. */
  get head(): DualDelivery | undefined {
    this.doneBefore(0);
    for (let at = this.#open; at < this.sent.length; at++) {
      const delivery = this.sent[at] as DualDelivery;
      if (delivery.critical && !delivery.done) return delivery;
    }
    return undefined;
  }
}

export class ActorLedger {
  readonly channels = new Map<string, ChannelLedger>();
  readonly remembered: Remembered = new Map();
  /** The last barrier that was done; -1: none. */
  done = -1;
  lines = 0;
  /** What took effect since the last critical message, by id; and what that saw last. */
  readonly since = new Set<string>();
  last: unknown = undefined;
  /** The latest barrier after which something of it was to run that has run. */
  afterMost = -1;
  constructor(
    readonly node: DualNode,
    readonly id: string,
  ) {}

  get name(): string {
    return `${this.node.name}/${this.id}`;
  }

  channel(name: string): ChannelLedger {
    let channel = this.channels.get(name);
    if (!channel) {
      channel = new ChannelLedger(name);
      this.channels.set(name, channel);
    }
    return channel;
  }
}

export class DualLedger {
  readonly actors = new Map<string, ActorLedger>();
  readonly deliveries = new Map<string, DualDelivery>();
  /** Of critical messages: what they saw, for those who compare runs. */
  readonly outcomes: string[] = [];
  criticals = 0;
  barriers = 0;
  /** By ingress: all its channels' names. */
  readonly ingresses = new Map<string, readonly string[]>();

  constructor(
    readonly scenario: DualWorld,
    private readonly ledger: Ledger,
  ) {}

  node(name: string): DualNode | undefined {
    return this.scenario.nodes.find((each) => each.name === name);
  }

  actor(node: DualNode, id: string): ActorLedger {
    const name = `${node.name}/${id}`;
    let actor = this.actors.get(name);
    if (!actor) {
      actor = new ActorLedger(node, id);
      this.actors.set(name, actor);
    }
    return actor;
  }

  // ── what is expected ───────────────────────────────────────────────────────────────────────────────────────────────

  /** A record of an ingress partition, for one of its targets. */
  recorded(node: DualNode, text: DualText, typename: string, channel: string, root: InputRecordOf, after: number): void {
    this.#expect(node, text.t, text, typename, channel, root, after);
  }

  #expect(
    node: DualNode,
    id: string,
    text: DualText,
    typename: string,
    from: string | undefined,
    root: InputRecordOf | undefined,
    after: number,
  ): void {
    const key = dualKey(node.name, id, text.m);
    const channel = from === undefined ? undefined : this.actor(node, id).channel(from);
    const critical = criticalAt(node, text, typename);
    const barrier = critical ? barrierAt(node, text) : -1;
    const at = channel?.sent.length ?? 0;
    const delivery: DualDelivery = { key, text, critical, barrier, channel, at, root, after, done: false, remembered: false };
    channel?.sent.push(delivery);
    this.deliveries.set(key, delivery);
    this.ledger.open++;
  }

  // ── what has come true ─────────────────────────────────────────────────────────────────────────────────────────────

  committed({ written }: Transaction): void {
    const perActor = new Map<ActorLedger, DualLine[]>();
    for (const { log, record } of written) {
      if (log.topic !== DUAL_TOPIC) continue;
      const line = decodeDualLine(record.value ?? new Uint8Array(0));
      const actor = this.actor(this.node(line.node) as DualNode, line.id);
      const lines = perActor.get(actor);
      if (lines) lines.push(line);
      else perActor.set(actor, [line]);
    }
    const texts = this.#texts(perActor);
    for (const [actor, lines] of perActor) for (const line of lines) this.#cause(actor, line, texts.get(line) as DualText);
    for (const [actor, lines] of perActor) this.#settleAll(actor, lines);
    for (const { log, record } of written) if (log.topic === this.ledger.options.stateTopic) this.#remember(record);
  }

  /** Causes first: a message and what it causes may take effect in one unit, and their actors stand in any order. */
  #texts(perActor: ReadonlyMap<ActorLedger, readonly DualLine[]>): Map<DualLine, DualText> {
    const all = [...perActor].flatMap(([actor, lines]) => lines.map((line) => ({ actor, line })));
    all.sort((one, other) => depthOf(one.line) - depthOf(other.line));
    const caused = new Map<string, DualText>();
    const texts = new Map<DualLine, DualText>();
    const { nodes, ids } = this.scenario;
    for (const { actor, line } of all) {
      const { node, id } = actor;
      const key = dualKey(node.name, id, line.messageId);
      const text =
        line.window === undefined ? (this.deliveries.get(key)?.text ?? caused.get(key)) : windowText(node, id, line.window);
      if (!text) return fail("effects count once", `${key} took effect, but nothing of what is committed has caused it`);
      texts.set(line, text);
      for (const child of childrenOf(nodes, ids, node, id, text, line.critical))
        caused.set(dualKey(child.node.name, child.id, child.text.m), child.text);
    }
    return texts;
  }

  /** What a line sends is expected from then on, in the order of its sender's lines. */
  #cause(actor: ActorLedger, line: DualLine, text: DualText): void {
    const { nodes, ids } = this.scenario;
    for (const child of childrenOf(nodes, ids, actor.node, actor.id, text, line.critical)) {
      const from = child.delayMs === undefined ? actor.name : undefined;
      this.#expect(child.node, child.id, child.text, child.typename, from, undefined, -1);
    }
  }

  /** Critical lines of one call are one batch. */
  #settleAll(actor: ActorLedger, lines: readonly DualLine[]): void {
    for (let first = 0; first < lines.length; ) {
      const line = lines[first] as DualLine;
      let end = first + 1;
      if (line.critical) while (lines[end]?.critical && lines[end]?.call === line.call) end++;
      if (line.critical) this.#settleCritical(actor, lines.slice(first, end));
      else this.#settleOrdinary(actor, line);
      first = end;
    }
  }

  #done(actor: ActorLedger, line: DualLine): DualDelivery {
    const delivery = this.deliveries.get(dualKey(actor.node.name, actor.id, line.messageId));
    if (!delivery) return fail("effects count once", `${actor.name} handled ${line.messageId}, and nothing has caused it`);
    if (delivery.done) return fail("effects count once", `${delivery.key} took effect again`);
    if (delivery.critical !== line.critical)
      return fail(
        "what is critical runs alone",
        `${delivery.key} is critical: ${delivery.critical}; it ran as: ${line.critical}`,
      );
    delivery.done = true;
    this.ledger.open--;
    this.ledger.lines++;
    actor.lines++;
    const { channel } = delivery;
    if (channel) channel.used = true;
    if (channel && delivery.critical) channel.lastCritical = delivery;
    this.#cover(delivery);
    return delivery;
  }

  /** Progress need not hold the record for this copy any more. */
  #cover(delivery: DualDelivery): void {
    if (delivery.root && !delivery.remembered) delivery.root.remaining--;
  }

  #settleOrdinary(actor: ActorLedger, line: DualLine): void {
    const delivery = this.#done(actor, line);
    const { channel, at, key } = delivery;
    actor.afterMost = Math.max(actor.afterMost, delivery.after);
    if (channel && delivery.after < 0) this.#checkBefore(actor, channel, at, key);
    actor.since.add(delivery.text.m);
    fold(actor.node.states, actor.remembered, delivery.text);
  }

  /** 2 and 6: an actor that is not split applies its channels in order; one that is, between critical messages, in any. */
  #checkBefore({ node }: ActorLedger, channel: ChannelLedger, at: number, key: string): void {
    const split = (node.dual?.maxLessees ?? 0) > 0;
    for (let before = at - 1; before >= 0; before--) {
      const earlier = channel.sent[before] as DualDelivery;
      if (earlier.done && !earlier.critical) {
        if (split) continue;
        return;
      }
      if (earlier.done) return;
      if (earlier.critical) fail("no early post", `${key} took effect before ${earlier.key} on ${channel.name}`);
      if (!split) fail("order per sender and address", `${key} took effect before ${earlier.key} on ${channel.name}`);
    }
  }

  #settleCritical(actor: ActorLedger, lines: readonly DualLine[]): void {
    const sent = lines.filter(({ window }) => window === undefined);
    const deliveries = sent.map((line) => this.#done(actor, line));
    const [first] = lines as readonly [DualLine];
    const window = lines.find((line) => line.window !== undefined)?.window;
    const barrier = window ?? (deliveries[0] as DualDelivery).barrier;
    if (window !== undefined) this.#judgeWindow(actor, window);
    if (actor.node.dual) this.#judgeSection(actor, barrier, window, deliveries);
    else if (lines.length > 1) fail("what is critical runs alone", `${actor.name} got ${lines.length} critical messages at once`);
    for (const { channel, at, key } of deliveries) {
      if (channel && !channel.doneBefore(at))
        fail("prior exactly", `${key} took effect, and ${channel.firstOpen?.key} before it on ${channel.name} has not`);
    }
    for (const line of lines) this.#judgeSight(actor, line);
    this.criticals += lines.length;
    this.outcomes.push(`${actor.name} ${barrier} ${lines.length} ${JSON.stringify(first.saw)}`);
  }

  /** 5, and 1 as far as it is about channels. */
  #judgeSection(actor: ActorLedger, barrier: number, window: number | undefined, deliveries: readonly DualDelivery[]): void {
    for (const delivery of deliveries) {
      if (delivery.barrier !== barrier)
        fail("barrier once", `${delivery.key} of barrier ${delivery.barrier} ran in a call of barrier ${barrier}`);
    }
    if (barrier > actor.done) {
      this.#judgeBarrier(actor, barrier);
      actor.done = barrier;
      this.barriers++;
      return;
    }
    if (window !== undefined) fail("barrier once", `window end ${window} of ${actor.name} after barrier ${actor.done}`);
    if (deliveries.length !== 1)
      fail("barrier once", `${actor.name} ran ${deliveries.length} messages of barrier ${barrier} after barrier ${actor.done}`);
    const [delivery] = deliveries as readonly [DualDelivery];
    if (barrier >= 0) this.#judgeLate(actor, delivery);
  }

  #judgeWindow(actor: ActorLedger, window: number): void {
    if (actor.afterMost >= window)
      fail(
        "prior exactly",
        `${actor.name} ended window ${window}, and something has run that was to run after barrier ${actor.afterMost}`,
      );
    if (!this.scenario.clockless) return;
    for (const { sent } of actor.channels.values()) {
      const missing = sent.find(({ after, done }) => after >= 0 && after < window && !done);
      if (missing)
        fail("prior exactly", `${actor.name} ended window ${window} without ${missing.key}, which runs after ${missing.after}`);
    }
  }

  /** A barrier has run without a message of it: that can only be if its channel is not awaited, or had said that it has nothing for it. */
  #judgeLate(actor: ActorLedger, { channel, at, barrier, key }: DualDelivery): void {
    if (!channel || !this.needed(actor, barrier, true).some((each) => each === channel)) return;
    for (let before = at - 1; before >= 0; before--) if ((channel.sent[before] as DualDelivery).barrier >= barrier) return;
    fail(
      "barrier once",
      `${key} is late for barrier ${barrier}: ${actor.name} has run ${actor.done} without waiting for ${channel.name}`,
    );
  }

  #judgeBarrier(actor: ActorLedger, barrier: number): void {
    for (const channel of this.needed(actor, barrier)) {
      const { head, lastCritical } = channel;
      // What is of this barrier is done by now, or the head is of a later one.
      const limit = lastCritical?.barrier === barrier ? lastCritical : head;
      if (!limit) fail("prior exactly", `${actor.name} ran barrier ${barrier}, and ${channel.name} had brought none`);
      if (limit.barrier < barrier)
        fail(
          "prior exactly",
          `${actor.name} ran barrier ${barrier}, and ${limit.key} of barrier ${limit.barrier} waits on ${channel.name}`,
        );
      if (!channel.doneBefore(limit.at))
        fail("prior exactly", `${actor.name} ran barrier ${barrier} without ${channel.firstOpen?.key} of ${channel.name}`);
    }
  }

  /** The channels whose heads a barrier of this actor waits for, as far as anybody outside can tell; `named`: only those that it waits for from the beginning. */
  needed(actor: ActorLedger, barrier: number, named = false): ChannelLedger[] {
    return (actor.node.dual?.upstreams ?? []).flatMap((upstream) => {
      if (upstream.kind === "ingress") {
        if (actor.node.watermarks.includes(upstream.ingress)) return [];
        const names = this.ingresses.get(upstream.ingress) ?? [];
        const channels = names.map((name) => actor.channel(name));
        if (upstream.partitions === "all") return channels;
        return named ? [] : channels.filter(({ used }) => used);
      }
      const prefix = `${upstream.function.slice("sim/".length)}/`;
      if (upstream.ids) return upstream.ids.map((id) => actor.channel(prefix + id));
      const all = [...actor.channels.values()].filter(({ name }) => name.startsWith(prefix));
      if (named) return [];
      if (upstream.count === undefined) return all.filter(({ used }) => used);
      const ready = all.filter(({ sent }) => sent.some((each) => each.critical && each.barrier >= barrier));
      if (ready.length < upstream.count)
        fail(
          "prior exactly",
          `${actor.name} ran barrier ${barrier} with ${ready.length} of ${upstream.count} channels of ${prefix}`,
        );
      return ready;
    });
  }

  /** 1 and 4: what it saw is the fold of what took effect before it. */
  #judgeSight(actor: ActorLedger, line: DualLine): void {
    const { states } = actor.node;
    const saw = comparable(states, new Map(Object.entries(line.saw ?? {})));
    const folded = comparable(states, actor.remembered);
    if (saw !== folded)
      fail(
        "merged state is the fold",
        `${actor.name}: ${line.messageId} saw ${saw}, and what took effect before it makes ${folded}`,
      );
    if (states.some(({ kind }) => kind === "last")) this.#judgeLast(actor, line);
    actor.since.clear();
    reset(states, actor.remembered);
  }

  /** Of what lanes wrote at about one instant any may be the latest; but it is one of theirs, or what was there before. */
  #judgeLast(actor: ActorLedger, { messageId, saw }: DualLine): void {
    const last = saw?.last;
    const known = last === actor.last || actor.since.has(String(last));
    if (!known || (last === undefined && actor.since.size > 0))
      fail("merged state is the fold", `${actor.name}: ${messageId} saw ${last} as the latest, and before it was ${actor.last}`);
    actor.last = last;
  }

  /** L4 (ledger.ts): a message without a sender, written by itself, is a copy of a record. */
  #remember(record: StoredRecord): void {
    if (!record.key || record.value === null || record.key[0] !== 0x6d) return; // 'm': a message that waits
    const { message } = decodePending(0, record.value, 0);
    if (message.caller) return;
    const { m } = JSON.parse(Buffer.from(typedValueOf(message.argument.head)).toString("utf8")) as DualText;
    const delivery = this.deliveries.get(dualKey(message.target.type, message.target.id, m));
    if (!delivery) return fail("effects count once", `${m} is remembered as waiting, but nothing has caused it`);
    if (delivery.done) return fail("effects count once", `${delivery.key} is remembered as waiting, but has taken effect`);
    this.#cover(delivery);
    delivery.remembered = true;
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────────────────────────

  checkNothingLost(): void {
    const missing = [...this.deliveries.values()].filter(({ done }) => !done);
    if (missing.length > 0) {
      const some = missing.slice(0, 3).map(({ key }) => key);
      fail("nothing is lost", `${missing.length} messages never took effect, such as ${some.join(", ")}`);
    }
  }

  /** What a restore would read of an actor's base. */
  checkBase(base: ReadonlyMap<string, Remembered>): void {
    for (const [name, actor] of this.actors) {
      const { states } = actor.node;
      const stored = comparable(states, base.get(name) ?? new Map());
      const folded = comparable(states, actor.remembered);
      if (stored !== folded)
        fail("merged state is the fold", `the base of ${name} is ${stored}, and what took effect makes ${folded}`);
    }
    for (const name of base.keys())
      if (!this.actors.has(name)) fail("effects count once", `${name} has state and has done nothing`);
  }

  /** The first few that are still open, for people. */
  someOpen(count: number): string {
    const open = [...this.deliveries.values()].filter(({ done }) => !done);
    return open
      .slice(0, count)
      .map(
        ({ key, barrier, channel, at }) =>
          `${key} (barrier ${barrier}, ${channel?.name} ${at}, first open ${channel?.firstOpen?.key})`,
      )
      .join(", ");
  }
}

function depthOf({ messageId }: DualLine): number {
  return messageId.split("/").length;
}

function fail(checker: Checker, detail: string): never {
  throw new Violation(checker, detail);
}
