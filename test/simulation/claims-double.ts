/** Claims, fencing and restore on the simulated broker, as `scaling/kafka-claims.ts` and `scaling/kafka-restore.ts` do it. */
import type { Effect } from "../../src/effect";
import type { Claim, StandingClaim } from "../../src/model/claim";
import { HOME } from "./broker";
import type { ProducerIdentity } from "./coordinator";
import type { PartitionLog } from "./partition-log";
import type { RouterProcess } from "./router-process";

type OwnershipEffect = Extract<
  Effect,
  { kind: "append_claim" | "read_claims" | "fence_claimants" | "restore_shard" | "release_claim" }
>;
type Step<Kind extends OwnershipEffect["kind"]> = Extract<OwnershipEffect, { kind: Kind }>;

/** How often somebody who waits for the end of a partition looks. */
const POLL_MS = 5;

export class ClaimsDouble {
  constructor(private readonly process: RouterProcess) {}

  perform(effect: OwnershipEffect): void {
    this.process.note(`${effect.kind} ${effect.shard}, epoch ${effect.epoch}`);
    switch (effect.kind) {
      case "append_claim":
        return this.#append(effect);
      case "read_claims":
        return this.#read(effect);
      case "fence_claimants":
        return this.#fence(effect);
      case "restore_shard":
        return this.#restore(effect);
      case "release_claim":
        return this.#release(effect);
    }
  }

  #claimsLog(shard: number): PartitionLog {
    return this.process.world.broker.log(HOME, `${this.process.options.group}.claims`, shard);
  }

  #write(shard: number, claimId: string, value: Uint8Array | null): number {
    const { agenda } = this.process.world;
    const record = { key: Buffer.from(claimId), value, timestampMs: agenda.now, headers: [] };
    return this.#claimsLog(shard).append(record, undefined).offset;
  }

  #failed(effect: OwnershipEffect, step: string): void {
    this.process.apply({ kind: "ownership_failed", shard: effect.shard, epoch: effect.epoch, step, reason: "no answer" });
  }

  #append(effect: Step<"append_claim">): void {
    const { shard, epoch, claim } = effect;
    this.process.request<number>(
      (answer) => answer(this.#write(shard, claim.claimId, Buffer.from(JSON.stringify(claim)))),
      (offset) => {
        if (offset === "lost") this.#failed(effect, "appending the claim");
        else this.process.apply({ kind: "claim_appended", shard, epoch, offset });
      },
    );
  }

  #read(effect: Step<"read_claims">): void {
    const { shard, epoch } = effect;
    this.process.request<StandingClaim[]>(
      (answer) => {
        const standing = [...this.#claimsLog(shard).standing(false).entries()];
        answer(standing.map(([key, { offset, value }]) => decodeClaim(key, value, offset)));
      },
      (claims) => {
        if (claims === "lost") this.#failed(effect, "reading the claims");
        else this.process.apply({ kind: "claims_read", shard, epoch, claims });
      },
    );
  }

  /** All their ids at once; then their claims, one after the other. */
  #fence(effect: Step<"fence_claimants">): void {
    const { process } = this;
    const ids = process.world.tooth?.skipFencing ? [] : effect.claims.flatMap(({ transactionalIds }) => transactionalIds);
    let waiting = ids.length;
    let failed = false;
    if (waiting === 0) return this.#tombstone(effect, effect.claims);
    for (const id of ids) {
      process.request<ProducerIdentity>(
        (answer) => process.world.broker.coordinator.init(id, answer),
        (identity) => {
          if (identity === "lost") failed = true;
          if (--waiting > 0) return;
          if (failed) this.#failed(effect, "fencing");
          else this.#tombstone(effect, effect.claims);
        },
      );
    }
  }

  #tombstone(effect: Step<"fence_claimants">, claims: readonly Claim[]): void {
    const { shard, epoch } = effect;
    const [first, ...rest] = claims;
    if (!first) return this.process.apply({ kind: "claimants_fenced", shard, epoch });
    this.process.request<number>(
      (answer) => answer(this.#write(shard, first.claimId, null)),
      (offset) => {
        if (offset === "lost") this.#failed(effect, "tombstoning the claims of the fenced");
        else this.#tombstone(effect, rest);
      },
    );
  }

  #release(effect: Step<"release_claim">): void {
    const { shard, epoch, claimId } = effect;
    this.process.request<number>(
      (answer) => answer(this.#write(shard, claimId, null)),
      (offset) => {
        if (offset === "lost") this.#failed(effect, "releasing the claim");
        else this.process.apply({ kind: "claim_released", shard, epoch });
      },
    );
  }

  /** To the high watermark as of now, committed records only; in slices. */
  #restore(effect: Step<"restore_shard">): void {
    const { world } = this.process;
    const log = world.broker.log(HOME, `${this.process.options.group}.state`, effect.shard);
    this.process.request<number>(
      (answer) => answer(world.tooth?.restoreToStable ? log.stable : log.end),
      (end) => {
        if (end === "lost") this.#failed(effect, "restoring");
        else this.#slice(effect, log, 0, end);
      },
    );
  }

  #slice(effect: Step<"restore_shard">, log: PartitionLog, from: number, end: number): void {
    const { process } = this;
    const { shard, epoch } = effect;
    if (from >= end) {
      process.lineages.set(shard, process.world.ledger.restored(`${process.name}, epoch ${epoch}`, shard, end));
      return process.apply({ kind: "shard_restored", shard, epoch });
    }
    process.request<{ records: { key: Uint8Array; value: Uint8Array | null }[]; next: number }>(
      (answer) => {
        const { records, next } = log.read(from, 1 + process.world.chance.below(400), true);
        answer({ records: records.flatMap(({ key, value }) => (key ? [{ key, value }] : [])), next });
      },
      (slice) => {
        if (slice === "lost") return this.#failed(effect, "restoring");
        if (slice.records.length > 0) process.apply({ kind: "state_restored", shard, epoch, records: slice.records });
        if (slice.next > from) this.#slice(effect, log, slice.next, end);
        // Markers are still under way.
        else process.later(POLL_MS, () => this.#slice(effect, log, from, end));
      },
    );
  }
}

function decodeClaim(key: string, value: Uint8Array | null, offset: number): StandingClaim {
  const { transactionalIds, router, memberId } = JSON.parse(Buffer.from(value ?? []).toString("utf8")) as Claim;
  return { claimId: Buffer.from(key, "latin1").toString("utf8"), transactionalIds, router, memberId, offset };
}
