import type { ApplicationSpecification } from "../../src/config/specification";
import type { Effects } from "../../src/effect";
import { detachTypedValue } from "../../src/functions/wire";
import { Admission } from "../../src/ingress/admission";
import { type Input, Intake } from "../../src/ingress/intake";
import type { Message } from "../../src/model/message";
import { Router } from "../../src/router/router";
import { StateStore } from "../../src/state/store";
import { record } from "../support/engine-driver";
import {
  applicationSpecification,
  applicationsOf,
  engineOptions,
  moduleSpecification,
  sourceSpecification,
} from "../support/module";
import { decodeMessage } from "../support/statefun-proto";

const NOW = 5_000;

class Fixture {
  readonly effects: Effects = [];
  readonly options = engineOptions({ mailboxBytesMax: 4_000 });
  readonly intake: Intake;
  readonly router: Router;
  readonly admission: Admission;
  readonly input: Input;

  constructor(ranges: readonly (readonly [number, number])[] = [], application?: Partial<ApplicationSpecification>) {
    const module = moduleSpecification({
      sources: [sourceSpecification({ targets: ["ex/fn", "ex/other"] })],
      applications: application ? [applicationSpecification(application)] : [],
    });
    const applications = applicationsOf(module);
    this.intake = new Intake(module, this.options, applications);
    this.router = new Router(module, 2, new StateStore(), applications);
    this.admission = new Admission(this.options, this.intake, this.router);
    const input = this.intake.open({ source: 0, partition: 0 }, { low: 0, ranges }, []);
    if (!input) throw new Error("not opened");
    this.input = input;
  }

  admit(...records: Parameters<Admission["admit"]>[1]): void {
    this.admission.admit(this.input, records, NOW, this.effects);
  }

  waiting(id: string, type = "ex/fn"): Message[] {
    const found = this.router.type(type)?.mailboxes.get(id);
    return found ? [...found.messages()] : [];
  }

  get bounds(): string[] {
    const effects: Effects = [];
    this.admission.bound(false, effects);
    return effects.map((effect) => effect.kind);
  }
}

describe("Admission", () => {
  it("A1: every target gets its own copy of the message, and the record waits for all of them", () => {
    const fixture = new Fixture();
    fixture.admit(record(0, "a", "x"));
    const [one, other] = [...fixture.waiting("a"), ...fixture.waiting("a", "ex/other")];
    expect([one?.target.type, other?.target.type]).toEqual(["fn", "other"]);
    expect(one).not.toBe(other);
    expect(one?.entry).toBe(other?.entry);
    expect(one?.entry).toMatchObject({ input: 0, offset: 0, remaining: 2 });
  });

  it("makes a message of a record: key as id, value as argument, offset, instants, provenance", () => {
    const fixture = new Fixture();
    const headers = [
      { key: "traceparent", value: Buffer.from("00-old") },
      { key: "h", value: null },
      { key: "traceparent", value: Buffer.from("00-new") },
    ];
    fixture.admit({ ...record(9, "é", "x"), timestampMs: 77, headers });
    const [message] = fixture.waiting("é");
    expect(message).toMatchObject({
      caller: undefined,
      sequence: 9,
      ingressMs: NOW,
      admittedMs: NOW,
      deadlineMs: NOW + 10_000,
      provenance: { timestampMs: 77, headers, traceparent: "00-new" },
    });
    if (!message) throw new Error("no message");
    expect(decodeMessage("TypedValue", detachTypedValue(message.argument).head)).toEqual({
      typename: "io.statefun.types/string",
      has_value: true,
      value: Buffer.from("x"),
    });
  });

  it("reads malformed UTF-8 in a key as StateFun does", () => {
    const fixture = new Fixture();
    fixture.admit({ ...record(0, "", "x"), key: Uint8Array.of(0x61, 0xff, 0x62) });
    expect(fixture.waiting("a\ufffdb")).toHaveLength(1);
  });

  it("A2: skips what can have no address or no argument, tells of it, and counts it as finished", () => {
    const fixture = new Fixture();
    fixture.admit(record(0, null, "x"), record(1, "a", null), record(2, null, null), record(3, "", ""));
    expect(fixture.effects.map((effect) => effect.kind === "report" && effect.fields?.offset)).toEqual([0, 1, 2]);
    expect(fixture.input.source.measures).toMatchObject({ received: 4, skippedNullKey: 2, skippedTombstone: 1, outstanding: 1 });
    expect(fixture.input.progress?.mark()).toEqual({ low: 3, ranges: [] });
    expect(fixture.waiting("")).toHaveLength(1);
  });

  it("I2: drops what lies before the position, and skips what a former life has finished", () => {
    const fixture = new Fixture([[2, 3]]);
    fixture.admit(record(0, "a", "0"), record(1, "a", "1"));
    fixture.admit(record(1, "a", "1"), record(2, "a", "2"), record(3, "a", "3"), record(4, "a", "4"));
    expect(fixture.waiting("a").map(({ sequence }) => sequence)).toEqual([0, 1, 4]);
    expect(fixture.input.progress?.mark()).toEqual({ low: 0, ranges: [[2, 3]] });
  });

  it("A3: pauses at the bytes bound, and resumes when a quarter has gone, each told once", () => {
    const fixture = new Fixture();
    expect(fixture.bounds).toEqual([]);
    fixture.router.mailboxBytes = 4_000;
    expect([fixture.bounds, fixture.bounds]).toEqual([["pause_input"], []]);
    fixture.router.mailboxBytes = 3_000;
    expect(fixture.bounds).toEqual([]);
    fixture.router.mailboxBytes = 2_999;
    expect([fixture.bounds, fixture.bounds]).toEqual([["resume_input"], []]);
  });

  it("A3: counts every copy with its own overhead", () => {
    const fixture = new Fixture();
    fixture.admit(record(0, "a", "x".repeat(100)));
    expect(fixture.router.mailboxBytes).toBe(2 * (100 + 256));
  });

  it("pauses and resumes by the unit beside the bytes: an input goes on when no reason is left", () => {
    const fixture = new Fixture();
    const bound = (unitFull: boolean, mailboxBytes: number) => {
      fixture.router.mailboxBytes = mailboxBytes;
      const effects: Effects = [];
      fixture.admission.bound(unitFull, effects);
      return effects.map((effect) => effect.kind);
    };
    expect(bound(true, 0)).toEqual(["pause_input"]);
    expect(bound(true, 5_000)).toEqual([]);
    expect(bound(false, 5_000)).toEqual([]);
    expect([...fixture.input.paused]).toEqual(["bytes"]);
    expect(bound(false, 0)).toEqual(["resume_input"]);
  });
});

