/**
 * Reads partitions: a loop per broker that leads one of them, a long poll each turn, whatever is wanted then. There is no group
 * here: who reads what is decided above, so a rebalance does not touch a reader.
 *
 * R1: a reader's records are delivered in offset order, none twice: its position moves only when a fetch answered for exactly that position.
 * R2: while paused nothing is delivered; one answer at most is fetched ahead, held, and delivered on resume. An answer is delivered in
 *     slices: what is left when somebody pauses in between is held, too.
 * R3: after `stop` nothing is delivered.
 * R4: behind an answer of few records the next fetch of that broker keeps its distance. Where records come one by one, a fetch for each
 *     costs the broker and us more than what is done with them. (A record that comes while a poll waits is not held up by it.)
 */
import type { InputRecord } from "../model/record";
import type { Log } from "../observe/log";
import { errorText, errorType, protocolError } from "./kafkajs-internals";
import { isConnectionLost, type Link, pause } from "./link";
import type { DecodedRecords, RecordSlices } from "./record-batch-decoder";
import { type FetchedPartition, type FetchLimits, fetchRequest, type TopicPartition } from "./requests";

/** What somebody wants to read, and who is told. */
export interface ReaderOptions extends TopicPartition {
  readonly offset: number;
  /** Most bytes of this partition per fetch. */
  readonly bytesMax: number;
  deliver(records: readonly InputRecord[], nextOffset: number): void;
  /** The position is not in the log (any more): where to go on? Asked once per occurrence. */
  outOfRange(offset: number): Promise<number>;
  /** How long the log may have more that no reader of committed records gets at, before a line says so: longer than transactions take. */
  readonly heldMs?: number;
  /** Answered for this position, first in the request, and there is nothing before the last stable offset. */
  nothingBefore?(lastStableOffset: number): void;
  /** Answered for this position: the partition ended there when it was asked, at `sentMs` by the wall clock, or later. */
  nothingBehind?(offset: number, sentMs: number): void;
}

export class Reader {
  nextOffset: number;
  paused = false;
  stopped = false;
  /** Asked for a new position, or its leader is being looked for. */
  busy = false;
  leader: number | undefined;
  /** The leader we knew refused: ask the broker again before the next try. */
  misled = false;
  /** What was fetched and is not delivered: its next slice, and the rest. */
  held: { readonly slice: DecodedRecords; readonly rest: RecordSlices } | undefined;
  /** Since when an open transaction holds it up, and when that was told last. */
  openSinceMs: number | undefined;
  openToldMs = 0;

  constructor(readonly options: ReaderOptions) {
    this.nextOffset = options.offset;
  }
}

const leaderErrors = new Set([
  "NOT_LEADER_FOR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "REPLICA_NOT_AVAILABLE",
  "KAFKA_STORAGE_ERROR",
  "OFFSET_NOT_AVAILABLE",
]);
/**
 * A partition that becomes wanted waits for the poll that is running without it. While records flow partitions pause and
 * resume all the time, so polls are short then; when nothing has come for a while they are long, and idling is cheap.
 */
const flowingWaitMs = 5;
const flowingForMs = 1_000;
const retryFirstMs = 50;
const retryMaxMs = 1_000;
/** A complaint about the same thing is told this often. */
const complainMs = 5_000;
/** A slice of an answer. Who pauses a reader because it has enough gets this many more at most; and records that are decoded late die young. */
const sliceRecordsMax = 512;
/** Others may have transactions of a minute (those of a checkpoint). */
const heldMsDefault = 120_000;
/** R4. */
const fewRecords = 32;
const distanceMs = 2;
/** One answer's work is cut into turns of about this, so that heartbeats and replies come in between. */
const turnMs = 10;

export class Fetcher {
  readonly #readers = new Set<Reader>();
  readonly #loops = new Set<number>();
  #locating = false;
  #closed = false;
  #complainedMs = 0;
  /** When records last came, or a partition was resumed or added. */
  #flowingMs = 0;
  lastAnswerMs = Date.now();

  constructor(
    readonly link: Link,
    readonly limits: FetchLimits,
    readonly log: Log,
  ) {}

  read(options: ReaderOptions): Reader {
    const reader = new Reader(options);
    this.#readers.add(reader);
    this.#flowingMs = Date.now();
    this.#wake();
    return reader;
  }

  stop(reader: Reader): void {
    reader.stopped = true;
    reader.held = undefined;
    this.#readers.delete(reader);
  }

  pause(reader: Reader): void {
    reader.paused = true;
  }

  resume(reader: Reader): void {
    if (!reader.paused) return;
    reader.paused = false;
    this.#flowingMs = Date.now();
    if (reader.held === undefined) return this.#wake();
    setImmediate(() => {
      this.#release(reader);
      this.#wake();
    });
  }

