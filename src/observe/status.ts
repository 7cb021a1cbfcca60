/**
 * What a router tells about itself, and what follows from it: is it alive, is it ready. Times are ms since 1970.
 * The runtime supplies the facts; nothing here asks a clock.
 */
import type { ActorList, ActorQuery, Explanation } from "./actor-status";
import type { Measures, ShardStatus } from "./measure";

/** What `openAdmin` and the metrics read, each time somebody asks. They must be cheap: they run on the router's loop. */
export interface AdminSources {
  measures(): Measures;
  status(): RouterStatus;
  signs(): LifeSigns;
  /** undefined: the function that is asked for has no actors in dual mode. */
  actors(query: ActorQuery): ActorList | undefined;
  /** undefined: no such function has been called. */
  explain(typename: string, id: string): Explanation | undefined;
}

export interface RouterStatus {
  readonly group: string;
  readonly router: string;
  readonly version: string;
  /** Of the tenure as a whole: `standby`, `claiming`, `running`, … */
  readonly phase: string;
  /** The group has said which shards are ours (none is an answer, too: a router in reserve). */
  readonly assigned: boolean;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly shards: readonly ShardProgress[];
  readonly inputs: readonly InputStatus[];
  readonly endpoints: readonly EndpointStatus[];
}

export interface ShardProgress extends ShardStatus {
  /** Records of its changelog still to be read; undefined while unknown. */
  readonly remainingRecords: number | undefined;
  /** How long the restore takes, or took; undefined before it began. */
  readonly restoringMs: number | undefined;
}

export interface InputStatus {
  readonly ingress: string;
  readonly topic: string;
  readonly partition: number;
  /** Offset behind the last record received. */
  readonly position: number | undefined;
  /** All below it are finished and committed. */
  readonly lowWatermark: number | undefined;
  readonly outstanding: number;
  /** Empty = not paused. */
  readonly pausedReasons: readonly string[];
}

export interface EndpointStatus {
  readonly id: string;
  /** Slots: requests it may have in flight. */
  readonly concurrency: number;
  readonly inFlight: number;
  /** Addresses with work that wait for a slot. */
  readonly queued: number;
  readonly replicas: readonly ReplicaStatus[];
}

export interface ReplicaStatus {
  readonly url: string;
  /** Slots; 0 while it is given nothing. */
  readonly concurrency: number;
  readonly inFlight: number;
  /** `avoided`: it failed; `due`: the next invocation is to see how it is; `probing`: one is under way. */
  readonly health: "well" | "avoided" | "due" | "probing";
}

export interface LifeSigns {
  readonly nowMs: number;
  /** Why the engine stopped, when it did. */
  readonly stopped: string | undefined;
  /** Since when an event waits to be applied; undefined = none waits. */
  readonly eventWaitingSinceMs: number | undefined;
  /** Since when the unit that is being committed waits for its outcome; undefined = none is. */
  readonly commitWaitingSinceMs: number | undefined;
  /** Last heartbeat the group's coordinator took; undefined before the first, and while not a member. */
  readonly heartbeatAtMs: number | undefined;
  readonly sessionTimeoutMs: number;
  readonly transactionTimeoutMs: number;
}

/** A turn is microseconds to milliseconds, also in a long restore. Ten seconds are not a busy loop but a stuck one. */
const eventWaitMaxMs = 10_000;
/** The coordinator forgets us after one session timeout; a second one leaves room for a group that is being balanced. */
const sessionsMax = 2;

/** Empty = alive. Each reason is for the one who reads why the router was restarted. */
export function ailments(signs: LifeSigns): readonly string[] {
  const reasons: string[] = [];
  const late = (since: number | undefined, maxMs: number) => since !== undefined && signs.nowMs - since > maxMs;
  const seconds = (since: number | undefined) => `${((signs.nowMs - (since ?? signs.nowMs)) / 1000).toFixed(1)} s`;
  if (signs.stopped !== undefined) reasons.push(`the engine has stopped: ${signs.stopped}`);
  if (late(signs.eventWaitingSinceMs, eventWaitMaxMs)) {
    reasons.push(`the loop does not turn: an event has waited for ${seconds(signs.eventWaitingSinceMs)}`);
  }
  if (late(signs.commitWaitingSinceMs, signs.transactionTimeoutMs)) {
    reasons.push(
      `a commit has had no outcome for ${seconds(signs.commitWaitingSinceMs)} (transaction timeout ${signs.transactionTimeoutMs} ms)`,
    );
  }
  if (late(signs.heartbeatAtMs, signs.sessionTimeoutMs * sessionsMax)) {
    reasons.push(
      `Kafka has taken no heartbeat for ${seconds(signs.heartbeatAtMs)} (session timeout ${signs.sessionTimeoutMs} ms)`,
    );
  }
  return reasons;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not; undefined when ready. */
  readonly reason: string | undefined;
  readonly phase: string;
  readonly restored: RestoreProgress;
  readonly shards: readonly (ShardProgress & { readonly recordsPerSecond: number | undefined })[];
}

export interface RestoreProgress {
  readonly records: number;
  readonly bytes: number;
  /** undefined while a shard's is unknown. */
  readonly remainingRecords: number | undefined;
  readonly recordsPerSecond: number | undefined;
}

export function readiness(status: RouterStatus): Readiness {
  const reason = whyNotReady(status);
  return {
    ready: reason === undefined,
    reason,
    phase: status.phase,
    restored: sumOf(status.shards),
    shards: status.shards.map((shard) => ({ ...shard, recordsPerSecond: rate(shard.restoredRecords, shard.restoringMs) })),
  };
}

function whyNotReady(status: RouterStatus): string | undefined {
  if (!status.assigned) return "the group has not said yet which shards are ours";
  const behind = status.shards.filter((shard) => shard.phase !== "running");
  const first = behind[0];
  if (first !== undefined) {
    return `${behind.length} of ${status.shards.length} shards do not run yet: shard ${first.shard} is ${first.phase}`;
  }
  // Without shards there is nothing to restore: a router in reserve is ready, whatever the tenure's phase.
  if (status.shards.length > 0 && status.phase !== "running") return `the router is ${status.phase}`;
  return undefined;
}

function sumOf(shards: readonly ShardProgress[]): RestoreProgress {
  const records = shards.reduce((sum, shard) => sum + shard.restoredRecords, 0);
  // Shards are restored side by side: together they take as long as the slowest.
  const longestMs = Math.max(0, ...shards.map((shard) => shard.restoringMs ?? 0));
  return {
    records,
    bytes: shards.reduce((sum, shard) => sum + shard.restoredBytes, 0),
    remainingRecords: shards.reduce<number | undefined>(
      (sum, shard) => (sum === undefined || shard.remainingRecords === undefined ? undefined : sum + shard.remainingRecords),
      0,
    ),
    recordsPerSecond: rate(records, longestMs === 0 ? undefined : longestMs),
  };
}

function rate(records: number, ms: number | undefined): number | undefined {
  return ms === undefined || ms <= 0 ? undefined : Math.round((records / ms) * 1000);
}
