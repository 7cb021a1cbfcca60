/** `npm ci` refuses a lock that lacks packages for other platforms; npm itself writes such locks (.ci/complete-lock.js). */
import { readFileSync } from "node:fs";
import { join } from "node:path";

type Lock = { readonly packages: Readonly<Record<string, object>> };

const ROOT = join(__dirname, "..", "..");
const { missingEntries, complete } = require(join(ROOT, ".ci", "complete-lock.js")) as {
  missingEntries(lock: Lock): readonly (readonly [string, object])[];
  complete(lock: Lock): Lock;
};
const text = readFileSync(join(ROOT, "package-lock.json"), "utf8");

test("the lock is whole; if not, run: node .ci/complete-lock.js", () => {
  expect(missingEntries(JSON.parse(text)).map(([path]) => path)).toEqual([]);
});

test("the lock names no registry: everybody's own is used", () => {
  expect(text).not.toMatch(/"resolved"/);
});

test("a missing package is written with its platform", () => {
  const tool = { optionalDependencies: { "@a/tool-linux-arm64-musl": "1.2.3", "tool-win32-x64-msvc": "1.2.3" }, dev: true };
  const whole = complete({ packages: { "": {}, "node_modules/tool": tool } });
  expect(whole.packages["node_modules/@a/tool-linux-arm64-musl"]).toEqual({
    version: "1.2.3",
    cpu: ["arm64"],
    dev: true,
    libc: ["musl"],
    optional: true,
    os: ["linux"],
  });
  expect(whole.packages["node_modules/tool-win32-x64-msvc"]).toMatchObject({ cpu: ["x64"], os: ["win32"] });
  expect(missingEntries(whole)).toEqual([]);
});
