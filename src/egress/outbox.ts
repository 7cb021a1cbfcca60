/**
 * The egress room's face: the open unit. What invocations did is gathered here until it is committed as one (ARCHITECTURE.md §4).
 *
 *   open ──close──▶ committing ──committed──▶ (gone)      while one unit commits, the next one fills
 *
 * U1  All effects of one invocation join the same unit, with the done marks of the messages it ran.
 * U2  Units commit in order, one at a time.
 * U3  A message sent in a unit and unfinished when it closes is written into it; whoever finishes it later tombstones it.
 * U4  State changes of one key fold: a unit holds the last value only.
 */
import type { EngineOptions } from "../config/specification";
import { type Delayed, encodePending } from "../functions/pending";
import type { StateDeclaration } from "../functions/wire";
import type { Input } from "../ingress/intake";
import { encodeProgress } from "../ingress/progress";
import { Counter } from "../model/counter";
import { invariant } from "../model/errors";
import type { Message } from "../model/message";
import type { OutputRecord, TopicBatch } from "../model/record";
import {
  declarationKey,
  encodeDeclaration,
  encodeInvoked,
  encodeValue,
  invokedKey,
  laneValueKey,
  messageKey,
  progressKey,
} from "../state/changelog";
import type { Memory } from "../state/store";

export interface Unit {
  readonly id: number;
  readonly inside: readonly TopicBatch[];
  readonly outside: readonly TopicBatch[];
  readonly records: number;
  readonly bytes: number;
  readonly closedMs: number;
  /** For the end-to-end measure. */
  readonly finished: readonly FinishedRecords[];
  /** Outputs of applications with an SLO: their deadlines are met, or not, when this commits. */
  readonly outputs: readonly Message[];
  /** Low watermarks that become true with this unit. */
  readonly lows: readonly { readonly input: Input; readonly low: number }[];
}

/** Something that is remembered with the open unit, as it is when the unit closes; null: as a tombstone. */
export interface Remembered {
  readonly shard: number;
  readonly key: string;
  readonly value: () => Uint8Array | null;
}

/** Finished records of one input that arrived together. */
interface FinishedRecords {
  readonly input: Input;
  readonly arrivedMs: number;
  records: number;
}

interface Tombstone {
  readonly shard: number;
  readonly key: string;
}

export class Outbox {
  committing: Unit | undefined;
  /** The earliest deadline of the open unit's outputs that can still be met. */
  dueMs = Number.POSITIVE_INFINITY;
  #memories: Memory[] = [];
  #sent: Message[] = [];
  #delayed: Delayed[] = [];
  #tombstones: Tombstone[] = [];
  #remembered: Remembered[] = [];
  #inputs: Input[] = [];
  #declared: { typename: string; declaration: StateDeclaration }[] = [];
  #inside = new Map<string, TopicBatch>();
  #outside = new Map<string, TopicBatch>();
  #lastEmitted: TopicBatch | undefined;
  #finished: FinishedRecords[] = [];
  #lastFinished: FinishedRecords | undefined;
  #outputs: Message[] = [];
  #records = 0;
  #bytes = 0;
  #dirty = false;

  constructor(
    private readonly options: EngineOptions,
    private readonly cluster: string,
    private readonly forgotten: (memory: Memory) => void,
    private readonly ids = new Counter(),
    /** The application's name, which outlives its index. */
    private readonly nameOf: (application: number) => string = () => "",
  ) {}

  /** Something waits to be committed. */
  get dirty(): boolean {
    return this.#dirty;
  }

  /** The open unit has reached its bound: what comes next should wait for the commit. */
  get full(): boolean {
    return this.#records >= this.options.unitRecordsMax || this.#bytes >= this.options.unitBytesMax;
  }

  changed(memory: Memory, bytes: number): void {
    // One entry per memory and unit: `changed` and `touched` are emptied when the unit closes.
    this.#memories.push(memory);
    this.#count(bytes);
  }

  remember(remembered: Remembered): void {
    this.#remembered.push(remembered);
    this.#count(64);
  }

  /** A record of `<group>.control`: always in the unit, for it tells what the unit makes true. */
  control(shard: number, key: string, value: Uint8Array): void {
    const batch = this.#batchOf(this.#inside, this.cluster, `${this.options.group}.control`);
    batch.records.push(record(shard, key, value));
    this.#count(key.length + value.length);
  }

  declared(typename: string, declaration: StateDeclaration): void {
    this.#declared.push({ typename, declaration });
    this.#count(64);
  }

  progressed(input: Input): void {
    this.noted(input);
    this.#dirty = true;
  }

  /** Its progress has changed in a way that nobody need know before something else is committed: it joins that. */
  noted(input: Input): void {
    if (input.changed) return;
    input.changed = true;
    this.#inputs.push(input);
  }

  /** A record of an ingress is finished: all messages made of it are. */
  finishedRecord(input: Input, arrivedMs: number): void {
    const last = this.#lastFinished;
    if (last?.input === input && last.arrivedMs === arrivedMs) {
      last.records++;
      return;
    }
    this.#lastFinished = { input, arrivedMs, records: 1 };
    this.#finished.push(this.#lastFinished);
    this.progressed(input);
  }

  /** A message whose handling sent no further one. */
  output(message: Message, now: number): void {
    this.#outputs.push(message);
    if (message.deadlineMs > now && message.deadlineMs < this.dueMs) this.dueMs = message.deadlineMs;
  }

