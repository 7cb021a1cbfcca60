import * as fc from "fast-check";
import type { SourceSpecification } from "../../src/config/specification";
import type { Effects } from "../../src/effect";
import { Admission } from "../../src/ingress/admission";
import { type Input, Intake } from "../../src/ingress/intake";
import { decodeProgress, encodeProgress, type ProgressMark } from "../../src/ingress/progress";
import type { Mark, Message } from "../../src/model/message";
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

class Topic {
  readonly effects: Effects = [];
  readonly input: Input;
  readonly #admission: Admission;
  readonly #router: Router;

  constructor(source: Partial<SourceSpecification> = {}, mark: ProgressMark = { low: 0, ranges: [] }) {
    const module = moduleSpecification({ sources: [sourceSpecification(source)] });
    const applications = applicationsOf(module);
    const options = engineOptions();
    const intake = new Intake(module, options, applications);
    this.#router = new Router(module, 2, new StateStore(), applications);
    this.#admission = new Admission(options, intake, this.#router);
    this.input = intake.open({ source: 0, partition: 0 }, mark, []) as Input;
  }

  admit(...records: readonly InputRecord[]): void {
    this.#admission.admit(this.input, records, 5_000, this.effects);
  }

  /** The mark of one record with these headers and this value. */
  mark(headers: Readonly<Record<string, string | null>>, value = "{}"): Mark | undefined {
    this.admit(headed(this.input.progress?.next ?? 0, headers, value));
    return this.waiting.at(-1)?.mark;
  }

