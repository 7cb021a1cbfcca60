/** What processes take of the machine, read from /proc: CPU time of all their threads, and the most memory they had. */
import { readdirSync, readFileSync } from "node:fs";

/** Kernels count in ticks of 10 ms as seen from outside (sysconf(_SC_CLK_TCK) is 100 on every Linux that Node runs on). */
const ticksPerSecond = 100;
const everyMs = 50;

/** undefined: it is gone; whoever waits for its work says so. */
function cpuSeconds(pid: number | string): number | undefined {
  const stat = readProcess(pid, "stat");
  if (stat === undefined) return undefined;
  // The name in parentheses may hold blanks; utime and stime are fields 14 and 15, counted from 1.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** CPU time of those threads of a process that have such a name. */
export function threadSeconds(pid: number, name: RegExp): number {
  let seconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const path = `${pid}/task/${thread}`;
    if (name.test(readProcess(path, "comm") ?? "")) seconds += cpuSeconds(path) ?? 0;
  }
  return seconds;
}

/** VmHWM: the largest resident set so far. */
export function peakMegabytes(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB/m.exec(readProcess(pid, "status") ?? "");
  return Number(line?.[1] ?? Number.NaN) / 1024;
}

function readProcess(pid: number | string, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

interface Sample {
  readonly atMs: number;
  readonly seconds: number;
}

/** CPU time of some processes over time, so that it can be told for an interval that is only known afterwards. */
export class UsageSampler {
  readonly #samples = new Map<string, Sample[]>();
  readonly #timer: NodeJS.Timeout;

  constructor(readonly pids: Readonly<Record<string, number>>) {
    if (process.platform !== "linux") throw new Error("CPU times are read from /proc: the benchmarks need Linux");
    for (const name of Object.keys(pids)) this.#samples.set(name, []);
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), everyMs);
  }

  #sample(): void {
    const atMs = Date.now();
    for (const [name, pid] of Object.entries(this.pids)) {
      const seconds = cpuSeconds(pid);
      if (seconds !== undefined) this.#samples.get(name)?.push({ atMs, seconds });
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#sample();
  }

  /** CPU seconds of one of them between two instants. */
  between(name: string, fromMs: number, toMs: number): number {
    return this.#at(name, toMs) - this.#at(name, fromMs);
  }

  #at(name: string, atMs: number): number {
    const samples = this.#samples.get(name) ?? [];
    const after = samples.findIndex((sample) => sample.atMs >= atMs);
    const [first, last] = [samples[0], samples.at(-1)];
    if (first === undefined || last === undefined) throw new Error(`${name} was not sampled`);
    if (after <= 0) return after === 0 ? first.seconds : last.seconds;
    const [before, next] = [samples[after - 1] as Sample, samples[after] as Sample];
    const part = (atMs - before.atMs) / Math.max(1, next.atMs - before.atMs);
    return before.seconds + part * (next.seconds - before.seconds);
  }
}
