/**
 * The engine with a small, obedient world around it: claims and the state topic are lists, time is a number, and functions and commits
 * answer when the test says so.
 */
import type { EngineOptions, ModuleSpecification } from "../../src/config/specification";
import type { Effect, EffectKind } from "../../src/effect";
import { Engine } from "../../src/engine";
import type { AssignedInput, ChangelogRecord, Event, UnitFailure } from "../../src/event";
import type { StandingClaim } from "../../src/model/claim";
import type { InputRecord, OutputRecord, TopicBatch } from "../../src/model/record";
import type { PolicyModules } from "../../src/router/applications";
import { type ChangelogKey, decodeKey } from "../../src/state/changelog";
import { engineOptions, HOME, moduleSpecification } from "./module";
import {
  type DeclarationFields,
  decodeRequest,
  type InvocationRequestFields,
  incompleteBytes,
  type ReplyFields,
  replyBytes,
} from "./statefun-proto";

type Of<Kind extends EffectKind> = Extract<Effect, { kind: Kind }>;

/** What is asked of the ownership adapters and of `locate_input`: answered at once unless held. */
const ANSWERED: readonly EffectKind[] = [
  "open_sink",
  "append_claim",
  "read_claims",
  "fence_claimants",
  "restore_shard",
  "release_claim",
  "locate_input",
];

/** What outlives an engine: the log and the claims. */
export class Broker {
  readonly claims = new Map<number, StandingClaim[]>();
  /** `<group>.state`, compacted, per shard in the order of the last write. */
  readonly state = new Map<number, Map<string, ChangelogRecord>>();
  /** Committed records of all other topics: `topic` to records. */
  readonly topics = new Map<string, OutputRecord[]>();
  #offset = 0;

  append(shard: number, claim: StandingClaim): number {
    this.claimsOf(shard).push(claim);
    return claim.offset;
  }

  nextOffset(): number {
    return this.#offset++;
  }

  claimsOf(shard: number): StandingClaim[] {
    const claims = this.claims.get(shard) ?? [];
    this.claims.set(shard, claims);
    return claims;
  }

  remove(shard: number, claimIds: readonly string[]): void {
    this.claims.set(
      shard,
      this.claimsOf(shard).filter((claim) => !claimIds.includes(claim.claimId)),
    );
  }

  write(batches: readonly TopicBatch[]): void {
    for (const { topic, records } of batches) {
      for (const record of records) {
        if (topic === "g.state") this.#writeState(record);
        else this.topics.set(topic, [...(this.topics.get(topic) ?? []), record]);
      }
    }
  }

  #writeState(record: OutputRecord): void {
    const shard = this.state.get(record.partition) ?? new Map<string, ChangelogRecord>();
    this.state.set(record.partition, shard);
    const key = String(record.key);
    shard.delete(key);
    if (record.value) shard.set(key, { key: Buffer.from(key), value: new Uint8Array(record.value) });
  }

  /** Keys of one kind that stand in the state topic, of all shards. */
  keys<Kind extends ChangelogKey["kind"]>(kind: Kind): Extract<ChangelogKey, { kind: Kind }>[] {
    const all = [...this.state.values()].flatMap((shard) => [...shard.values()].map((record) => decodeKey(record.key)));
    return all.filter((key): key is Extract<ChangelogKey, { kind: Kind }> => key.kind === kind);
  }
}

export interface Setup {
  options?: Partial<EngineOptions>;
  module?: Partial<ModuleSpecification>;
  seed?: number;
  policies?: PolicyModules;
  broker?: Broker;
  nowMs?: number;
  shards?: readonly number[];
  inputs?: readonly AssignedInput[];
  hold?: readonly EffectKind[];
}

export interface Dispatched {
  readonly invocation: number;
  readonly effect: Of<"dispatch">;
  readonly request: InvocationRequestFields;
  readonly id: string;
  /** Values of the arguments as text. */
  readonly texts: readonly string[];
}

export class EngineDriver {
  readonly engine: Engine;
  readonly broker: Broker;
  now: number;
  timerAtMs = Number.POSITIVE_INFINITY;
  /** Everything asked for, in order. */
  readonly effects: Effect[] = [];
  readonly inFlight: Dispatched[] = [];
  readonly held: Effect[] = [];
  committing: Of<"commit_unit"> | undefined;
  stopped: Of<"stop"> | undefined;
  /** Consumed inputs by index, and whether they are paused. */
  readonly inputs = new Map<number, { partition: number; source: number; paused: boolean; offset: number }>();
  hold: readonly EffectKind[];
  readonly #events: Event[] = [];

