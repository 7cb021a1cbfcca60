import type { EngineOptions } from "../../src/config/specification";
import { Outbox, type Unit } from "../../src/egress/outbox";
import { type Delayed, decodePending } from "../../src/functions/pending";
import { Input, Source } from "../../src/ingress/intake";
import { decodeProgress, Progress } from "../../src/ingress/progress";
import type { Message } from "../../src/model/message";
import { SourceMeasures } from "../../src/observe/measure";
import {
  declarationKey,
  decodeDeclaration,
  decodeInvoked,
  decodeValue,
  invokedKey,
  messageKey,
  progressKey,
  valueKey,
} from "../../src/state/changelog";
import { Memory, TypeStates } from "../../src/state/store";
import { address, aMessage } from "../support/messages";
import { ABROAD, applicationsOf, engineOptions, HOME, sourceSpecification } from "../support/module";

class Fixture {
  readonly forgotten: Memory[] = [];
  readonly outbox: Outbox;
  readonly type = new TypeStates("ex/fn");

  constructor(overrides: Partial<EngineOptions> = {}) {
    this.outbox = new Outbox(engineOptions(overrides), HOME.name, (memory) => this.forgotten.push(memory));
    for (const name of ["s", "t"]) this.type.declare({ name, typename: "ex/t", expireMode: "none", expireAfterMs: 0 });
  }

  memory(id: string, shard = 0): Memory {
    return new Memory(address(id), this.type, shard);
  }

  /** Closes the open unit and lets it be committed at once. */
  close(now = 0): Unit {
    const unit = this.outbox.close(now);
    this.outbox.committing = undefined;
    return unit;
  }
}

/** The records of the state topic in a unit: `shard key` to value. */
function stateRecords(unit: Unit): Map<string, Uint8Array | null> {
  const records = unit.inside.find((batch) => batch.topic === "g.state")?.records ?? [];
  const map = new Map(records.map((record) => [`${record.partition} ${String(record.key)}`, record.value]));
  expect(map.size).toBe(records.length); // No key twice in one unit.
  return map;
}

function anInput(partition = 1): Input {
  const specification = sourceSpecification();
  const source = new Source(
    0,
    specification,
    new SourceMeasures(specification.ingress, specification.topic),
    applicationsOf().at(0),
  );
  const input = new Input(4, source, partition, partition % 2);
  input.progress = new Progress(4, { low: 10, ranges: [] });
  return input;
}

function sent(outbox: Outbox, sequence: number, shard = 1): Message {
  const message = aMessage({ sequence, caller: address("sender"), text: "x" });
  message.shard = shard;
  outbox.sent(message);
  return message;
}

function delayedMessage(sequence: number, dueMs: number, token = ""): Delayed {
  const message = aMessage({ sequence, caller: address("sender"), text: "x" });
  message.shard = 0;
  return { message, dueMs, token, cancelled: false, fired: false };
}

const OUT = { partition: 2, key: "k", value: Buffer.from("v"), headers: undefined, timestampMs: undefined };

