/**
 * One operating-system process of a router: the real engine, with adapters that act on the simulated world.
 *
 *   running ◀──▶ paused (SIGSTOP)      either ──kill──▶ dead; an engine that asks to stop dies in order
 *
 * While paused nothing reaches it and none of its own steps happen; what it had sent goes on by itself. When dead, everything in
 * memory is gone, and what it had sent still goes on by itself.
 */
import type { EngineOptions } from "../../src/config/specification";
import type { Effect } from "../../src/effect";
import { Engine } from "../../src/engine";
import type { Event } from "../../src/event";
import { POLICIES } from "./applications";
import { HOME } from "./broker";
import { ClaimsDouble } from "./claims-double";
import { EndpointDouble } from "./endpoint-double";
import type { Member } from "./group";
import { IntakeDouble } from "./intake-double";
import type { Lineage } from "./ledger";
import { SinkDouble } from "./sink-double";
import { Violation } from "./violation";
import type { World } from "./world";

const HEARTBEAT_MS = 600;

export type ProcessPhase = "running" | "paused" | "dead";

/** What a request to the broker brings back; `lost` leaves open whether it was done. */
export type Lost = "lost";

export class RouterProcess implements Member {
  phase: ProcessPhase = "running";
  readonly engine: Engine;
  readonly sink: SinkDouble;
  readonly intake: IntakeDouble;
  readonly claims: ClaimsDouble;
  readonly endpoints: EndpointDouble;
  readonly options: EngineOptions;
  /** By shard: what this process has restored last. */
  readonly lineages = new Map<number, Lineage>();
  memberId = "";
  draining = false;
  /** The audit topic was described in this tenure: no reply waits for that any more. */
  auditKnown = false;
  /** Planned by the operator: happens when the next unit leaves. */
  atNextUnit: (() => void) | undefined = undefined;
  #joining = false;
  #held: (() => void)[] = [];
  #timer = 0;
  readonly #skewMs: number;
  readonly #effects: Effect[] = [];

  constructor(
    readonly world: World,
    readonly router: string,
    readonly name: string,
  ) {
    const { chance, scenario } = world;
    this.options = scenario.options(router);
    this.#skewMs = scenario.clockSkewMs > 0 ? chance.between(-scenario.clockSkewMs, scenario.clockSkewMs) : 0;
    this.engine = new Engine(this.options, scenario.module, chance.below(2 ** 32), HOME, POLICIES);
    this.sink = new SinkDouble(this);
    this.intake = new IntakeDouble(this);
    this.claims = new ClaimsDouble(this);
    this.endpoints = new EndpointDouble(this);
  }

  get alive(): boolean {
    return this.phase !== "dead";
  }

  /** What this process believes the time to be. */
  get clock(): number {
    return this.world.agenda.now + this.#skewMs;
  }

  note(text: string): void {
    this.world.trace.note(this.world.agenda.now, `${this.name} ${text}`);
  }

