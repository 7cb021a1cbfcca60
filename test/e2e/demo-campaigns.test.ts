/** `npm run demo:campaigns`, shorter: all totals of both sides are exact, and it ends by itself, or when it is asked to, with all it started. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { bootstrap, openKafka, type TestKafka, uniqueName, waitFor } from "../support/kafka";

const demo = join(__dirname, "..", "..", "examples", "campaigns", "demo.js");

class Run {
  readonly name = uniqueName("campaigns");
  readonly #process: ChildProcess;
  readonly exited: Promise<number | null>;
  output = "";

  constructor(seconds: number) {
    const flags = ["--seconds", String(seconds), "--brokers", bootstrap(), "--name", this.name];
    this.#process = spawn(process.execPath, [demo, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    this.exited = new Promise((resolve, reject) => {
      this.#process.once("error", reject);
      this.#process.once("close", (code) => resolve(code));
    });
  }

  /** Itself, and what it has started, have its name among their parameters. */
  get processes(): string[] {
    const all = execFileSync("ps", ["-A", "-ww", "-o", "args="], { encoding: "utf8", maxBuffer: 2 ** 26 });
    return all.split("\n").filter((line) => line.includes(this.name));
  }

  interrupt(): void {
    this.#process.kill("SIGINT");
  }

  async end(): Promise<void> {
    this.interrupt();
    await this.exited;
  }
}

describe("the demo of campaigns", () => {
  let kafka: TestKafka;
  let run: Run | undefined;

  beforeAll(async () => {
    kafka = await openKafka();
  });

  afterEach(() => run?.end());
  afterAll(() => kafka?.close());

  test("ends by itself, with every total of both sides as computed directly, and lessees on one", async () => {
    run = new Run(15);
    const code = await run.exited;
    expect({ code, output: run.output }).toEqual({
      code: 0,
      output: expect.stringContaining("check: every total of both sides is as computed directly"),
    });
    expect(run.output).toMatch(/lessees opened\s+0\s+[1-9]/);
    expect(run.output).toMatch(/[1-9]\d* windows of campaigns and shops on each side/);
    expect(run.processes).toEqual([]);
  });

  test("leaves nothing behind when it is interrupted", async () => {
    run = new Run(60);
    const running = run;
    await waitFor(() => /[1-9]\d* clicks and purchases so far/.test(running.output), "clicks", { seen: () => running.output });
    // The demo itself, and a router and a function service of each side.
    expect(run.processes.length).toBeGreaterThanOrEqual(4);
    run.interrupt();
    expect(await run.exited).toBe(130);
    expect(run.processes).toEqual([]);
  });
});
