/** Everything there is in one simulated world, and who watches it. */

import type { SourceSpecification } from "../../src/config/specification";
import type { AssignedInput } from "../../src/event";
import { Agenda } from "./agenda";
import { AUDIT_TOPIC, EXPORT_TOPIC } from "./audit";
import { Broker, ELSEWHERE, HOME } from "./broker";
import { Chance } from "./chance";
import { Coordinator, transactionName } from "./coordinator";
import { DualControl } from "./dual-control";
import { DualLedger } from "./dual-ledger";
import { DUAL_TOPIC } from "./dual-line";
import { FunctionHost } from "./function-host";
import { Group } from "./group";
import { Ledger, type Lineage } from "./ledger";
import type { NewRecord, PartitionLog, Transaction } from "./partition-log";
import { Replicas } from "./replicas";
import type { RouterProcess } from "./router-process";
import { CALM, type Scenario, type SmallCase, scenarioOf, smallOf, type Weather } from "./scenario";
import type { Tooth } from "./tooth";
import { Trace } from "./trace";
import { Watch } from "./watch";

const SESSION_MS = 6_000;
const TRANSACTION_TIMEOUT_MS = 20_000;
const INTERNAL_BYTES_MAX = 64 * 1024 * 1024;

export interface InputPartition {
  readonly source: SourceSpecification;
  readonly index: number;
  readonly partition: number;
}

interface WrittenBy {
  readonly process: RouterProcess;
  readonly lineages: ReadonlyMap<number, Lineage>;
}

export class World {
  readonly agenda = new Agenda();
  readonly chance: Chance;
  readonly scenario: Scenario;
  readonly trace: Trace;
  readonly group: Group;
  readonly broker: Broker;
  readonly functions: FunctionHost;
  readonly ledger: Ledger;
  readonly watch = new Watch(this);
  readonly replicas = new Replicas(this);
  /** Where there are actors in dual mode. */
  readonly dual: DualLedger | undefined;
  readonly #control = new DualControl();
  readonly inputPartitions: readonly InputPartition[];
  readonly allInputs: readonly AssignedInput[];
  weather: Weather;
  /** No partition is found at its end any more: no window ends by the clock. */
  timeStands = false;
  /** Whoever keeps routers running hears of each that is gone. */
  died: (process: RouterProcess) => void = () => undefined;
  /** Steps of routers so far: each effect, and the end of each turn. */
  steps = 0;
  readonly #units = new Map<string, WrittenBy>();
  #transactions = 0;

  constructor(
    seed: number,
    readonly tooth: Tooth | undefined,
    print: ((line: string) => void) | undefined,
    /** Reports of the routers go into the trace, too. */
    readonly verbose: boolean,
    /** A small case instead of a storm. */
    readonly small: SmallCase | undefined = undefined,
  ) {
    this.chance = new Chance(seed);
    const scenario = scenarioOf(this.chance, tooth ? tooth.dual === true : seed % 2 === 0);
    const calmed = small ? { ...scenario, ...smallOf() } : scenario;
    this.scenario = tooth?.circumstances ? { ...calmed, ...tooth.circumstances(calmed) } : calmed;
    this.trace = new Trace(print);
    this.weather = { ...this.scenario.weather };
    const { options, clockSkewMs, auditBytesMax } = this.scenario;
    const { group, shards, delivery } = options("any");
    this.group = new Group(this.agenda, this.chance, this.trace, SESSION_MS);
    const committed = (transaction: Transaction) => this.#committed(transaction);
    const markerDelay = () => this.weather.markerDelayMs;
    const ignoreEpochs = tooth?.ignoreEpochs === true;
    this.broker = new Broker(
      new Coordinator(this.agenda, this.chance, TRANSACTION_TIMEOUT_MS, markerDelay, committed, ignoreEpochs),
    );
    this.functions = new FunctionHost(auditBytesMax, clockSkewMs, this.scenario.dual);
    const exactlyOnce = delivery === "exactly-once";
    const { dual } = this.scenario;
    const ledgerOptions = { exactlyOnce, stateTopic: `${group}.state`, skewMs: clockSkewMs, ordinary: !dual };
    this.ledger = new Ledger(ledgerOptions, (call) => this.functions.call(call));
    this.dual = dual && new DualLedger(dual, this.ledger);
    this.inputPartitions = this.#inputs();
    this.allInputs = this.inputPartitions.map(({ index, partition }) => ({ source: index, partition }));
    this.#createTopics(group, shards);
  }

  #inputs(): InputPartition[] {
    const inputs: InputPartition[] = [];
    for (const [index, source] of this.scenario.module.sources.entries()) {
      const count = this.scenario.partitions[index] ?? 1;
      for (let partition = 0; partition < count; partition++) inputs.push({ source, index, partition });
    }
    return inputs;
  }

  #createTopics(group: string, shards: number): void {
    const { broker, scenario } = this;
    for (const name of ["state", "claims", "messages", "control"])
      broker.create(HOME, `${group}.${name}`, shards, INTERNAL_BYTES_MAX);
    broker.create(HOME, AUDIT_TOPIC, scenario.auditPartitions, scenario.auditBytesMax);
    broker.create(HOME, DUAL_TOPIC, scenario.auditPartitions, INTERNAL_BYTES_MAX);
    broker.create(ELSEWHERE, EXPORT_TOPIC, 2, scenario.auditBytesMax);
    for (const [index, source] of scenario.module.sources.entries()) {
      broker.create(source.cluster.name, source.topic, scenario.partitions[index] ?? 1, INTERNAL_BYTES_MAX);
    }
  }

  /** A router has done one more step. True if it is to die now. */
  stepped(): boolean {
    return ++this.steps === this.small?.killAt;
  }

  calm(): void {
    this.weather = { ...CALM };
    this.replicas.calm();
  }

  /** Numbers the transaction a process is about to write, and remembers from what it continues. */
  nextTransaction(transactionalId: string, process: RouterProcess, lineages: ReadonlyMap<number, Lineage>): number {
    const number = ++this.#transactions;
    this.#units.set(transactionName(transactionalId, number), { process, lineages });
    return number;
  }

  #committed(transaction: Transaction): void {
    const by = this.#units.get(transaction.name);
    if (!by) throw new Error(`nobody has begun ${transaction.name}`);
    this.#units.delete(transaction.name);
    this.trace.note(this.agenda.now, `committed: ${transaction.name}, ${transaction.written.length} records`);
    const ends = new Map<number, number>();
    for (const { log, record } of transaction.written) {
      if (log.topic === this.ledger.options.stateTopic) ends.set(log.partition, record.offset);
    }
    for (const [shard, end] of ends) this.ledger.continued(by.lineages.get(shard), shard, end, by.process.name);
    if (this.dual) {
      const { group } = this.scenario.options("any");
      const life = [...by.lineages.values()].map(({ owner }) => owner).join();
      this.#control.committed(transaction, `${group}.state`, `${group}.control`, life);
    }
    this.dual?.committed(transaction);
    this.ledger.committed(transaction, (topic, partition) => by.process.intake.located.get(`${topic}/${partition}`));
  }

  appendOutside(log: PartitionLog, records: readonly NewRecord[]): void {
    for (const record of records) this.ledger.appended(log.topic, log.append(record, undefined));
  }
}
