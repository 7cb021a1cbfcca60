/** `bin/dirigo control tail` in a process of its own, with nothing of our environment that it would take for its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

export class ControlTail {
  out = "";
  errors = "";
  readonly exited: Promise<number | null>;
  readonly #process: ChildProcess;

  constructor(args: readonly string[]) {
    const bin = join(__dirname, "..", "..", "..", "bin", "dirigo");
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(DIRIGO_|KAFKA_)/.test(name)));
    this.#process = spawn(process.execPath, [bin, "control", "tail", ...args], {
      env: clean,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process.stdout?.on("data", (data: Buffer) => {
      this.out += data;
    });
    this.#process.stderr?.on("data", (data: Buffer) => {
      this.errors += data;
    });
    this.exited = new Promise((resolve) => this.#process.once("close", resolve));
  }

  get lines(): string[] {
    return this.out.split("\n").slice(0, -1);
  }

  /** As Ctrl-C does; how it ended. */
  async interrupt(): Promise<number | null> {
    this.#process.kill("SIGINT");
    return await this.exited;
  }

  /** Whoever read its lines goes away. */
  async leave(): Promise<number | null> {
    this.#process.stdout?.destroy();
    return await this.exited;
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.exited;
  }
}
