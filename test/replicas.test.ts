/** Endpoints with several replicas through the whole engine. */
import type { EndpointSpecification } from "../src/config/specification";
import type { ReplicaFailure } from "../src/event";
import { homeWorker } from "../src/router/endpoint";
import { type Dispatched, EngineDriver } from "./support/engine-driver";
import { endpointSpecification } from "./support/module";

const URLS = ["http://one/", "http://two/"];

function running(overrides: Partial<EndpointSpecification> = {}): EngineDriver {
  const endpoints = [endpointSpecification({ urls: URLS, ...overrides })];
  return EngineDriver.running({ module: { endpoints }, options: { retryFirstMs: 100 } });
}

const receive = (driver: EngineDriver, ...ids: string[]) =>
  driver.receive(driver.onlyInput, ...ids.map((id) => [id, "1"] as const));

/** "id@replica" of what is in flight. */
const where = (driver: EngineDriver) => driver.inFlight.map(({ id, effect }) => `${id}@${effect.replica}`);

function fail(driver: EngineDriver, { invocation, id }: Dispatched, failure: ReplicaFailure): void {
  driver.inFlight.splice(
    driver.inFlight.findIndex((each) => each.id === id),
    1,
  );
  driver.apply({ kind: "invocation_failed", invocation, reason: "refused", failure });
}

const replicas = (driver: EngineDriver) => driver.engine.view(driver.now).endpoints[0]?.replicas;

test("requests go to the replica with the fewest in flight, within the slots of each", () => {
  const driver = running({ concurrency: 2 });
  receive(driver, "a", "b", "c", "d", "e");
  expect(where(driver)).toEqual(["a@0", "b@1", "c@0", "d@1"]);
  driver.reply({}, "d");
  expect(where(driver)).toEqual(["a@0", "b@1", "c@0", "e@1"]);
  expect(driver.engine.view(driver.now).endpoints[0]).toMatchObject({ concurrency: 4, inFlight: 4, queued: 0 });
});

test("states that are missing are asked for where they were missed", () => {
  const driver = running();
  receive(driver, "a", "b");
  driver.incomplete([{ state_name: "s", type_typename: "ex/t" }], "b");
  expect(where(driver)).toEqual(["a@0", "b@1"]);
});

test("a replica that cannot be reached is avoided, and the messages it failed are done by the other", () => {
  const driver = running({ concurrency: 4 });
  receive(driver, "a", "b", "c", "d", "e", "f");
  for (const request of driver.inFlight.filter(({ effect }) => effect.replica === 0)) fail(driver, request, "connection");
  expect(replicas(driver)).toMatchObject([
    { url: "http://one/", concurrency: 0, inFlight: 0, health: "avoided" },
    { url: "http://two/", concurrency: 4, inFlight: 3, health: "well" },
  ]);
  while (driver.inFlight.length > 0) driver.reply();
  driver.advance(150); // They have rested, each for its own time.
  expect(where(driver).sort()).toEqual(["a@1", "c@1", "e@1"]);
  while (driver.inFlight.length > 0) driver.reply();
  expect(driver.reports().filter((text) => text.startsWith("endpoint"))).toEqual([
    "endpoint ex/*: replica http://one/ is avoided for 1000 ms: refused; 1 of 2 replicas are well",
  ]);
});

test("it is tried again by its own clock, with one request, and serves again when that is answered", () => {
  const driver = running({ concurrency: 1 });
  const others: string[] = [];
  for (let i = 0; i < 3; i++) {
    receive(driver, `a${i}`, `b${i}`);
    fail(driver, driver.inFlight.find(({ effect }) => effect.replica === 0) as Dispatched, "timeout");
    others.push(driver.reply().id);
  }
  receive(driver, "c", "d", "e");
  driver.advance(50);
  expect([where(driver), replicas(driver)?.[0]?.health]).toEqual([["c@1"], "avoided"]);
  driver.advance(1_000); // Nothing else happens meanwhile than that addresses have rested.
  expect(replicas(driver)?.[0]?.health).toBe("probing");
  const probe = driver.inFlight.find(({ effect }) => effect.replica === 0) as Dispatched;
  expect(driver.inFlight).toHaveLength(2);
  driver.reply({}, probe.id);
  expect([replicas(driver)?.[0]?.health, driver.inFlight.length]).toEqual(["well", 2]);
  expect(driver.reports()).toContain("endpoint ex/*: replica http://one/ answers again; 2 of 2 replicas are well");
});

test("in placement home an address has its replica, and another while that is avoided", () => {
  const driver = running({ placement: "home", concurrency: 2 });
  const ids = Array.from({ length: 40 }, (_, i) => `id${i}`).filter((id) => homeWorker(id, 2) === 0);
  receive(driver, ...ids.slice(0, 4));
  expect(where(driver)).toEqual(ids.slice(0, 2).map((id) => `${id}@0`));
  for (let i = 0; i < 3; i++) fail(driver, driver.request(), "connection");
  expect(where(driver)).toEqual([`${ids[3]}@0`]);
  receive(driver, ...ids.slice(4, 6));
  expect(where(driver)).toEqual([`${ids[3]}@0`, `${ids[4]}@1`, `${ids[5]}@1`]);
});

test("a replica that asks to be left alone for a while is, with found slots, until then", () => {
  const driver = running({ urls: ["http://one/"], adaptive: true, concurrency: 100 });
  receive(driver, ...Array.from({ length: 9 }, (_, i) => `a${i}`));
  expect(driver.inFlight).toHaveLength(8);
  driver.answer(new Uint8Array(0), "a0", { status: 429, retryAfterMs: 3_000 });
  for (let i = 1; i < 8; i++) driver.reply({}, `a${i}`);
  driver.commitAll();
  driver.advance(2_999);
  expect(driver.inFlight).toEqual([]);
  driver.advance(1);
  expect(where(driver).sort()).toEqual(["a0@0", "a8@0"]);
});
