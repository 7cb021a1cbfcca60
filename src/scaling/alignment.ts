/**
 * Which barrier an actor can run next: a merge of its channels by smallest head (DUAL-MODE.md 2.6).
 *
 * A channel is blocked at its first unserved barrier, its head. When every needed channel has a head, the smallest number runs; a channel
 * whose head is larger says thereby that it has nothing for that number, and stays blocked. So a skipped number needs no empty message, and no
 * order of arrivals locks two channels against each other.
 *
 * B1  At most one head per channel; what comes behind it on the channel waits.
 * B2  Numbers run in rising order.
 */
import type { UpstreamSpecification } from "../config/specification";
import type { Message } from "../model/message";

/** `ingress NUL topic NUL partition` of an ingress partition, `namespace/type/id` of an actor. */
export type Channel = string;

export interface Head {
  readonly message: Message;
  readonly barrier: number;
  /** When it came, ms. */
  readonly sinceMs: number;
}

/** All channels of an ingress that this router reads now. */
export type ChannelsOf = (ingress: string) => readonly Channel[];

export class Alignment {
  readonly #heads = new Map<Channel, Head>();

  get waiting(): boolean {
    return this.#heads.size > 0;
  }

  /** The smallest number among the heads; Infinity without one. */
  get least(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { barrier } of this.#heads.values()) least = Math.min(least, barrier);
    return least;
  }

  /** When the first of the heads came, ms; Infinity without one. */
  get sinceMs(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { sinceMs } of this.#heads.values()) first = Math.min(first, sinceMs);
    return first;
  }

  /** When the first head of this number came, ms; undefined: none has it. */
  sinceOf(barrier: number): number | undefined {
    let first: number | undefined;
    for (const head of this.#heads.values()) {
      if (head.barrier === barrier) first = Math.min(first ?? head.sinceMs, head.sinceMs);
    }
    return first;
  }

  /** By channel. */
  get heads(): ReadonlyMap<Channel, Head> {
    return this.#heads;
  }

  blocks(channel: Channel): boolean {
    return this.#heads.has(channel);
  }

  add(channel: Channel, message: Message, barrier: number, now: number): void {
    this.#heads.set(channel, { message, barrier, sinceMs: now });
  }

  /** The messages of this number, in the order of their channels; their channels are open again. */
  take(barrier: number): [Channel, Message][] {
    const taken: [Channel, Message][] = [];
    for (const [channel, head] of this.#heads) if (head.barrier === barrier) taken.push([channel, head.message]);
    for (const [channel] of taken) this.#heads.delete(channel);
    return taken.sort(([one], [other]) => (one < other ? -1 : 1));
  }

  /** Needed channels without a head, as far as they can be named; empty: aligned. */
  missing(upstreams: readonly UpstreamSpecification[], seen: ReadonlySet<Channel>, channelsOf: ChannelsOf): Channel[] {
    return upstreams.flatMap((upstream) => this.#missing(upstream, seen, channelsOf));
  }

  #missing(upstream: UpstreamSpecification, seen: ReadonlySet<Channel>, channelsOf: ChannelsOf): Channel[] {
    const prefix = prefixOf(upstream);
    const absent = (channel: Channel) => !this.#heads.has(channel);
    if (upstream.kind === "ingress") {
      const needed = upstream.partitions === "all" ? channelsOf(upstream.ingress) : withPrefix(seen, prefix);
      return needed.filter(absent);
    }
    if (upstream.ids) return upstream.ids.map((id) => prefix + id).filter(absent);
    if (upstream.count === undefined) return withPrefix(seen, prefix).filter(absent);
    const here = withPrefix(this.#heads.keys(), prefix).length;
    return here >= upstream.count ? [] : [`${prefix}(${upstream.count - here} more)`];
  }
}

/** How the channels of an upstream begin. */
export function prefixOf(upstream: UpstreamSpecification): string {
  return upstream.kind === "ingress" ? `${upstream.ingress}\0` : `${upstream.function}/`;
}

/** Its channels are not known from the configuration: they are those that have ever brought the actor something. */
export function isLearned(upstream: UpstreamSpecification): boolean {
  if (upstream.kind === "ingress") return upstream.partitions === "seen";
  return upstream.ids === undefined && upstream.count === undefined;
}

function withPrefix(channels: Iterable<Channel>, prefix: string): Channel[] {
  const found: Channel[] = [];
  for (const channel of channels) if (channel.startsWith(prefix)) found.push(channel);
  return found;
}
