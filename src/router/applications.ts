/**
 * Applications: which messages share a deadline and a policy (SCHEDULING.md). An ingress belongs to one at most; what a message causes belongs
 * to the application of the message.
 */
import type { ApplicationSpecification, EngineOptions, ModuleSpecification } from "../config/specification";
import type { Random } from "../model/random";
import type { InputRecord } from "../model/record";
import type { ApplicationMeasures, MeasureBook } from "../observe/measure";
import { fifo } from "./policy/fifo";
import type { Policy } from "./policy/policy";
import { edf, MARGIN, minLaxity, priority, token } from "./policy/ranks";

/** Policies of the user's own, by the path their configuration names; loaded by the runtime before the engine is made. */
export type PolicyModules = ReadonlyMap<string, () => Policy>;

const BUILT_IN: Readonly<Record<string, () => Policy>> = { fifo, edf, "min-laxity": minLaxity, priority, token };

export class Application {
  readonly sloMs: number;
  /** Kept in reserve before a message counts as late, ms. */
  readonly marginMs: number;
  constructor(
    readonly index: number,
    /** Empty: of messages that belong to no application. */
    readonly name: string,
    readonly specification: ApplicationSpecification | undefined,
    readonly policy: Policy,
    /** Applications with one tag share a queue. */
    readonly tag: string,
    readonly measures: ApplicationMeasures | undefined,
    private readonly defaultSloMs: number,
  ) {
    this.sloMs = specification?.slo?.latencyMs ?? defaultSloMs;
    const margin = specification?.params.margin;
    this.marginMs = this.sloMs * (typeof margin === "number" ? margin : MARGIN);
  }

  /** Its policy is a user's own: less is taken for granted. */
  get own(): boolean {
    return typeof this.specification?.policy === "object";
  }

  get weight(): number {
    return this.specification?.weight ?? 1;
  }

  /** Instant (ms) by which the effects of a record are due (SCHEDULING.md 3.1). */
  deadlineMs(record: InputRecord, now: number): number {
    const slo = this.specification?.slo;
    if (!slo) return now + this.defaultSloMs;
    const { timestampMs } = record;
    if (timestampMs < 0) return now + slo.latencyMs; // Records of the oldest formats have no timestamp.
    switch (slo.from) {
      case "arrival":
        return now + slo.latencyMs;
      case "record-timestamp":
        return timestampMs + slo.latencyMs;
      case "window-end":
        return (Math.floor(timestampMs / slo.windowMs) + 1) * slo.windowMs + slo.latencyMs;
    }
  }
}

export class Applications {
  readonly all: readonly Application[];

  constructor(
    private readonly module: ModuleSpecification,
    options: EngineOptions,
    random: Random,
    private readonly book: MeasureBook,
    modules: PolicyModules,
  ) {
    const none = new Application(0, "", undefined, fifo(), "fifo", undefined, options.defaultSloMs);
    const named = module.applications.map((specification, i) => {
      const { name, policy: choice } = specification;
      const tag = typeof choice === "string" ? choice : choice.module;
      const make = typeof choice === "string" ? BUILT_IN[choice] : modules.get(choice.module);
      const measures = specification.slo ? book.application(name, specification.slo) : undefined;
      return new Application(i + 1, name, specification, this.#made(make ?? fifo), tag, measures, options.defaultSloMs);
    });
    this.all = [none, ...named];
    for (const { policy, name, sloMs, specification } of this.all) {
      try {
        policy.init({ router: options.router, application: name, sloMs, params: specification?.params ?? {}, random });
      } catch {
        book.policyFaults++; // It goes on with what it has; what it then throws is counted, too.
      }
    }
  }

  /** A module that has made one policy may still refuse the next. */
  #made(make: () => Policy): Policy {
    try {
      return make();
    } catch {
      this.book.policyFaults++;
      return edf();
    }
  }

  at(index: number): Application {
    return (this.all[index] ?? this.all[0]) as Application;
  }

  ofIngress(ingress: string): Application {
    return this.at(1 + this.module.applications.findIndex(({ ingresses }) => ingresses.includes(ingress)));
  }

  named(name: string): Application {
    return this.at(
      Math.max(
        0,
        this.all.findIndex((each) => each.name === name),
      ),
    );
  }

  /** Somebody's deadlines are counted: costs along the path are worth computing. */
  get timed(): boolean {
    return this.all.length > 1;
  }
}