  get waiting(): Message[] {
    return [...(this.#router.type("ex/fn")?.mailboxes.get("a")?.messages() ?? [])];
  }

  get barriers(): (number | undefined)[] {
    return this.waiting.map(({ mark }) => mark?.barrier);
  }

  get written(): ProgressMark {
    if (!this.input.progress) throw new Error("it has not begun");
    return decodeProgress(encodeProgress(this.input.progress.mark()));
  }
}

function headed(offset: number, headers: Readonly<Record<string, string | null>>, value = "{}"): InputRecord {
  const list = Object.entries(headers).map(([key, text]) => ({ key, value: text === null ? null : Buffer.from(text) }));
  return { ...record(offset, "a", value), headers: list };
}

const ALONE = { critical: true, series: "", barrier: -1, after: -1, channel: "" };

describe("K1: a record is critical", () => {
  test.each(["true", "1", "TRUE", " true "])("if its header says %j", (value) => {
    expect(new Topic().mark({ "dirigo-critical": value })).toEqual(ALONE);
  });

  test.each(["false", "0", "", "yes", null])("not if its header says %j", (value) => {
    expect(new Topic().mark({ "dirigo-critical": value, other: "1" })).toBeUndefined();
  });

  it("if its topic is, whatever its header says", () => {
    const topic = new Topic({ critical: true });
    expect([topic.mark({}), topic.mark({ "dirigo-critical": "false" })]).toEqual([ALONE, ALONE]);
  });

  it("on every copy of it", () => {
    const topic = new Topic({ critical: true, targets: ["ex/fn", "ex/other"] });
    topic.admit(record(0, "a", "x"));
    const copies = topic.waiting[0]?.entry?.copies;
    expect(copies?.map(({ mark }) => mark)).toEqual([ALONE, ALONE]);
  });
});

describe("K1: its barrier's number", () => {
  it("stands in its header, with the series or without", () => {
    const topic = new Topic({ critical: true });
    expect(topic.mark({ "dirigo-barrier": "17" })).toEqual({ ...ALONE, barrier: 17 });
    expect(topic.mark({ "dirigo-barrier": "window:17" })).toEqual({ ...ALONE, series: "window", barrier: 17 });
    expect(topic.effects).toEqual([]);
  });

  it("stands in its value", () => {
    const json = new Topic({ critical: true, barrier: { kind: "json", path: ["window", "end"] } });
    expect(json.mark({}, '{"window":{"end":9}}')).toEqual({ ...ALONE, barrier: 9 });
    const protobuf = new Topic({ critical: true, barrier: { kind: "protobuf", path: [1] } });
    expect(protobuf.mark({}, "\x08\x05")).toEqual({ ...ALONE, barrier: 5 });
  });

  it("is the header's, where both say one", () => {
    const topic = new Topic({ critical: true, barrier: { kind: "json", path: ["n"] } });
    expect(topic.mark({ "dirigo-barrier": "3" }, '{"n":9}')).toMatchObject({ barrier: 3 });
  });

  it("is none, and told of, where it should be and is not; the record is critical all the same", () => {
    const topic = new Topic({ critical: true, barrier: { kind: "json", path: ["n"] } });
    expect([topic.mark({}, "{}"), topic.mark({ "dirigo-barrier": "soon" }, '{"n":9}')]).toEqual([ALONE, ALONE]);
    expect(topic.effects.map((effect) => effect.kind === "report" && effect.fields?.offset)).toEqual([0, 1]);
  });

  it("is none, and nothing is told, where none is expected", () => {
    const topic = new Topic();
    expect(topic.mark({ "dirigo-critical": "1" })).toEqual(ALONE);
    expect(topic.effects).toEqual([]);
  });

  it("may stand in the header of a record that only its target knows to be critical", () => {
    expect(new Topic().mark({ "dirigo-barrier": "w:4" })).toEqual({ ...ALONE, critical: false, series: "w", barrier: 4 });
  });

  it("is not looked for in the value of an ordinary record", () => {
    const topic = new Topic({ barrier: { kind: "json", path: ["n"] } });
    expect([topic.mark({}, '{"n":9}'), topic.mark({ x: "y" }, "no JSON")]).toEqual([undefined, undefined]);
    expect(topic.effects).toEqual([]);
  });
});

describe("K2: a counted barrier", () => {
  const counted = { barrier: { kind: "counter" } } as const;
  const critical = { "dirigo-critical": "1" };

  it("is the n-th critical record of its partition", () => {
    const topic = new Topic(counted);
    topic.admit(headed(0, critical), headed(1, {}), headed(2, critical), headed(5, critical));
    expect(topic.barriers).toEqual([1, undefined, 2, 3]);
  });

  it("counts on over a restart, and what a former life has finished counts", () => {
    const topic = new Topic({ ...counted, critical: true });
    topic.admit(...[0, 1, 2, 3].map((offset) => record(offset, "a", "x")));
    for (const offset of [0, 2]) topic.input.progress?.finish(entryAt(topic, offset));
    const again = new Topic({ ...counted, critical: true }, topic.written);
    again.admit(...[1, 2, 3, 4].map((offset) => record(offset, "a", "x")));
    expect(again.barriers).toEqual([2, 4, 5]);
  });

  it("is the same for every reader, after any crash, whatever is finished and compacted away", () => {
    type Step = { readonly read: boolean; readonly critical: boolean; readonly choice: number; readonly crash: boolean };
    const step: fc.Arbitrary<Step> = fc.record({
      read: fc.boolean(),
      critical: fc.boolean(),
      choice: fc.nat({ max: 20 }),
      crash: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (script) => {
        const log: InputRecord[] = [];
        const expected: (number | undefined)[] = [];
        let topic = new Topic(counted);
        let from = 0;
        const read = () => {
          const next = topic.input.progress?.next ?? 0;
          for (const each of log) if (each.offset >= next) topic.admit(each);
          topic.input.progress?.skipTo(expected.length);
          for (const { sequence, mark } of topic.waiting.slice(from)) expect(mark?.barrier).toBe(expected[sequence]);
          from = topic.waiting.length;
        };
        let count = 0;
        for (const each of script) {
          if (each.read) {
            if (each.critical) count++;
            log.push(headed(expected.length, each.critical ? critical : {}));
            expected.push(each.critical ? count : undefined);
            read();
          } else if (each.crash) {
            topic = new Topic(counted, topic.written);
            from = 0;
            log.splice(0, each.choice);
            read();
          } else {
            const entry = topic.waiting[each.choice % Math.max(1, topic.waiting.length)]?.entry;
            if (entry && entry.remaining > 0) topic.input.progress?.finish(entry);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("K3: an ordinary record", () => {
  it("has no mark, with and without headers", () => {
    const topic = new Topic();
    expect([topic.mark({}), topic.mark({ traceparent: "00" })]).toEqual([undefined, undefined]);
    expect(topic.input.source.marking.plain).toBe(true);
    expect(topic.written).toEqual({ low: 0, ranges: [] });
  });
});

it("a critical record of a watermarked ingress stands in its window, too", () => {
  const topic = new Topic({ watermark: watermarkSpecification() });
  topic.admit({ ...headed(0, { "dirigo-critical": "1" }), timestampMs: 3_500 });
  expect(topic.waiting[0]?.mark).toEqual({ ...ALONE, after: 3 });
});

it("a record of a watermarked ingress stands in a window only for functions whose windows end", () => {
  const watermark = watermarkSpecification({ functions: ["ex/other"] });
  const topic = new Topic({ watermark, targets: ["ex/fn", "ex/other"] });
  const headers = { "dirigo-critical": "1" };
  topic.admit({ ...record(0, "a", "x"), timestampMs: 3_500 }, { ...headed(1, headers), timestampMs: 3_500 });
  const [plain, critical] = topic.waiting.map(({ entry }) => entry?.copies?.map(({ mark }) => mark));
  expect(plain).toEqual([undefined, { ...ALONE, critical: false, after: 3 }]);
  expect(critical).toEqual([ALONE, { ...ALONE, after: 3 }]);
});

function entryAt(topic: Topic, offset: number): Parameters<NonNullable<Input["progress"]>["finish"]>[0] {
  const entry = topic.waiting.find(({ sequence }) => sequence === offset)?.entry;
  if (!entry) throw new Error(`${offset} is not waiting`);
  return entry;
}
