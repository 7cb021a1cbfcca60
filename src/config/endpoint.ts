/** `io.statefun.endpoints.v1/http` and `v2/http` with their transports. STATEFUN.md §3.3. */
import type { Fields, Place } from "./place";
import { parseWhole } from "./quantity";
import type { EndpointSpecification, FunctionPattern, TlsSpecification, TransportSpecification } from "./specification";
import { ASYNC, OKHTTP, SHAPES } from "./vocabulary";

/** StateFun turns its threshold off with 0 or less; a batch is then bounded by its bytes alone. */
export const BATCH_REQUESTS_UNCAPPED = 2_147_483_647;

const PLACEMENTS: readonly EndpointSpecification["placement"][] = ["any", "home"];
const SLOTS = 64;
/** What `auto` may find when nobody bounds it. */
const SLOTS_MAX = 1000;
const SLOTS_RANGE = { min: 1, max: 100_000 };
const MINUTE_MS = 60_000;
const MIB = 1024 * 1024;
const PAYLOAD_MAX_BYTES = 32 * MIB;

export interface EndpointDraft {
  /** What it serves, also when the rest of it is wrong: a target must not be called unserved for that. */
  readonly functions: readonly { readonly pattern: FunctionPattern; readonly text: string; readonly place: Place }[];
  readonly specification: EndpointSpecification | undefined;
}

export function readEndpoint(spec: Place, version: "v1" | "v2"): EndpointDraft {
  const fields: Fields<EndpointName> | undefined = spec.fields(version === "v1" ? SHAPES.endpointV1 : SHAPES.endpointV2);
  if (fields === undefined) return { functions: [], specification: undefined };
  const functions = readFunctions(fields);
  const urls = readUrls(fields);
  const maxNumBatchRequests = readBatchRequests(fields.take("maxNumBatchRequests"));
  const placement = fields.take("placement")?.choice(PLACEMENTS) ?? "any";
  const concurrencyShape = version === "v1" ? SHAPES.endpointV1Concurrency : SHAPES.endpointV2Concurrency;
  const slots = readConcurrency(fields.take("concurrency"), concurrencyShape);
  const maxBatchBytes = fields.take("maxBatchBytes")?.size({ min: 1 }) ?? 4 * MIB;
  const transport =
    version === "v1" ? readOkhttp(fields.take("timeouts"), "endpointV1Timeouts") : readTransport(fields.take("transport"));
  if (placement === "home" && urls?.length === 1) {
    fields
      .take("placement")
      ?.warn("has no effect with one URL: it is everybody's home", { expected: "urls with several of them" });
  }
  if (urls === undefined || functions.length === 0) return { functions, specification: undefined };
  const specification = {
    id: functions.map(({ text }) => text).join(", "),
    functions: functions.map(({ pattern }) => pattern),
    urls,
    placement,
    maxNumBatchRequests,
    ...slots,
    maxBatchBytes,
    transport,
  };
  return { functions, specification };
}

type EndpointName = (typeof SHAPES.endpointV1.names)[number] | (typeof SHAPES.endpointV2.names)[number];

/** StateFun takes one pattern; a list of them is ours. */
function readFunctions(fields: Fields<EndpointName>): EndpointDraft["functions"] {
  const place = fields.need("functions", "namespace/name or namespace/*");
  if (place === undefined) return [];
  const places = place.isList ? (place.items("a list of functions") ?? []) : [place];
  if (place.empty) place.fail("is empty", { expected: "namespace/name or namespace/*" });
  return places.flatMap((each) => {
    const text = each.text("namespace/name or namespace/*");
    if (text === undefined) return [];
    const match = /^([^/\s*]+)\/(\*|[^/\s*]+)$/.exec(text);
    if (match !== null) {
      const name = match[2] === "*" ? undefined : match[2];
      return [{ pattern: { namespace: match[1] ?? "", name }, text, place: each }];
    }
    const problem = text.includes("*") ? "has a * elsewhere than after the namespace" : "is not a function";
    each.fail(problem, { value: text, expected: "namespace/name or namespace/*" });
    return [];
  });
}

const URL_EXPECTED = "http://host/path or https://host/path; {function.name} stands for the function's name";
const URLS_EXPECTED = "a list of URLs of replicas, not empty";

