/** What the topics of a group tell of its dual-mode actors: the parts that stand in its state, and the steps of the protocol. */
import { controlTopic, stateTopic } from "../../src/cluster/topics";
import { addressText } from "../../src/model/address";
import { type ControlRecord, decodeControl } from "../../src/scaling/control";
import { decodeKey } from "../../src/state/changelog";
import type { SeenRecord, TestKafka } from "./kafka";

/** Committed, of each shard in its order. */
export async function controlOf(kafka: TestKafka, group: string): Promise<ControlRecord[]> {
  return (await kafka.readAll(controlTopic(group))).map(controlRecord);
}

export function controlRecord({ key, value }: Pick<SeenRecord, "key" | "value">): ControlRecord {
  return decodeControl(key ?? "", value as Buffer);
}

/** What is left of these records of `<group>.state` when they are compacted: the last value of each key. */
export function standing(records: readonly SeenRecord[]): ReadonlyMap<string, Buffer> {
  const values = new Map<string, Buffer>();
  for (const { key = "", value } of records) {
    if (value) values.set(key, value);
    else values.delete(key);
  }
  return values;
}

/** Addresses that have parts, `typename/id: state of lane n` each. */
export function partsIn(records: readonly SeenRecord[]): string[] {
  return [...standing(records).keys()].flatMap((text) => {
    const key = decodeKey(Buffer.from(text));
    return key.kind === "part" ? [`${key.typename}/${key.id}: ${key.state} of lane ${key.lane}`] : [];
  });
}

export async function partsOf(kafka: TestKafka, group: string): Promise<string[]> {
  return partsIn(await kafka.readAll(stateTopic(group)));
}

/** Messages that lessees of this actor have handled, as they told at the end of their leases. */
export function appliedByLessees(records: readonly ControlRecord[], actor: string): number {
  let applied = 0;
  for (const record of records) {
    if (record.kind === "sync_reply" && record.chunk === 0 && addressText(record.actor) === actor) applied += record.applied;
  }
  return applied;
}

/**
 * Where the records break the order that PROTOCOL.md promises; routers may have been killed at any moment meanwhile. `kept`: the actors have a
 * record in the log, so that their epochs never fall; others are forgotten when they have nothing to do, and begin anew.
 */
export function protocolFaults(records: readonly ControlRecord[], epochs: "kept" | "forgotten"): string[] {
  const actors = new Map<string, Steps>();
  return records.flatMap((record) => {
    const name = addressText(record.actor);
    const steps = actors.get(name) ?? new Steps(epochs === "kept");
    actors.set(name, steps);
    return steps.faults(record).map((fault) => `${name}, epoch ${record.epoch}, ${record.kind}: ${fault}`);
  });
}

/** Of one actor. */
class Steps {
  #epoch = 0;
  /** Lanes whose part has been told in this epoch. */
  readonly #synced = new Set<number>();
  #asked: Extract<ControlRecord, { kind: "sync_request" }> | undefined;

  constructor(private readonly kept: boolean) {}

  faults(record: ControlRecord): string[] {
    if (!this.kept && record.kind === "lease_granted" && record.epoch === 0) this.#epoch = 0;
    const faults = record.epoch < this.#epoch ? [`epoch ${this.#epoch} had begun`] : [];
    if (this.#asked && record.kind !== "sync_reply") faults.push(`lane ${this.#asked.lane} had not answered`);
    if (record.epoch > this.#epoch && record.kind !== "unsync") this.#synced.clear();
    faults.push(...this.#of(record));
    this.#epoch = Math.max(this.#epoch, record.epoch);
    return faults;
  }

  #of(record: ControlRecord): string[] {
    switch (record.kind) {
      case "lease_granted":
        return record.lane > 0 ? [] : ["to the lessor"];
      case "sync_request":
        this.#asked = record;
        return [];
      case "sync_reply":
        return this.#answered(record);
      case "lease_ended":
        return this.#synced.has(record.lane) ? [] : [`lane ${record.lane} had told no part`];
      case "unsync":
        return this.#released(record);
    }
  }

  #answered({ lane, epoch, applied, chunk, chunks }: Extract<ControlRecord, { kind: "sync_reply" }>): string[] {
    const asked = this.#asked;
    if (!asked || asked.lane !== lane || asked.epoch !== epoch) return [`lane ${lane} was not asked`];
    this.#synced.add(lane);
    if (chunk === chunks - 1) this.#asked = undefined;
    return applied === asked.forwarded ? [] : [`${applied} of ${asked.forwarded} messages were applied`];
  }

  /** The epoch is the new one. */
  #released({ epoch }: ControlRecord): string[] {
    const faults = this.#synced.size > 0 ? [] : ["no part was told"];
    if (epoch <= this.#epoch) faults.push(`epoch ${this.#epoch} had begun`);
    this.#synced.clear();
    return faults;
  }
}
