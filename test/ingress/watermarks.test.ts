import type { SourceSpecification, WatermarkSpecification } from "../../src/config/specification";
import type { Effects } from "../../src/effect";
import { Admission } from "../../src/ingress/admission";
import { type Input, Intake } from "../../src/ingress/intake";
import { decodeProgress, encodeProgress, type ProgressMark } from "../../src/ingress/progress";
import type { Watermark } from "../../src/ingress/watermarks";
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

/** One ingress of two topics, as it is read. */
class Ingress {
  now = 100_000;
  readonly effects: Effects = [];
  readonly told: number[] = [];
  readonly noted: Input[] = [];
  readonly wakes: { atMs: number; watermark: Watermark }[] = [];
  readonly intake: Intake;
  readonly windows: Windows;
  readonly #router: Router;
  readonly #admission: Admission;

  constructor(watermark: Partial<WatermarkSpecification> = {}, source: Partial<SourceSpecification> = {}) {
    const shared = { watermark: watermarkSpecification(watermark), ...source };
    const module = moduleSpecification({
      sources: [sourceSpecification(shared), sourceSpecification({ ...shared, topic: "more" })],
    });
    const applications = applicationsOf(module);
    const options = engineOptions();
    this.intake = new Intake(module, options, applications);
    this.#router = new Router(module, 2, new StateStore(), applications);
    this.#admission = new Admission(options, this.intake, this.#router);
    this.windows = new Windows(this.intake, {
      noted: (input) => this.noted.push(input),
      passed: (ingress, least) => {
        expect(ingress).toBe("ex/in");
        this.told.push(least);
      },
      wakeAt: (atMs, each) => this.wakes.push({ atMs, watermark: each }),
    });
  }

  open(partition: number, mark: ProgressMark | undefined = { low: 0, ranges: [] }, source = 0): Input {
    const input = this.intake.open({ source, partition }, mark, []);
    if (!input) throw new Error("it is open");
    return input;
  }

  /** Records of these times at the position; gives what they run after. */
  read(input: Input, ...times: number[]): (number | undefined)[] {
    const first = input.progress?.next ?? 0;
    return this.readAt(
      input,
      times.map((timestampMs, i) => ({ ...record(first + i, "a", "x"), timestampMs })),
    );
  }

  readAt(input: Input, records: readonly InputRecord[]): (number | undefined)[] {
    const before = this.waiting.length;
    this.#admission.admit(input, records, this.now, this.effects);
    this.windows.read(input, records.length, this.now);
    return this.waiting.slice(before).map(({ mark }) => mark?.after);
  }

