/** Loads the policies that applications name by path: a module whose default export makes a Policy. */
import { pathToFileURL } from "node:url";
import type { ModuleSpecification } from "../config/specification";
import { ConfigError } from "../model/errors";
import type { PolicyModules } from "./applications";
import type { Policy } from "./policy/policy";
import { edf } from "./policy/ranks";

const HOOKS = [
  "init",
  "createQueue",
  "prepareSend",
  "admit",
  "next",
  "preApply",
  "postApply",
  "onCommand",
  "onBarrier",
  "exportState",
  "importState",
] as const;

/** Throws ConfigError when a module cannot be loaded or makes no policy. */
export async function loadPolicies(module: ModuleSpecification): Promise<PolicyModules> {
  const loaded = new Map<string, () => Policy>();
  for (const { name, policy } of module.applications) {
    if (typeof policy === "string" || loaded.has(policy.module)) continue;
    loaded.set(policy.module, await loadPolicy(name, policy.module));
  }
  return loaded;
}

async function loadPolicy(application: string, path: string): Promise<() => Policy> {
  const complain = (what: string) => new ConfigError([`application ${application}: policy module ${path} ${what}`]);
  let make: unknown;
  try {
    const exported = (await import(pathToFileURL(path).href)) as { default?: unknown };
    make = exported.default;
    // A CommonJS module compiled from TypeScript has its default inside what import() calls the default.
    if (typeof make === "object" && make !== null && "default" in make) make = make.default;
  } catch (error) {
    throw complain(`cannot be loaded: ${textOf(error)}`);
  }
  if (typeof make !== "function") throw complain("has no default export that makes a policy: expected a function");
  const policyOf = make as () => unknown;
  let probe: unknown;
  try {
    probe = policyOf();
  } catch (error) {
    throw complain(`throws when it is to make a policy: ${textOf(error)}`);
  }
  const objection = objectionTo(probe);
  if (objection) throw complain(objection);
  return () => complete(policyOf() as Partial<Policy>, path);
}

const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

function objectionTo(probe: unknown): string | undefined {
  if (typeof probe !== "object" || probe === null)
    return `makes ${probe === null ? "null" : typeof probe} instead of a policy object`;
  if ("then" in probe) return "makes a promise instead of a policy object: its function must not be asynchronous";
  const policy = probe as Record<string, unknown>;
  const wrong = HOOKS.find((hook) => policy[hook] !== undefined && typeof policy[hook] !== "function");
  return wrong && `makes a policy whose ${wrong} is no function`;
}

/** Hooks that a user's policy leaves out do what the order by deadline does. */
function complete(policy: Partial<Policy>, path: string): Policy {
  const given: Record<string, unknown> = {};
  // Bound to their own object: a policy may be of a class with private fields.
  for (const hook of HOOKS) if (typeof policy[hook] === "function") given[hook] = policy[hook].bind(policy);
  return { ...edf(), ...given, tag: path };
}
