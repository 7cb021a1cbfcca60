/**
 * Every option a module.yaml may hold, by the place it stands at. The readers can only take names from here, unknown names are
 * told with the nearest of these, and a test holds docs/configuration.md to exactly this list.
 */

export interface Shape<Name extends string = string> {
  /** The kind (or transport) it belongs to: a heading of docs/configuration.md. */
  readonly section: string;
  /** Path from `spec` to the names, with a trailing dot: `topics[].`. */
  readonly prefix: string;
  readonly names: readonly Name[];
}

export const ENDPOINT_V1 = "io.statefun.endpoints.v1/http";
export const ENDPOINT_V2 = "io.statefun.endpoints.v2/http";
export const OKHTTP = "io.statefun.transports.v1/okhttp";
export const ASYNC = "io.statefun.transports.v1/async";
export const INGRESS = "io.statefun.kafka.v1/ingress";
export const EGRESS = "io.statefun.kafka.v1/egress";
export const RAW_EGRESS = "io.dirigo.kafka.v1/raw-egress";
export const APPLICATION = "io.dirigo.v1/application";
export const FUNCTION = "io.dirigo.v1/function";

export const KINDS = [ENDPOINT_V1, ENDPOINT_V2, INGRESS, EGRESS, RAW_EGRESS, APPLICATION, FUNCTION] as const;
export type Kind = (typeof KINDS)[number];

/** Kinds that exist in StateFun's world but not here, and why. */
export const REFUSED_KINDS: Readonly<Record<string, string>> = {
  "io.statefun.kinesis.v1/ingress": "is not supported: Dirigo keeps its progress and state in Kafka and does not read Kinesis",
  "io.statefun.kinesis.v1/egress":
    "is not supported: Dirigo's exactly-once unit is a Kafka transaction and does not write to Kinesis",
  "io.statefun.playground.v1/ingress": "is not supported: it exists in StateFun's playground image only",
  "io.statefun.playground.v1/egress": "is not supported: it exists in StateFun's playground image only",
};

function shape<const Name extends string>(section: string, prefix: string, names: readonly Name[]): Shape<Name> {
  return { section, prefix, names };
}

const endpointNames = [
  "functions",
  "urlPathTemplate",
  "urls",
  "placement",
  "maxNumBatchRequests",
  "concurrency",
  "maxBatchBytes",
] as const;
const concurrencyNames = ["auto", "max"] as const;
const timeoutNames = ["call", "connect", "read", "write"] as const;
const componentNames = ["id", "address", "properties"] as const;
const semanticNames = ["type", "transactionTimeout", "transactionTimeoutMillis"] as const;

export const SHAPES = {
  document: shape("Documents", "", ["kind", "spec"]),
  endpointV1: shape(ENDPOINT_V1, "", [...endpointNames, "timeouts"]),
  endpointV1Concurrency: shape(ENDPOINT_V1, "concurrency.", concurrencyNames),
  endpointV1Timeouts: shape(ENDPOINT_V1, "timeouts.", timeoutNames),
  endpointV2: shape(ENDPOINT_V2, "", [...endpointNames, "transport"]),
  endpointV2Concurrency: shape(ENDPOINT_V2, "concurrency.", concurrencyNames),
  okhttp: shape(OKHTTP, "transport.", ["type", "timeouts"]),
  okhttpTimeouts: shape(OKHTTP, "transport.timeouts.", timeoutNames),
  async: shape(ASYNC, "transport.", [
    "type",
    "call",
    "connect",
    "pool_ttl",
    "pool_size",
    "payload_max_bytes",
    "trust_cacerts",
    "client_cert",
    "client_key",
    "client_key_password",
    "timeouts",
  ]),
  asyncTimeouts: shape(ASYNC, "transport.timeouts.", timeoutNames),
  ingress: shape(INGRESS, "", [
    ...componentNames,
    "consumerGroupId",
    "topics",
    "startupPosition",
    "autoOffsetResetPosition",
    "watermark",
  ]),
  ingressTopic: shape(INGRESS, "topics[].", ["topic", "valueType", "targets", "critical", "barrier"]),
  ingressBarrier: shape(INGRESS, "topics[].barrier.", ["json", "protobuf"]),
  watermark: shape(INGRESS, "watermark.", ["every", "time", "lateness", "idle", "typename", "functions"]),
  startupPosition: shape(INGRESS, "startupPosition.", ["type", "offsets", "date"]),
  egress: shape(EGRESS, "", [...componentNames, "deliverySemantic"]),
  egressSemantic: shape(EGRESS, "deliverySemantic.", semanticNames),
  rawEgress: shape(RAW_EGRESS, "", [...componentNames, "topic", "key", "deliverySemantic"]),
  rawEgressSemantic: shape(RAW_EGRESS, "deliverySemantic.", semanticNames),
  application: shape(APPLICATION, "", ["name", "ingresses", "slo", "policy", "weight", "params"]),
  applicationSlo: shape(APPLICATION, "slo.", ["latency", "percentile", "from", "window"]),
  /** Of the policies that come with Dirigo; a policy of the user's own has what params it likes. */
  applicationParams: shape(APPLICATION, "params.", [
    "margin",
    "priority",
    "rate",
    "interval",
    "scaling",
    "range",
    "hysteresis",
    "short",
  ]),
  function: shape(FUNCTION, "", ["functions", "mode", "maxLessees", "upstreams", "critical", "series", "states"]),
  functionUpstream: shape(FUNCTION, "upstreams[].", ["ingress", "partitions", "function", "count", "ids"]),
  functionSeries: shape(FUNCTION, "series.", ["name", "json", "protobuf"]),
  /** `*` stands for the name of a state. */
  functionState: shape(FUNCTION, "states.*.", ["merge"]),
} as const;

/** The shapes of StateFun's legacy root form (`version: "3.0"`); what stands under `spec` there has the shapes above. */
export const LEGACY_SHAPES = {
  document: shape("Legacy form", "", ["version", "module"]),
  module: shape("Legacy form", "module.", ["meta", "spec"]),
  moduleMeta: shape("Legacy form", "module.meta.", ["type"]),
  moduleSpec: shape("Legacy form", "module.spec.", ["endpoints", "ingresses", "egresses", "functions"]),
} as const;
