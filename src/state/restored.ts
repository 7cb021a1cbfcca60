/**
 * What is read back from `<group>.state` before a tenure runs: values go into the store as they come; messages and progress are
 * collected, for a later record or tombstone may still replace them.
 */
import type { ChangelogRecord } from "../event";
import { type DecodedPending, decodePending } from "../functions/pending";
import { decodeProgress, type ProgressMark } from "../ingress/progress";
import { splitTypename } from "../model/address";
import { decoded } from "../model/errors";
import { decodeDeclaration, decodeInvoked, decodeKey, decodeValue } from "./changelog";
import { Memory, type StateStore, type TypeStates } from "./store";

/** Partial states of an actor's lessees, by lane. */
export interface RestoredParts {
  readonly typename: string;
  readonly id: string;
  readonly parts: Map<number, Memory>;
}

/** The record of a dual-mode actor (scaling/actor-record.ts). */
export interface RestoredActor {
  readonly typename: string;
  readonly id: string;
  readonly value: Uint8Array;
}

/** How much of one shard has been read, and when. */
export interface ShardRestore {
  records: number;
  bytes: number;
  readonly startedMs: number;
  lastMs: number;
}

export class Restored {
  readonly shards = new Map<number, ShardRestore>();
  highestSequence = 0;
  readonly #pending = new Map<number, { shard: number; value: Uint8Array; now: number }>();
  readonly #progress = new Map<string, ProgressMark>();
  readonly #parts = new Map<string, RestoredParts>();
  readonly #actors = new Map<string, RestoredActor>();
  #messages = 0;

  constructor(
    private readonly store: StateStore,
    private readonly home: (id: string) => number,
  ) {}

  take(shard: number, records: readonly ChangelogRecord[], now: number): void {
    let progress = this.shards.get(shard);
    if (!progress) {
      progress = { records: 0, bytes: 0, startedMs: now, lastMs: now };
      this.shards.set(shard, progress);
    }
    progress.lastMs = now;
    progress.records += records.length;
    for (const { key, value } of records) {
      progress.bytes += key.length + (value ? value.length : 0);
      decoded(
        () => `record ${JSON.stringify(Buffer.from(key).toString("utf8"))}`,
        () => this.#takeOne(shard, key, value, now),
      );
    }
  }

  #takeOne(shard: number, keyBytes: Uint8Array, value: Uint8Array | null, now: number): void {
    const key = decodeKey(keyBytes);
    switch (key.kind) {
      case "value":
        return this.#takeValue(this.store.type(key.typename), key.state, key.id, value);
      case "part":
        return this.#takePart(this.store.type(key.typename), key.state, key.lane, key.id, value);
      case "actor": {
        const name = `${key.typename}\0${key.id}`;
        if (value) this.#actors.set(name, { typename: key.typename, id: key.id, value: new Uint8Array(value) });
        else this.#actors.delete(name);
        return;
      }
      case "invoked":
        if (value) this.#memory(this.store.type(key.typename), key.id).invokedMs = decodeInvoked(value);
        return;
      case "declaration":
        if (value) this.store.type(key.typename).declare(decodeDeclaration(key.state, value));
        return;
      case "message":
        this.highestSequence = Math.max(this.highestSequence, key.sequence);
        if (value) this.#pending.set(key.sequence, { shard, value: new Uint8Array(value), now });
        else this.#pending.delete(key.sequence);
        return;
      case "progress":
        if (value) this.#progress.set(`${key.cluster}\0${key.topic}\0${key.partition}`, decodeProgress(value));
    }
  }

  #takeValue(type: TypeStates, state: string, id: string, value: Uint8Array | null): void {
    const slot = type.reserve(state);
    if (!value && !type.memories.has(id)) return;
    const memory = this.#memory(type, id);
    if (!value) {
      this.store.place(memory, slot.index, undefined);
      if (memory.empty) type.memories.delete(id);
      return;
    }
    const { writtenMs, typedValue } = decodeValue(value);
    this.store.place(memory, slot.index, typedValue);
    stamp(memory, slot.index, writtenMs);
  }

  /** A part is no value of the store yet: its actor takes it up, or nobody does. */
  #takePart(type: TypeStates, state: string, lane: number, id: string, value: Uint8Array | null): void {
    const { index } = type.reserve(state);
    const name = `${type.typename}\0${id}`;
    let actor = this.#parts.get(name);
    let part = actor?.parts.get(lane);
    if (!value) {
      if (!actor || !part) return;
      part.values[index] = undefined;
      if (part.empty) actor.parts.delete(lane);
      if (actor.parts.size === 0) this.#parts.delete(name);
      return;
    }
    if (!actor) {
      actor = { typename: type.typename, id, parts: new Map() };
      this.#parts.set(name, actor);
    }
    if (!part) {
      const parts = splitTypename(type.typename) ?? { namespace: "", name: type.typename };
      part = new Memory({ namespace: parts.namespace, type: parts.name, id }, type, this.home(id), lane);
      actor.parts.set(lane, part);
    }
    const { writtenMs, typedValue } = decodeValue(value);
    while (part.values.length < index) part.values.push(undefined);
    part.values[index] = typedValue;
    stamp(part, index, writtenMs);
  }

  #memory(type: TypeStates, id: string): Memory {
    const name = splitTypename(type.typename) ?? { namespace: "", name: type.typename };
    return this.store.memory(type, name.namespace, name.name, id, this.home);
  }

  /** Lanes in rising order. */
  *parts(): IterableIterator<RestoredParts> {
    for (const { typename, id, parts } of this.#parts.values()) {
      yield { typename, id, parts: new Map([...parts].sort(([one], [other]) => one - other)) };
    }
  }

  get actors(): IterableIterator<RestoredActor> {
    return this.#actors.values();
  }

  /** Messages that waited, in the order they were sent. */
  *pendingInOrder(): IterableIterator<DecodedPending> {
    const sequences = [...this.#pending.keys()].sort((one, other) => one - other);
    for (const sequence of sequences) {
      const pending = this.#pending.get(sequence);
      if (!pending) continue;
      const decoded = decodePending(sequence, pending.value, pending.now);
      decoded.message.shard = pending.shard;
      this.#messages++;
      yield decoded;
    }
  }

  progressOf(cluster: string, topic: string, partition: number): ProgressMark | undefined {
    return this.#progress.get(`${cluster}\0${topic}\0${partition}`);
  }

  releaseMessages(): void {
    this.#pending.clear();
    this.#parts.clear();
    this.#actors.clear();
  }

  summary(): string {
    let records = 0;
    for (const shard of this.shards.values()) records += shard.records;
    return `${records} records restored, ${this.store.values} state values, ${this.#messages} waiting messages`;
  }
}

/** A value that was written without an instant has none of an earlier value either. */
function stamp(memory: Memory, index: number, writtenMs: number): void {
  if (writtenMs > 0 || memory.writtenMs) (memory.writtenMs ??= [])[index] = writtenMs;
}