  constructor(readonly setup: Setup = {}) {
    this.broker = setup.broker ?? new Broker();
    this.now = setup.nowMs ?? 1_000;
    this.hold = setup.hold ?? [];
    const module = moduleSpecification(setup.module);
    this.engine = new Engine(engineOptions(setup.options), module, setup.seed ?? 1, HOME.name, setup.policies);
  }

  /** An engine that runs. */
  static running(setup: Setup = {}): EngineDriver {
    const driver = new EngineDriver(setup);
    driver.assign(setup.shards ?? [0, 1], setup.inputs ?? [{ source: 0, partition: 0 }]);
    if (driver.phase !== "running") throw new Error(`it is ${driver.phase}`);
    return driver;
  }

  get phase(): string {
    return this.engine.tenure.phase.kind;
  }

  get stale(): number {
    return this.engine.measures.staleEvents;
  }

  assign(shards: readonly number[], inputs: readonly AssignedInput[] = []): Effect[] {
    return this.apply({ kind: "assignment_changed", memberId: "m", shards, inputs });
  }

  /** Applies one event and whatever the world answers to it at once; gives the effects. */
  apply(event: Event): Effect[] {
    const from = this.effects.length;
    this.#events.push(event);
    for (let next = this.#events.shift(); next; next = this.#events.shift()) {
      const effects: Effect[] = [];
      this.engine.apply(this.now, next, effects);
      for (const effect of effects) this.#take(effect);
    }
    return this.effects.slice(from);
  }

  /** Time passes; timers fire at their instants. */
  advance(ms: number): void {
    const end = this.now + ms;
    while (this.timerAtMs <= end) {
      this.now = Math.max(this.now, this.timerAtMs);
      this.timerAtMs = Number.POSITIVE_INFINITY;
      this.apply({ kind: "timer_due" });
    }
    this.now = end;
  }

  /** Records of the partition that input index reads; offsets go on from the last. */
  receive(input: number, ...pairs: readonly (readonly [key: string | null, value: string | null])[]): void {
    const state = this.inputs.get(input);
    const first = state?.offset ?? 0;
    const records = pairs.map(([key, value], i) => record(first + i, key, value));
    if (state) state.offset = first + records.length;
    this.apply({ kind: "records_received", input, records, nextOffset: first + records.length });
  }

  get onlyInput(): number {
    const [index] = [...this.inputs.keys()];
    if (index === undefined || this.inputs.size > 1) throw new Error(`${this.inputs.size} inputs`);
    return index;
  }

  /** The oldest request in flight, or that of this id. */
  request(id?: string): Dispatched {
    const found = this.inFlight.find((each) => id === undefined || each.id === id);
    if (!found) throw new Error(`nothing in flight for ${id ?? "anybody"}`);
    return found;
  }

  /** Answers the request of this id, or the oldest one. */
  reply(fields: ReplyFields = {}, id?: string): Dispatched {
    return this.answer(replyBytes(fields), id);
  }

  incomplete(declarations: readonly DeclarationFields[], id?: string): Dispatched {
    return this.answer(incompleteBytes(...declarations), id);
  }

  answer(body: Uint8Array, id?: string, overrides: Partial<Extract<Event, { kind: "invocation_replied" }>> = {}): Dispatched {
    const request = this.#withdraw(id);
    this.apply({
      kind: "invocation_replied",
      invocation: request.invocation,
      status: 200,
      contentType: "application/octet-stream",
      body: Buffer.from(body),
      retryAfterMs: undefined,
      ...overrides,
    });
    return request;
  }

  fail(reason = "refused", id?: string): Dispatched {
    const request = this.#withdraw(id);
    this.apply({ kind: "invocation_failed", invocation: request.invocation, reason });
    return request;
  }

