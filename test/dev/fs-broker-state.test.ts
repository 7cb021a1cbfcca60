import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrokerState, readState, removeState, writeState } from "../../src/dev/fs-broker-state";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "dirigo-state-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test.each<BrokerState>([
  { engine: "jvm", port: 9092, pid: 7, started: "boot:1" },
  { engine: "docker", port: 9092, container: "dirigo-broker-x", containerId: "f00" },
])("what is written is read: %j", (state) => {
  const deeper = join(directory, "new");
  writeState(deeper, state);
  expect(readState(deeper)).toEqual(state);
  expect(readdirSync(deeper)).toEqual(["broker.json"]);
  removeState(deeper);
  expect(readState(deeper)).toBeUndefined();
});

test("a damaged note says where it is and what to do", () => {
  writeFileSync(join(directory, "broker.json"), "{");
  expect(() => readState(directory)).toThrow(/cannot read .*broker\.json.*remove it if no broker runs there/);
});
