/**
 * A log line for people: `12:34:56.789 WARN  text  key=value`. Texts carry what came out of records, so control characters are
 * shown and not obeyed, and a line break starts no line that could be taken for one of ours.
 */
import type { ReportLevel } from "../effect";

const colours: Readonly<Record<ReportLevel, string>> = {
  debug: "\u001b[2m",
  info: "\u001b[32m",
  warn: "\u001b[33m",
  error: "\u001b[31m",
};
const plain = "\u001b[0m";
const dim = "\u001b[2m";

export function prettyLine(
  at: Date,
  level: ReportLevel,
  text: string,
  fields: Readonly<Record<string, unknown>> | undefined,
  coloured: boolean,
): string {
  const time = at.toISOString().slice(11, 23);
  const word = level.toUpperCase().padEnd(5);
  const pairs = fields === undefined ? "" : pairsOf(fields);
  if (!coloured) return `${time} ${word} ${visible(text)}${pairs}\n`;
  return `${dim}${time}${plain} ${colours[level]}${word}${plain} ${visible(text)}${pairs === "" ? "" : `${dim}${pairs}${plain}`}\n`;
}

function pairsOf(fields: Readonly<Record<string, unknown>>): string {
  let pairs = "";
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) pairs += `  ${visible(name)}=${valueText(value)}`;
  }
  return pairs;
}

function valueText(value: unknown): string {
  switch (typeof value) {
    case "string":
      return /^[^\s"=]+$/.test(value) ? visible(value) : visible(JSON.stringify(value));
    case "object":
      return visible(value instanceof Error ? (value.stack ?? value.message) : jsonText(value));
    default:
      return String(value);
  }
}

function jsonText(value: object | null): string {
  try {
    return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner));
  } catch {
    return "[circular]";
  }
}

function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) =>
    character === "\n" ? "\n    " : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
