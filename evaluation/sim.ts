/** One run of one configuration in virtual time. */
import type { EngineOptions } from "../src/config/specification";
import type { PolicyModules } from "../src/router/applications";
import type { Policy } from "../src/router/policy/policy";
import { edf } from "../src/router/policy/ranks";
import { ControlWatch } from "./control-watch";
import { functionsOf, Meter, type Output } from "./functions";
import type { Load } from "./load";
import { type ApplicationResult, Measurement, measuredInterval, SlotTime, satisfactions } from "./metrics";
import { type Configuration, marksCloses, moduleOf, OWN_POLICIES } from "./module";
import { planOf } from "./plan";
import { type IngressRecord, recordsOf } from "./records";
import spread from "./spread-policy";
import { type Incoming, PHYSICS, type Physics, START_MS, VirtualWorld } from "./virtual-world";
import { workloadOf } from "./workload";

export interface Run {
  readonly load: Load;
  readonly configuration: Configuration;
  readonly seed: number;
  readonly physics?: Partial<Physics>;
}

export interface RunResult {
  readonly applications: readonly ApplicationResult[];
  /** What is wrong with totals; empty in every run that is not wrong on purpose. */
  readonly faults: readonly string[];
  /** By name, for tables; `metrics.ts` says what they mean. */
  readonly values: Readonly<Record<string, number>>;
}

const GROUP = "mix";
const OUT = "out";

export function simulate({ load, configuration, seed, physics: changed }: Run): RunResult {
  const workload = workloadOf(load, seed);
  const physics: Physics = { ...PHYSICS, ...changed };
  const plan = planOf(load, configuration.replicas, seed);
  const meter = new Meter();
  const measurement = new Measurement(workload);
  const interval = measuredInterval(load);
  const control = new ControlWatch(interval, START_MS);
  const slots = new SlotTime(interval);
  const urls = Array.from({ length: configuration.replicas }, (_, replica) => `http://worker-${replica}`);
  const world = new VirtualWorld({
    options: OPTIONS,
    module: moduleOf(load, configuration, { brokers: "kafka:9092", urls, group: GROUP }),
    policies: OWN,
    seed,
    physics,
    functions: functionsOf({ load, plan, seed, topic: OUT, meter, mergeMs: physics.mergeMs }),
    meter,
    inputs: load.applications.flatMap(({ partitions }, source) =>
      Array.from({ length: partitions }, (_, partition) => ({ source, partition })),
    ),
    incoming: incomingOf(recordsOf(workload, plan, marksCloses(configuration))),
    observer: {
      delivered(_topic, { value }, atMs) {
        measurement.output(JSON.parse(Buffer.from(value ?? []).toString("utf8")) as Output, atMs - START_MS);
      },
      handled: (records, atMs) => measurement.handled(records, atMs - START_MS),
      control({ key, value }) {
        if (key && value) control.take(key, value);
      },
      served: (_replica, fromMs, toMs, workMs) => slots.served(fromMs - START_MS, toMs - START_MS, workMs),
    },
  });
  world.run();
  const applications = measurement.results();
  const values = { ...satisfactions(applications), ...slots.values(configuration.replicas), ...control.values() };
  return { applications, faults: measurement.faults(), values };
}

function incomingOf(records: readonly IngressRecord[]): Incoming[] {
  return records.map(({ atMs, application, partition, offset, key, value, timestampMs, headers }) => ({
    atMs: START_MS + atMs,
    source: application,
    partition,
    record: {
      offset,
      key,
      value,
      timestampMs: START_MS + timestampMs,
      headers: Object.entries(headers).map(([name, text]) => ({ key: name, value: text })),
    },
  }));
}

/** As the product loads them: hooks that a policy leaves out order by deadline. */
const OWN: PolicyModules = new Map([[OWN_POLICIES.spread, (): Policy => ({ ...edf(), ...spread() })]]);

/** The product's defaults, with bounds that no load of these comes near: who is overloaded is late, and the producers do not wait. */
const OPTIONS: EngineOptions = {
  group: GROUP,
  router: "r",
  shards: 8,
  delivery: "exactly-once",
  defaultSloMs: 10_000,
  partitionDepthMax: 1_000_000,
  mailboxBytesMax: 4 * 1024 * 1024 * 1024,
  heldBytesMax: 4 * 1024 * 1024 * 1024,
  leaseIdleMs: 2_000,
  retryFirstMs: 200,
  retryMaxMs: 60_000,
  unitLingerMs: 0,
  unitRecordsMax: 100_000,
  unitBytesMax: 1024 * 1024 * 1024,
  handoverMs: 5_000,
  drainMs: 10_000,
};
