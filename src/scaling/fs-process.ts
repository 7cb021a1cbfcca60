/** This process as others can recognise it, and whether another one of the same machine still lives. */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { MemberIdentity } from "./assignment";

const unknown = "";

export function ownIdentity(name: string): Omit<MemberIdentity, "since"> {
  return {
    name,
    host: hostname(),
    // Without /proc (macOS, Windows) the host's name stands for the machine.
    boot: read("/proc/sys/kernel/random/boot_id") ?? `host ${hostname()}`,
    pidNamespace: link("/proc/self/ns/pid") ?? unknown,
    pid: process.pid,
    processStart: processStart("self") ?? unknown,
  };
}

/**
 * `dead` only with proof: same machine, same pid namespace, and no process of that pid with that start. `elsewhere` when nothing can be
 * said from here.
 */
export function fateOf(other: MemberIdentity): "alive" | "dead" | "elsewhere" {
  const own = ownIdentity("");
  if (other.boot !== own.boot || other.pidNamespace !== own.pidNamespace) return "elsewhere";
  if (own.processStart !== unknown) return processStart(String(other.pid)) === other.processStart ? "alive" : "dead";
  return exists(other.pid) ? "alive" : "dead";
}

/** Field 22 of /proc/PID/stat; the second, the command, may hold spaces and brackets. A zombie has ended. */
function processStart(pid: string): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}

function link(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch {
    return undefined;
  }
}
