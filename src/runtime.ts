/**
 * The only loop: builds the adapters, takes their events one at a time, applies them to the engine, and hands the effects out.
 */
import { randomInt } from "node:crypto";
import { performance } from "node:perf_hooks";
import { type KafkaAdapter, openKafka } from "./cluster/kafka";
import type { ModuleSpecification, RouterOptions } from "./config/specification";
import type { Effect } from "./effect";
import { Engine } from "./engine";
import type { Event } from "./event";
import { version } from "./fs-version";
import { type Endpoints, openEndpoints } from "./functions/http-endpoint";
import { InvariantError, unreachable } from "./model/errors";
import type { ActorList, ActorQuery, Explanation } from "./observe/actor-status";
import { openAdmin } from "./observe/http-admin";
import type { Log } from "./observe/log";
import type { Measures } from "./observe/measure";
import type { AdminSources, LifeSigns, RouterStatus } from "./observe/status";
import { openLog } from "./observe/stdout-log";
import type { PolicyModules } from "./router/applications";
import { loadPolicies } from "./router/fs-policies";

export interface RunningRouter {
  /** Resolves with the process' exit code when everything is released and closed. */
  readonly stopped: Promise<number>;
  /** Where the admin server listens. */
  readonly adminPort: number;
  /** Stop taking in, finish what runs, commit, release; `stopped` resolves then. */
  drain(): void;
}

/** Starts a router. Rejects with ConfigError when it cannot start; what fails later is retried and told. */
export async function startRouter(module: ModuleSpecification, options: RouterOptions): Promise<RunningRouter> {
  const policies = await loadPolicies(module);
  const { log, close } = openLog({ format: options.log, level: options.logLevel });
  const runtime = new Runtime(module, options, log, policies);
  try {
    const admin = await openAdmin({ host: options.adminHost, port: options.adminPort }, runtime);
    log("info", `router ${options.router} of group ${options.group}: admin at http://${options.adminHost}:${admin.port}`);
    for (const line of limitsOf(module, options)) log("info", line);
    // A drain that is asked for while the group is being joined must not wait for it: topics may be awaited for ever.
    await Promise.race([runtime.kafka.start(), runtime.stopped]);
    const stopped = runtime.stopped.then(async (code) => {
      await admin.close();
      close();
      return code;
    });
    return { stopped, adminPort: admin.port, drain: () => runtime.drain() };
  } catch (error) {
    await runtime.close();
    close();
    throw error;
  }
}

/** What this configuration does not promise, said at start. */
function limitsOf(module: ModuleSpecification, options: RouterOptions): string[] {
  const lines: string[] = [];
  if (options.delivery === "at-least-once") {
    lines.push("delivery is at-least-once: egress records may be repeated after a failure (state stays exactly-once)");
  }
  for (const egress of module.egresses) {
    if (egress.cluster.name === options.cluster.name) continue;
    lines.push(
      `egress ${egress.id} writes to another cluster (${egress.cluster.name}), outside the transaction: it is at-least-once`,
    );
  }
  return lines;
}

/** The adapters around one engine, and the loop that turns it. */
export class Runtime implements AdminSources {
  readonly stopped: Promise<number>;
  readonly engine: Engine;
  readonly kafka: KafkaAdapter;
  readonly endpoints: Endpoints;
  readonly #log: Log;
  readonly #clock = new Clock();
  #queue: Event[] = [];
  #turning = false;
  #ended = false;
  #resolve: (code: number) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  /** One array for all turns: effects are handed out before the next event is applied. */
  readonly #effects: Effect[] = [];

  readonly #startedMs = Date.now();
  #stoppedBecause: string | undefined;

  constructor(
    module: ModuleSpecification,
    private readonly options: RouterOptions,
    log: Log,
    policies: PolicyModules = new Map(),
  ) {
    this.#log = log;
    this.stopped = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const emit = (event: Event) => this.#emit(event);
    this.engine = new Engine(options, module, randomInt(2 ** 47), options.cluster.name, policies);
    this.kafka = openKafka(options, module, emit, log);
    this.endpoints = openEndpoints(module.endpoints, emit, log);
  }

  drain(): void {
    this.#emit({ kind: "drain_requested" });
  }

