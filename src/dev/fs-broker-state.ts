/** What a broker's directory remembers about the process that runs there. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface JvmState {
  readonly engine: "jvm";
  readonly port: number;
  readonly pid: number;
  /** When the process started, as `process-identity` tells it. */
  readonly started: string;
}

export interface DockerState {
  readonly engine: "docker";
  readonly port: number;
  readonly container: string;
  /** The id Docker gave it; another container of the same name is not ours. */
  readonly containerId: string;
}

export type BrokerState = JvmState | DockerState;

const FILE = "broker.json";

export function readState(directory: string): BrokerState | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, FILE), "utf8")) as BrokerState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Error(`cannot read ${join(directory, FILE)}: ${(error as Error).message}; remove it if no broker runs there`);
  }
}

export function writeState(directory: string, state: BrokerState): void {
  mkdirSync(directory, { recursive: true });
  const aside = join(directory, `${FILE}.${process.pid}`);
  writeFileSync(aside, `${JSON.stringify(state, undefined, 2)}\n`);
  renameSync(aside, join(directory, FILE));
}

export function removeState(directory: string): void {
  rmSync(join(directory, FILE), { force: true });
}
