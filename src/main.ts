/**
 * The command line. Decides what to start and when to end; what the options mean is in `config/`, what a router does in `runtime.ts`.
 * Standard output is for what was asked for, standard error for what went wrong.
 */
import { spawn } from "node:child_process";
import { hostname } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { findingText } from "./config/finding";
import { readModuleFiles } from "./config/fs-modules";
import { type LoadedModule, loadModule, type ModuleFile } from "./config/module";
import { flagOf, OPTIONS, standardText, variableOf } from "./config/option-table";
import { brokersOf, type Flags, resolveOptions, type Surroundings } from "./config/options";
import type { Environment } from "./config/placeholder";
import { parseWhole } from "./config/quantity";
import type { FunctionSpecification, ModuleSpecification, RouterOptions } from "./config/specification";
import type { BrokerHandle } from "./dev/broker";
import { version } from "./fs-version";
import { ConfigError } from "./model/errors";
import { paths } from "./observe/admin-views";
import type { Log } from "./observe/log";

const ROOT = join(__dirname, "..", "..");
const BROKER_PORT = 9092;
/** After the router has stopped, what still holds the process is a leak and must not keep it alive. */
const LINGER_MS = 1_000;

export async function main(argv: readonly string[]): Promise<void> {
  process.on("uncaughtException", endFatally);
  process.on("unhandledRejection", endFatally);
  try {
    await commandLine().parseAsync([...argv]);
  } catch (error) {
    sayFatal(error);
    process.exitCode = 1;
  }
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

function commandLine(): Command {
  const program = new Command("dirigo")
    .description("Stateful functions on Kafka that keep their deadlines.")
    .version(version, "-V, --version")
    .showSuggestionAfterError()
    .enablePositionalOptions();
  routerCommand(program, "run", "one router, until SIGTERM or SIGINT");
  routerCommand(program, "dev", "the same, with a Kafka of its own when no broker is given; creates missing topics")
    .option("--broker-port <port>", "port of the Kafka it starts; 0 takes any free one", portOf)
    .option("--fresh", "wipe the data of the Kafka it starts");
  fileOption(
    program.command("validate").description("check module.yaml: one line per finding; exit 1 when it cannot work"),
  ).action(validate);
  brokerCommands(program.command("broker").description("the development Kafka, as a background process"));
  controlCommands(program.command("control").description("what lessors and lessees tell each other"));
  return program;
}

function routerCommand(program: Command, verb: "run" | "dev", description: string): Command {
  const command = fileOption(program.command(verb).description(description));
  for (const row of OPTIONS) {
    const option = new Option(
      `${flagOf(row)} <value>`,
      `${row.meaning} (${variableOf(row)}; default: ${standardText(row).replaceAll("`", "")})`,
    );
    command.addOption(row.rare ? option.hideHelp() : option);
  }
  command.addHelpText("after", "\nRarer options: docs/configuration.md");
  return command.action(async (flags: RouterFlags) => {
    const { file, fresh, brokerPort, ...values } = flags;
    const started = verb === "run" ? run(file, values) : dev(file, values, { fresh, port: brokerPort });
    process.exitCode = await started;
  });
}

type RouterFlags = Flags & FileFlags & { readonly fresh?: true; readonly brokerPort?: number };

interface FileFlags {
  readonly file: readonly string[] | undefined;
}

function fileOption(command: Command): Command {
  const collect = (path: string, before: readonly string[] | undefined) => [...(before ?? []), path];
  return command.option(
    "-f, --file <path>",
    "a module.yaml; may be given several times (DIRIGO_MODULE; default: module.yaml)",
    collect,
  );
}

function filesOf(paths: readonly string[] | undefined): readonly ModuleFile[] {
  const named = paths ?? (process.env.DIRIGO_MODULE || "module.yaml").split(",").map((path) => path.trim());
  const { files, findings } = readModuleFiles(named);
  if (findings.length > 0) throw new ConfigError(findings.map(findingText));
  return files;
}

function validate({ file }: FileFlags): void {
  const loaded = loadModule(filesOf(file), process.env, { brokers: brokersOf({}, process.env) });
  for (const finding of loaded.findings) say(`error: ${findingText(finding)}`);
  for (const warning of loaded.warnings) say(`warning: ${findingText(warning)}`);
  if (loaded.findings.length > 0) process.exitCode = 1;
  else say(`valid: ${summary(loaded.module)}`);
}

function summary({ endpoints, sources, egresses, applications, functions }: ModuleSpecification): string {
  const counted = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`;
  const parts = [
    counted(endpoints.length, "endpoint", "endpoints"),
    counted(sources.length, "ingress topic", "ingress topics"),
    counted(egresses.length, "egress", "egresses"),
    ...(applications.length === 0 ? [] : [counted(applications.length, "application", "applications")]),
    ...(functions.length === 0 ? [] : [counted(functions.length, "document of functions", "documents of functions")]),
  ];
  return parts.join(", ");
}

interface Prepared {
  readonly module: ModuleSpecification;
  readonly options: RouterOptions;
  readonly warnings: readonly string[];
}

/** The configuration, or a ConfigError with all that is wrong in it. */
function prepare(files: readonly ModuleFile[], flags: Flags, environment: Environment, verb: Surroundings["verb"]): Prepared {
  const loaded = loadModule(files, environment, { brokers: brokersOf(flags, environment) });
  const resolved = resolveOptions(flags, environment, loaded, surroundingsOf(verb));
  const findings = [...loaded.findings, ...resolved.findings].map(findingText);
  if (findings.length > 0 || resolved.options === undefined) throw new ConfigError(findings);
  return {
    module: loaded.module,
    options: resolved.options,
    warnings: [...loaded.warnings, ...resolved.warnings].map(findingText),
  };
}

function surroundingsOf(verb: Surroundings["verb"]): Surroundings {
  return { verb, hostName: hostname(), terminal: process.stdout.isTTY === true };
}

async function run(file: readonly string[] | undefined, flags: Flags): Promise<number> {
  const prepared = prepare(filesOf(file), flags, process.env, "run");
  for (const warning of prepared.warnings) complain(`warning: ${warning}`);
  return await serve(prepared, stopSignal());
}

interface DevBroker {
  readonly fresh: true | undefined;
  readonly port: number | undefined;
}

async function dev(file: readonly string[] | undefined, flags: Flags, wanted: DevBroker): Promise<number> {
  const files = filesOf(file);
  const loaded = loadModule(files, process.env, { brokers: brokersOf(flags, process.env) });
  const given = brokersOf(flags, process.env) !== undefined;
  if (given || (loaded.defaults.brokersGiven && loaded.defaults.brokerVariables.length === 0)) {
    return await devOn(prepare(files, flags, process.env, "dev"), undefined, stopSignal());
  }
  const onBroker = (address: string) => prepare(files, flags, environmentOn(address, loaded), "dev");
  // What is wrong is told before a broker is started for it.
  onBroker(`localhost:${BROKER_PORT}`);
  const stop = stopSignal();
  const { brokerDown } = await import("./dev/broker.js");
  const broker = await devBroker(loaded, wanted);
  try {
    if (broker.startedByUs) stop.onSecond(() => endBrokerLater(broker));
    return stop.asked ? 0 : await devOn(onBroker(broker.bootstrap), broker, stop);
  } finally {
    if (broker.startedByUs) {
      await brokerDown({ port: broker.port });
      say(`stopped the Kafka at ${broker.bootstrap}`);
    }
  }
}

/** Every unset variable that an address consists of names the development broker. */
function environmentOn(address: string, loaded: LoadedModule): Environment {
  const names = ["KAFKA_BOOTSTRAP_SERVERS", ...loaded.defaults.brokerVariables];
  return { ...process.env, ...Object.fromEntries(names.map((name) => [name, address])) };
}

type UsedBroker = Pick<BrokerHandle, "bootstrap" | "port" | "startedByUs">;

/** At the port the module's default names, so that others who rely on that default reach the same Kafka; one that runs there is used as it is. */
async function devBroker(loaded: LoadedModule, wanted: DevBroker): Promise<UsedBroker> {
  const { brokerStatus, brokerUp } = await import("./dev/broker.js");
  const { answers } = await import("./dev/kafka-probe.js");
  const written = loaded.defaults.brokersGiven ? localPort(loaded.defaults.cluster.brokers) : undefined;
  const port = wanted.port ?? written ?? BROKER_PORT;
  if (wanted.port === undefined && written !== undefined) {
    const status = await brokerStatus({ port });
    if (status.kind === "down" && (await answers(port))) return { bootstrap: `127.0.0.1:${port}`, port, startedByUs: false };
  }
  return await brokerUp({ port, fresh: wanted.fresh ?? false, say });
}

function localPort(brokers: readonly string[]): number | undefined {
  const match = /^(?:localhost|127\.0\.0\.1):(\d+)$/.exec(brokers[0] ?? "");
  return match === null ? undefined : Number(match[1]);
}

/** Exiting at once leaves no time to stop a broker; another process does it. */
function endBrokerLater(broker: UsedBroker): void {
  const bin = join(ROOT, "bin", "dirigo");
  spawn(process.execPath, [bin, "broker", "down", "--port", String(broker.port)], { detached: true, stdio: "ignore" }).unref();
}

async function devOn(prepared: Prepared, broker: UsedBroker | undefined, stop: StopSignal): Promise<number> {
  for (const warning of prepared.warnings) complain(`warning: ${warning}`);
  for (const line of whereabouts(prepared, broker)) say(line);
  return await serve(prepared, stop);
}

/** What `dev` says where things are, before it serves. */
export function whereabouts(
  { module, options }: Pick<Prepared, "module" | "options">,
  broker: UsedBroker | undefined,
): readonly string[] {
  const how =
    broker === undefined ? "as given" : broker.startedByUs ? "started for this run, data is kept" : "was running already";
  const admin = options.adminPort === 0 ? "any free port, see the log" : `http://${options.adminHost}:${options.adminPort}`;
  return [
    `dirigo ${version}`,
    `  broker     ${options.cluster.brokers.join(",")} (${how})`,
    `  admin      ${admin} (${paths.join(", ")})`,
    `  group      ${options.group}, ${options.shards} shards; this router is ${options.router}`,
    ...module.sources.map(({ topic, targets }) => `  topic in   ${topic} → ${targets.join(", ")}`),
    ...module.egresses.map(
      (egress) => `  egress     ${egress.id} → ${egress.kind === "raw" ? egress.topic : "the topic each record names"}`,
    ),
    ...module.endpoints.map(({ id, urls }) => `  functions  ${id} at ${urls.join(", ")}`),
    ...module.functions.filter(({ mode }) => mode === "dual").map(dualLine),
  ];
}

function dualLine({ functions, maxLessees }: FunctionSpecification): string {
  const names = functions.map(({ namespace, prefix, exact }) => `${namespace}/${prefix}${exact ? "" : "*"}`);
  return `  dual mode  ${names.join(", ")}, at most ${maxLessees} lessees each`;
}

/** One router, from start to end; the exit code. */
async function serve({ module, options }: Prepared, stop: StopSignal): Promise<number> {
  // Loaded late: `validate` and `broker` need no Kafka client and should answer at once.
  const { startRouter } = await import("./runtime.js");
  const starting = startRouter(module, options);
  const router = await Promise.race([starting, stop.first]);
  // Nothing was taken in yet, so nothing needs to be finished.
  if (router === undefined) return 0;
  stop.first.then(() => router.drain());
  return await router.stopped;
}

interface StopSignal {
  readonly asked: boolean;
  /** SIGTERM or SIGINT came. */
  readonly first: Promise<undefined>;
  /** Just before the process exits at the second one. */
  onSecond(work: () => void): void;
}

function stopSignal(): StopSignal {
  let asked = false;
  let beforeExit: () => void = () => {};
  const first = new Promise<undefined>((resolve) => {
    const heard = (signal: "SIGINT" | "SIGTERM") => {
      if (asked) {
        complain(`${signal} again: exiting at once; what is unfinished is done again at the next start`);
        beforeExit();
        process.exit(signal === "SIGINT" ? 130 : 143);
      }
      asked = true;
      complain(`${signal}: finishing what runs, then leaving; once more to exit at once`);
      resolve(undefined);
    };
    process.on("SIGINT", heard);
    process.on("SIGTERM", heard);
  });
  return {
    get asked() {
      return asked;
    },
    first,
    onSecond: (work) => {
      beforeExit = work;
    },
  };
}

function brokerCommands(broker: Command): void {
  const port = ["--port <port>", "its port", portOf, BROKER_PORT] as const;
  broker
    .command("up")
    .description("start it, unless it runs")
    .option(...port)
    .option("--fresh", "wipe its data first")
    .action(async (flags: { port: number; fresh?: true }) => {
      const { brokerUp } = await import("./dev/broker.js");
      const up = await brokerUp({ port: flags.port, fresh: flags.fresh ?? false, say });
      say(`${up.startedByUs ? "Kafka is up" : "Kafka was up already"} at ${up.bootstrap} (process ${up.pid}, ${up.directory})`);
    });
  broker
    .command("down")
    .description("stop it; its data is kept")
    .option(...port)
    .action(async (flags: { port: number }) => {
      const { brokerDown } = await import("./dev/broker.js");
      const stopped = await brokerDown({ port: flags.port });
      say(stopped ? `Kafka on port ${flags.port} is down` : `no Kafka that was started from here runs on port ${flags.port}`);
    });
  broker
    .command("status")
    .description("exit 0 when it is up, 1 when not")
    .option(...port)
    .action(async (flags: { port: number }) => {
      const { brokerStatus } = await import("./dev/broker.js");
      const status = await brokerStatus({ port: flags.port });
      if (status.kind === "down") say(`down (${status.directory})`);
      else say(`${status.kind} at ${status.broker.bootstrap} (process ${status.broker.pid}, ${status.broker.directory})`);
      if (status.kind !== "up") process.exitCode = 1;
    });
}

interface TailFlags extends FileFlags {
  readonly group?: string;
  readonly brokers?: string;
  readonly fromStart?: boolean;
  readonly json?: boolean;
}

function controlCommands(control: Command): void {
  const tail = fileOption(
    control.command("tail").description("print the control records of a group as they are committed, until SIGINT"),
  );
  tail
    .option("--group <value>", "the group; with --brokers no module.yaml is needed")
    .option("--brokers <value>", "Kafka of the group's topics; where it is secured, name the module.yaml too")
    .option("--from-start", "begin with the oldest record that is kept (a day)")
    .option("--json", "an object per line, for machines; of state only the sizes")
    .action(tailControl);
}

async function tailControl({ file, fromStart = false, json = false, ...flags }: TailFlags): Promise<void> {
  const { group, cluster } = groupOf(file, flags);
  const { KafkaControl, followedJson, followedText } = await import("./scaling/kafka-control.js");
  const log: Log = (level, text) => {
    if (level === "warn" || level === "error") complain(text);
  };
  const control = new KafkaControl(cluster, group, (record) => say(json ? followedJson(record) : followedText(record)), log);
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
    // Whoever read our lines has gone (`… | head`).
    process.stdout.on("error", () => resolve());
  });
  const following = control.follow(fromStart).then((shards) => {
    if (shards > 0) complain(`following ${group}, ${shards} shards, from ${fromStart ? "the oldest record" : "now"} on`);
    return stopped;
  });
  try {
    await Promise.race([following, stopped]);
  } finally {
    await control.close();
  }
}

