/**
 * The corridor: every event is one short function, calling the rooms in the order a message passes them. Pure: no I/O, clock or
 * randomness of its own; the simulator runs this very object.
 *
 * Owns: who may write (tenure), the present life (life.ts), when to drain and to stop.
 *
 * E1  After a unit is lost, nothing of this life remains in memory: everything is claimed and restored anew.
 * E2  An answer that belongs to a former life or epoch is counted and dropped.
 */
import type { EngineOptions, ModuleSpecification } from "./config/specification";
import type { Effects } from "./effect";
import type { AssignedInput, Event, UnitFailure } from "./event";
import { Heritage, Life } from "./life";
import { ProtocolError, unreachable } from "./model/errors";
import { Random } from "./model/random";
import { Timers } from "./model/timers";
import type { ActorList, ActorQuery, Explanation } from "./observe/actor-status";
import type { Measures, ShardStatus } from "./observe/measure";
import type { EndpointStatus, InputStatus } from "./observe/status";
import type { PolicyModules } from "./router/applications";
import { actorList } from "./scaling/actor-view";
import { explanation } from "./scaling/explanation";
import { CLAIM_AGAIN_MS, type OwnershipEvent, STEP_RETRY_MS, Tenure } from "./scaling/tenure";

/** What a timer is about; whoever takes it looks whether it still means something. */
type Wake =
  /** Shard -1: the sink. */
  | { readonly kind: "ownership"; readonly shard: number; readonly epoch: number }
  | { readonly kind: "begin"; readonly epoch: number }
  /** Only wakes: what is overdue is seen after every event. */
  | { readonly kind: "drain"; readonly epoch: number }
  | { readonly kind: "release"; readonly epoch: number };

export class Engine {
  readonly tenure: Tenure;
  readonly #heritage: Heritage;
  readonly #timers = new Timers<Wake>();
  #life: Life;
  #desired: { shards: readonly number[]; inputs: readonly AssignedInput[] } = { shards: [], inputs: [] };
  #assignedOnce = false;
  #stopping = false;
  #timerSetMs = Number.POSITIVE_INFINITY;

  /** `seed` gives jitter and, with the router's name, the identity of this process: draw it anew at each start. */
  constructor(
    private readonly options: EngineOptions,
    module: ModuleSpecification,
    seed: number,
    /** Name of the cluster of the internal topics. */
    cluster = module.sources[0]?.cluster.name ?? "",
    policies: PolicyModules = new Map(),
  ) {
    this.tenure = new Tenure(options, seed.toString(36));
    this.#heritage = new Heritage(options, module, cluster, new Random(seed), policies);
    this.#life = new Life(this.#heritage);
  }

  get life(): Life {
    return this.#life;
  }

  apply(now: number, event: Event, effects: Effects): void {
    this.#handle(now, event, effects);
    this.#life.settle(now, effects);
    this.#continueRetiring(now, effects);
    const next = Math.min(this.#timers.nextMs, this.#life.nextWakeMs);
    if (next < this.#timerSetMs) {
      this.#timerSetMs = next;
      effects.push({ kind: "set_timer", atMs: next });
    }
  }

  #handle(now: number, event: Event, effects: Effects): void {
    switch (event.kind) {
      case "records_received":
        return this.#life.received(now, event, effects);
      case "invocation_replied":
        return this.#life.replied(now, event, effects);
      case "invocation_failed":
        return this.#life.unanswered(now, event, effects);
      case "timer_due":
        this.#timerSetMs = Number.POSITIVE_INFINITY;
        this.#life.wakeUp(now, effects);
        return this.#wakeUp(now, effects);
      case "unit_committed":
        if (!this.#life.committed(now, event.unit, effects)) this.#heritage.book.staleEvents++;
        return;
      case "unit_failed":
        return this.#unitLost(now, event.unit, event.failure, event.reason, effects);
      case "topic_described":
      case "topic_absent":
        return this.#life.topicKnown(now, event, effects);
      case "input_located":
        return this.#life.located(event.input, event.offset, effects);
      case "input_location_failed":
        return this.#life.unlocated(now, event.input, event.reason, effects);
      case "input_exhausted":
        return this.#life.exhausted(now, event);
      case "input_displaced":
        return this.#life.displaced(event.input, event.offset, effects);
      case "assignment_changed":
        this.#assignedOnce = true;
        this.tenure.memberId = event.memberId;
        this.#desired = event;
        return this.#assigned(now, effects);
      case "state_restored":
        if (event.epoch !== this.tenure.epoch) this.#heritage.book.staleEvents++;
        else this.#restore(now, event, effects);
        return;
      case "drain_requested":
        this.#stopping = true;
        return this.#retire(now, effects);
      case "claim_appended":
      case "claims_read":
      case "claimants_fenced":
      case "shard_restored":
      case "claim_released":
      case "ownership_failed":
      case "sink_opened":
      case "sink_failed":
        return this.#ownership(now, event, effects);
      default:
        unreachable(event);
    }
  }

  // ── tenure ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #assigned(now: number, effects: Effects): void {
    const { kind } = this.tenure.phase;
    if (this.#stopping || kind === "resting" || kind === "retiring" || kind === "releasing") return;
    const wanted = this.#desired.shards;
    const held = this.tenure.shards;
    const same = wanted.length === held.size && wanted.every((shard) => held.has(shard));
    if (!same && kind !== "standby") {
      // With nothing wanted, claims on their way are released too: whoever is next need not wait for us.
      if (kind === "running" || wanted.length === 0) return this.#retire(now, effects);
      this.#forget(effects);
      this.tenure.abandon("standby");
    }
    if (!same && wanted.length > 0) this.#begin(effects);
    else if (kind === "running") this.#life.openInputs(this.#desired.inputs, effects);
  }

  #begin(effects: Effects): void {
    this.tenure.begin(this.#desired.shards, effects);
    const shards = this.#desired.shards.length;
    effects.push({ kind: "report", level: "info", text: `claiming ${shards} ${shards === 1 ? "shard" : "shards"}` });
  }

  #ownership(now: number, event: OwnershipEvent, effects: Effects): void {
    const { tenure } = this;
    if (event.epoch !== tenure.epoch) {
      this.#heritage.book.staleEvents++;
      return;
    }
    const change = tenure.apply(now, event, effects);
    const shard = "shard" in event ? event.shard : -1;
    const failed = event.kind === "ownership_failed" || event.kind === "sink_failed";
    if (failed || tenure.shards.get(shard)?.kind === "waiting") {
      this.#timers.add(now + STEP_RETRY_MS, { kind: "ownership", shard, epoch: tenure.epoch });
    }
    if (change === "running") this.#run(now, effects);
    else if (change === "released") this.#released(effects);
    else if (change === "lost") {
      const text = `shard ${shard} was claimed by another router; next look in ${CLAIM_AGAIN_MS} ms`;
      effects.push({ kind: "report", level: "warn", text });
      this.#forget(effects);
      this.#rest(now);
    }
  }

