/** Processes of the demo, each ended when the demo ends, however it does. */
import { type ChildProcess, spawn } from "node:child_process";

const graceMs = 15_000;
const linesKept = 200;

export class Child {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #exited: Promise<string>;
  #exit: string | undefined;

  /** In a group of its own, so that Ctrl-C reaches the demo alone, which then ends its children in order. */
  constructor(
    readonly name: string,
    command: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ) {
    const [file = process.execPath, ...rest] = command;
    const env = { ...process.env, ...environment };
    this.#process = spawn(file, rest, { stdio: ["ignore", "pipe", "pipe"], detached: true, env });
    this.#process.stdout?.on("data", (data: Buffer) => this.#hear(data));
    this.#process.stderr?.on("data", (data: Buffer) => this.#hear(data));
    this.#exited = new Promise((resolve) => {
      this.#process.once("error", (error) => resolve(error.message));
      this.#process.once("close", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    this.#exited.then((exit) => {
      this.#exit = exit;
    });
  }

  #hear(data: Buffer): void {
    this.#lines.push(...data.toString("utf8").split("\n").filter(Boolean));
    this.#lines.splice(0, this.#lines.length - linesKept);
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  /** What to show when something went wrong. */
  get story(): string {
    const state = this.#exit === undefined ? "is running" : `ended with ${this.#exit}`;
    return [`${this.name} ${state}; its last lines:`, ...this.#lines.slice(-20).map((line) => `  ${line}`)].join("\n");
  }

  /** Resolves when `ready` does; rejects when the process ends before, or takes too long. */
  async until(ready: () => Promise<boolean> | boolean, withinMs = 60_000): Promise<void> {
    const until = Date.now() + withinMs;
    while (!(await ready())) {
      if (!this.running || Date.now() > until) throw new Error(`${this.name} did not become ready: ${this.story}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  said(text: string): boolean {
    return this.#lines.some((line) => line.includes(text));
  }

  /** Asks it to end, insists after a while, and resolves with how it ended. */
  async end(): Promise<string> {
    if (!this.running) return this.#exit ?? "";
    this.#process.kill("SIGTERM");
    const insist = setTimeout(() => this.#process.kill("SIGKILL"), graceMs);
    const exit = await this.#exited;
    clearTimeout(insist);
    return exit;
  }
}
