/**
 * A process is its id and the moment it started: a pid alone is reused, and then somebody else's process would be
 * taken for ours, or killed.
 */

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface ProcessIdentity {
  readonly pid: number;
  readonly started: string;
}

const POLL_MS = 50;

export function identityOf(pid: number): ProcessIdentity | undefined {
  const started = process.platform === "linux" ? startedOnLinux(pid) : startedElsewhere(pid);
  return started === undefined ? undefined : { pid, started };
}

export function isRunning(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.started === identity.started;
}

/** Asks it to end, and after `graceMs` ends it. Resolves once it is gone. */
export async function terminate(identity: ProcessIdentity, graceMs: number): Promise<"ended" | "killed"> {
  signal(identity, "SIGTERM");
  if (await gone(identity, graceMs)) return "ended";
  await kill(identity);
  return "killed";
}

/** kill -9, and wait until it is gone. */
export async function kill(identity: ProcessIdentity): Promise<void> {
  signal(identity, "SIGKILL");
  // A killed process leaves within moments unless it hangs in the kernel.
  if (!(await gone(identity, 30_000))) throw new Error(`process ${identity.pid} does not end, not even on SIGKILL`);
}

function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function gone(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs <= withinMs; waitedMs += POLL_MS) {
    if (!isRunning(identity)) return true;
    await sleep(POLL_MS);
  }
  return !isRunning(identity);
}

/** Ticks since boot, so the boot belongs to it. A zombie has ended; only its parent has not looked yet. */
function startedOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything, spaces too; the fields are counted after it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Of a killed process with many threads the first may have ended while others still hold its ports and files.
    if ((fields[0] === "Z" || fields[0] === "X") && readdirSync(`/proc/${pid}/task`).length <= 1) return undefined;
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}:${fields[19]}`;
  } catch {
    return undefined;
  }
}

function startedElsewhere(pid: number): string | undefined {
  try {
    const said = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    const [status, ...started] = said.split(/\s+/);
    return status === undefined || status.startsWith("Z") ? undefined : started.join(" ");
  } catch {
    return undefined;
  }
}