  /** True while something is wanted: then answers must be coming, or something is wrong. */
  get active(): boolean {
    for (const reader of this.#readers) if (!reader.paused) return true;
    return false;
  }

  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) this.stop(reader);
  }

  /** Delivers what is held, slice by slice, until nothing is left or somebody wants no more (R2). Held while it is delivered: nobody fetches then. */
  #release(reader: Reader): void {
    while (reader.held !== undefined && !reader.paused && !reader.stopped) {
      const { slice, rest } = reader.held;
      this.#deliver(reader, slice);
      if (reader.stopped) return;
      const next = this.#decode(reader, rest);
      reader.held = next === undefined ? undefined : { slice: next, rest };
    }
  }

  #deliver(reader: Reader, { records, nextOffset }: DecodedRecords): void {
    reader.nextOffset = nextOffset;
    try {
      reader.options.deliver(records, nextOffset);
    } catch (error) {
      // A bug in whoever listens: these records are gone for it, so going on would lose them (R1). The process ends.
      this.stop(reader);
      process.nextTick(() => {
        throw error;
      });
    }
  }

  #wanted(reader: Reader): boolean {
    return !reader.stopped && !reader.busy && reader.held === undefined;
  }

  /** A loop for every leader of a wanted partition. */
  #wake(): void {
    if (this.#closed) return;
    for (const reader of this.#readers) {
      if (!this.#wanted(reader)) continue;
      if (reader.leader === undefined) this.#locate();
      else if (!this.#loops.has(reader.leader)) void this.#loop(reader.leader);
    }
  }

  /** Finds the leaders that are not known; in the background, until all are. */
  #locate(): void {
    if (this.#locating) return;
    this.#locating = true;
    void this.#locateAll().finally(() => {
      this.#locating = false;
      this.#wake();
    });
  }

  async #locateAll(): Promise<void> {
    for (let waitMs = retryFirstMs; !this.#closed; waitMs = Math.min(waitMs * 2, retryMaxMs)) {
      const unknown = [...this.#readers].filter((reader) => reader.leader === undefined && this.#wanted(reader));
      if (unknown.length === 0) return;
      const misled = unknown.some((reader) => reader.misled);
      // A new leader is chosen within moments, not at once.
      if (misled) await pause(retryFirstMs);
      if (await this.#lookUp(unknown, misled)) return;
      this.#wake();
      await pause(waitMs);
    }
  }

  /** True when all were found. */
  async #lookUp(unknown: readonly Reader[], misled: boolean): Promise<boolean> {
    let fresh = misled;
    let found = true;
    for (const reader of unknown) {
      try {
        reader.leader = await this.link.leader(reader.options, fresh);
        reader.misled = false;
        fresh = false;
      } catch (error) {
        found = false;
        reader.misled = true;
        this.#complain(`looking for the leader of ${reader.options.topic}/${reader.options.partition}`, error);
        if (isConnectionLost(error)) {
          this.link.renew();
          break;
        }
      }
    }
    return found;
  }

  async #loop(node: number): Promise<void> {
    this.#loops.add(node);
    let waitMs = retryFirstMs;
    let turn = 0;
    while (!this.#closed) {
      const readers = [...this.#readers].filter((reader) => reader.leader === node && this.#wanted(reader));
      if (readers.length === 0) break;
      // Brokers fill an answer in the order asked, so everyone comes first in its turn.
      const first = turn++ % readers.length;
      const asked = first === 0 ? readers : [...readers.slice(first), ...readers.slice(0, first)];
      try {
        const startedMs = performance.now();
        const records = await this.#fetch(node, asked);
        waitMs = retryFirstMs;
        const leftMs = startedMs + distanceMs - performance.now();
        if (records > 0 && records < fewRecords && leftMs > 0) await pause(Math.ceil(leftMs));
      } catch (error) {
        this.#complain(`fetching from broker ${node} of ${this.link.specification.name}`, error);
        if (isConnectionLost(error)) this.link.renew();
        for (const reader of readers) reader.leader = undefined;
        await pause(waitMs);
        waitMs = Math.min(waitMs * 2, retryMaxMs);
        break;
      }
    }
    this.#loops.delete(node);
    this.#wake();
  }

  /** How many records were delivered or are held; of a large answer perhaps fewer. */
  async #fetch(node: number, readers: readonly Reader[]): Promise<number> {
    const broker = await this.link.broker(node);
    const positions = readers.map(({ options, nextOffset }) => ({
      topic: options.topic,
      partition: options.partition,
      offset: nextOffset,
      bytesMax: options.bytesMax,
    }));
    const sentMs = Date.now();
    const answers = await broker.connectionPool.send(fetchRequest(positions, this.#limitsNow()));
    this.lastAnswerMs = Date.now();
    const index = new Map(answers.map((answer) => [`${answer.partition} ${answer.topic}`, answer]));
    let startedMs = performance.now();
    let records = 0;
    for (let i = 0; i < readers.length; i++) {
      const reader = readers[i] as Reader;
      const answer = index.get(`${reader.options.partition} ${reader.options.topic}`);
      // R1: somebody may have stopped it meanwhile; a stopped reader is never started again.
      if (answer === undefined || reader.stopped) continue;
      if (answer.errorCode !== 0) this.#refused(reader, answer.errorCode);
      else records += this.#answered(reader, answer, i === 0, sentMs);
      if (performance.now() - startedMs > turnMs) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        startedMs = performance.now();
      }
    }
    return records;
  }

  #limitsNow(): FetchLimits {
    const flowing = Date.now() - this.#flowingMs < flowingForMs;
    return flowing && this.limits.waitMs > flowingWaitMs ? { ...this.limits, waitMs: flowingWaitMs } : this.limits;
  }

  /** How many records its first slice has. */
  #answered(reader: Reader, answer: FetchedPartition, first: boolean, sentMs: number): number {
    const rest = answer.from(reader.nextOffset);
    const slice = this.#decode(reader, rest);
    if (slice === undefined) {
      if (reader.busy) return 0; // It could not be read.
      if (!this.limits.readUncommitted && answer.highWatermark > reader.nextOffset) this.#tellHeld(reader, answer);
      if (first && answer.lastStableOffset > reader.nextOffset) reader.options.nothingBefore?.(answer.lastStableOffset);
      if (answer.highWatermark <= reader.nextOffset) reader.options.nothingBehind?.(reader.nextOffset, sentMs);
      return 0;
    }
    this.#flowingMs = this.lastAnswerMs;
    reader.openSinceMs = undefined;
    reader.held = { slice, rest };
    this.#release(reader);
    return slice.records.length;
  }

  /** There is more in the log, but an open transaction is in front of it: whose it is, only people can find out. */
  #tellHeld(reader: Reader, { lastStableOffset, highWatermark }: FetchedPartition): void {
    const { topic, partition, heldMs = heldMsDefault } = reader.options;
    if (lastStableOffset > reader.nextOffset) {
      reader.openSinceMs = undefined;
      return;
    }
    const now = this.lastAnswerMs;
    reader.openSinceMs ??= now;
    const sinceMs = now - reader.openSinceMs;
    if (sinceMs < heldMs || now - reader.openToldMs < heldMs) return;
    reader.openToldMs = now;
    this.log(
      "warn",
      `${topic}/${partition} has been held up for ${Math.round(sinceMs / 1000)} s by a transaction that somebody left open: last stable offset ${lastStableOffset}, high watermark ${highWatermark}; waiting for its end.`,
      { topic, partition, lastStableOffset, highWatermark },
    );
  }

  /** undefined: there is nothing more, or it cannot be read. Such bytes stop their own partition, not its neighbours. */
  #decode(reader: Reader, batches: RecordSlices): DecodedRecords | undefined {
    try {
      const slice = batches.read(sliceRecordsMax);
      return slice.nextOffset === reader.nextOffset ? undefined : slice;
    } catch (error) {
      this.#complain(`reading ${reader.options.topic}/${reader.options.partition} from offset ${reader.nextOffset}`, error);
      this.#rest(reader);
      return undefined;
    }
  }

  #refused(reader: Reader, errorCode: number): void {
    const error = protocolError(errorCode);
    const { topic, partition } = reader.options;
    if (error.type === "OFFSET_OUT_OF_RANGE") {
      this.#reposition(reader);
      return;
    }
    this.#complain(`fetching ${topic}/${partition} from offset ${reader.nextOffset}`, error);
    reader.leader = undefined;
    reader.misled = true;
    if (leaderErrors.has(error.type)) this.#wake();
    else this.#rest(reader);
  }

  /** Refused for a reason that looking for the leader does not cure (not authorised, …): ask again in a while. */
  #rest(reader: Reader): void {
    reader.busy = true;
    setTimeout(() => {
      reader.busy = false;
      this.#wake();
    }, retryMaxMs);
  }

  #reposition(reader: Reader): void {
    reader.busy = true;
    reader.options
      .outOfRange(reader.nextOffset)
      .then((offset) => {
        reader.nextOffset = offset;
        reader.busy = false;
        this.#wake();
      })
      .catch((error: unknown) => {
        this.#complain(`looking for a new position in ${reader.options.topic}/${reader.options.partition}`, error);
        this.#rest(reader);
      });
  }

  #complain(what: string, error: unknown): void {
    const now = Date.now();
    const level = now - this.#complainedMs >= complainMs ? "warn" : "debug";
    if (level === "warn") this.#complainedMs = now;
    if (!this.#closed) this.log(level, `${what} failed (${errorText(error)}); trying again`, { error: errorType(error) });
  }
}
