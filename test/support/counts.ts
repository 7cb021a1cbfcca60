/** How many tests passed and failed, over suites that count differently. */

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** What `jest --json` writes, as far as it is counted. */
interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  /** Files that did not even load have no failed tests. */
  readonly numRuntimeErrorTestSuites: number;
}

/** A run that failed without a failed test (a broken setup, a test that outlived its file) counts one failure. */
export function jestCounts(report: string, succeeded: boolean): Counts {
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(report) as JestReport;
  const failed = numFailedTests + numRuntimeErrorTestSuites;
  return { passed: numPassedTests, failed: failed === 0 && !succeeded ? 1 : failed };
}

/** The simulator ends with its own line of seeds that passed and failed. */
export function simulatorCounts(output: string, succeeded: boolean): Counts {
  const [, passed, failed] = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1) ?? [];
  if (passed === undefined || failed === undefined) return { passed: 0, failed: 1 };
  return { passed: Number(passed), failed: failed === "0" && !succeeded ? 1 : Number(failed) };
}

export function sum(counts: readonly Counts[]): Counts {
  return counts.reduce((a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed }), { passed: 0, failed: 0 });
}

/** Nothing run is no success. */
export function verdict({ passed, failed }: Counts): { readonly line: string; readonly exitCode: number } {
  return { line: `${passed} passed, ${failed} failed`, exitCode: failed > 0 || passed === 0 ? 1 : 0 };
}
