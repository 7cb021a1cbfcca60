import { type ChildProcess, spawn } from "node:child_process";
import { identityOf, isRunning, kill, type ProcessIdentity, terminate } from "../../src/dev/process-identity";

const children: ChildProcess[] = [];

async function start(script: string): Promise<ProcessIdentity> {
  const child = spawn(process.execPath, ["-e", `${script}; setInterval(() => {}, 1000); console.log("on")`]);
  children.push(child);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const identity = identityOf(child.pid ?? 0);
  if (identity === undefined) throw new Error("the child does not run");
  return identity;
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

test("a process is recognised while it runs", async () => {
  const identity = await start("");
  expect(isRunning(identity)).toBe(true);
  expect(identityOf(identity.pid)).toEqual(identity);
  await kill(identity);
  expect(isRunning(identity)).toBe(false);
  expect(identityOf(identity.pid)).toBeUndefined();
});

test("one that got the number of another is left alone", async () => {
  const identity = await start("");
  const former = { pid: identity.pid, started: "long ago" };
  expect(isRunning(former)).toBe(false);
  expect(await terminate(former, 5_000)).toBe("ended");
  expect(isRunning(identity)).toBe(true);
});

test("one that ends when asked is not killed", async () => {
  expect(await terminate(await start(""), 30_000)).toBe("ended");
});

test("one that does not listen is killed after its grace", async () => {
  expect(await terminate(await start('process.on("SIGTERM", () => {})'), 300)).toBe("killed");
});