  /** Adapters may call this from within `perform`: then it waits its turn. */
  #emit(event: Event): void {
    if (this.#ended) return;
    this.#queue.push(event);
    if (!this.#turning) this.#turn();
  }

  #turn(): void {
    this.#turning = true;
    try {
      for (let i = 0; i < this.#queue.length; i++) {
        this.engine.apply(this.#clock.now(), this.#queue[i] as Event, this.#effects);
        for (let j = 0; j < this.#effects.length; j++) this.#perform(this.#effects[j] as Effect);
        this.#effects.length = 0;
      }
      this.#queue = [];
    } catch (error) {
      this.#broken(error);
    } finally {
      this.#turning = false;
    }
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "dispatch":
        return this.endpoints.perform(effect);
      case "set_timer":
        return this.#setTimer(effect.atMs);
      case "report":
        return this.#log(effect.level, effect.text, effect.fields);
      case "stop":
        return this.#end(effect.code, effect.reason);
      default:
        if (!this.kafka.perform(effect)) unreachable(effect as never);
    }
  }

  /** Due now: after the callbacks of this round of I/O, so that what they bring is one turn. */
  #setTimer(atMs: number): void {
    clearTimeout(this.#timer);
    if (this.#immediate) return;
    const inMs = atMs - this.#clock.now();
    if (inMs <= 0) {
      this.#immediate = setImmediate(() => {
        this.#immediate = undefined;
        this.#emit({ kind: "timer_due" });
      });
    } else {
      // setTimeout takes no more than 2^31 ms; waking early is harmless.
      this.#timer = setTimeout(() => this.#emit({ kind: "timer_due" }), Math.min(inMs, 0x7fffffff));
    }
  }

  /** Only a bug comes here. What is not committed will be done again by whoever starts next. */
  #broken(error: unknown): void {
    const what = error instanceof InvariantError ? "an invariant does not hold" : "an unexpected error";
    const stack = error instanceof Error ? error.stack : String(error);
    this.#log("error", `stopping: ${what}: ${stack}; nothing uncommitted is kept, and a restart goes on from the last unit`);
    this.#end(70, what);
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#stoppedBecause = reason;
    this.#log(code === 0 ? "info" : "error", `stopped: ${reason}`);
    this.close().then(() => this.#resolve(code));
  }

  /** Ends at once, without a drain. */
  async close(): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    await Promise.allSettled([this.endpoints.close(), this.kafka.close()]);
  }

  // ── for the admin server ─────────────────────────────────────────────────────────────────────────────────────────

  measures(): Measures {
    return this.engine.measures;
  }

  status(): RouterStatus {
    const nowMs = Date.now();
    const { group, router } = this.options;
    const view = this.engine.view(nowMs);
    const remaining = new Map(this.kafka.restoreProgress().map((each) => [each.shard, each.remaining]));
    const shards = view.shards.map((each) => ({
      ...each,
      remainingRecords: each.phase === "restoring" ? remaining.get(each.shard) : 0,
    }));
    return { ...view, group, router, version, startedAtMs: this.#startedMs, nowMs, shards };
  }

  actors(query: ActorQuery): ActorList | undefined {
    return this.engine.actors(query);
  }

  explain(typename: string, id: string): Explanation | undefined {
    return this.engine.explain(this.#clock.now(), typename, id);
  }

  signs(): LifeSigns {
    return {
      nowMs: Date.now(),
      stopped: this.#stoppedBecause,
      // A turn ends before anybody can ask: what would hang is the process, and then nobody answers.
      eventWaitingSinceMs: undefined,
      commitWaitingSinceMs: this.engine.committingSinceMs,
      heartbeatAtMs: this.kafka.memberId() === undefined ? undefined : this.kafka.health().lastHeartbeatMs,
      sessionTimeoutMs: this.options.sessionTimeoutMs,
      transactionTimeoutMs: this.options.transactionTimeoutMs,
    };
  }
}

/**
 * Wall-clock ms with fractions, never backwards. performance.now() is monotonic but drifts from the wall clock over days, and times
 * to live are compared between processes: so once a second the two are brought together again, a step back by 1 % at most.
 */
class Clock {
  #offset = Date.now() - performance.now();
  #checkAt = 0;

  now(): number {
    const running = performance.now();
    if (running >= this.#checkAt) {
      this.#offset = Math.max(Date.now() - running, this.#offset - 10);
      this.#checkAt = running + 1_000;
    }
    return running + this.#offset;
  }
}
