/**
 * One run: a world with a workload under bad weather for so many steps; then calm, in which everything must come to its end; then
 * all routers go, a fresh one restores, and shows that it remembers what the others did.
 */
import { decodeProgress } from "../../src/ingress/progress";
import { partitionOf } from "../../src/model/murmur2";
import { decodeKey, decodeValue } from "../../src/state/changelog";
import { AUDIT_TOPIC, decodeAuditLine } from "./audit";
import { HOME } from "./broker";
import { deliveryKey } from "./cast";
import type { Remembered } from "./dual-cast";
import { decodeState } from "./dual-function";
import { DualWorkload } from "./dual-workload";
import { decodeLong, readTypedValue, typedValueOf } from "./function-wire";
import { Operator } from "./operator";
import type { StoredRecord } from "./partition-log";
import type { SmallCase } from "./scenario";
import type { Tooth } from "./tooth";
import { type Checker, Violation } from "./violation";
import { Workload } from "./workload";
import { World } from "./world";

/** In calm weather this is plenty: session, handover, retries and the longest delay together. */
const DRAIN_LIMIT_MS = 120_000;
/** A router that spins instead of working is stopped by this. */
const CALM_STEPS_MAX = 400_000;
/** Late duplicates should have the time to show; and the longest chain of delays to end, where nobody counts what is open. */
const AFTERMATH_MS = { exactlyOnce: 3_000, atLeastOnce: 15_000, dual: 6_000 };

export interface RunOptions {
  readonly seed: number;
  readonly steps: number;
  readonly tooth?: Tooth | undefined;
  readonly print?: ((line: string) => void) | undefined;
  readonly verbose?: boolean | undefined;
  readonly small?: SmallCase | undefined;
}

export interface RunResult {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly hash: string;
  readonly steps: number;
  readonly virtualMs: number;
  readonly records: number;
  readonly lines: number;
  readonly processes: number;
  /** Over all processes: decisions of policies that had to be replaced, outputs by their deadline and later. */
  readonly policyFaults: number;
  readonly met: number;
  readonly missed: number;
  /** In a world of dual mode: lessees that were opened, barriers and critical messages that ran, actors found with parts after a restart. */
  readonly dual: { readonly lessees: number; readonly barriers: number; readonly criticals: number; readonly recovered: number };
  /** Steps of routers until the last of them was asked to leave: the moments at which it might have died. */
  readonly routerSteps: number;
  /** All messages that took effect, in some order, where there are actors in dual mode. */
  readonly effects: readonly string[];
  readonly lastLines: readonly string[];
}

export function run(options: RunOptions): RunResult {
  const uninstall = options.tooth?.install?.();
  try {
    return runWith(options);
  } finally {
    uninstall?.();
  }
}

function runWith(options: RunOptions): RunResult {
  const simulation = new Simulation(options);
  const violation = simulation.run();
  return simulation.result(violation);
}

class Simulation {
  readonly #world: World;
  readonly #operator: Operator;
  readonly #workload: Workload | DualWorkload;
  readonly #startMs: number;
  #routerSteps = 0;

  constructor(private readonly options: RunOptions) {
    this.#world = new World(options.seed, options.tooth, options.print, options.verbose === true, options.small);
    this.#startMs = this.#world.agenda.now;
    this.#operator = new Operator(this.#world);
    const { dual, scenario } = this.#world;
    this.#workload = dual && scenario.dual ? new DualWorkload(this.#world, scenario.dual, dual) : new Workload(this.#world);
  }

  run(): Violation | undefined {
    try {
      this.#storm();
      this.#calm();
      this.#restart();
      this.#judge();
      return undefined;
    } catch (error) {
      if (error instanceof Violation) return error;
      throw error;
    }
  }

  result(violation: Violation | undefined): RunResult {
    const { agenda, trace, ledger, dual } = this.#world;
    const measures = this.#operator.processes.map(({ engine }) => engine.measures);
    const applications = measures.flatMap((each) => each.applications);
    const duals = measures.flatMap((each) => [...each.dualTypes]);
    return {
      seed: this.options.seed,
      violation,
      hash: trace.hash,
      steps: agenda.steps,
      virtualMs: agenda.now - this.#startMs,
      records: this.#workload.records,
      lines: ledger.lines,
      processes: this.#operator.processes.length,
      policyFaults: measures.reduce((sum, each) => sum + each.policyFaults, 0),
      met: applications.reduce((sum, each) => sum + each.met, 0),
      missed: applications.reduce((sum, each) => sum + each.missedAll, 0),
      dual: {
        lessees: duals.reduce((sum, each) => sum + each.leasesGranted, 0),
        barriers: dual?.barriers ?? 0,
        criticals: dual?.criticals ?? 0,
        recovered: duals.reduce((sum, each) => sum + each.leasesEnded.recovery, 0),
      },
      routerSteps: this.#routerSteps,
      effects: dual ? [...dual.deliveries.values()].flatMap(({ key, done }) => (done ? key : [])) : [],
      lastLines: trace.last(60),
    };
  }

