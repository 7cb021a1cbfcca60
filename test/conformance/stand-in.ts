/**
 * A router small enough to be right by reading it: one process, no Kafka, time that moves only when told. It speaks the protocol
 * through protobufjs, keeps states with their expiry, learns specifications, and gives an address its whole backlog as one batch.
 */

import { type Bench, type Exchange, gather, observationOf } from "./bench";
import { ACTOR, COMMAND, RAW, RESULTS } from "./commands";
import {
  decodeKafkaRecord,
  decodeReply,
  encodeRequest,
  type ProtocolAddress,
  type ProtocolReply,
  type ProtocolResult,
  type ProtocolSpecification,
  type ProtocolValue,
  typedValue,
} from "./protocol";
import type { Message, Observation, RawObservation } from "./scenarios";

interface Invocation {
  readonly caller?: ProtocolAddress;
  readonly argument: ProtocolValue;
}

interface Delayed {
  readonly dueMs: number;
  readonly sender: string;
  readonly token: string;
  readonly target: ProtocolAddress;
  readonly invocation: Invocation;
}

interface Kept {
  readonly value: ProtocolValue;
  expiresMs: number;
}

const attemptsMax = 10;
const incompleteRoundsMax = 3;

const textOf = (address: ProtocolAddress): string => `${address.namespace}/${address.type}/${address.id}`;
const addressOf = (typename: string, id: string): ProtocolAddress => {
  const [namespace = "", type = ""] = typename.split("/");
  return { namespace, type, id };
};

export class StandInRouter implements Bench {
  readonly exchanges: Exchange[] = [];
  readonly specifications = new Map<string, ProtocolSpecification>();
  readonly #states = new Map<string, Map<string, Kept>>();
  readonly #backlogs = new Map<string, { readonly target: ProtocolAddress; readonly invocations: Invocation[] }>();
  readonly #results = new Map<string, Observation[]>();
  readonly #raw = new Map<string, RawObservation[]>();
  #delayed: Delayed[] = [];
  #nowMs = 0;

  constructor(readonly url: string) {}

  async say(messages: readonly Message[]): Promise<void> {
    for (const { id, command } of messages) {
      this.#enqueue(addressOf(ACTOR, id), { argument: typedValue(COMMAND, Buffer.from(JSON.stringify(command))) });
    }
    await this.#settle();
  }

  async pass(ms: number): Promise<void> {
    const until = this.#nowMs + ms;
    for (;;) {
      const next = this.#delayed.filter(({ dueMs }) => dueMs <= until).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#delayed.splice(this.#delayed.indexOf(next), 1);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#enqueue(next.target, next.invocation);
      await this.#settle();
    }
    this.#nowMs = until;
  }

