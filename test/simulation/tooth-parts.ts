/** What a tooth is: one way to break the engine's work. */
import type { Effect } from "../../src/effect";
import type { Event } from "../../src/event";
import type { InputRecord, OutputRecord, TopicBatch } from "../../src/model/record";
import type { StoredRecord } from "./partition-log";
import type { RouterProcess } from "./router-process";
import type { Scenario } from "./scenario";
import type { Checker } from "./violation";

export interface Tooth {
  readonly name: string;
  readonly what: string;
  /** One of these must name it. */
  readonly caughtBy: readonly Checker[];
  /** Without these it would seldom have the chance to bite. */
  circumstances?(scenario: Scenario): Partial<Scenario>;
  effects?(effects: readonly Effect[], process: RouterProcess): readonly Effect[];
  unitFailed?(event: Extract<Event, { kind: "unit_failed" }>): Event;
  records?(records: readonly StoredRecord[]): readonly InputRecord[];
  reply?(body: Uint8Array): Uint8Array;
  /** It bites only in worlds of dual mode. */
  readonly dual?: boolean;
  /** Puts something into the engine for one run; gives what takes it out again. */
  install?(): () => void;
  readonly skipFencing?: boolean;
  readonly restoreToStable?: boolean;
  readonly ignorePauses?: boolean;
  readonly ignoreEpochs?: boolean;
}

/** Rewrites the records of the state topic in every unit; undefined drops one. */
export function rewriteState(rewrite: (record: OutputRecord, kind: string) => OutputRecord | undefined): Tooth["effects"] {
  const batchOf = (batch: TopicBatch): TopicBatch => {
    if (!batch.topic.endsWith(".state")) return batch;
    const records = batch.records.flatMap((record) => rewrite(record, String(record.key).slice(0, 1)) ?? []);
    return { ...batch, records };
  };
  return (effects) =>
    effects.map((effect) => (effect.kind === "commit_unit" ? { ...effect, inside: effect.inside.map(batchOf) } : effect));
}
