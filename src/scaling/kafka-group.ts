/**
 * Membership in the consumer group: it says which shards this router should own (assignment.ts) and nothing more. We read by our own
 * positions (cluster/fetcher.ts), so joining anew disturbs nothing, and no commit depends on a generation.
 *
 *   away ── join, sync ─▶ member ── rebalance, evicted, coordinator gone ─▶ away (after a pause that grows)
 *     ▲                     │
 *     └──── rejoin ─────────┘            close: leave at once
 *
 * A predecessor of our name that is dead is removed while our own join is waiting: were it removed before, the group would be empty for
 * a moment, and the broker then lets the first member wait for others (`group.initial.rebalance.delay.ms`, 3 s by default).
 */
import {
  errorText,
  errorType,
  type GroupMemberDescription,
  type KafkajsBroker,
  MemberAssignment,
  MemberMetadata,
} from "../cluster/kafkajs-internals";
import { atMost, isConnectionLost, type Link, pause } from "../cluster/link";
import { persistently } from "../cluster/offsets";
import { stateTopic } from "../cluster/topics";
import { ConfigError } from "../model/errors";
import type { Log } from "../observe/log";
import { assignShards, formatIdentity, type Member, type MemberIdentity, parseIdentity, partitionsOf } from "./assignment";
import { fateOf, ownIdentity } from "./fs-process";

const protocolName = "dirigo-shards-1";
const heartbeatsPerSession = 6;
const heartbeatMsMax = 1_000;
const rebalanceTimeoutMin = 10_000;
const retryFirstMs = 50;
const retryMaxMs = 2_000;
const leaveMs = 1_000;
const lookAgainMs = 20;

export interface GroupOptions {
  readonly group: string;
  readonly router: string;
  readonly shards: number;
  readonly sessionTimeoutMs: number;
  /** Ingress topics of this cluster: members of the group in the eyes of lag tools. */
  readonly topics: readonly string[];
}

export interface Assignment {
  readonly memberId: string;
  readonly shards: readonly number[];
}

interface Membership {
  readonly memberId: string;
  readonly generationId: number;
  readonly coordinator: KafkajsBroker;
}

export class KafkaGroup {
  #membership: Membership | undefined;
  #memberId = "";
  #since = 0;
  #closed = false;
  #rejoin = false;
  #wake: (() => void) | undefined;
  lastHeartbeatMs = Date.now();

  constructor(
    readonly options: GroupOptions,
    /** Joining waits in the broker, and what comes behind on the same connection with it. */
    readonly link: Link,
    /** For questions about the group meanwhile. */
    readonly sideLink: Link,
    readonly assigned: (assignment: Assignment) => void,
    readonly log: Log,
  ) {}

  get memberId(): string | undefined {
    return this.#membership?.memberId;
  }

  get generationId(): number | undefined {
    return this.#membership?.generationId;
  }

  /** Deals with a predecessor of our name, then joins; answers when joined for the first time. Throws ConfigError for a living namesake. */
  async start(): Promise<void> {
    const dead = await this.#deadPredecessors();
    await new Promise<void>((resolve) => {
      void this.#run(resolve);
      if (dead.length > 0) void this.#remove(dead);
    });
  }

  async #run(joined: () => void): Promise<void> {
    let waitMs = retryFirstMs;
    while (!this.#closed) {
      try {
        await this.#join();
        waitMs = retryFirstMs;
        joined();
        await this.#stay();
      } catch (error) {
        if (this.#closed) break;
        this.#leftBecause(error, waitMs);
        if (!rebalancing.has(errorType(error))) {
          await pause(waitMs);
          waitMs = Math.min(waitMs * 2, retryMaxMs);
        }
      }
    }
    joined();
  }

