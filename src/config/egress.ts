/** `io.statefun.kafka.v1/egress` (STATEFUN.md §3.5) and our own `io.dirigo.kafka.v1/raw-egress`. */
import { ClientProperties } from "./client-properties";
import type { ClusterDraft } from "./cluster";
import { readCluster, readId, readTopicName } from "./ingress";
import type { Fields, Place } from "./place";
import type { EgressSpecification } from "./specification";
import { SHAPES, type Shape } from "./vocabulary";

/** Keeps the union: what is left out is left out of each kind. */
type WithoutCluster<Specification> = Specification extends unknown ? Omit<Specification, "cluster"> : never;

export interface EgressDraft {
  readonly id: { readonly text: string; readonly place: Place } | undefined;
  readonly cluster: ClusterDraft;
  readonly specification: WithoutCluster<EgressSpecification>;
  readonly addressUnset: string | undefined;
}

type Semantic = EgressSpecification["semantic"];
const SEMANTICS: readonly Semantic[] = ["exactly-once", "at-least-once", "none"];

export function readEgress(spec: Place, idPlace?: Place): EgressDraft | undefined {
  const fields = spec.fields(SHAPES.egress);
  if (fields === undefined) return undefined;
  const common = readCommon(spec, fields, idPlace);
  const semantic = readSemantic(fields.take("deliverySemantic"), SHAPES.egressSemantic);
  return { ...common, specification: { kind: "kafka", id: common.id?.text ?? "", semantic } };
}

export function readRawEgress(spec: Place): EgressDraft | undefined {
  const fields = spec.fields(SHAPES.rawEgress);
  if (fields === undefined) return undefined;
  const common = readCommon(spec, fields);
  const semantic = readSemantic(fields.take("deliverySemantic"), SHAPES.rawEgressSemantic);
  const topic = readTopicName(fields.need("topic", "the name of a topic")) ?? "";
  // Keyed by default: the records of one actor then stay in the order it sent them.
  const key = fields.take("key")?.choice(["sender-id", "none"]) ?? "sender-id";
  return { ...common, specification: { kind: "raw", id: common.id?.text ?? "", semantic, topic, key } };
}

function readCommon(
  spec: Place,
  fields: Fields<"id" | "address" | "properties">,
  idPlace?: Place,
): Omit<EgressDraft, "specification"> {
  const properties = new ClientProperties(fields.take("properties"), "egress");
  const address = fields.take("address");
  return {
    id: readId(idPlace ?? fields.need("id", "namespace/name")),
    cluster: readCluster(spec, address, properties),
    addressUnset: (address ?? properties.take("bootstrap.servers"))?.expansion()?.unset,
  };
}

/** Exactly once unless asked otherwise (StateFun: at-least-once): in Dirigo it costs no checkpoint interval of waiting. */
function readSemantic(
  place: Place | undefined,
  shape: Shape<"type" | "transactionTimeout" | "transactionTimeoutMillis">,
): Semantic {
  const fields = place?.fields(shape);
  for (const name of ["transactionTimeout", "transactionTimeoutMillis"] as const) {
    const timeout = fields?.take(name);
    if (timeout?.durationMs({ min: 1 }) === undefined) continue;
    timeout.warn("has no effect: a transaction is open for milliseconds here; the option transactionTimeoutMs bounds it");
  }
  return fields?.take("type")?.choice(SEMANTICS) ?? "exactly-once";
}
