/**
 * Who should own which shards. For now one router owns all of them and the others stand by: the one that holds them keeps them, so a
 * newcomer disturbs nothing. Several routers at once will replace `assignShards`, and nothing else.
 */

/** What a router tells the group about itself (JSON in the user data of its subscription). */
export interface MemberIdentity {
  /** Its name, option `router`. */
  readonly name: string;
  readonly host: string;
  /** Kernel boot: the same machine since the same start. */
  readonly boot: string;
  /** Process ids mean something only within their namespace (containers). */
  readonly pidNamespace: string;
  readonly pid: number;
  /** When the process started, in the kernel's reckoning: a pid alone may be somebody else's by now. */
  readonly processStart: string;
  /** Instant (ms) since which it has been holding shards; 0 when it holds none. */
  readonly since: number;
}

export interface Member {
  readonly memberId: string;
  readonly identity: MemberIdentity | undefined;
}

/** Every shard of 0..shards-1 to exactly one member. */
export function assignShards(members: readonly Member[], shards: number): Map<string, number[]> {
  const owner = chooseOwner(members);
  const all = Array.from({ length: shards }, (_, shard) => shard);
  return new Map(members.map(({ memberId }) => [memberId, memberId === owner ? all : []]));
}

/** The one that came to hold them last: an earlier one was replaced while it was away. Without any, the first by member id. */
function chooseOwner(members: readonly Member[]): string | undefined {
  let owner: Member | undefined;
  for (const member of members) {
    const since = member.identity?.since ?? 0;
    const best = owner?.identity?.since ?? 0;
    if (owner === undefined || since > best || (since === best && member.memberId < owner.memberId)) owner = member;
  }
  return owner?.memberId;
}

/** Every partition of an ingress topic goes with its shard. */
export function partitionsOf(shards: ReadonlySet<number>, shardCount: number, partitions: Iterable<number>): number[] {
  return [...partitions].filter((partition) => shards.has(partition % shardCount)).sort((a, b) => a - b);
}

export function parseIdentity(userData: Uint8Array | null): MemberIdentity | undefined {
  try {
    const { name, host, boot, pidNamespace, pid, processStart, since } = JSON.parse(Buffer.from(userData ?? []).toString());
    const whole = [name, host, boot, pidNamespace, processStart].every((text) => typeof text === "string");
    if (!whole || typeof pid !== "number" || typeof since !== "number") return undefined;
    return { name, host, boot, pidNamespace, pid, processStart, since };
  } catch {
    return undefined;
  }
}

export function formatIdentity(identity: MemberIdentity): Uint8Array {
  return Buffer.from(JSON.stringify(identity));
}
