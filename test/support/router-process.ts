/** A router as users run it: `bin/dirigo run` in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { freePort } from "../../src/dev/kafka-probe";
import { waitFor } from "./wait-for";

export interface RouterStart {
  /** Path of the module.yaml. */
  readonly module: string;
  readonly bootstrap: string;
  readonly group?: string;
  readonly name?: string;
  /** More flags of `run`. */
  readonly flags?: readonly string[];
  /** Flags of node, e.g. `--cpu-prof`. */
  readonly nodeFlags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const dirigo = join(__dirname, "..", "..", "..", "bin", "dirigo");
const linesShown = 30;

export class RouterProcess {
  readonly #process: ChildProcess;
  /** Both outputs, a line each. */
  readonly lines: string[] = [];
  readonly exited: Promise<Exit>;
  #exit: Exit | undefined;

  private constructor(
    readonly adminPort: number,
    command: readonly string[],
    environment: Readonly<Record<string, string>>,
  ) {
    this.#process = spawn(process.execPath, command, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) this.#hear(stream);
    this.exited = new Promise((resolve, reject) => {
      this.#process.once("error", reject);
      this.#process.once("close", (code, signal) => {
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
  }

  /** Started, not ready. */
  static async start({
    module,
    bootstrap,
    group,
    name,
    flags = [],
    nodeFlags = [],
    environment = {},
  }: RouterStart): Promise<RouterProcess> {
    const adminPort = await freePort();
    const given = [...(group === undefined ? [] : ["--group", group]), ...(name === undefined ? [] : ["--name", name]), ...flags];
    const command = [
      ...nodeFlags,
      dirigo,
      "run",
      "-f",
      module,
      "--brokers",
      bootstrap,
      "--admin-port",
      String(adminPort),
      "--log",
      "json",
    ];
    return new RouterProcess(adminPort, [...command, ...given], environment);
  }

  #hear(stream: NodeJS.ReadableStream | null): void {
    let rest = "";
    stream?.setEncoding("utf8");
    stream?.on("data", (data: string) => {
      const lines = (rest + data).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines);
    });
    stream?.on("close", () => {
      if (rest !== "") this.lines.push(rest);
    });
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error("the router did not start");
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  /** What it said last, for failures. */
  get story(): string {
    return this.lines.slice(-linesShown).join("\n");
  }

  said(text: string | RegExp): boolean {
    return this.lines.some((line) => (typeof text === "string" ? line.includes(text) : text.test(line)));
  }

  async ask(path: string): Promise<Response | undefined> {
    return await fetch(`http://127.0.0.1:${this.adminPort}${path}`).catch(() => undefined);
  }

  async ready(timeoutMs = 120_000): Promise<void> {
    const ended = (): boolean => !this.running;
    const seen = (): string => this.story;
    await waitFor(async () => ended() || (await this.ask("/readyz"))?.ok, "the router to be ready", {
      timeoutMs,
      everyMs: 10,
      seen,
    });
    if (ended()) throw new Error(`the router ended instead of becoming ready:\n${this.story}`);
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited;
  }

  /** SIGTERM; resolves with how it ended. */
  async end(): Promise<Exit> {
    this.signal("SIGTERM");
    return await this.exited;
  }
}
