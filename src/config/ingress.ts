/** `io.statefun.kafka.v1/ingress`. STATEFUN.md §3.4. */
import { ClientProperties } from "./client-properties";
import type { ClusterDraft } from "./cluster";
import { readBarrierPath } from "./field-path";
import { nearest } from "./finding";
import type { Place } from "./place";
import { isTopicName, parseBrokers, parseInstant, parseWhole } from "./quantity";
import { readSecurity } from "./security";
import type { BarrierNumberSpecification, SourceSpecification, StartupPosition } from "./specification";
import { SHAPES } from "./vocabulary";
import { readWatermark, type WatermarkDraft } from "./watermark";

export interface SourceDraft {
  readonly specification: Omit<SourceSpecification, "cluster">;
  readonly topic: Place;
  readonly targets: readonly { readonly typename: string; readonly place: Place }[];
}

export interface IngressDraft {
  readonly id: { readonly text: string; readonly place: Place } | undefined;
  readonly cluster: ClusterDraft;
  readonly consumerGroupId: string | undefined;
  readonly sources: readonly SourceDraft[];
  readonly watermark: WatermarkDraft | undefined;
  /** Variable that the address consists of, when it is not set. */
  readonly addressUnset: string | undefined;
}

export function readIngress(spec: Place, idPlace?: Place): IngressDraft | undefined {
  const fields = spec.fields(SHAPES.ingress);
  if (fields === undefined) return undefined;
  const properties = new ClientProperties(fields.take("properties"), "ingress");
  const id = readId(idPlace ?? fields.need("id", "namespace/name"));
  const address = fields.take("address");
  const group = fields.take("consumerGroupId") ?? properties.take("group.id");
  const consumerGroupId = group?.filled("the name of a consumer group");
  const topics = readTopics(fields.need("topics", "a list of topics, not empty"));
  const startupPlace = fields.take("startupPosition");
  const startup = startupPlace === undefined ? LATEST : readStartup(startupPlace, consumerGroupId, topics);
  if (startup?.kind === "group-offsets" && group === undefined) {
    fields
      .at("consumerGroupId")
      .fail("is missing", { expected: "the name of a consumer group, because startupPosition is group-offsets" });
  }
  const watermark = readWatermark(fields.take("watermark"));
  const shared = {
    ingress: id?.text ?? "",
    startup: startup ?? LATEST,
    autoOffsetReset: fields.take("autoOffsetResetPosition")?.choice(["earliest", "latest"], true) ?? ("latest" as const),
    readUncommitted:
      properties.take("isolation.level")?.choice(["read_committed", "read_uncommitted"], true) === "read_uncommitted",
    fetchMaxBytes: properties.size("fetch.max.bytes"),
    fetchPartitionMaxBytes: properties.size("max.partition.fetch.bytes"),
    fetchMaxWaitMs: properties.durationMs("fetch.max.wait.ms"),
    fetchMinBytes: properties.size("fetch.min.bytes"),
    // One object for all its topics: their partitions pass the ends of windows together.
    watermark: watermark?.specification,
  };
  return {
    id,
    cluster: readCluster(spec, address, properties),
    consumerGroupId,
    sources: topics.map(({ name, valueType, targets, critical, barrier, place }) => ({
      specification: {
        ...shared,
        topic: name,
        valueType,
        targets: targets.map(({ typename }) => typename),
        critical,
        barrier,
      },
      topic: place,
      targets,
    })),
    watermark,
    addressUnset: (address ?? properties.take("bootstrap.servers"))?.expansion()?.unset,
  };
}

/** functions/merge-message.ts: the SDKs take it for a merge. */
const MERGE_TYPENAME = "io.dirigo.types/merge";
const LATEST: StartupPosition = { kind: "latest" };

export function readId(place: Place | undefined): { text: string; place: Place } | undefined {
  const text = place?.typename("the id of a component");
  return text === undefined || place === undefined ? undefined : { text, place };
}

/** The address wins over `bootstrap.servers`, as in StateFun. */
export function readCluster(component: Place, address: Place | undefined, properties: ClientProperties): ClusterDraft {
  const place = address ?? properties.take("bootstrap.servers");
  return {
    brokers: place?.parsed(parseBrokers, "a list of brokers", "host:port, or several with commas between"),
    addressed: place !== undefined,
    security: readSecurity(properties, component),
    clientId: properties.text("client.id"),
    connectionTimeoutMs: properties.durationMs("socket.connection.setup.timeout.ms"),
    requestTimeoutMs: properties.durationMs("request.timeout.ms"),
    place: component,
  };
}

export function readTopicName(place: Place | undefined): string | undefined {
  const expected = "at most 249 letters, digits, dots, underscores and hyphens";
  return place?.parsed((text) => (isTopicName(text) ? text : undefined), "the name of a topic", expected);
}

interface Topic {
  readonly name: string;
  readonly valueType: string;
  readonly targets: SourceDraft["targets"];
  readonly critical: boolean;
  readonly barrier: BarrierNumberSpecification | undefined;
  readonly place: Place;
}

