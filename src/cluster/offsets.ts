/** Offsets of a partition by the broker's reckoning. */
import { errorType, protocolError } from "./kafkajs-internals";
import { isConnectionLost, type Link, pause } from "./link";
import type { TopicPartition } from "./requests";

/** Kafka's stand-ins for a timestamp. */
export const earliest = -2;
export const latest = -1;

const tries = 20;
const retryFirstMs = 20;
const retryMaxMs = 500;

/**
 * The offset at `timestamp` (the first record at or after it, -1 if there is none), or the log's ends. The latest is the high
 * watermark, or the last stable offset when only committed records count.
 */
export async function offsetAt(link: Link, position: TopicPartition, timestamp: number, readCommitted: boolean): Promise<number> {
  return persistently(link, async (again) => {
    const broker = await link.broker(await link.leader(position, again));
    const { responses } = await broker.listOffsets({
      replicaId: -1,
      isolationLevel: readCommitted ? 1 : 0,
      topics: [{ topic: position.topic, partitions: [{ partition: position.partition, timestamp }] }],
    });
    const offset = responses[0]?.partitions[0]?.offset;
    if (offset === undefined) throw protocolError(-1);
    return Number(offset);
  });
}

/** The partitions of the topic where readers of committed records do not get to the end at the moment. */
export async function heldPartitions(link: Link, topic: string): Promise<TopicPartition[]> {
  const [ends, stable] = await Promise.all([endsOf(link, topic, false), endsOf(link, topic, true)]);
  return [...ends]
    .filter(([partition, end]) => (stable.get(partition) ?? end) < end)
    .map(([partition]) => ({ topic, partition }));
}

async function endsOf(link: Link, topic: string, readCommitted: boolean): Promise<ReadonlyMap<number, number>> {
  return persistently(link, async (again) => {
    const perLeader = new Map<number, number[]>();
    for (const [partition, leader] of await link.partitions(topic, again)) {
      const known = perLeader.get(leader);
      if (known === undefined) perLeader.set(leader, [partition]);
      else known.push(partition);
    }
    const ends = new Map<number, number>();
    for (const [leader, partitions] of perLeader) {
      const { responses } = await (await link.broker(leader)).listOffsets({
        replicaId: -1,
        isolationLevel: readCommitted ? 1 : 0,
        topics: [{ topic, partitions: partitions.map((partition) => ({ partition, timestamp: latest })) }],
      });
      for (const { partition, offset } of responses[0]?.partitions ?? []) ends.set(partition, Number(offset));
    }
    return ends;
  });
}

/** What the group committed for the partition; undefined when nothing. */
export async function committedOffset(
  link: Link,
  groupId: string,
  { topic, partition }: TopicPartition,
): Promise<number | undefined> {
  return persistently(link, async () => {
    const coordinator = await link.coordinator("group", groupId);
    const { responses } = await coordinator.offsetFetch({ groupId, topics: [{ topic, partitions: [{ partition }] }] });
    const offset = Number(responses[0]?.partitions[0]?.offset ?? -1);
    return offset < 0 ? undefined : offset;
  });
}

const final = new Set([
  "TOPIC_AUTHORIZATION_FAILED",
  "GROUP_AUTHORIZATION_FAILED",
  "UNSUPPORTED_VERSION",
  "INVALID_TOPIC_EXCEPTION",
]);

/** A question without effects, asked again until it is answered or the patience is at its end. */
export async function persistently<T>(link: Link, ask: (again: boolean) => Promise<T>): Promise<T> {
  let waitMs = retryFirstMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask(attempt > 1);
    } catch (error) {
      if (attempt >= tries || final.has(errorType(error))) throw error;
      if (isConnectionLost(error)) link.renew();
      else link.forgetCoordinators();
      await pause(waitMs);
      waitMs = Math.min(waitMs * 2, retryMaxMs);
    }
  }
}
