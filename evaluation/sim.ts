/** One run of one configuration in virtual time. */
import type { ClusterSpecification, EngineOptions } from "../src/config/specification";
import type { InputRecord } from "../src/model/record";
import { functionsOf, Meter, type Output } from "./functions";
import type { Load } from "./load";
import { type ApplicationResult, Measurement, measuredInterval, overlapMs } from "./metrics";
import { type Configuration, marksCloses, moduleOf } from "./module";
import { planOf } from "./plan";
import { type Incoming, PHYSICS, type Physics, START_MS, VirtualWorld } from "./virtual-world";
import { type Arrival, encodeRecord, type Workload, workloadOf } from "./workload";

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
  /** R1, R2 and the work done, in slot-seconds of the measured interval. */
  readonly provisionedSeconds: number;
  readonly heldSeconds: number;
  readonly workSeconds: number;
  readonly invocations: number;
  readonly controlRecords: number;
}

const GROUP = "mix";
const OUT = "out";

export function simulate({ load, configuration, seed, physics }: Run): RunResult {
  const workload = workloadOf(load, seed);
  const plan = planOf(load, configuration.replicas, seed);
  const meter = new Meter();
  const measurement = new Measurement(workload);
  const interval = measuredInterval(load);
  let workMs = 0;
  let heldMs = 0;
  let invocations = 0;
  const urls = Array.from({ length: configuration.replicas }, (_, replica) => `http://worker-${replica}`);
  const world = new VirtualWorld({
    options: OPTIONS,
    module: moduleOf(load, configuration, { cluster: CLUSTER, urls }, GROUP),
    seed,
    physics: { ...PHYSICS, ...physics },
    functions: functionsOf({ load, plan, seed, topic: OUT, meter }),
    meter,
    inputs: load.applications.flatMap(({ partitions }, source) =>
      Array.from({ length: partitions }, (_, partition) => ({ source, partition })),
    ),
    incoming: incomingOf(workload, plan, marksCloses(configuration)),
    observer: {
      delivered(_topic, { value }, atMs) {
        measurement.output(JSON.parse(Buffer.from(value ?? []).toString("utf8")) as Output, atMs - START_MS);
      },
      handled: (records, atMs) => measurement.handled(records, atMs - START_MS),
      served(_replica, fromMs, toMs, servedMs) {
        invocations++;
        const held = overlapMs(interval, fromMs - START_MS, toMs - START_MS);
        heldMs += held;
        workMs += servedMs * (held / (toMs - fromMs));
      },
    },
  });
  world.run();
  return {
    applications: measurement.results(),
    faults: measurement.faults(),
    provisionedSeconds: (configuration.replicas * (interval.toMs - interval.fromMs)) / 1_000,
    heldSeconds: heldMs / 1_000,
    workSeconds: workMs / 1_000,
    invocations,
    controlRecords: world.controlRecords,
  };
}

/** Records as the partitions hold them. */
function incomingOf({ load, arrivals }: Workload, plan: ReturnType<typeof planOf>, marked: boolean): Incoming[] {
  const keys = load.applications.map(({ partitions, shape }, application) =>
    Array.from({ length: partitions }, (_, partition) => {
      const actors = plan[application];
      return Buffer.from((shape === "aggregate" ? actors?.aggregates[0] : actors?.maps[partition]) ?? "");
    }),
  );
  return arrivals.map((arrival) => ({
    atMs: START_MS + arrival.atMs,
    source: arrival.application,
    partition: arrival.partition,
    record: inputRecord(arrival, keys[arrival.application]?.[arrival.partition] as Buffer, marked),
  }));
}

function inputRecord(arrival: Arrival, key: Buffer, marked: boolean): InputRecord {
  return {
    offset: arrival.sequence,
    key,
    value: encodeRecord(arrival),
    // A closing record comes at the window's end and belongs to the window.
    timestampMs: START_MS + (arrival.closes ? Math.ceil(arrival.atMs) - 1 : Math.floor(arrival.atMs)),
    headers: marked && arrival.closes ? closeHeaders(arrival.window) : [],
  };
}

function closeHeaders(window: number): InputRecord["headers"] {
  return [
    { key: "dirigo-critical", value: Buffer.from("true") },
    { key: "dirigo-barrier", value: Buffer.from(String(window + 1)) },
  ];
}

const CLUSTER: ClusterSpecification = {
  name: "kafka:9092",
  brokers: ["kafka:9092"],
  clientId: undefined,
  ssl: false,
  sasl: undefined,
  connectionTimeoutMs: undefined,
  requestTimeoutMs: undefined,
};

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
