import type { Effect, Effects } from "../../src/effect";
import { type Input, Intake } from "../../src/ingress/intake";
import type { RecordEntry } from "../../src/model/message";
import { aMessage } from "../support/messages";
import { applicationsOf, engineOptions, moduleSpecification, sourceSpecification } from "../support/module";

function intakeWith(partitionDepthMax = 4): Intake {
  const sources = [sourceSpecification(), sourceSpecification({ topic: "other" })];
  const module = moduleSpecification({ sources });
  return new Intake(module, engineOptions({ partitionDepthMax }), applicationsOf(module));
}

function kinds(effects: readonly Effect[]): string[] {
  return effects.map((effect) => ("input" in effect ? `${effect.kind} ${effect.input}` : effect.kind));
}

function opened(intake: Intake, partition: number, low: number | null = 0): Input {
  const input = intake.open({ source: 0, partition }, low === null ? undefined : { low, ranges: [] }, []);
  if (!input) throw new Error(`partition ${partition} is open already`);
  return input;
}

function enter(input: Input, offset: number, targets = 1): RecordEntry {
  const entry = input.progress?.enter(offset, targets);
  if (!entry) throw new Error("it has not begun");
  return entry;
}

describe("Intake", () => {
  it("goes on from known progress, and asks where to start without", () => {
    const intake = intakeWith();
    const effects: Effects = [];
    intake.open({ source: 0, partition: 3 }, { low: 42, ranges: [[44, 45]] }, effects);
    intake.open({ source: 1, partition: 0 }, undefined, effects);
    expect(effects).toEqual([
      { kind: "consume_input", input: 0, source: 0, partition: 3, offset: 42 },
      { kind: "locate_input", input: 1, source: 1, partition: 0 },
    ]);
    expect(intake.inputs.get(0)?.shard).toBe(1); // 3 mod 2 shards.
    expect(intake.inputs.get(1)?.progress).toBeUndefined();
  });

  it("takes each partition on once, and none of an unknown source", () => {
    const intake = intakeWith();
    opened(intake, 0);
    expect(intake.open({ source: 0, partition: 0 }, undefined, [])).toBeUndefined();
    expect(intake.open({ source: 9, partition: 0 }, undefined, [])).toBeUndefined();
    expect(intake.inputs.size).toBe(1);
  });

  it("never uses an index again, so that late records of a dropped input find nothing", () => {
    const intake = intakeWith();
    opened(intake, 0);
    const effects: Effects = [];
    intake.dropAll(effects);
    expect(kinds(effects)).toEqual(["drop_input 0"]);
    expect(opened(intake, 0).index).toBe(1);
  });

  it("I1: pauses with the first reason and resumes with the last", () => {
    const intake = intakeWith();
    const input = opened(intake, 0);
    const effects: Effects = [];
    intake.pause(input, "bytes", effects);
    intake.pause(input, "bytes", effects);
    intake.pause(input, "depth", effects);
    expect(kinds(effects)).toEqual(["pause_input 0"]);
    expect(input.source.measures.pausedPartitions).toBe(1);
    intake.resume(input, "bytes", effects);
    intake.resume(input, "unit", effects);
    expect(kinds(effects)).toEqual(["pause_input 0"]);
    intake.resume(input, "depth", effects);
    expect(kinds(effects)).toEqual(["pause_input 0", "resume_input 0"]);
    expect(input.source.measures.pausedPartitions).toBe(0);
  });

  it("I1: an input opened while all are paused is paused too, and resumed with them", () => {
    const intake = intakeWith();
    opened(intake, 0);
    intake.pauseAll("bytes", []);
    const effects: Effects = [];
    intake.open({ source: 0, partition: 1 }, { low: 0, ranges: [] }, effects);
    expect(kinds(effects)).toEqual(["consume_input 1", "pause_input 1"]);
    intake.resumeAll("bytes", effects);
    expect(kinds(effects).slice(2)).toEqual(["resume_input 0", "resume_input 1"]);
  });

  it("I1: an input that is located while all are paused is told so once it is consumed", () => {
    const intake = intakeWith();
    const input = opened(intake, 0, null);
    intake.pauseAll("unit", []);
    const effects: Effects = [];
    intake.start(input, { low: 7, ranges: [] }, effects);
    expect(kinds(effects)).toEqual(["consume_input 0", "pause_input 0"]);
    expect(input.source.measures.pausedPartitions).toBe(1);
  });

  it("pauses at the depth and resumes when a quarter of it has gone", () => {
    const intake = intakeWith(4);
    const input = opened(intake, 0);
    const entries = [];
    const seen: (string | undefined)[] = [];
    const bound = () => {
      const effects: Effects = [];
      intake.bound(input, effects);
      seen.push(effects[0]?.kind);
    };
    for (let offset = 0; offset < 5; offset++) {
      entries.push(input.progress?.enter(offset, 1));
      bound();
    }
    for (const entry of entries) {
      if (entry) input.progress?.finish(entry);
      bound();
    }
    const up = [undefined, undefined, undefined, "pause_input", undefined];
    const down = [undefined, "resume_input", undefined, undefined, undefined];
    expect(seen).toEqual([...up, ...down]);
  });

  it("I3: records that are held do not count for the depth", () => {
    const intake = intakeWith(4);
    const input = opened(intake, 0);
    const held = Array.from({ length: 5 }, (_, offset) => aMessage({ entry: enter(input, offset) }));
    const effects: Effects = [];
    intake.bound(input, effects);
    expect(kinds(effects)).toEqual(["pause_input 0"]);
    for (const message of held.slice(0, 2)) intake.heldChanged(message, 1);
    intake.boundHeld(false, () => true, effects);
    expect(input.held).toBe(2);
    expect(kinds(effects)).toEqual(["pause_input 0", "resume_input 0"]);
    for (const message of held.slice(0, 2)) intake.heldChanged(message, -1);
    intake.boundHeld(false, () => true, effects);
    expect(input.held).toBe(0);
    expect(kinds(effects)).toEqual(["pause_input 0", "resume_input 0", "pause_input 0"]);
    intake.boundHeld(false, () => true, effects);
    expect(effects).toHaveLength(3);
  });

  it("I3: a record counts as held when all its messages are, and not any more when one is finished", () => {
    const intake = intakeWith();
    const input = opened(intake, 0);
    const entry = enter(input, 0, 2);
    const [one, other] = [aMessage({ entry }), aMessage({ entry })];
    intake.heldChanged(one, 1);
    expect(input.held).toBe(0);
    intake.heldChanged(other, 1);
    expect(input.held).toBe(1);
    intake.heldChanged(other, -1);
    expect(input.held).toBe(0);
    input.progress?.finish(entry);
    input.progress?.finish(entry);
    input.finished(entry);
    one.entry = undefined; // It is adopted.
    intake.heldChanged(one, -1);
    expect(input.held).toBe(0);
  });

  it.each([
    [[true, true], 1],
    [[true, false], 0],
  ])("I3: a record whose copies are about to be remembered counts no more; held: %p", (heldOf, counted) => {
    const intake = intakeWith();
    const input = opened(intake, 0);
    const entry = enter(input, 0, 2);
    for (const held of heldOf) if (held) intake.heldChanged(aMessage({ entry }), 1);
    expect(input.held).toBe(counted);
    input.adopted(entry);
    for (const _ of heldOf) input.progress?.finish(entry);
    input.finished(entry);
    expect(input.held).toBe(0);
  });

  it("I3: while too much is held, those inputs rest that no barrier waits for", () => {
    const intake = intakeWith();
    for (const partition of [0, 1]) opened(intake, partition);
    const ahead = new Set([1]);
    const effects: Effects = [];
    const bound = (over: boolean) => intake.boundHeld(over, ({ index }) => ahead.has(index), effects);
    bound(false);
    expect(effects).toEqual([]);
    bound(true);
    bound(true);
    expect(kinds(effects)).toEqual(["pause_input 1"]);
    expect(intake.view().map(({ pausedReasons }) => pausedReasons)).toEqual([[], ["held"]]);
    ahead.delete(1);
    ahead.add(0);
    bound(true);
    expect(kinds(effects)).toEqual(["pause_input 1", "pause_input 0", "resume_input 1"]);
    bound(false);
    expect(kinds(effects).slice(3)).toEqual(["resume_input 0"]);
  });

  it("gives up everything", () => {
    const intake = intakeWith();
    const input = opened(intake, 0);
    const effects: Effects = [];
    intake.dropAll(effects);
    expect(intake.inputs.size).toBe(0);
    expect(effects).toEqual([{ kind: "drop_input", input: input.index }]);
  });

  it("goes on elsewhere when its position is gone, once nothing of before is unfinished", () => {
    const intake = intakeWith();
    const input = opened(intake, 0);
    const entry = input.progress?.enter(0, 1);
    input.displacedTo = 100;
    const effects: Effects = [];
    expect(intake.replace(input, effects)).toBe(false);
    if (entry) input.progress?.finish(entry);
    expect(intake.replace(input, effects)).toBe(true);
    expect(intake.replace(input, effects)).toBe(false);
    expect(effects).toEqual([{ kind: "consume_input", input: 0, source: 0, partition: 0, offset: 100 }]);
    expect(input.progress?.low).toBe(100);
  });

  it("shows where its inputs stand", () => {
    const intake = intakeWith();
    const input = opened(intake, 0, 5);
    opened(intake, 1, null);
    input.committedLow = 4;
    intake.pause(input, "depth", []);
    expect(intake.view()).toEqual([
      { ingress: "ex/in", topic: "in", partition: 0, position: 5, lowWatermark: 4, outstanding: 0, pausedReasons: ["depth"] },
      {
        ingress: "ex/in",
        topic: "in",
        partition: 1,
        position: undefined,
        lowWatermark: undefined,
        outstanding: 0,
        pausedReasons: [],
      },
    ]);
  });
});
