/**
 * The ingress room's face: records of assigned partitions become addressed messages, within bounds, and their progress is kept.
 *
 * Owns: inputs (one per assigned ingress partition), their progress and why they are paused. Leaves to others: mailboxes, units.
 *
 *   locating ──located──▶ consuming ◀──resume── paused (reasons: depth, bytes, unit, retiring)
 *
 * I1  An input is paused exactly while it has a reason.
 * I2  A record is admitted once: what a former life finished is skipped, what lies before the position is dropped.
 * I3  Records that are held behind a barrier do not stop the reading that ends the wait (DUAL-MODE.md 5.5): they do not count for the depth, and
 *     when too much is held only those inputs are paused that the barrier does not wait for.
 */
import { functionOf } from "../config/function";
import type { EngineOptions, ModuleSpecification, SourceSpecification } from "../config/specification";
import type { Effects } from "../effect";
import type { AssignedInput } from "../event";
import { typedValueHead } from "../functions/wire";
import { splitTypename, type Typename } from "../model/address";
import { Counter } from "../model/counter";
import type { Message, RecordEntry } from "../model/message";
import { MeasureBook, type SourceMeasures } from "../observe/measure";
import type { InputStatus } from "../observe/status";
import type { Application, Applications } from "../router/router";
import { Marking } from "./marking";
import { Progress, type ProgressMark } from "./progress";
import { Watermark } from "./watermarks";

/**
 * `depth`: too many unfinished records of this partition; `bytes`: mailboxes hold too much; `held`: too much is held behind barriers, and this partition
 * is ahead of them; `unit`: the open unit is full; `retiring`: nothing more is taken in.
 */
export type PauseReason = "depth" | "bytes" | "held" | "unit" | "retiring";

export class Input {
  /** undefined while it is being located. */
  progress: Progress | undefined;
  readonly paused = new Set<PauseReason>();
  /** Its low watermark as of the last committed unit; -1 before one. */
  committedLow = -1;
  /** Where to go on once nothing is unfinished: the position it had is not in the log any more. */
  displacedTo: number | undefined;
  /** Its progress has changed since the open unit began. */
  changed = false;
  /** The last barrier it has passed, where its ingress makes barriers by itself; -1: none. */
  passed = -1;
  /** Since when it has been read to its end and brought nothing, ms; -1: it has not. */
  quietSinceMs = -1;
  /** Unfinished records all of whose messages are held behind barriers. */
  held = 0;
  /** How many messages of a record are held. */
  readonly #heldMessages = new Map<RecordEntry, number>();
  constructor(
    readonly index: number,
    readonly source: Source,
    readonly partition: number,
    readonly shard: number,
  ) {}

  hold(entry: RecordEntry, change: 1 | -1): void {
    const before = this.#heldMessages.get(entry) ?? 0;
    const after = before + change;
    if (before === entry.remaining) this.held--;
    if (after === entry.remaining) this.held++;
    if (after > 0) this.#heldMessages.set(entry, after);
    else this.#heldMessages.delete(entry);
  }

  /** All copies of this unfinished record are about to be remembered by themselves: what it counts for leaves with them. */
  adopted(entry: RecordEntry): void {
    if (this.#heldMessages.get(entry) === entry.remaining) this.held--;
    this.#heldMessages.delete(entry);
  }

  /** A message of this record is finished, hence the record: copies that are still held are remembered by themselves from here on. */
  finished(entry: RecordEntry): void {
    this.#heldMessages.delete(entry);
  }
}

/** One topic of an ingress, with what every record of it needs. */
export class Source {
  readonly valueHead: Uint8Array;
  readonly marking: Marking;
  constructor(
    readonly index: number,
    readonly specification: SourceSpecification,
    readonly measures: SourceMeasures,
    readonly application: Application,
    /** Of its ingress, with the other topics of that. */
    readonly watermark?: Watermark,
    /** It has several targets, and one of them may finish its records in another order than they have come: it is in dual mode. */
    readonly disordered = false,
  ) {
    this.valueHead = typedValueHead(specification.valueType);
    this.marking = new Marking(specification, watermark);
  }
}

export class Intake {
  readonly sources: readonly Source[];
  /** Of the ingresses that make barriers by themselves. */
  readonly watermarks: readonly Watermark[];
  /** By input index; indexes are never used again, so that late records of a dropped input find nothing. */
  readonly inputs = new Map<number, Input>();
  /** Reasons that hold for every input, those opened later too. */
  readonly #everywhere = new Set<PauseReason>();
  /** Inputs whose depth has changed by what is held. */
  readonly #touched = new Set<Input>();
  #heldPaused = false;

  constructor(
    module: ModuleSpecification,
    private readonly options: EngineOptions,
    applications: Applications,
    private readonly book = new MeasureBook(),
    private readonly ids = new Counter(0),
  ) {
    const watermarks = new Map<Typename, Watermark>();
    for (const { ingress, watermark } of module.sources) {
      if (watermark && !watermarks.has(ingress)) watermarks.set(ingress, new Watermark(ingress, watermark));
    }
    this.watermarks = [...watermarks.values()];
    this.sources = module.sources.map((specification, index) => {
      const { ingress, topic, targets } = specification;
      const application = applications.ofIngress(ingress);
      const measures = this.book.source(ingress, topic);
      return new Source(index, specification, measures, application, watermarks.get(ingress), disorders(module, targets));
    });
  }

