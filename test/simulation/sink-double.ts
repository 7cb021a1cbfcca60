/** Units to the simulated broker, as `egress/kafka-sink.ts` does it: two transactional producers in turn, what is outside first. */
import type { Effect } from "../../src/effect";
import type { UnitFailure } from "../../src/event";
import type { Header } from "../../src/model/message";
import type { OutputRecord, TopicBatch } from "../../src/model/record";
import { HOME } from "./broker";
import type { EndAnswer, ProducerIdentity, WriteAnswer } from "./coordinator";
import type { Lineage } from "./ledger";
import type { NewRecord, PartitionLog } from "./partition-log";
import type { Lost, RouterProcess } from "./router-process";
import { Violation } from "./violation";

type CommitUnit = Extract<Effect, { kind: "commit_unit" }>;
type OpenSink = Extract<Effect, { kind: "open_sink" }>;

interface Share {
  readonly log: PartitionLog;
  readonly records: NewRecord[];
}

export class SinkDouble {
  #producers: ProducerIdentity[] = [];
  #turn = 0;
  #epoch = -1;
  /** A unit is under way. */
  committing = false;

  constructor(private readonly process: RouterProcess) {}

  open(effect: OpenSink): void {
    this.committing = false;
    const { process } = this;
    const { coordinator } = process.world.broker;
    this.#epoch = effect.epoch;
    this.#producers = [];
    const opened: ProducerIdentity[] = [];
    let answered = 0;
    let failed = false;
    for (const [index, id] of effect.transactionalIds.entries()) {
      process.request<ProducerIdentity>(
        (answer) => coordinator.init(id, answer),
        (identity) => {
          if (effect.epoch !== this.#epoch) return;
          answered++;
          if (identity === "lost") failed = true;
          else opened[index] = identity;
          if (answered < effect.transactionalIds.length) return;
          this.#producers = opened;
          if (failed) process.apply({ kind: "sink_failed", epoch: effect.epoch, reason: "no answer" });
          else process.apply({ kind: "sink_opened", epoch: effect.epoch });
        },
      );
    }
  }

  commit(effect: CommitUnit): void {
    const lineages = new Map(this.process.lineages);
    const outside = this.#shares(effect.outside);
    this.committing = true;
    this.process.note(`unit ${effect.unit}: ${count(effect.inside)} records inside, ${count(effect.outside)} outside`);
    this.#leave(outside, 3, (left) => {
      if (!left) this.#failed(effect.unit, "aborted", "what is outside did not get through");
      else if (effect.inside.length === 0) this.#committed(effect.unit);
      else this.#land(effect, this.#shares(effect.inside), lineages);
    });
  }

  #shares(batches: readonly TopicBatch[]): Share[] {
    const shares = new Map<PartitionLog, NewRecord[]>();
    for (const { cluster, topic, records } of batches) {
      for (const record of records) {
        const log = this.process.world.broker.log(cluster, topic, record.partition);
        const stored = this.#stored(record);
        checkSize(log, stored);
        const share = shares.get(log);
        if (share) share.push(stored);
        else shares.set(log, [stored]);
      }
    }
    return [...shares].map(([log, records]) => ({ log, records }));
  }

  #stored(record: OutputRecord): NewRecord {
    const key = typeof record.key === "string" ? Buffer.from(record.key, "utf8") : record.key;
    const headers: Header[] = Object.entries(record.headers ?? {}).map(([name, value]) => ({
      key: name,
      value: typeof value === "string" ? Buffer.from(value, "utf8") : value,
    }));
    return { key, value: record.value, timestampMs: record.timestampMs ?? this.process.clock, headers };
  }

  /** At least once: what is not acknowledged is sent again. */
  #leave(shares: readonly Share[], tries: number, then: (left: boolean) => void): void {
    if (shares.length === 0) return then(true);
    if (tries === 0) return then(false);
    const unacknowledged: Share[] = [];
    let answered = 0;
    for (const share of shares) {
      this.process.request<true>(
        (answer) => {
          this.process.world.appendOutside(share.log, share.records);
          answer(true);
        },
        (answer) => {
          if (answer === "lost") unacknowledged.push(share);
          if (++answered === shares.length) this.#leave(unacknowledged, tries - 1, then);
        },
      );
    }
  }

  #land(effect: CommitUnit, shares: readonly Share[], lineages: ReadonlyMap<number, Lineage>): void {
    const { process } = this;
    const { world } = process;
    const producer = this.#producers[this.#turn++ % Math.max(1, this.#producers.length)];
    if (!producer) return this.#failed(effect.unit, "fenced", "no producer is open");
    if (shares.length === 0) return this.#committed(effect.unit);
    const number = world.nextTransaction(producer.transactionalId, process, lineages);
    const answers: (WriteAnswer | Lost)[] = [];
    for (const { log, records } of shares) {
      if (log.cluster !== HOME)
        throw new Violation("units can land", `a transaction cannot reach ${log.topic} on ${log.cluster}`);
      process.request<WriteAnswer>(
        (answer) => world.broker.coordinator.write(producer, number, log, records, answer),
        (answer) => {
          answers.push(answer);
          if (answers.length < shares.length) return;
          if (answers.includes("fenced")) this.#failed(effect.unit, "fenced", "the producer's epoch is old");
          else if (answers.includes("lost")) this.#abort(effect.unit, producer, number);
          else this.#end(effect.unit, producer, number);
        },
      );
    }
  }

  #end(unit: number, producer: ProducerIdentity, number: number): void {
    const { process } = this;
    process.request<EndAnswer>(
      (answer) => process.world.broker.coordinator.end(producer, number, true, answer),
      (answer) => {
        if (answer === "ended") this.#committed(unit);
        else if (answer === "fenced") this.#failed(unit, "fenced", "the producer's epoch is old");
        else this.#failed(unit, "indefinite", "no answer to the commit");
      },
    );
  }

  #abort(unit: number, producer: ProducerIdentity, number: number): void {
    const { process } = this;
    process.request<EndAnswer>(
      (answer) => process.world.broker.coordinator.end(producer, number, false, answer),
      (answer) => {
        if (answer === "ended") this.#failed(unit, "aborted", "a partition did not answer");
        else if (answer === "fenced") this.#failed(unit, "fenced", "the producer's epoch is old");
        else this.#failed(unit, "indefinite", "no answer to the abort");
      },
    );
  }

  #committed(unit: number): void {
    this.committing = false;
    this.process.apply({ kind: "unit_committed", unit });
  }

  #failed(unit: number, failure: UnitFailure, reason: string): void {
    this.process.note(`unit ${unit} ${failure}: ${reason}`);
    this.committing = false;
    const event = { kind: "unit_failed", unit, failure, reason } as const;
    this.process.apply(this.process.world.tooth?.unitFailed?.(event) ?? event);
  }
}

function count(batches: readonly TopicBatch[]): number {
  return batches.reduce((sum, batch) => sum + batch.records.length, 0);
}

function checkSize(log: PartitionLog, record: NewRecord): void {
  const bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0);
  if (bytes <= log.messageBytesMax) return;
  throw new Violation("units can land", `a record of ${bytes} bytes for ${log.topic}, which takes ${log.messageBytesMax}`);
}
