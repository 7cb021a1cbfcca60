import { readFileSync } from "node:fs";
import path from "node:path";
import { metricsText } from "../../src/observe/metrics";
import { nowMs, SampleRouter, shard } from "./samples";

/** Series without comment lines: `name{labels}` → value. */
function scrape(router: SampleRouter): { text: string; series: Map<string, number> } {
  const text = metricsText(router);
  const series = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    series.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return { text, series };
}

test("every number of the engine is read at the moment of the scrape", () => {
  const router = new SampleRouter();
  expect(metricsText(router)).toContain('dirigo_function_in_total{function="shop/\\"counter\\""} 0');
  Object.assign(router.counter, { in: 11, outLocal: 12, outEgress: 13, outDelayed: 14, failures: 15, inflight: 16, backlog: 17 });
  Object.assign(router.counter, { retrying: 18, incomplete: 19 });
  Object.assign(router.orders, { received: 21, skippedNullKey: 22, skippedTombstone: 23, outstanding: 24 });
  Object.assign(router.units, { committed: 31, failed: 32, bytes: 34, lastCommitMs: nowMs });
  const { series } = scrape(router);
  const of = { function: '{function="shop/\\"counter\\""}', orders: '{ingress="shop/orders",topic="orders"}' };
  const expected: Record<string, number> = {
    [`dirigo_function_in_total${of.function}`]: 11,
    [`dirigo_function_out_local_total${of.function}`]: 12,
    [`dirigo_function_out_egress_total${of.function}`]: 13,
    [`dirigo_function_out_delayed_total${of.function}`]: 14,
    [`dirigo_function_remote_invocation_failures_total${of.function}`]: 15,
    [`dirigo_function_inflight_requests${of.function}`]: 16,
    [`dirigo_function_backlog_messages${of.function}`]: 17,
    [`dirigo_function_retrying_addresses${of.function}`]: 18,
    [`dirigo_function_incomplete_total${of.function}`]: 19,
    [`dirigo_ingress_received_total${of.orders}`]: 21,
    'dirigo_ingress_skipped_total{ingress="shop/orders",topic="orders",defect="null_key"}': 22,
    'dirigo_ingress_skipped_total{ingress="shop/orders",topic="orders",defect="tombstone"}': 23,
    [`dirigo_ingress_outstanding_records${of.orders}`]: 24,
    'dirigo_ingress_paused_partitions{ingress="shop/orders",topic="orders",reason="depth"}': 2,
    'dirigo_ingress_paused_partitions{ingress="shop/orders",topic="orders",reason="bytes"}': 1,
    dirigo_unit_committed_total: 31,
    dirigo_unit_failed_total: 32,
    dirigo_unit_bytes_total: 34,
    dirigo_unit_last_commit_timestamp_seconds: nowMs / 1000,
    dirigo_stale_events_total: 1,
    dirigo_policy_faults_total: 2,
    dirigo_actors: 3,
    dirigo_state_bytes: 4,
    dirigo_delayed_messages: 5,
    dirigo_mailbox_bytes: 6,
    dirigo_inflight_requests: 7,
    dirigo_restored_records: 300,
    dirigo_restored_bytes: 15_000,
    dirigo_ready: 1,
    dirigo_healthy: 1,
    'dirigo_shards{phase="running"}': 3,
    'dirigo_endpoint_concurrency{endpoint="shop/*"}': 64,
    'dirigo_endpoint_inflight_requests{endpoint="shop/*"}': 3,
    'dirigo_endpoint_queued_addresses{endpoint="shop/*"}': 7,
    'dirigo_replica_concurrency{endpoint="shop/*",replica="http://one/"}': 64,
    'dirigo_replica_inflight_requests{endpoint="shop/*",replica="http://one/"}': 2,
    'dirigo_replica_avoided{endpoint="shop/*",replica="http://one/"}': 0,
    'dirigo_replica_concurrency{endpoint="shop/*",replica="http://two/"}': 0,
    'dirigo_replica_inflight_requests{endpoint="shop/*",replica="http://two/"}': 1,
    'dirigo_replica_avoided{endpoint="shop/*",replica="http://two/"}': 1,
    'dirigo_build_info{group="shop",router="router-1",version="0.1.0"}': 1,
  };
  expect(Object.fromEntries(Object.keys(expected).map((key) => [key, series.get(key)]))).toEqual(expected);
});

