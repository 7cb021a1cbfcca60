/** `io.statefun.endpoints.v1/http` and `v2/http` with their transports. STATEFUN.md §3.3. */
import type { Fields, Place } from "./place";
import type { EndpointSpecification, FunctionPattern, TlsSpecification, TransportSpecification } from "./specification";
import { ASYNC, OKHTTP, SHAPES } from "./vocabulary";

/** StateFun turns its threshold off with 0 or less; a batch is then bounded by its bytes alone. */
export const BATCH_REQUESTS_UNCAPPED = 2_147_483_647;

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
  const url = readUrl(fields);
  const maxNumBatchRequests = readBatchRequests(fields.take("maxNumBatchRequests"));
  const concurrency = fields.take("concurrency")?.whole({ min: 1, max: 100_000 }) ?? 64;
  const maxBatchBytes = fields.take("maxBatchBytes")?.size({ min: 1 }) ?? 4 * MIB;
  const transport =
    version === "v1" ? readOkhttp(fields.take("timeouts"), "endpointV1Timeouts") : readTransport(fields.take("transport"));
  if (url === undefined || functions.length === 0) return { functions, specification: undefined };
  const specification = {
    id: functions.map(({ text }) => text).join(", "),
    functions: functions.map(({ pattern }) => pattern),
    urls: [url],
    placement: "any" as const,
    adaptive: false,
    maxNumBatchRequests,
    concurrency,
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

function readUrl(fields: Fields<EndpointName>): string | undefined {
  const expected = "http://host/path or https://host/path; {function.name} stands for the function's name";
  const place = fields.need("urlPathTemplate", expected);
  const text = place?.filled(expected);
  if (place === undefined || text === undefined) return undefined;
  if (/^https?\+unix:/.test(text)) return place.fail("is a Unix socket, which is not supported", { value: text, expected });
  const stray = /\{(?!function\.name\})[^{}]*\}/.exec(text);
  if (stray !== null) place.warn(`holds ${stray[0]}, which is sent as it is`, { value: text, expected: "{function.name}" });
  const filledIn = text.replaceAll("{function.name}", "name");
  if (!/^https?:\/\/./.test(filledIn) || !URL.canParse(filledIn))
    return place.fail("is not a URL of a function", { value: text, expected });
  return text;
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
