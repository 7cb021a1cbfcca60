/**
 * The JSON Schema of one document of a module.yaml, for editors (docs/module.schema.json). Names come from the vocabulary, explanations and
 * defaults from the tables of docs/configuration.md; here stands only which values an option takes, and the
 * compiler holds that to the vocabulary. Run as a program (`npm run schema`) it writes the file.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { POLICY_PARAMS } from "../../src/config/application";
import { MAPPED_PROPERTIES } from "../../src/config/client-properties";
import { MERGES } from "../../src/config/merge-text";
import {
  APPLICATION,
  ASYNC,
  EGRESS,
  ENDPOINT_V1,
  ENDPOINT_V2,
  FUNCTION,
  INGRESS,
  KINDS,
  type Kind,
  LEGACY_SHAPES,
  OKHTTP,
  RAW_EGRESS,
  SHAPES,
} from "../../src/config/vocabulary";
import { rows } from "./documentation";

export type Schema = { readonly [keyword: string]: unknown };

export const SCHEMA_PATH = join(__dirname, "../../../docs/module.schema.json");

type ShapeName = keyof typeof SHAPES;
type Values<Name extends ShapeName> = Readonly<Record<(typeof SHAPES)[Name]["names"][number], Schema>>;

const PLACEHOLDER = "\\$\\{";
const TEXT: Schema = { type: ["string", "number", "boolean"] };
const DURATION: Schema = { type: ["integer", "string"], minimum: 0, pattern: `^\\s*\\d+\\s*[A-Za-zµμ]*\\s*$|${PLACEHOLDER}` };
const SIZE: Schema = { type: ["integer", "string"], minimum: 1, pattern: `^\\s*\\d+\\s*[A-Za-z]*\\s*$|${PLACEHOLDER}` };
const TYPENAME: Schema = { type: "string", pattern: `^[^/\\s*]+/[^/\\s*]+$|${PLACEHOLDER}` };
const TOPIC: Schema = { type: ["string", "number"], pattern: `^[\\w.-]{1,249}$|${PLACEHOLDER}` };
const ADDRESS: Schema = { type: "string", pattern: `:\\d|${PLACEHOLDER}` };
const NAME: Schema = { type: ["string", "number"], pattern: `^[\\w.-]{1,100}$|${PLACEHOLDER}` };
const FREE: Schema = {};

function whole(bounds: Schema = {}): Schema {
  return { type: ["integer", "string"], ...bounds, pattern: `^\\s*[+-]?\\d+\\s*$|${PLACEHOLDER}` };
}

function number(bounds: Schema): Schema {
  return { type: ["number", "string"], ...bounds, pattern: `^\\s*[+-]?(\\d+(\\.\\d+)?|\\.\\d+)\\s*$|${PLACEHOLDER}` };
}

/** One of some names, which an editor proposes, or a text of this pattern. */
function choice(names: readonly string[], otherwise: string = PLACEHOLDER): Schema {
  return { anyOf: [{ enum: names }, { type: "string", pattern: otherwise }] };
}

function list(items: Schema): Schema {
  return { type: "array", minItems: 1, items };
}

/** As StateFun has them, a list of single pairs, or simply a map. */
function pairs(map: Schema): Schema {
  return { anyOf: [{ type: "array", items: map }, map] };
}

function kafkaProperties(role: "ingress" | "egress"): Schema {
  const known = Object.entries(MAPPED_PROPERTIES).filter(([, meaning]) => meaning.role === "both" || meaning.role === role);
  const values = known.map(([name, { becomes }]) => [name, { ...SCALAR, description: becomes }]);
  return { type: "object", properties: Object.fromEntries(values), additionalProperties: SCALAR };
}

/** In an array, because other keywords beside a bare `$ref` are ignored. */
function reference(name: string): Schema {
  return { allOf: [{ $ref: `#/definitions/${name.replaceAll("/", "~1")}` }] };
}

const SCALAR: Schema = { type: ["string", "number", "boolean", "null"] };

