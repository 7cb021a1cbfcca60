import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeTestDirectory, removeTestDirectory, sweepAbandonedDirectories } from "./test-directory";

test("what an interrupted run left behind is cleared away, and nothing of a run that goes on", async () => {
  const ours = makeTestDirectory();
  const abandoned = makeTestDirectory();
  writeFileSync(join(abandoned, "owner.json"), JSON.stringify({ pid: process.pid, started: "long ago" }));
  await sweepAbandonedDirectories();
  expect([existsSync(ours), existsSync(abandoned)]).toEqual([true, false]);
  await removeTestDirectory(ours);
  expect(existsSync(ours)).toBe(false);
});