function readTopics(place: Place | undefined): readonly Topic[] {
  const items = place?.items("a list of topics, not empty") ?? [];
  if (place?.empty === true) place.fail("is empty", { expected: "a list of topics, not empty" });
  const topics = new Map<string, Topic>();
  for (const item of items) {
    const topic = readTopic(item);
    if (topic === undefined) continue;
    const earlier = topics.get(topic.name);
    // StateFun keeps the last, silently.
    if (earlier !== undefined) earlier.place.warn("is named again in this ingress; the later one counts", { value: topic.name });
    topics.set(topic.name, topic);
  }
  return [...topics.values()];
}

function readTopic(item: Place): Topic | undefined {
  const fields = item.fields(SHAPES.ingressTopic);
  if (fields === undefined) return undefined;
  const place = fields.need("topic", "the name of a topic");
  const name = readTopicName(place);
  const valueType = fields.need("valueType", "the type of the topic's values: namespace/name")?.filled();
  if (valueType === MERGE_TYPENAME)
    fields.at("valueType").fail("is what the router asks for merges with", { value: valueType, expected: "a type of your own" });
  const list = fields.need("targets", "a list of functions, not empty");
  const items = list?.items("a list of functions, not empty") ?? [];
  if (list?.empty === true) list.fail("is empty", { expected: "a list of functions, not empty" });
  const targets = items.flatMap((target) => {
    const typename = target.typename("a function");
    return typename === undefined ? [] : [{ typename, place: target }];
  });
  const critical = fields.take("critical")?.choice(["true", "false"], true) === "true";
  const barrier = readBarrier(fields.take("barrier"));
  if (place === undefined || name === undefined) return undefined;
  return { name, valueType: valueType ?? "", targets, critical, barrier, place };
}

const BARRIER_EXPECTED = "counter, { json: path } or { protobuf: path }";

function readBarrier(place: Place | undefined): BarrierNumberSpecification | undefined {
  if (place === undefined) return undefined;
  if (!place.isMap) {
    const parse = (text: string) => (text === "counter" ? text : undefined);
    const kind = place.parsed(parse, "a place of a barrier's number", BARRIER_EXPECTED);
    return kind === undefined ? undefined : { kind };
  }
  const fields = place.fields(SHAPES.ingressBarrier);
  const json = fields?.take("json");
  const protobuf = fields?.take("protobuf");
  if (json === undefined && protobuf === undefined) return place.fail("names no place", { expected: BARRIER_EXPECTED });
  return readBarrierPath(json, protobuf);
}

const STARTUP_KINDS = ["group-offsets", "earliest", "latest", "specific-offsets", "date"] as const;

function readStartup(place: Place, groupId: string | undefined, topics: readonly Topic[]): StartupPosition | undefined {
  const fields = place.fields(SHAPES.startupPosition);
  const kind = fields?.need("type", STARTUP_KINDS.join(", "))?.choice(STARTUP_KINDS);
  if (fields === undefined || kind === undefined) return undefined;
  for (const [option, owner] of [
    ["offsets", "specific-offsets"],
    ["date", "date"],
  ] as const) {
    if (kind !== owner)
      fields.take(option)?.warn(`has no effect with the startup position ${kind}`, { expected: `type: ${owner}` });
  }
  switch (kind) {
    case "group-offsets":
      return { kind, groupId: groupId ?? "" };
    case "earliest":
    case "latest":
      return { kind };
    case "date": {
      const expected = "yyyy-MM-dd HH:mm:ss.SSS Z, for example 2020-02-01 04:15:00.000 +0000";
      const timestampMs = fields.need("date", expected)?.parsed(parseInstant, "a date", expected);
      return timestampMs === undefined ? undefined : { kind, timestampMs };
    }
    case "specific-offsets":
      return readOffsets(fields.need("offsets", OFFSETS_EXPECTED), topics);
  }
}

const OFFSETS_EXPECTED = "a list of pairs, not empty: - topic/partition: offset";

function readOffsets(place: Place | undefined, topics: readonly Topic[]): StartupPosition | undefined {
  const pairs = place?.pairs(OFFSETS_EXPECTED);
  if (place === undefined || pairs === undefined) return undefined;
  if (place.empty) return place.fail("is empty", { expected: OFFSETS_EXPECTED });
  const offsets: Record<string, number> = {};
  for (const { key, value } of pairs) {
    const partition = splitPartition(key);
    const offset = value.whole({ min: 0 });
    if (partition === undefined)
      value.fail("is not a partition", { value: key, expected: "topic/partition, for example orders/0" });
    else if (!topics.some(({ name }) => name === partition.topic)) warnForeign(value, partition.topic, topics);
    else if (offset !== undefined) offsets[`${partition.topic}/${partition.number}`] = offset;
  }
  return { kind: "specific-offsets", offsets };
}

function warnForeign(place: Place, topic: string, topics: readonly Topic[]): void {
  const near = nearest(
    topic,
    topics.map(({ name }) => name),
  );
  place.warn("has no effect: this ingress does not read the topic", { value: topic, nearest: near });
}

function splitPartition(text: string): { readonly topic: string; readonly number: number } | undefined {
  const match = /^([\w.-]+)\/(\d+)$/.exec(text);
  const number = parseWhole(match?.[2] ?? "");
  return match?.[1] === undefined || number === undefined || number > 2_147_483_647 ? undefined : { topic: match[1], number };
}
