/**
 * A claim: who may write for a shard. One record per router in `<group>.claims`/shard, key = the claim's id,
 * tombstoned when released or fenced. ARCHITECTURE.md §5.
 */
export interface Claim {
  /** Unique per incarnation of a router; the record's key. */
  readonly claimId: string;
  /** The transactional ids whose producers may write under this claim; a successor fences them all. */
  readonly transactionalIds: readonly string[];
  /** The router's name (option `name`), for people and for recognising a predecessor of the same name. */
  readonly router: string;
  /** The consumer-group member id it had when it claimed. */
  readonly memberId: string;
}

/** A claim as read back from the log. */
export interface StandingClaim extends Claim {
  readonly offset: number;
}
