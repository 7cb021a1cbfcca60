import * as fc from "fast-check";
import type { ChangelogRecord } from "../../src/event";
import { encodePending } from "../../src/functions/pending";
import type { StateDeclaration } from "../../src/functions/wire";
import { encodeProgress } from "../../src/ingress/progress";
import { ProtocolError } from "../../src/model/errors";
import {
  actorKey,
  declarationKey,
  encodeDeclaration,
  encodeInvoked,
  encodeValue,
  invokedKey,
  laneValueKey,
  messageKey,
  progressKey,
  valueKey,
} from "../../src/state/changelog";
import { Restored } from "../../src/state/restored";
import { StateStore } from "../../src/state/store";
import { address, aMessage } from "../support/messages";

const TYPE = "ex/fn";

function record(key: string, value: Uint8Array | null): ChangelogRecord {
  return { key: Buffer.from(key, "utf8"), value };
}

function value(id: string, state: string, byte: number, writtenMs = 0): ChangelogRecord {
  return record(valueKey(TYPE, state, id), encodeValue(writtenMs, Uint8Array.of(byte)));
}

function declared(declaration: StateDeclaration): ChangelogRecord {
  return record(declarationKey(TYPE, declaration.name), encodeDeclaration(declaration));
}

function restoredFrom(...records: ChangelogRecord[]): { store: StateStore; restored: Restored } {
  const store = new StateStore();
  const restored = new Restored(store, () => 1);
  restored.take(0, records, 500);
  return { store, restored };
}

/** What an address remembers, by state name. */
function remembered(store: StateStore, id: string, now = 500): Record<string, number | undefined> {
  const type = store.type(TYPE);
  const memory = type.memories.get(id);
  if (!memory) return {};
  const values = store.read(memory, now);
  return Object.fromEntries(type.slots.map((slot) => [slot.name, values[slot.index]?.[0]]));
}

