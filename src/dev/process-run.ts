/** Runs a command to its end. */
import { spawn } from "node:child_process";

export interface Ran {
  /** undefined: the command does not exist or could not be started. */
  readonly code: number | undefined;
  /** Standard output and standard error as they came. */
  readonly output: string;
}

/** Enough for the end of a long story: Maven and Java say what went wrong last. */
const OUTPUT_CHARACTERS_MAX = 200_000;

export function run(command: string, args: readonly string[], line: (line: string) => void = () => {}): Promise<Ran> {
  return new Promise((resolve) => {
    let output = "";
    let rest = "";
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: process.env });
    const take = (chunk: Buffer) => {
      const text = chunk.toString("utf8");
      output = (output + text).slice(-OUTPUT_CHARACTERS_MAX);
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const each of lines) line(each);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", (error) => resolve({ code: undefined, output: error.message }));
    child.once("close", (code, signal) => resolve({ code: code ?? (signal ? 128 : 1), output }));
  });
}

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}
