/** What is wrong with a configuration, said so that one can go there and mend it. */

export interface Finding {
  /** The file, or the flag and variable of an option. */
  readonly file: string;
  readonly line?: number;
  /** Number of the YAML document within its file, from 1. */
  readonly document?: number;
  /** Where inside the document: `spec.topics[0].targets[1]`. */
  readonly path?: string;
  /** The value as it reads after placeholders; left out when there is none, or when it is a secret. */
  readonly value?: string;
  readonly problem: string;
  readonly expected?: string;
  /** The nearest known name, for a misspelt one. */
  readonly nearest?: string;
}

/** Findings stop the start; warnings are only told. */
export interface Report {
  readonly findings: Finding[];
  readonly warnings: Finding[];
}

/** A value longer than this is cut in a finding; a pasted certificate would hide the sentence. */
const VALUE_SHOWN_MAX = 80;

/** `module.yaml:7: document 1, spec.functions: "a/b/c" is not a function; expected namespace/name; did you mean "a/b"?` */
export function findingText(finding: Finding): string {
  const inside = [finding.document === undefined ? undefined : `document ${finding.document}`, finding.path || undefined];
  const place = [
    finding.line === undefined ? finding.file : `${finding.file}:${finding.line}`,
    inside.filter((part) => part !== undefined).join(", "),
  ];
  const sentence = [
    finding.value === undefined ? finding.problem : `${quoted(finding.value)} ${finding.problem}`,
    finding.expected === undefined ? undefined : `expected ${finding.expected}`,
    finding.nearest === undefined ? undefined : `did you mean ${quoted(finding.nearest)}?`,
  ];
  return `${place.filter((part) => part !== "").join(": ")}: ${sentence.filter((part) => part !== undefined).join("; ")}`;
}

function quoted(value: string): string {
  return JSON.stringify(value.length <= VALUE_SHOWN_MAX ? value : `${value.slice(0, VALUE_SHOWN_MAX)}…`);
}

/** The candidate a misspelt name most likely means: at most a third of its letters differ. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Edit distance where two neighbouring letters swapped count once (optimal string alignment). */
export function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1];
      let distance = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) distance = Math.min(distance, at(beforeLast, column - 2) + 1);
      current.push(distance);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, right.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
