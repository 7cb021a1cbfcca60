/** The fetcher against brokers made by hand: what a one-node cluster never does. */
import { ByteReader } from "../../src/cluster/bytes";
import { Fetcher } from "../../src/cluster/fetcher";
import type { Link } from "../../src/cluster/link";
import type { FetchedPartition } from "../../src/cluster/requests";
import type { InputRecord } from "../../src/model/record";
import { waitFor } from "../support/wait-for";

const notLeader = 6;
const notAuthorised = 29;

/** Partitions with leaders; each holds records up to `end`, and a fetch gives `answerRecords` of them at most. */
class FakeCluster {
  readonly leaders = new Map<number, number>();
  /** What the link believes; asking afresh brings it up to date. */
  readonly believed = new Map<number, number>();
  readonly errors = new Map<number, number>();
  readonly unreadable = new Set<number>();
  end = 10;
  answerRecords = 2;
  fetches = 0;
  readonly fetchedMs: number[] = [];
  /** Answers without any delay. */
  quick = false;
  refreshes = 0;
  lost = 0;
  /** Answers wait for this. */
  gate: Promise<void> | undefined;
  gated = 0;

  link(): Link {
    return {
      specification: { name: "fake" },
      renew: () => this.#learn(),
      leader: async ({ partition }: { partition: number }, fresh = false) => {
        if (fresh) this.#learn();
        return this.believed.get(partition);
      },
      broker: async (node: number) => ({
        connectionPool: {
          send: (request: { request: { encode(): Promise<{ buffer: Buffer }> } }) => this.#answer(node, request),
        },
      }),
    } as unknown as Link;
  }

  #learn(): void {
    this.refreshes++;
    for (const [partition, leader] of this.leaders) this.believed.set(partition, leader);
  }

  async #answer(node: number, { request }: { request: { encode(): Promise<{ buffer: Buffer }> } }): Promise<FetchedPartition[]> {
    this.fetches++;
    this.fetchedMs.push(performance.now());
    const asked = positions((await request.encode()).buffer);
    await new Promise<void>((resolve) => {
      if (this.quick) setImmediate(resolve);
      else setTimeout(resolve, 2);
    });
    if (this.gate) {
      this.gated++;
      await this.gate;
    }
    if (this.lost > 0) {
      this.lost--;
      throw Object.assign(new Error("connection lost"), { name: "KafkaJSConnectionClosedError" });
    }
    return asked.map(({ topic, partition, offset }) => {
      const errorCode = this.errors.get(partition) ?? (this.leaders.get(partition) === node ? 0 : notLeader);
      let at = offset;
      const from = (asked: number) => {
        at = asked;
        return { read };
      };
      const read = (recordsMax: number) => {
        if (this.unreadable.has(partition)) throw new Error("bytes that make no sense");
        const first = at;
        at = Math.max(first, Math.min(this.end, offset + this.answerRecords, first + recordsMax));
        return { records: Array.from({ length: at - first }, (_, i) => recordAt(first + i)), nextOffset: at };
      };
      return { topic, partition, errorCode, highWatermark: this.end, lastStableOffset: this.end, from };
    });
  }
}

function positions(body: Buffer): { topic: string; partition: number; offset: number }[] {
  const reader = new ByteReader(body);
  reader.at = 25;
  const asked: { topic: string; partition: number; offset: number }[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string();
    for (let count = reader.int32(); count > 0; count--) {
      const partition = reader.int32();
      reader.int32();
      const offset = reader.int64();
      reader.at += 12;
      asked.push({ topic, partition, offset });
    }
  }
  return asked;
}

function recordAt(offset: number): InputRecord {
  return { offset, key: null, value: null, timestampMs: 0, headers: [] };
}

let fetcher: Fetcher;
let cluster: FakeCluster;
const warnings: string[] = [];
beforeEach(() => {
  cluster = new FakeCluster();
  for (const [partition, leader] of [
    [0, 1],
    [1, 2],
    [2, 1],
  ] as const) {
    cluster.leaders.set(partition, leader);
    cluster.believed.set(partition, leader);
  }
  warnings.length = 0;
  const limits = { readUncommitted: false, waitMs: 1, bytesMin: 1, bytesMax: 1000 };
  fetcher = new Fetcher(cluster.link(), limits, (level, text) => level === "warn" && warnings.push(text));
});
afterEach(() => fetcher.close());

function read(partition: number, offset = 0) {
  const seen: number[] = [];
  const reader = fetcher.read({
    topic: "t",
    partition,
    offset,
    bytesMax: 100,
    deliver: (records) => seen.push(...records.map((record) => record.offset)),
    outOfRange: async () => 0,
  });
  return { reader, seen };
}

const upTo = (end: number, from = 0) => Array.from({ length: end - from }, (_, i) => from + i);

test("R1: partitions of several leaders are read, each in order", async () => {
  const readers = [0, 1, 2].map((partition) => read(partition, partition));
  await waitFor(() => readers.every(({ seen }) => seen.at(-1) === 9), "all to be read");
  expect(readers.map(({ seen }) => seen)).toEqual([upTo(10), upTo(10, 1), upTo(10, 2)]);
});

