/** The real bin/dirigo, as a process. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RouterOptions } from "../src/config/specification";
import { whereabouts } from "../src/main";
import { paths } from "../src/observe/admin-views";
import { APPLICATION, and, EGRESS, ENDPOINT, FUNCTION, INGRESS, without } from "./config/module-text";
import { engineOptions, HOME, moduleSpecification } from "./support/module";

const BIN = join(__dirname, "../../bin/dirigo");
const folder = mkdtempSync(join(tmpdir(), "dirigo-main-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function dirigo(args: readonly string[], environment: Record<string, string> = {}) {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(DIRIGO_|KAFKA_)/.test(name)));
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    cwd: folder,
    env: { ...clean, ...environment },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

function file(name: string, ...documents: readonly string[]): string {
  writeFileSync(join(folder, name), documents.join("---\n"));
  return name;
}

test("validate: a good module exits 0 and says what is in it", () => {
  expect(dirigo(["validate", "-f", file("good.yaml", ENDPOINT, INGRESS, EGRESS)])).toEqual({
    status: 0,
    stdout: "valid: 1 endpoint, 1 ingress topic, 1 egress\n",
    stderr: "",
  });
});

test("validate: our own kinds are counted where there are any", () => {
  expect(dirigo(["validate", "-f", file("ours.yaml", ENDPOINT, INGRESS, APPLICATION, FUNCTION)]).stdout).toBe(
    "valid: 1 endpoint, 1 ingress topic, 0 egresses, 1 application, 1 document of functions\n",
  );
});

test("validate: warnings are told and do not fail", () => {
  const { status, stdout } = dirigo(["validate", "-f", file("warned.yaml", and(ENDPOINT, "colour: red"), INGRESS)]);
  expect(status).toBe(0);
  expect(stdout.split("\n")).toEqual([
    "warning: warned.yaml:5: document 1, spec.colour: is an option nobody knows here; it has no effect",
    "valid: 1 endpoint, 1 ingress topic, 0 egresses",
    "",
  ]);
});

test("validate: every finding is one line, over several files, and exits 1", () => {
  const first = file("a.yaml", ENDPOINT.replace("shop/*", "shop/card"));
  const second = file("b.yaml", INGRESS);
  const { status, stdout } = dirigo(["validate", "-f", first, "-f", second]);
  expect(status).toBe(1);
  expect(stdout).toBe(
    'error: b.yaml:9: document 1, spec.topics[0].targets[0]: "shop/cart" is served by no endpoint; expected shop/card; did you mean "shop/card"?\n',
  );
});

test("validate reads DIRIGO_MODULE, then module.yaml; placeholders come from the environment", () => {
  const spoilt = file("from-variable.yaml", ENDPOINT, INGRESS.replace("kafka:9092", "$".concat("{BROKER}")));
  expect(dirigo(["validate"], { DIRIGO_MODULE: spoilt }).stdout).toContain("the environment variable BROKER, which is not set");
  expect(dirigo(["validate"], { DIRIGO_MODULE: spoilt, BROKER: "k:1" }).status).toBe(0);
  expect(dirigo(["validate"]).stderr).toBe(
    "error: module.yaml: cannot be read: there is no such file; expected the path of a module.yaml\n",
  );
});

test("run refuses a wrong configuration with all its findings, on standard error", () => {
  const path = file("bare.yaml", ENDPOINT, without(INGRESS, "address").replace("shop/cart", "shop/*"));
  const { status, stdout, stderr } = dirigo(["run", "-f", path, "--shards", "0"], { DIRIGO_LOG: "loud" });
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr.split("\n")).toEqual([
    'error: bare.yaml:13: document 2, spec.topics[0].targets[0]: "shop/*" is not a function; expected namespace/name, with one slash',
    'error: --shards (DIRIGO_SHARDS): "0" is not possible; expected a whole number from 1 to 1024',
    'error: DIRIGO_LOG (--log): "loud" is not possible; expected pretty or json',
    "error: --brokers (DIRIGO_BROKERS, KAFKA_BOOTSTRAP_SERVERS): is not given; expected --brokers host:port, or an address in the first ingress",
    "",
  ]);
});

test("dev says where things are: each path of the admin server, too", () => {
  const options = { ...engineOptions(), cluster: HOME, adminHost: "127.0.0.1", adminPort: 9070 } as RouterOptions;
  const admin = whereabouts({ module: moduleSpecification(), options }, undefined).find((line) => line.startsWith("  admin "));
  expect(admin).toBe(`  admin      http://127.0.0.1:9070 (${paths.join(", ")})`);
});

test("dev tells what is wrong before it starts a broker for it", () => {
  const path = file("wrong.yaml", ENDPOINT, without(INGRESS, "address").replace("shop/cart", "shop/*"));
  const { status, stdout, stderr } = dirigo(["dev", "-f", path]);
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toContain('"shop/*" is not a function');
});

test("control tail wants a group and its brokers, of a module or by name", () => {
  const tail = (...flags: string[]) => dirigo(["control", "tail", ...flags]);
  expect(tail("--group", "g", "--brokers", "nowhere")).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringContaining('--brokers (DIRIGO_BROKERS, KAFKA_BOOTSTRAP_SERVERS): "nowhere" is no list of brokers'),
  });
  const bare = file("no-group.yaml", ENDPOINT, without(INGRESS, "consumerGroupId"));
  expect(tail("-f", bare, "--brokers", "kafka:9092").stderr).toContain("--group (DIRIGO_GROUP): is not given");
  expect(tail("--group", "g").stderr).toContain("module.yaml: cannot be read");
});

test("a misspelt verb and a wrong port are one sentence and exit 1", () => {
  expect(dirigo(["vaildate"])).toMatchObject({
    status: 1,
    stderr: "error: unknown command 'vaildate'\n(Did you mean validate?)\n",
  });
  expect(dirigo(["broker", "up", "--port", "x"])).toMatchObject({
    status: 1,
    stderr: 'error: "x" is not a port; expected a number from 0 to 65535\n',
  });
});

test("--version is the package's", () => {
  const { version } = require("../../package.json") as { version: string };
  expect(dirigo(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
});
