/** Starts and ends the processes that serve the conformance functions, one per SDK. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { cacheDirectory } from "../../src/dev/fs-cache";
import { withLock } from "../../src/dev/fs-lock";

const every = ["dirigo", "javascript", "python", "java"] as const;
export type Sdk = (typeof every)[number];

/** All, or those that DIRIGO_TEST_SDKS names: Python's needs python3 with venv, Java's a JDK 17 and Maven, as the broker does. */
export const SDKS: readonly Sdk[] = named(process.env.DIRIGO_TEST_SDKS);

function named(list: string | undefined): readonly Sdk[] {
  if (!list) return every;
  return list.split(",").map((name) => {
    const sdk = every.find((known) => known === name);
    if (sdk === undefined) throw new Error(`DIRIGO_TEST_SDKS: there is no ${name}, only ${every.join(", ")}`);
    return sdk;
  });
}

/** Seen from dist/test/conformance, where this runs compiled. */
const project = join(__dirname, "..", "..", "..");
const run = promisify(execFile);

export interface Host {
  readonly url: string;
  stop(): Promise<void>;
}

/** The last versions published. The Python SDK's generated code does not run with protobuf 4. */
const pythonPackages = ["apache-flink-statefun==3.3.0", "protobuf<4"];
/** Its POM names statefun-protocol-shaded 3.3.0, which was never published and is not needed. */
const javaPom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dirigo</groupId><artifactId>conformance</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.flink</groupId><artifactId>statefun-sdk-java</artifactId><version>3.3.0</version>
      <exclusions>
        <exclusion><groupId>org.apache.flink</groupId><artifactId>statefun-protocol-shaded</artifactId></exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-databind</artifactId><version>2.17.2</version>
    </dependency>
  </dependencies>
</project>
`;

/** Serves the conformance functions, or those of another source file for the same SDK. */
export async function startHost(sdk: Sdk, resultsTopic: string, file = sourceOf(sdk)): Promise<Host> {
  const [program, ...command] = await commandOf(sdk, file);
  const child = spawn(program, command, {
    env: { ...process.env, RESULTS_TOPIC: resultsTopic },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await portOf(child, sdk);
  return { url: `http://127.0.0.1:${port}/`, stop: () => ended(child) };
}

function sourceOf(sdk: Sdk): string {
  if (sdk === "dirigo" || sdk === "javascript") return join(__dirname, "hosts", `${sdk}.js`);
  return join(project, "test", "conformance", "hosts", sdk === "java" ? "Actor.java" : "python.py");
}

async function commandOf(sdk: Sdk, file: string): Promise<[string, ...string[]]> {
  switch (sdk) {
    case "python":
      return [join(await kept("python-statefun-3.3.0", installPython), "bin", "python"), file];
    case "java":
      // Without `nodelay` the JDK's server answers 40 ms late.
      return ["java", "-Dsun.net.httpserver.nodelay=true", "-cp", join(await kept("java-statefun-3.3.0", fetchJava), "*"), file];
    default:
      return [process.execPath, file];
  }
}

async function portOf(child: ChildProcess, sdk: Sdk): Promise<number> {
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the ${sdk} host ended with ${code} before it listened`)));
    if (child.stdout === null) return reject(new Error("no stdout"));
    createInterface(child.stdout).on("line", (line) => {
      const match = /^listening (\d+)$/.exec(line);
      if (match) resolve(Number(match[1]));
    });
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exited;
}

/** A directory of the cache, made once: it appears under its name only when complete. */
async function kept(name: string, make: (directory: string) => Promise<void>): Promise<string> {
  const home = join(cacheDirectory(), name);
  if (existsSync(home)) return home;
  await mkdir(cacheDirectory(), { recursive: true });
  const waiting = () => console.log(`waiting for another run that prepares ${home}`);
  await withLock(`${home}.lock`, waiting, async () => {
    if (existsSync(home)) return;
    const unfinished = `${home}.${process.pid}`;
    try {
      await make(unfinished);
      await rename(unfinished, home);
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  });
  return home;
}

/** A virtual environment's scripts name its path, its interpreter does not: it may be moved. */
async function installPython(directory: string): Promise<void> {
  try {
    await run("python3", ["-m", "venv", directory]);
    await run(join(directory, "bin", "python"), ["-m", "pip", "install", "--quiet", ...pythonPackages]);
  } catch (error) {
    throw new Error(`the Python SDK's tests need python3 (3.8 or later) with venv, and its package index: ${String(error)}`);
  }
}

async function fetchJava(directory: string): Promise<void> {
  await mkdir(directory);
  await writeFile(join(directory, "pom.xml"), javaPom);
  const goal = ["-q", "-B", "-f", join(directory, "pom.xml"), "dependency:copy-dependencies", `-DoutputDirectory=${directory}`];
  try {
    await run("mvn", goal);
  } catch (error) {
    throw new Error(`the Java SDK's tests need a JDK (17 or later) and Maven: ${String(error)}`);
  }
}
