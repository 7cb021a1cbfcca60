/** Which applications a simulated world has: none, some of Dirigo's policies, or one that does what it likes. */
import type { ApplicationSpecification, SourceSpecification } from "../../src/config/specification";
import type { PolicyModules } from "../../src/router/applications";
import type { Chance } from "./chance";
import { chaosPolicy } from "./chaos-policy";

export const CHAOS = { module: "chaos" } as const;
export const POLICIES: PolicyModules = new Map([[CHAOS.module, chaosPolicy]]);

const PARAMS: Readonly<Record<string, (chance: Chance) => ApplicationSpecification["params"]>> = {
  "min-laxity": (chance) => ({ margin: chance.pick([0, 0.3, 0.9]) }),
  priority: (chance) => ({ priority: chance.pick([-1, 0, 7]) }),
  token: (chance) => ({ rate: chance.pick([1, 10]), intervalMs: chance.pick([100, 1_000]) }),
};

export function applicationsOf(chance: Chance, sources: readonly SourceSpecification[]): ApplicationSpecification[] {
  if (chance.of(0.3)) return [];
  return sources.filter(() => chance.of(0.7)).map(({ ingress }) => application(chance, ingress));
}

function application(chance: Chance, ingress: string): ApplicationSpecification {
  const policy = chance.pick([CHAOS, CHAOS, "fifo", "edf", "min-laxity", "priority", "token"] as const);
  const from = chance.pick(["arrival", "record-timestamp", "window-end"] as const);
  const slo = { latencyMs: chance.pick([1, 200, 5_000]), percentile: 99, from, windowMs: from === "window-end" ? 1_000 : 0 };
  return {
    name: `of-${ingress.replace("/", "-")}`,
    ingresses: [ingress],
    slo: chance.of(0.8) ? slo : undefined,
    policy,
    weight: chance.pick([0.1, 1, 5]),
    params: typeof policy === "string" ? (PARAMS[policy]?.(chance) ?? {}) : {},
  };
}
