import type { Effect, Effects } from "../../src/effect";
import type { StandingClaim } from "../../src/model/claim";
import { type OwnershipEvent, type ShardPhase, Tenure, type TenureChange, type TenurePhase } from "../../src/scaling/tenure";
import { engineOptions } from "../support/module";

const OPTIONS = engineOptions({ handoverMs: 5_000 });
const START = 1_000;

function aTenure(): Tenure {
  return new Tenure(OPTIONS, "i1");
}

/** Our claim as the log has it. */
function own(tenure: Tenure, offset: number): StandingClaim {
  const claimId = `r1-i1-${tenure.epoch}`;
  return { claimId, transactionalIds: [`g-${claimId}-a`, `g-${claimId}-b`], router: "r1", memberId: "", offset };
}

function other(offset: number, router = "r2"): StandingClaim {
  return { claimId: `${router}-x`, transactionalIds: [`${router}-tx`], router, memberId: "m", offset };
}

function apply(tenure: Tenure, event: OwnershipEvent, now = START): { change: TenureChange; effects: Effect[] } {
  const effects: Effects = [];
  const change = tenure.apply(now, event, effects);
  return { change, effects };
}

/** A tenure of one shard that claims, with the shard in this phase. */
const shardIn: Record<ShardPhase["kind"], () => Tenure> = {
  claiming: () => {
    const tenure = aTenure();
    tenure.begin([0], []);
    apply(tenure, { kind: "sink_opened", epoch: tenure.epoch });
    return tenure;
  },
  reading: () => {
    const tenure = shardIn.claiming();
    apply(tenure, { kind: "claim_appended", shard: 0, epoch: tenure.epoch, offset: 5 });
    return tenure;
  },
  waiting: () => {
    const tenure = shardIn.reading();
    apply(tenure, { kind: "claims_read", shard: 0, epoch: tenure.epoch, claims: [other(3), own(tenure, 5)] });
    return tenure;
  },
  fencing: () => {
    const tenure = shardIn.reading();
    apply(tenure, { kind: "claims_read", shard: 0, epoch: tenure.epoch, claims: [other(3, "r1"), own(tenure, 5)] });
    return tenure;
  },
  restoring: () => {
    const tenure = shardIn.reading();
    apply(tenure, { kind: "claims_read", shard: 0, epoch: tenure.epoch, claims: [own(tenure, 5)] });
    return tenure;
  },
  confirming: () => {
    const tenure = shardIn.restoring();
    apply(tenure, { kind: "shard_restored", shard: 0, epoch: tenure.epoch });
    return tenure;
  },
  running: () => {
    const tenure = shardIn.confirming();
    apply(tenure, { kind: "claims_read", shard: 0, epoch: tenure.epoch, claims: [own(tenure, 5)] });
    return tenure;
  },
  releasing: () => {
    const tenure = shardIn.running();
    tenure.release([]);
    return tenure;
  },
  released: () => {
    const tenure = aTenure();
    tenure.begin([0, 1], []);
    tenure.release([]);
    apply(tenure, { kind: "claim_released", shard: 0, epoch: tenure.epoch });
    return tenure;
  },
};

type ShardInput =
  | "claim_appended"
  | "claims_read: ours alone"
  | "claims_read: another before"
  | "claims_read: a predecessor of our name"
  | "claims_read: a later claim"
  | "claims_read: ours is gone"
  | "claimants_fenced"
  | "shard_restored"
  | "claim_released"
  | "ownership_failed"
  | "retry";

const inputs: Record<ShardInput, (tenure: Tenure, effects: Effects) => TenureChange> = {
  claim_appended: (tenure, effects) =>
    tenure.apply(START, { kind: "claim_appended", shard: 0, epoch: tenure.epoch, offset: 5 }, effects),
  "claims_read: ours alone": (tenure, effects) => read(tenure, [own(tenure, 5)], effects),
  "claims_read: another before": (tenure, effects) => read(tenure, [other(3), own(tenure, 5)], effects),
  "claims_read: a predecessor of our name": (tenure, effects) => read(tenure, [other(3, "r1"), own(tenure, 5)], effects),
  "claims_read: a later claim": (tenure, effects) => read(tenure, [own(tenure, 5), other(6)], effects),
  "claims_read: ours is gone": (tenure, effects) => read(tenure, [other(6)], effects),
  claimants_fenced: (tenure, effects) =>
    tenure.apply(START, { kind: "claimants_fenced", shard: 0, epoch: tenure.epoch }, effects),
  shard_restored: (tenure, effects) => tenure.apply(START, { kind: "shard_restored", shard: 0, epoch: tenure.epoch }, effects),
  claim_released: (tenure, effects) => tenure.apply(START, { kind: "claim_released", shard: 0, epoch: tenure.epoch }, effects),
  ownership_failed: (tenure, effects) =>
    tenure.apply(START, { kind: "ownership_failed", shard: 0, epoch: tenure.epoch, step: "s", reason: "r" }, effects),
  retry: (tenure, effects) => {
    tenure.retry(0, START, effects);
    return "none";
  },
};