/** A group, and where its topics are: of the module, or as the flags say where both are given and no file is. */
function groupOf(file: readonly string[] | undefined, flags: Flags): Pick<RouterOptions, "group" | "cluster"> {
  const named = file !== undefined || Boolean(process.env.DIRIGO_MODULE);
  if (named || flags.group === undefined || flags.brokers === undefined)
    return prepare(filesOf(file), flags, process.env, "run").options;
  const loaded = loadModule([], process.env, { brokers: brokersOf(flags, process.env) });
  const { options, findings } = resolveOptions(flags, process.env, loaded, surroundingsOf("run"));
  if (options === undefined) throw new ConfigError(findings.map(findingText));
  return options;
}

function portOf(text: string): number {
  const port = parseWhole(text);
  if (port === undefined || port < 0 || port > 65_535)
    throw new Error(`"${text}" is not a port; expected a number from 0 to 65535`);
  return port;
}

function endFatally(error: unknown): void {
  sayFatal(error);
  process.exit(1);
}

/** A sentence for people; the stack is for who asks for it. */
function sayFatal(error: unknown): void {
  if (error instanceof ConfigError) {
    for (const line of error.findings) complain(`error: ${line}`);
    return;
  }
  const debug = process.env.DIRIGO_LOG_LEVEL === "debug";
  complain(`error: ${error instanceof Error ? (debug && error.stack) || error.message : String(error)}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}
