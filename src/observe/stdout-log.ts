/**
 * The log on standard output: `pretty` for people, `json` (pino, one object per line) for machines. Repeated lines are held back
 * and counted (line-limit.ts).
 */
import type { ReportLevel } from "../effect";
import { prettyLine } from "./line-format";
import { defaultLimits, LineLimit, type LineLimits, type Summary } from "./line-limit";
import { type Log, logLevels } from "./log";

export interface StdoutLog {
  readonly log: Log;
  /** Tells what is still held back. Lines are written as they come, so there is nothing else to wait for. */
  close(): void;
}

export interface LogOptions {
  readonly format: "pretty" | "json";
  readonly level: ReportLevel;
  /** For tests. */
  readonly write?: (line: string) => void;
  readonly limits?: LineLimits;
}

type Write = (level: ReportLevel, text: string, fields: Readonly<Record<string, unknown>> | undefined) => void;

export function openLog(options: LogOptions): StdoutLog {
  const out = options.write ?? stdout();
  const write = options.format === "json" ? jsonWriter(options.level, out) : prettyWriter(out);
  const least = logLevels.indexOf(options.level);
  const limit = new LineLimit(options.limits ?? defaultLimits);
  let timer: NodeJS.Timeout | undefined;

  const tell = (summaries: readonly Summary[]) => {
    for (const { level, text, suppressed } of summaries) write(level, text, { suppressed });
  };
  const arm = (now: number) => {
    const next = limit.nextDueMs();
    if (timer !== undefined || next === undefined) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        const later = performance.now();
        tell(limit.due(later));
        arm(later);
      },
      next - now + 1,
    ).unref();
  };

  return {
    log(level, text, fields) {
      if (logLevels.indexOf(level) < least) return;
      const now = performance.now();
      tell(limit.due(now));
      if (limit.admit(now, level, text)) write(level, text, fields);
      else arm(now);
    },
    close() {
      clearTimeout(timer);
      tell(limit.due(Number.POSITIVE_INFINITY));
    },
  };
}

function stdout(): (line: string) => void {
  // Whoever read our lines has gone (`dirigo run | head`): no reason for a router to stop.
  process.stdout.on("error", () => undefined);
  return (line) => process.stdout.write(line);
}

function prettyWriter(out: (line: string) => void): Write {
  const coloured = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
  return (level, text, fields) => out(prettyLine(new Date(), level, text, fields, coloured));
}

function jsonWriter(level: ReportLevel, out: (line: string) => void): Write {
  // 20 ms to load: only for those who asked for JSON.
  const pino = require("pino") as typeof import("pino");
  const logger = pino.pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    { write: out },
  );
  return (at, text, fields) => logger[at](fields ?? {}, text);
}
