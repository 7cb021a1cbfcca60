/** What merging costs the router itself: a turn has no clock, so this is measured once, outside (docs/PERFORMANCE.md, Merging). */
import type { MergeSpecification } from "../config/specification";

const MIB = 1024 * 1024;

/** ms per byte of both sides together, as `bench/merging.ts` tells them for parts of 1 to 4 MiB; 0: the router does not merge it. */
export function mergeMsPerByte(specification: MergeSpecification): number {
  return msPerMebibyte(specification) / MIB;
}

function msPerMebibyte(specification: MergeSpecification): number {
  switch (specification.kind) {
    case "latest":
      return 0.1; // Its bytes are compared at most.
    case "sum":
    case "count":
    case "min":
    case "max":
    case "max-by":
    case "list-concat":
      return 5; // Walked, to see that it is JSON.
    case "set-union":
      return 12;
    case "partition":
      return 14;
    case "map": // Values are walked once more where they are merged.
      return 14 + msPerMebibyte(specification.inner);
    case "function":
    case "exclusive":
      return 0;
  }
}