/** The options of one shape: each with its explanation and default, and no others. */
function options<Name extends ShapeName>(name: Name, values: Values<Name>): Schema {
  const { section, prefix, names } = SHAPES[name];
  const table = rows(section.includes("/") ? `\`${section}\`` : section);
  const described = names.map((option) => {
    const row = table.find(([path]) => path === `\`${prefix}${option}\``) ?? [];
    const [, standard = "", meaning = ""] = row;
    // What refers to another row says nothing on its own.
    const facts = /^(?:as |the same$|see )/.test(meaning) || meaning === "" ? [] : [meaning];
    if (standard !== "" && standard !== "required") facts.push(`default: ${standard}`);
    const value: Schema = (values as Readonly<Record<string, Schema>>)[option] ?? FREE;
    const entry = { ...value, ...(facts.length === 0 ? {} : { description: facts.join("; ").replaceAll("**", "") }) };
    return { option, entry, required: standard === "required" };
  });
  const required = described.filter((each) => each.required).map(({ option }) => option);
  return {
    type: "object",
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(described.map(({ option, entry }) => [option, entry])),
    additionalProperties: false,
  };
}

const SERVED = { type: "string", pattern: `^[^/\\s*]+/(\\*|[^/\\s*]+)$|${PLACEHOLDER}` };
const URL: Schema = { type: "string", pattern: `^https?://.|${PLACEHOLDER}` };
const SLOTS = whole({ minimum: 1, maximum: 100_000 });
const YES: Schema = { type: ["boolean", "string"], pattern: `^true$|${PLACEHOLDER}`, not: { const: false } };

const ENDPOINT = {
  functions: { anyOf: [SERVED, list(SERVED)] },
  urlPathTemplate: URL,
  urls: { ...list(URL), uniqueItems: true },
  placement: choice(["any", "home"]),
  maxNumBatchRequests: whole(),
  maxBatchBytes: SIZE,
};
/** Just one of them. */
const ONE_URL: Schema = { oneOf: [{ required: ["urlPathTemplate"] }, { required: ["urls"] }] };

function concurrency(name: "endpointV1Concurrency" | "endpointV2Concurrency"): Schema {
  const bounded = { ...options(name, { auto: YES, max: SLOTS }), required: ["auto"] };
  return { anyOf: [SLOTS, choice(["auto"]), bounded] };
}

const YES_OR_NO: Schema = { type: ["boolean", "string"], pattern: `^(true|false)$|${PLACEHOLDER}` };
const JSON_PATH: Schema = { type: ["string", "number"], pattern: `^[^.\\s](.*[^.\\s])?$|${PLACEHOLDER}` };
const PROTOBUF_PATH: Schema = { type: ["number", "string"], minimum: 1, pattern: `^[1-9]\\d*(\\.[1-9]\\d*)*$|${PLACEHOLDER}` };
const BARRIER: Schema = {
  anyOf: [
    choice(["counter"]),
    { ...options("ingressBarrier", { json: JSON_PATH, protobuf: PROTOBUF_PATH }), minProperties: 1, maxProperties: 1 },
  ],
};
const TIMEOUTS = { call: DURATION, connect: DURATION, read: DURATION, write: DURATION };

const OKHTTP_TRANSPORT = options("okhttp", {
  type: choice([OKHTTP]),
  timeouts: options("okhttpTimeouts", TIMEOUTS),
});

const ASYNC_TRANSPORT = options("async", {
  type: choice([ASYNC]),
  call: DURATION,
  connect: DURATION,
  pool_ttl: DURATION,
  pool_size: whole({ minimum: 1, maximum: 65_536 }),
  payload_max_bytes: SIZE,
  trust_cacerts: TEXT,
  client_cert: TEXT,
  client_key: TEXT,
  client_key_password: TEXT,
  timeouts: options("asyncTimeouts", TIMEOUTS),
});

