/** A function type in dual mode: what its configuration says, its live actors, and what splitting it has been seen to cost. */
import type {
  FunctionSpecification,
  MergeSpecification,
  UpstreamSpecification,
  WatermarkSpecification,
} from "../config/specification";
import type { DualMeasures } from "../observe/dual-measures";
import type { FunctionType } from "../router/router";
import { type Memory, memoryBytes, mergedByFunction, mergeMsPerByte, type StateSlot, splittable } from "../state/store";
import { type Channel, isLearned, prefixOf } from "./alignment";
import type { DualActor } from "./dual-actor";

/** New value's share in a moving mean, as for service times (SCHEDULING.md 3.5 `costAlpha`), but consolidations are rarer. */
const MEAN_ALPHA = 0.2;
/** Before a function's was measured: the pilot's merge of a part, ms and ms per byte (SCHEDULING.md 4.3). */
const MERGE_MS = 0.3;
const MERGE_MS_PER_BYTE = 4.7 / (1024 * 1024);

export interface TypeWatermark {
  readonly ingress: string;
  readonly specification: WatermarkSpecification;
}

export class DualType {
  readonly actors = new Map<string, DualActor>();
  /** Awaited otherwise than by watermark. */
  readonly upstreams: readonly UpstreamSpecification[];
  readonly functionUpstreams: readonly UpstreamSpecification[];
  /** Some upstream's channels are learnt by their messages. */
  readonly learns: boolean;
  readonly criticalTypenames: ReadonlySet<string>;
  /** Argument path that pins a message to one lane, where a state is merged by `partition`. */
  readonly keyPath: readonly string[] | undefined;
  /** Its actors have something to remember besides their state: which barriers are done, which channels there are. */
  readonly remembers: boolean;
  /** The largest barrier number that every watermarked ingress has passed; -1: none. */
  least = -1;
  readonly #passed = new Map<string, number>();
  /** Of merges that take more than a turn, those of the function: one part takes this long, ms, as a moving mean; and a part of any has had this many bytes. */
  #mergeMs = 0;
  #mergeBytes = 0;
  /** No actor that was forgotten has had a larger one; who comes after it at its address does not repeat its epochs (PROTOCOL.md). */
  firstEpoch = 0;
  /** From one section's start to the next on an actor, ms; 0: unknown. */
  periodMs = 0;

  constructor(
    readonly type: FunctionType,
    readonly specification: FunctionSpecification,
    readonly watermarks: readonly TypeWatermark[],
    readonly measures: DualMeasures,
  ) {
    const watermarked = new Set(watermarks.map(({ ingress }) => ingress));
    this.upstreams = specification.upstreams.filter((each) => each.kind !== "ingress" || !watermarked.has(each.ingress));
    this.functionUpstreams = this.upstreams.filter(({ kind }) => kind === "function");
    this.learns = this.upstreams.some(isLearned);
    this.criticalTypenames = new Set(specification.critical);
    const partitioned = Object.values(specification.states).find((each) => each.kind === "partition");
    this.keyPath = partitioned?.kind === "partition" ? partitioned.keyPath : undefined;
    type.states.stamped = Object.values(specification.states).some((each) => each.kind === "latest");
    this.remembers = this.learns || watermarks.length > 0 || specification.series !== undefined;
  }

  /** Name of its barriers' series, for messages that name one. */
  get series(): string {
    return this.specification.series ?? "";
  }

  /** Its barriers have numbers. */
  get numbered(): boolean {
    return this.specification.series !== undefined || this.watermarks.length > 0;
  }

  /** A channel of an upstream whose channels are learnt. */
  learnable(channel: Channel): boolean {
    return this.upstreams.some((each) => isLearned(each) && channel.startsWith(prefixOf(each)));
  }

  mergeOf(state: string): MergeSpecification | undefined {
    return this.specification.states[state];
  }

  /** A state that cannot be split, if there is one among those the function has declared. */
  get unsplittable(): StateSlot | undefined {
    return this.type.states.slots.find(({ name }) => !splittable(this.mergeOf(name)));
  }

  get slotsMergedByFunction(): StateSlot[] {
    return this.type.states.slots.filter(({ name }) => {
      const merge = this.mergeOf(name);
      return merge !== undefined && mergedByFunction(merge);
    });
  }

  /** True if its barriers have come further: every watermarked ingress has passed this number. */
  passed(ingress: string, barrier: number): boolean {
    this.#passed.set(ingress, barrier);
    const least = Math.min(...this.watermarks.map((each) => this.#passed.get(each.ingress) ?? -1));
    if (least <= this.least) return false;
    this.least = least;
    return true;
  }

  /** Nothing of it is kept in memory but how far its epochs went, together with all others'. */
  forget({ lessor, epoch }: DualActor): void {
    this.actors.delete(lessor.address.id);
    this.firstEpoch = Math.max(this.firstEpoch, epoch);
  }

  observeMerge(ms: number, bytes: number): void {
    this.#mergeMs = mean(this.#mergeMs, ms);
    this.#mergeBytes = mean(this.#mergeBytes, bytes);
  }

  /**
   * Expected time until so many lessees' parts are merged into this memory, ms. Parts merge in a tree: in each of its rounds the router goes
   * over all there is, one after the other; functions merge side by side. Before a part was seen it is taken to be as large as the base.
   */
  mergesMs(base: Memory, lessees: number): number {
    const bytes = memoryBytes(base);
    const rounds = Math.ceil(Math.log2(lessees + 1));
    const all = bytes + lessees * (this.#mergeBytes || bytes);
    return rounds * (all * this.#routerMsPerByte(base, bytes) + this.#functionMs(bytes));
  }

  /** Of a memory's values in their proportions; of an empty one the worst that may come. */
  #routerMsPerByte({ values }: Memory, bytes: number): number {
    let [total, worst] = [0, 0];
    for (const { index, name } of this.type.states.slots) {
      const specification = this.mergeOf(name);
      const each = specification ? mergeMsPerByte(specification) : 0;
      total += each * (values[index]?.length ?? 0);
      worst = Math.max(worst, each);
    }
    return bytes > 0 ? total / bytes : worst;
  }

  /** As measured, and in proportion when the part is larger than those were. */
  #functionMs(bytes: number): number {
    if (this.#mergeMs === 0) return this.slotsMergedByFunction.length > 0 ? MERGE_MS + MERGE_MS_PER_BYTE * bytes : 0;
    return this.#mergeMs * Math.max(1, bytes / Math.max(1024, this.#mergeBytes));
  }

  observePeriod(ms: number): void {
    this.periodMs = mean(this.periodMs, ms);
  }
}

function mean(before: number, value: number): number {
  return before === 0 ? value : before + MEAN_ALPHA * (value - before);
}
