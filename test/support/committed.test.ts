import { committedOnly } from "./committed";
import type { RawMessage } from "./kafkajs-wire";

/** "a1" is a record of transactional producer a, "a!" its marker; "-" a record outside of transactions. */
function messages(...log: readonly string[]): RawMessage[] {
  return log.map((what, offset) => ({
    offset: String(offset),
    timestamp: "0",
    key: Buffer.from([0, 0, 0, 0]),
    value: Buffer.from(what),
    headers: {},
    isControlRecord: what.endsWith("!"),
    batchContext: { producerId: what.charAt(0), inTransaction: what !== "-" },
  }));
}

const seen = (log: RawMessage[], aborted: readonly (readonly [string, number])[]) =>
  committedOnly({
    messages: log,
    abortedTransactions: aborted.map(([producerId, first]) => ({ producerId, firstOffset: String(first) })),
  })
    .map(({ value }) => value?.toString())
    .join(" ");

test("shows all records and no marker when nothing was aborted", () => {
  expect(seen(messages("a1", "a!", "-", "b1", "b!"), [])).toBe("a1 - b1");
});

test("hides an aborted transaction up to its marker, and nothing of others", () => {
  expect(seen(messages("a1", "b1", "-", "a2", "a!", "b!", "a3", "a!"), [["a", 0]])).toBe("b1 - a3");
});

test("hides two that were open at once, also when the answer begins in the midst of them", () => {
  expect(
    seen(messages("a1", "b1", "b2", "a!", "b!"), [
      ["b", 1],
      ["a", 0],
    ]),
  ).toBe("");
  expect(
    seen(messages("b3", "a4", "c1", "a!", "b!", "c!"), [
      ["a", -9],
      ["b", -5],
    ]),
  ).toBe("c1");
});

test("hides the second transaction of a producer when only that was aborted", () => {
  expect(seen(messages("a1", "a!", "a2", "a!"), [["a", 2]])).toBe("a1");
});
