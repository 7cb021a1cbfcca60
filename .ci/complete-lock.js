/**
 * npm leaves packages for other platforms out of package-lock.json when the registry at hand does not have them, and `npm ci`
 * then refuses the lock everywhere. This writes their entries: name, version and platform, which is all npm needs to pass
 * them by, or to fetch them where they fit. To be run after `npm install` (test/lock-file.test.ts says when):
 *
 *   node .ci/complete-lock.js
 */
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const FILE = join(__dirname, "..", "package-lock.json");
/** As such packages are named: `…-linux-x64-musl`, `…-darwin-arm64`, `…-linux-arm-gnueabihf`. */
const PLATFORM = /[-/]([a-z]+(?:32)?)-(arm64|arm|x64|ia32|loong64|ppc64|riscv64|s390x)(?:-(gnu|musl)?[a-z]*)?$/;

/** Optional dependencies without an entry, as [path in node_modules, entry]. */
function missingEntries({ packages }) {
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {}, dev }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages))
      .map(([name, version]) => [`node_modules/${name}`, entry(name, version, dev)]),
  );
  return [...new Map(missing)];
}

function entry(name, version, dev) {
  const [, os, cpu, libc] = PLATFORM.exec(name) ?? [];
  if (os === undefined || !/^\d/.test(version)) throw new Error(`cannot tell the platform or version of ${name}@${version}`);
  return {
    version,
    cpu: [cpu],
    ...(dev ? { dev } : {}),
    ...(os === "linux" && libc ? { libc: [libc === "gnu" ? "glibc" : libc] } : {}),
    optional: true,
    os: [os],
  };
}

function complete(lock) {
  const { "": root, ...others } = lock.packages;
  const entries = [...Object.entries(others), ...missingEntries(lock)].sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...lock, packages: { "": root, ...Object.fromEntries(entries) } };
}

module.exports = { missingEntries, complete };

if (require.main === module) {
  const lock = JSON.parse(readFileSync(FILE, "utf8"));
  for (const [path] of missingEntries(lock)) console.log(`added ${path}`);
  writeFileSync(FILE, `${JSON.stringify(complete(lock), undefined, 2)}\n`);
}
