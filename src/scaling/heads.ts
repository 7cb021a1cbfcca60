/**
 * Whose barriers have come, over all actors: which channels may be paused when too much is held (DUAL-MODE.md 5.5), and which may not.
 *
 * H1  A channel is done only if every actor that aligns, and may need it, has its head: two actors may wait for each other's channels.
 * H2  Nor is it done while an actor that has its head waits for another actor's barrier: what causes that one may stand further behind on this channel.
 *     An actor that waits for inputs only gets on by H1, and lets the channel go then.
 */
import { type Channel, type ChannelsOf, prefixOf } from "./alignment";
import type { DualActor } from "./dual-actor";
import type { DualType } from "./dual-type";

/** Of one type. */
interface Aligning {
  /** How many heads each of its aligning actors has. */
  readonly actors: Map<DualActor, number>;
  /** How many actors have a head of this channel. */
  readonly channels: Map<Channel, number>;
  /** Those of them that wait for another actor's barrier. */
  readonly behindActors: Set<DualActor>;
}

const NO_CHANNELS: ChannelsOf = () => [];

export class Heads {
  readonly #types = new Map<DualType, Aligning>();

  changed(actor: DualActor, channel: Channel, change: 1 | -1): void {
    let aligning = this.#types.get(actor.type);
    if (!aligning) this.#types.set(actor.type, (aligning = { actors: new Map(), channels: new Map(), behindActors: new Set() }));
    count(aligning.actors, actor, change);
    count(aligning.channels, channel, change);
    if (!aligning.actors.has(actor)) aligning.behindActors.delete(actor);
  }

  /** It cannot go on: other barriers have come, or it has learnt of more channels. */
  waits(actor: DualActor): void {
    const { type, alignment, seen } = actor;
    const aligning = this.#types.get(type);
    if (type.functionUpstreams.length === 0 || !aligning?.actors.has(actor)) return;
    if (alignment.missing(type.functionUpstreams, seen, NO_CHANNELS).length > 0) aligning.behindActors.add(actor);
    else aligning.behindActors.delete(actor);
  }

  /** It has brought somebody a barrier that others have not reached. */
  brought(channel: Channel): boolean {
    for (const { channels } of this.#types.values()) if (channels.has(channel)) return true;
    return false;
  }

  /** H1, H2. Somebody may need its next barrier. */
  awaited(channel: Channel): boolean {
    for (const [type, { actors, channels, behindActors }] of this.#types) {
      if ((channels.get(channel) ?? 0) < actors.size && needs(type, channel)) return true;
      for (const { alignment } of behindActors) if (alignment.blocks(channel)) return true;
    }
    return false;
  }
}

/** Where channels are learnt it is not looked whether this actor has: one too many is read on, no harm is done. */
function needs({ upstreams }: DualType, channel: Channel): boolean {
  return upstreams.some((upstream) => channel.startsWith(prefixOf(upstream)));
}

function count<Key>(counts: Map<Key, number>, key: Key, change: number): void {
  const next = (counts.get(key) ?? 0) + change;
  if (next > 0) counts.set(key, next);
  else counts.delete(key);
}
