/**
 * Kafka's jars, fetched once through Maven and kept. They appear under their final name only when complete, by a rename;
 * the lock spares two processes the same download and Maven's repository two writers.
 */
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KAFKA_VERSION, pom } from "./broker-settings";
import { cacheDirectory } from "./fs-cache";
import { withLock } from "./fs-lock";
import { lastLines, run } from "./process-run";

/** One progress line for so many downloaded files: about six for the whole fetch. */
const FILES_PER_LINE = 25;

/** Named by what was asked for, so that another list of jars is another directory. */
export function jarDirectory(): string {
  return join(cacheDirectory(), `kafka-${KAFKA_VERSION}-${createHash("sha256").update(pom()).digest("hex").slice(0, 8)}`);
}

export function haveJars(): boolean {
  return existsSync(jarDirectory());
}

export async function fetchJars(say: (line: string) => void): Promise<void> {
  if (haveJars()) return;
  const waiting = () => say("another process fetches Kafka's jars; waiting for it");
  await withLock(`${jarDirectory()}.lock`, waiting, async () => {
    if (!haveJars()) await download(say);
  });
}

async function download(say: (line: string) => void): Promise<void> {
  const unfinished = `${jarDirectory()}.${randomUUID()}`;
  const libraries = join(unfinished, "libs");
  mkdirSync(libraries, { recursive: true });
  try {
    writeFileSync(join(unfinished, "pom.xml"), pom());
    say(`fetching Apache Kafka ${KAFKA_VERSION} through Maven (about 50 MB, once)`);
    const arguments_ = ["-B", "-f", join(unfinished, "pom.xml"), "dependency:copy-dependencies"];
    const ran = await run("mvn", [...arguments_, `-DoutputDirectory=${libraries}`, "-DincludeScope=runtime"], progress(say));
    if (ran.code !== 0) throw new Error(`Maven could not fetch Kafka ${KAFKA_VERSION}:\n${lastLines(ran.output, 15)}`);
    renameSync(libraries, jarDirectory());
    say(`Kafka's jars are in ${jarDirectory()}`);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function progress(say: (line: string) => void): (line: string) => void {
  let downloaded = 0;
  return (line) => {
    if (!line.includes("Downloaded from")) return;
    downloaded += 1;
    if (downloaded % FILES_PER_LINE === 0) say(`  ${downloaded} files fetched`);
  };
}
