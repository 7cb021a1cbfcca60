/** The broker as a container, for a machine with Docker and no Java. Its data is a volume of the container's name. */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { clusterId, dockerRunArguments, KAFKA_IMAGE } from "./broker-settings";
import type { DockerState } from "./fs-broker-state";
import { lastLines, type Ran, run } from "./process-run";

export async function haveDocker(): Promise<boolean> {
  return (await docker("version", "--format", "{{.Server.Version}}")).code === 0;
}

/** One container per directory, as there is one process per directory. */
export function containerName(directory: string): string {
  return `dirigo-broker-${hashOf(directory).toString("hex").slice(0, 10)}`;
}

export async function startContainer(
  directory: string,
  port: number,
  heap: string,
  say: (line: string) => void,
): Promise<DockerState> {
  mkdirSync(directory, { recursive: true });
  const name = containerName(directory);
  await fetchImage(say);
  // One that ended by itself still holds the name; its data is in the volume.
  await docker("rm", "--force", name);
  const ran = await docker(...dockerRunArguments({ name, port, heap, clusterId: clusterIdOf(directory) }));
  if (ran.code !== 0) throw new Error(`Docker could not start ${KAFKA_IMAGE}:\n${lastLines(ran.output, 15)}`);
  return { engine: "docker", port, container: name, containerId: ran.output.trim().split("\n").at(-1) ?? "" };
}

/** Always the same: the data in the volume was formatted for it, and the image insists when the broker is started again. */
function clusterIdOf(directory: string): string {
  return clusterId(hashOf(directory).subarray(0, 16));
}

function hashOf(directory: string): Buffer {
  return createHash("sha256").update(directory).digest();
}

export async function isContainerRunning(state: DockerState): Promise<boolean> {
  return (await containerPid(state)) > 0;
}

/** The broker's process as the Docker host sees it; 0 when it does not run. */
export async function containerPid(state: DockerState): Promise<number> {
  const ran = await docker("inspect", "--format", "{{.State.Pid}}", state.containerId);
  return ran.code === 0 ? Number(ran.output.trim()) : 0;
}

export async function stopContainer(state: DockerState, graceMs: number): Promise<void> {
  await docker("stop", "--time", String(Math.ceil(graceMs / 1000)), state.containerId);
  await docker("rm", "--force", state.containerId);
}

export async function killContainer(state: DockerState): Promise<void> {
  await docker("rm", "--force", state.containerId);
}

export async function removeVolume(directory: string): Promise<void> {
  await docker("rm", "--force", containerName(directory));
  await docker("volume", "rm", "--force", containerName(directory));
}

export async function containerTail(state: DockerState, lines: number): Promise<string> {
  return (await docker("logs", "--tail", String(lines), state.containerId)).output.trimEnd();
}

async function fetchImage(say: (line: string) => void): Promise<void> {
  if ((await docker("image", "inspect", "--format", "{{.Id}}", KAFKA_IMAGE)).code === 0) return;
  say(`fetching the Docker image ${KAFKA_IMAGE} (once)`);
  const ran = await run("docker", ["pull", KAFKA_IMAGE], (line) => {
    if (line.includes("Pull complete")) say(`  ${line.trim()}`);
  });
  if (ran.code !== 0) throw new Error(`Docker could not fetch ${KAFKA_IMAGE}:\n${lastLines(ran.output, 15)}`);
}

function docker(...args: readonly string[]): Promise<Ran> {
  return run("docker", args);
}
