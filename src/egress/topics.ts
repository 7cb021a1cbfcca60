/**
 * What is known of the topics that functions write to. A topic is asked for on first use, and again when what is known is old (its
 * partitions may have grown).
 */
import type { Effects } from "../effect";

/** How long a description is good: partitions are added rarely, and an old count only sends keys to old partitions. */
const FRESH_MS = 300_000;

export interface TopicFacts {
  readonly partitions: number;
  readonly messageBytesMax: number;
}

type TopicPhase =
  | { readonly kind: "asked" }
  | { readonly kind: "known"; readonly facts: TopicFacts; askAgainMs: number }
  | { readonly kind: "absent"; readonly reason: string };

export class Topics {
  /** By cluster and topic; looked at for each record that is sent, so no key is put together. */
  readonly #phases = new Map<string, Map<string, TopicPhase>>();

  /** The topic's facts, why it cannot be written to, or undefined while the answer is awaited. */
  look(cluster: string, topic: string, now: number, effects: Effects): TopicFacts | string | undefined {
    const phase = this.#phases.get(cluster)?.get(topic);
    if (phase === undefined) {
      this.#set(cluster, topic, { kind: "asked" });
      effects.push({ kind: "describe_topic", cluster, topic });
      return undefined;
    }
    switch (phase.kind) {
      case "asked":
        return undefined;
      case "absent":
        // The next look asks again: the retry of whoever was told this may find it made.
        this.#phases.get(cluster)?.delete(topic);
        return phase.reason;
      case "known":
        if (now > phase.askAgainMs) {
          phase.askAgainMs = now + FRESH_MS;
          effects.push({ kind: "describe_topic", cluster, topic });
        }
        return phase.facts;
    }
  }

  described(cluster: string, topic: string, facts: TopicFacts, now: number): void {
    this.#set(cluster, topic, { kind: "known", facts, askAgainMs: now + FRESH_MS });
  }

  absent(cluster: string, topic: string, reason: string): void {
    this.#set(cluster, topic, { kind: "absent", reason });
  }

  #set(cluster: string, topic: string, phase: TopicPhase): void {
    let topics = this.#phases.get(cluster);
    if (!topics) {
      topics = new Map();
      this.#phases.set(cluster, topics);
    }
    topics.set(topic, phase);
  }
}