describe("Restored", () => {
  it("gives each key its last value, and forgets what was deleted", () => {
    const { store } = restoredFrom(
      value("a", "s", 1),
      value("b", "s", 2),
      value("a", "s", 3),
      record(valueKey(TYPE, "s", "b"), null),
      record(valueKey(TYPE, "s", "never"), null),
    );
    expect(remembered(store, "a")).toEqual({ s: 3 });
    expect([...store.type(TYPE).memories.keys()]).toEqual(["a"]);
    expect(store.values).toBe(1);
    expect(store.type(TYPE).memories.get("a")?.shard).toBe(1);
    expect(store.type(TYPE).memories.get("a")?.address).toEqual(address("a"));
    expect(store.type(TYPE).memories.get("a")?.changed).toEqual([]);
  });

  it("agrees with a plain map over any log", () => {
    const step = fc.tuple(fc.constantFrom("a", "b\0", "\u{1f600}"), fc.constantFrom("s", "t"), fc.option(fc.nat({ max: 255 })));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (log) => {
        const model = new Map<string, number>();
        const records = log.map(([id, state, byte]) => {
          const key = `${id}/${state}`;
          if (byte === null) model.delete(key);
          else model.set(key, byte);
          return byte === null ? record(valueKey(TYPE, state, id), null) : value(id, state, byte);
        });
        const { store } = restoredFrom(...records);
        for (const id of ["a", "b\0", "\u{1f600}"]) {
          for (const state of ["s", "t"]) expect(remembered(store, id)[state]).toBe(model.get(`${id}/${state}`));
        }
        expect(store.values).toBe(model.size);
      }),
    );
  });

  it("takes a declaration after its values, and its time to live with the instants in the log", () => {
    const { store } = restoredFrom(
      value("a", "s", 1, 1_000),
      value("a", "t", 2),
      record(invokedKey(TYPE, "a"), encodeInvoked(2_000)),
      declared({ name: "t", typename: "ex/t", expireMode: "after-invoke", expireAfterMs: 100 }),
      declared({ name: "s", typename: "ex/t", expireMode: "after-write", expireAfterMs: 100 }),
    );
    expect(remembered(store, "a", 1_099)).toEqual({ s: 1, t: 2 });
    expect(remembered(store, "a", 1_100)).toEqual({ s: undefined, t: 2 });
    expect(remembered(store, "a", 2_100)).toEqual({ s: undefined, t: undefined });
    expect(store.type(TYPE).renewedByInvocation).toBe(true);
  });

  it("takes the last of several declarations", () => {
    const before: StateDeclaration = { name: "s", typename: "ex/t", expireMode: "none", expireAfterMs: 0 };
    const { store } = restoredFrom(declared(before), declared({ ...before, expireMode: "after-write", expireAfterMs: 5 }));
    expect(store.type(TYPE).slot("s")).toMatchObject({ expireMode: "after-write", expireAfterMs: 5, typename: "ex/t" });
  });

  it("an address whose values are gone leaves no memory behind, whatever its invocation time", () => {
    const { store } = restoredFrom(
      value("a", "s", 1),
      record(invokedKey(TYPE, "a"), encodeInvoked(1)),
      record(valueKey(TYPE, "s", "a"), null),
      record(invokedKey(TYPE, "a"), null),
    );
    expect(store.type(TYPE).memories.size).toBe(0);
  });

  it("gives back waiting messages in the order they were sent, without those that were finished", () => {
    const pending = (sequence: number, dueMs = 0) => {
      const message = aMessage({ sequence, target: address(`t${sequence}`), caller: address("sender"), text: "x" });
      return record(messageKey(sequence), encodePending(message, dueMs, dueMs > 0 ? "tok" : "", ""));
    };
    const { restored } = restoredFrom(pending(10), pending(9, 700), pending(2), record(messageKey(10), null), pending(11));
    const waiting = [...restored.pendingInOrder()];
    expect(waiting.map(({ message }) => message.target.id)).toEqual(["t2", "t9", "t11"]);
    expect(waiting.map(({ message, dueMs, token }) => [message.sequence, dueMs, token])).toEqual([
      [2, 0, ""],
      [9, 700, "tok"],
      [11, 0, ""],
    ]);
    for (const { message } of waiting) expect([message.persisted, message.shard, message.done]).toEqual([true, 0, false]);
    expect(restored.highestSequence).toBe(11);
    expect(restored.summary()).toBe("5 records restored, 0 state values, 3 waiting messages");
  });

  it("counts the sequence of finished messages too, so that none is given twice", () => {
    expect(restoredFrom(record(messageKey(40), null)).restored.highestSequence).toBe(40);
  });

  it("gives each input its last progress", () => {
    const mark = { low: 7, ranges: [[9, 12]] as [number, number][] };
    const { restored } = restoredFrom(
      record(progressKey("home:9092", "in", 3), encodeProgress({ low: 1, ranges: [] })),
      record(progressKey("home:9092", "in", 3), encodeProgress(mark)),
    );
    expect(restored.progressOf("home:9092", "in", 3)).toEqual(mark);
    expect(restored.progressOf("home:9092", "in", 4)).toBeUndefined();
    expect(restored.progressOf("abroad:9092", "in", 3)).toBeUndefined();
  });

  it("holds none of the fetched buffers", () => {
    const fetched = Buffer.alloc(10_000);
    const pending = encodePending(aMessage({ sequence: 1, text: "x" }), 0, "", "");
    fetched.set(pending);
    const { restored } = restoredFrom(record(messageKey(1), fetched.subarray(0, pending.length)));
    fetched.fill(0xff);
    const [waiting] = [...restored.pendingInOrder()];
    expect(waiting?.message.target).toEqual(address("a"));
  });

  it("refuses what a newer router has written: forgetting would be worse", () => {
    expect(() => restoredFrom(record("z\0new", Uint8Array.of(1)))).toThrow(ProtocolError);
    expect(() => restoredFrom(record(valueKey(TYPE, "s", "a"), Uint8Array.of(2, 0)))).toThrow(ProtocolError);
  });
});

function part(id: string, lane: number, state: string, byte: number | null, writtenMs = 0): ChangelogRecord {
  return record(laneValueKey(TYPE, state, lane, id), byte === null ? null : encodeValue(writtenMs, Uint8Array.of(byte)));
}

/** Per actor its parts by lane, in the order they are given: values by state. */
function partsOf({ store, restored }: ReturnType<typeof restoredFrom>): Record<string, [number, Record<string, number>][]> {
  const { slots } = store.type(TYPE);
  return Object.fromEntries(
    [...restored.parts()].map(({ id, parts }) => [
      id,
      [...parts].map(([lane, { values }]) => {
        const present = slots.filter(({ index }) => values[index] !== undefined);
        return [lane, Object.fromEntries(present.map(({ name, index }) => [name, values[index]?.[0] ?? -1]))];
      }),
    ]),
  );
}

test.each([
  ["a value", record(valueKey(TYPE, "seen", "a"), Uint8Array.of(1, 0x80))],
  ["a part", record(laneValueKey(TYPE, "seen", 1, "a"), new Uint8Array(0))],
  ["an invocation time", record(invokedKey(TYPE, "a"), Uint8Array.of(1))],
  ["a declaration", record(declarationKey(TYPE, "seen"), Buffer.of(1, 200, 65))],
  ["progress", record(progressKey("c", "t", 0), Uint8Array.of(1, 5, 9, 1))],
])("a record that is cut off is refused as such, and it is said which: %s", (_what, broken) => {
  expect(() => restoredFrom(broken)).toThrow(ProtocolError);
  expect(() => restoredFrom(broken)).toThrow(`record ${JSON.stringify(broken.key.toString())}: `);
});

