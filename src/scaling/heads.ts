/**
 * Whose barriers have come, over all actors: which channels may be paused when too much is held (DUAL-MODE.md 5.5), and which may not.
 *
 * H1  A channel is done only if every actor that aligns, and may need it, has its head: two actors may wait for each other's channels.
 */
import { type Channel, prefixOf } from "./alignment";
import type { DualActor } from "./dual-actor";
import type { DualType } from "./dual-type";

/** Of one type. */
interface Aligning {
  /** How many heads each of its aligning actors has. */
  readonly actors: Map<DualActor, number>;
  /** How many actors have a head of this channel. */
  readonly channels: Map<Channel, number>;
}

export class Heads {
  readonly #types = new Map<DualType, Aligning>();

  changed(actor: DualActor, channel: Channel, change: 1 | -1): void {
    let aligning = this.#types.get(actor.type);
    if (!aligning) this.#types.set(actor.type, (aligning = { actors: new Map(), channels: new Map() }));
    count(aligning.actors, actor, change);
    count(aligning.channels, channel, change);
  }

  /** It has brought somebody a barrier that others have not reached. */
  brought(channel: Channel): boolean {
    for (const { channels } of this.#types.values()) if (channels.has(channel)) return true;
    return false;
  }

  /** H1. Somebody may need its next barrier. */
  awaited(channel: Channel): boolean {
    for (const [type, { actors, channels }] of this.#types) {
      if ((channels.get(channel) ?? 0) < actors.size && needs(type, channel)) return true;
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
