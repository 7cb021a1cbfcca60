/**
 * Counters and histograms as plain numbers: the engine adds to them on the hot path, the admin server reads them when asked.
 * Names as users see them are given in `observe/metrics.ts`.
 */

import type { SloSpecification } from "../config/specification";
import { DualMeasures } from "./dual-measures";
import { Histogram, latencyBoundsMs, sizeBounds } from "./histogram";
import { RecentOutputs } from "./recent";

export { Histogram, latencyBoundsMs, sizeBounds } from "./histogram";

/** Per function type; StateFun's names where the meaning is equal (STATEFUN.md §4.7). */
export class FunctionMeasures {
  in = 0;
  outLocal = 0;
  outEgress = 0;
  outDelayed = 0;
  failures = 0;
  inflight = 0;
  /** Messages waiting in mailboxes of this type. */
  backlog = 0;
  /** Addresses waiting for a retry. */
  retrying = 0;
  incomplete = 0;
  readonly latencyMs = new Histogram(latencyBoundsMs);
  readonly queueWaitMs = new Histogram(latencyBoundsMs);
  readonly batchSize = new Histogram(sizeBounds);
  constructor(readonly typename: string) {}
}

/** Upper bounds in ms of what is left until the latest start: negative is late. */
export const laxityBoundsMs: readonly number[] = [-10000, -1000, -300, -100, -30, -10, 0, 10, 30, 100, 300, 1000, 10000];

export type MissCause = "key" | "slot" | "barrier" | "retry" | "function" | "commit";
export const missCauses: readonly MissCause[] = ["key", "slot", "barrier", "retry", "function", "commit"];

/** Per application: how its outputs met their deadlines. An output is a message whose handling sent no further one. */
export class ApplicationMeasures {
  met = 0;
  readonly missed: Record<MissCause, number> = { key: 0, slot: 0, barrier: 0, retry: 0, function: 0, commit: 0 };
  /** At dispatch: latest start minus now. */
  readonly laxityMs = new Histogram(laxityBoundsMs);
  readonly recent = new RecentOutputs();
  constructor(
    readonly name: string,
    /** What its deadlines are made of. */
    readonly slo: SloSpecification | undefined = undefined,
  ) {}

  get missedAll(): number {
    return missCauses.reduce((sum, cause) => sum + this.missed[cause], 0);
  }
}

/** Per ingress topic. */
export class SourceMeasures {
  received = 0;
  skippedNullKey = 0;
  skippedTombstone = 0;
  /** Received but not finished. */
  outstanding = 0;
  pausedPartitions = 0;
  /** From the record's arrival at the router to the commit of the unit that holds all its direct effects. */
  readonly endToEndMs = new Histogram(latencyBoundsMs);
  constructor(
    readonly ingress: string,
    readonly topic: string,
  ) {}
}

export class UnitMeasures {
  committed = 0;
  failed = 0;
  records = 0;
  bytes = 0;
  readonly size = new Histogram(sizeBounds);
  readonly commitMs = new Histogram(latencyBoundsMs);
  lastCommitMs = 0;
}

/** What is counted over all lives of an engine (life.ts): counters go on, gauges begin anew. */
export class MeasureBook {
  readonly functions: FunctionMeasures[] = [];
  readonly sources: SourceMeasures[] = [];
  readonly applications: ApplicationMeasures[] = [];
  readonly units = new UnitMeasures();
  readonly dualTypes: DualMeasures[] = [];
  staleEvents = 0;
  policyFaults = 0;

  /** Of a function type in dual mode. */
  dual(typename: string): DualMeasures {
    let measures = this.dualTypes.find((each) => each.typename === typename);
    if (!measures) {
      measures = new DualMeasures(typename);
      this.dualTypes.push(measures);
    }
    return measures;
  }

  function(typename: string): FunctionMeasures {
    let measures = this.functions.find((each) => each.typename === typename);
    if (!measures) {
      measures = new FunctionMeasures(typename);
      this.functions.push(measures);
    }
    return measures;
  }

  source(ingress: string, topic: string): SourceMeasures {
    let measures = this.sources.find((each) => each.ingress === ingress && each.topic === topic);
    if (!measures) {
      measures = new SourceMeasures(ingress, topic);
      this.sources.push(measures);
    }
    return measures;
  }

  application(name: string, slo: SloSpecification | undefined): ApplicationMeasures {
    let measures = this.applications.find((each) => each.name === name);
    if (!measures) {
      measures = new ApplicationMeasures(name, slo);
      this.applications.push(measures);
    }
    return measures;
  }

  /** A life has ended: nothing waits, runs or rests any more. */
  clearGauges(): void {
    for (const each of this.dualTypes) each.clearGauges();
    for (const each of this.functions) {
      each.inflight = 0;
      each.backlog = 0;
      each.retrying = 0;
    }
    for (const each of this.sources) {
      each.outstanding = 0;
      each.pausedPartitions = 0;
    }
  }
}

export interface ShardStatus {
  readonly shard: number;
  readonly phase: string;
  readonly restoredRecords: number;
  readonly restoredBytes: number;
}

/** What the engine shows to the outside: numbers to read, never to write. */
export interface Measures {
  readonly functions: readonly FunctionMeasures[];
  readonly sources: readonly SourceMeasures[];
  readonly applications: readonly ApplicationMeasures[];
  /** Of function types in dual mode that have had actors. */
  readonly dualTypes: readonly DualMeasures[];
  readonly units: UnitMeasures;
  /** Events dropped because they answered an older epoch. */
  staleEvents: number;
  policyFaults: number;
  /** Live actors, state values held and their bytes; delayed messages waiting. */
  actors: number;
  stateBytes: number;
  delayed: number;
  mailboxBytes: number;
  inflight: number;
}