  #storm(): void {
    const { agenda, functions, scenario } = this.#world;
    this.#workload.start();
    this.#world.replicas.start();
    agenda.after(1, () => this.#operator.begin());
    agenda.after(scenario.deployAfterMs, () => {
      functions.version = 2;
    });
    while (agenda.steps < this.options.steps && agenda.step()) {
      // One step after the other.
    }
  }

  #calm(): void {
    const { functions, ledger } = this.#world;
    this.#note("calm");
    this.#workload.stop();
    this.#world.calm();
    this.#operator.calm();
    this.#until(() => ledger.open === 0, "with an address that keeps failing");
    functions.poisoned = false;
    this.#note("healed");
    this.#until(() => ledger.open + ledger.openPoison === 0, "after the failing address was healed");
    this.#wait(this.#aftermathMs);
    ledger.checkNothingLost();
  }

  /** Everybody leaves in order; a fresh router remembers. */
  #restart(): void {
    const { ledger, scenario } = this.#world;
    this.#routerSteps = this.#world.steps;
    this.#drainAll();
    this.#operator.compact();
    this.#operator.start(scenario.routers[0] ?? "one", false);
    this.#workload.probe();
    this.#until(() => ledger.open + ledger.openPoison === 0, "after a restart");
    this.#world.timeStands = true;
    this.#wait(this.#aftermathMs);
    this.#drainAll();
  }

  #drainAll(): void {
    this.#operator.drainAll();
    const drained = () => this.#operator.living.length === 0;
    this.#until(drained, `asked to drain: ${this.#operator.living.map(({ name }) => name).join(", ")}`);
    const { broker, scenario } = this.#world;
    const { group, shards } = scenario.options("any");
    for (let shard = 0; shard < shards; shard++) {
      const standing = [...broker.log(HOME, `${group}.claims`, shard).standing(false).keys()];
      const left = standing.filter((claim) =>
        this.#operator.processes.some(
          (each) => each.draining && each.engine.tenure.epoch > 0 && claim.startsWith(`${each.router}-`),
        ),
      );
      if (left.length > 0) this.#note(`claims left standing on shard ${shard}: ${left.join(", ")}`);
    }
  }

  #note(text: string): void {
    this.#world.trace.note(this.#world.agenda.now, text);
  }

  #until(come: () => boolean, when: string): void {
    const { agenda, ledger } = this.#world;
    const limitMs = agenda.now + DRAIN_LIMIT_MS;
    const limitSteps = agenda.steps + CALM_STEPS_MAX;
    while (!come()) {
      if (agenda.now < limitMs && agenda.steps < limitSteps && agenda.step()) continue;
      const took = `${Math.round((agenda.now - limitMs + DRAIN_LIMIT_MS) / 1000)} calm seconds and ${agenda.steps - limitSteps + CALM_STEPS_MAX} steps`;
      const open = `${ledger.open + ledger.openPoison} messages are open, such as ${(this.#world.dual ?? ledger).someOpen(3) || "(none)"}`;
      throw new Violation("everything drains", `${when}: after ${took} ${open}`);
    }
  }

  #wait(ms: number): void {
    const { agenda } = this.#world;
    let over = false;
    agenda.after(ms, () => {
      over = true;
    });
    while (!over && agenda.step()) {
      // Whatever still happens.
    }
  }

  /** Leases end when they have been idle for a while, too. */
  get #aftermathMs(): number {
    const { dual, ledger } = this.#world;
    if (dual) return AFTERMATH_MS.dual;
    return ledger.options.exactlyOnce ? AFTERMATH_MS.exactlyOnce : AFTERMATH_MS.atLeastOnce;
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #judge(): void {
    const { ledger } = this.#world;
    ledger.checkNothingLost();
    this.#world.dual?.checkNothingLost();
    ledger.checkExported();
    this.#judgeLines();
    this.#judgeState();
  }

  /** What a committed reader of the audit topic sees, from the logs themselves. */
  #judgeLines(): void {
    const { broker, ledger } = this.#world;
    const last = new Map<string, number>();
    const seen = new Set<string>();
    for (const log of broker.topic(HOME, AUDIT_TOPIC) ?? []) {
      for (const record of log.read(0, Number.POSITIVE_INFINITY, true).records) {
        const line = decodeAuditLine(record.value ?? new Uint8Array(0));
        seen.add(deliveryKey(line.type, line.id, line.messageId));
        const name = `${line.type}/${line.id}`;
        const before = last.get(name) ?? 0;
        if (ledger.options.exactlyOnce && line.id !== "" && line.n !== before + 1) {
          fail("effects count once", `a reader sees line ${line.n} of ${name} after line ${before}`);
        }
        last.set(name, line.n);
      }
    }
    for (const [key, delivery] of ledger.deliveries) {
      if (delivery.done && !seen.has(key)) fail("nothing is lost", `a reader never sees ${key}`);
    }
  }

  /** The state topic, as a restore would read it, against what the ledger counted. */
  #judgeState(): void {
    const { broker, scenario } = this.#world;
    const { group, shards } = scenario.options("any");
    const counts = new Map<string, number>();
    const marks = new Map<string, string>();
    const base = new Map<string, Remembered>();
    const { dual } = this.#world;
    for (let shard = 0; shard < shards; shard++) {
      for (const record of broker.log(HOME, `${group}.state`, shard).standing(true).values()) {
        this.#judgeRecord(shard, shards, record, counts, marks, base);
      }
    }
    for (const [name, { n, optional }] of this.#world.ledger.addresses) {
      const count = counts.get(name) ?? 0;
      if (count > n || count < n - optional)
        fail("restored state equals running state", `${name} has handled ${n} messages, and its state says ${count}`);
      const mark = count % 2 === 1 ? `m${count}` : undefined;
      if (marks.get(name) !== mark)
        fail("restored state equals running state", `${name} has n = ${count} and mark = ${marks.get(name)}`);
      counts.delete(name);
    }
    dual?.checkBase(base);
    for (const name of counts.keys()) fail("effects count once", `${name} has state, but nothing it did is committed`);
  }

  #judgeRecord(
    shard: number,
    shards: number,
    record: StoredRecord,
    counts: Map<string, number>,
    marks: Map<string, string>,
    base: Map<string, Remembered>,
  ): void {
    const key = decodeKey(record.key ?? new Uint8Array(0));
    const value = record.value ?? new Uint8Array(0);
    switch (key.kind) {
      case "value": {
        const home = partitionOf(Buffer.from(key.id, "utf8"), shards);
        if (home !== shard)
          fail("restored state equals running state", `state of id '${key.id}' is in shard ${shard}, its home is ${home}`);
        const name = `${key.typename.slice("sim/".length)}/${key.id}`;
        if (this.#world.dual) {
          const remembered: Remembered = base.get(name) ?? new Map();
          base.set(name, remembered.set(key.state, decodeState(readTypedValue(decodeValue(value).typedValue))));
          return;
        }
        if (key.state === "n") counts.set(name, decodeLong(typedValueOf(decodeValue(value).typedValue)));
        if (key.state === "mark") marks.set(name, Buffer.from(typedValueOf(decodeValue(value).typedValue)).toString("utf8"));
        return;
      }
      case "message":
        return fail("everything drains", `message ${key.sequence} of shard ${shard} still stands in the state topic`);
      case "progress":
        return this.#judgeProgress(key.cluster, key.topic, key.partition, value);
      case "part":
        return fail("leases end", `lane ${key.lane} of ${key.typename}/${key.id} still has a part in the state topic`);
      case "invoked":
      case "declaration":
      case "actor":
        return;
    }
  }

  /** Nothing that was finished is left for another round. */
  #judgeProgress(cluster: string, topic: string, partition: number, value: Uint8Array): void {
    const input = this.#world.ledger.input(cluster, topic, partition);
    const { low, ranges } = decodeProgress(value);
    for (let offset = Math.max(low, input?.start ?? 0); offset < (input?.records.length ?? 0); offset++) {
      const finished = ranges.some(([first, last]) => first <= offset && offset <= last);
      if (!finished && input?.records[offset])
        fail("everything drains", `${topic}/${partition}: offset ${offset} is finished, and progress says ${low}`);
    }
  }
}

function fail(checker: Checker, detail: string): never {
  throw new Violation(checker, detail);
}
