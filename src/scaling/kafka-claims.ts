/**
 * Claims on Kafka: `<group>.claims`/shard, one record per router that claimed and has not released it (ARCHITECTURE.md §5).
 * Key = the claim's id, value = the claim as JSON, tombstoned when released or fenced. Written outside any transaction.
 */
import type { Fetcher } from "../cluster/fetcher";
import { errorText } from "../cluster/kafkajs-internals";
import { readLog } from "../cluster/log-reader";
import { claimsTopic } from "../cluster/topics";
import type { Writer } from "../cluster/writer";
import type { Event } from "../event";
import type { Claim, StandingClaim } from "../model/claim";
import type { InputRecord } from "../model/record";
import type { Log } from "../observe/log";
import type { KafkaFence } from "./kafka-fence";

const claimBytesMax = 1024 * 1024;

export interface ClaimsOptions {
  readonly group: string;
  readonly cluster: string;
}

export class KafkaClaims {
  readonly #closing = new AbortController();

  constructor(
    readonly options: ClaimsOptions,
    readonly fetcher: Fetcher,
    readonly writer: Writer,
    readonly fenced: KafkaFence,
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
      await Promise.all(ids.map((id) => this.fenced.fence(epoch, id)));
      for (const { claimId } of claims) await this.#write(shard, claimId, null);
      return { kind: "claimants_fenced", shard, epoch };
    });
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
