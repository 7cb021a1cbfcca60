/**
 * What one reply asks for, checked as a whole and then applied as a whole, in StateFun's order: messages, delayed messages,
 * egress, state (STATEFUN.md §9, trap 10).
 *
 * D1  Either all effects of a reply join the open unit together with its done marks, or none does.
 * D2  What cannot land is refused here, with the reason, and fails its invocation: unknown target or egress, wrong typename,
 *     impossible delay or token, undeclared state, too large for its topic.
 * D3  The merge of a part changes state and does nothing else: it may be done on any lane, in any order, and again.
 */
import type { EgressSpecification, ModuleSpecification } from "./config/specification";
import type { Effects } from "./effect";
import { type EgressRecord, egressRecord, recordBytes } from "./egress/egress-record";
import type { Outbox } from "./egress/outbox";
import type { TopicFacts, Topics } from "./egress/topics";
import type { DelayedMessages } from "./functions/delayed";
import type { Invocation } from "./functions/invoker";
import { isMergeArgument } from "./functions/merge-message";
import type { Delayed } from "./functions/pending";
import { detachTypedValue, type OutgoingDelayed, type Reply, typedValueBytes } from "./functions/wire";
import type { Input } from "./ingress/intake";
import { type Address, addressText } from "./model/address";
import { ProtocolError } from "./model/errors";
import { Blame, type Mark, MESSAGE_OVERHEAD_BYTES, Message, type Provenance } from "./model/message";
import { murmur2 } from "./model/murmur2";
import { TypedValue } from "./model/typed-value";
import type { Router } from "./router/router";
import type { StateStore } from "./state/store";

/** A record of `<group>.state` is never larger: the topic is made for 64 MiB, a reply for 32 MiB. */
const STATE_VALUE_BYTES_MAX = 60 * 1024 * 1024;

const UNMARKED: Mark = { critical: false, series: "", barrier: -1, after: -1, channel: "" };

const EMPTY_ARGUMENT = new TypedValue(new Uint8Array(0), undefined);

interface Emission {
  readonly cluster: string;
  readonly record: EgressRecord;
  readonly facts: TopicFacts;
  readonly bytes: number;
}

/** A reply that was checked: everything it needs is at hand. */
export interface CheckedReply {
  readonly reply: Reply;
  readonly emissions: readonly Emission[];
}

/** `{ objection }`: why it fails. `undefined`: topics are being described, look again then. */
export type CheckResult = CheckedReply | { readonly objection: string } | undefined;

export class Delivery {
  readonly #egresses = new Map<string, EgressSpecification>();
  #nextSequence = 1;
  /** Records without a key go round the partitions, a batch of one unit at a time. */
  #roundRobin = 0;
  #key = "";
  #lastKeyBytes: Uint8Array = new Uint8Array(0);
  #keyHash = murmur2(this.#lastKeyBytes);

  constructor(
    module: ModuleSpecification,
    private readonly router: Router,
    private readonly outbox: Outbox,
    private readonly topics: Topics,
    private readonly delayed: DelayedMessages,
    private readonly wake: (delayed: Delayed) => void,
  ) {
    for (const egress of module.egresses) this.#egresses.set(egress.id, egress);
  }

  /** Pending ids go on behind the highest one restored. */
  continueFrom(sequence: number): void {
    this.#nextSequence = sequence;
  }

  /** A copy of a record of which another copy is finished: from here on it is remembered as if it had been sent (A1). */
  adopt(copy: Message, { source, partition }: Input): void {
    const { ingress, topic } = source.specification;
    copy.mark = { ...(copy.mark ?? UNMARKED), channel: `${ingress}\0${topic}\0${partition}` };
    copy.entry = undefined;
    copy.sequence = this.#nextSequence++;
    copy.shard = this.router.homeOf(copy.target.id);
    this.outbox.sent(copy);
  }

  check(invocation: Invocation, reply: Reply, now: number, effects: Effects): CheckResult {
    const objection = mergeObjection(invocation, reply) ?? this.#objection(invocation, reply);
    if (objection) return { objection };
    return this.#checkEgress(invocation, reply, now, effects);
  }

