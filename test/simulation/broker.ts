/** The brokers of the world: topics by cluster, and one transaction coordinator (of the home cluster). */
import type { Coordinator } from "./coordinator";
import { PartitionLog } from "./partition-log";

/** Internal topics, committed egress and most ingress live here. */
export const HOME = "home:9092";
/** Another cluster: no transaction of ours reaches it. */
export const ELSEWHERE = "elsewhere:9092";

export class Broker {
  readonly #topics = new Map<string, PartitionLog[]>();

  constructor(readonly coordinator: Coordinator) {}

  create(cluster: string, topic: string, partitions: number, messageBytesMax: number): void {
    const logs = Array.from(
      { length: partitions },
      (_, partition) => new PartitionLog(cluster, topic, partition, messageBytesMax),
    );
    this.#topics.set(`${cluster} ${topic}`, logs);
  }

  topic(cluster: string, topic: string): readonly PartitionLog[] | undefined {
    return this.#topics.get(`${cluster} ${topic}`);
  }

  log(cluster: string, topic: string, partition: number): PartitionLog {
    const log = this.topic(cluster, topic)?.[partition];
    if (!log) throw new Error(`there is no partition ${topic}/${partition} on ${cluster}`);
    return log;
  }
}