  /** Takes on an assigned partition: from its progress, or after asking where it starts. */
  open(assigned: AssignedInput, known: ProgressMark | undefined, effects: Effects): Input | undefined {
    const source = this.sources[assigned.source];
    if (!source || this.find(assigned)) return undefined;
    const input = new Input(this.ids.next(), source, assigned.partition, assigned.partition % this.options.shards);
    this.inputs.set(input.index, input);
    source.watermark?.inputs.push(input);
    for (const reason of this.#everywhere) input.paused.add(reason);
    if (input.paused.size > 0) source.measures.pausedPartitions++;
    if (known) this.start(input, known, effects);
    else this.locate(input, effects);
    return input;
  }

  /** Asks where an input without progress starts. */
  locate(input: Input, effects: Effects): void {
    effects.push({ kind: "locate_input", input: input.index, source: input.source.index, partition: input.partition });
  }

  start(input: Input, mark: ProgressMark, effects: Effects): void {
    input.progress = new Progress(input.index, mark, input.source.marking.begin(mark));
    input.quietSinceMs = -1;
    const { index, source, partition } = input;
    effects.push({ kind: "consume_input", input: index, source: source.index, partition, offset: mark.low });
    if (input.paused.size > 0) effects.push({ kind: "pause_input", input: index }); // I1: consuming begins without pauses.
  }

  /** Goes on elsewhere, if it must and nothing of before is unfinished. True if it did. */
  replace(input: Input, effects: Effects): boolean {
    const { displacedTo, progress } = input;
    if (displacedTo === undefined || (progress?.outstanding ?? 0) > 0) return false;
    this.start(input, progress ? progress.elsewhere(displacedTo) : { low: displacedTo, ranges: [] }, effects);
    input.displacedTo = undefined;
    return true;
  }

  find(assigned: AssignedInput): Input | undefined {
    for (const input of this.inputs.values()) {
      if (input.source.index === assigned.source && input.partition === assigned.partition) return input;
    }
    return undefined;
  }

  /** Where the inputs stand, for people. */
  view(): InputStatus[] {
    return [...this.inputs.values()].map(({ source, partition, progress, paused, committedLow }) => ({
      ingress: source.specification.ingress,
      topic: source.specification.topic,
      partition,
      position: progress?.next,
      lowWatermark: committedLow >= 0 ? committedLow : undefined,
      outstanding: progress?.outstanding ?? 0,
      pausedReasons: [...paused],
    }));
  }

  /** Nothing more of any input is wanted. */
  dropAll(effects: Effects): void {
    for (const index of this.inputs.keys()) effects.push({ kind: "drop_input", input: index });
    this.inputs.clear();
    for (const { inputs } of this.watermarks) inputs.length = 0;
  }

  /** I1. A partition with too many unfinished records waits until a quarter of them is finished: enough room that resuming is rare, and few enough records that they die young. */
  bound(input: Input, effects: Effects): void {
    const outstanding = (input.progress?.outstanding ?? 0) - input.held; // I3
    if (outstanding >= this.options.partitionDepthMax) this.pause(input, "depth", effects);
    else if (outstanding * 4 <= this.options.partitionDepthMax * 3) this.resume(input, "depth", effects);
  }

  /** A message is held behind a barrier, or not any more. */
  heldChanged({ entry }: Message, change: 1 | -1): void {
    const input = entry && this.inputs.get(entry.input);
    if (!input) return;
    input.hold(entry, change);
    this.#touched.add(input);
  }

  /** I3; after every event in which `heldChanged` may have been called. `over`: too many bytes are held. `synced`: no barrier waits for more of this input. */
  boundHeld(over: boolean, synced: (input: Input) => boolean, effects: Effects): void {
    for (const input of this.#touched) this.bound(input, effects);
    this.#touched.clear();
    if (!over && !this.#heldPaused) return;
    this.#heldPaused = over;
    for (const input of this.inputs.values()) {
      if (over && synced(input)) this.pause(input, "held", effects);
      else this.resume(input, "held", effects);
    }
  }

  pause(input: Input, reason: PauseReason, effects: Effects): void {
    if (input.paused.has(reason)) return;
    input.paused.add(reason);
    if (input.paused.size > 1) return;
    input.source.measures.pausedPartitions++;
    effects.push({ kind: "pause_input", input: input.index });
  }

  resume(input: Input, reason: PauseReason, effects: Effects): void {
    if (!input.paused.delete(reason) || input.paused.size > 0) return;
    input.source.measures.pausedPartitions--;
    effects.push({ kind: "resume_input", input: input.index });
  }

  pauseAll(reason: PauseReason, effects: Effects): void {
    this.#everywhere.add(reason);
    for (const input of this.inputs.values()) this.pause(input, reason, effects);
  }

  resumeAll(reason: PauseReason, effects: Effects): void {
    this.#everywhere.delete(reason);
    for (const input of this.inputs.values()) this.resume(input, reason, effects);
  }
}

function disorders({ functions }: ModuleSpecification, targets: readonly Typename[]): boolean {
  if (targets.length < 2) return false;
  return targets.some((target) => {
    const parts = splitTypename(target);
    return parts && functionOf(functions, parts.namespace, parts.name)?.mode === "dual";
  });
}