test("a leader that moved is looked for afresh, while its neighbours go on; nothing is given twice", async () => {
  const moving = read(0);
  const staying = read(2);
  await waitFor(() => moving.seen.length >= 4, "a beginning");
  cluster.leaders.set(0, 2);
  cluster.end = 40;
  await waitFor(() => moving.seen.length === 40 && staying.seen.length === 40, "the end");
  expect(moving.seen).toEqual(upTo(40));
  expect(staying.seen).toEqual(upTo(40));
  expect(cluster.refreshes).toBeGreaterThan(0);
});

test("asking for a new leader is not a busy loop while there is none", async () => {
  cluster.leaders.set(0, 7);
  cluster.believed.set(0, 1);
  cluster.errors.set(0, notLeader);
  read(0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(cluster.fetches).toBeLessThan(20);
  expect(warnings.length).toBe(1);
});

test("a lost connection is made anew, and reading goes on where it was", async () => {
  const { seen } = read(0);
  await waitFor(() => seen.length >= 4, "a beginning");
  cluster.lost = 2;
  cluster.end = 30;
  await waitFor(() => seen.length === 30, "the end");
  expect(seen).toEqual(upTo(30));
});

test("a partition that may not be read, or cannot be understood, does not stop the others", async () => {
  cluster.errors.set(0, notAuthorised);
  const refused = read(0);
  const fine = read(2);
  cluster.unreadable.add(1);
  const unreadable = read(1);
  await waitFor(() => fine.seen.length === 10, "the one that may");
  expect([refused.seen, unreadable.seen]).toEqual([[], []]);
  expect(warnings.length).toBeGreaterThan(0);
  cluster.errors.clear();
  cluster.unreadable.clear();
  await waitFor(() => refused.seen.length === 10 && unreadable.seen.length === 10, "the others, once they may");
  expect(refused.seen).toEqual(upTo(10));
});

test("that there is nothing behind a position is told with the instant at which the broker was asked", async () => {
  const told: { offset: number; sentMs: number }[] = [];
  fetcher.read({
    topic: "t",
    partition: 0,
    offset: 0,
    bytesMax: 100,
    deliver: () => {},
    outOfRange: async () => 0,
    nothingBehind: (offset, sentMs) => told.push({ offset, sentMs }),
  });
  await waitFor(() => told.length > 0, "the end");
  let open = () => {};
  cluster.gate = new Promise((resolve) => (open = resolve));
  await waitFor(() => cluster.gated > 0, "an answer on its way");
  const onItsWayMs = Date.now();
  const before = told.length;
  await waitFor(() => Date.now() > onItsWayMs, "time to pass");
  cluster.gate = undefined;
  open();
  await waitFor(() => told.length > before, "the answer");
  expect(told[before]?.offset).toBe(10);
  expect(told[before]?.sentMs).toBeLessThanOrEqual(onItsWayMs);
});

test("R2, R3: paused, an answer on its way is held and given once on resume; stopped, nothing is given any more", async () => {
  const { reader, seen } = read(0);
  await waitFor(() => seen.length >= 2, "a beginning");
  for (let round = 0; round < 3; round++) {
    fetcher.pause(reader);
    const before = seen.length;
    await new Promise((resolve) => setTimeout(resolve, 15));
    expect(seen.length).toBe(before);
    fetcher.resume(reader);
    fetcher.pause(reader);
    fetcher.resume(reader);
    await waitFor(() => seen.length > before || before === 10, "more");
  }
  await waitFor(() => seen.length === 10, "the end");
  expect(seen).toEqual(upTo(10));
  cluster.end = 20;
  fetcher.stop(reader);
  const stopped = seen.length;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(seen.length).toBe(stopped);
  expect(fetcher.active).toBe(false);
});

test("R2: an answer is delivered in slices; whoever pauses in between gets the rest on resume, in order and once", async () => {
  cluster.end = 5_000;
  cluster.answerRecords = 3_000;
  const seen: number[] = [];
  const sizes: number[] = [];
  const reader = fetcher.read({
    topic: "t",
    partition: 0,
    offset: 0,
    bytesMax: 100,
    deliver: (records) => {
      expect(reader.paused).toBe(false);
      seen.push(...records.map(({ offset }) => offset));
      sizes.push(records.length);
      if (sizes.length % 3 === 0) return;
      fetcher.pause(reader);
      if (sizes.length % 3 === 1) fetcher.resume(reader);
      else setTimeout(() => fetcher.resume(reader), 1);
    },
    outOfRange: async () => 0,
  });
  await waitFor(() => seen.length >= cluster.end, "all of it");
  expect(seen).toEqual(upTo(cluster.end));
  expect(sizes.length).toBeGreaterThan(5);
  expect(reader.nextOffset).toBe(cluster.end);
});

test("R4: few records are followed by a fetch at a distance, many at once", async () => {
  cluster.quick = true;
  const distanceMs = async (answerRecords: number): Promise<number> => {
    cluster.end = answerRecords * 20;
    cluster.answerRecords = answerRecords;
    cluster.fetchedMs.length = 0;
    const { reader, seen } = read(1);
    await waitFor(() => seen.length === cluster.end, "all to be read");
    fetcher.stop(reader);
    const times = cluster.fetchedMs.slice(0, 20);
    const distances = times.slice(1).map((atMs, index) => atMs - (times[index] as number));
    return distances.sort((a, b) => a - b)[9] as number;
  };
  const ofFew = await distanceMs(3);
  // Timers may be early by a part of a millisecond.
  expect(ofFew).toBeGreaterThan(1);
  expect(await distanceMs(50)).toBeLessThan(ofFew);
});
