/** What is shown of single actors, for people who ask about one or about the busiest. The engine makes it anew at each question. */

export interface ActorStatus {
  readonly function: string;
  readonly id: string;
  /** `aligning`: runnable, and some channel has shown a barrier that others have not. */
  readonly phase: "runnable" | "aligning" | "draining" | "consolidating" | "critical";
  /** Sections behind it. */
  readonly epoch: number;
  /** Number of the last barrier that is done; null: none yet. */
  readonly doneBarrier: number | null;
  /** What it is stopped for; null while it runs. */
  readonly section: SectionStatus | null;
  /** Messages on the lessor's lane, those in flight included. */
  readonly waiting: number;
  /** Messages held behind barriers, those that are heads not included. */
  readonly held: number;
  /** Channels that have shown a barrier and are blocked behind it, smallest number first; the first of them where there are many. */
  readonly heads: readonly HeadStatus[];
  readonly headsAll: number;
  readonly lessees: readonly LesseeStatus[];
}

export interface SectionStatus {
  readonly reason: string;
  /** null: it serves no barrier. */
  readonly barrier: number | null;
  readonly criticalMessages: number;
  readonly since: string;
}

export interface HeadStatus {
  readonly channel: string;
  readonly barrier: number;
  /** When it came. */
  readonly since: string;
}

export interface LesseeStatus {
  readonly lane: number;
  /** Index in the `urls` of the endpoint; null: any replica runs it. */
  readonly replica: number | null;
  /** Messages the lessor gave it, and those of them that are finished. */
  readonly forwarded: number;
  readonly applied: number;
  /** Size of its partial state. */
  readonly partBytes: number;
  readonly since: string;
}

export interface ActorQuery {
  /** undefined: of all functions in dual mode. */
  readonly function: string | undefined;
  /** At most so many. */
  readonly top: number;
  readonly by: "lessees" | "held";
}

export interface ActorList {
  /** How many there are in memory. */
  readonly live: number;
  readonly actors: readonly ActorStatus[];
}

/**
 * Why an actor has no lessee, or no more. The gate's reasons: `max`, `undeclared`, `unsplittable`, `budget`, `barrier-near`; no need: `exclusive`, `stopped`,
 * `idle`, `in-time`, `policy`; no place: `no-slot`, `no-gain`; `open`: the next message gets one.
 */
export type LesseeVerdict =
  | "open"
  | "exclusive"
  | "stopped"
  | "idle"
  | "policy"
  | "in-time"
  | "max"
  | "undeclared"
  | "unsplittable"
  | "budget"
  | "barrier-near"
  | "no-slot"
  | "no-gain";

export interface LesseeOutlook {
  readonly verdict: LesseeVerdict;
  readonly text: string;
  /** What was compared, ms unless the name says otherwise. */
  readonly numbers: Readonly<Record<string, number>>;
}

/** One actor in plain words. */
export interface Explanation {
  readonly function: string;
  readonly id: string;
  readonly shard: number;
  readonly mode: "dual" | "exclusive";
  readonly doing: readonly string[];
  readonly waitsFor: readonly string[];
  readonly lessees: LesseeOutlook;
  /** The same in numbers; null where the actor is not in dual mode, or not in memory. */
  readonly actor: ActorStatus | null;
}
