/**
 * Writes outside any transaction: acknowledged by all replicas, at least once, in order (one idempotent producer per cluster, one
 * write at a time).
 */
import type { TopicBatch } from "../model/record";
import type { Link } from "./link";
import { groupByPartition, type PartitionRecords, Producer } from "./producer";
import type { TopicLimits } from "./topics";

export class Writer {
  readonly #producers = new Map<string, Producer>();
  /** The last write of each cluster: the next one waits for it. */
  readonly #writing = new Map<string, Promise<unknown>>();
  #closed = false;

  constructor(
    readonly linkTo: (cluster: string) => Link,
    readonly limits: TopicLimits,
    /** How long one write goes on trying. */
    readonly budgetMs: number,
  ) {}

  /** Answers with what each partition got. */
  write(cluster: string, batches: readonly TopicBatch[]): Promise<readonly PartitionRecords[]> {
    const before = this.#writing.get(cluster) ?? Promise.resolve();
    const after = before.catch(() => undefined).then(() => this.#writeNow(cluster, batches));
    this.#writing.set(cluster, after);
    return after;
  }

  async #writeNow(cluster: string, batches: readonly TopicBatch[]): Promise<readonly PartitionRecords[]> {
    if (this.#closed) throw new Error(`writing to ${cluster} has ended`);
    const groups = await this.grouped(cluster, batches);
    try {
      const producer = await this.#producer(cluster);
      await producer.write(groups);
      return groups;
    } catch (error) {
      // Its sequence numbers are no longer in step with the broker's: the next write starts with a fresh producer.
      this.#producers.delete(cluster);
      throw error;
    }
  }

  async #producer(cluster: string): Promise<Producer> {
    const known = this.#producers.get(cluster);
    if (known !== undefined) return known;
    const producer = new Producer(this.linkTo(cluster), undefined, this.budgetMs, this.budgetMs);
    this.#producers.set(cluster, producer);
    await producer.open();
    return producer;
  }

  /** By partition, each with what its topic takes. */
  async grouped(cluster: string, batches: readonly TopicBatch[]): Promise<PartitionRecords[]> {
    const limits = new Map<string, number>();
    for (const { topic } of batches) {
      limits.set(topic, this.limits.known(cluster, topic) ?? (await this.limits.messageBytesMax(cluster, topic)));
    }
    return groupByPartition(batches, (topic) => limits.get(topic) ?? 0);
  }

  close(): void {
    this.#closed = true;
    for (const producer of this.#producers.values()) producer.close();
  }
}