/** One URL, as in StateFun; several replicas are ours. Undefined when one is wrong. */
function readUrls(fields: Fields<EndpointName>): readonly string[] | undefined {
  const several = fields.take("urls");
  if (several === undefined) {
    const url = readUrl(fields.need("urlPathTemplate", `${URL_EXPECTED} (or urls, a list of them)`));
    return url === undefined ? undefined : [url];
  }
  if (fields.take("urlPathTemplate") !== undefined) {
    several.fail("stands beside urlPathTemplate", { expected: "one of them: urls lists all replicas" });
  }
  if (several.empty) return several.fail("is empty", { expected: URLS_EXPECTED });
  const read = new Map<string, { readonly text: string; readonly place: Place }>();
  const items = several.items(URLS_EXPECTED);
  for (const place of items ?? []) {
    const text = readUrl(place);
    if (text === undefined) continue;
    const earlier = read.get(filledIn(text).href);
    if (earlier === undefined) read.set(filledIn(text).href, { text, place });
    else place.fail(`is also a replica at ${earlier.place.position}`, { value: text, expected: "every replica once" });
  }
  return items === undefined || read.size < items.length ? undefined : [...read.values()].map(({ text }) => text);
}

function readUrl(place: Place | undefined): string | undefined {
  const expected = URL_EXPECTED;
  const text = place?.filled(expected);
  if (place === undefined || text === undefined) return undefined;
  if (/^https?\+unix:/.test(text)) return place.fail("is a Unix socket, which is not supported", { value: text, expected });
  const stray = /\{(?!function\.name\})[^{}]*\}/.exec(text);
  if (stray !== null) place.warn(`holds ${stray[0]}, which is sent as it is`, { value: text, expected: "{function.name}" });
  if (!/^https?:\/\/./.test(text) || !URL.canParse(named(text)))
    return place.fail("is not a URL of a function", { value: text, expected });
  return text;
}

function named(template: string): string {
  return template.replaceAll("{function.name}", "name");
}

function filledIn(template: string): URL {
  return new URL(named(template));
}

/** A number of slots; `auto`, as many as the replicas take; or a map that bounds those. */
function readConcurrency(
  place: Place | undefined,
  shape: typeof SHAPES.endpointV1Concurrency | typeof SHAPES.endpointV2Concurrency,
): Pick<EndpointSpecification, "concurrency" | "adaptive"> {
  if (place === undefined) return { concurrency: SLOTS, adaptive: false };
  if (!place.isMap) {
    const parse = (text: string) => (text === "auto" ? "auto" : parseWhole(text));
    const given = place.parsed(parse, "a number of slots", "a whole number, or auto");
    if (given === "auto") return { concurrency: SLOTS_MAX, adaptive: true };
    return { concurrency: (given === undefined ? undefined : place.whole(SLOTS_RANGE)) ?? SLOTS, adaptive: false };
  }
  const fields = place.fields(shape);
  fields?.need("auto", "true: a fixed number is written without a map")?.choice(["true"], true);
  return { concurrency: fields?.take("max")?.whole(SLOTS_RANGE) ?? SLOTS_MAX, adaptive: true };
}

function readBatchRequests(place: Place | undefined): number {
  const most = place?.whole() ?? 1000;
  return most <= 0 ? BATCH_REQUESTS_UNCAPPED : Math.min(most, BATCH_REQUESTS_UNCAPPED);
}

function readTransport(place: Place | undefined): TransportSpecification {
  if (place === undefined) return asyncDefaults();
  // Without a type the transport is async, as in StateFun's code since 3.2 (its documentation still says okhttp).
  const type = place.peek("type");
  const named = type === undefined || type.absent ? ASYNC : type.choice([ASYNC, OKHTTP]);
  if (named !== OKHTTP) return named === undefined ? asyncDefaults() : readAsync(place);
  return readOkhttp(place.fields(SHAPES.okhttp)?.take("timeouts"), "okhttpTimeouts");
}