function read(tenure: Tenure, claims: StandingClaim[], effects: Effects): TenureChange {
  return tenure.apply(START, { kind: "claims_read", shard: 0, epoch: tenure.epoch, claims }, effects);
}

/** [phase afterwards, effects asked for, change told]; "same" = nothing at all. */
type Expected = "same" | readonly [ShardPhase["kind"], readonly Effect["kind"][], TenureChange?];

const failed: Record<ShardPhase["kind"], Expected> = {
  claiming: ["claiming", ["report"]],
  reading: ["reading", ["report"]],
  waiting: ["waiting", ["report"]],
  fencing: ["fencing", ["report"]],
  restoring: ["restoring", ["report"]],
  confirming: ["confirming", ["report"]],
  running: ["running", ["report"]],
  releasing: ["releasing", ["report"]],
  released: ["released", ["report"]],
};

const ignored = {
  claim_appended: "same",
  "claims_read: ours alone": "same",
  "claims_read: another before": "same",
  "claims_read: a predecessor of our name": "same",
  "claims_read: a later claim": "same",
  "claims_read: ours is gone": "same",
  claimants_fenced: "same",
  shard_restored: "same",
  claim_released: ["released", [], "released"],
} as const;

const table: Record<ShardPhase["kind"], Record<ShardInput, Expected>> = {
  claiming: {
    ...ignored,
    claim_appended: ["reading", ["read_claims"]],
    ownership_failed: failed.claiming,
    retry: ["claiming", ["append_claim"]],
  },
  reading: {
    ...ignored,
    "claims_read: ours alone": ["restoring", ["restore_shard"]],
    "claims_read: another before": ["waiting", []],
    "claims_read: a predecessor of our name": ["fencing", ["fence_claimants"]],
    "claims_read: a later claim": ["reading", [], "lost"],
    "claims_read: ours is gone": ["reading", [], "lost"],
    ownership_failed: failed.reading,
    retry: ["reading", ["read_claims"]],
  },
  waiting: { ...ignored, ownership_failed: failed.waiting, retry: ["reading", ["read_claims"]] },
  fencing: {
    ...ignored,
    claimants_fenced: ["restoring", ["restore_shard"]],
    ownership_failed: failed.fencing,
    retry: ["fencing", ["fence_claimants"]],
  },
  restoring: {
    ...ignored,
    shard_restored: ["confirming", ["read_claims"]],
    ownership_failed: failed.restoring,
    retry: ["restoring", ["restore_shard"]],
  },
  confirming: {
    ...ignored,
    "claims_read: ours alone": ["running", [], "running"],
    // What stood before us was fenced: that it is still seen changes nothing.
    "claims_read: another before": ["running", [], "running"],
    "claims_read: a predecessor of our name": ["running", [], "running"],
    "claims_read: a later claim": ["confirming", [], "lost"],
    "claims_read: ours is gone": ["confirming", [], "lost"],
    ownership_failed: failed.confirming,
    retry: ["confirming", ["read_claims"]],
  },
  running: { ...ignored, ownership_failed: failed.running, retry: "same" },
  releasing: { ...ignored, ownership_failed: failed.releasing, retry: ["releasing", ["release_claim"]] },
  // Of two shards; the other one is not released yet.
  released: { ...ignored, claim_released: "same", ownership_failed: failed.released, retry: "same" },
};

describe.each(Object.keys(table) as ShardPhase["kind"][])("a shard that is %s", (phase) => {
  test.each(Object.entries(table[phase]) as [ShardInput, Expected][])("on %s", (input, expected) => {
    const tenure = shardIn[phase]();
    expect(tenure.shards.get(0)?.kind).toBe(phase);
    const effects: Effects = [];
    const change = inputs[input](tenure, effects);
    const [after, kinds, told] = expected === "same" ? ([phase, [], "none"] as const) : expected;
    expect([tenure.shards.get(0)?.kind, effects.map((effect) => effect.kind), change]).toEqual([after, kinds, told ?? "none"]);
  });
});

