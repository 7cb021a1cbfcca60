/** Topics: the internal ones made as they must be, ingress topics made or waited for, limits of egress topics looked up once. */
import { type Admin, ConfigResourceTypes, type ITopicConfig, Kafka } from "kafkajs";
import type { ClusterSpecification } from "../config/specification";
import { ConfigError } from "../model/errors";
import type { Log } from "../observe/log";
import { kafkajsConfig } from "./client-config";
import { errorText, errorType } from "./kafkajs-internals";
import type { Link } from "./link";
import { pause } from "./link";

export const stateTopic = (group: string): string => `${group}.state`;
export const claimsTopic = (group: string): string => `${group}.claims`;
/** Only where a function is dual-mode. */
export const controlTopic = (group: string): string => `${group}.control`;

/** State values may have 32 MiB (STATEFUN.md), and a unit's batch of one partition is split at this. */
const stateMessageBytesMax = 64 * 1024 * 1024;
/** Kafka's own default, assumed where we may not ask. */
const messageBytesDefault = 1_048_588;
/** How long a broker may be away when we start; later it may be away for ever. */
const brokerMs = 30_000;
const askAgainMs = 200;
const sayAgainMs = 5_000;
const leadersMs = 20;

/** Until it answers. Refused credentials are not waited for, and after a while an absent broker is an error too. */
export async function awaitBroker(cluster: ClusterSpecification, log: Log, closed: () => boolean): Promise<void> {
  const deadline = Date.now() + brokerMs;
  for (let saidMs = 0; !closed(); ) {
    try {
      return await withAdmin(cluster, log, async () => undefined);
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      const what = `Kafka at ${cluster.brokers.join(",")} cannot be reached: ${errorText(error)}`;
      if (isRefusal(error) || Date.now() > deadline) throw new ConfigError([what]);
      if (Date.now() - saidMs >= sayAgainMs) {
        saidMs = Date.now();
        log("warn", `${what}; waiting for it`);
      }
      await pause(askAgainMs);
    }
  }
}

/** Credentials or certificates that do not fit: time will not mend them. */
function isRefusal(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return errorType(error).includes("SASL") || (typeof code === "string" && /CERT|TLS|SSL/.test(code));
}