  #leftBecause(error: unknown, waitMs: number): void {
    const type = errorType(error);
    if (rebalancing.has(type)) {
      this.log("debug", `The group ${this.options.group} is rebalancing; joining again.`);
      return;
    }
    if (evicted.has(type)) this.#memberId = "";
    else if (isConnectionLost(error)) this.link.renew();
    else this.link.forgetCoordinators();
    this.log(
      "warn",
      `Not in the group ${this.options.group} at the moment: ${errorText(error)}; joining again in ${waitMs} ms.`,
      { error: type },
    );
  }

  async #join(): Promise<void> {
    const { group: groupId, sessionTimeoutMs } = this.options;
    const coordinator = await this.link.coordinator("group", groupId);
    const { memberId, generationId, leaderId, members } = await coordinator.joinGroup({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: Math.max(rebalanceTimeoutMin, 2 * sessionTimeoutMs),
      memberId: this.#memberId,
      groupProtocols: [{ name: protocolName, metadata: this.#metadata() }],
    });
    this.#memberId = memberId;
    const groupAssignment = memberId === leaderId ? await this.#assign(members) : [];
    const { memberAssignment } = await coordinator.syncGroup({ groupId, generationId, memberId, groupAssignment });
    const assignment = memberAssignment.length === 0 ? undefined : MemberAssignment.decode(memberAssignment)?.assignment;
    const shards = assignment?.[stateTopic(groupId)] ?? [];
    this.#since = shards.length === 0 ? 0 : this.#since === 0 ? Date.now() : this.#since;
    this.#membership = { memberId, generationId, coordinator };
    this.lastHeartbeatMs = Date.now();
    const what = shards.length === 0 ? "standing by" : `owning ${shards.length} of ${this.options.shards} shards`;
    this.log("info", `Joined the group ${groupId}, ${what}.`, { memberId, generationId, shards });
    this.assigned({ memberId, shards: [...shards].sort((a, b) => a - b) });
  }

  #metadata(): Buffer {
    const { group, router, topics } = this.options;
    const identity: MemberIdentity = { ...ownIdentity(router), since: this.#since };
    return MemberMetadata.encode({
      version: 1,
      topics: [stateTopic(group), ...topics],
      userData: Buffer.from(formatIdentity(identity)),
    });
  }

  /** As the group's leader: shards by `assignShards`, and each ingress partition with its shard. */
  async #assign(joined: readonly { memberId: string; memberMetadata: Buffer }[]) {
    const { group, shards: count, topics } = this.options;
    const members: Member[] = joined.map(({ memberId, memberMetadata }) => ({ memberId, identity: identityIn(memberMetadata) }));
    this.#nameNamesakes(members);
    const perMember = assignShards(members, count);
    const partitions = new Map<string, Iterable<number>>();
    for (const topic of topics) {
      const known = await this.sideLink.partitions(topic, true).catch(() => undefined);
      if (known !== undefined) partitions.set(topic, known.keys());
    }
    return members.map(({ memberId }) => {
      const shards = perMember.get(memberId) ?? [];
      const assignment: Record<string, readonly number[]> = { [stateTopic(group)]: shards };
      for (const [topic, all] of partitions) assignment[topic] = partitionsOf(new Set(shards), count, all);
      return { memberId, memberAssignment: MemberAssignment.encode({ version: 1, assignment, userData: Buffer.alloc(0) }) };
    });
  }

  #nameNamesakes(members: readonly Member[]): void {
    const names = members.flatMap(({ identity }) => identity?.name ?? []);
    const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index));
    for (const name of twice) {
      this.log("error", `Two routers of the group ${this.options.group} are named ${name}; give each its own with --name.`, {
        name,
      });
    }
  }

  /** Heartbeats until something ends the membership. */
  async #stay(): Promise<void> {
    const { group: groupId, sessionTimeoutMs } = this.options;
    const intervalMs = Math.min(heartbeatMsMax, sessionTimeoutMs / heartbeatsPerSession);
    while (!this.#closed && this.#membership !== undefined) {
      await this.#sleep(intervalMs);
      if (this.#closed) return;
      if (this.#rejoin) {
        this.#rejoin = false;
        await this.#leave();
        return;
      }
      const { memberId, generationId, coordinator } = this.#membership;
      await coordinator.heartbeat({ groupId, memberId, groupGenerationId: generationId });
      this.lastHeartbeatMs = Date.now();
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Leave and join anew: the others, if any, get their chance. */
  rejoin(): void {
    this.#rejoin = true;
    this.#wake?.();
  }

  async #leave(): Promise<void> {
    // Also while joining anew: the broker still counts us by the id of before.
    const memberId = this.#memberId;
    this.#membership = undefined;
    this.#memberId = "";
    this.#since = 0;
    if (memberId === "") return;
    await atMost(leaveMs, this.#leaveAs(memberId));
  }

  async #leaveAs(memberId: string): Promise<void> {
    try {
      const coordinator = await this.sideLink.coordinator("group", this.options.group);
      await coordinator.leaveGroup({ groupId: this.options.group, memberId });
    } catch (error) {
      this.log("debug", `Leaving the group ${this.options.group} failed: ${errorText(error)}`);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#leave();
  }

  // ── predecessors ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** The members of our name, all of them dead. Waits for those elsewhere to vanish, and throws when one lives. */
  async #deadPredecessors(): Promise<string[]> {
    const { group, router, sessionTimeoutMs } = this.options;
    const deadline = Date.now() + sessionTimeoutMs + 1_000;
    let said = false;
    for (;;) {
      const { state, members } = await this.#describe();
      const namesakes = members.filter(({ identity }) => identity?.name === router);
      const fates = namesakes.map(({ memberId, identity }) => ({ memberId, identity, fate: identity && fateOf(identity) }));
      const living = fates.find(({ fate }) => fate === "alive");
      if (living !== undefined) throw namesakeError(router, group, living.identity, "is running on this machine");
      const elsewhere = fates.find(({ fate }) => fate === "elsewhere");
      // While the group rebalances it shows no names: a dead predecessor would be overlooked, so wait until it is stable again.
      const unclear = elsewhere !== undefined || (state !== "Stable" && state !== "Empty" && state !== "Dead");
      if (!unclear) return fates.map(({ memberId }) => memberId);
      if (Date.now() > deadline) {
        if (elsewhere !== undefined) throw namesakeError(router, group, elsewhere.identity, "is in the group");
        return [];
      }
      if (elsewhere !== undefined && !said) {
        said = true;
        const host = elsewhere.identity?.host;
        this.log(
          "warn",
          `A router named ${router} is in the group ${group} from ${host}; waiting ${sessionTimeoutMs} ms for it to vanish.`,
        );
      }
      await pause(5 * lookAgainMs);
    }
  }

  async #describe(): Promise<{ state: string; members: readonly (Member & { readonly host: string })[] }> {
    const { groups } = await persistently(this.sideLink, async () =>
      (await this.sideLink.coordinator("group", this.options.group)).describeGroups({ groupIds: [this.options.group] }),
    );
    const found = groups[0];
    if (found === undefined) return { state: "Dead", members: [] };
    const describe = ({ memberId, memberMetadata, clientHost }: GroupMemberDescription) => ({
      memberId,
      identity: memberMetadata.length === 0 ? undefined : identityIn(memberMetadata),
      host: clientHost,
    });
    return { state: found.state, members: found.members.map(describe) };
  }

  /** Once our own join is in the group (it then rebalances), or after a while anyway. */
  async #remove(dead: readonly string[]): Promise<void> {
    try {
      const deadline = Date.now() + 2_000;
      while (Date.now() < deadline && (await this.#describe()).state === "Stable") await pause(lookAgainMs);
      const coordinator = await this.sideLink.coordinator("group", this.options.group);
      for (const memberId of dead) await coordinator.leaveGroup({ groupId: this.options.group, memberId });
      this.log("info", `Removed the dead predecessor of the name ${this.options.router} from the group ${this.options.group}.`, {
        dead,
      });
    } catch (error) {
      this.log(
        "warn",
        `Removing a dead predecessor from the group ${this.options.group} failed (${errorText(error)}); its session will end.`,
      );
    }
  }
}

const rebalancing = new Set(["REBALANCE_IN_PROGRESS", "ILLEGAL_GENERATION"]);
const evicted = new Set(["UNKNOWN_MEMBER_ID", "FENCED_INSTANCE_ID"]);

function identityIn(metadata: Buffer): MemberIdentity | undefined {
  try {
    return parseIdentity(MemberMetadata.decode(metadata).userData);
  } catch {
    return undefined;
  }
}

function namesakeError(router: string, group: string, other: MemberIdentity | undefined, what: string): ConfigError {
  const where = other === undefined ? "" : ` (pid ${other.pid} on ${other.host})`;
  return new ConfigError([
    `a router named ${router} of the group ${group} ${what}${where}: two routers must not have one name; give this one its own with --name`,
  ]);
}