describe("parts of lessees", () => {
  it("are found by actor and lane, lanes in rising order, apart from the base", () => {
    const found = restoredFrom(
      value("a", "s", 1),
      part("a", 10, "s", 2),
      part("a", 9, "t", 3),
      part("b", 1, "s", 4),
      part("a", 9, "s", 5),
    );
    expect(partsOf(found)).toEqual({
      a: [
        [9, { s: 5, t: 3 }],
        [10, { s: 2 }],
      ],
      b: [[1, { s: 4 }]],
    });
    expect(remembered(found.store, "a")).toEqual({ s: 1, t: undefined });
    expect(found.store.values).toBe(1); // They count when their actor takes them up.
    const [{ parts } = { parts: new Map() }] = [...found.restored.parts()];
    const memory = parts.get(9);
    expect([memory?.address, memory?.shard, memory?.lane, memory?.changed]).toEqual([address("a"), 1, 9, []]);
  });

  it("that were merged are gone, and what came to the lane again is there", () => {
    const found = restoredFrom(
      part("a", 1, "s", 1),
      part("a", 1, "t", 2),
      part("a", 2, "s", 3),
      part("a", 1, "s", null),
      part("a", 2, "s", null),
      part("b", 1, "s", 4),
      part("b", 1, "s", null),
      part("b", 7, "s", null),
      part("c", 1, "s", 5),
      part("c", 1, "s", null),
      part("c", 1, "s", 6),
    );
    expect(partsOf(found)).toEqual({ a: [[1, { t: 2 }]], c: [[1, { s: 6 }]] });
  });

  it("agree with a plain map over any log, whatever ids there are", () => {
    const ids = ["a", "b\0", "\u{1f600}", "1"];
    const step = fc.tuple(
      fc.constantFrom(...ids),
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom("s", "t"),
      fc.option(fc.nat({ max: 255 })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (log) => {
        const model = new Map<string, number>();
        for (const [id, lane, state, byte] of log) {
          if (byte === null) model.delete(`${id} ${lane} ${state}`);
          else model.set(`${id} ${lane} ${state}`, byte);
        }
        const found = partsOf(restoredFrom(...log.map(([id, lane, state, byte]) => part(id, lane, state, byte))));
        const flat = Object.entries(found).flatMap(([id, lanes]) => {
          expect(lanes.map(([lane]) => lane)).toEqual(lanes.map(([lane]) => lane).sort((one, other) => one - other));
          return lanes.flatMap(([lane, values]) => {
            return Object.entries(values).map(([state, byte]): [string, number] => [`${id} ${lane} ${state}`, byte]);
          });
        });
        expect(new Map(flat)).toEqual(model);
      }),
    );
  });

  it("have the instants of their writes, by which the latest is found; one without has none of an earlier value", () => {
    const found = restoredFrom(
      part("a", 1, "s", 1, 700),
      part("a", 1, "t", 2, 800),
      part("a", 1, "s", 3),
      value("a", "s", 4, 900),
      value("a", "s", 5),
    );
    const [{ parts } = { parts: new Map() }] = [...found.restored.parts()];
    expect(parts.get(1)?.writtenMs).toEqual([0, 800]);
    expect(found.store.type(TYPE).memories.get("a")?.writtenMs).toEqual([0]);
  });

  it("of what a newer router has written are refused", () => {
    expect(() => restoredFrom(record(laneValueKey(TYPE, "s", 1, "a"), Uint8Array.of(2, 0)))).toThrow(ProtocolError);
  });
});

describe("records of dual-mode actors", () => {
  it("are given as they were written last, without those that were forgotten", () => {
    const of = (id: string, byte: number | null) => record(actorKey(TYPE, id), byte === null ? null : Uint8Array.of(byte));
    const { restored } = restoredFrom(of("a", 1), of("b", 2), of("c\0", 3), of("a", 4), of("b", null), of("never", null));
    expect([...restored.actors]).toEqual([
      { typename: TYPE, id: "a", value: Uint8Array.of(4) },
      { typename: TYPE, id: "c\0", value: Uint8Array.of(3) },
    ]);
  });

  it("hold none of the fetched buffers, nor do parts", () => {
    const fetched = Buffer.from([1, 0, 7]);
    const { restored } = restoredFrom(record(actorKey(TYPE, "a"), fetched), record(laneValueKey(TYPE, "s", 1, "a"), fetched));
    fetched.fill(0xff);
    const [{ parts } = { parts: new Map() }] = [...restored.parts()];
    expect([[...restored.actors][0]?.value, parts.get(1)?.values[0]]).toEqual([Uint8Array.of(1, 0, 7), Uint8Array.of(7)]);
  });

  it("are let go with the waiting messages when they have been taken up", () => {
    const { restored } = restoredFrom(record(actorKey(TYPE, "a"), Uint8Array.of(1)), part("a", 1, "s", 1));
    restored.releaseMessages();
    expect([[...restored.actors], [...restored.parts()]]).toEqual([[], []]);
  });
});