const TRANSPORT: Schema = {
  type: "object",
  properties: { type: choice([ASYNC, OKHTTP]) },
  if: { properties: { type: { const: OKHTTP } }, required: ["type"] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
  then: OKHTTP_TRANSPORT,
  else: ASYNC_TRANSPORT,
};

const STARTUP = options("startupPosition", {
  type: choice(["group-offsets", "earliest", "latest", "specific-offsets", "date"]),
  offsets: pairs({ type: "object", additionalProperties: whole({ minimum: 0 }) }),
  date: TEXT,
});

const SEMANTIC = {
  type: choice(["exactly-once", "at-least-once", "none"]),
  transactionTimeout: DURATION,
  transactionTimeoutMillis: DURATION,
};

const SLO = options("applicationSlo", {
  latency: DURATION,
  percentile: number({ exclusiveMinimum: 0, maximum: 100 }),
  from: choice(["arrival", "record-timestamp", "window-end"]),
  window: DURATION,
});

const PARAMS = options("applicationParams", {
  margin: number({ minimum: 0, maximum: 0.9 }),
  priority: whole(),
  rate: number({ exclusiveMinimum: 0 }),
  interval: DURATION,
  scaling: YES_OR_NO,
  range: whole(),
  hysteresis: DURATION,
  short: number({ minimum: 0, maximum: 1 }),
});

const POLICY_FILE = `[./\\\\].*\\.[cm]?js$|^[^./\\\\]+\\.[cm]?js$`;

const APPLICATION_OPTIONS: Schema = {
  ...options("application", {
    name: NAME,
    ingresses: list(TYPENAME),
    slo: SLO,
    policy: choice(Object.keys(POLICY_PARAMS), `${POLICY_FILE}|${PLACEHOLDER}`),
    weight: number({ exclusiveMinimum: 0 }),
    // What a policy of the user's own takes is the user's affair.
    params: { ...PARAMS, additionalProperties: true },
  }),
  allOf: Object.entries(POLICY_PARAMS).map(([policy, names]) => ({
    if: { properties: { policy: { const: policy } }, required: ["policy"] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
    then: { properties: { params: names.length === 0 ? { maxProperties: 0 } : { propertyNames: { enum: names } } } },
  })),
};

const DUAL_ONLY = ["maxLessees", "upstreams", "critical", "series", "states"] as const;
const DESCRIBED = { type: "string", pattern: `^[^/\\s*]+/([^/\\s*]+\\*?|\\*)$|${PLACEHOLDER}` };
const MERGE = choice(
  MERGES.filter((text) => !text.includes("(")),
  `^\\s*(max-by|partition|map)\\s*\\(.+\\)\\s*$|${PLACEHOLDER}`,
);

const UPSTREAM = {
  ...options("functionUpstream", {
    ingress: TYPENAME,
    partitions: choice(["all", "seen"]),
    function: TYPENAME,
    count: whole({ minimum: 1, maximum: 1_000_000 }),
    ids: list(TEXT),
  }),
  oneOf: [
    { required: ["ingress"], propertyNames: { enum: ["ingress", "partitions"] } },
    { required: ["function"], propertyNames: { enum: ["function", "count"] } },
    { required: ["function", "ids"], propertyNames: { enum: ["function", "ids"] } },
  ],
};

const SERIES = { ...options("functionSeries", { name: NAME, json: JSON_PATH, protobuf: PROTOBUF_PATH }), required: ["name"] };

const FUNCTION_OPTIONS: Schema = {
  ...options("function", {
    functions: { anyOf: [DESCRIBED, list(DESCRIBED)] },
    mode: choice(["exclusive", "dual"]),
    maxLessees: whole({ minimum: 0, maximum: 64 }),
    upstreams: { type: "array", items: { anyOf: [TYPENAME, UPSTREAM] } },
    critical: { type: "array", items: TYPENAME },
    series: { anyOf: [NAME, { ...SERIES, not: { required: ["json", "protobuf"] } }] },
    states: {
      type: "object",
      additionalProperties: { anyOf: [MERGE, { ...options("functionState", { merge: MERGE }), required: ["merge"] }] },
    },
  }),
  // Exclusive is what a document is that does not say otherwise.
  if: { properties: { mode: { const: "exclusive" } } },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
  then: { not: { anyOf: DUAL_ONLY.map((name) => ({ required: [name] })) } },
};

const SPECS: Readonly<Record<Kind, Schema>> = {
  [ENDPOINT_V1]: {
    ...options("endpointV1", {
      ...ENDPOINT,
      concurrency: concurrency("endpointV1Concurrency"),
      timeouts: options("endpointV1Timeouts", TIMEOUTS),
    }),
    ...ONE_URL,
  },
  [ENDPOINT_V2]: {
    ...options("endpointV2", { ...ENDPOINT, concurrency: concurrency("endpointV2Concurrency"), transport: TRANSPORT }),
    ...ONE_URL,
  },
  [INGRESS]: options("ingress", {
    id: TYPENAME,
    address: ADDRESS,
    properties: pairs(reference("ingressProperties")),
    consumerGroupId: TEXT,
    topics: list(
      options("ingressTopic", { topic: TOPIC, valueType: TEXT, targets: list(TYPENAME), critical: YES_OR_NO, barrier: BARRIER }),
    ),
    startupPosition: STARTUP,
    autoOffsetResetPosition: choice(
      ["earliest", "latest"],
      `^([eE][aA][rR][lL][iI][eE][sS][tT]|[lL][aA][tT][eE][sS][tT])$|${PLACEHOLDER}`,
    ),
    watermark: options("watermark", {
      every: DURATION,
      time: choice(["record-timestamp", "arrival"]),
      lateness: DURATION,
      idle: DURATION,
      typename: TYPENAME,
      functions: list(TYPENAME),
    }),
  }),
  [EGRESS]: options("egress", {
    id: TYPENAME,
    address: ADDRESS,
    properties: pairs(reference("egressProperties")),
    deliverySemantic: options("egressSemantic", SEMANTIC),
  }),
  [RAW_EGRESS]: options("rawEgress", {
    id: TYPENAME,
    address: ADDRESS,
    properties: pairs(reference("egressProperties")),
    topic: TOPIC,
    key: choice(["sender-id", "none"]),
    deliverySemantic: options("rawEgressSemantic", SEMANTIC),
  }),
  [APPLICATION]: APPLICATION_OPTIONS,
  [FUNCTION]: FUNCTION_OPTIONS,
};

/** A document of today: `kind` says which options `spec` has. */
function document(): Schema {
  return {
    ...options("document", { kind: { enum: KINDS }, spec: { type: "object" } }),
    type: ["object", "null"],
    allOf: KINDS.map((kind) => ({
      if: { properties: { kind: { const: kind } }, required: ["kind"] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
      then: { properties: { spec: { ...reference(kind), required: SPECS[kind].required } } },
    })),
  };
}

/** StateFun's legacy root form: the same components, with kind and id under `meta`. */
function legacy(): Schema {
  const kind = closed({ kind: { const: "http" }, id: TEXT }, ["kind"]);
  const typeAndId = (type: string) => closed({ type: { const: type }, id: TYPENAME }, ["type", "id"]);
  const components = closed({
    endpoints: legacyComponents("endpoint", kind, ENDPOINT_V1),
    ingresses: legacyComponents("ingress", typeAndId("io.statefun.kafka/ingress"), INGRESS),
    egresses: legacyComponents("egress", typeAndId("io.statefun.kafka/egress"), EGRESS),
    functions: { type: "array", maxItems: 0 },
  });
  const root = closed({ meta: closed({ type: { const: "remote" } }), spec: components }, ["spec"]);
  return closed({ version: { enum: ["3.0", 3] }, module: root }, ["version", "module"]);
}

function legacyComponents(noun: string, meta: Schema, kind: Kind): Schema {
  const required = (SPECS[kind].required as readonly string[]).filter((name) => name !== "id");
  const spec = { ...reference(kind), required };
  return { type: "array", items: closed({ [noun]: closed({ meta, spec }, ["meta", "spec"]) }, [noun]) };
}

function closed(properties: Schema, required: readonly string[] = []): Schema {
  return { type: "object", required, properties, additionalProperties: false };
}

/** What is required depends on the form: in the legacy one the id stands elsewhere. */
function definitions(): Schema {
  const specs = KINDS.map((kind) => [kind, { ...SPECS[kind], required: [] }]);
  const properties = { ingressProperties: kafkaProperties("ingress"), egressProperties: kafkaProperties("egress") };
  return { ...Object.fromEntries(specs), ...properties };
}

export function moduleSchema(): Schema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "A document of Dirigo's module.yaml",
    if: { type: "object", anyOf: LEGACY_SHAPES.document.names.map((name) => ({ required: [name] })) },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
    then: legacy(),
    else: document(),
    definitions: definitions(),
  };
}

export function schemaText(): string {
  return `${JSON.stringify(moduleSchema(), undefined, 2)}\n`;
}

if (require.main === module) writeFileSync(SCHEMA_PATH, schemaText());