  #objection(invocation: Invocation, reply: Reply): string | undefined {
    for (const { target, argument } of reply.sends) {
      if (isMergeArgument(argument)) return "sends a message of io.dirigo.types/merge: only the router asks for merges";
      if (!this.#served(target)) return `sends a message to ${addressText(target)}, which no endpoint serves`;
    }
    for (const { target, cancel } of reply.delayed) {
      if (!cancel && !(target && this.#served(target))) {
        return `sends a delayed message to ${target ? addressText(target) : "nobody"}, which no endpoint serves`;
      }
    }
    return this.delayed.objection(invocation.mailbox.address, reply.delayed) ?? stateObjection(invocation, reply);
  }

  #served(target: Address): boolean {
    return this.router.type(`${target.namespace}/${target.type}`) !== undefined;
  }

  #checkEgress(invocation: Invocation, reply: Reply, now: number, effects: Effects): CheckResult {
    const emissions: Emission[] = [];
    let awaited = false;
    let egress: EgressSpecification | undefined;
    let topic = "";
    let facts: TopicFacts | string | undefined;
    for (const sent of reply.egress) {
      const { egress: id } = sent;
      // Mostly all of a reply goes to one egress and one topic.
      if (egress?.id !== id) {
        egress = this.#egresses.get(id);
        topic = "";
      }
      if (!egress) return { objection: `sends to egress ${id}, which is not defined` };
      let record: EgressRecord;
      try {
        record = egressRecord(egress, sent, invocation.mailbox.address.id);
      } catch (error) {
        if (error instanceof ProtocolError) return { objection: error.message };
        throw error;
      }
      if (record.topic !== topic) {
        topic = record.topic;
        facts = this.topics.look(egress.cluster.name, topic, now, effects);
      }
      if (typeof facts === "string") return { objection: `sends to topic ${record.topic} of egress ${id}: ${facts}` };
      if (facts === undefined) {
        awaited = true;
        continue;
      }
      const bytes = recordBytes(record);
      if (bytes > facts.messageBytesMax) {
        return {
          objection: `sends ${bytes} bytes to topic ${record.topic}, which takes ${facts.messageBytesMax} (max.message.bytes)`,
        };
      }
      emissions.push({ cluster: egress.cluster.name, record, facts, bytes });
    }
    return awaited ? undefined : { reply, emissions };
  }

  /** D1. Nothing in here can fail. */
  apply(invocation: Invocation, checked: CheckedReply, store: StateStore, now: number): void {
    const { reply } = checked;
    const measures = invocation.mailbox.type.measures;
    if (reply.sends.length > 0) this.#send(invocation, reply, now);
    for (const each of reply.delayed) this.#delay(invocation, each, now);
    for (const emission of checked.emissions) this.#emit(invocation, emission);
    this.#changeState(invocation, reply, store, now);
    measures.outLocal += reply.sends.length;
    measures.outDelayed += reply.delayed.length;
    measures.outEgress += reply.egress.length;
  }

  #send(invocation: Invocation, reply: Reply, now: number): void {
    const cause = causeOf(invocation);
    const mark = inheritedMark(cause);
    const { downstream } = invocation.mailbox.type;
    for (const { target, argument } of reply.sends) {
      const type = this.router.type(`${target.namespace}/${target.type}`);
      if (!type) continue; // Checked before.
      const mailbox = this.router.mailbox(type, target.id);
      const message = this.#message(mailbox.address, invocation.mailbox.address, argument, cause, now);
      message.shard = mailbox.memory.shard;
      if (mailbox.address !== invocation.mailbox.address) message.mark = mark;
      if (cause.blame) message.blame = new Blame(cause.blame);
      downstream.add(type);
      this.outbox.sent(message);
      this.router.send(mailbox, message, now);
    }
  }

  #message(target: Address, caller: Address, argument: TypedValue, cause: Cause, now: number): Message {
    const bytes = typedValueBytes(argument) + MESSAGE_OVERHEAD_BYTES;
    const { ingressMs, deadlineMs, provenance } = cause;
    const message = new Message(
      target,
      caller,
      argument,
      bytes,
      undefined,
      this.#nextSequence++,
      ingressMs,
      now,
      deadlineMs,
      0,
      provenance,
    );
    message.application = cause.application;
    message.rank = cause.rank;
    return message;
  }

  #delay(invocation: Invocation, outgoing: OutgoingDelayed, now: number): void {
    const sender = invocation.mailbox.address;
    if (outgoing.cancel) {
      const cancelled = this.delayed.cancel(sender, outgoing.token);
      if (cancelled) this.outbox.settled(cancelled.message);
      return;
    }
    if (!outgoing.target) return; // Checked before.
    const dueMs = now + outgoing.delayMs;
    const { application, rank, provenance } = causeOf(invocation);
    // Its time begins when it is due.
    const deadlineMs = dueMs + this.router.applications.at(application).sloMs;
    const own = { ingressMs: dueMs, deadlineMs, application, rank };
    const cause = { ...own, provenance: detachProvenance(provenance), blame: undefined, mark: undefined };
    // It may wait for days: it must not hold the reply it came in.
    const message = this.#message(outgoing.target, sender, detachTypedValue(outgoing.argument ?? EMPTY_ARGUMENT), cause, now);
    message.shard = invocation.mailbox.memory.shard;
    const delayed: Delayed = { message, dueMs, token: outgoing.token, cancelled: false, fired: false };
    this.outbox.delayed(delayed);
    this.delayed.add(delayed);
    this.wake(delayed);
  }

  #emit(invocation: Invocation, emission: Emission): void {
    const { record, facts } = emission;
    const key = record.key === null ? null : this.#keyBytes(record.key);
    const partition = key ? (this.#keyHash & 0x7fffffff) % facts.partitions : this.#roundRobin++ % facts.partitions;
    const { traceparent } = causeOf(invocation).provenance;
    const headers = traceparent === undefined ? record.headers : { traceparent, ...record.headers };
    const output = { partition, key, value: record.value, headers, timestampMs: undefined };
    this.outbox.emit(emission.cluster, record.topic, output, emission.bytes);
  }

  /** Actors mostly write with one key, their id: its bytes and hash are made once for a run of records. */
  #keyBytes(key: string): Uint8Array {
    if (key !== this.#key) {
      this.#key = key;
      this.#lastKeyBytes = Buffer.from(key, "utf8");
      this.#keyHash = murmur2(this.#lastKeyBytes);
    }
    return this.#lastKeyBytes;
  }

  #changeState(invocation: Invocation, reply: Reply, store: StateStore, now: number): void {
    const { memory, type } = invocation.mailbox;
    const fresh = memory.changed.length === 0 && !memory.touched;
    let bytes = 0;
    for (const { name, value } of reply.mutations) {
      const slot = type.states.slot(name);
      if (!slot) continue; // Checked before.
      if (value) store.write(memory, slot, value, now);
      else store.clear(memory, slot);
      bytes += value ? value.bytes.length : 0;
    }
    store.renew(memory, now);
    if (fresh && (memory.changed.length > 0 || memory.touched)) this.outbox.changed(memory, bytes);
  }
}

