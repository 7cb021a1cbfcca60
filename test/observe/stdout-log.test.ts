import { spawnSync } from "node:child_process";
import path from "node:path";
import { prettyLine } from "../../src/observe/line-format";
import { openLog } from "../../src/observe/stdout-log";

const at = new Date("2026-11-21T12:34:56.789Z");

describe("a pretty line", () => {
  test("has time, level, text and fields", () => {
    const fields = { topic: "orders", offset: 7, key: "two words", list: [1, 2], none: undefined };
    expect(prettyLine(at, "warn", "record skipped", fields, false)).toBe(
      '12:34:56.789 WARN  record skipped  topic=orders  offset=7  key="two words"  list=[1,2]\n',
    );
  });

  test("shows control characters instead of obeying them", () => {
    const line = prettyLine(at, "info", "key \u001b[31m\r\n12:34:56.789 ERROR forged", { key: "a\u0007" }, false);
    expect(line).toBe("12:34:56.789 INFO  key \\u001b[31m\\u000d\n    12:34:56.789 ERROR forged  key=a\\u0007\n");
  });

  test("takes any value", () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const line = prettyLine(
      at,
      "error",
      "x",
      { circular, big: 1n, deep: { big: 2n }, error: new Error("why"), empty: null },
      false,
    );
    for (const part of ["circular=[circular]", "big=1", 'deep={"big":"2"}', "Error: why", "empty=null"])
      expect(line).toContain(part);
  });

  test("is coloured by its level", () => {
    expect(prettyLine(at, "error", "x", undefined, true)).toContain("\u001b[31mERROR");
  });
});

describe("the log", () => {
  test("in json is one object per line, with level, time, text and fields", () => {
    const lines: string[] = [];
    const { log } = openLog({ format: "json", level: "info", write: (line) => lines.push(line) });
    log("info", "started", { port: 9070 });
    log("error", "two\nlines", { error: new Error("why") });
    log("debug", "not asked for");
    expect(lines.length).toBe(2);
    const [first, second] = lines.map((line) => JSON.parse(line));
    expect(first).toEqual({ level: "info", time: expect.stringMatching(/^\d{4}-.*Z$/), msg: "started", port: 9070 });
    expect(second).toMatchObject({ level: "error", msg: "two\nlines", error: { type: "Error", message: "why" } });
    expect(lines.every((line) => line.indexOf("\n") === line.length - 1)).toBe(true);
  });

  test("holds repeated lines back and tells how many, by itself and at the end", async () => {
    const lines: string[] = [];
    const limits = { windowMs: 30, sameMax: 1, linesMax: 100, kindsMax: 100 };
    const { log, close } = openLog({ format: "pretty", level: "info", write: (line) => lines.push(line), limits });
    for (let i = 0; i < 4; i++) log("warn", `attempt ${i} failed`);
    expect(lines.length).toBe(1);
    const deadline = Date.now() + 10_000;
    // The log's timer keeps no process alive; this one does.
    while (lines.length < 2 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(lines[1]).toContain("attempt 3 failed (the last of 3 more lines like it");
    log("warn", "attempt 4 failed");
    log("warn", "attempt 5 failed");
    close();
    expect(lines.length).toBe(4);
    expect(lines[3]).toContain("attempt 5 failed (the last of 1 more");
  });

  test.each(["pretty", "json"])("in %s keeps no process alive, and does not end one whose reader has gone", (format) => {
    const module = path.resolve(__dirname, "../../src/observe/stdout-log.js");
    const script = `const { log } = require(${JSON.stringify(module)}).openLog({ format: "${format}", level: "info" });
      for (let i = 0; i < 20000; i++) log("info", "line " + i);
      setTimeout(() => { log("info", "later"); console.error("alive"); }, 50);`;
    const { status, stderr } = spawnSync("sh", ["-c", '"$0" -e "$1" | head -n 1', process.execPath, script], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "alive\n" });
  });
});
