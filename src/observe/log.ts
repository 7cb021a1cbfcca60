/** What is worth telling people: a whole sentence, and fields for machines. Adapters and the runtime are given one of these. */
import type { ReportLevel } from "../effect";

export type Log = (level: ReportLevel, text: string, fields?: Readonly<Record<string, unknown>>) => void;

/** From the least to the most urgent. */
export const logLevels: readonly ReportLevel[] = ["debug", "info", "warn", "error"];
