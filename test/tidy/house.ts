/**
 * The rules of the house (ARCHITECTURE.md §2), as a function from files to findings. Paths are relative to src/, without
 * the extension: `router/mailbox`.
 */
import { type Import, readSource } from "./source-text";

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const LINES_MAX = 500;

/** Rooms in the order a message passes them, with those beside and above. */
const ROOMS = "model config ingress router functions state egress scaling observe cluster dev".split(" ");

/** The one file a room shows to the others. */
const FACES: Readonly<Record<string, string>> = {
  ingress: "ingress/intake",
  router: "router/router",
  functions: "functions/invoker",
  state: "state/store",
  egress: "egress/outbox",
  scaling: "scaling/tenure",
  dev: "dev/broker",
};

/**
 * Bytes and words that several rooms write or read. They stand where their noun lives, and there is no room behind them:
 * they import only the model, the configuration, the events and effects, and one another.
 */
export const SHARED_FILES: readonly string[] = [
  "event",
  "effect",
  "functions/wire",
  "functions/pending",
  "functions/merge-message",
  "ingress/progress",
  "ingress/steps",
  "state/changelog",
  "observe/histogram",
  "observe/measure",
  "observe/recent",
  "observe/dual-measures",
  "observe/status",
  "observe/actor-status",
  "observe/log",
];

/** Which room may call which other (a type imported from a face calls nobody). All may use model and config. */
const MAY_CALL: Readonly<Record<string, readonly string[]>> = { scaling: ["router", "state"], functions: ["state"] };

/** They put the parts together, or show them to the world, and know them all. */
const BUILDERS = ["main", "runtime", "index", "cluster/kafka", "functions/sdk/index"];
/** Pure, and the way from every room to every other. */
const CORRIDOR = ["engine", "life", "delivery"];

/** Ways past the faces that were looked at and let be, each with its reason. One that is no longer taken must go. */
export const LET_BE: Readonly<Record<string, string>> = {
  "functions/invoker → router/mailbox": "the type of what it is handed with each pick",
  "ingress/admission → router/function-type": "the type it weighs the waiting of",
};

/** Libraries that compute and touch nothing. */
const PURE_LIBRARIES = ["protobufjs/minimal", "protobufjs", "yaml", "zod"];
/** The registry of metrics is a table in memory; what shows it to others is an adapter. */
const LIBRARIES_OF_A_ROOM: Readonly<Record<string, readonly string[]>> = { observe: ["prom-client"] };

const ADAPTER = /(?:^|\/)(?:kafka|http|fs|stdout|process)-[^/]*$/;
const FILE_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

