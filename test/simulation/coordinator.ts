/**
 * Kafka's transaction coordinator: transactional ids, producer epochs, decided outcomes, markers that come later.
 *
 *   empty ──write──▶ ongoing ──end(commit|abort), fence, timeout──▶ deciding (markers under way) ──all written──▶ empty
 *
 * K3  Initialising an id bumps its epoch, aborts its ongoing transaction and answers when no marker is missing any more.
 * K4  Nothing of an older epoch is accepted: neither records nor an end.
 * K5  The answer to an end comes when the outcome is decided, before the markers are written (as Kafka does it).
 */
import type { Agenda } from "./agenda";
import type { Chance } from "./chance";
import { type NewRecord, type PartitionLog, Transaction } from "./partition-log";

export type WriteAnswer = "written" | "fenced";
export type EndAnswer = "ended" | "fenced";

/** What a client holds after initialising. */
export interface ProducerIdentity {
  readonly transactionalId: string;
  readonly epoch: number;
}

export function transactionName(transactionalId: string, number: number): string {
  return `${transactionalId}#${number}`;
}

class TransactionalId {
  epoch = -1;
  ongoing: { readonly transaction: Transaction; readonly number: number } | undefined = undefined;
  /** Markers still under way. */
  deciding = 0;
  lastNumber = 0;
  readonly waiting: (() => void)[] = [];
  constructor(readonly id: string) {}
}

export class Coordinator {
  readonly #ids = new Map<string, TransactionalId>();

  constructor(
    private readonly agenda: Agenda,
    private readonly chance: Chance,
    private readonly transactionTimeoutMs: number,
    /** Mean time until a marker is written; changes with the weather. */
    private readonly markerDelayMs: () => number,
    /** Judged at the decision, before anybody can read it. */
    private readonly committed: (transaction: Transaction) => void,
    /** A tooth: a broker that accepts everything. */
    private readonly ignoreEpochs: boolean,
  ) {}

  init(transactionalId: string, answer: (identity: ProducerIdentity) => void): void {
    const entry = this.#entry(transactionalId);
    if (entry.ongoing) {
      entry.epoch++; // K4 holds from this instant, not from the answer.
      this.#decide(entry, "aborted");
    }
    if (entry.deciding > 0) {
      // While it waited for these markers, the former client may have begun once more.
      entry.waiting.push(() => this.init(transactionalId, answer));
      return;
    }
    entry.epoch++;
    answer({ transactionalId, epoch: entry.epoch });
  }

  /** `number` counts the client's transactions: a late request of an earlier one is not taken for the present one. */
  write(
    identity: ProducerIdentity,
    number: number,
    log: PartitionLog,
    records: readonly NewRecord[],
    answer: (it: WriteAnswer) => void,
  ): void {
    const entry = this.#entry(identity.transactionalId);
    if (this.#fenced(entry, identity) || number < entry.lastNumber) return answer("fenced");
    this.#whenEmptyOr(entry, number, () => {
      if (this.#fenced(entry, identity) || number < entry.lastNumber) return answer("fenced");
      const transaction = this.#begin(entry, number);
      if (!transaction) return answer("fenced");
      for (const record of records) log.append(record, transaction);
      answer("written");
    });
  }

  end(identity: ProducerIdentity, number: number, commit: boolean, answer: (it: EndAnswer) => void): void {
    const entry = this.#entry(identity.transactionalId);
    if (this.#fenced(entry, identity) || entry.ongoing?.number !== number) return answer("fenced");
    this.#decide(entry, commit ? "committed" : "aborted");
    answer("ended");
  }

  #entry(id: string): TransactionalId {
    let entry = this.#ids.get(id);
    if (!entry) {
      entry = new TransactionalId(id);
      this.#ids.set(id, entry);
    }
    return entry;
  }

  #fenced(entry: TransactionalId, identity: ProducerIdentity): boolean {
    return !this.ignoreEpochs && identity.epoch < entry.epoch;
  }

  #begin(entry: TransactionalId, number: number): Transaction | undefined {
    if (entry.ongoing) return entry.ongoing.transaction;
    // Its transaction was ended by somebody else (timeout): this write is late.
    if (number === entry.lastNumber && !this.ignoreEpochs) return undefined;
    const transaction = new Transaction(transactionName(entry.id, number));
    entry.ongoing = { transaction, number };
    entry.lastNumber = number;
    this.agenda.after(this.transactionTimeoutMs, () => {
      if (entry.ongoing?.transaction !== transaction) return;
      entry.epoch++;
      this.#decide(entry, "aborted");
    });
    return transaction;
  }

  #decide(entry: TransactionalId, outcome: "committed" | "aborted"): void {
    const transaction = entry.ongoing?.transaction;
    if (!transaction) return;
    entry.ongoing = undefined;
    transaction.outcome = outcome;
    if (outcome === "committed") this.committed(transaction);
    for (const log of [...transaction.logs]) {
      entry.deciding++;
      this.agenda.after(this.chance.delay(this.markerDelayMs()), () => {
        log.mark(this.agenda.now, transaction);
        entry.deciding--;
        if (entry.deciding === 0) for (const action of entry.waiting.splice(0)) this.#whenEmpty(entry, action);
      });
    }
  }

  #whenEmpty(entry: TransactionalId, action: () => void): void {
    if (entry.deciding > 0) entry.waiting.push(action);
    else action();
  }

  /** The next transaction waits for the markers of the one before (CONCURRENT_TRANSACTIONS); more of the present one does not. */
  #whenEmptyOr(entry: TransactionalId, number: number, action: () => void): void {
    if (entry.ongoing?.number === number) action();
    else this.#whenEmpty(entry, action);
  }
}