describe("a message's deadline", () => {
  const withHeader = (...values: (string | null)[]) => ({
    ...record(0, "a", "x"),
    headers: values.map((value) => ({ key: "dirigo-deadline-ms", value: value === null ? null : Buffer.from(value) })),
  });

  it("is its application's, on every copy, and the application's account begins", () => {
    const fixture = new Fixture([], { policy: "edf" });
    fixture.admit(record(0, "a", "x"));
    const messages = [...fixture.waiting("a"), ...fixture.waiting("a", "ex/other")];
    expect(messages).toHaveLength(2);
    for (const message of messages) {
      expect(message).toMatchObject({ application: 1, deadlineMs: NOW + 200, rank: NOW + 200 });
      expect(message.blame).toBeDefined();
    }
    expect(messages[0]?.blame).not.toBe(messages[1]?.blame);
  });

  it("is the default of an ingress without application, or an application without SLO, and nobody accounts", () => {
    for (const fixture of [new Fixture(), new Fixture([], { ingresses: ["ex/other"] }), new Fixture([], { slo: undefined })]) {
      fixture.admit(record(0, "a", "x"));
      expect(fixture.waiting("a")[0]).toMatchObject({ deadlineMs: NOW + 10_000, blame: undefined });
    }
  });

  test.each<[string, (string | null)[], number]>([
    ["what its producer says", ["5150"], 5_150],
    ["what its producer says, with blanks and fractions", [" 5150.5 "], 5_150.5],
    ["in the past, if it says so", ["1"], 1],
    ["the first that is a number", ["soon", null, "5150", "7"], 5_150],
  ])("is %s", (_what, values, expected) => {
    const fixture = new Fixture([], {});
    fixture.admit(withHeader(...values));
    expect(fixture.waiting("a")[0]?.deadlineMs).toBe(expected);
  });

  test.each(["soon", "", "0", "-5", "NaN", "Infinity", "1e400", "1e300", "2026-11-21"])(
    "is the application's where the header says %j",
    (value) => {
      const fixture = new Fixture([], {});
      fixture.admit(withHeader(value));
      expect(fixture.waiting("a")[0]?.deadlineMs).toBe(NOW + 200);
    },
  );
});
