/**
 * Everything Kafka, behind one face: performs the effects of ownership, ingress and egress, and answers with their events.
 * Builds the parts in their rooms and routes to them; what each does is said there.
 */
import type { ClusterSpecification, ModuleSpecification, RouterOptions, SourceSpecification } from "../config/specification";
import type { Effect } from "../effect";
import { KafkaSink } from "../egress/kafka-sink";
import type { AssignedInput, Event } from "../event";
import { type InputProgress, KafkaInputs } from "../ingress/kafka-inputs";
import { ConfigError } from "../model/errors";
import type { Log } from "../observe/log";
import { partitionsOf } from "../scaling/assignment";
import { KafkaClaims } from "../scaling/kafka-claims";
import { KafkaFence } from "../scaling/kafka-fence";
import { type Assignment, KafkaGroup } from "../scaling/kafka-group";
import { KafkaRestore, type RestoreProgress } from "../scaling/kafka-restore";
import { produceTimeoutMs } from "./client-config";
import { Fetcher } from "./fetcher";
import { errorText, errorType } from "./kafkajs-internals";
import { atMost, isConnectionLost, Link, pause } from "./link";
import { awaitBroker, awaitTopics, controlTopic, ensureInternalTopics, TopicLimits } from "./topics";

export interface KafkaHealth {
  /** Last heartbeat the group coordinator accepted. */
  readonly lastHeartbeatMs: number;
  /** Last answer to a fetch, of the slowest cluster that should be giving some; undefined when nothing is being read. */
  readonly lastPollMs: number | undefined;
}

export interface KafkaAdapter {
  start(): Promise<void>;
  /** True if the effect was one of ours. */
  perform(effect: Effect): boolean;
  memberId(): string | undefined;
  restoreProgress(): RestoreProgress[];
  health(): KafkaHealth;
  close(): Promise<void>;
}

/** New partitions of ingress topics are found within this. */
const partitionsMs = 30_000;
/** Offsets for lag tools are committed this often at most. */
const progressMs = 2_000;
/** A router that has nothing to commit closes within this what a broker that died left open (P3 in producer.ts). */
const sealMs = 1_000;
const startAttempts = 5;
const startAgainMs = 200;
const closeMs = 3_000;
const producing = "produce";
/** Restoring: large answers, and no waiting, since what is wanted is there already. */
const restoreLimits = { readUncommitted: false, waitMs: 20, bytesMin: 1, bytesMax: 8 * 1024 * 1024 };
/** A group that committed by itself, without members: what lag tools call a simple consumer. */
const noMember = { memberId: "", groupGenerationId: -1 };

export function openKafka(
  options: RouterOptions,
  module: ModuleSpecification,
  emit: (event: Event) => void,
  log: Log,
): KafkaAdapter {
  return new Kafka(options, module, emit, log);
}

class Kafka implements KafkaAdapter {
  readonly #links = new Map<string, Link>();
  readonly #clusters = new Map<string, ClusterSpecification>();
  readonly #limits: TopicLimits;
  readonly #sink: KafkaSink;
  readonly #inputs: KafkaInputs;
  readonly #restoreFetcher: Fetcher;
  readonly #claims: KafkaClaims;
  readonly #restore: KafkaRestore;
  readonly #group: KafkaGroup;
  #assignment: Assignment | undefined;
  /** What was told last, to notice new partitions. */
  #assignedInputs = "";
  #progress = new Map<string, InputProgress>();
  readonly #timers: NodeJS.Timeout[] = [];
  #closed = false;

