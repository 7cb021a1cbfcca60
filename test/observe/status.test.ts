import { ailments, readiness } from "../../src/observe/status";
import { nowMs, runningStatus, shard, wellSigns } from "./samples";

describe("alive", () => {
  test("is a router that turns, commits and beats, or has not begun to", () => {
    expect(ailments(wellSigns)).toEqual([]);
    expect(ailments({ ...wellSigns, heartbeatAtMs: undefined, commitWaitingSinceMs: undefined })).toEqual([]);
  });

  test("is not one whose signs are stale, and each reason is told", () => {
    const reasons = ailments({
      ...wellSigns,
      stopped: "an invariant does not hold",
      eventWaitingSinceMs: nowMs - 10_001,
      commitWaitingSinceMs: nowMs - 60_500,
      heartbeatAtMs: nowMs - 12_100,
    });
    expect(reasons).toEqual([
      "the engine has stopped: an invariant does not hold",
      "the loop does not turn: an event has waited for 10.0 s",
      "a commit has had no outcome for 60.5 s (transaction timeout 60000 ms)",
      "Kafka has taken no heartbeat for 12.1 s (session timeout 6000 ms)",
    ]);
  });

  test("has room up to the limit", () => {
    const atLimit = { eventWaitingSinceMs: nowMs - 10_000, commitWaitingSinceMs: nowMs - 60_000, heartbeatAtMs: nowMs - 12_000 };
    expect(ailments({ ...wellSigns, ...atLimit })).toEqual([]);
  });
});

describe("ready", () => {
  test("is a router whose shards all run, or that has none to run", () => {
    expect(readiness(runningStatus)).toMatchObject({ ready: true, reason: undefined });
    expect(readiness({ ...runningStatus, shards: [], phase: "standby" })).toMatchObject({ ready: true });
  });

  test("is not one that waits for its assignment, restores, or retires; it says which", () => {
    expect(readiness({ ...runningStatus, assigned: false, shards: [] }).reason).toBe(
      "the group has not said yet which shards are ours",
    );
    const shards = [shard(0, "running"), shard(4, "restoring"), shard(5, "fencing")];
    expect(readiness({ ...runningStatus, phase: "claiming", shards }).reason).toBe(
      "2 of 3 shards do not run yet: shard 4 is restoring",
    );
    expect(readiness({ ...runningStatus, phase: "retiring" }).reason).toBe("the router is retiring");
  });

  test("shows how far the restore is, and how fast", () => {
    const shards = [
      shard(0, "restoring", { restoredRecords: 3_000, restoredBytes: 90_000, remainingRecords: 500, restoringMs: 100 }),
      shard(1, "restoring", { restoredRecords: 1_000, restoredBytes: 10_000, remainingRecords: 700, restoringMs: 200 }),
    ];
    const state = readiness({ ...runningStatus, shards });
    expect(state.restored).toEqual({ records: 4_000, bytes: 100_000, remainingRecords: 1_200, recordsPerSecond: 20_000 });
    expect(state.shards.map((each) => each.recordsPerSecond)).toEqual([30_000, 5_000]);
  });

  test("does not make up what it does not know", () => {
    const shards = [
      shard(0, "restoring"),
      shard(1, "claiming", { restoredRecords: 0, remainingRecords: undefined, restoringMs: undefined }),
    ];
    const state = readiness({ ...runningStatus, shards });
    expect(state.restored.remainingRecords).toBeUndefined();
    expect(state.shards[1]?.recordsPerSecond).toBeUndefined();
  });
});
