/** Ingress partitions of the simulated broker, and what else an adapter of inputs and topics answers. */

import type { SourceSpecification } from "../../src/config/specification";
import type { Effect } from "../../src/effect";
import { AUDIT_TOPIC } from "./audit";
import { DUAL_TOPIC } from "./dual-line";
import type { PartitionLog, StoredRecord } from "./partition-log";
import type { RouterProcess } from "./router-process";
import { Violation } from "./violation";

/** A poll that brings nothing is answered after this long. */
const POLL_MS = 100;

/** One partition being read. At most one fetch is under way; what it brings is dropped once the reader is closed. */
class Reader {
  paused = false;
  closed = false;
  fetching = false;
  telling = false;
  constructor(
    readonly input: number,
    readonly log: PartitionLog,
    readonly committedOnly: boolean,
    public position: number,
    /** Somebody wants to know that there is nothing more. */
    readonly tellsEnd: boolean,
  ) {}
}

type InputEffect = Extract<
  Effect,
  { kind: "locate_input" | "consume_input" | "pause_input" | "resume_input" | "drop_input" | "note_progress" | "describe_topic" }
>;

export class IntakeDouble {
  readonly #readers = new Map<number, Reader>();
  /** Where inputs without progress began, by topic/partition: the unit that commits it makes it true. */
  readonly located = new Map<string, number>();

  constructor(private readonly process: RouterProcess) {}

  perform(effect: InputEffect): void {
    switch (effect.kind) {
      case "locate_input":
        return this.#locate(effect.input, effect.source, effect.partition);
      case "consume_input":
        return this.#consume(effect.input, effect.source, effect.partition, effect.offset);
      case "pause_input":
        return this.#setPaused(effect.input, this.process.world.tooth?.ignorePauses !== true);
      case "resume_input":
        return this.#setPaused(effect.input, false);
      case "drop_input":
        return this.#drop(effect.input);
      case "note_progress":
        return this.#noteProgress(effect.progress);
      case "describe_topic":
        return this.#describe(effect.cluster, effect.topic);
    }
  }

  #source(index: number): SourceSpecification {
    const source = this.process.world.scenario.module.sources[index];
    if (!source) throw new Error(`there is no source ${index}`);
    return source;
  }

  #log(source: SourceSpecification, partition: number): PartitionLog {
    return this.process.world.broker.log(source.cluster.name, source.topic, partition);
  }

  #locate(input: number, index: number, partition: number): void {
    const source = this.#source(index);
    const log = this.#log(source, partition);
    this.process.request<number>(
      (answer) => answer(source.startup.kind === "latest" ? (source.readUncommitted ? log.end : log.stable) : 0),
      (offset) => {
        if (offset === "lost") {
          return this.process.apply({ kind: "input_location_failed", input, reason: "no answer" });
        }
        this.located.set(`${source.topic}/${partition}`, offset);
        this.process.apply({ kind: "input_located", input, offset });
      },
    );
  }

  #consume(input: number, index: number, partition: number, offset: number): void {
    this.#drop(input);
    const source = this.#source(index);
    this.process.note(`reads ${source.topic}/${partition} from ${offset} as input ${input}`);
    const tellsEnd = source.watermark !== undefined || source.barrier?.kind === "counter";
    const reader = new Reader(input, this.#log(source, partition), !source.readUncommitted, offset, tellsEnd);
    this.#readers.set(input, reader);
    this.#fetch(reader);
  }

  #setPaused(input: number, paused: boolean): void {
    const reader = this.#readers.get(input);
    if (!reader) return;
    reader.paused = paused;
    if (!paused) this.#fetch(reader);
  }

  #drop(input: number): void {
    const reader = this.#readers.get(input);
    if (!reader) return;
    reader.closed = true;
    this.#readers.delete(input);
  }

  #fetch(reader: Reader): void {
    if (reader.fetching || reader.closed || reader.paused) return;
    reader.fetching = true;
    const { process } = this;
    const { scenario, chance } = process.world;
    process.later(process.world.weather.brokerDelayMs, () => {
      reader.fetching = false;
      if (reader.closed || reader.paused) return;
      process.world.watch.fetching(process, reader.input);
      const { records, next } = reader.log.read(
        reader.position,
        1 + chance.below(scenario.fetchRecordsMax),
        reader.committedOnly,
      );
      if (next === reader.position) return this.#await(reader);
      this.#deliver(reader, records, next);
    });
  }

  /** Nothing there: the broker answers when something is appended. */
  #await(reader: Reader): void {
    reader.fetching = true;
    reader.log.whenAppended(() => {
      reader.fetching = false;
      if (this.process.alive) this.#fetch(reader);
    });
    if (reader.tellsEnd && !reader.telling) this.#tellEnd(reader);
  }

  /** Long polls that bring nothing, one after the other. */
  #tellEnd(reader: Reader): void {
    reader.telling = reader.fetching && !reader.closed && reader.position >= reader.log.end;
    if (!reader.telling) return;
    const { input, position } = reader;
    const askedMs = this.process.clock;
    this.process.later(POLL_MS, () => {
      if (reader.closed) return;
      // What has come meanwhile does not make the answer wrong: it speaks of when it was asked.
      if (!this.process.world.timeStands) this.process.apply({ kind: "input_exhausted", input, offset: position, askedMs });
      this.#tellEnd(reader);
    });
  }

  /** What was fetched before a pause still comes. */
  #deliver(reader: Reader, records: readonly StoredRecord[], next: number): void {
    reader.fetching = true;
    this.process.later(0.5, () => {
      reader.fetching = false;
      if (reader.closed) return;
      reader.position = next;
      const given = this.process.world.tooth?.records?.(records) ?? records;
      this.process.apply({ kind: "records_received", input: reader.input, records: given, nextOffset: next });
      this.#fetch(reader);
    });
  }

  #noteProgress(progress: readonly { readonly input: number; readonly offset: number }[]): void {
    for (const { input, offset } of progress) {
      const reader = this.#readers.get(input);
      if (!reader) continue;
      const ledger = this.process.world.ledger.input(reader.log.cluster, reader.log.topic, reader.log.partition);
      if (ledger && offset > ledger.verifiedLow) {
        const told = `${this.process.name} notes offset ${offset} of ${reader.log.topic}/${reader.log.partition}`;
        throw new Violation("progress never passes unfinished work", `${told}, but committed is ${ledger.verifiedLow}`);
      }
    }
  }

  #describe(cluster: string, topic: string): void {
    const { process } = this;
    process.later(process.world.weather.brokerDelayMs * 2, () => {
      const logs = process.world.broker.topic(cluster, topic);
      const [first] = logs ?? [];
      if (topic === AUDIT_TOPIC || topic === DUAL_TOPIC) {
        process.auditKnown = true;
        process.endpoints.described();
      }
      if (!logs || !first) return process.apply({ kind: "topic_absent", cluster, topic, reason: "it does not exist" });
      process.apply({ kind: "topic_described", cluster, topic, partitions: logs.length, messageBytesMax: first.messageBytesMax });
    });
  }
}
