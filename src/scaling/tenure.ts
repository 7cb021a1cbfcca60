/**
 * Who may write: this router's tenure of its shards (ARCHITECTURE.md §5). The group says who should claim; the claim is ownership.
 *
 * Owns: the phases of tenure and of each claimed shard, claims, transactional ids, the epoch. Leaves to others: what is restored,
 * what runs. Until several routers share a group, a tenure is of all assigned shards together: it begins when all of them
 * are restored and confirmed, and ends for all of them.
 *
 *   standby ──assigned──▶ opening ──sink opened──▶ claiming ──all shards confirmed──▶ running
 *      ▲                     ▲                         │ later claim seen: rest, then opening     │ retire
 *      │                     └── unit lost ────────────┴──────────────────────────────────────────┤
 *      └──── all released ◀── releasing ◀── drained ◀── retiring ◀────────────────────────────────┘
 *
 *   a shard while claiming:  claiming ▶ reading ▶ [waiting ▶ reading]* ▶ fencing ▶ restoring ▶ confirming ▶ running
 *
 * T1  Nothing is restored before every claimant in front of ours is released or fenced: it cannot commit any more.
 * T2  Nothing runs while a claim stands behind ours.
 * T3  Transactional ids are fresh in each epoch and initialised before the claim that names them: whoever fences them later wins.
 * T4  Answers of an older epoch are dropped.
 */
import type { EngineOptions } from "../config/specification";
import type { Effects } from "../effect";
import type { Event } from "../event";
import type { Claim, StandingClaim } from "../model/claim";
import { unreachable } from "../model/errors";

export type ShardPhase =
  | { readonly kind: "claiming" }
  | { readonly kind: "reading"; readonly sinceMs: number }
  /** Another router holds it and has until then to release it. */
  | { readonly kind: "waiting"; readonly sinceMs: number }
  | { readonly kind: "fencing"; readonly claims: readonly StandingClaim[] }
  | { readonly kind: "restoring" }
  | { readonly kind: "confirming" }
  | { readonly kind: "running" }
  | { readonly kind: "releasing" }
  | { readonly kind: "released" };

export type TenurePhase =
  | { readonly kind: "standby" }
  /** Too early to claim again; then opening. */
  | { readonly kind: "resting" }
  | { readonly kind: "opening" }
  | { readonly kind: "claiming" }
  | { readonly kind: "running" }
  /** In-flight invocations may end, until the deadline; `stop` ends the process afterwards. */
  | { readonly kind: "retiring"; readonly deadlineMs: number }
  | { readonly kind: "releasing" };

export type OwnershipEvent = Extract<
  Event,
  {
    kind:
      | "claim_appended"
      | "claims_read"
      | "claimants_fenced"
      | "shard_restored"
      | "claim_released"
      | "ownership_failed"
      | "sink_opened"
      | "sink_failed";
  }
>;

/** What changed for the engine by one event. */
export type TenureChange = "none" | "running" | "lost" | "released";

/** Between two tries of a step that failed, and two looks at a claim that should be released. */
export const STEP_RETRY_MS = 250;
/** After a later claim was seen: whoever made it should be given the time to take over. */
export const CLAIM_AGAIN_MS = 1_000;

export class Tenure {
  phase: TenurePhase = { kind: "standby" };
  readonly shards = new Map<number, ShardPhase>();
  epoch = 0;
  memberId = "";
  #claim: Claim = { claimId: "", transactionalIds: [], router: "", memberId: "" };

  constructor(
    private readonly options: EngineOptions,
    /** Unique per process. */
    private readonly incarnation: string,
  ) {}

  /** Claims these shards in a new epoch, whatever was before. */
  begin(shards: readonly number[], effects: Effects): void {
    this.epoch++;
    this.shards.clear();
    for (const shard of shards) this.shards.set(shard, { kind: "claiming" });
    const claimId = `${this.options.router}-${this.incarnation}-${this.epoch}`;
    const transactionalIds = [`${this.options.group}-${claimId}-a`, `${this.options.group}-${claimId}-b`];
    this.#claim = { claimId, transactionalIds, router: this.options.router, memberId: this.memberId };
    this.phase = { kind: "opening" };
    effects.push({ kind: "open_sink", epoch: this.epoch, transactionalIds });
  }

  /** Gives everything up without a word: the claims are fenced or will be. */
  abandon(next: "standby" | "resting"): void {
    this.epoch++;
    this.shards.clear();
    this.phase = { kind: next };
  }

  retire(deadlineMs: number): void {
    this.phase = { kind: "retiring", deadlineMs };
  }

  /** Everything is committed: the claims are tombstoned. */
  release(effects: Effects): void {
    this.phase = { kind: "releasing" };
    for (const shard of this.shards.keys()) this.#release(shard, effects);
  }