const OUTSIDE: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\./, "reads a clock"],
  [/\bMath\.random\b|\bcrypto\./, "throws dice"],
  [/\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b|\bprocess\.nextTick\b/, "sets a timer"],
  [/\bconsole\./, "writes to the console"],
  [/\bprocess\./, "touches the process"],
  [/(?<![.\w])fetch\(/, "calls over the network"],
];
const ASYNC: readonly [RegExp, string] = [
  /(?<!\.)\basync (?:function\b|\(|[\w$]+ *=>|[\w$#]+[(<])|\bawait\s|\bnew Promise\b|\bPromise\.\w/,
  "is asynchronous",
];

export function isAdapter(path: string): boolean {
  const outside = ["dev/", "cluster/"].some((room) => path.startsWith(room)) || BUILDERS.includes(path);
  return outside || ADAPTER.test(path);
}

export function findings(files: readonly SourceFile[]): string[] {
  return [...files.flatMap(findingsIn), ...cycles(files)];
}

function findingsIn({ path, text }: SourceFile): string[] {
  const source = readSource(text);
  return [
    ...shape(path, text),
    ...source.imports.flatMap((each) => importFinding(path, each)),
    ...(isAdapter(path) ? [] : impurities(path, source.code)),
  ];
}

function shape(path: string, text: string): string[] {
  const found: string[] = [];
  const lines = text.trimEnd().split("\n").length;
  if (lines > LINES_MAX) found.push(`${path} has ${lines} lines; at most ${LINES_MAX}: look for the second idea in it`);
  for (const name of path.split("/")) if (!FILE_NAME.test(name)) found.push(`${path}: "${name}" is not kebab-case`);
  const room = roomOf(path);
  if (room !== undefined && !ROOMS.includes(room)) found.push(`${path}: there is no room ${room}`);
  return found;
}

function impurities(path: string, code: string): string[] {
  // Handlers of the SDK are asynchronous by nature: it waits for them, and for nothing else.
  const rules = path.startsWith("functions/sdk/") ? OUTSIDE : [...OUTSIDE, ASYNC];
  const hits: string[] = [];
  code.split("\n").forEach((line, index) => {
    for (const [pattern, what] of rules) {
      if (pattern.test(line)) hits.push(`${path}:${index + 1} ${what}: only adapters may`);
    }
  });
  return hits;
}

function importFinding(path: string, { from, typeOnly }: Import): string[] {
  if (!from.startsWith("."))
    return isAdapter(path) || mayUseLibrary(path, from) ? [] : [`${path} imports ${from}: only adapters may`];
  const target = resolve(path, from);
  if (BUILDERS.includes(path)) return [];
  if (isAdapter(target) && !isAdapter(path)) return [`${path} imports the adapter ${target}: only adapters may`];
  if (CORRIDOR.includes(path) || isOpen(target) || roomOf(path) === roomOf(target)) return [];
  if (isAdapter(path) && roomOf(target) === "cluster") return [];
  return foreign(path, target, typeOnly);
}

function foreign(path: string, target: string, typeOnly: boolean): string[] {
  const from = roomOf(path) ?? path;
  const to = roomOf(target);
  if (to === undefined) return [`${path} imports ${target}: imports go down, from the corridor to the rooms`];
  if (`${path} → ${target}` in LET_BE) return [];
  if (target !== FACES[to])
    return [`${path} imports ${target}: the room ${to} is entered by its face, ${FACES[to] ?? "and it has none"}`];
  if (typeOnly || MAY_CALL[from]?.includes(to)) return [];
  return [`${path} calls ${target}: ${from} reaches ${to} through the engine`];
}

function isOpen(target: string): boolean {
  return SHARED_FILES.includes(target) || ["model", "config"].includes(roomOf(target) ?? "");
}

function mayUseLibrary(path: string, library: string): boolean {
  return PURE_LIBRARIES.includes(library) || (LIBRARIES_OF_A_ROOM[roomOf(path) ?? ""] ?? []).includes(library);
}

/** Files that import each other, around however many corners, at run time. */
function cycles(files: readonly SourceFile[]): string[] {
  const graph = new Map(files.map(({ path, text }) => [path, calledBy(path, text)]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push(`imports go round: ${[...trail.slice(trail.indexOf(path)), path].join(" → ")}`);
    if (done.has(path) || trail.includes(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

/** The imports of a file that are files of this house. */
export function importedFiles({ path, text }: SourceFile): string[] {
  const { imports } = readSource(text);
  return imports.filter(({ from }) => from.startsWith(".")).map(({ from }) => resolve(path, from));
}

function calledBy(path: string, text: string): string[] {
  const { imports } = readSource(text);
  return imports.filter(({ from, typeOnly }) => from.startsWith(".") && !typeOnly).map(({ from }) => resolve(path, from));
}

/** `../model/errors` seen from `router/mailbox` → `model/errors`. */
function resolve(path: string, from: string): string {
  const at = path.split("/").slice(0, -1);
  for (const step of from.split("/")) {
    if (step === "..") at.pop();
    else if (step !== ".") at.push(step);
  }
  return at.join("/");
}

/** undefined for the files that stand above the rooms. */
export function roomOf(path: string): string | undefined {
  return path.includes("/") ? path.split("/")[0] : undefined;
}
