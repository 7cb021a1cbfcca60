/** The broker as a Java process of its own session, which outlives the command that started it. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clusterId, javaMajor, jvmFlags, jvmSettings, loggingProperties, properties } from "./broker-settings";
import type { JvmState } from "./fs-broker-state";
import { jarDirectory } from "./fs-jars";
import { freePort } from "./kafka-probe";
import { identityOf } from "./process-identity";
import { lastLines, run } from "./process-run";

/** Kafka 4 needs it. */
const JAVA_MAJOR_MIN = 17;

export async function haveJava(): Promise<boolean> {
  const { code, output } = await run(java(), ["-version"]);
  return code === 0 && (javaMajor(output) ?? 0) >= JAVA_MAJOR_MIN;
}

export async function haveMaven(): Promise<boolean> {
  return (await run("mvn", ["-v"])).code === 0;
}

/** Formats the data directory if it is new, and starts the broker; ready or not is for the caller to find out. */
export async function startJvm(directory: string, port: number, heap: string): Promise<JvmState> {
  const files = await writeFiles(directory, port);
  if (!existsSync(join(files.data, "meta.properties"))) await format(files.server);
  const log = openSync(files.log, "a");
  try {
    const args = [...jvmFlags(heap), `-Dlog4j2.configurationFile=${files.logging}`, ...main("kafka.Kafka"), files.server];
    const child = spawn(java(), args, { detached: true, stdio: ["ignore", log, log], cwd: directory, env: process.env });
    await new Promise((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    child.unref();
    const pid = child.pid ?? 0;
    return { engine: "jvm", port, pid, started: identityOf(pid)?.started ?? "ended at once" };
  } finally {
    closeSync(log);
  }
}

export function logTail(directory: string, lines: number): string {
  try {
    return lastLines(readFileSync(logFile(directory), "utf8"), lines);
  } catch {
    return "(no log was written)";
  }
}

interface Files {
  readonly data: string;
  readonly server: string;
  readonly logging: string;
  readonly log: string;
}

async function writeFiles(directory: string, port: number): Promise<Files> {
  const files: Files = {
    data: join(directory, "data"),
    server: join(directory, "server.properties"),
    logging: join(directory, "log4j2.properties"),
    log: logFile(directory),
  };
  mkdirSync(directory, { recursive: true });
  // The controller's port is nobody else's business: whichever is free at this start.
  writeFileSync(files.server, properties(jvmSettings({ broker: port, controller: await freePort() }, files.data)));
  writeFileSync(files.logging, loggingProperties());
  // The log of the start before stays readable; the one before that does not.
  if (existsSync(files.log)) renameSync(files.log, `${files.log}.before`);
  return files;
}

async function format(serverProperties: string): Promise<void> {
  const id = clusterId(randomBytes(16));
  const ran = await run(java(), [...main("kafka.tools.StorageTool"), "format", "-t", id, "-c", serverProperties]);
  if (ran.code !== 0) throw new Error(`Kafka could not format its data directory:\n${lastLines(ran.output, 15)}`);
}

function logFile(directory: string): string {
  return join(directory, "broker.log");
}

function main(className: string): readonly string[] {
  return ["-cp", join(jarDirectory(), "*"), className];
}

function java(): string {
  return process.env.JAVA_HOME ? join(process.env.JAVA_HOME, "bin", "java") : "java";
}