describe("state in a unit", () => {
  it("U4: of one key is its last value, however often it changed", () => {
    const { outbox, memory, close } = bound(new Fixture());
    const a = memory("a", 1);
    a.values[0] = Uint8Array.of(1);
    a.changed.push(0);
    outbox.changed(a, 1);
    a.values[0] = Uint8Array.of(2);
    const records = stateRecords(close());
    expect([...records.keys()]).toEqual([`1 ${valueKey("ex/fn", "s", "a")}`]);
    expect(decodeValue(records.get(`1 ${valueKey("ex/fn", "s", "a")}`) ?? new Uint8Array(0)).typedValue).toEqual(
      Uint8Array.of(2),
    );
    expect([a.changed, a.touched]).toEqual([[], false]);
  });

  it("is a tombstone where a value is gone, and forgets an address that remembers nothing", () => {
    const fixture = new Fixture();
    const { outbox, memory, close } = bound(fixture);
    const a = memory("a");
    a.changed.push(1);
    outbox.changed(a, 0);
    expect(stateRecords(close()).get(`0 ${valueKey("ex/fn", "t", "a")}`)).toBeNull();
    expect(fixture.forgotten).toEqual([a]);
  });

  it("holds the time of the last invocation where it counts, and its tombstone with the last value", () => {
    const { outbox, memory, close } = bound(new Fixture());
    const [a, b] = [memory("a"), memory("b")];
    a.values[0] = Uint8Array.of(1);
    for (const each of [a, b]) {
      each.touched = true;
      each.invokedMs = 77.5;
      outbox.changed(each, 0);
    }
    const records = stateRecords(close());
    expect(decodeInvoked(records.get(`0 ${invokedKey("ex/fn", "a")}`) ?? new Uint8Array(0))).toBe(77);
    expect(records.get(`0 ${invokedKey("ex/fn", "b")}`)).toBeNull();
  });

  it("keeps the instant of a write", () => {
    const { outbox, memory, close } = bound(new Fixture());
    const a = memory("a");
    a.values[1] = Uint8Array.of(1);
    a.writtenMs = [];
    a.writtenMs[1] = 1_234;
    a.changed.push(1);
    outbox.changed(a, 0);
    const value = stateRecords(close()).get(`0 ${valueKey("ex/fn", "t", "a")}`);
    expect(decodeValue(value ?? new Uint8Array(0)).writtenMs).toBe(1_234);
  });

  it("names a declared state to every shard, before the first value of it", () => {
    const { outbox, memory, close } = bound(new Fixture());
    const declaration = { name: "s", typename: "ex/t", expireMode: "after-write" as const, expireAfterMs: 9 };
    const a = memory("a");
    a.values[0] = Uint8Array.of(1);
    a.changed.push(0);
    outbox.changed(a, 1);
    outbox.declared("ex/fn", declaration);
    const records = stateRecords(close());
    const key = declarationKey("ex/fn", "s");
    expect([...records.keys()]).toEqual([`0 ${key}`, `1 ${key}`, `0 ${valueKey("ex/fn", "s", "a")}`]);
    expect(decodeDeclaration("s", records.get(`1 ${key}`) ?? new Uint8Array(0))).toEqual(declaration);
  });
});

describe("messages in a unit", () => {
  it("U3: of those sent, only the unfinished are written, and tombstoned by the unit that finishes them", () => {
    const { outbox, close } = bound(new Fixture());
    const [one, two] = [sent(outbox, 1), sent(outbox, 2)];
    outbox.settled(one);
    const records = stateRecords(close());
    expect([...records.keys()]).toEqual([`1 ${messageKey(2)}`]);
    const { message } = decodePending(2, records.get(`1 ${messageKey(2)}`) ?? new Uint8Array(0), 0);
    expect([message.target, message.caller]).toEqual([address("a"), address("sender")]);
    expect([one.persisted, two.persisted]).toEqual([false, true]);
    outbox.settled(two);
    expect([...stateRecords(close())]).toEqual([[`1 ${messageKey(2)}`, null]]);
    expect(outbox.dirty).toBe(false);
  });

  it("U3: a message finished in a later unit without having been written leaves no trace", () => {
    const { outbox, close } = bound(new Fixture());
    outbox.settled(sent(outbox, 1));
    expect(stateRecords(close()).size).toBe(0);
  });

  it("a delayed message is written with its instant and token, unless it was cancelled in the same unit", () => {
    const { outbox, close } = bound(new Fixture());
    const [kept, cancelled] = [delayedMessage(1, 5_000.5, "tok"), delayedMessage(2, 6_000)];
    outbox.delayed(kept);
    outbox.delayed(cancelled);
    outbox.settled(cancelled.message);
    const records = stateRecords(close());
    expect([...records.keys()]).toEqual([`0 ${messageKey(1)}`]);
    const decoded = decodePending(1, records.get(`0 ${messageKey(1)}`) ?? new Uint8Array(0), 0);
    expect([decoded.dueMs, decoded.token]).toEqual([5_001, "tok"]); // Never earlier than asked for.
    outbox.settled(kept.message);
    expect(stateRecords(close()).get(`0 ${messageKey(1)}`)).toBeNull();
  });
});

