/** Keeps routers running, and, while the weather is bad, strikes them: kills, pauses, drains, rebalances, compacts, loses requests. */
import { HOME } from "./broker";
import { RouterProcess } from "./router-process";
import type { Blow } from "./scenario";
import type { World } from "./world";

/** delete.retention.ms: longer than any restore, with the longest pause in its middle. */
const TOMBSTONES_KEPT_MS = 30_000;
/** A drain that has not ended by then, with its own bound added, is ended by whoever runs the machine. */
const DRAIN_PATIENCE_MS = 15_000;

export class Operator {
  readonly processes: RouterProcess[] = [];
  #started = 0;
  #restarting = true;
  #calm = false;

  constructor(private readonly world: World) {
    world.died = (process) => this.#replace(process);
  }

  get living(): RouterProcess[] {
    return this.processes.filter((process) => process.alive);
  }

  start(router: string, takeOver: boolean): RouterProcess {
    const process = new RouterProcess(this.world, router, `${router}.${++this.#started}`);
    this.processes.push(process);
    process.start(takeOver);
    return process;
  }

  begin(): void {
    for (const router of this.world.scenario.routers) this.start(router, false);
    this.#nextBlow();
  }

  /** No more blows; who is paused goes on, and who has a successor of its name ends soon. */
  calm(): void {
    this.#calm = true;
    for (const process of this.living) process.thaw();
    for (const process of this.living) if (this.#superseded(process)) this.#endSoon(process);
  }

  /** Asks everybody to drain; nobody is started again. */
  drainAll(): void {
    this.#restarting = false;
    for (const process of this.living) process.drain();
  }

  #superseded(process: RouterProcess): boolean {
    const newest = this.living.filter((each) => each.router === process.router).at(-1);
    return newest !== process;
  }

  /** Long enough to do harm, were it able to. */
  #endSoon(process: RouterProcess): void {
    this.world.agenda.after(this.world.chance.between(5, 4_000), () => process.kill("a zombie, found by its operator"));
  }

  #replace(process: RouterProcess): void {
    if (!this.#restarting) return;
    const { agenda, chance } = this.world;
    agenda.after(20 + chance.delay(500), () => {
      if (!this.#restarting || this.living.some((each) => each.router === process.router)) return;
      this.start(process.router, chance.of(0.7));
    });
  }

  // ── blows ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #nextBlow(): void {
    const { agenda, chance, weather, scenario } = this.world;
    if (weather.blowEveryMs === Number.POSITIVE_INFINITY || scenario.blows.length === 0) return;
    agenda.after(chance.delay(weather.blowEveryMs), () => {
      if (this.#calm) return;
      this.#strike(chance.pick(scenario.blows));
      this.#nextBlow();
    });
  }

  #strike(blow: Blow): void {
    const { group } = this.world;
    const victim = this.#victim();
    switch (blow) {
      case "kill":
        return this.#when(victim, () => victim?.kill("killed"));
      case "pause":
        return this.#when(victim, () => victim && this.#pause(victim));
      case "usurp":
        return this.#when(victim, () => victim && this.#usurp(victim));
      case "drain":
        return victim && this.#drain(victim);
      case "move":
        return group.rebalance(true);
      case "compact":
        return this.compact();
      case "stumble":
        return this.#stumble();
    }
  }

  /** Mostly who is at work: the others have little to lose. */
  #victim(): RouterProcess | undefined {
    const { chance } = this.world;
    const running = this.living.filter((process) => process.phase === "running");
    const working = running.filter((process) => process.engine.tenure.phase.kind === "running");
    if (running.length === 0) return undefined;
    return chance.pick(working.length > 0 && chance.of(0.8) ? working : running);
  }

  /** Now; or while its next unit is under way, where it hurts most. */
  #when(victim: RouterProcess | undefined, blow: () => void): void {
    const { agenda, chance, weather } = this.world;
    if (!victim || chance.of(0.5)) return blow();
    victim.atNextUnit = () =>
      agenda.after(chance.delay(weather.brokerDelayMs * 3), () => {
        if (!this.#calm) blow();
      });
  }

  #pause(victim: RouterProcess): void {
    const { agenda, chance } = this.world;
    if (victim.phase !== "running") return;
    victim.pause();
    // Short: nobody notices. Long: its session expires, and it comes back as a zombie.
    const pauseMs = chance.of(0.4) ? chance.delay(800) : 2_000 + chance.delay(6_000);
    if (chance.of(0.5)) {
      agenda.after(100 + chance.delay(800), () => {
        if (victim.phase === "paused" && this.#restarting && !this.#superseded(victim)) this.start(victim.router, true);
      });
    }
    agenda.after(pauseMs, () => {
      victim.thaw();
      if (victim.alive && this.#superseded(victim)) this.#endSoon(victim);
    });
  }

  /** The group gives its shards away while it is stopped for a moment: it comes back in the middle of the takeover. */
  #usurp(victim: RouterProcess): void {
    const { agenda, chance, group } = this.world;
    if (victim.phase !== "running") return;
    victim.pause();
    group.expel(victim.memberId);
    if (this.living.length === 1) this.start(victim.router, true);
    agenda.after(chance.delay(400), () => {
      victim.thaw();
      if (victim.alive && this.#superseded(victim)) this.#endSoon(victim);
    });
  }

  #drain(victim: RouterProcess): void {
    victim.drain();
    this.world.agenda.after(victim.options.drainMs + DRAIN_PATIENCE_MS, () => victim.kill("did not drain in time"));
  }

  compact(): void {
    const { agenda, chance, broker, scenario } = this.world;
    const { group, shards } = scenario.options("any");
    for (const topic of [`${group}.state`, `${group}.claims`]) {
      for (let shard = 0; shard < shards; shard++) {
        if (chance.of(0.6)) broker.log(HOME, topic, shard).compact(agenda.now, TOMBSTONES_KEPT_MS);
      }
    }
    this.world.trace.note(agenda.now, "compacted");
  }

  /** A bad quarter of a second. */
  #stumble(): void {
    const { agenda, weather } = this.world;
    const usual = this.world.scenario.weather.requestLost;
    weather.requestLost = 0.3;
    agenda.after(250, () => {
      weather.requestLost = usual;
    });
  }
}
