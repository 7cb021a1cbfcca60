/** The house stays tidy: rooms, faces, adapters and purity hold in every file, and breaking them is noticed. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findings, importedFiles, LET_BE, roomOf, SHARED_FILES, type SourceFile } from "./tidy/house";

// Seen from dist/test/, where this runs compiled.
const SOURCES = join(__dirname, "..", "..", "src");

function sources(): SourceFile[] {
  const names = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return names.map((name) => ({
    path: name.replace(/\.ts$/, "").replaceAll("\\", "/"),
    text: readFileSync(join(SOURCES, name), "utf8"),
  }));
}

const finding = (path: string, text: string) => findings([{ path, text }]).join("\n");

describe("the house", () => {
  test("is tidy", () => {
    expect(sources().length).toBeGreaterThan(50);
    expect(findings(sources())).toEqual([]);
  });

  test("shares only files with no room behind them", () => {
    const shared = sources().filter(({ path }) => SHARED_FILES.includes(path));
    expect(shared.map(({ path }) => path).sort()).toEqual([...SHARED_FILES].sort());
    const leaning = shared.flatMap((file) =>
      importedFiles(file)
        .filter((target) => !SHARED_FILES.includes(target) && !["model", "config"].includes(roomOf(target) ?? ""))
        .map((target) => `${file.path} → ${target}`),
    );
    expect(leaning).toEqual([]);
  });
});

test("an exception that nobody needs any more is taken off the list", () => {
  const ways = sources().flatMap((file) => importedFiles(file).map((target) => `${file.path} → ${target}`));
  expect(Object.keys(LET_BE).filter((way) => !ways.includes(way))).toEqual([]);
});

describe("a violation is caught", () => {
  test.each([
    ["router/mailbox", 'import { readFileSync } from "node:fs";', "imports node:fs: only adapters may"],
    ["router/mailbox", 'import { Kafka } from "kafkajs";', "imports kafkajs: only adapters may"],
    ["router/mailbox", 'const fs = require("node:fs");', "imports node:fs"],
    ["router/mailbox", 'const fs = import("node:fs");', "imports node:fs"],
    ["functions/invoker", 'import { Endpoint } from "./http-endpoint";', "imports the adapter functions/http-endpoint"],
    ["egress/outbox", 'import type { Link } from "../cluster/link";', "imports the adapter cluster/link"],
    ["engine", 'import { sink } from "./egress/kafka-sink";', "imports the adapter egress/kafka-sink"],
    ["ingress/intake", 'import { Router } from "../router/router";', "ingress reaches router through the engine"],
    ["ingress/intake", 'import type { Mailbox } from "../router/mailbox";', "entered by its face, router/router"],
    ["ingress/intake", 'import { Engine } from "../engine";', "imports go down"],
    ["egress/kafka-sink", 'import { Router } from "../router/router";', "egress reaches router through the engine"],
    ["egress/kafka-sink", 'import { claims } from "../scaling/kafka-claims";', "entered by its face, scaling/tenure"],
    ["state/store", "const now = Date.now();", "state/store:1 reads a clock"],
    ["state/store", "// when\nconst now = new Date();", "state/store:2 reads a clock"],
    ["state/store", `const text = \`at $\{Date.now()}\`;`, "reads a clock"],
    ["state/store", "const dice = Math.random();", "throws dice"],
    ["state/store", "setTimeout(() => {}, 5);", "sets a timer"],
    ["state/store", 'console.log("here");', "writes to the console"],
    ["state/store", "const home = process.env.HOME;", "touches the process"],
    ["state/store", "async function load() {}", "is asynchronous"],
    ["state/store", "const load = async (name) => {};", "is asynchronous"],
    ["state/store", "class A {\n  async load() {}\n}", "state/store:2 is asynchronous"],
    ["state/store", "const value = await load();", "is asynchronous"],
    ["functions/sdk/batch", "const now = Date.now();", "reads a clock"],
    ["router/RunQueue", "", '"RunQueue" is not kebab-case'],
    ["router/run_queue", "", '"run_queue" is not kebab-case'],
    ["util/strings", "", "there is no room util"],
    ["router/router", `${"\n".repeat(501)}const a = 1;`, "at most 500"],
  ])("%s: %s", (path, text, expected) => {
    expect(finding(path, text)).toContain(expected);
  });

  test("imports that go round, even in one room", () => {
    const a = { path: "router/a", text: 'import { b } from "./b";' };
    const b = { path: "router/b", text: 'export { c } from "./c";' };
    const c = { path: "router/c", text: 'import { a } from "./a";' };
    expect(findings([a, b, c])).toEqual(["imports go round: router/a → router/b → router/c → router/a"]);
    expect(findings([a, b, { ...c, text: 'import type { a } from "./a";' }])).toEqual([]);
  });
});

describe("what is right is let be", () => {
  test.each([
    ["router/mailbox", 'import type { Store } from "../state/store";'],
    ["functions/invoker", 'import { Store } from "../state/store";'],
    ["scaling/tenure", 'import { Router } from "../router/router";'],
    ["egress/outbox", 'import { pending } from "../functions/pending";\nimport {\n  one,\n  two,\n} from "../model/errors";'],
    ["egress/kafka-sink", 'import { Kafka } from "kafkajs";\nimport { Link } from "../cluster/link";\nawait link(Date.now());'],
    ["runtime", 'import { sink } from "./egress/kafka-sink";\nsetTimeout(() => {}, 5);'],
    ["dev/broker", 'import { spawn } from "node:child_process";\nconsole.log(Date.now());'],
    ["functions/sdk/batch", "await handler();"],
    ["config/endpoint", "const fields = SHAPES.async.names; const shapes = { async: 1 };"],
    [
      "state/store",
      "// Date.now() is not used here\n/* nor setTimeout */ const said = 'Math.random()'; const told = `await it`;",
    ],
    ["state/store", 'const quote = /["\'`]/; const later = "Date.now()"; const when = new Date(later);'],
  ])("%s: %s", (path, text) => {
    expect(finding(path, text)).toBe("");
  });
});
