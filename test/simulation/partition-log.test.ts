import { START_MS } from "./agenda";
import { type NewRecord, PartitionLog, Transaction } from "./partition-log";

function record(key: string | null, value: string | null): NewRecord {
  return {
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    timestampMs: 0,
    headers: [],
  };
}

function texts(log: PartitionLog, committedOnly = true): string[] {
  return log.read(0, 1_000, committedOnly).records.map(({ key, value }) => `${key}=${value}`);
}

let log: PartitionLog;

beforeEach(() => {
  log = new PartitionLog("c", "t", 0, 1_000);
});

describe("a partition", () => {
  it("shows a committed reader nothing from the first record of an open transaction on (K2)", () => {
    const transaction = new Transaction("t");
    log.append(record("a", "1"), undefined);
    log.append(record("b", "1"), transaction);
    log.append(record("c", "1"), undefined);
    expect(log.stable).toBe(1);
    expect(texts(log)).toEqual(["a=1"]);
    expect(texts(log, false)).toEqual(["a=1", "b=1", "c=1"]);
    transaction.outcome = "committed";
    expect(texts(log)).toEqual(["a=1"]); // Decided, but its marker is not written here.
    log.mark(START_MS, transaction);
    expect(texts(log)).toEqual(["a=1", "b=1", "c=1"]);
    expect(log.end).toBe(4); // K1: the marker has an offset.
  });

  it("never shows a committed reader what was aborted, and passes it", () => {
    const transaction = new Transaction("t");
    log.append(record("a", "1"), transaction);
    transaction.outcome = "aborted";
    log.mark(START_MS, transaction);
    expect(log.read(0, 10, true)).toEqual({ records: [], next: 2 });
    expect(texts(log, false)).toEqual(["a=1"]);
  });

  it("is stable up to the oldest of several open transactions", () => {
    const [older, newer] = [new Transaction("o"), new Transaction("n")];
    log.append(record("a", "1"), older);
    log.append(record("b", "1"), newer);
    newer.outcome = "committed";
    log.mark(START_MS, newer);
    expect(log.stable).toBe(0);
    older.outcome = "aborted";
    log.mark(START_MS, older);
    expect(texts(log)).toEqual(["b=1"]);
  });

  it("reads on behind what was read, in slices", () => {
    for (let i = 0; i < 5; i++) log.append(record("k", String(i)), undefined);
    const first = log.read(0, 2, true);
    expect(first.next).toBe(2);
    expect(log.read(first.next, 10, true).records.map(({ offset }) => offset)).toEqual([2, 3, 4]);
    expect(log.read(1, 10, true, 3).records.map(({ offset }) => offset)).toEqual([1, 2]);
  });

  it("wakes who waits, once", () => {
    let woken = 0;
    log.whenAppended(() => woken++);
    log.append(record("a", "1"), undefined);
    log.append(record("a", "2"), undefined);
    expect(woken).toBe(1);
  });
});

describe("compaction", () => {
  it("keeps the last committed value of a key, tombstones for a while after it first met them, and everything that is not stable", () => {
    const open = new Transaction("open");
    log.append(record("a", "1"), undefined);
    log.append(record("a", "2"), undefined);
    log.append(record("b", "1"), undefined);
    log.append(record("b", null), undefined);
    log.append(record("c", "1"), open);
    log.append(record("a", "3"), undefined);
    log.compact(START_MS + 5_000, 1_000);
    expect(texts(log, false)).toEqual(["a=2", "b=null", "c=1", "a=3"]);
    log.compact(START_MS + 6_000, 1_000);
    expect(texts(log, false)).toEqual(["a=2", "c=1", "a=3"]);
    expect([...log.standing(false)].map(([key]) => key)).toEqual(["c", "a"]);
  });

  it("does not take an aborted value for the last one", () => {
    const aborted = new Transaction("t");
    log.append(record("a", "1"), undefined);
    log.append(record("a", "2"), aborted);
    aborted.outcome = "aborted";
    log.mark(START_MS, aborted);
    log.compact(START_MS, 1_000);
    expect(texts(log, false)).toEqual(["a=1"]);
    expect(log.end).toBe(3);
  });
});