type Step = "begin" | "sink_opened" | "sink_failed" | "retire" | "release" | "abandon" | "reopen";

const tenureIn: Record<TenurePhase["kind"], () => Tenure> = {
  standby: aTenure,
  resting: () => {
    const tenure = aTenure();
    tenure.abandon("resting");
    return tenure;
  },
  opening: () => {
    const tenure = aTenure();
    tenure.begin([0], []);
    return tenure;
  },
  claiming: shardIn.claiming,
  running: shardIn.running,
  retiring: () => {
    const tenure = shardIn.running();
    tenure.retire(9_000);
    return tenure;
  },
  releasing: shardIn.releasing,
};

const steps: Record<Step, (tenure: Tenure, effects: Effects) => void> = {
  begin: (tenure, effects) => tenure.begin([0, 1], effects),
  sink_opened: (tenure, effects) => tenure.apply(START, { kind: "sink_opened", epoch: tenure.epoch }, effects),
  sink_failed: (tenure, effects) => tenure.apply(START, { kind: "sink_failed", epoch: tenure.epoch, reason: "r" }, effects),
  retire: (tenure) => tenure.retire(9_000),
  release: (tenure, effects) => tenure.release(effects),
  abandon: (tenure) => tenure.abandon("standby"),
  reopen: (tenure, effects) => tenure.reopen(effects),
};

type ExpectedStep = readonly [TenurePhase["kind"], readonly Effect["kind"][]];
/** Asked for by the engine in any phase: it decides when. */
const asked = { begin: ["opening", ["open_sink"]], retire: ["retiring", []], abandon: ["standby", []] } as const;

function unmoved(kind: TenurePhase["kind"]): Record<"sink_opened" | "sink_failed" | "reopen", ExpectedStep> {
  return { sink_opened: [kind, []], sink_failed: [kind, []], reopen: [kind, []] };
}

const tenureTable: Record<TenurePhase["kind"], Record<Step, ExpectedStep>> = {
  standby: { ...asked, ...unmoved("standby"), release: ["releasing", []] },
  resting: { ...asked, ...unmoved("resting"), release: ["releasing", []] },
  opening: {
    ...asked,
    sink_opened: ["claiming", ["append_claim"]],
    sink_failed: ["opening", ["report"]],
    reopen: ["opening", ["open_sink"]],
    release: ["releasing", ["release_claim"]],
  },
  claiming: { ...asked, ...unmoved("claiming"), release: ["releasing", ["release_claim"]] },
  running: { ...asked, ...unmoved("running"), release: ["releasing", ["release_claim"]] },
  retiring: { ...asked, ...unmoved("retiring"), release: ["releasing", ["release_claim"]] },
  releasing: { ...asked, ...unmoved("releasing"), release: ["releasing", ["release_claim"]] },
};

describe.each(Object.keys(tenureTable) as TenurePhase["kind"][])("a tenure that is %s", (phase) => {
  test.each(Object.entries(tenureTable[phase]) as [Step, ExpectedStep][])("on %s", (step, expected) => {
    const tenure = tenureIn[phase]();
    expect(tenure.phase.kind).toBe(phase);
    const effects: Effects = [];
    steps[step](tenure, effects);
    expect([tenure.phase.kind, effects.map((effect) => effect.kind)]).toEqual(expected);
  });
});

