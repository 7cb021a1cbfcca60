import { lastLines, run } from "../../src/dev/process-run";

test("tells how a command ended and what it said, a line at a time", async () => {
  const lines: string[] = [];
  const script = 'process.stdout.write("one\\ntw"); setTimeout(() => { console.error("o"); process.exit(3); }, 50)';
  const ran = await run(process.execPath, ["-e", script], (line) => lines.push(line));
  expect(ran).toEqual({ code: 3, output: "one\ntwo\n" });
  expect(lines).toEqual(["one", "two"]);
});

test("a command that does not exist has no exit code", async () => {
  expect((await run("no-such-command-here", [])).code).toBeUndefined();
});

test("a command that was killed has not succeeded", async () => {
  expect((await run(process.execPath, ["-e", "process.kill(process.pid, 'SIGKILL')"])).code).toBe(128);
});

test("keeps the end of a long story", () => {
  expect(lastLines("a\nb\nc\n\n", 2)).toBe("b\nc");
});
