import { jestCounts, simulatorCounts, sum, verdict } from "./counts";

const report = (numPassedTests: number, numFailedTests: number, numRuntimeErrorTestSuites: number) =>
  JSON.stringify({ numPassedTests, numFailedTests, numRuntimeErrorTestSuites });

test.each([
  [report(5, 0, 0), true, { passed: 5, failed: 0 }],
  [report(5, 2, 0), false, { passed: 5, failed: 2 }],
  // A file that does not load has no tests that could fail.
  [report(5, 0, 1), false, { passed: 5, failed: 1 }],
  // A setup that throws, after all tests have passed.
  [report(5, 0, 0), false, { passed: 5, failed: 1 }],
])("%s with success %s counts %j", (text, succeeded, counts) => {
  expect(jestCounts(text, succeeded)).toEqual(counts);
});

test.each([
  ["10 of 12 seeds\n12 passed, 0 failed\n", true, { passed: 12, failed: 0 }],
  ["10 passed, 2 failed\n", false, { passed: 10, failed: 2 }],
  ["12 passed, 0 failed\n", false, { passed: 12, failed: 1 }],
  ["it broke off", false, { passed: 0, failed: 1 }],
  ["it said nothing of use", true, { passed: 0, failed: 1 }],
])("a simulation that said %j with success %s counts %j", (output, succeeded, counts) => {
  expect(simulatorCounts(output, succeeded)).toEqual(counts);
});

test("suites are added up, and a failure anywhere is a failure", () => {
  const all = sum([
    { passed: 1, failed: 0 },
    { passed: 10, failed: 2 },
  ]);
  expect(verdict(all)).toEqual({ line: "11 passed, 2 failed", exitCode: 1 });
  expect(verdict({ passed: 11, failed: 0 })).toEqual({ line: "11 passed, 0 failed", exitCode: 0 });
});

test("nothing run is no success", () => {
  expect(verdict(sum([]))).toEqual({ line: "0 passed, 0 failed", exitCode: 1 });
});