test("histograms are cumulative and in seconds", () => {
  const router = new SampleRouter();
  for (const ms of [0.2, 1.2, 1.5, 3, 90_000]) router.counter.latencyMs.observe(ms);
  router.counter.batchSize.observeMany(3, 2);
  router.orders.endToEndMs.observe(2);
  router.units.commitMs.observe(4);
  router.units.size.observe(100);
  const { series } = scrape(router);
  const latency = (le: string) =>
    series.get(`dirigo_function_remote_invocation_latency_seconds_bucket{function="shop/\\"counter\\"",le="${le}"}`);
  expect(["0.00025", "0.001", "0.0015", "0.0025", "0.004", "60", "+Inf"].map(latency)).toEqual([1, 1, 3, 3, 4, 4, 5]);
  expect(series.get('dirigo_function_remote_invocation_latency_seconds_sum{function="shop/\\"counter\\""}')).toBeCloseTo(
    90.0059,
    9,
  );
  expect(series.get('dirigo_function_remote_invocation_latency_seconds_count{function="shop/\\"counter\\""}')).toBe(5);
  expect(series.get('dirigo_function_batch_messages_bucket{function="shop/\\"counter\\"",le="4"}')).toBe(2);
  expect(series.get('dirigo_ingress_end_to_end_seconds_bucket{ingress="shop/orders",topic="orders",le="0.0025"}')).toBe(1);
  expect(series.get('dirigo_unit_commit_seconds_bucket{le="0.004"}')).toBe(1);
  expect(series.get('dirigo_unit_records_bucket{le="128"}')).toBe(1);
});

test("an application's deadlines: met, missed by cause, and what was left at dispatch", () => {
  const router = new SampleRouter();
  router.fraud.met = 8;
  router.fraud.missed.slot = 2;
  for (const ms of [-20, 5]) router.fraud.laxityMs.observe(ms);
  const { series } = scrape(router);
  const expected = {
    'dirigo_application_slo_met_total{application="fraud"}': 8,
    'dirigo_application_slo_missed_total{application="fraud",cause="slot"}': 2,
    'dirigo_application_slo_missed_total{application="fraud",cause="commit"}': 0,
    'dirigo_application_laxity_seconds_bucket{application="fraud",le="0"}': 1,
    'dirigo_application_laxity_seconds_bucket{application="fraud",le="-0.1"}': 0,
    'dirigo_application_laxity_seconds_count{application="fraud"}': 2,
  };
  expect(Object.fromEntries(Object.keys(expected).map((key) => [key, series.get(key)]))).toEqual(expected);
});

test("functions in dual mode: leases, sections, what is held", () => {
  const router = new SampleRouter();
  Object.assign(router.campaign, {
    leasesGranted: 1,
    lessees: 2,
    forwarded: 3,
    sections: 4,
    criticalMessages: 5,
    lateBarriers: 6,
  });
  Object.assign(router.campaign, { mergeFailures: 7, controlMessages: 8, held: 9, heldBytes: 10 });
  router.campaign.leasesEnded.idle = 11;
  router.campaign.stepMs.drain.observe(4);
  router.fraud.missed.barrier = 12;
  const { series } = scrape(router);
  const labels = 'function="shop/campaign"';
  const expected = {
    [`dirigo_dual_leases_granted_total{${labels}}`]: 1,
    [`dirigo_dual_lessees{${labels}}`]: 2,
    [`dirigo_dual_forwarded_total{${labels}}`]: 3,
    [`dirigo_dual_sections_total{${labels}}`]: 4,
    [`dirigo_dual_critical_messages_total{${labels}}`]: 5,
    [`dirigo_dual_late_barriers_total{${labels}}`]: 6,
    [`dirigo_dual_merge_failures_total{${labels}}`]: 7,
    [`dirigo_dual_control_messages_total{${labels}}`]: 8,
    [`dirigo_dual_held_messages{${labels}}`]: 9,
    [`dirigo_dual_held_bytes{${labels}}`]: 10,
    [`dirigo_dual_leases_ended_total{${labels},reason="idle"}`]: 11,
    [`dirigo_dual_leases_ended_total{${labels},reason="barrier"}`]: 0,
    [`dirigo_dual_section_seconds_bucket{${labels},step="drain",le="0.0025"}`]: 0,
    [`dirigo_dual_section_seconds_bucket{${labels},step="drain",le="0.004"}`]: 1,
    [`dirigo_dual_section_seconds_count{${labels},step="align"}`]: 0,
    'dirigo_application_slo_missed_total{application="fraud",cause="barrier"}': 12,
  };
  expect(Object.fromEntries(Object.keys(expected).map((key) => [key, series.get(key)]))).toEqual(expected);
});

test("phases and health follow the router", () => {
  const router = new SampleRouter();
  router.now = { ...router.now, shards: [shard(0, "running"), shard(1, "restoring")] };
  router.life = { ...router.life, heartbeatAtMs: 0 };
  const { series } = scrape(router);
  expect(series.get('dirigo_shards{phase="restoring"}')).toBe(1);
  expect(series.get('dirigo_shards{phase="running"}')).toBe(1);
  expect([series.get("dirigo_ready"), series.get("dirigo_healthy")]).toEqual([0, 0]);
});

test("every metric is documented", () => {
  const { text } = scrape(new SampleRouter());
  const documented = readFileSync(path.resolve(__dirname, "../../../docs/observability.md"), "utf8");
  const names = [...text.matchAll(/^# TYPE (dirigo_\w+) /gm)].map((match) => match[1] as string);
  expect(names.length).toBeGreaterThan(30);
  expect(names.filter((name) => !documented.includes(`\`${name}\``))).toEqual([]);
});
