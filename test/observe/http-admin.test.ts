import { readFileSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import path from "node:path";
import { ConfigError } from "../../src/model/errors";
import { paths } from "../../src/observe/admin-views";
import { type Admin, openAdmin } from "../../src/observe/http-admin";
import { hotActor, hotExplanation, nowMs, SampleRouter, shard } from "./samples";

let admin: Admin;
let router: SampleRouter;
const loopback = "127.0.0.1";

beforeEach(async () => {
  router = new SampleRouter();
  admin = await openAdmin({ host: loopback, port: 0 }, router);
});
afterEach(() => admin.close());

async function get(path: string): Promise<{ status: number; type: string | null; text: string }> {
  const reply = await fetch(`http://${loopback}:${admin.port}${path}`);
  return { status: reply.status, type: reply.headers.get("content-type"), text: await reply.text() };
}

test("/healthz is 200 while all is well, then 503 with the reasons", async () => {
  const well = await get("/healthz");
  expect([well.status, JSON.parse(well.text)]).toEqual([200, { healthy: true, reasons: [] }]);
  router.life = { ...router.life, stopped: "out of memory" };
  const ill = await get("/healthz");
  expect([ill.status, JSON.parse(ill.text)]).toEqual([
    503,
    { healthy: false, reasons: ["the engine has stopped: out of memory"] },
  ]);
});

test("/readyz is 503 with the progress of the restore, then 200", async () => {
  router.now = {
    ...router.now,
    phase: "claiming",
    shards: [
      shard(0, "restoring", { restoredRecords: 5_000, restoredBytes: 1_000_000, remainingRecords: 2_500, restoringMs: 100 }),
    ],
  };
  const behind = await get("/readyz");
  expect(behind.status).toBe(503);
  expect(JSON.parse(behind.text)).toMatchObject({
    ready: false,
    reason: "1 of 1 shards do not run yet: shard 0 is restoring",
    phase: "claiming",
    restored: { records: 5_000, bytes: 1_000_000, remainingRecords: 2_500, recordsPerSecond: 50_000 },
    shards: [{ shard: 0, phase: "restoring" }],
  });
  router.now = { ...router.now, phase: "running", shards: [shard(0, "running")] };
  expect((await get("/readyz")).status).toBe(200);
});

test("/metrics is Prometheus text: ours, the process and its event loop", async () => {
  router.counter.in = 42;
  const reply = await get("/metrics");
  expect([reply.status, reply.type]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  expect(reply.text).toContain('dirigo_function_in_total{function="shop/\\"counter\\""} 42\n');
  expect(reply.text).toContain("\nprocess_cpu_seconds_total ");
  expect(reply.text).toContain("\nnodejs_eventloop_lag_p99_seconds ");
});

test("/v1/status tells what runs where", async () => {
  router.units.committed = 9;
  router.units.lastCommitMs = Date.parse("2026-11-21T11:59:00Z");
  router.fraud.met = 3;
  router.fraud.missed.slot = 1;
  const reply = await get("/v1/status");
  expect(reply.status).toBe(200);
  expect(JSON.parse(reply.text)).toMatchObject({
    group: "shop",
    router: "router-1",
    version: "0.1.0",
    phase: "running",
    ready: true,
    uptimeMs: 61_500,
    shards: [{ shard: 0, phase: "running" }, { shard: 1 }, { shard: 2 }],
    inputs: [
      {
        ingress: "shop/orders",
        topic: "orders",
        partition: 0,
        position: 12,
        lowWatermark: 10,
        outstanding: 2,
        pausedReasons: ["depth", "bytes"],
      },
      { partition: 1 },
      { ingress: "shop/clicks" },
    ],
    endpoints: [
      {
        id: "shop/*",
        concurrency: 64,
        inFlight: 3,
        queued: 7,
        replicas: [{ url: "http://one/" }, { url: "http://two/", concurrency: 0, inFlight: 1, health: "avoided" }],
      },
    ],
    units: { committed: 9, failed: 0, lastCommitAt: "2026-11-21T11:59:00.000Z" },
    functions: [{ function: 'shop/"counter"', in: 0 }],
    applications: [
      { application: "fraud", met: 3, missed: { key: 0, slot: 1, retry: 0, function: 0, commit: 0 }, attainment: 0.75 },
    ],
    actors: 3,
    inFlight: 7,
  });
});

test("/v1/status sums what functions in dual mode do", async () => {
  Object.assign(router.campaign, { leasesGranted: 5, lessees: 2, held: 4, heldBytes: 1_200, sections: 3 });
  router.campaign.leasesEnded.barrier = 3;
  const { dualFunctions } = JSON.parse((await get("/v1/status")).text);
  expect(dualFunctions).toEqual([
    {
      function: "shop/campaign",
      leasesGranted: 5,
      leasesEnded: { barrier: 3, critical: 0, idle: 0, policy: 0, recovery: 0 },
      forwarded: 0,
      sections: 3,
      criticalMessages: 0,
      lateBarriers: 0,
      mergeFailures: 0,
      controlMessages: 0,
      lessees: 2,
      held: 4,
      heldBytes: 1_200,
    },
  ]);
});

test("/v1/applications tells attainment, causes of misses and what was left at dispatch", async () => {
  router.fraud.met = 3;
  router.fraud.missed.barrier = 1;
  for (const ms of [-20_000, 5, 7, 20_000]) router.fraud.laxityMs.observe(ms);
  const reply = await get("/v1/applications");
  expect(reply.status).toBe(200);
  const [fraud] = JSON.parse(reply.text).applications;
  expect(fraud).toMatchObject({
    application: "fraud",
    met: 3,
    missed: { key: 0, slot: 0, barrier: 1, retry: 0, function: 0, commit: 0 },
    attainment: 0.75,
    laxity: { count: 4, meanMs: 3 },
  });
  expect(fraud).toMatchObject({
    slo: { latencyMs: 300, percentile: 95, from: "record-timestamp" },
    recent: { met: 0, kept: null },
  });
  expect(fraud.laxity.buckets.filter((each: { count: number }) => each.count > 0)).toEqual([
    { fromMs: null, toMs: -10_000, count: 1 },
    { fromMs: 0, toMs: 10, count: 2 },
    { fromMs: 10_000, toMs: null, count: 1 },
  ]);
});

test.each([
  [94, 6, false],
  [95, 5, true],
])(
  "/v1/applications tells whether the SLO is kept these days, by its percentile: %i met, %i missed",
  async (met, missed, kept) => {
    for (let i = 0; i < 100; i++) router.fraud.recent.observe(!kept, nowMs - 3_600_000); // Long ago.
    for (let i = 0; i < met + missed; i++) router.fraud.recent.observe(i < met, nowMs);
    const [fraud] = JSON.parse((await get("/v1/applications")).text).applications;
    expect(fraud.recent).toMatchObject({ attainment: met / 100, kept });
  },
);

test("/v1/actors asks for the busiest, of one function or of all", async () => {
  const reply = await get("/v1/actors?function=shop/campaign&top=3&by=held");
  expect([reply.status, JSON.parse(reply.text)]).toEqual([200, { live: 1, actors: [hotActor] }]);
  expect(router.query).toEqual({ function: "shop/campaign", top: 3, by: "held" });
  await get("/v1/actors");
  expect(router.query).toEqual({ function: undefined, top: 20, by: "lessees" });
  await get("/v1/actors?top=5000");
  expect(router.query?.top).toBe(200);
});

test.each([
  ["/v1/actors?top=0", 400, "top: expected a number from 1 to 200"],
  ["/v1/actors?top=many", 400, "top: expected a number from 1 to 200"],
  ["/v1/actors?by=size", 400, "by: expected lessees or held"],
  ["/v1/actors?function=a/b&function=c/d", 400, "function is given more than once"],
  [
    "/v1/actors?function=shop/none",
    404,
    "no function shop/none in dual mode has had a message on this router since it started; there are shop/campaign",
  ],
  ["/v1/explain?function=shop/campaign", 400, "expected one function and one id: /v1/explain?function=namespace/name&id=the-id"],
  [
    "/v1/explain?function=shop/none&id=a",
    404,
    'no function shop/none has had a message on this router since it started; there are shop/"counter"',
  ],
])("%s is %i and says why", async (path, status, error) => {
  const reply = await get(path);
  expect([reply.status, JSON.parse(reply.text)]).toEqual([status, { error }]);
});

test("/v1/explain tells of one actor, whatever its id", async () => {
  const reply = await get(`/v1/explain?function=shop/campaign&id=${encodeURIComponent("ä/b c&d")}`);
  expect([reply.status, JSON.parse(reply.text)]).toEqual([200, { ...hotExplanation, id: "ä/b c&d" }]);
});

test("other paths say what there is", async () => {
  const reply = await get("/status");
  expect(reply.status).toBe(404);
  expect(JSON.parse(reply.text)).toEqual({
    error: "there is nothing at GET /status",
    paths: ["/healthz", "/readyz", "/metrics", "/v1/status", "/v1/applications", "/v1/actors", "/v1/explain"],
  });
});

test("every path is documented", () => {
  const documented = readFileSync(path.resolve(__dirname, "../../../docs/observability.md"), "utf8");
  expect(paths.filter((each) => !documented.includes(`\`${each}\``))).toEqual([]);
});

test("a source that throws is a 500 with its message, for any page, and ends nothing", async () => {
  router.measures = () => {
    throw new Error("no measures yet");
  };
  for (const path of ["/metrics", "/v1/status", "/v1/applications"]) {
    const reply = await get(path);
    expect([reply.status, JSON.parse(reply.text)]).toEqual([500, { error: "no measures yet" }]);
  }
  expect((await get("/healthz")).status).toBe(200);
});

test("a port in use is told with option and variable", async () => {
  const again = openAdmin({ host: loopback, port: admin.port }, router);
  await expect(again).rejects.toThrow(ConfigError);
  await expect(again).rejects.toThrow(
    `the admin server's port ${admin.port} on ${loopback} is in use: choose another with --admin-port or DIRIGO_ADMIN_PORT (0 = any free port)`,
  );
});

test("an address that is not ours is told with the option for the host", async () => {
  await expect(openAdmin({ host: "192.0.2.1", port: 0 }, router)).rejects.toThrow(
    /192\.0\.2\.1.*--admin-host.*DIRIGO_ADMIN_HOST/,
  );
});

test("closing does not wait for clients that stay connected, and frees the port", async () => {
  const socket = net.connect(admin.port, loopback);
  await new Promise((resolve) => socket.once("connect", resolve));
  const gone = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => undefined);
  await get("/healthz");
  await admin.close();
  await gone;
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(admin.port, loopback, resolve));
  expect((server.address() as AddressInfo).port).toBe(admin.port);
  await new Promise((resolve) => server.close(resolve));
});