  /** Whatever is still due is let happen. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds() && this.#delayed.length > 0) await this.pass(100);
  }

  results(id: string): readonly Observation[] {
    return this.#results.get(id) ?? [];
  }

  raw(id: string): readonly RawObservation[] {
    return this.#raw.get(id) ?? [];
  }

  #enqueue(target: ProtocolAddress, invocation: Invocation): void {
    const backlog = this.#backlogs.get(textOf(target)) ?? { target, invocations: [] };
    backlog.invocations.push(invocation);
    this.#backlogs.set(textOf(target), backlog);
  }

  async #settle(): Promise<void> {
    for (;;) {
      const [first] = this.#backlogs;
      if (first === undefined) return;
      this.#backlogs.delete(first[0]);
      this.#apply(first[1].target, await this.#call(first[1].target, first[1].invocations));
    }
  }

  /** Sends until there is a result: failures again, incomplete contexts with what was learned. */
  async #call(target: ProtocolAddress, invocations: readonly Invocation[]): Promise<ProtocolResult | undefined> {
    let rounds = 0;
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      const reply = await this.#post(target, invocations);
      if (reply === undefined) continue;
      if (reply.incomplete_invocation_context === undefined) return reply.invocation_result;
      if (++rounds > incompleteRoundsMax) throw new Error("the function asks for the same states again and again");
      for (const spec of reply.incomplete_invocation_context.missing_values) this.specifications.set(spec.state_name, spec);
    }
    throw new Error(`${textOf(target)} failed ${attemptsMax} times`);
  }

  /** undefined: failed, to be tried again. 2xx and exactly this content type, or it is a failure (STATEFUN.md §1.2). */
  async #post(target: ProtocolAddress, invocations: readonly Invocation[]): Promise<ProtocolReply | undefined> {
    const request = { target, invocations, state: this.#attached(target) };
    const response = await fetch(this.url, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: new Uint8Array(encodeRequest(request)),
    });
    const body = Buffer.from(await response.arrayBuffer());
    const good = response.ok && response.headers.get("content-type") === "application/octet-stream";
    const reply = good ? decodeReply(body) : undefined;
    this.exchanges.push({ request, status: response.status, reply });
    return reply;
  }

  /** Every specified state is listed, with a value or without; each call renews those that expire after calls. */
  #attached(target: ProtocolAddress): { state_name: string; state_value?: ProtocolValue }[] {
    const states = this.#states.get(textOf(target));
    return [...this.specifications.values()].map((spec) => {
      const kept = states?.get(spec.state_name);
      if (kept === undefined || kept.expiresMs <= this.#nowMs) return { state_name: spec.state_name };
      if (spec.expiration_spec?.mode === "AFTER_INVOKE") kept.expiresMs = this.#expiry(spec);
      return { state_name: spec.state_name, state_value: kept.value };
    });
  }

  #expiry({ expiration_spec: expiration }: ProtocolSpecification): number {
    if (expiration === null || expiration.mode === "NONE") return Number.POSITIVE_INFINITY;
    return this.#nowMs + expiration.expire_after_millis;
  }

  #apply(sender: ProtocolAddress, result: ProtocolResult | undefined): void {
    if (result === undefined) return; // An empty body: no effects.
    for (const { target, argument } of result.outgoing_messages) this.#enqueue(target, { caller: sender, argument });
    this.#applyDelayed(sender, result);
    for (const { egress_namespace, egress_type, argument } of result.outgoing_egresses) {
      this.#emit(sender.id, `${egress_namespace}/${egress_type}`, argument);
    }
    this.#applyMutations(sender, result);
  }

  #applyDelayed(sender: ProtocolAddress, result: ProtocolResult): void {
    for (const item of result.delayed_invocations) {
      const { cancellation_token: token } = item;
      if (item.is_cancellation_request) {
        if (token === "") throw new Error("a cancellation without a token");
        this.#delayed = this.#delayed.filter((delayed) => delayed.sender !== textOf(sender) || delayed.token !== token);
      } else {
        if (item.target === null || item.argument === null) throw new Error("a delayed message without target or argument");
        const invocation = { caller: sender, argument: item.argument };
        const dueMs = this.#nowMs + item.delay_in_ms;
        this.#delayed.push({ dueMs, sender: textOf(sender), token, target: item.target, invocation });
      }
    }
  }

  #emit(sender: string, egress: string, argument: ProtocolValue): void {
    if (egress === RAW) {
      gather(this.#raw, sender, { typename: argument.typename, hex: argument.value.toString("hex") });
      return;
    }
    if (egress !== RESULTS || argument.typename !== "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord") {
      throw new Error(`egress ${egress} got ${argument.typename}`);
    }
    const { key, value_bytes } = decodeKafkaRecord(argument.value);
    gather(this.#results, key, observationOf(value_bytes));
  }

  #applyMutations(owner: ProtocolAddress, result: ProtocolResult): void {
    const states = this.#states.get(textOf(owner)) ?? new Map<string, Kept>();
    this.#states.set(textOf(owner), states);
    for (const { state_name, mutation_type, state_value } of result.state_mutations) {
      const spec = this.specifications.get(state_name);
      if (spec === undefined) throw new Error(`a mutation of ${state_name}, which was not declared`);
      if (mutation_type === "DELETE") states.delete(state_name);
      else if (state_value === null || state_value.typename !== spec.type_typename) {
        throw new Error(`${state_name} is a ${spec.type_typename}, not a ${state_value?.typename}`);
      } else states.set(state_name, { value: { ...state_value, has_value: true }, expiresMs: this.#expiry(spec) });
    }
  }
}