/** Runs `work` with an admin client that is closed again. */
export async function withAdmin<T>(cluster: ClusterSpecification, log: Log, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Kafka(kafkajsConfig(cluster, log)).admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

const tenMinutesMs = 600_000;
const oneHourMs = 3_600_000;
const oneDayMs = 24 * oneHourMs;

export interface InternalTopics {
  readonly group: string;
  /** Partitions of each. */
  readonly shards: number;
  readonly replicationFactor: number;
  /** With the control topic. */
  readonly dualMode: boolean;
}

function internalTopics({ group, shards, replicationFactor, dualMode }: InternalTopics): ITopicConfig[] {
  const entry = (name: string, value: string | number) => ({ name, value: String(value) });
  // Restoring reads the whole log: it is rolled often (only rolled segments are compacted) and compacted early. Tombstones are kept
  // for an hour: a restore that takes longer than that does not exist.
  const compaction = [
    entry("cleanup.policy", "compact"),
    entry("segment.ms", tenMinutesMs),
    entry("min.cleanable.dirty.ratio", 0.1),
    entry("delete.retention.ms", oneHourMs),
    entry("message.timestamp.type", "CreateTime"),
  ];
  // A segment must hold the largest message.
  const large = [entry("max.message.bytes", stateMessageBytesMax), entry("segment.bytes", 2 * stateMessageBytesMax)];
  // Nothing is restored from it, so a day is enough for who wants to look. Only rolled segments are deleted.
  const aDay = [
    entry("cleanup.policy", "delete"),
    entry("retention.ms", oneDayMs),
    entry("segment.ms", oneHourMs),
    entry("message.timestamp.type", "CreateTime"),
  ];
  const common = { numPartitions: shards, replicationFactor };
  return [
    { topic: stateTopic(group), ...common, configEntries: [...compaction, ...large] },
    { topic: claimsTopic(group), ...common, configEntries: compaction },
    ...(dualMode ? [{ topic: controlTopic(group), ...common, configEntries: [...aDay, ...large] }] : []),
  ];
}

/** Creates what is absent and refuses what does not fit. */
export async function ensureInternalTopics(cluster: ClusterSpecification, internal: InternalTopics, log: Log): Promise<void> {
  const { group, shards, dualMode } = internal;
  await withAdmin(cluster, log, async (admin) => {
    const wanted = internalTopics(internal);
    const existing = new Set(await admin.listTopics());
    const absent = wanted.filter(({ topic }) => !existing.has(topic));
    if (absent.length > 0) {
      await create(admin, absent);
      log("info", `Created ${absent.map(({ topic }) => topic).join(", ")} with ${shards} partitions on ${cluster.name}.`);
    }
    const { topics } = await admin.fetchTopicMetadata({ topics: wanted.map(({ topic }) => topic) });
    const findings = topics
      .filter(({ partitions }) => partitions.length !== shards)
      .map(
        ({ name, partitions }) =>
          `topic ${name} on ${cluster.name} has ${partitions.length} partitions, but the option shards is ${shards}; ` +
          `the number of shards is fixed when a group's topics are created: set shards to ${partitions.length}, or use another group name`,
      );
    if (findings.length > 0) throw new ConfigError(findings);
    await warnOfSmallLimit(admin, stateTopic(group), "state values up to 32 MiB", stateMessageBytesMax, log);
    // Parts are cut into records of half of it (scaling/control.ts).
    if (dualMode) await warnOfSmallLimit(admin, controlTopic(group), "parts of states", messageBytesDefault, log);
  });
}

async function warnOfSmallLimit(admin: Admin, topic: string, what: string, needed: number, log: Log): Promise<void> {
  const bytes = await describeMessageBytes(admin, topic).catch(() => undefined);
  if (bytes === undefined || bytes >= needed) return;
  log(
    "warn",
    `Topic ${topic} takes messages up to ${bytes} bytes; ${what} need max.message.bytes=${needed}. Larger values will be refused.`,
    { topic, bytes },
  );
}

async function create(admin: Admin, topics: ITopicConfig[]): Promise<void> {
  try {
    await admin.createTopics({ topics, waitForLeaders: false });
  } catch (error) {
    // Another router was quicker.
    const errors = (error as { errors?: readonly unknown[] }).errors ?? [error];
    const fault = errors.find((each) => errorType(each) !== "TOPIC_ALREADY_EXISTS");
    if (fault !== undefined)
      throw new Error(`creating ${topics.map(({ topic }) => topic).join(", ")} failed: ${errorText(fault)}`);
  }
  await awaitLeaders(
    admin,
    topics.map(({ topic }) => topic),
  );
}

/** kafkajs's own waiting fails when a broker has not yet heard of the topic that its controller has just created. */
async function awaitLeaders(admin: Admin, topics: string[]): Promise<void> {
  for (const deadline = Date.now() + brokerMs; ; await pause(leadersMs)) {
    try {
      const { topics: known } = await admin.fetchTopicMetadata({ topics });
      if (known.every(({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0))) return;
    } catch (error) {
      if (!notYet.has(errorType(error)) || Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error(`${topics.join(", ")} have no leaders`);
  }
}

const notYet = new Set(["UNKNOWN_TOPIC_OR_PARTITION", "LEADER_NOT_AVAILABLE"]);

/** Until all of them exist: made by us when `createAbsent`, otherwise waited for, which is said every few seconds. */
export async function awaitTopics(
  cluster: ClusterSpecification,
  topics: readonly string[],
  createAbsent: { readonly partitions: number; readonly replicationFactor: number } | undefined,
  log: Log,
  closed: () => boolean,
): Promise<void> {
  await withAdmin(cluster, log, async (admin) => {
    let saidMs = 0;
    while (!closed()) {
      const existing = new Set(await admin.listTopics());
      const absent = topics.filter((topic) => !existing.has(topic));
      if (absent.length === 0) return;
      if (createAbsent !== undefined) {
        const { partitions, replicationFactor } = createAbsent;
        await create(
          admin,
          absent.map((topic) => ({ topic, numPartitions: partitions, replicationFactor })),
        );
        log("info", `Created ${absent.join(", ")} with ${partitions} partitions on ${cluster.name}.`);
      } else if (Date.now() - saidMs >= sayAgainMs) {
        saidMs = Date.now();
        log("warn", `Waiting for topic ${absent.join(", ")} on ${cluster.name}: it does not exist yet.`, { absent });
      }
      await pause(askAgainMs);
    }
  });
}

async function describeMessageBytes(admin: Admin, topic: string): Promise<number | undefined> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ["max.message.bytes"] }],
  });
  const value = resources[0]?.configEntries.find(({ configName }) => configName === "max.message.bytes")?.configValue;
  return value === undefined ? undefined : Number(value);
}

/** How large a batch each topic takes: asked once per topic. */
export class TopicLimits {
  readonly #known = new Map<string, number>();
  readonly #asked = new Map<string, Promise<number>>();
  #warned = false;

  constructor(
    readonly linkTo: (cluster: string) => Link,
    readonly log: Log,
  ) {}

  known(cluster: string, topic: string): number | undefined {
    return this.#known.get(`${cluster} ${topic}`);
  }

  /** Topics of the cluster whose limit is known: those that were written to. */
  topics(cluster: string): string[] {
    const prefix = `${cluster} `;
    return [...this.#known.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  }

  forget(cluster: string, topic: string): void {
    this.#known.delete(`${cluster} ${topic}`);
    this.#asked.delete(`${cluster} ${topic}`);
  }

  async messageBytesMax(cluster: string, topic: string): Promise<number> {
    const key = `${cluster} ${topic}`;
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = this.#ask(cluster, topic).then((bytes) => {
        this.#known.set(key, bytes);
        return bytes;
      });
      this.#asked.set(key, asked);
      asked.catch(() => this.#asked.delete(key));
    }
    return asked;
  }

  async #ask(cluster: string, topic: string): Promise<number> {
    const { specification } = this.linkTo(cluster);
    return withAdmin(specification, this.log, async (admin) => {
      try {
        return (await describeMessageBytes(admin, topic)) ?? messageBytesDefault;
      } catch (error) {
        if (errorType(error) !== "TOPIC_AUTHORIZATION_FAILED" && errorType(error) !== "CLUSTER_AUTHORIZATION_FAILED") throw error;
        if (!this.#warned) {
          this.#warned = true;
          this.log(
            "warn",
            `Not authorised to read the configuration of ${topic} on ${cluster}; taking max.message.bytes for 1 MiB.`,
          );
        }
        return messageBytesDefault;
      }
    });
  }
}
