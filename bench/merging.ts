/**
 * What the merges of a barrier cost the router: `node dist/bench/merging.js [KiB …]`. A lessor and four lessees have states of each size; told
 * is the time their merges take together, and that of one merge per MiB of its two sides. Times are those the thread ran (Linux), median of several.
 */
import { readFileSync } from "node:fs";
import type { MergeSpecification } from "../src/config/specification";
import { Random } from "../src/model/random";
import { mergeValue, type PartValue } from "../src/state/merge";
import { encodeContent } from "../src/state/merge-typed";
import { median } from "./statistics";

const KIB = 1024;
const LANES = 5;
const SAMPLES = 3;
const SAMPLE_MS = 120;
const random = new Random(1);
const below = (end: number) => random.below(end);

interface Kind {
  readonly name: string;
  readonly specification: MergeSpecification;
  /** A value of about so many bytes; of its keys others have half. */
  readonly text: (bytes: number) => string;
}

const KINDS: readonly Kind[] = [
  { name: "latest", specification: { kind: "latest" }, text: (bytes) => JSON.stringify("x".repeat(bytes)) },
  { name: "sum", specification: { kind: "sum" }, text: () => String(below(1e9)) },
  { name: "set-union of ids", specification: { kind: "set-union" }, text: list(() => String(below(2e9))) },
  { name: "set-union of texts", specification: { kind: "set-union" }, text: list(() => `"user-${below(4e6)}"`) },
  {
    name: "set-union of objects",
    specification: { kind: "set-union" },
    text: list(() => `{"user":"u${below(4e5)}","at":${below(1e9)},"tags":["a","b"]}`),
  },
  {
    name: "list-concat",
    specification: { kind: "list-concat" },
    text: list(() => `{"user":"u${below(4e5)}","at":${below(1e9)}}`),
  },
  {
    name: "map of sums",
    specification: { kind: "map", inner: { kind: "sum" } },
    text: object((i) => `"item-${2 * i + below(2)}":${below(1000)}`),
  },
  {
    name: "map of sets",
    specification: { kind: "map", inner: { kind: "set-union" } },
    text: object((i) => `"group-${2 * i + below(2)}":[${Array.from({ length: 6 }, () => below(1e5)).join(",")}]`),
  },
  {
    name: "map of max-by",
    specification: { kind: "map", inner: { kind: "max-by", path: ["score"] } },
    text: object((i) => `"group-${2 * i + below(2)}":{"score":${below(1e5)},"name":"n${below(1e9)}"}`),
  },
];

function list(element: (i: number) => string) {
  return (bytes: number) => `[${upTo(bytes, element)}]`;
}

function object(member: (i: number) => string) {
  return (bytes: number) => `{${upTo(bytes, member)}}`;
}

function upTo(bytes: number, next: (i: number) => string): string {
  const parts: string[] = [];
  for (let length = 0; length < bytes; length += (parts.at(-1) as string).length + 1) parts.push(next(parts.length));
  return parts.join(",");
}

/** Of the main thread, whatever else runs on this machine, ms. */
function ranMs(): number {
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
}

/** Some kernels tell that time in steps of 4 ms: each sample is of many runs. The first is of code that V8 still compiles. */
function timed(work: () => void): number {
  const samples = Array.from({ length: SAMPLES + 1 }, () => {
    const before = ranMs();
    let runs = 0;
    do {
      work();
      runs++;
    } while (ranMs() - before < SAMPLE_MS);
    return (ranMs() - before) / runs;
  });
  return median(samples.slice(1));
}

/** Neighbours in pairs, then pairs of pairs, as scaling/consolidation.ts does. */
function consolidate(specification: MergeSpecification, parts: readonly PartValue[]): void {
  const lanes = [...parts];
  for (let step = 1; step < lanes.length; step *= 2) {
    for (let i = 0; i + step < lanes.length; i += 2 * step)
      lanes[i] = mergeValue(specification, lanes[i] as PartValue, lanes[i + step] as PartValue);
  }
}

const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [16, 64, 1024, 4096, 16384];
for (const { name, specification, text } of KINDS) {
  const told = sizes.map((kib) => {
    const parts = Array.from({ length: LANES }, (_, i) => ({
      bytes: encodeContent("bench/value", { kind: "json", value: text(kib * KIB) }),
      writtenMs: i,
    }));
    const barrier = timed(() => consolidate(specification, parts));
    const one = timed(() => mergeValue(specification, parts[0] as PartValue, parts[1] as PartValue));
    return `${kib} KiB: ${barrier.toFixed(2)} ms, ${((one * 1024) / (2 * kib)).toFixed(1)} ms/MiB`;
  });
  console.log(`${name.padEnd(22)}${told.join(" | ")}`);
}
