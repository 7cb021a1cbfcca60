import { ControlWatch } from "../../evaluation/control-watch";
import { type ControlMessage, encodeControl } from "../../src/scaling/control";

const actor = { namespace: "mix", type: "ls0-aggregate", id: "a" };

function watched(messages: readonly ControlMessage[]): ControlWatch {
  const watch = new ControlWatch({ fromMs: 1_000, toMs: 5_000 }, 100_000);
  for (const message of messages) for (const { key, value } of encodeControl(message)) watch.take(key, value);
  return watch;
}

const granted = (atMs: number, lane: number, epoch = 0): ControlMessage => {
  return { kind: "lease_granted", actor, epoch, atMs: 100_000 + atMs, lane, replica: 0, reason: "late" };
};
const ended = (atMs: number, lane: number, epoch = 0): ControlMessage => {
  return { kind: "lease_ended", actor, epoch, atMs: 100_000 + atMs, lane, reason: "barrier" };
};
const unsync = (atMs: number, critical: number, consolidateMs: number): ControlMessage => ({
  kind: "unsync",
  actor,
  epoch: 0,
  atMs: 100_000 + atMs,
  series: "window",
  barrier: 1,
  critical,
  alignMs: 1,
  drainMs: 2,
  consolidateMs,
  criticalMs: 4,
  releaseMs: 0,
});

test("a lease counts from its grant to its end, as far as that lies in the interval", () => {
  const watch = watched([granted(500, 1), granted(2_000, 2), ended(3_000, 1), ended(3_000, 2)]);
  expect(watch.values()).toMatchObject({ leases: 1, leaseSeconds: 3, leasesMax: 2 });
});

test("a barrier has the lessees that ended for it, and the durations it tells", () => {
  const watch = watched([
    granted(1_500, 1),
    granted(1_500, 2),
    ended(2_000, 1),
    ended(2_000, 2),
    unsync(2_005, 2, 3),
    unsync(3_000, 2, 0),
  ]);
  expect(watch.barriers.map(({ lessees }) => lessees)).toEqual([2, 0]);
  // Only the one that merged something.
  expect(watch.values()).toMatchObject({
    barriers: 2,
    barriersWithLessees: 1,
    alignP50: 1,
    consolidateP50: 3,
    criticalP99: 4,
    lesseesMean: 2,
  });
});

test("what lies outside the interval, and sections without critical messages, are no barriers", () => {
  expect(watched([unsync(500, 1, 1), unsync(6_000, 1, 1), unsync(2_000, 0, 1)]).values()).toMatchObject({
    barriers: 0,
    controlRecords: 1,
  });
});
