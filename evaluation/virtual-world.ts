/**
 * The engine itself in virtual time. Doubles stand for Kafka (what is fetched arrives after a hop, what is committed lands after the commit's
 * time), for the clock, and for the functions: each replica holds its slots for as long as the functions say their work takes.
 *
 * V1  A replica never has more requests than slots: the engine is what keeps that, and it is checked here.
 * V2  Same load, configuration and seed: same result, to the last digit.
 */
import type { EngineOptions, ModuleSpecification } from "../src/config/specification";
import type { Effect, Effects } from "../src/effect";
import { Engine } from "../src/engine";
import type { AssignedInput, Event } from "../src/event";
import type { Functions } from "../src/functions/sdk";
import type { StandingClaim } from "../src/model/claim";
import type { InputRecord, OutputRecord, TopicBatch } from "../src/model/record";
import type { PolicyModules } from "../src/router/applications";
import { Agenda, START_MS } from "../test/simulation/agenda";
import { type Handled, MERGE_MS, type Meter } from "./functions";

export { START_MS };

export interface Physics {
  /** From a sender to a receiver, ms; requests to functions and their replies take half of it each. */
  readonly hopMs: number;
  /** From asking for a commit to its acknowledgement, ms. */
  readonly commitMs: number;
  /** A merge in a function, whatever its part has in it, ms. */
  readonly mergeMs: number;
}

export const PHYSICS: Physics = { hopMs: 0.5, commitMs: 3, mergeMs: MERGE_MS };

/** A record on its way into the engine. */
export interface Incoming {
  readonly atMs: number;
  readonly source: number;
  readonly partition: number;
  readonly record: InputRecord;
}

/** Who is told what happens. */
export interface Observer {
  /** A record of an egress topic is visible to committed readers. */
  delivered(topic: string, record: OutputRecord, atMs: number): void;
  /** A record of `<group>.control`. */
  control(record: OutputRecord): void;
  /** An invocation has ended; what it handled. */
  handled(records: Handled, atMs: number): void;
  /** A slot was taken, or is free again after so long; `workMs` of it was work, the rest the way to and fro. */
  served(replica: number, fromMs: number, toMs: number, workMs: number): void;
}

export interface WorldOptions {
  readonly options: EngineOptions;
  readonly module: ModuleSpecification;
  readonly policies: PolicyModules;
  readonly seed: number;
  readonly physics: Physics;
  readonly functions: Functions;
  readonly meter: Meter;
  readonly inputs: readonly AssignedInput[];
  /** In the order of their instants. */
  readonly incoming: readonly Incoming[];
  readonly observer: Observer;
}

type Of<Kind extends Effect["kind"]> = Extract<Effect, { kind: Kind }>;

const OCTETS = "application/octet-stream";
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

export class VirtualWorld {
  readonly engine: Engine;
  readonly agenda = new Agenda();
  readonly #world: WorldOptions;
  readonly #claims = new Map<number, StandingClaim[]>();
  /** `source/partition` to the engine's index of that input. */
  readonly #inputs = new Map<string, number>();
  readonly #inFlight: number[][];
  readonly #effects: Effects = [];
  readonly #events: Event[] = [];
  #offset = 0;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #next = 0;

  constructor(world: WorldOptions) {
    this.#world = world;
    const { options, module, seed, policies } = world;
    this.engine = new Engine(options, module, seed, module.sources[0]?.cluster.name, policies);
    this.#inFlight = module.endpoints.map(({ urls }) => urls.map(() => 0));
  }

  get nowMs(): number {
    return this.agenda.now;
  }

  /** Until nothing happens any more. */
  run(): void {
    const { options, inputs } = this.#world;
    const shards = Array.from({ length: options.shards }, (_, shard) => shard);
    this.#apply({ kind: "assignment_changed", memberId: "m", shards, inputs });
    if (this.engine.tenure.phase.kind !== "running") throw new Error(`the engine is ${this.engine.tenure.phase.kind}`);
    this.#awaitRecord();
    while (this.agenda.step());
    const { policyFaults } = this.engine.measures;
    if (policyFaults > 0) throw new Error(`a policy has thrown, or decided what cannot be, ${policyFaults} times`);
  }

