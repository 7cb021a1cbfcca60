/**
 * The options of a router: flag, then environment, then default; resolved once into a complete, frozen object before
 * anything connects.
 */
import { withBrokers } from "./cluster";
import { type Finding, nearest, type Report } from "./finding";
import { frozen } from "./frozen";
import type { LoadedModule } from "./module";
import { calledOf, flagOf, OPTIONS, type OptionName, type OptionRow, type Value, variableOf } from "./option-table";
import type { Environment } from "./placeholder";
import { parseBrokers } from "./quantity";
import type { RouterOptions } from "./specification";

/** Flags as commander gives them: names in camel case, text as typed. */
export type Flags = Readonly<Record<string, string | undefined>>;

/** What only the process knows. */
export interface Surroundings {
  readonly verb: "run" | "dev";
  readonly hostName: string;
  readonly terminal: boolean;
}

export interface ResolvedOptions {
  /** Undefined when there are findings. */
  readonly options: RouterOptions | undefined;
  readonly findings: readonly Finding[];
  readonly warnings: readonly Finding[];
}

interface Given {
  readonly text: string;
  /** `--shards` or `DIRIGO_SHARDS`: whom the finding names first. */
  readonly source: string;
}

/** For `loadModule`; a wrong value is told by `resolveOptions`. */
export function brokersOf(flags: Flags, environment: Environment): readonly string[] | undefined {
  const given = givenOf(rowOf("brokers"), flags, environment);
  return given === undefined ? undefined : parseBrokers(given.text);
}

export function resolveOptions(
  flags: Flags,
  environment: Environment,
  loaded: Pick<LoadedModule, "defaults">,
  surroundings: Surroundings,
): ResolvedOptions {
  const report: Report = { findings: [], warnings: [] };
  const values: Partial<Record<OptionName, Value>> = {};
  for (const row of OPTIONS) {
    if (row.name === "brokers") continue;
    const value = readValue(row, flags, environment, report) ?? fallback(row, row.name, loaded, surroundings);
    if (value !== undefined) values[row.name] = value;
    else if (row.name === "group")
      report.findings.push(finding(row, "is not given", "--group, or consumerGroupId in the first ingress"));
  }
  checkGroup(values, report);
  checkRetries(values, report);
  warnUnknownVariables(environment, report);
  const cluster = readCluster(flags, environment, loaded, report);
  const { findings, warnings } = report;
  if (findings.length > 0) return frozen({ options: undefined, findings, warnings });
  // Complete: every row has a value of its kind by now, and a test compares the table with the type.
  return frozen({ options: { ...values, cluster } as unknown as RouterOptions, findings, warnings });
}

/** Undefined when not given, or wrong. */
function readValue(row: OptionRow, flags: Flags, environment: Environment, report: Report): Value | undefined {
  const given = givenOf(row, flags, environment);
  if (given === undefined) return undefined;
  const value = row.kind.parse(given.text);
  if (value === undefined) report.findings.push(finding(row, "is not possible", row.kind.expected, given));
  return value;
}

/** An empty variable counts as not set, as shells and compose files write it. */
function givenOf(row: OptionRow, flags: Flags, environment: Environment): Given | undefined {
  const flag = flags[calledOf(row)];
  if (flag !== undefined) return { text: flag, source: flagOf(row) };
  for (const name of [variableOf(row), row.alsoVariable]) {
    const text = name === undefined ? undefined : environment[name];
    if (name !== undefined && text !== undefined && text !== "") return { text, source: name };
  }
  return undefined;
}

function fallback(
  row: OptionRow,
  name: OptionName,
  loaded: Pick<LoadedModule, "defaults">,
  surroundings: Surroundings,
): Value | undefined {
  switch (name) {
    case "group":
      return loaded.defaults.group;
    case "router":
      return surroundings.hostName.replace(/[^\w.-]/g, "-").slice(0, 128);
    case "log":
      return surroundings.terminal ? "pretty" : "json";
    case "createTopics":
      return surroundings.verb === "dev";
    default:
      return row.standard === undefined ? undefined : row.kind.parse(row.standard);
  }
}

function readCluster(
  flags: Flags,
  environment: Environment,
  loaded: Pick<LoadedModule, "defaults">,
  report: Report,
): RouterOptions["cluster"] {
  const row = rowOf("brokers");
  const given = givenOf(row, flags, environment);
  const brokers = given === undefined ? undefined : parseBrokers(given.text);
  if (given !== undefined && brokers === undefined) {
    report.findings.push(finding(row, "is no list of brokers", row.kind.expected, given));
  } else if (brokers === undefined && !loaded.defaults.brokersGiven) {
    report.findings.push(finding(row, "is not given", "--brokers host:port, or an address in the first ingress"));
  }
  return brokers === undefined ? loaded.defaults.cluster : withBrokers(loaded.defaults.cluster, brokers);
}

/** A consumer group may be called anything, a topic may not. */
function checkGroup({ group }: Partial<Record<OptionName, Value>>, report: Report): void {
  const row = rowOf("group");
  if (typeof group !== "string" || row.kind.parse(group) !== undefined) return;
  const problem = "(consumerGroupId of the first ingress) cannot be the group";
  report.findings.push(finding(row, problem, row.kind.expected, { text: group, source: "" }));
}

function checkRetries(values: Partial<Record<OptionName, Value>>, report: Report): void {
  const { retryFirstMs, retryMaxMs } = values;
  if (typeof retryFirstMs !== "number" || typeof retryMaxMs !== "number" || retryFirstMs <= retryMaxMs) return;
  const problem = `is longer than the longest pause (${retryMaxMs} ms)`;
  report.findings.push(finding(rowOf("retryFirstMs"), problem, "at most retryMaxMs", { text: `${retryFirstMs} ms`, source: "" }));
}

/** `--shards (DIRIGO_SHARDS): "0" is not possible; expected …`: the one that was used stands first. */
function finding(row: OptionRow, problem: string, expected: string, given?: Given): Finding {
  const names = [flagOf(row), variableOf(row), ...(row.alsoVariable === undefined ? [] : [row.alsoVariable])];
  const [first = "", ...others] = [...names].sort(
    (left, right) => Number(right === given?.source) - Number(left === given?.source),
  );
  const file = `${first} (${others.join(", ")})`;
  return given === undefined ? { file, problem, expected } : { file, value: given.text, problem, expected };
}

/** Variables that begin with DIRIGO_ but are no option of a router: of the development broker and of the command line. */
const OTHER_VARIABLES = ["DIRIGO_MODULE", "DIRIGO_BROKER_HEAP", "DIRIGO_CACHE"];

function warnUnknownVariables(environment: Environment, report: Report): void {
  const known = [...OPTIONS.map(variableOf), ...OTHER_VARIABLES];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith("DIRIGO_") || known.includes(name)) continue;
    const near = nearest(name, known);
    // Only what looks like a misspelt option: other programs may have variables of their own.
    if (near !== undefined)
      report.warnings.push({ file: name, problem: "is a variable nobody knows here; it has no effect", nearest: near });
  }
}

function rowOf(name: OptionRow["name"]): OptionRow {
  const row = OPTIONS.find((each) => each.name === name);
  if (row === undefined) throw new Error(`no option ${name}`);
  return row;
}
