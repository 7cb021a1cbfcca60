/**
 * Directories of brokers that belong to a test run. Each names the process that owns it: a run that was interrupted
 * cannot clean up, so the next one does it.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brokerDown } from "../../src/dev/broker";
import { identityOf, isRunning, type ProcessIdentity } from "../../src/dev/process-identity";

const PREFIX = "dirigo-test-broker-";
const OWNER = "owner.json";

export function makeTestDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), PREFIX));
  writeFileSync(join(directory, OWNER), JSON.stringify(identityOf(process.pid)));
  return directory;
}

export async function removeTestDirectory(directory: string): Promise<void> {
  await brokerDown({ directory });
  rmSync(directory, { recursive: true, force: true });
}

export async function sweepAbandonedDirectories(): Promise<void> {
  const names = readdirSync(tmpdir()).filter((name) => name.startsWith(PREFIX));
  for (const directory of names.map((name) => join(tmpdir(), name))) {
    const owner = ownerOf(directory);
    if (owner !== undefined && !isRunning(owner)) await removeTestDirectory(directory);
  }
}

function ownerOf(directory: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, OWNER), "utf8")) as ProcessIdentity;
  } catch {
    return undefined;
  }
}