  #run(now: number, effects: Effects): void {
    const objection = this.#takeUp(now, effects);
    if (objection) this.#stop(1, `what was restored cannot be taken up: ${objection}`, effects);
  }

  #takeUp(now: number, effects: Effects): string | undefined {
    try {
      return this.#life.run(this.#desired.inputs, now, effects);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return error.message;
    }
  }

  /** Records that this version cannot read end the process: going on without them would forget what they say. */
  #restore(now: number, event: Extract<Event, { kind: "state_restored" }>, effects: Effects): void {
    try {
      this.#life.restored.take(event.shard, event.records, now);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#stop(1, `shard ${event.shard} cannot be restored: ${error.message}`, effects);
    }
  }

  /** E1. */
  #forget(effects: Effects): void {
    this.#life.end(effects);
    this.#life = new Life(this.#heritage);
  }

  #rest(now: number): void {
    this.tenure.abandon("resting");
    this.#timers.add(now + CLAIM_AGAIN_MS, { kind: "begin", epoch: this.tenure.epoch });
  }

  #unitLost(now: number, id: number, failure: UnitFailure, reason: string, effects: Effects): void {
    if (this.#life.outbox.committing?.id !== id) {
      this.#heritage.book.staleEvents++;
      return;
    }
    this.#heritage.book.units.failed++;
    const fenced = failure === "fenced";
    const next = fenced ? "giving the shards up and joining the group anew" : "claiming and restoring the shards anew";
    effects.push({ kind: "report", level: "error", text: `unit ${id} was not committed (${failure}): ${reason}; ${next}` });
    this.#forget(effects);
    if (!this.#stopping && !fenced) return this.#rest(now);
    // The claims stay: whoever is next must fence us, for the outcome of the unit may not be known yet.
    this.tenure.abandon("standby");
    if (this.#stopping)
      return this.#stop(fenced ? 0 : 1, "the last unit was not committed; what it held will be done again", effects);
    this.#desired = { shards: [], inputs: [] };
    effects.push({ kind: "rejoin_group" });
  }

  // ── leaving ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #retire(now: number, effects: Effects): void {
    const { kind } = this.tenure.phase;
    if (kind === "retiring" || kind === "releasing") return;
    if (kind !== "running") {
      this.#forget(effects);
      if (this.tenure.shards.size === 0) return this.#released(effects);
      return this.#release(now, effects);
    }
    effects.push({ kind: "report", level: "info", text: `draining: ${this.#life.inFlight} invocations in flight` });
    this.tenure.retire(now + this.options.drainMs);
    this.#life.retire(effects);
    this.#timers.add(now + this.options.drainMs, { kind: "drain", epoch: this.tenure.epoch });
  }

  /** After every event: retiring ends when what was in flight is committed, or its time is up. */
  #continueRetiring(now: number, effects: Effects): void {
    const { phase } = this.tenure;
    const { outbox } = this.#life;
    if (phase.kind !== "retiring" || outbox.committing) return;
    if (this.#life.inFlight > 0 && now < phase.deadlineMs) return;
    if (outbox.dirty) return this.#life.closeUnit(now, effects);
    this.#life.noteProgress(now, effects);
    this.#forget(effects);
    this.#release(now, effects);
  }

  #release(now: number, effects: Effects): void {
    this.tenure.release(effects);
    this.#timers.add(now + this.options.drainMs, { kind: "release", epoch: this.tenure.epoch });
  }

  /** A drain that takes too long ends all the same: what is in flight will be done again, and claims are fenced by the successor. */
  #releaseOverdue(effects: Effects): void {
    if (this.tenure.phase.kind !== "releasing") return;
    if (!this.#stopping) return this.#released(effects);
    this.#stop(1, "the claims could not be released in time; whoever starts next will fence them", effects);
  }

  #released(effects: Effects): void {
    this.tenure.abandon("standby");
    if (this.#stopping) this.#stop(0, "drained: everything is committed and every shard released", effects);
    else if (this.#desired.shards.length > 0) this.#begin(effects);
    else effects.push({ kind: "report", level: "info", text: "standing by: another router of the group runs the shards" });
  }

  #stop(code: number, reason: string, effects: Effects): void {
    effects.push({ kind: "stop", code, reason });
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #wakeUp(now: number, effects: Effects): void {
    for (let wake = this.#timers.take(now); wake; wake = this.#timers.take(now)) {
      if (wake.epoch === this.tenure.epoch) this.#wake(now, wake, effects);
    }
  }

  #wake(now: number, wake: Wake, effects: Effects): void {
    switch (wake.kind) {
      case "ownership":
        if (wake.shard < 0) return this.tenure.reopen(effects);
        return this.tenure.retry(wake.shard, now, effects);
      case "begin":
        if (this.#stopping) return;
        this.tenure.abandon("standby");
        return this.#assigned(now, effects);
      case "drain":
        return;
      case "release":
        return this.#releaseOverdue(effects);
      default:
        unreachable(wake);
    }
  }

  // ── what is shown ──────────────────────────────────────────────────────────────────────────────────────────────────

  get measures(): Measures {
    const { functions, sources, applications, dualTypes, units, staleEvents, policyFaults } = this.#heritage.book;
    const { router, store, delayed, inFlight } = this.#life;
    return {
      functions,
      sources,
      applications,
      dualTypes,
      units,
      staleEvents,
      policyFaults,
      actors: router.actors,
      stateBytes: store.bytes,
      delayed: delayed.waiting,
      mailboxBytes: router.mailboxBytes,
      inflight: inFlight,
    };
  }

  /** Where things stand, for people; made anew at each call. */
  view(now: number): EngineView {
    const { router, intake, restored } = this.#life;
    const shards = [...this.tenure.shards].map(([shard, { kind }]) => {
      const restore = restored.shards.get(shard);
      const endMs = kind === "restoring" ? now : restore?.lastMs;
      const restoringMs = restore && endMs !== undefined ? endMs - restore.startedMs : undefined;
      return { shard, phase: kind, restoredRecords: restore?.records ?? 0, restoredBytes: restore?.bytes ?? 0, restoringMs };
    });
    const endpoints = router.endpoints.map((each) => each.status);
    return { phase: this.tenure.phase.kind, assigned: this.#assignedOnce, shards, inputs: intake.view(), endpoints };
  }

  /** The busiest actors in dual mode; undefined: no such function in dual mode has had any. */
  actors(query: ActorQuery): ActorList | undefined {
    const types = [...(this.#life.dual?.types ?? [])];
    const wanted = types.filter(({ type }) => query.function === undefined || type.typename === query.function);
    return wanted.length === 0 && query.function !== undefined ? undefined : actorList(wanted, query);
  }

  /** One actor in plain words; undefined: no such function has been called. */
  explain(now: number, typename: string, id: string): Explanation | undefined {
    const { router, intake, dual } = this.#life;
    // `router.type` would remember whatever name people try.
    const type = router.functionTypes.find((each) => each.typename === typename);
    if (!type) return undefined;
    const runs = (shard: number) => this.tenure.shards.has(shard);
    return explanation({ router, intake, channelsOf: (ingress) => dual?.channelsOf(ingress) ?? [], runs }, type, id, now);
  }

  /** Since when the unit that is being committed waits for its outcome. */
  get committingSinceMs(): number | undefined {
    return this.#life.outbox.committing?.closedMs;
  }
}

export interface EngineView {
  readonly phase: string;
  readonly assigned: boolean;
  readonly shards: readonly (ShardStatus & { readonly restoringMs: number | undefined })[];
  readonly inputs: readonly InputStatus[];
  readonly endpoints: readonly EndpointStatus[];
}