  // ── life ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  start(takeOver: boolean): void {
    this.note(`starts${takeOver ? ", taking over" : ""}`);
    this.#join(takeOver);
  }

  #join(takeOver: boolean): void {
    const { world } = this;
    if (this.#joining) return;
    this.#joining = true;
    world.agenda.after(5 + world.chance.delay(20), () => {
      this.#joining = false;
      if (this.alive) this.memberId = world.group.join(this, takeOver);
    });
  }

  assigned(memberId: string, owns: boolean): void {
    this.later(this.world.weather.brokerDelayMs, () => {
      if (memberId !== this.memberId) return;
      const shards = owns ? Array.from({ length: this.options.shards }, (_, shard) => shard) : [];
      const inputs = owns ? this.world.allInputs : [];
      this.apply({ kind: "assignment_changed", memberId, shards, inputs });
    });
  }

  kill(reason: string): void {
    if (!this.alive) return;
    this.note(`dies: ${reason}`);
    this.phase = "dead";
    this.#held = [];
    this.world.group.silent(this.memberId, () => false);
    this.world.died(this);
  }

  pause(): void {
    if (this.phase !== "running") return;
    this.note("is paused");
    this.phase = "paused";
    const { memberId } = this;
    this.world.group.silent(memberId, () => this.phase === "running" || this.memberId !== memberId);
  }

  thaw(): void {
    if (this.phase !== "paused") return;
    this.note("goes on");
    this.phase = "running";
    const held = this.#held;
    this.#held = [];
    for (const action of held) {
      if (this.phase === "running") action();
      else if (this.alive) this.#held.push(action);
    }
  }

  /** A heartbeat tells it; then it joins anew. */
  removed(memberId: string): void {
    this.later(HEARTBEAT_MS / 2, () => {
      if (memberId !== this.memberId) return;
      this.memberId = "";
      this.#join(false);
    });
  }

  drain(): void {
    if (this.phase !== "running" || this.draining) return;
    this.draining = true;
    this.apply({ kind: "drain_requested" });
  }

  // ── the way to and from the world ──────────────────────────────────────────────────────────────────────────────────

  /** Does something in this process after a while: not before it goes on, and not at all when it is dead. */
  later(meanMs: number, action: () => void): void {
    this.world.agenda.after(this.world.chance.delay(meanMs), () => this.#deliver(action));
  }

  /** Something from outside reaches this process now. */
  hand(action: () => void): void {
    this.#deliver(action);
  }

  #deliver(action: () => void): void {
    if (this.phase === "running") action();
    else if (this.phase === "paused") this.#held.push(action);
  }

  /**
   * A request to the broker and its answer. It may be lost on the way there or on the way back; and it may arrive after we have
   * given it up.
   */
  request<Answer>(act: (answer: (it: Answer) => void) => void, then: (answer: Answer | Lost) => void, mayBeLost = true): void {
    const { world } = this;
    const { agenda, chance, weather } = world;
    const delay = () => chance.delay(weather.brokerDelayMs);
    if (!mayBeLost || !chance.of(weather.requestLost)) {
      agenda.after(delay(), () => act((answer) => agenda.after(delay(), () => this.#deliver(() => then(answer)))));
      return;
    }
    const fate = chance.pick(["never arrives", "answer lost", "arrives late"] as const);
    const givenUpMs = 100 + chance.delay(400);
    this.note(`request lost: ${fate}`);
    if (fate === "answer lost") agenda.after(delay(), () => act(() => undefined));
    if (fate === "arrives late") agenda.after(givenUpMs + chance.delay(800), () => act(() => undefined));
    agenda.after(givenUpMs, () => this.#deliver(() => then("lost")));
  }

  // ── turns ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  apply(event: Event): void {
    if (this.phase !== "running") return;
    const { world } = this;
    const effects = this.#effects;
    effects.length = 0;
    try {
      this.engine.apply(this.clock, event, effects);
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      throw new Violation("the engine keeps its own invariants", `${this.name}, event ${event.kind}: ${text}`);
    }
    const tampered = world.tooth?.effects?.(effects, this) ?? effects;
    for (const effect of tampered) {
      if (this.phase !== "running") break;
      if (world.chance.of(world.weather.crashInTurn)) return this.kill("between two effects");
      this.#perform(effect);
      if (world.stepped()) return this.kill("after a step");
    }
    if (world.stepped()) return this.kill("after a turn");
    world.watch.turn(this);
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "set_timer":
        return this.#setTimer(effect.atMs);
      case "dispatch":
        return this.endpoints.dispatch(effect);
      case "report":
        if (this.world.verbose)
          this.world.trace.remark(this.world.agenda.now, `${this.name} reports ${effect.level}: ${effect.text}`);
        return;
      case "stop":
        return this.#stop(effect.code, effect.reason);
      case "rejoin_group":
        this.world.group.leave(this.memberId);
        this.memberId = "";
        return this.#join(false);
      case "commit_unit":
        this.sink.commit(effect);
        this.atNextUnit?.();
        this.atNextUnit = undefined;
        return;
      case "open_sink":
        this.endpoints.newTenure();
        this.auditKnown = false;
        return this.sink.open(effect);
      case "append_claim":
      case "read_claims":
      case "fence_claimants":
      case "restore_shard":
      case "release_claim":
        return this.claims.perform(effect);
      default:
        return this.intake.perform(effect);
    }
  }

  #setTimer(atMs: number): void {
    const timer = ++this.#timer;
    const inMs = Math.max(0, atMs - this.clock);
    // Timers are late, never early; one that is due waits for what has happened already.
    this.world.agenda.after(inMs + this.world.chance.delay(0.5), () =>
      this.#deliver(() => {
        if (timer === this.#timer) this.apply({ kind: "timer_due" });
      }),
    );
  }

  #stop(code: number, reason: string): void {
    this.note(`stops with ${code}: ${reason}`);
    this.world.group.leave(this.memberId);
    this.phase = "dead";
    this.world.died(this);
  }
}
