import fc from "fast-check";
import { LineLimit } from "../../src/observe/line-limit";

const limits = { windowMs: 1000, sameMax: 3, linesMax: 10, kindsMax: 100 };

test("the first lines of a kind pass; the rest comes as one line, with the latest text, when the window is over", () => {
  const limit = new LineLimit(limits);
  const passed = [0, 1, 2, 3, 4].map((n) => limit.admit(n, "error", `endpoint answered 503, attempt ${n}`));
  expect(passed).toEqual([true, true, true, false, false]);
  expect(limit.nextDueMs()).toBe(1000);
  expect(limit.due(999)).toEqual([]);
  const text = "endpoint answered 503, attempt 4 (the last of 2 more lines like it within 1 s)";
  expect(limit.due(1000)).toEqual([{ level: "error", text, suppressed: 2 }]);
  expect(limit.nextDueMs()).toBeUndefined();
  expect(limit.admit(1001, "error", "endpoint answered 503, attempt 5")).toBe(true);
});

test("in good news numbers make a difference", () => {
  const limit = new LineLimit(limits);
  for (let shard = 0; shard < 20; shard++) expect(limit.admit(0, "info", `shard ${shard} runs`)).toBe(true);
  expect([1, 2, 3, 4].map(() => limit.admit(0, "info", "the same"))).toEqual([true, true, true, false]);
});

test("L2: warnings that all differ are bounded together", () => {
  const limit = new LineLimit(limits);
  const names = Array.from({ length: 12 }, (_, i) => String.fromCharCode(97 + i));
  expect(names.filter((name) => limit.admit(0, "warn", `no reply for greeter/${name}`)).length).toBe(10);
  const text = "2 more warnings and errors within 1 s were left out; the last: no reply for greeter/l";
  expect(limit.due(1000)).toEqual([{ level: "warn", text, suppressed: 2 }]);
});

test("L1: each line is admitted, or counted in exactly one summary", () => {
  const line = fc.record({
    waitMs: fc.nat(300),
    level: fc.constantFrom("debug" as const, "info" as const, "warn" as const, "error" as const),
    text: fc.constantFrom("a", "b", "c 1", "c 2", "d", "e", "f", "g"),
  });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 300 }), (lines) => {
      const limit = new LineLimit({ windowMs: 1000, sameMax: 2, linesMax: 5, kindsMax: 4 });
      let now = 0;
      let told = 0;
      for (const { waitMs, level, text } of lines) {
        now += waitMs;
        for (const summary of limit.due(now)) told += summary.suppressed;
        if (limit.admit(now, level, text)) told++;
      }
      for (const summary of limit.due(Number.POSITIVE_INFINITY)) told += summary.suppressed;
      expect(told).toBe(lines.length);
    }),
  );
});
