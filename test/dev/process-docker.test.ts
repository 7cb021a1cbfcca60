/** Against a `docker` that notes how it was called. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DockerState } from "../../src/dev/fs-broker-state";
import * as docker from "../../src/dev/process-docker";

let directory: string;
const path = process.env.PATH;
const broker = () => join(directory, "broker");

/** `answers`: shell lines by docker's first word; what is not named succeeds silently. */
function fakeDocker(answers: Readonly<Record<string, string>>): void {
  const cases = Object.entries(answers).map(([word, shell]) => `${word}) ${shell} ;;`);
  const script = `#!/bin/sh\necho "$@" >> ${join(directory, "calls")}\ncase "$1" in\n${cases.join("\n")}\nesac\n`;
  mkdirSync(join(directory, "bin"));
  writeFileSync(join(directory, "bin", "docker"), script);
  chmodSync(join(directory, "bin", "docker"), 0o755);
  process.env.PATH = `${join(directory, "bin")}:${path}`;
}

const calls = () => readFileSync(join(directory, "calls"), "utf8").trim().split("\n");

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "dirigo-docker-"));
});
afterEach(() => {
  process.env.PATH = path;
  rmSync(directory, { recursive: true, force: true });
});

test("a client without an engine is no Docker", async () => {
  fakeDocker({ version: "exit 1" });
  expect(await docker.haveDocker()).toBe(false);
});

test("fetches the image when it is absent, clears a dead container away, and notes the id it got", async () => {
  fakeDocker({ image: "exit 1", pull: 'echo "4f4fb700ef54: Pull complete"', run: "echo 0123abcd" });
  const said: string[] = [];
  const state = await docker.startContainer(broker(), 19092, "1g", (line) => said.push(line));
  const name = docker.containerName(broker());
  expect(state).toEqual({ engine: "docker", port: 19092, container: name, containerId: "0123abcd" });
  expect(calls().map((call) => call.split(" ").slice(0, 2).join(" "))).toEqual([
    "image inspect",
    "pull apache/kafka:4.3.1",
    "rm --force",
    "run --detach",
  ]);
  expect(said).toEqual(["fetching the Docker image apache/kafka:4.3.1 (once)", "  4f4fb700ef54: Pull complete"]);
});

test("an image that is there is not fetched", async () => {
  fakeDocker({ run: "echo 0123abcd" });
  await docker.startContainer(broker(), 19092, "1g", () => {});
  expect(calls().filter((call) => call.startsWith("pull"))).toEqual([]);
});

test("a directory keeps its cluster id: its data was formatted for it", async () => {
  fakeDocker({ run: "echo 0123abcd" });
  for (const directory of [broker(), broker(), `${broker()}2`]) await docker.startContainer(directory, 19092, "1g", () => {});
  const [first, again, other] = calls().flatMap((call) => /CLUSTER_ID=(\S+)/.exec(call)?.[1] ?? []);
  expect(again).toBe(first);
  expect(other).not.toBe(first);
});

test.each([
  [{ image: "exit 1", pull: "echo manifest unknown; exit 1" }, /could not fetch apache\/kafka:4\.3\.1:\nmanifest unknown/],
  [{ run: "echo no space left; exit 125" }, /could not start apache\/kafka:4\.3\.1:\nno space left/],
])("a failure is told with Docker's own words (%j)", async (answers, message) => {
  fakeDocker(answers);
  await expect(docker.startContainer(broker(), 19092, "1g", () => {})).rejects.toThrow(message);
});

describe("a container", () => {
  const state: DockerState = { engine: "docker", port: 19092, container: "dirigo-broker-x", containerId: "0123abcd" };

  test.each([
    ["echo 4711", true],
    ["echo 0", false],
    ["echo no such object; exit 1", false],
  ])("of which docker inspect says %j runs: %s", async (inspect, running) => {
    fakeDocker({ inspect });
    expect(await docker.isContainerRunning(state)).toBe(running);
  });

  test("is asked by its id, not its name, and removed once it has stopped", async () => {
    fakeDocker({});
    await docker.stopContainer(state, 15_000);
    expect(calls()).toEqual(["stop --time 15 0123abcd", "rm --force 0123abcd"]);
  });
});
