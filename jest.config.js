/**
 * Tests are compiled by `npm run build` (tsc) and run from dist/, so that they exercise exactly what ships.
 * `unit` needs nothing; `kafka` shares one broker, started for the run (test/support/kafka-setup.ts), or uses the one
 * that DIRIGO_TEST_KAFKA names.
 */
const common = { testEnvironment: "node", rootDir: __dirname, roots: ["<rootDir>/dist/test"] };
const real = ["integration", "conformance", "e2e"];

module.exports = {
  // Bounds a test that hangs; those that start processes or wait for them say more themselves.
  testTimeout: 300_000,
  projects: [
    {
      ...common,
      displayName: "unit",
      testMatch: ["**/*.test.js"],
      testPathIgnorePatterns: real.map((folder) => `<rootDir>/dist/test/${folder}/`),
    },
    {
      ...common,
      displayName: "kafka",
      testMatch: real.map((folder) => `<rootDir>/dist/test/${folder}/**/*.test.js`),
      globalSetup: "<rootDir>/dist/test/support/kafka-setup.js",
      globalTeardown: "<rootDir>/dist/test/support/kafka-teardown.js",
    },
  ],
};
