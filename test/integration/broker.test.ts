/** The development broker itself, on the Java of this machine. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Partitioners } from "kafkajs";
import { type BrokerHandle, brokerDown, brokerKill, brokerStatus, brokerUp } from "../../src/dev/broker";
import { identityOf } from "../../src/dev/process-identity";
import { kafkaClient, openKafka, uniqueName } from "../support/kafka";
import { makeTestDirectory, removeTestDirectory } from "../support/test-directory";

const HEAP = "512m";

describe("a broker", () => {
  let directory: string;
  let broker: BrokerHandle;
  beforeAll(async () => {
    directory = makeTestDirectory();
    const both = await Promise.all([brokerUp({ port: 0, directory, heap: HEAP }), brokerUp({ port: 0, directory, heap: HEAP })]);
    broker = both.find(({ startedByUs }) => startedByUs) ?? both[0];
    // Two at once start one.
    expect(both.map(({ pid }) => pid)).toEqual([broker.pid, broker.pid]);
    expect(both.map(({ startedByUs }) => startedByUs).sort()).toEqual([false, true]);
  });
  afterAll(() => removeTestDirectory(directory));

  async function topics(): Promise<string[]> {
    const kafka = await openKafka(broker.bootstrap);
    const names = await kafka.admin.listTopics();
    await kafka.close();
    return names;
  }

  test("outlives the command that started it, and says where it is", async () => {
    expect(broker).toMatchObject({ bootstrap: `127.0.0.1:${broker.port}`, directory, engine: "jvm" });
    // There is a process group of its number: what ends the command's group does not reach it.
    expect(process.kill(-broker.pid, 0)).toBe(true);
  });

  test("is up, and asking for it again changes nothing", async () => {
    expect(await brokerStatus({ directory })).toEqual({ kind: "up", broker: { ...broker, startedByUs: false } });
    expect(await brokerUp({ port: broker.port, directory })).toEqual({ ...broker, startedByUs: false });
    await expect(brokerUp({ port: broker.port + 1, directory })).rejects.toThrow(
      /already runs on port \d+, not \d+; take it down first/,
    );
  });

  test("does not create topics by being asked for them", async () => {
    const impatient = kafkaClient(broker.bootstrap, { retry: { retries: 0 } });
    const producer = impatient.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const sent = producer.send({ topic: uniqueName("absent"), messages: [{ value: "lost" }] });
    await expect(sent).rejects.toThrow(/does not host this topic/);
    await producer.disconnect();
  });

  test("is not taken for another's: a port in use is refused with who is there", async () => {
    const other = makeTestDirectory();
    await expect(brokerUp({ port: broker.port, directory: other })).rejects.toThrow(
      `port ${broker.port} is taken by a Kafka that was not started from here; choose another (--port)`,
    );
    await removeTestDirectory(other);
  });

  test("keeps its topics over down and up, says so when down, and forgets them when fresh", async () => {
    const kafka = await openKafka(broker.bootstrap);
    const topic = await kafka.createTopic(uniqueName("kept"));
    await kafka.close();
    expect(await brokerDown({ directory })).toBe(true);
    expect(await brokerDown({ directory })).toBe(false);
    expect(await brokerKill({ directory })).toBe(false);
    expect(await brokerStatus({ directory })).toEqual({ kind: "down", directory });
    broker = await brokerUp({ port: broker.port, directory, heap: HEAP });
    expect(await topics()).toContain(topic);
    const before = broker.pid;
    broker = await brokerUp({ port: broker.port, directory, heap: HEAP, fresh: true });
    expect(broker.pid).not.toBe(before);
    expect(await topics()).not.toContain(topic);
  });
});

test("a note of a process that has another's number now ends nobody", async () => {
  const directory = makeTestDirectory();
  const bystander = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const pid = bystander.pid ?? 0;
  writeFileSync(join(directory, "broker.json"), JSON.stringify({ engine: "jvm", port: 1, pid, started: "long ago" }));
  expect(await brokerStatus({ directory })).toEqual({ kind: "down", directory });
  expect(await brokerDown({ directory })).toBe(false);
  expect(identityOf(pid)).toBeDefined();
  bystander.kill();
  await removeTestDirectory(directory);
});

test("a start that fails shows what Kafka said, and leaves nothing running", async () => {
  const directory = makeTestDirectory();
  writeFileSync(join(directory, "data"), "a file where the data should be");
  await expect(brokerUp({ port: 0, directory })).rejects.toThrow(/Kafka could not format its data directory:\n.*data/s);
  rmSync(join(directory, "data"));
  await expect(brokerUp({ port: 0, directory, heap: "1k" })).rejects.toThrow(
    /ended before it was ready; the end of its log .*:\n.*heap/s,
  );
  expect(await brokerStatus({ directory })).toEqual({ kind: "down", directory });
  await removeTestDirectory(directory);
});

test("a port that no Kafka holds is refused too", async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const directory = makeTestDirectory();
  await expect(brokerUp({ port, directory })).rejects.toThrow(`port ${port} is taken by another program`);
  expect(existsSync(join(directory, "data"))).toBe(false);
  await removeTestDirectory(directory);
  await new Promise((resolve) => server.close(resolve));
});

describe("on a machine that lacks something", () => {
  const { PATH: path, JAVA_HOME: javaHome, DIRIGO_CACHE: cache } = process.env;
  let bin: string;
  let directory: string;
  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), "dirigo-bin-"));
    directory = makeTestDirectory();
    process.env.PATH = bin;
    delete process.env.JAVA_HOME;
  });
  afterEach(async () => {
    process.env.PATH = path;
    if (javaHome !== undefined) process.env.JAVA_HOME = javaHome;
    if (cache === undefined) delete process.env.DIRIGO_CACHE;
    else process.env.DIRIGO_CACHE = cache;
    rmSync(bin, { recursive: true });
    await removeTestDirectory(directory);
  });

  const linkJava = () => {
    const found = [...(javaHome ? [join(javaHome, "bin")] : []), ...(path ?? "").split(":")]
      .map((place) => join(place, "java"))
      .find(existsSync);
    symlinkSync(found ?? "no java", join(bin, "java"));
  };

  test("neither Java nor Docker: says what to install", async () => {
    await expect(brokerUp({ port: 0, directory })).rejects.toThrow(
      /there is no Java 17 or newer, and no Docker engine answers. Install Java \(17 or newer\) and Maven, or Docker/,
    );
  });

  test("Java, but no Maven and no jars: says so", async () => {
    linkJava();
    process.env.DIRIGO_CACHE = join(directory, "cache");
    await expect(brokerUp({ port: 0, directory })).rejects.toThrow(/Java is here, but no Maven to fetch Kafka with/);
  });

  test("no Maven, but Java and the jars of an earlier time: works", async () => {
    linkJava();
    const broker = await brokerUp({ port: 0, directory, heap: HEAP });
    expect(broker).toMatchObject({ engine: "jvm", startedByUs: true });
  });
});
