/**
 * Merge strategies as text (DUAL-MODE.md 2.8):
 *
 *   strategy = plain | "max-by(" path ")" | "partition(" path ")" | "map(" strategy ")"
 */
import { JSON_PATH_EXPECTED, parseJsonPath } from "./field-path";
import { type Finding, nearest } from "./finding";
import type { MergeSpecification } from "./specification";

type PlainKind = Exclude<MergeSpecification["kind"], "max-by" | "map" | "partition">;

const PLAIN: readonly PlainKind[] = ["sum", "count", "min", "max", "set-union", "list-concat", "latest", "exclusive", "function"];
/** All strategies, as one would write them. */
export const MERGES: readonly string[] = [...PLAIN, "max-by(path)", "map(strategy)", "partition(path)"];
const WORDS = MERGES.map((text) => text.replace(/\(.*/, ""));
/** They are about a whole state, or about where its messages go; the values of a map have no say in that. */
const WHOLE: readonly string[] = ["latest", "exclusive", "function", "partition"] satisfies MergeSpecification["kind"][];
/** Nobody counts in maps of more maps than this; the bound keeps a reader's recursion small. */
const DEPTH_MAX = 8;

export type MergeFault = Pick<Finding, "problem" | "expected" | "nearest">;

export type ReadMerge = { readonly merge: MergeSpecification } | { readonly fault: MergeFault };

export function parseMerge(text: string): ReadMerge {
  return parse(text, 0);
}

function parse(text: string, depth: number): ReadMerge {
  const [, word = "", inside] = /^\s*([\w-]+)\s*(?:\((.*)\))?\s*$/s.exec(text) ?? [];
  const plain = PLAIN.find((kind) => kind === word);
  if (depth > 0 && WHOLE.includes(word))
    return fault(`has ${word} in a map`, "it for the whole state, or another strategy inside");
  if (plain !== undefined) {
    return inside === undefined ? { merge: { kind: plain } } : fault(`has something in brackets after ${plain}`, plain);
  }
  switch (word) {
    case "max-by":
    case "partition":
      return withPath(word, inside);
    case "map":
      if (inside === undefined) return fault("does not say how the values of the map are merged", "for example map(sum)");
      if (depth === DEPTH_MAX) return fault(`has more than ${DEPTH_MAX} maps in each other`, `at most ${DEPTH_MAX}`);
      return mapOf(parse(inside, depth + 1));
    default:
      return {
        fault: { problem: "is not a merge strategy", expected: MERGES.join(", "), nearest: nearest(word || text, WORDS) },
      };
  }
}

function withPath(kind: "max-by" | "partition", inside: string | undefined): ReadMerge {
  const path = inside === undefined || /[()]/.test(inside) ? undefined : parseJsonPath(inside.trim());
  if (path === undefined) return fault(`has no path after ${kind}`, `${kind}(path): ${JSON_PATH_EXPECTED}`);
  return { merge: kind === "max-by" ? { kind, path } : { kind, keyPath: path } };
}

function mapOf(inner: ReadMerge): ReadMerge {
  return "fault" in inner ? inner : { merge: { kind: "map", inner: inner.merge } };
}

function fault(problem: string, expected: string): ReadMerge {
  return { fault: { problem, expected } };
}
