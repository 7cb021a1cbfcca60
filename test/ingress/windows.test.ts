/**
 * Windows over crashes: a small router (the ingress room, one actor that runs barriers, units that commit) is led through random reading,
 * finishing, committing, quiet times, jumps of the clock, compactions and crashes.
 */
import * as fc from "fast-check";
import type { WatermarkSpecification } from "../../src/config/specification";
import { Admission } from "../../src/ingress/admission";
import { type Input, Intake } from "../../src/ingress/intake";
import { decodeProgress, encodeProgress, type ProgressMark } from "../../src/ingress/progress";
import { Windows } from "../../src/ingress/windows";
import type { Message } from "../../src/model/message";
import type { InputRecord } from "../../src/model/record";
import { Router } from "../../src/router/router";
import { StateStore } from "../../src/state/store";
import { record } from "../support/engine-driver";
import {
  applicationsOf,
  engineOptions,
  moduleSpecification,
  sourceSpecification,
  watermarkSpecification,
} from "../support/module";

const HOUR = 3_600_000;
const PARTITIONS = 2;

type Step =
  /** A producer writes; its clock is off by so much. */
  | { readonly append: number; readonly skewMs: number }
  | { readonly read: number; readonly count: number }
  /** A partition is asked for more, and has nothing. */
  | { readonly exhaust: number }
  | { readonly finish: number }
  | { readonly commit: true }
  | { readonly advanceMs: number }
  /** Another router takes over, whose clock is off by so much. */
  | { readonly crash: true; readonly skewMs: number }
  /** One of the records of a partition is compacted away. */
  | { readonly compact: number; readonly choice: number };

const partition = fc.nat({ max: PARTITIONS - 1 });
const lateness = fc.constantFrom(0, 200, 2_000);

/** What happens to the log and its readers, whatever the clock. */
const calm: fc.Arbitrary<Step>[] = [
  fc.record({ append: partition, skewMs: fc.constantFrom(0, 0, 0, -150, -900, -2_500, 700, 4_000) }),
  fc.record({ read: partition, count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ read: partition, count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ finish: fc.nat({ max: 50 }) }),
  fc.constant({ commit: true } as const),
  fc.record({ advanceMs: fc.constantFrom(10, 300, 1_000, 2_600) }),
];
const crash = fc.record({ crash: fc.constant(true as const), skewMs: fc.constantFrom(0, 0, -3_000, 5_000) });
const wild: fc.Arbitrary<Step>[] = [
  ...calm,
  fc.record({ exhaust: partition }),
  fc.record({ append: partition, skewMs: fc.constantFrom(2 * HOUR, -HOUR) }),
  fc.record({ compact: partition, choice: fc.nat({ max: 50 }) }),
  crash,
];

/** Long, for it takes a while until all partitions have passed something. */
function script(kinds: readonly fc.Arbitrary<Step>[]): fc.Arbitrary<Step[]> {
  return fc.array(fc.oneof(...kinds), { maxLength: 120, size: "max" });
}

/** What outlives a router. */
class World {
  now = 1_000_000;
  readonly logs: InputRecord[][] = Array.from({ length: PARTITIONS }, () => []);
  readonly ends: number[] = this.logs.map(() => 0);
  committed = {
    marks: this.logs.map((): ProgressMark => ({ low: 0, ranges: [] })),
    done: -1,
    /** What records run after, by offset, as far as the marks reach. */
    told: this.logs.map(() => new Map<number, number>()),
  };

  constructor(readonly watermark: WatermarkSpecification) {}

  append(at: number, timestampMs: number): void {
    const offset = this.ends[at] as number;
    this.ends[at] = offset + 1;
    this.logs[at]?.push({ ...record(offset, "a", "x"), timestampMs });
  }

  compact(at: number, choice: number): void {
    const log = this.logs[at] as InputRecord[];
    if (log.length > 1) log.splice(choice % (log.length - 1), 1);
  }
}

class Life {
  least = -1;
  done: number;
  readonly told: Map<number, number>[];
  readonly #inputs: Input[];
  readonly #changed = new Set<number>();
  readonly #windows: Windows;
  readonly #admission: Admission;
  readonly #router: Router;
  #unfinished: Message[] = [];
  #seen = 0;
  #wakeMs = Number.POSITIVE_INFINITY;

