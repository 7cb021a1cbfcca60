/** A router to tell about: three shards, two ingress topics, one function type. */
import type { ActorList, ActorQuery, ActorStatus, Explanation } from "../../src/observe/actor-status";
import { DualMeasures } from "../../src/observe/dual-measures";
import { ApplicationMeasures, FunctionMeasures, type Measures, SourceMeasures, UnitMeasures } from "../../src/observe/measure";
import type { AdminSources, LifeSigns, RouterStatus, ShardProgress } from "../../src/observe/status";

export const nowMs = Date.parse("2026-11-21T12:00:00Z");

export const wellSigns: LifeSigns = {
  nowMs,
  stopped: undefined,
  eventWaitingSinceMs: undefined,
  commitWaitingSinceMs: nowMs - 5,
  heartbeatAtMs: nowMs - 1_000,
  sessionTimeoutMs: 6_000,
  transactionTimeoutMs: 60_000,
};

export function shard(number: number, phase: string, more: Partial<ShardProgress> = {}): ShardProgress {
  return { shard: number, phase, restoredRecords: 100, restoredBytes: 5_000, remainingRecords: 0, restoringMs: 50, ...more };
}

export const runningStatus: RouterStatus = {
  group: "shop",
  router: "router-1",
  version: "0.1.0",
  phase: "running",
  assigned: true,
  startedAtMs: nowMs - 61_500,
  nowMs,
  shards: [shard(0, "running"), shard(1, "running"), shard(2, "running")],
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
    {
      ingress: "shop/orders",
      topic: "orders",
      partition: 1,
      position: 5,
      lowWatermark: 5,
      outstanding: 0,
      pausedReasons: ["depth"],
    },
    {
      ingress: "shop/clicks",
      topic: "clicks",
      partition: 0,
      position: undefined,
      lowWatermark: undefined,
      outstanding: 0,
      pausedReasons: [],
    },
  ],
  endpoints: [
    {
      id: "shop/*",
      concurrency: 64,
      inFlight: 3,
      queued: 7,
      replicas: [
        { url: "http://one/", concurrency: 64, inFlight: 2, health: "well" },
        { url: "http://two/", concurrency: 0, inFlight: 1, health: "avoided" },
      ],
    },
  ],
};

export const hotActor: ActorStatus = {
  function: "shop/campaign",
  id: "42",
  phase: "aligning",
  epoch: 6,
  doneBarrier: 16,
  section: null,
  waiting: 9,
  held: 4,
  heads: [{ channel: "shop/clicks/clicks/0", barrier: 17, since: "2026-11-21T11:59:59.000Z" }],
  headsAll: 1,
  lessees: [{ lane: 1, replica: null, forwarded: 31, applied: 30, partBytes: 23, since: "2026-11-21T11:59:58.000Z" }],
};

export const hotExplanation: Explanation = {
  function: "shop/campaign",
  id: "42",
  shard: 3,
  mode: "dual",
  doing: ["it runs what comes before barrier 17, and waits for that barrier"],
  waitsFor: ["barrier 17, for 1.0 s: nothing yet from shop/clicks/clicks/1"],
  lessees: { verdict: "max", text: "it has as many as maxLessees allows, 1", numbers: { maxLessees: 1 } },
  actor: hotActor,
};

export class SampleRouter implements AdminSources {
  now: RouterStatus = runningStatus;
  life: LifeSigns = wellSigns;
  /** What was asked last. */
  query: ActorQuery | undefined;
  readonly counter = new FunctionMeasures('shop/"counter"');
  readonly orders = new SourceMeasures("shop/orders", "orders");
  readonly fraud = new ApplicationMeasures("fraud", { latencyMs: 300, percentile: 95, from: "record-timestamp", windowMs: 0 });
  readonly campaign = new DualMeasures("shop/campaign");
  readonly units = new UnitMeasures();
  readonly numbers: Measures = {
    functions: [this.counter],
    sources: [this.orders],
    applications: [this.fraud],
    dualTypes: [this.campaign],
    units: this.units,
    staleEvents: 1,
    policyFaults: 2,
    actors: 3,
    stateBytes: 4,
    delayed: 5,
    mailboxBytes: 6,
    inflight: 7,
  };

  measures(): Measures {
    return this.numbers;
  }
  status(): RouterStatus {
    return this.now;
  }
  signs(): LifeSigns {
    return this.life;
  }
  actors(query: ActorQuery): ActorList | undefined {
    this.query = query;
    return query.function === undefined || query.function === hotActor.function ? { live: 1, actors: [hotActor] } : undefined;
  }
  explain(typename: string, id: string): Explanation | undefined {
    return typename === hotActor.function ? { ...hotExplanation, id } : undefined;
  }
}