  #withdraw(id: string | undefined): Dispatched {
    const request = this.request(id);
    this.inFlight.splice(this.inFlight.indexOf(request), 1);
    return request;
  }

  /** The unit that is being committed lands. */
  commit(): void {
    const unit = this.committing;
    if (!unit) throw new Error("no unit is being committed");
    this.committing = undefined;
    this.broker.write(unit.outside);
    this.broker.write(unit.inside);
    this.apply({ kind: "unit_committed", unit: unit.unit });
  }

  loseUnit(failure: UnitFailure, reason = "lost"): void {
    const unit = this.committing;
    if (!unit) throw new Error("no unit is being committed");
    this.committing = undefined;
    this.apply({ kind: "unit_failed", unit: unit.unit, failure, reason });
  }

  /** Commits until nothing is left to commit, also what waits a little behind the unit before (egress/pace.ts). */
  commitAll(): void {
    for (;;) {
      this.advance(this.timerAtMs <= this.now + 50 ? Math.max(0, this.timerAtMs - this.now) : 0);
      if (!this.committing) return;
      this.commit();
    }
  }

  describe(topic: string, partitions = 3, messageBytesMax = 1_000_000, cluster = HOME.name): void {
    this.apply({ kind: "topic_described", cluster, topic, partitions, messageBytesMax });
  }

  /** A successor on the same log, of the same name: what this engine has not committed is lost. */
  restarted(overrides: Setup = {}): EngineDriver {
    const seed = (this.setup.seed ?? 1) + 1;
    return EngineDriver.running({ ...this.setup, seed, broker: this.broker, nowMs: this.now, ...overrides });
  }

  reports(): string[] {
    return this.effects.filter((effect): effect is Of<"report"> => effect.kind === "report").map((effect) => effect.text);
  }

  count(kind: EffectKind): number {
    return this.effects.filter((effect) => effect.kind === kind).length;
  }

  #take(effect: Effect): void {
    this.effects.push(effect);
    if (ANSWERED.includes(effect.kind)) {
      if (this.hold.includes(effect.kind)) this.held.push(effect);
      else this.#answer(effect);
      return;
    }
    switch (effect.kind) {
      case "set_timer":
        this.timerAtMs = effect.atMs;
        break;
      case "dispatch":
        this.inFlight.push(dispatched(effect));
        break;
      case "commit_unit":
        if (this.committing) throw new Error("U2: two units at a time");
        this.committing = effect;
        break;
      case "consume_input":
        this.inputs.set(effect.input, {
          partition: effect.partition,
          source: effect.source,
          paused: false,
          offset: effect.offset,
        });
        break;
      case "pause_input":
      case "resume_input": {
        const input = this.inputs.get(effect.input);
        if (input) input.paused = effect.kind === "pause_input";
        break;
      }
      case "drop_input":
        this.inputs.delete(effect.input);
        break;
      case "stop":
        this.stopped = effect;
        break;
      default:
    }
  }

  #answer(effect: Effect): void {
    const { broker } = this;
    switch (effect.kind) {
      case "open_sink":
        this.#events.push({ kind: "sink_opened", epoch: effect.epoch });
        break;
      case "append_claim": {
        const offset = broker.append(effect.shard, { ...effect.claim, offset: broker.nextOffset() });
        this.#events.push({ kind: "claim_appended", shard: effect.shard, epoch: effect.epoch, offset });
        break;
      }
      case "read_claims": {
        const claims = [...broker.claimsOf(effect.shard)];
        this.#events.push({ kind: "claims_read", shard: effect.shard, epoch: effect.epoch, claims });
        break;
      }
      case "fence_claimants":
        broker.remove(
          effect.shard,
          effect.claims.map((claim) => claim.claimId),
        );
        this.#events.push({ kind: "claimants_fenced", shard: effect.shard, epoch: effect.epoch });
        break;
      case "restore_shard": {
        const records = [...(broker.state.get(effect.shard)?.values() ?? [])];
        this.#events.push({ kind: "state_restored", shard: effect.shard, epoch: effect.epoch, records });
        this.#events.push({ kind: "shard_restored", shard: effect.shard, epoch: effect.epoch });
        break;
      }
      case "release_claim":
        broker.remove(effect.shard, [effect.claimId]);
        this.#events.push({ kind: "claim_released", shard: effect.shard, epoch: effect.epoch });
        break;
      case "locate_input":
        this.#events.push({ kind: "input_located", input: effect.input, offset: 0 });
        break;
      default:
    }
  }
}

export function record(offset: number, key: string | null, value: string | null): InputRecord {
  return {
    offset,
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    timestampMs: 1,
    headers: [],
  };
}

function dispatched(effect: Of<"dispatch">): Dispatched {
  const request = decodeRequest(effect.body);
  const texts = (request.invocations ?? []).map((each) => Buffer.from(each.argument?.value ?? []).toString());
  return { invocation: effect.invocation, effect, request, id: request.target?.id ?? "", texts };
}