  constructor(
    readonly world: World,
    readonly skewMs: number,
  ) {
    const sources = [sourceSpecification({ watermark: world.watermark })];
    const module = moduleSpecification({ sources });
    const applications = applicationsOf(module);
    const options = engineOptions();
    const intake = new Intake(module, options, applications);
    this.#router = new Router(module, 2, new StateStore(), applications);
    this.#admission = new Admission(options, intake, this.#router);
    this.#windows = new Windows(intake, {
      noted: (input) => this.#changed.add(input.partition),
      passed: (_ingress, least) => {
        expect(least).toBeGreaterThan(this.least); // W1
        this.least = least;
      },
      wakeAt: (atMs) => {
        this.#wakeMs = atMs;
      },
    });
    this.done = world.committed.done;
    this.told = world.committed.told.map((told) => new Map(told));
    this.#inputs = world.committed.marks.map((mark, at) => intake.open({ source: 0, partition: at }, mark, []) as Input);
    this.#windows.begin(this.now);
  }

  get now(): number {
    return this.world.now + this.skewMs;
  }

  #input(at: number): Input {
    return this.#inputs[at] as Input;
  }

  #next(at: number): number {
    return this.#input(at).progress?.next ?? -1;
  }

  advance(ms: number): void {
    this.world.now += ms;
    const { watermarks } = { watermarks: this.#input(0).source.watermark };
    if (watermarks && this.#wakeMs <= this.now) this.#windows.over(watermarks, this.now);
  }

  read(at: number, count: number): void {
    const next = this.#next(at);
    const records = this.world.logs[at]?.filter(({ offset }) => offset >= next).slice(0, count) ?? [];
    const position = records.length === count ? (records[count - 1]?.offset ?? 0) + 1 : (this.world.ends[at] as number);
    const input = this.#input(at);
    const { least } = this;
    this.#admission.admit(input, records, this.now, []);
    for (const message of this.#arrived()) this.#check(at, message, least);
    input.progress?.skipTo(position);
    this.#changed.add(at);
    this.#windows.read(input, records.length, this.now);
  }

  #arrived(): Message[] {
    const all = [...(this.#router.type("ex/fn")?.mailboxes.get("a")?.messages() ?? [])];
    const arrived = all.slice(this.#seen);
    this.#seen = all.length;
    this.#unfinished.push(...arrived);
    return arrived;
  }

  #check(at: number, message: Message, least: number): void {
    const after = afterOf(message);
    expect(after).toBeGreaterThanOrEqual(least); // W1
    expect(after).toBeGreaterThanOrEqual(this.world.committed.done); // W2: not into a window that is over for good.
    const before = this.world.committed.told[at]?.get(message.sequence);
    if (before !== undefined) expect(after).toBe(before); // W2: where it was.
    this.told[at]?.set(message.sequence, after);
  }

  exhaust(at: number): void {
    if (this.#next(at) === this.world.ends[at]) this.#windows.exhausted(this.#input(at), this.#next(at), this.now, this.now);
  }

  finish(choice: number): void {
    const ready = this.#unfinished.filter((message) => afterOf(message) <= this.done);
    const message = ready[choice % Math.max(1, ready.length)];
    if (!message?.entry) return;
    this.#unfinished = this.#unfinished.filter((each) => each !== message);
    this.#input(message.entry.input).progress?.finish(message.entry);
    this.#changed.add(message.entry.input);
  }

  /** The actor runs what it can: a barrier when all partitions have passed it and everything before it is finished. */
  runBarriers(): void {
    for (;;) {
      if (this.least <= this.done) return;
      if (this.#unfinished.some((message) => afterOf(message) <= this.done)) return;
      const held = this.#unfinished.map(afterOf);
      this.done = Math.min(this.least, ...held);
    }
  }

  commit(): void {
    const { committed } = this.world;
    for (const at of this.#changed) {
      const { progress } = this.#input(at);
      if (!progress) continue;
      committed.marks[at] = decodeProgress(encodeProgress(progress.mark()));
      committed.told[at] = new Map(this.told[at]);
    }
    this.#changed.clear();
    committed.done = this.done;
  }

  get finished(): boolean {
    return this.#unfinished.length === 0 && this.#inputs.every((input, at) => input.progress?.next === this.world.ends[at]);
  }
}

/** Without a mark it may run at once. */
function afterOf({ mark }: Message): number {
  return mark?.after ?? -1;
}

function play(world: World, script: readonly Step[], observe: (life: Life) => void): Life {
  let life = new Life(world, 0);
  for (const step of script) {
    if ("append" in step) world.append(step.append, world.now + step.skewMs);
    else if ("read" in step) life.read(step.read, step.count);
    else if ("exhaust" in step) life.exhaust(step.exhaust);
    else if ("finish" in step) life.finish(step.finish);
    else if ("commit" in step) life.commit();
    else if ("advanceMs" in step) life.advance(step.advanceMs);
    else if ("compact" in step) world.compact(step.compact, step.choice);
    else life = new Life(world, step.skewMs);
    life.runBarriers();
    observe(life);
  }
  return life;
}

/** Everything there is comes by again, and is finished. */
function end(life: Life): void {
  const { world } = life;
  for (let turn = 0; turn < 40; turn++) {
    life.advance(1_000);
    for (let at = 0; at < PARTITIONS; at++) {
      life.read(at, 100);
      life.exhaust(at);
    }
    life.runBarriers();
    for (let at = 0; at < 200; at++) life.finish(0);
    life.runBarriers();
  }
  expect(life.finished).toBe(true);
  const { everyMs, latenessMs, time } = world.watermark;
  const passed = Math.floor((life.now - (time === "arrival" ? 0 : latenessMs)) / everyMs);
  expect(life.done).toBeGreaterThanOrEqual(passed);
}

describe("windows over crashes", () => {
  test.each(["record-timestamp", "arrival"] as const)(
    "W1, W2: by %s, nothing comes into a window that is over, and what was read stays where it was",
    (time) => {
      fc.assert(
        fc.property(script(wild), lateness, (steps, latenessMs) => {
          const world = new World(watermarkSpecification({ time, latenessMs, idleMs: 1_000 }));
          const life = play(world, steps, () => {});
          life.commit();
          end(new Life(world, 0));
        }),
        { numRuns: 120 },
      );
    },
  );

  it("W2: without quiet partitions windows follow from the log alone, whoever reads it, whenever", () => {
    fc.assert(
      fc.property(script([...calm, crash]), lateness, (steps, latenessMs) => {
        const world = new World(watermarkSpecification({ latenessMs }));
        const everyMs = world.watermark.everyMs;
        const expected = (at: number, sequence: number) => {
          const times = (world.logs[at] ?? []).slice(0, sequence + 1).map(({ timestampMs }) => timestampMs);
          const shown = times.map((ms) => Math.floor((ms - latenessMs) / everyMs));
          return Math.max(Math.floor((times[sequence] as number) / everyMs), ...shown);
        };
        play(world, steps, ({ told }) => {
          for (const [at, afters] of told.entries()) {
            for (const [sequence, after] of afters) expect(after).toBe(expected(at, sequence));
          }
        });
      }),
      { numRuns: 60 },
    );
  });
});