  constructor(
    readonly options: RouterOptions,
    readonly module: ModuleSpecification,
    readonly emit: (event: Event) => void,
    readonly log: Log,
  ) {
    const { group, cluster, shards, transactionTimeoutMs } = options;
    this.#clusters.set(cluster.name, cluster);
    for (const component of [...module.sources, ...module.egresses])
      this.#clusters.set(component.cluster.name, component.cluster);
    const linkTo = (name: string) => this.#link(name, producing);
    this.#limits = new TopicLimits(linkTo, log);
    const sinkOptions = { transactionTimeoutMs, cluster: cluster.name, linkTo, limits: this.#limits };
    this.#sink = new KafkaSink(sinkOptions, emit, log);
    this.#inputs = new KafkaInputs(module.sources, (source, purpose) => this.#link(source.cluster.name, purpose), emit, log);
    this.#restoreFetcher = new Fetcher(this.#link(cluster.name, "restore"), restoreLimits, log);
    const control = this.#dualMode ? [controlTopic(group)] : [];
    const otherTopics = () => [
      ...new Set([...control, ...this.#rawTopicsOf(cluster.name), ...this.#limits.topics(cluster.name)]),
    ];
    const fence = new KafkaFence(
      { group, shards, transactionTimeoutMs, otherTopics },
      linkTo(cluster.name),
      this.#link(cluster.name, "look"),
      log,
    );
    this.#claims = new KafkaClaims({ group, cluster: cluster.name }, this.#restoreFetcher, this.#sink.writer, fence, emit, log);
    this.#restore = new KafkaRestore(group, this.#restoreFetcher, emit, log);
    const assigned = (assignment: Assignment) => this.#assigned(assignment);
    const groupOptions = { ...options, topics: this.#topicsOf(cluster.name) };
    this.#group = new KafkaGroup(
      groupOptions,
      this.#link(cluster.name, "member"),
      this.#link(cluster.name, "ask"),
      assigned,
      log,
    );
  }

  #link(cluster: string, purpose: string): Link {
    const key = `${cluster} ${purpose}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      const specification = this.#clusters.get(cluster);
      if (specification === undefined) throw new Error(`no component names the cluster ${cluster}`);
      link = new Link(specification, this.log, purpose === producing ? produceTimeoutMs : undefined);
      this.#links.set(key, link);
    }
    return link;
  }

  #topicsOf(cluster: string): string[] {
    return this.module.sources.filter((source) => source.cluster.name === cluster).map(({ topic }) => topic);
  }

  /** The topics of raw egresses are known before the first record; those of the other kind are not. */
  #rawTopicsOf(cluster: string): string[] {
    return this.module.egresses.flatMap((egress) =>
      egress.kind === "raw" && egress.cluster.name === cluster ? [egress.topic] : [],
    );
  }

  get #dualMode(): boolean {
    return this.module.functions.some(({ mode }) => mode === "dual");
  }

  /** How absent topics are made (`dev`); undefined when they are not. */
  get #created(): { partitions: number; replicationFactor: number } | undefined {
    const { createTopics, shards, replicationFactor } = this.options;
    return createTopics ? { partitions: shards, replicationFactor } : undefined;
  }

  /** A broker that dies while we start is waited for as one that is absent, and not more often than it may do so by accident. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#join();
        break;
      } catch (error) {
        if (this.#closed || error instanceof ConfigError || !isConnectionLost(error) || attempt === startAttempts) throw error;
        this.log("warn", `The start was interrupted: ${errorText(error)}; trying again.`, { error: errorType(error) });
        await pause(startAgainMs);
      }
    }
    if (this.#closed) return;
    this.#timers.push(setInterval(() => void this.#tellInputs(true), partitionsMs));
    this.#timers.push(setInterval(() => void this.#commitProgress(), progressMs));
    this.#timers.push(setInterval(() => this.#sink.sealWhenIdle(), sealMs));
  }

  async #join(): Promise<void> {
    const { cluster, group, shards, replicationFactor } = this.options;
    for (const specification of this.#clusters.values()) await awaitBroker(specification, this.log, () => this.#closed);
    await ensureInternalTopics(cluster, { group, shards, replicationFactor, dualMode: this.#dualMode }, this.log);
    for (const specification of this.#clusters.values()) {
      const topics = [...this.#topicsOf(specification.name), ...this.#rawTopicsOf(specification.name)];
      if (topics.length > 0) await awaitTopics(specification, topics, this.#created, this.log, () => this.#closed);
    }
    if (this.#closed) return;
    await this.#group.start();
  }

  #assigned(assignment: Assignment): void {
    this.#assignment = assignment;
    this.#assignedInputs = "";
    void this.#tellInputs(false);
  }

  /** The assignment with its inputs, when it is a new one or has new partitions. */
  async #tellInputs(fresh: boolean): Promise<void> {
    const assignment = this.#assignment;
    if (assignment === undefined || this.#closed) return;
    for (let waitMs = 50; !this.#closed && assignment === this.#assignment; waitMs = Math.min(waitMs * 2, 1_000)) {
      try {
        const inputs = await this.#inputsOf(assignment, fresh);
        const text = inputs.map(({ source, partition }) => `${source}/${partition}`).join(" ") || "none";
        if (this.#closed || assignment !== this.#assignment || text === this.#assignedInputs) return;
        this.#assignedInputs = text;
        this.emit({ kind: "assignment_changed", memberId: assignment.memberId, shards: assignment.shards, inputs });
        return;
      } catch (error) {
        this.log(
          "warn",
          `Looking for the partitions of ingress topics failed (${errorText(error)}); trying again in ${waitMs} ms.`,
        );
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  async #inputsOf({ shards }: Assignment, fresh: boolean): Promise<AssignedInput[]> {
    const owned = new Set(shards);
    if (owned.size === 0) return [];
    const perSource = await Promise.all(
      this.module.sources.map(async (specification, source) => {
        const partitions = (await this.#partitions(specification, fresh)).keys();
        return partitionsOf(owned, this.options.shards, partitions).map((partition) => ({ source, partition }));
      }),
    );
    return perSource.flat();
  }

  async #partitions({ cluster, topic }: SourceSpecification, fresh: boolean): Promise<ReadonlyMap<number, number>> {
    const link = this.#link(cluster.name, "ask");
    try {
      return await link.partitions(topic, fresh);
    } catch (error) {
      if (isConnectionLost(error)) link.renew();
      throw error;
    }
  }

  perform(effect: Effect): boolean {
    switch (effect.kind) {
      case "open_sink":
        void this.#sink.open(effect.epoch, effect.transactionalIds);
        return true;
      case "append_claim":
        this.#claims.append(effect.shard, effect.epoch, effect.claim);
        return true;
      case "read_claims":
        this.#claims.read(effect.shard, effect.epoch);
        return true;
      case "fence_claimants":
        this.#claims.fence(effect.shard, effect.epoch, effect.claims);
        return true;
      case "restore_shard":
        this.#restore.restore(effect.shard, effect.epoch);
        return true;
      case "release_claim":
        this.#claims.release(effect.shard, effect.epoch, effect.claimId);
        return true;
      case "rejoin_group":
        this.#group.rejoin();
        return true;
      case "locate_input":
        this.#inputs.locate(effect.input, effect.source, effect.partition);
        return true;
      case "consume_input":
        this.#inputs.consume(effect.input, effect.source, effect.partition, effect.offset);
        return true;
      case "pause_input":
        this.#inputs.pause(effect.input);
        return true;
      case "resume_input":
        this.#inputs.resume(effect.input);
        return true;
      case "drop_input":
        this.#inputs.drop(effect.input);
        return true;
      case "note_progress":
        this.#noteProgress(effect.progress);
        return true;
      case "describe_topic":
        void this.#describe(effect.cluster, effect.topic);
        return true;
      case "commit_unit":
        void this.#sink.commit(effect.unit, effect.outside, effect.inside);
        return true;
      default:
        return false;
    }
  }

  /** Topics that functions name are known when the first record comes. */
  async #createIfDev(cluster: string, topic: string): Promise<void> {
    const specification = this.#clusters.get(cluster);
    const created = this.#created;
    if (created !== undefined && specification !== undefined) {
      await awaitTopics(specification, [topic], created, this.log, () => this.#closed);
    }
  }

  async #describe(cluster: string, topic: string): Promise<void> {
    try {
      await this.#createIfDev(cluster, topic);
      const partitions = (await this.#link(cluster, "ask").partitions(topic, true)).size;
      const messageBytesMax = await this.#limits.messageBytesMax(cluster, topic);
      if (!this.#closed) this.emit({ kind: "topic_described", cluster, topic, partitions, messageBytesMax });
    } catch (error) {
      const absent = errorType(error) === "UNKNOWN_TOPIC_OR_PARTITION";
      if (isConnectionLost(error) && this.#clusters.has(cluster)) this.#link(cluster, "ask").renew();
      const reason = absent
        ? `topic ${topic} does not exist on ${cluster}`
        : `topic ${topic} on ${cluster} cannot be read: ${errorText(error)}`;
      if (!this.#closed) this.emit({ kind: "topic_absent", cluster, topic, reason });
    }
  }

  #noteProgress(progress: readonly { readonly input: number; readonly offset: number }[]): void {
    for (const { input, offset } of progress) {
      const position = this.#inputs.position(input, offset);
      if (position !== undefined) this.#progress.set(`${position.cluster} ${position.topic}/${position.partition}`, position);
    }
  }

  /** For lag tools only, so a failure is no more than a line of detail; the next time brings newer numbers. */
  async #commitProgress(): Promise<void> {
    const progress = [...this.#progress.values()];
    this.#progress = new Map();
    const clusters = new Set(progress.map(({ cluster }) => cluster));
    await Promise.all(
      [...clusters].map((cluster) =>
        this.#commitOffsets(
          cluster,
          progress.filter((each) => each.cluster === cluster),
        ),
      ),
    );
  }

  async #commitOffsets(cluster: string, progress: readonly InputProgress[]): Promise<void> {
    const { group: groupId } = this.options;
    const topics = [...new Set(progress.map(({ topic }) => topic))].map((topic) => ({
      topic,
      partitions: progress
        .filter((each) => each.topic === topic)
        .map(({ partition, offset }) => ({ partition, offset: String(offset) })),
    }));
    const { memberId, generationId } = this.#group;
    const main = cluster === this.options.cluster.name;
    if (main && (memberId === undefined || generationId === undefined)) return;
    const member = main ? { memberId: memberId ?? "", groupGenerationId: generationId ?? -1 } : noMember;
    const link = this.#link(cluster, "ask");
    try {
      await (await link.coordinator("group", groupId)).offsetCommit({ groupId, ...member, topics });
    } catch (error) {
      if (isConnectionLost(error)) link.renew();
      else link.forgetCoordinators();
      this.log("debug", `Committing offsets for lag tools failed: ${errorText(error)}`, { group: groupId, cluster });
    }
  }

  memberId(): string | undefined {
    return this.#group.memberId;
  }

  restoreProgress(): RestoreProgress[] {
    return this.#restore.progress();
  }

  health(): KafkaHealth {
    return { lastHeartbeatMs: this.#group.lastHeartbeatMs, lastPollMs: this.#inputs.lastAnswerMs() };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    const lastProgress = this.#commitProgress();
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#inputs.close();
    this.#claims.close();
    this.#restore.close();
    this.#restoreFetcher.close();
    this.#sink.close();
    await atMost(closeMs, this.#disconnect(lastProgress));
  }

  async #disconnect(lastProgress: Promise<void>): Promise<void> {
    await lastProgress;
    await this.#group.close();
    await Promise.all([...this.#links.values()].map((link) => link.close()));
  }
}
