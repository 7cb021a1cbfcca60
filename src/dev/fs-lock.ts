/** One process at a time does a thing: a lock file that names its holder, so that a dead holder's lock is taken over. */

import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identityOf, isRunning, type ProcessIdentity } from "./process-identity";

const POLL_MS = 100;

export async function withLock<T>(path: string, waiting: () => void, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  for (let tries = 0; !acquire(path); tries++) {
    if (tries === 0) waiting();
    await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

/** The holder is written aside and linked into place: a lock file is never seen empty. */
function acquire(path: string): boolean {
  const aside = `${path}.${randomUUID()}`;
  writeFileSync(aside, JSON.stringify(identityOf(process.pid) ?? { pid: process.pid, started: "" }));
  try {
    linkSync(aside, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    if (isAbandoned(path)) discard(path, aside);
    return false;
  } finally {
    rmSync(aside, { force: true });
  }
}

function isAbandoned(path: string): boolean {
  try {
    const holder = JSON.parse(readFileSync(path, "utf8")) as ProcessIdentity;
    return !isRunning(holder);
  } catch (error) {
    // Released between our try and our look: not abandoned, simply gone.
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

/** Moved away first: of several that find it abandoned, one moves it, and the others look again. */
function discard(path: string, aside: string): void {
  const grave = `${aside}.abandoned`;
  try {
    renameSync(path, grave);
    if (!isAbandoned(grave)) linkSync(grave, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  } finally {
    rmSync(grave, { force: true });
  }
}