  get waiting(): Message[] {
    return [...(this.#router.type("ex/fn")?.mailboxes.get("a")?.messages() ?? [])];
  }

  /** The partition holds nothing more, and this much later still nothing. */
  quietFor(input: Input, ms: number): void {
    const position = input.progress?.next ?? -1;
    this.windows.exhausted(input, position, this.now, this.now);
    this.now += ms;
    this.windows.exhausted(input, position, this.now, this.now);
  }

  finish(input: Input, sequence: number): void {
    const entry = this.waiting.find((message) => message.sequence === sequence)?.entry;
    if (entry) input.progress?.finish(entry);
  }

  mark(input: Input): ProgressMark {
    if (!input.progress) throw new Error("it has not begun");
    return decodeProgress(encodeProgress(input.progress.mark()));
  }
}

describe("a record of a watermarked ingress", () => {
  it("runs after the beginning of its window", () => {
    const ingress = new Ingress();
    expect(ingress.read(ingress.open(0), 99_000, 99_999, 100_000)).toEqual([99, 99, 100]);
  });

  it("runs in its own window within the lateness, and in the open one after that", () => {
    const ingress = new Ingress();
    const input = ingress.open(0);
    expect(ingress.read(input, 99_900, 100_199, 99_800)).toEqual([99, 100, 99]);
    expect(ingress.read(input, 100_200, 99_800)).toEqual([100, 100]);
    expect(ingress.read(input, 98_000, 100_999)).toEqual([100, 100]);
  });

  it("without timestamp runs in the open window", () => {
    const ingress = new Ingress();
    expect(ingress.read(ingress.open(0), -1, 99_500, -1)).toEqual([undefined, 99, 99]);
  });

  it("shows its time even if it can be no message", () => {
    const ingress = new Ingress();
    const input = ingress.open(0);
    ingress.readAt(input, [
      { ...record(0, null, "x"), timestampMs: 99_300 },
      { ...record(1, "a", null), timestampMs: 100_300 },
    ]);
    expect(ingress.told).toEqual([100]);
    expect(ingress.read(input, 98_000)).toEqual([100]);
  });

  it("shares its mark with others of its window", () => {
    const ingress = new Ingress();
    const input = ingress.open(0);
    ingress.read(input, 99_000, 99_001, 100_000);
    const [one, two, three] = ingress.waiting.map(({ mark }) => mark);
    expect(one).toBe(two);
    expect(one).toEqual({ critical: false, series: "", barrier: -1, after: 99, channel: "" });
    expect(three).not.toBe(two);
  });

  it("W4: ends no window if it is dated more than an hour ahead, runs in the open one, and is told of", () => {
    const ingress = new Ingress();
    const input = ingress.open(0);
    expect(ingress.read(input, 99_500, 99_999 + HOUR + 1_000, 99_900)).toEqual([99, 99, 99]);
    expect(ingress.told).toEqual([99]);
    expect(ingress.effects.map((effect) => effect.kind === "report" && effect.fields)).toEqual([
      { topic: "in", partition: 0, offset: 1, timestamp: 100_999 + HOUR },
    ]);
    expect(ingress.read(input, 99_000 + HOUR)).toEqual([99 + 3_600]); // A clock that is wrong by an hour may be right.
  });

  it("W4: is known again when its time has come near", () => {
    const ingress = new Ingress();
    const input = ingress.open(0);
    expect(ingress.read(input, 99_500, 99_999 + HOUR + 1_000)).toEqual([99, 99]);
    const again = new Ingress();
    again.now = ingress.now + HOUR;
    expect(again.read(again.open(0, ingress.mark(input)), 99_500, 99_999 + HOUR + 1_000)).toEqual([99, 99]);
  });
});

describe("an ingress has passed a barrier", () => {
  it("when all its partitions have, of all its topics, and once", () => {
    const ingress = new Ingress();
    const inputs = [ingress.open(0), ingress.open(1), ingress.open(0, { low: 0, ranges: [] }, 1)];
    for (const [turn, times] of [[99_300], [99_300], [101_300], [100_300]].entries()) {
      ingress.read(inputs[turn % 3] as Input, ...times);
    }
    expect(ingress.told).toEqual([99]);
    ingress.read(inputs[1] as Input, 100_150, 100_200);
    ingress.read(inputs[2] as Input, 102_500);
    expect(ingress.told).toEqual([99, 100]);
    expect(inputs.map((input) => input.source.watermark?.ahead(input))).toEqual([false, false, true]);
  });

  it("W3: only when all have a position", () => {
    const ingress = new Ingress();
    const known = ingress.open(0);
    const located = ingress.intake.open({ source: 0, partition: 1 }, undefined, []) as Input;
    ingress.read(known, 99_300);
    expect(ingress.told).toEqual([]);
    ingress.intake.start(located, { low: 7, ranges: [] }, []);
    ingress.read(located, 99_300);
    expect(ingress.told).toEqual([99]);
  });

  it("W3: a partition that joins later begins there", () => {
    const ingress = new Ingress();
    ingress.read(ingress.open(0), 99_300);
    const joined = ingress.open(1);
    expect(ingress.read(joined, 50_000)).toEqual([99]);
    expect(ingress.told).toEqual([99]);
    expect(ingress.mark(joined).passages).toMatchObject({ base: 99 });
  });
});

describe("a partition with nothing more", () => {
  it("goes by the clock, less the lateness, once it has been quiet for long enough", () => {
    const ingress = new Ingress();
    const [busy, idle] = [ingress.open(0), ingress.open(1)];
    ingress.read(busy, 110_500);
    ingress.read(idle, 98_000);
    ingress.quietFor(idle, 4_999);
    expect(ingress.told).toEqual([97]);
    expect(ingress.noted).toEqual([]);
    ingress.quietFor(idle, 1); // 105.0: 104.8 is past 104.
    expect(ingress.told).toEqual([97, 104]);
    ingress.quietFor(idle, 199);
    ingress.quietFor(idle, 1);
    expect(ingress.told).toEqual([97, 104, 105]);
    expect(ingress.noted).toEqual([idle, idle]);
    expect(ingress.read(idle, 103_000, 105_500)).toEqual([105, 105]);
  });

  it("goes by when its broker was asked, not by when the answer is read: a record may have come in between", () => {
    const ingress = new Ingress();
    const idle = ingress.open(0);
    ingress.quietFor(idle, 5_000);
    expect(ingress.told).toEqual([104]);
    const askedMs = ingress.now;
    ingress.now += 3_000; // The router does not get to run.
    ingress.windows.exhausted(idle, 0, askedMs, ingress.now);
    expect(ingress.told).toEqual([104]);
    expect(ingress.read(idle, 106_000)).toEqual([106]);
  });

  it("has not been quiet for longer than its broker was asked", () => {
    const ingress = new Ingress();
    const idle = ingress.open(0);
    ingress.windows.exhausted(idle, 0, ingress.now - 1_000, ingress.now);
    ingress.now += 4_500;
    ingress.windows.exhausted(idle, 0, ingress.now - 501, ingress.now);
    ingress.windows.exhausted(idle, 0, ingress.now - 501, ingress.now + 60_000);
    expect(ingress.told).toEqual([]);
    ingress.windows.exhausted(idle, 0, ingress.now - 500, ingress.now);
    expect(ingress.told).toEqual([103]); // 104.0, less the lateness.
  });

  it("is not quiet while records come", () => {
    const ingress = new Ingress();
    const idle = ingress.open(0);
    ingress.quietFor(idle, 4_000);
    ingress.read(idle, 99_300);
    ingress.quietFor(idle, 4_000);
    expect(ingress.told).toEqual([99]);
    ingress.quietFor(idle, 1_000);
    expect(ingress.told).toEqual([99, 108]);
  });

  it("counts from when it is known to hold nothing: not while its records are on their way", () => {
    const ingress = new Ingress();
    const idle = ingress.open(0);
    ingress.windows.exhausted(idle, 7, ingress.now, ingress.now);
    ingress.now += 60_000;
    ingress.windows.exhausted(idle, 7, ingress.now, ingress.now);
    ingress.quietFor(idle, 0);
    expect(ingress.told).toEqual([]);
  });

  it("that had nothing from the start does so, too", () => {
    const ingress = new Ingress();
    ingress.quietFor(ingress.open(0), 5_000);
    expect(ingress.told).toEqual([104]);
  });

  it("W2: tells again what its mark says, at once", () => {
    const ingress = new Ingress();
    const input = ingress.open(0);
    ingress.read(input, 99_300);
    ingress.finish(input, 0);
    const again = new Ingress();
    const restored = again.open(0, ingress.mark(input));
    again.windows.exhausted(restored, 1, again.now, again.now);
    expect(again.told).toEqual([99]);
  });

  it("W2: whose log has lost its end goes on from there", () => {
    const ingress = new Ingress();
    const input = ingress.open(0);
    ingress.read(input, 97_300, 98_300, 99_300, 99_400);
    const again = new Ingress();
    const restored = again.open(0, ingress.mark(input));
    again.read(restored, 97_300);
    expect(again.told).toEqual([98]); // What comes next belongs behind it.
    again.windows.exhausted(restored, 1, again.now, again.now);
    expect(again.told).toEqual([98, 99]);
    expect(again.read(restored, 100_300)).toEqual([100]);
  });
});

describe("by arrival", () => {
  const arrival = { time: "arrival", latenessMs: 0 } as const;

  it("a record belongs to the window it came in, whatever its timestamp", () => {
    const ingress = new Ingress(arrival);
    const input = ingress.open(0);
    expect(ingress.read(input, 1, 500_000)).toEqual([100, 100]);
    ingress.now = 101_999;
    expect(ingress.read(input, 1)).toEqual([101]);
  });

  it("the clock alone ends windows, for all partitions", () => {
    const ingress = new Ingress(arrival);
    const inputs = [ingress.open(0), ingress.open(1)];
    ingress.windows.begin(ingress.now);
    expect(ingress.told).toEqual([100]);
    expect(ingress.wakes.map(({ atMs }) => atMs)).toEqual([101_000]);
    ingress.now = 101_002;
    ingress.windows.over(ingress.wakes[0]?.watermark as Watermark, ingress.now);
    expect(ingress.told).toEqual([100, 101]);
    expect(ingress.noted).toEqual([...inputs, ...inputs]);
    expect(ingress.wakes.map(({ atMs }) => atMs)).toEqual([101_000, 102_000]);
    ingress.now = 101_500;
    ingress.windows.over(ingress.wakes[0]?.watermark as Watermark, ingress.now);
    expect(ingress.noted).toHaveLength(4);
  });

  it("W2: a record that is read again belongs where it belonged, and until then the clock ends nothing for its partition", () => {
    const ingress = new Ingress(arrival);
    const input = ingress.open(0);
    ingress.read(input, 1);
    ingress.now = 101_500;
    ingress.read(input, 1, 1);
    const again = new Ingress(arrival);
    again.now = 109_000;
    const restored = again.open(0, ingress.mark(input));
    again.windows.begin(again.now);
    expect(again.told).toEqual([100]);
    expect(again.read(restored, 1, 1)).toEqual([100, 101]);
    again.windows.over(again.intake.watermarks[0] as Watermark, again.now);
    expect(again.told).toEqual([100, 101]);
    expect(again.read(restored, 1, 1)).toEqual([101, 109]);
    expect(again.told).toEqual([100, 101, 109]);
  });
});

describe("what was passed", () => {
  it("survives a position that is not in the log any more", () => {
    const ingress = new Ingress({}, { barrier: { kind: "counter" }, critical: true });
    const input = ingress.open(0);
    ingress.read(input, 99_300, 99_400);
    ingress.finish(input, 0);
    ingress.finish(input, 1);
    input.displacedTo = 50;
    expect(ingress.intake.replace(input, [])).toBe(true);
    expect(ingress.read(input, 98_000)).toEqual([99]);
    expect(ingress.waiting.at(-1)?.mark).toMatchObject({ barrier: 3 });
    expect(ingress.mark(input)).toMatchObject({ low: 50, passages: { base: 99, end: 51 }, counts: { base: 3, end: 51 } });
  });

  it("keeps its instant when windows get another length", () => {
    const ingress = new Ingress();
    const input = ingress.open(0);
    ingress.read(input, 99_300, 100_300, 100_900, 101_300);
    const longer = new Ingress({ everyMs: 10_000 });
    const restored = longer.open(0, ingress.mark(input));
    expect(longer.read(restored, 99_300, 100_300, 100_900, 101_300, 111_000)).toEqual([9, 10, 10, 10, 11]);
    const shorter = new Ingress({ everyMs: 500 });
    expect(shorter.read(shorter.open(0, ingress.mark(input)), 99_300)).toEqual([198]);
  });

  it("is written only where there are windows or counts, so that older routers can read the rest", () => {
    const ingress = new Ingress({}, { watermark: undefined });
    const input = ingress.open(0);
    expect(ingress.read(input, 99_300)).toEqual([undefined]);
    expect(encodeProgress(ingress.mark(input))[0]).toBe(1);
    const windowed = new Ingress();
    expect(encodeProgress(windowed.mark(windowed.open(0)))[0]).toBe(2);
  });
});