describe("Tenure", () => {
  it("T1: asks for the fencing of exactly the claims before its own", () => {
    const tenure = shardIn.reading();
    const claims = [other(1, "r1"), other(3, "r1"), own(tenure, 5)];
    const { effects } = apply(tenure, { kind: "claims_read", shard: 0, epoch: tenure.epoch, claims });
    expect(effects).toEqual([{ kind: "fence_claimants", shard: 0, epoch: tenure.epoch, claims: claims.slice(0, 2) }]);
  });

  it("T1: gives another router its time to release, counted from the first look, and fences it then", () => {
    const tenure = shardIn.waiting();
    const look = (now: number) => {
      tenure.retry(0, now, []);
      const claims = [other(3), own(tenure, 5)];
      return apply(tenure, { kind: "claims_read", shard: 0, epoch: tenure.epoch, claims }, now).effects[0]?.kind;
    };
    expect(look(START + 1_000)).toBeUndefined();
    expect(look(START + 4_999)).toBeUndefined();
    expect(tenure.shards.get(0)?.kind).toBe("waiting");
    expect(look(START + 5_000)).toBe("fence_claimants");
  });

  it("T1: restores at once when the other has released", () => {
    const tenure = shardIn.waiting();
    tenure.retry(0, START + 250, []);
    const { effects } = apply(tenure, { kind: "claims_read", shard: 0, epoch: tenure.epoch, claims: [own(tenure, 7)] });
    expect(effects.map((effect) => effect.kind)).toEqual(["restore_shard"]);
  });

  it("T2: runs when the last of its shards is confirmed, not before", () => {
    const tenure = aTenure();
    tenure.begin([0, 1], []);
    apply(tenure, { kind: "sink_opened", epoch: tenure.epoch });
    const confirm = (shard: number) => {
      apply(tenure, { kind: "claim_appended", shard, epoch: tenure.epoch, offset: 5 });
      apply(tenure, { kind: "claims_read", shard, epoch: tenure.epoch, claims: [own(tenure, 5)] });
      apply(tenure, { kind: "shard_restored", shard, epoch: tenure.epoch });
      return apply(tenure, { kind: "claims_read", shard, epoch: tenure.epoch, claims: [own(tenure, 5)] }).change;
    };
    expect([confirm(1), tenure.phase.kind]).toEqual(["none", "claiming"]);
    expect([confirm(0), tenure.phase.kind]).toEqual(["running", "running"]);
  });

  it("T3: takes fresh transactional ids in each epoch, opens them before it claims, and names them in the claim", () => {
    const tenure = aTenure();
    tenure.memberId = "member-7";
    const seen = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const effects: Effects = [];
      tenure.begin([4], effects);
      const [open] = effects;
      const { effects: claims } = apply(tenure, { kind: "sink_opened", epoch: tenure.epoch });
      const [append] = claims;
      if (open?.kind !== "open_sink" || append?.kind !== "append_claim") throw new Error("not opened, or not claimed");
      expect(append.claim).toMatchObject({ transactionalIds: open.transactionalIds, router: "r1", memberId: "member-7" });
      for (const id of open.transactionalIds) seen.add(id);
      tenure.abandon("standby");
    }
    expect(seen.size).toBe(6);
  });

  it("T4: begins a new epoch whenever it begins or gives up, so that older answers are known", () => {
    const tenure = aTenure();
    const epochs = [tenure.epoch];
    tenure.begin([0], []);
    epochs.push(tenure.epoch);
    tenure.abandon("resting");
    epochs.push(tenure.epoch);
    tenure.begin([0], []);
    epochs.push(tenure.epoch);
    expect(new Set(epochs).size).toBe(4);
    expect([...epochs].sort((a, b) => a - b)).toEqual(epochs);
  });

  it("is released when the last claim is", () => {
    const tenure = aTenure();
    tenure.begin([0, 1], []);
    const effects: Effects = [];
    tenure.release(effects);
    const claimId = `r1-i1-${tenure.epoch}`;
    expect(effects).toEqual([
      { kind: "release_claim", shard: 0, epoch: tenure.epoch, claimId },
      { kind: "release_claim", shard: 1, epoch: tenure.epoch, claimId },
    ]);
    expect(apply(tenure, { kind: "claim_released", shard: 1, epoch: tenure.epoch }).change).toBe("none");
    expect(apply(tenure, { kind: "claim_released", shard: 0, epoch: tenure.epoch }).change).toBe("released");
  });

  it("answers about a shard it does not hold change nothing", () => {
    const tenure = shardIn.claiming();
    const { change, effects } = apply(tenure, { kind: "claim_appended", shard: 9, epoch: tenure.epoch, offset: 1 });
    expect([change, effects, tenure.shards.has(9)]).toEqual(["none", [], false]);
  });

  it("says in plain language which step failed and when it is tried again", () => {
    const tenure = shardIn.reading();
    const { effects } = apply(tenure, {
      kind: "ownership_failed",
      shard: 0,
      epoch: tenure.epoch,
      step: "reading the claims",
      reason: "no broker",
    });
    expect(effects).toEqual([
      { kind: "report", level: "warn", text: "shard 0: reading the claims failed: no broker; next try in 250 ms" },
    ]);
  });
});
