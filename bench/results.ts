/** The results of a run once it is over: complete, right, and when each was written. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Stage } from "./stage";

export interface Result {
  readonly key: string;
  readonly value: string;
  /** When the broker took it. */
  readonly appendedMs: number;
}

const pollMs = 100;
/** Nothing new for this long means that something is lost. */
const patienceMs = 60_000;

/** Waits until nothing is added any more and at least `count` records are there, then reads them as a committed reader sees them. */
export async function awaitResults(stage: Stage, topic: string, count: number, running: () => boolean): Promise<Result[]> {
  const size = async (): Promise<number> =>
    (await stage.admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
  let last = -1;
  let changedMs = Date.now();
  let known = 0;
  for (;;) {
    await sleep(pollMs);
    const now = await size();
    if (now !== last) {
      last = now;
      changedMs = Date.now();
    }
    if (!running()) throw new Error("the process that was measured ended");
    // Markers of transactions have offsets too: this is no more than a reason to look. A pause of 300 ms is the end, most likely.
    if (now < count || Date.now() - changedMs < 300 || now === known) {
      if (Date.now() - changedMs > patienceMs) return await readResults(stage, topic);
      continue;
    }
    known = now;
    const results = await readResults(stage, topic);
    if (results.length >= count) return results;
  }
}

/** All committed records, per partition in order. */
export async function readResults(stage: Stage, topic: string): Promise<Result[]> {
  const ends = new Map<number, number>();
  for (const { partition, high } of await stage.admin.fetchTopicOffsets(topic))
    if (Number(high) > 0) ends.set(partition, Number(high));
  const results: Result[] = [];
  const positions = new Map<number, number>();
  const groupId = `read-${topic}-${Date.now()}`;
  const consumer = stage.kafka.consumer({
    groupId,
    readUncommitted: false,
    maxBytesPerPartition: 4 * 1024 * 1024,
    maxWaitTimeInMs: 100,
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    if (ends.size === 0) resolve();
    const reached = (partition: number, offset: number): void => {
      if (offset >= (ends.get(partition) ?? 0)) ends.delete(partition);
      if (ends.size === 0) resolve();
    };
    // Told of batches that hold nothing but markers too, with which a partition usually ends.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => reached(payload.partition, Number(payload.lastOffset) + 1));
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) reject(payload.error);
    });
    consumer
      .run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          for (const { key, value, timestamp, offset } of batch.messages) {
            // A consumer that had to join its group again begins at the beginning: what it has read is not there twice.
            if (Number(offset) < (positions.get(batch.partition) ?? 0)) continue;
            positions.set(batch.partition, Number(offset) + 1);
            results.push({ key: String(key), value: String(value), appendedMs: Number(timestamp) });
          }
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return results;
}

/** (key, 1..n) exactly once and in order, n = how often the key was produced. Throws with the first differences. */
export function checkCounts(results: readonly Result[], expected: ReadonlyMap<string, number>): void {
  const counts = new Map<string, number>();
  const found: string[] = [];
  for (const { key, value } of results) {
    const next = (counts.get(key) ?? 0) + 1;
    if (value !== String(next)) found.push(`${key}: ${value} where ${next} was expected`);
    counts.set(key, Number(value));
  }
  for (const [key, count] of expected)
    if (counts.get(key) !== count) found.push(`${key}: ended at ${counts.get(key) ?? 0} of ${count}`);
  if (counts.size > expected.size) found.push(`${counts.size} keys, expected ${expected.size}`);
  fail(found);
}

/** Every value as it was produced, once, in order within its key. */
export function checkCopies(results: readonly Result[], keys: readonly string[]): void {
  const last = new Map<string, number>();
  const found: string[] = [];
  const seen = new Set<number>();
  for (const { key, value } of results) {
    const index = Number.parseInt(value, 10);
    if (keys[index] !== key) found.push(`record ${index} has key ${key}, expected ${keys[index]}`);
    if (index <= (last.get(key) ?? -1)) found.push(`${key}: record ${index} after ${last.get(key)}`);
    last.set(key, index);
    seen.add(index);
  }
  if (seen.size !== keys.length) found.push(`${seen.size} of ${keys.length} records`);
  fail(found);
}

function fail(found: readonly string[]): void {
  if (found.length > 0) throw new Error(`the results are wrong in ${found.length} places:\n  ${found.slice(0, 20).join("\n  ")}`);
}

/** When results came: the first, the last, and how fast in between. */
export interface Pace {
  readonly firstMs: number;
  readonly lastMs: number;
  /** After the first. */
  readonly counted: number;
  readonly perSecond: number;
  /** Between 10 and 90 % of all results: without warming up and running out. */
  readonly steadyPerSecond: number;
}

export function paceOf(results: readonly Result[]): Pace {
  const times = Float64Array.from(results, ({ appendedMs }) => appendedMs).sort();
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))] as number;
  const [firstMs, lastMs] = [at(0), at(1)];
  const counted = times.length - times.lastIndexOf(firstMs) - 1;
  const steadySeconds = Math.max(0.001, (at(0.9) - at(0.1)) / 1_000);
  return {
    firstMs,
    lastMs,
    counted,
    perSecond: counted / Math.max(0.001, (lastMs - firstMs) / 1_000),
    steadyPerSecond: (0.8 * times.length) / steadySeconds,
  };
}
