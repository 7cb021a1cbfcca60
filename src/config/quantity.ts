/** Durations, sizes and instants as people write them. Every reader answers undefined for text it does not understand. */

/** Flink's own units (`TimeUtils.parseDuration`), in ms. */
const DURATION_UNITS: Readonly<Record<string, number>> = {
  ...units(86_400_000, "d", "day", "days"),
  ...units(3_600_000, "h", "hour", "hours"),
  ...units(60_000, "m", "min", "minute", "minutes"),
  ...units(1_000, "s", "sec", "secs", "second", "seconds"),
  ...units(1, "", "ms", "milli", "millis", "millisecond", "milliseconds"),
  ...units(1e-3, "µs", "μs", "us", "micro", "micros", "microsecond", "microseconds"),
  ...units(1e-6, "ns", "nano", "nanos", "nanosecond", "nanoseconds"),
};

const SIZE_UNITS: Readonly<Record<string, number>> = {
  ...units(1, "", "b", "bytes"),
  ...units(1024, "k", "kb", "kib"),
  ...units(1024 ** 2, "m", "mb", "mib"),
  ...units(1024 ** 3, "g", "gb", "gib"),
};

function units(factor: number, ...names: string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, factor]));
}

/** A Flink duration in whole ms: `500`, `10s`, `1 min`. What is shorter than a millisecond but not nothing counts as one. */
export function parseDuration(text: string): number | undefined {
  const ms = parseWithUnit(text, DURATION_UNITS);
  return ms === undefined ? undefined : Math.ceil(ms);
}

/** A number of bytes: `1048576`, `4 MiB`. Units are binary, with or without the `i`. */
export function parseSize(text: string): number | undefined {
  return parseWithUnit(text, SIZE_UNITS);
}

function parseWithUnit(text: string, factors: Readonly<Record<string, number>>): number | undefined {
  const parts = /^(\d+)\s*(\D*)$/.exec(text.trim());
  const factor = parts === null ? undefined : factors[(parts[2] ?? "").toLowerCase()];
  if (parts === null || factor === undefined) return undefined;
  const value = Number(parts[1]) * factor;
  return Number.isSafeInteger(Math.ceil(value)) ? value : undefined;
}

export function parseWhole(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text.trim())) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A decimal number: `3`, `0.25`, `-1`. */
export function parseNumber(text: string): number | undefined {
  if (!/^[+-]?(?:\d+(?:\.\d+)?|\.\d+)$/.test(text.trim())) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/**
 * StateFun's `yyyy-MM-dd HH:mm:ss.SSS Z`, in ms since 1970. Its documentation's own example (`2020-02-01 04:15:00.00 Z`) does not
 * match that pattern; it is clear what it means, so it is taken here, and so is ISO 8601 with a zone.
 */
export function parseInstant(text: string): number | undefined {
  const parts = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,3}))? ?(Z|[+-]\d\d:?\d\d)$/.exec(text.trim());
  if (parts === null) return undefined;
  const [, date = "", time = "", fraction = "", zone = ""] = parts;
  const local = `${date}T${time}.${fraction.padEnd(3, "0")}`;
  const utc = Date.parse(`${local}Z`);
  // Date.parse rolls 30 February over to March; the round trip tells.
  if (Number.isNaN(utc) || new Date(utc).toISOString() !== `${local}Z`) return undefined;
  const shift = zone === "Z" ? zone : `${zone.slice(0, 3)}:${zone.slice(-2)}`;
  const instant = Date.parse(local + shift);
  return Number.isNaN(instant) ? undefined : instant;
}

/** `host:port,host:port` as Kafka clients read it: blanks and a `PROTOCOL://` in front are dropped. Undefined when a part is not one. */
export function parseBrokers(text: string): readonly string[] | undefined {
  const brokers: string[] = [];
  for (const part of text.split(",")) {
    if (part.trim() === "") continue;
    const match = /^(?:[\w.-]+:\/\/)?(\[[0-9a-fA-F:.%]+\]|[\w.-]+):(\d{1,5})$/.exec(part.trim());
    if (match === null || Number(match[2]) < 1 || Number(match[2]) > 65_535) return undefined;
    brokers.push(`${match[1]}:${Number(match[2])}`);
  }
  return brokers.length === 0 ? undefined : [...new Set(brokers)].sort();
}

/** Kafka's rule for the name of a topic. */
export function isTopicName(text: string): boolean {
  return /^[\w.-]{1,249}$/.test(text) && text !== "." && text !== "..";
}
