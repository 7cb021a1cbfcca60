/**
 * A real Kafka for development and tests: one node, KRaft, on this machine, as a background process that outlives the
 * command. A broker is its directory: the settings, the data, the log and a note of the process that runs there. Up and
 * down may be said twice; only what was started from here is ever ended.
 */
import { existsSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { unreachable } from "../model/errors";
import { type BrokerState, readState, removeState, writeState } from "./fs-broker-state";
import { cacheDirectory } from "./fs-cache";
import { fetchJars, haveJars } from "./fs-jars";
import { withLock } from "./fs-lock";
import { answers, freePort, isFree } from "./kafka-probe";
import * as docker from "./process-docker";
import { isRunning, kill, terminate } from "./process-identity";
import { haveJava, haveMaven, logTail, startJvm } from "./process-jvm";

export interface BrokerOptions {
  /** Default 9092; 0 takes any free port. */
  readonly port?: number;
  /** Wipe the data first; a broker that runs there is stopped. */
  readonly fresh?: boolean;
  /** Default: `broker-<port>` in the cache directory. */
  readonly directory?: string;
  /** Java's -Xms and -Xmx; default DIRIGO_BROKER_HEAP, then 1g. */
  readonly heap?: string;
  /** Told what happens, a line at a time. */
  readonly say?: (line: string) => void;
}

export interface BrokerHandle {
  readonly bootstrap: string;
  readonly pid: number;
  readonly port: number;
  readonly directory: string;
  /** This very call started it; false when it ran already. */
  readonly startedByUs: boolean;
  readonly engine: "jvm" | "docker";
}

export interface BrokerPlace {
  readonly port?: number;
  readonly directory?: string;
}

export type BrokerStatus =
  | { readonly kind: "down"; readonly directory: string }
  | { readonly kind: "starting"; readonly broker: BrokerHandle }
  | { readonly kind: "up"; readonly broker: BrokerHandle };

const PORT = 9092;
/** A busy machine took 9 s; past this something is wrong, and its log says what. */
const READY_WITHIN_MS = 90_000;
const READY_POLL_MS = 100;
/** Kafka closes its logs in about a second; what it does not close it recovers at the next start. */
const STOP_GRACE_MS = 15_000;
const LOG_LINES = 20;
/** A port found free, the controller's too, may be taken before Kafka binds it. */
const FREE_PORT_TRIES = 3;

export async function brokerUp(options: BrokerOptions = {}): Promise<BrokerHandle> {
  const wanted = options.port ?? PORT;
  const port = wanted === 0 && options.directory === undefined ? await freePort() : wanted;
  const directory = directoryOf({ port, directory: options.directory });
  const say = options.say ?? (() => {});
  const waiting = () => say("another process starts or stops this broker; waiting for it");
  return await withLock(lockOf(directory), waiting, async () => {
    const state = readState(directory);
    if (state !== undefined && (await isAlive(state))) {
      if (!options.fresh) return await joinRunning(directory, state, wanted);
      say("stopping the broker that runs, to begin afresh");
      await stop(directory, state);
    }
    if (options.fresh) await wipe(directory, state);
    return await start(directory, port, options, say);
  });
}

/** True when a broker was stopped, false when none ran there. */
export async function brokerDown(place: BrokerPlace = {}): Promise<boolean> {
  return await whileRunning(place, stop);
}

/** kill -9: as a crash would end it. For tests of what survives it. */
export async function brokerKill(place: BrokerPlace = {}): Promise<boolean> {
  return await whileRunning(place, async (directory, state) => {
    if (state.engine === "jvm") await kill(state);
    else await docker.killContainer(state);
    removeState(directory);
  });
}

export async function brokerStatus(place: BrokerPlace = {}): Promise<BrokerStatus> {
  const directory = directoryOf(place);
  const state = readState(directory);
  if (state === undefined || !(await isAlive(state))) return { kind: "down", directory };
  const broker = await handleOf(directory, state, false);
  return { kind: (await answers(state.port)) ? "up" : "starting", broker };
}

async function whileRunning(
  place: BrokerPlace,
  work: (directory: string, state: BrokerState) => Promise<void>,
): Promise<boolean> {
  const directory = directoryOf(place);
  if (!existsSync(directory)) return false;
  return await withLock(
    lockOf(directory),
    () => {},
    async () => {
      const state = readState(directory);
      if (state === undefined) return false;
      const alive = await isAlive(state);
      if (alive) await work(directory, state);
      else removeState(directory);
      return alive;
    },
  );
}

async function joinRunning(directory: string, state: BrokerState, wanted: number): Promise<BrokerHandle> {
  if (wanted !== 0 && wanted !== state.port) {
    throw new Error(`the broker of ${directory} already runs on port ${state.port}, not ${wanted}; take it down first`);
  }
  await ready(directory, state);
  return await handleOf(directory, state, false);
}

async function start(
  directory: string,
  port: number,
  options: BrokerOptions,
  say: (line: string) => void,
): Promise<BrokerHandle> {
  const engine = await chooseEngine(say);
  const heap = options.heap ?? process.env.DIRIGO_BROKER_HEAP ?? "1g";
  const anyPort = (options.port ?? PORT) === 0;
  for (let attempt = 1; ; attempt++) {
    const bound = anyPort && (port === 0 || attempt > 1) ? await freePort() : port;
    if (!anyPort && !(await isFree(bound))) throw new Error(await takenPort(bound));
    say(`starting Kafka on 127.0.0.1:${bound} (${engine}, data in ${directory})`);
    const state =
      engine === "jvm" ? await startJvm(directory, bound, heap) : await docker.startContainer(directory, bound, heap, say);
    writeState(directory, state);
    try {
      await ready(directory, state);
      return await handleOf(directory, state, true);
    } catch (error) {
      await stop(directory, state);
      const lostPort = /Address already in use|port is already allocated/.test((error as Error).message);
      if (!lostPort || attempt === FREE_PORT_TRIES) throw error;
    }
  }
}

async function chooseEngine(say: (line: string) => void): Promise<"jvm" | "docker"> {
  const java = await haveJava();
  if (java && haveJars()) return "jvm";
  if (java && (await haveMaven())) {
    await fetchJars(say);
    return "jvm";
  }
  if (await docker.haveDocker()) return "docker";
  const missing = java ? "Java is here, but no Maven to fetch Kafka with" : "there is no Java 17 or newer";
  throw new Error(
    `cannot start a development Kafka: ${missing}, and no Docker engine answers. Install Java (17 or newer) and Maven, or Docker; ` +
      "or name a broker that runs already (--brokers host:port)",
  );
}

async function takenPort(port: number): Promise<string> {
  const who = (await answers(port)) ? "a Kafka that was not started from here" : "another program";
  return `port ${port} is taken by ${who}; choose another (--port), or use that Kafka as it is (--brokers 127.0.0.1:${port})`;
}

async function ready(directory: string, state: BrokerState): Promise<void> {
  const until = Date.now() + READY_WITHIN_MS;
  while (Date.now() < until) {
    // Asked in this order, so that somebody else's answer on that port is not taken for ours when ours has ended.
    const answered = await answers(state.port);
    if (!(await isAlive(state))) throw await failedStart(directory, state, "ended before it was ready");
    if (answered) return;
    await sleep(READY_POLL_MS);
  }
  throw await failedStart(directory, state, `did not answer within ${READY_WITHIN_MS / 1000} s`);
}

async function failedStart(directory: string, state: BrokerState, what: string): Promise<Error> {
  const tail = state.engine === "jvm" ? logTail(directory, LOG_LINES) : await docker.containerTail(state, LOG_LINES);
  return new Error(`Kafka on port ${state.port} ${what}; the end of its log (${directory}):\n${tail}`);
}

async function isAlive(state: BrokerState): Promise<boolean> {
  switch (state.engine) {
    case "jvm":
      return isRunning(state);
    case "docker":
      return await docker.isContainerRunning(state);
    default:
      return unreachable(state);
  }
}

async function stop(directory: string, state: BrokerState): Promise<void> {
  if (state.engine === "jvm") await terminate(state, STOP_GRACE_MS);
  else await docker.stopContainer(state, STOP_GRACE_MS);
  removeState(directory);
}

async function wipe(directory: string, state: BrokerState | undefined): Promise<void> {
  rmSync(join(directory, "data"), { recursive: true, force: true });
  if (state?.engine === "docker" || (!(await haveJava()) && (await docker.haveDocker()))) await docker.removeVolume(directory);
}

async function handleOf(directory: string, state: BrokerState, startedByUs: boolean): Promise<BrokerHandle> {
  const pid = state.engine === "jvm" ? state.pid : await docker.containerPid(state);
  return { bootstrap: `127.0.0.1:${state.port}`, pid, port: state.port, directory, startedByUs, engine: state.engine };
}

function directoryOf(place: BrokerPlace): string {
  return resolve(place.directory ?? join(cacheDirectory(), `broker-${place.port ?? PORT}`));
}

function lockOf(directory: string): string {
  return join(directory, ".lock");
}