/** One client pool of 1024 idle connections, kept a minute. */
function readOkhttp(place: Place | undefined, shape: "endpointV1Timeouts" | "okhttpTimeouts"): TransportSpecification {
  const timeouts = place?.fields(SHAPES[shape]);
  const call = timeouts?.take("call")?.durationMs({ min: 1 }) ?? MINUTE_MS;
  const within = (name: "connect" | "read" | "write"): number => {
    const given = timeouts?.take(name);
    const value = given?.durationMs({ min: 1 });
    if (given !== undefined && value !== undefined && value > call) {
      given.fail("is longer than the call timeout", { value: `${value} ms`, expected: `at most ${call} ms` });
    }
    // The default is a number nobody wrote: it gives way to a shorter call timeout.
    return value ?? Math.min(10_000, call);
  };
  within("write");
  timeouts?.take("write")?.warn("has no effect: the call timeout covers the request too");
  return {
    ...asyncDefaults(),
    callTimeoutMs: call,
    connectTimeoutMs: within("connect"),
    readTimeoutMs: within("read"),
    poolTtlMs: MINUTE_MS,
  };
}

function asyncDefaults(): TransportSpecification {
  return {
    callTimeoutMs: 2 * MINUTE_MS,
    connectTimeoutMs: 20_000,
    readTimeoutMs: undefined,
    poolTtlMs: 15_000,
    poolSize: 1024,
    payloadMaxBytes: PAYLOAD_MAX_BYTES,
    tls: undefined,
  };
}

type AsyncFields = Fields<(typeof SHAPES.async.names)[number]>;

function readAsync(place: Place): TransportSpecification {
  const fields = place.fields(SHAPES.async);
  if (fields === undefined) return asyncDefaults();
  const defaults = asyncDefaults();
  return {
    ...defaults,
    ...readAsyncTimeouts(fields, defaults),
    poolTtlMs: fields.take("pool_ttl")?.durationMs({ min: 0 }) ?? defaults.poolTtlMs,
    poolSize: fields.take("pool_size")?.whole({ min: 1, max: 65_536 }) ?? defaults.poolSize,
    payloadMaxBytes: fields.take("payload_max_bytes")?.size({ min: 1 }) ?? defaults.payloadMaxBytes,
    tls: readTls(fields),
  };
}

/** okhttp's spelling wins when it is there, and it brings its own defaults: 1 min and 10 s instead of 2 min and 20 s. */
function readAsyncTimeouts(
  fields: AsyncFields,
  defaults: TransportSpecification,
): Pick<TransportSpecification, "callTimeoutMs" | "connectTimeoutMs"> {
  const call = fields.take("call");
  const connect = fields.take("connect");
  const timeouts = fields.take("timeouts")?.fields(SHAPES.asyncTimeouts);
  if (timeouts === undefined) {
    return {
      callTimeoutMs: call?.durationMs({ min: 1 }) ?? defaults.callTimeoutMs,
      connectTimeoutMs: connect?.durationMs({ min: 1 }) ?? defaults.connectTimeoutMs,
    };
  }
  for (const place of [call, connect])
    place?.warn("has no effect beside timeouts, which counts (also its defaults: 1 min and 10 s)");
  for (const name of ["read", "write"] as const) timeouts.take(name)?.warn("has no effect in the async transport");
  return {
    callTimeoutMs: timeouts.take("call")?.durationMs({ min: 1 }) ?? MINUTE_MS,
    connectTimeoutMs: timeouts.take("connect")?.durationMs({ min: 1 }) ?? 10_000,
  };
}

function readTls(fields: AsyncFields): TlsSpecification | undefined {
  const caFile = readFilePath(fields.take("trust_cacerts"));
  const certFile = readFilePath(fields.take("client_cert"));
  const keyFile = readFilePath(fields.take("client_key"));
  const keyPasswordFile = readFilePath(fields.take("client_key_password"));
  for (const [one, other] of [
    ["client_cert", "client_key"],
    ["client_key", "client_cert"],
  ] as const) {
    if (fields.take(one) !== undefined && fields.take(other) === undefined) {
      fields.at(one).fail(`stands without ${other}`, { expected: "both or neither" });
    }
  }
  if (caFile === undefined && certFile === undefined && keyFile === undefined && keyPasswordFile === undefined) return undefined;
  const inPlace = { keyPassword: undefined, ca: undefined, cert: undefined, key: undefined };
  return { caFile, certFile, keyFile, keyPasswordFile, ...inPlace, checkHostname: true };
}

function readFilePath(place: Place | undefined): string | undefined {
  const text = place?.filled("the path of a file");
  if (text === undefined || place === undefined) return undefined;
  if (!text.startsWith("classpath:")) return text;
  return place.fail("is on a Java class path, and there is no JVM here", { value: text, expected: "the path of a file" });
}