  apply(now: number, event: OwnershipEvent, effects: Effects): TenureChange {
    if (event.kind === "sink_opened" || event.kind === "sink_failed") return this.#sink(event, effects);
    const phase = this.shards.get(event.shard);
    if (!phase) return "none";
    switch (event.kind) {
      case "claim_appended":
        if (phase.kind === "claiming") this.#enter(event.shard, { kind: "reading", sinceMs: now }, effects);
        return "none";
      case "claims_read":
        return this.#judgeClaims(now, event.shard, phase, event.claims, effects);
      case "claimants_fenced":
        if (phase.kind === "fencing") this.#enter(event.shard, { kind: "restoring" }, effects);
        return "none";
      case "shard_restored":
        if (phase.kind === "restoring") this.#enter(event.shard, { kind: "confirming" }, effects);
        return "none";
      case "claim_released":
        this.shards.set(event.shard, { kind: "released" });
        return this.#all("released") ? "released" : "none";
      case "ownership_failed":
        effects.push({
          kind: "report",
          level: "warn",
          text: `shard ${event.shard}: ${event.step} failed: ${event.reason}; next try in ${STEP_RETRY_MS} ms`,
        });
        return "none";
    }
  }

  /** Repeats the step a shard is at; asked for by the engine's timer after a failure or a wait. */
  retry(shard: number, now: number, effects: Effects): void {
    const phase = this.shards.get(shard);
    if (!phase) return;
    if (phase.kind === "waiting") this.#enter(shard, { kind: "reading", sinceMs: phase.sinceMs }, effects);
    else if (phase.kind === "releasing") this.#release(shard, effects);
    else this.#enter(shard, phase.kind === "reading" ? { kind: "reading", sinceMs: now } : phase, effects);
  }

  reopen(effects: Effects): void {
    if (this.phase.kind === "opening") {
      effects.push({ kind: "open_sink", epoch: this.epoch, transactionalIds: this.#claim.transactionalIds });
    }
  }

  #sink(event: Extract<OwnershipEvent, { kind: "sink_opened" | "sink_failed" }>, effects: Effects): TenureChange {
    if (this.phase.kind !== "opening") return "none";
    if (event.kind === "sink_failed") {
      effects.push({
        kind: "report",
        level: "warn",
        text: `the producers could not be opened: ${event.reason}; next try in ${STEP_RETRY_MS} ms`,
      });
      return "none";
    }
    this.phase = { kind: "claiming" };
    for (const shard of this.shards.keys()) this.#enter(shard, { kind: "claiming" }, effects);
    return "none";
  }

  /** Enters a phase and asks for its step. */
  #enter(shard: number, phase: ShardPhase, effects: Effects): void {
    this.shards.set(shard, phase);
    const { epoch } = this;
    switch (phase.kind) {
      case "claiming":
        effects.push({ kind: "append_claim", shard, epoch, claim: this.#claim });
        break;
      case "reading":
      case "confirming":
        effects.push({ kind: "read_claims", shard, epoch });
        break;
      case "fencing":
        effects.push({ kind: "fence_claimants", shard, epoch, claims: phase.claims });
        break;
      case "restoring":
        effects.push({ kind: "restore_shard", shard, epoch });
        break;
      case "waiting":
      case "running":
      case "releasing":
      case "released":
        break;
      default:
        unreachable(phase);
    }
  }

  #judgeClaims(now: number, shard: number, phase: ShardPhase, claims: readonly StandingClaim[], effects: Effects): TenureChange {
    if (phase.kind !== "reading" && phase.kind !== "confirming") return "none";
    const own = claims.find((claim) => claim.claimId === this.#claim.claimId);
    if (!own || claims.some((claim) => claim.offset > own.offset)) return "lost"; // T2; no claim of ours: somebody has fenced us already.
    if (phase.kind === "confirming") {
      this.#enter(shard, { kind: "running" }, effects);
      if (!this.#all("running")) return "none";
      this.phase = { kind: "running" };
      return "running";
    }
    const before = claims.filter((claim) => claim.offset < own.offset);
    // A claimant of our own name is our dead predecessor (two living ones do not start): no need to wait for it.
    const living = before.filter((claim) => claim.router !== this.options.router);
    if (living.length > 0 && now < phase.sinceMs + this.options.handoverMs) {
      this.#enter(shard, { kind: "waiting", sinceMs: phase.sinceMs }, effects);
    } else if (before.length > 0) {
      this.#enter(shard, { kind: "fencing", claims: before }, effects);
    } else {
      this.#enter(shard, { kind: "restoring" }, effects);
    }
    return "none";
  }

  #release(shard: number, effects: Effects): void {
    this.shards.set(shard, { kind: "releasing" });
    effects.push({ kind: "release_claim", shard, epoch: this.epoch, claimId: this.#claim.claimId });
  }

  #all(kind: ShardPhase["kind"]): boolean {
    for (const phase of this.shards.values()) if (phase.kind !== kind) return false;
    return true;
  }
}
