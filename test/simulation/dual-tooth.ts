/** Ways to break what keeps actors in dual mode together. Those that are inside the engine put something else in a method's place, for one run. */
import type { FunctionSpecification, MergeSpecification } from "../../src/config/specification";
import type { Message } from "../../src/model/message";
import { Alignment } from "../../src/scaling/alignment";
import { type ActorHost, DualActor } from "../../src/scaling/dual-actor";
import { type Memory, StateStore } from "../../src/state/store";
import type { DualNode } from "./dual-cast";
import type { DualWorld } from "./dual-scenario";
import type { Scenario } from "./scenario";
import { rewriteState, type Tooth } from "./tooth-parts";

/** Leases open and crashes come often, and no calls fail. */
function busy(scenario: Scenario): Partial<Scenario> {
  const { weather, module, options } = scenario;
  const dual = scenario.dual && split(scenario.dual);
  return {
    weather: { ...weather, callFails: 0, blowEveryMs: 500 },
    blows: ["kill", "kill", "usurp"],
    module: {
      ...module,
      endpoints: module.endpoints.map((each) => ({ ...each, concurrency: 4, maxNumBatchRequests: 1 })),
      functions: (dual?.nodes ?? []).flatMap((node) => node.dual ?? []),
    },
    options: (router) => ({ ...options(router), unitLingerMs: 2 }),
    dual,
  };
}

/** Whoever may have lessees may have several. */
function split(dual: DualWorld): DualWorld {
  const nodes = dual.nodes.map((node): DualNode => {
    return node.dual && node.dual.maxLessees > 0 ? { ...node, dual: { ...node.dual, maxLessees: 4 } } : node;
  });
  const sources = dual.sources.map((source) => ({
    ...source,
    targets: source.targets.map(({ place }) => nodes[place] as DualNode),
  }));
  return { ...dual, nodes, sources };
}

function merging(change: (strategy: MergeSpecification) => MergeSpecification): Tooth["circumstances"] {
  const changed = (specification: FunctionSpecification): FunctionSpecification => {
    const states = Object.entries(specification.states).map(([name, strategy]) => [name, change(strategy)]);
    return { ...specification, states: Object.fromEntries(states) };
  };
  return (scenario) => {
    const circumstances = busy(scenario);
    const module = circumstances.module ?? scenario.module;
    return { ...circumstances, module: { ...module, functions: module.functions.map(changed) } };
  };
}

/** Puts a method in the place of another. */
function instead<Owner extends object, Name extends keyof Owner>(
  owner: Owner,
  name: Name,
  make: (before: Owner[Name]) => Owner[Name],
): () => void {
  const before = owner[name];
  owner[name] = make(before);
  return () => {
    owner[name] = before;
  };
}

/** Of the heads, the number of the one that came first. */
function firstCome(): () => void {
  const before = Object.getOwnPropertyDescriptor(Alignment.prototype, "least") as PropertyDescriptor;
  Object.defineProperty(Alignment.prototype, "least", {
    configurable: true,
    get(this: Alignment) {
      for (const [, { barrier }] of this.heads) return barrier;
      return Number.POSITIVE_INFINITY;
    },
  });
  return () => Object.defineProperty(Alignment.prototype, "least", before);
}

/** Every fourth value that a merge makes is not written into the lane that takes the part. */
function partsDropped(): () => void {
  let merges = 0;
  return instead(
    StateStore.prototype,
    "assign",
    (before) =>
      function (this: StateStore, memory: Memory, slot, bytes, writtenMs) {
        if (++merges % 4 !== 0) before.call(this, memory, slot, bytes, writtenMs);
      },
  );
}

function nothingHeld(): () => void {
  return instead(
    DualActor.prototype,
    "received",
    (before) =>
      function (this: DualActor, message: Message, now: number) {
        const { host } = this as unknown as { host: ActorHost };
        const ordinary = !message.mark && !host.isCritical(this.type, message);
        if (ordinary && this.phase.kind !== "runnable") host.admit(this, message, now);
        else before.call(this, message, now);
      },
  );
}

/** A head blocks nothing: what stands behind it goes on. */
function nothingBlocked(): () => void {
  return instead(Alignment.prototype, "blocks", () => () => false);
}

function nothingMissing(): () => void {
  return instead(Alignment.prototype, "missing", () => () => []);
}

export const DUAL_TEETH: readonly Tooth[] = [
  {
    name: "max-for-sum",
    what: "sums are merged as if they were largest values",
    dual: true,
    caughtBy: ["merged state is the fold"],
    circumstances: merging((strategy) => (strategy.kind === "sum" ? { kind: "max" } : strategy)),
  },
  {
    name: "latest-for-lists",
    what: "of two lists, the one that was written later counts",
    dual: true,
    caughtBy: ["merged state is the fold"],
    circumstances: merging((strategy) => (strategy.kind === "list-concat" ? { kind: "latest" } : strategy)),
  },
  {
    name: "parts-dropped",
    what: "now and then a merge forgets the part",
    dual: true,
    caughtBy: ["merged state is the fold"],
    circumstances: busy,
    install: partsDropped,
  },
  {
    name: "first-come",
    what: "the barrier that came first runs first, not the smallest",
    dual: true,
    caughtBy: ["barrier once", "prior exactly", "everything drains"],
    install: firstCome,
  },
  {
    name: "no-alignment",
    what: "a barrier waits for nobody",
    dual: true,
    caughtBy: ["barrier once", "prior exactly"],
    install: nothingMissing,
  },
  {
    name: "early-release",
    what: "what is to be held runs before the critical messages",
    dual: true,
    caughtBy: ["no early post", "what is critical runs alone", "the engine keeps its own invariants"],
    circumstances: busy,
    install: nothingHeld,
  },
  {
    name: "unblocked",
    what: "a head does not block its channel",
    dual: true,
    caughtBy: ["no early post", "barrier once", "prior exactly", "everything drains"],
    install: nothingBlocked,
  },
  {
    name: "parts-lost",
    what: "parts are not written",
    dual: true,
    caughtBy: ["merged state is the fold"],
    circumstances: busy,
    effects: rewriteState((record, kind) => (kind === "l" && record.value !== null ? undefined : record)),
  },
  {
    name: "parts-left",
    what: "parts that were merged are not tombstoned",
    dual: true,
    caughtBy: ["merged state is the fold", "leases end"],
    circumstances: busy,
    effects: rewriteState((record, kind) => (kind === "l" && record.value === null ? undefined : record)),
  },
  {
    name: "done-forgotten",
    what: "what an actor knows of its barriers is not written",
    dual: true,
    caughtBy: ["barrier once", "prior exactly", "everything drains"],
    circumstances: busy,
    effects: rewriteState((record, kind) => (kind === "a" && record.value !== null ? undefined : record)),
  },
];