describe("progress in a unit", () => {
  it("is the mark as of the close, once per input, and tells the low watermark it makes true", () => {
    const { outbox, close } = bound(new Fixture());
    const input = anInput();
    const ten = input.progress?.enter(10, 1);
    const eleven = input.progress?.enter(11, 1);
    outbox.progressed(input);
    if (!ten || !eleven) throw new Error("not entered");
    input.progress?.finish(eleven);
    outbox.finishedRecord(input, 3);
    outbox.progressed(input);
    const unit = close(50);
    const key = `1 ${progressKey(HOME.name, "in", 1)}`;
    const mark = { low: 10, ranges: [[11, 11]] };
    expect(decodeProgress(stateRecords(unit).get(key) ?? new Uint8Array(0))).toEqual(mark);
    expect(unit).toMatchObject({ lows: [{ input, low: 10 }], finished: [{ input, arrivedMs: 3, records: 1 }], closedMs: 50 });
    input.progress?.finish(ten);
    outbox.finishedRecord(input, 4);
    expect(close().lows).toEqual([{ input, low: 12 }]);
  });

  it("of an input that is not located yet is not written", () => {
    const { outbox, close } = bound(new Fixture());
    const input = anInput();
    input.progress = undefined;
    outbox.progressed(input);
    expect(stateRecords(close()).size).toBe(0);
    outbox.progressed(input);
    expect(outbox.dirty).toBe(true);
  });
});

describe("egress in a unit", () => {
  it("joins the transaction on our cluster, a batch per topic in the order sent", () => {
    const { outbox, close } = bound(new Fixture());
    outbox.emit(HOME.name, "t", OUT, 10);
    outbox.emit(HOME.name, "u", OUT, 10);
    outbox.emit(HOME.name, "t", { ...OUT, key: "second" }, 10);
    const unit = close();
    expect(unit.outside).toEqual([]);
    expect(unit.inside).toEqual([
      { cluster: HOME.name, topic: "t", records: [OUT, { ...OUT, key: "second" }] },
      { cluster: HOME.name, topic: "u", records: [OUT] },
    ]);
    expect([unit.records, unit.bytes]).toEqual([3, 30]);
  });

  it("goes outside to another cluster, topics of one name kept apart", () => {
    const { outbox, close } = bound(new Fixture());
    outbox.emit(ABROAD.name, "t", OUT, 10);
    outbox.emit(HOME.name, "t", OUT, 10);
    const unit = close();
    expect(unit.outside).toEqual([{ cluster: ABROAD.name, topic: "t", records: [OUT] }]);
    expect(unit.inside).toEqual([{ cluster: HOME.name, topic: "t", records: [OUT] }]);
  });

  it("goes outside altogether when delivery is at-least-once; what the router remembers stays inside", () => {
    const { outbox, close } = bound(new Fixture({ delivery: "at-least-once" }));
    outbox.emit(HOME.name, "t", OUT, 10);
    sent(outbox, 1);
    const unit = close();
    expect(unit.outside.map((batch) => batch.topic)).toEqual(["t"]);
    expect(unit.inside.map((batch) => batch.topic)).toEqual(["g.state"]);
  });
});

describe("Outbox", () => {
  it("U2: closes no unit while one commits", () => {
    const { outbox } = new Fixture();
    outbox.emit(HOME.name, "t", OUT, 1);
    const unit = outbox.close(0);
    expect(outbox.committing).toBe(unit);
    outbox.emit(HOME.name, "t", OUT, 1);
    expect(() => outbox.close(0)).toThrow("U2");
    outbox.committing = undefined;
    expect(outbox.close(0).id).toBeGreaterThan(unit.id);
  });

  it("U1: what joins after the close is in the next unit, and nothing is in two", () => {
    const { outbox, close } = bound(new Fixture());
    outbox.emit(HOME.name, "t", OUT, 1);
    const first = close();
    expect([outbox.dirty, outbox.full]).toEqual([false, false]);
    outbox.emit(HOME.name, "t", { ...OUT, key: "later" }, 1);
    expect(first.inside[0]?.records).toHaveLength(1);
    expect(close().inside[0]?.records).toEqual([{ ...OUT, key: "later" }]);
  });

  it("is full by records or by bytes", () => {
    const byRecords = new Fixture({ unitRecordsMax: 2 }).outbox;
    byRecords.emit(HOME.name, "t", OUT, 1);
    expect(byRecords.full).toBe(false);
    byRecords.emit(HOME.name, "t", OUT, 1);
    expect(byRecords.full).toBe(true);
    const byBytes = new Fixture({ unitBytesMax: 100 }).outbox;
    byBytes.emit(HOME.name, "t", OUT, 99);
    expect(byBytes.full).toBe(false);
    byBytes.delayed(delayedMessage(1, 5));
    expect(byBytes.full).toBe(true);
  });
});

function bound(fixture: Fixture) {
  return {
    outbox: fixture.outbox,
    memory: (id: string, shard?: number) => fixture.memory(id, shard),
    close: (now?: number) => fixture.close(now),
  };
}
