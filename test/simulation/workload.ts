/** People who produce: records into the ingress topics, some in transactions that are aborted, some that no function can take. */

import type { Header } from "../../src/model/message";
import { ballastOf, messageText, ORDINARY_IDS, POISON_ID, SLOW_ID, type TypeName } from "./cast";
import type { Chance } from "./chance";
import { InputLedger, InputRecordOf } from "./ledger";
import { type PartitionLog, Transaction } from "./partition-log";
import type { World } from "./world";

/** Few, so that what waits for them stays far below the depth and the bytes at which partitions are paused. */
const POISON_RECORDS_MAX = 6;
const SLOW_RECORDS_MAX = 12;

interface Target {
  readonly ledger: InputLedger;
  readonly log: PartitionLog;
  readonly readUncommitted: boolean;
  written: number;
}

export class Workload {
  readonly #targets: Target[] = [];
  #stopped = false;
  #poison = 0;
  #slow = 0;
  records = 0;

  constructor(private readonly world: World) {
    for (const { source, partition, index } of world.inputPartitions) {
      const targets = source.targets.map((typename) => typename.slice("sim/".length) as TypeName);
      const ledger = new InputLedger(source.cluster.name, source.topic, partition, targets);
      if (source.startup.kind !== "latest") ledger.start = 0;
      world.ledger.addInput(ledger);
      const log = world.broker.log(source.cluster.name, source.topic, partition);
      this.#targets.push({
        ledger,
        log,
        readUncommitted: world.scenario.module.sources[index]?.readUncommitted ?? false,
        written: 0,
      });
    }
  }

  start(): void {
    // Something is there before the first router.
    for (let i = 0; i < 10; i++) this.#produce();
    this.#next();
  }

  stop(): void {
    this.#stopped = true;
  }

  #next(): void {
    const { agenda, chance, scenario } = this.world;
    agenda.after(chance.delay(scenario.recordEveryMs), () => {
      if (this.#stopped) return;
      // Who produces waits, too: a backlog without end would only make the calm long.
      if (this.world.ledger.open < scenario.backlogMax) this.#produce();
      this.#next();
    });
  }

  #produce(): void {
    const { chance, scenario } = this.world;
    const target = chance.pick(this.#targets);
    const count = chance.of(0.1) ? 1 + chance.below(8) : 1;
    if (!chance.of(scenario.producerAborts)) {
      for (let i = 0; i < count; i++) this.#append(target, this.#anyId(), undefined);
      return;
    }
    this.#transaction(target, count);
  }

  #transaction(target: Target, count: number): void {
    const { agenda, chance } = this.world;
    const transaction = new Transaction("of a producer");
    const offsets: number[] = [];
    for (let i = 0; i < count; i++) offsets.push(this.#append(target, chance.pick(ORDINARY_IDS), transaction));
    const commit = chance.of(0.5);
    agenda.after(chance.delay(60), () => {
      transaction.outcome = commit ? "committed" : "aborted";
      if (!commit && !target.readUncommitted) for (const offset of offsets) this.world.ledger.withdrawn(target.ledger, offset);
      else if (!target.readUncommitted) this.#expect(target, offsets);
      target.log.mark(agenda.now, transaction);
    });
  }

  #anyId(): string {
    const { chance, scenario } = this.world;
    if (scenario.poison && this.#poison < POISON_RECORDS_MAX && chance.of(0.02)) {
      this.#poison++;
      return POISON_ID;
    }
    if (scenario.slow && this.#slow < SLOW_RECORDS_MAX && chance.of(0.03)) {
      this.#slow++;
      return SLOW_ID;
    }
    return chance.pick(ORDINARY_IDS);
  }

  /** One record for each address known, so that everybody shows what they remember. */
  probe(): void {
    for (const id of new Set([...ORDINARY_IDS, POISON_ID, SLOW_ID])) {
      const topics = new Set(this.#targets.map(({ ledger }) => ledger.topic));
      for (const topic of topics) {
        const target = this.#targets.find(({ ledger }) => ledger.topic === topic);
        if (target) this.#append(target, id, undefined, true);
      }
    }
  }

  readonly #held = new Map<Target, Map<number, InputRecordOf>>();

  #append(target: Target, id: string, transaction: Transaction | undefined, valid = false): number {
    const { agenda, chance, ledger } = this.world;
    const order = target.written++;
    const messageId = `${target.ledger.topic}.${target.ledger.partition}.${order}`;
    const key = Buffer.from(id, "utf8");
    const draw = valid ? 1 : chance.next();
    const text = messageText(messageId, "", id, id === POISON_ID ? 0 : ballastOf(messageId));
    const record = {
      key: draw < 0.02 ? null : key,
      value: draw >= 0.02 && draw < 0.04 ? null : Buffer.from(text, "utf8"),
      timestampMs: agenda.now,
      headers: headersOf(chance, agenda.now),
    };
    const { offset } = target.log.append(record, transaction);
    this.records++;
    if (draw < 0.04) return offset;
    const expected = new InputRecordOf(messageId, id, order);
    if (!transaction || target.readUncommitted) ledger.recorded(target.ledger, offset, expected);
    else this.#hold(target, offset, expected);
    return offset;
  }

  /** Written in a transaction that is not decided: unfinished, but nobody may handle it. */
  #hold(target: Target, offset: number, record: InputRecordOf): void {
    record.remaining = target.ledger.targets.length;
    target.ledger.records[offset] = record;
    let held = this.#held.get(target);
    if (!held) {
      held = new Map();
      this.#held.set(target, held);
    }
    held.set(offset, record);
  }

  #expect(target: Target, offsets: readonly number[]): void {
    const held = this.#held.get(target);
    for (const offset of offsets) {
      const record = held?.get(offset);
      held?.delete(offset);
      if (record) this.world.ledger.recorded(target.ledger, offset, record);
    }
  }
}

function headersOf(chance: Chance, now: number): Header[] {
  const headers: Header[] = [];
  if (chance.of(0.1)) {
    headers.push({ key: "traceparent", value: Buffer.from("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") });
  }
  // Deadlines in the past, at any time, or none at all.
  if (chance.of(0.1)) {
    const stated = chance.pick([String(now - 5_000), String(now + 10), "9007199254740991", "0", "-1", "soon", "1e400"]);
    headers.push({ key: "dirigo-deadline-ms", value: Buffer.from(stated) });
  }
  return headers;
}