  sent(message: Message): void {
    this.#sent.push(message);
    this.#count(message.bytes);
  }

  delayed(delayed: Delayed): void {
    this.#delayed.push(delayed);
    this.#count(delayed.message.bytes);
  }

  /** A message sent by a function is finished, or a delayed one cancelled. */
  settled(message: Message): void {
    message.done = true;
    this.#dirty = true;
    if (message.persisted) this.#tombstones.push({ shard: message.shard, key: messageKey(message.sequence) });
  }

  emit(cluster: string, topic: string, record: OutputRecord, bytes: number): void {
    // Most records go where the one before went.
    let batch = this.#lastEmitted;
    if (batch?.topic !== topic || batch.cluster !== cluster) {
      const outside = cluster !== this.cluster || this.options.delivery === "at-least-once";
      batch = this.#batchOf(outside ? this.#outside : this.#inside, cluster, topic);
      this.#lastEmitted = batch;
    }
    batch.records.push(record);
    this.#count(bytes);
  }

  #batchOf(batches: Map<string, TopicBatch>, cluster: string, topic: string): TopicBatch {
    const key = cluster === this.cluster ? topic : `${cluster}\0${topic}`;
    let batch = batches.get(key);
    if (!batch) {
      batch = { cluster, topic, records: [] };
      batches.set(key, batch);
    }
    return batch;
  }

  #count(bytes: number): void {
    this.#records++;
    this.#bytes += bytes;
    this.#dirty = true;
  }

  /** Closes the open unit: it is now committing, and a new one is open. */
  close(now: number): Unit {
    invariant(this.committing === undefined, "U2: one unit commits at a time");
    const state: OutputRecord[] = [];
    this.#writeState(state);
    this.#writeMessages(state);
    const lows = this.#writeProgress(state);
    const inside = [...this.#inside.values()];
    if (state.length > 0) inside.push({ cluster: this.cluster, topic: `${this.options.group}.state`, records: state });
    const unit: Unit = {
      id: this.ids.next(),
      inside,
      outside: [...this.#outside.values()],
      records: this.#records,
      bytes: this.#bytes,
      closedMs: now,
      finished: this.#finished,
      outputs: this.#outputs,
      lows,
    };
    this.#empty();
    this.committing = unit;
    return unit;
  }

  #empty(): void {
    this.#memories = [];
    this.#sent = [];
    this.#delayed = [];
    this.#tombstones = [];
    this.#remembered = [];
    this.#inputs = [];
    this.#declared = [];
    this.#inside = new Map();
    this.#outside = new Map();
    this.#finished = [];
    this.#lastFinished = undefined;
    this.#lastEmitted = undefined;
    this.#outputs = [];
    this.#records = 0;
    this.#bytes = 0;
    this.#dirty = false;
    this.dueMs = Number.POSITIVE_INFINITY;
  }

  #writeState(out: OutputRecord[]): void {
    for (const { typename, declaration } of this.#declared) {
      const key = declarationKey(typename, declaration.name);
      const value = encodeDeclaration(declaration);
      // Every shard must be able to read its values alone, whoever owns it later.
      for (let shard = 0; shard < this.options.shards; shard++) out.push(record(shard, key, value));
    }
    for (const memory of this.#memories) {
      const { typename } = memory.type;
      const { id } = memory.address;
      for (const index of memory.changed) {
        const slot = memory.type.slots[index];
        invariant(slot !== undefined, "U4: a changed slot is declared");
        const value = memory.values[index];
        const encoded = value === undefined ? null : encodeValue(memory.writtenMs?.[index] ?? 0, value);
        out.push(record(memory.shard, laneValueKey(typename, slot.name, memory.lane, id), encoded));
      }
      if (memory.touched && memory.lane === 0)
        out.push(record(memory.shard, invokedKey(typename, id), memory.empty ? null : encodeInvoked(memory.invokedMs)));
      memory.changed.length = 0;
      memory.touched = false;
      if (memory.empty) this.forgotten(memory);
    }
  }

  /** U3. */
  #writeMessages(out: OutputRecord[]): void {
    for (const message of this.#sent) {
      if (message.done) continue;
      message.persisted = true;
      out.push(
        record(message.shard, messageKey(message.sequence), encodePending(message, 0, "", this.nameOf(message.application))),
      );
    }
    for (const { message, dueMs, token } of this.#delayed) {
      if (message.done) continue;
      message.persisted = true;
      out.push(
        record(
          message.shard,
          messageKey(message.sequence),
          encodePending(message, dueMs, token, this.nameOf(message.application)),
        ),
      );
    }
    for (const { shard, key } of this.#tombstones) out.push(record(shard, key, null));
    for (const { shard, key, value } of this.#remembered) out.push(record(shard, key, value()));
  }

  #writeProgress(out: OutputRecord[]): { input: Input; low: number }[] {
    const lows: { input: Input; low: number }[] = [];
    for (const input of this.#inputs) {
      input.changed = false;
      const mark = input.progress?.mark();
      if (!mark) continue;
      const { cluster, topic } = input.source.specification;
      out.push(record(input.shard, progressKey(cluster.name, topic, input.partition), encodeProgress(mark)));
      lows.push({ input, low: mark.low });
    }
    return lows;
  }
}

function record(partition: number, key: string, value: Uint8Array | null): OutputRecord {
  return { partition, key, value, headers: undefined, timestampMs: undefined };
}