/** D3. */
function mergeObjection({ batch }: Invocation, { sends, delayed, egress }: Reply): string | undefined {
  if (!batch[0]?.mark?.merge || sends.length + delayed.length + egress.length === 0) return undefined;
  return "sends something while it merges a part: a merge may only change state";
}

/** D2 for state mutations. */
function stateObjection(invocation: Invocation, reply: Reply): string | undefined {
  const { states } = invocation.mailbox.type;
  for (const { name, value } of reply.mutations) {
    const slot = states.slot(name);
    if (!slot) return `changes state '${name}', which it has not declared`;
    if (!value) continue;
    if (value.typename !== slot.typename)
      return `sets state '${name}' of type ${slot.typename} to a value of type ${value.typename || "(none)"}`;
    if (value.bytes.length > STATE_VALUE_BYTES_MAX) {
      return `sets state '${name}' to ${value.bytes.length} bytes; a state value may have ${STATE_VALUE_BYTES_MAX}`;
    }
  }
  return undefined;
}

interface Cause {
  readonly ingressMs: number;
  readonly deadlineMs: number;
  readonly provenance: Provenance;
  readonly application: number;
  readonly rank: number;
  readonly blame: Blame | undefined;
  readonly mark: Mark | undefined;
}

/** A reply does not say which message of its batch caused what: its first, the oldest, stands for all. */
function causeOf(invocation: Invocation): Cause {
  return invocation.batch[0] as Message;
}

/** What a critical message causes is critical, so that barriers pass on (DUAL-MODE.md 2.6); but not what an actor sends to itself, nor what waits for its time. */
function inheritedMark({ mark }: Cause): Mark | undefined {
  if (!mark?.critical) return undefined;
  return { critical: true, series: mark.series, barrier: mark.barrier, after: -1, channel: "" };
}

function detachProvenance(provenance: Provenance): Provenance {
  if (provenance.headers.length === 0) return provenance;
  const headers = provenance.headers.map(({ key, value }) => ({ key, value: value && new Uint8Array(value) }));
  return { ...provenance, headers };
}
