import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { withLock } from "../../src/dev/fs-lock";
import { identityOf } from "../../src/dev/process-identity";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "dirigo-lock-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const lock = () => join(directory, "deep", "lock");

test("only one at a time is inside, and each gets in", async () => {
  let inside = 0;
  let most = 0;
  let waited = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await sleep(20);
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 5 }, () => withLock(lock(), () => waited++, work)));
  expect(most).toBe(1);
  expect(waited).toBe(4);
  expect(readdirSync(join(directory, "deep"))).toEqual([]);
});

test("it opens again when the work throws", async () => {
  const failing = withLock(
    lock(),
    () => {},
    () => Promise.reject(new Error("no")),
  );
  await expect(failing).rejects.toThrow("no");
  expect(existsSync(lock())).toBe(false);
});

test.each([
  ["names a process that has ended", JSON.stringify({ pid: process.pid, started: "long ago" })],
  ["cannot be read", "{"],
])("a lock that %s is taken over", async (_what, content) => {
  const path = join(directory, "lock");
  writeFileSync(path, content);
  expect(
    await withLock(
      path,
      () => {},
      async () => "in",
    ),
  ).toBe("in");
  expect(readdirSync(directory)).toEqual([]);
});

test("a lock whose holder lives is waited for", async () => {
  const path = join(directory, "lock");
  writeFileSync(path, JSON.stringify(identityOf(process.pid)));
  let released = false;
  const waiting = () => {
    void sleep(150).then(() => {
      released = true;
      rmSync(path);
    });
  };
  expect(await withLock(path, waiting, async () => released)).toBe(true);
});
