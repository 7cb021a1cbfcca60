/**
 * Claims on Kafka: `<group>.claims`/shard, one record per router that claimed and has not released it (ARCHITECTURE.md §5).
 * Key = the claim's id, value = the claim as JSON, tombstoned when released or fenced. Written outside any transaction.
 */
import type { Fetcher } from "../cluster/fetcher";
import { errorText } from "../cluster/kafkajs-internals";
import { readLog } from "../cluster/log-reader";
import { Producer } from "../cluster/producer";
import { claimsTopic } from "../cluster/topics";
import type { Writer } from "../cluster/writer";
import type { Event } from "../event";
import type { Claim, StandingClaim } from "../model/claim";
import type { InputRecord } from "../model/record";
import type { Log } from "../observe/log";

const claimBytesMax = 1024 * 1024;
/** A fenced producer's open transaction is aborted within milliseconds; beyond this the engine tries again. */
const fenceBudgetMs = 20_000;

export interface ClaimsOptions {
  readonly group: string;
  readonly cluster: string;
  readonly transactionTimeoutMs: number;
}

export class KafkaClaims {
  /** Who was fenced for this epoch: several shards usually name the same ids. */
  #fencedEpoch = -1;
  #fenced = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(
    readonly options: ClaimsOptions,
    readonly fetcher: Fetcher,
    readonly writer: Writer,
    readonly emit: (event: Event) => void,
    readonly log: Log,
  ) {}

  append(shard: number, epoch: number, claim: Claim): void {
    this.#step("appending the claim", shard, epoch, async () => {
      const offset = await this.#write(shard, claim.claimId, encodeClaim(claim));
      return { kind: "claim_appended", shard, epoch, offset };
    });
  }

  release(shard: number, epoch: number, claimId: string): void {
    this.#step("releasing the claim", shard, epoch, async () => {
      await this.#write(shard, claimId, null);
      return { kind: "claim_released", shard, epoch };
    });
  }

  read(shard: number, epoch: number): void {
    this.#step("reading the claims", shard, epoch, async () => {
      const standing = new Map<string, StandingClaim>();
      const position = { topic: claimsTopic(this.options.group), partition: shard };
      await readLog(this.fetcher, position, claimBytesMax, this.#closing.signal, ({ records }) => {
        for (const record of records) this.#apply(record, standing);
      });
      const claims = [...standing.values()].sort((a, b) => a.offset - b.offset);
      return { kind: "claims_read", shard, epoch, claims };
    });
  }

  #apply(record: InputRecord, standing: Map<string, StandingClaim>): void {
    if (record.key === null) return;
    const claimId = Buffer.from(record.key).toString();
    standing.delete(claimId);
    if (record.value === null) return;
    const claim = decodeClaim(claimId, record.value);
    if (claim === undefined)
      this.log("error", `A claim in ${claimsTopic(this.options.group)} cannot be read: ${claimId}; it is left out.`);
    else standing.set(claimId, { ...claim, offset: record.offset });
  }

  fence(shard: number, epoch: number, claims: readonly Claim[]): void {
    this.#step("fencing earlier claimants", shard, epoch, async () => {
      const ids = claims.flatMap(({ transactionalIds }) => transactionalIds);
      await Promise.all(ids.map((id) => this.#fenceOnce(epoch, id)));
      for (const { claimId } of claims) await this.#write(shard, claimId, null);
      return { kind: "claimants_fenced", shard, epoch };
    });
  }

  #fenceOnce(epoch: number, transactionalId: string): Promise<void> {
    if (this.#fencedEpoch !== epoch) {
      this.#fencedEpoch = epoch;
      this.#fenced = new Map();
    }
    const fenced = this.#fenced;
    let done = fenced.get(transactionalId);
    if (done === undefined) {
      const link = this.writer.linkTo(this.options.cluster);
      // Initialising a producer with somebody's id aborts what it had open, and it can never commit again.
      done = new Producer(link, transactionalId, this.options.transactionTimeoutMs, fenceBudgetMs).open();
      fenced.set(transactionalId, done);
      done.catch(() => fenced.delete(transactionalId));
    }
    return done;
  }

  async #write(shard: number, claimId: string, value: Buffer | null): Promise<number> {
    const topic = claimsTopic(this.options.group);
    const record = { partition: shard, key: claimId, value, headers: undefined, timestampMs: undefined };
    const [written] = await this.writer.write(this.options.cluster, [
      { cluster: this.options.cluster, topic, records: [record] },
    ]);
    return written?.firstOffset ?? -1;
  }

  #step(step: string, shard: number, epoch: number, work: () => Promise<Event>): void {
    work().then(
      (event) => {
        if (!this.#closing.signal.aborted) this.emit(event);
      },
      (error: unknown) => {
        if (this.#closing.signal.aborted) return;
        this.log("warn", `${step} of shard ${shard} failed (${errorText(error)})`, { shard, epoch });
        this.emit({ kind: "ownership_failed", shard, epoch, step, reason: errorText(error) });
      },
    );
  }

  close(): void {
    this.#closing.abort();
  }
}

function encodeClaim({ transactionalIds, router, memberId }: Claim): Buffer {
  return Buffer.from(JSON.stringify({ transactionalIds, router, memberId }));
}

function decodeClaim(claimId: string, bytes: Uint8Array): Claim | undefined {
  try {
    const { transactionalIds, router, memberId } = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>;
    if (!Array.isArray(transactionalIds) || !transactionalIds.every((id): id is string => typeof id === "string"))
      return undefined;
    if (typeof router !== "string" || typeof memberId !== "string") return undefined;
    return { claimId, transactionalIds, router, memberId };
  } catch {
    return undefined;
  }
}