  /** Records are taken from their list one by one: the agenda stays short. */
  #awaitRecord(): void {
    const next = this.#world.incoming[this.#next];
    if (!next) return;
    this.#next++;
    this.agenda.at(next.atMs + this.#world.physics.hopMs, () => {
      const input = this.#inputs.get(`${next.source}/${next.partition}`);
      if (input === undefined) throw new Error(`nobody reads partition ${next.partition} of source ${next.source}`);
      const { record } = next;
      this.#apply({ kind: "records_received", input, records: [record], nextOffset: record.offset + 1 });
      this.#awaitRecord();
    });
  }

  #apply(event: Event): void {
    const events = this.#events;
    events.push(event);
    if (events.length > 1) return; // Whoever works through the list takes it, too.
    const effects = this.#effects;
    for (let i = 0; i < events.length; i++) {
      this.engine.apply(this.agenda.now, events[i] as Event, effects);
      for (let j = 0; j < effects.length; j++) this.#perform(effects[j] as Effect);
      effects.length = 0;
    }
    events.length = 0;
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "dispatch":
        return this.#dispatch(effect);
      case "set_timer":
        return this.#setTimer(effect.atMs);
      case "commit_unit":
        return this.#commit(effect);
      case "consume_input":
        this.#inputs.set(`${effect.source}/${effect.partition}`, effect.input);
        return;
      case "report":
        if (effect.level === "warn" || effect.level === "error") throw new Error(`the engine says: ${effect.text}`);
        return;
      case "pause_input":
      case "resume_input":
        // Backpressure would stop Kafka's clock, which here are the records themselves.
        throw new Error(`the engine wants a ${effect.kind}: the bounds of the options are too narrow for this load`);
      case "stop":
        throw new Error(`the engine stops: ${effect.reason}`);
      case "note_progress":
        return;
      default:
        return this.#answer(effect);
    }
  }

  /** What ownership and topics ask for is there at once. */
  #answer(effect: Exclude<Effect, Of<"dispatch" | "set_timer" | "commit_unit" | "report">>): void {
    const answer = (event: Event) => this.#events.push(event);
    switch (effect.kind) {
      case "open_sink":
        return void answer({ kind: "sink_opened", epoch: effect.epoch });
      case "append_claim": {
        const { shard, epoch } = effect;
        const offset = this.#offset++;
        this.#claims.set(shard, [...(this.#claims.get(shard) ?? []), { ...effect.claim, offset }]);
        return void answer({ kind: "claim_appended", shard, epoch, offset });
      }
      case "read_claims": {
        const { shard, epoch } = effect;
        return void answer({ kind: "claims_read", shard, epoch, claims: this.#claims.get(shard) ?? [] });
      }
      case "restore_shard":
        return void answer({ kind: "shard_restored", shard: effect.shard, epoch: effect.epoch });
      case "locate_input":
        return void answer({ kind: "input_located", input: effect.input, offset: 0 });
      case "describe_topic": {
        const { cluster, topic } = effect;
        return void answer({ kind: "topic_described", cluster, topic, partitions: 1, messageBytesMax: MESSAGE_BYTES_MAX });
      }
      default:
        throw new Error(`nothing in this world answers ${effect.kind}`);
    }
  }

  #setTimer(atMs: number): void {
    this.#timerAtMs = atMs;
    this.agenda.at(atMs, () => {
      if (this.#timerAtMs !== atMs) return; // Another instant was asked for since.
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#apply({ kind: "timer_due" });
    });
  }

  /** The functions answer at once and say how long that would have taken; until then the reply is kept and the slot held. */
  #dispatch(effect: Of<"dispatch">): void {
    const { endpoint, replica, invocation } = effect;
    const { physics, functions, meter, module, observer } = this.#world;
    const inFlight = this.#inFlight[endpoint] as number[];
    const slots = module.endpoints[endpoint]?.concurrency ?? 0;
    inFlight[replica] = (inFlight[replica] as number) + 1;
    if ((inFlight[replica] as number) > slots)
      throw new Error(`V1: replica ${replica} of endpoint ${endpoint} has more than ${slots} requests`);
    meter.clear();
    const body = functions.invoke(effect.body);
    if (body instanceof Promise) throw new Error("a function of the simulation must answer at once");
    const { workMs } = meter;
    const handled = [...meter.handled];
    const fromMs = this.nowMs;
    this.agenda.after(physics.hopMs + workMs, () => {
      if (handled.length > 0) observer.handled(handled, this.nowMs - physics.hopMs / 2);
      observer.served(replica, fromMs, this.nowMs, workMs);
      inFlight[replica] = (inFlight[replica] as number) - 1;
      this.#apply({ kind: "invocation_replied", invocation, status: 200, contentType: OCTETS, body, retryAfterMs: undefined });
    });
  }

  #commit(effect: Of<"commit_unit">): void {
    const { physics } = this.#world;
    this.agenda.after(physics.commitMs, () => {
      this.#publish(effect.outside);
      this.#publish(effect.inside);
      this.#apply({ kind: "unit_committed", unit: effect.unit });
    });
  }

  #publish(batches: readonly TopicBatch[]): void {
    const { options, observer, physics } = this.#world;
    for (const { topic, records } of batches) {
      if (topic === `${options.group}.state`) continue;
      if (topic === `${options.group}.control`) for (const record of records) observer.control(record);
      else for (const record of records) observer.delivered(topic, record, this.nowMs + physics.hopMs);
    }
  }
}
