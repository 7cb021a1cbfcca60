/**
 * What must come true, and what has: every message that follows from the ingress records, and every audit line that was
 * committed. Judged at each commit, before anybody can read it.
 *
 * L1  Each expected delivery comes true exactly once; nothing else does.
 * L2  The lines of an address count 1, 2, 3 … in commit order.
 * L3  On one channel (an ingress partition, or a sender) to one address, lines come in the order sent.
 * L4  What progress calls finished has its lines committed, in this transaction or before; or, of a record with several targets,
 *     the copies that lack them stand in the state topic as messages of their own.
 * L5  A commit continues from what its writer restored: nobody else has committed to the shard since.
 */
import { decodePending } from "../../src/functions/pending";
import { decodeProgress } from "../../src/ingress/progress";
import { decodeKey } from "../../src/state/changelog";
import { AUDIT_TOPIC, type AuditLine, decodeAuditLine, EXPORT_TOPIC } from "./audit";
import { type Child, deliveryKey, POISON_ID, planOf, readMessageText, type TypeName } from "./cast";
import { type Call, tokenOf } from "./function-host";
import { typedValueOf } from "./function-wire";
import type { StoredRecord, Transaction } from "./partition-log";
import { type Checker, Violation } from "./violation";

export interface Delivery {
  readonly type: TypeName;
  readonly id: string;
  readonly messageId: string;
  /** undefined: no order is promised (delayed messages). */
  readonly channel: string | undefined;
  readonly order: number;
  /** Earliest instant it may arrive. */
  readonly dueMs: number;
  readonly root: InputRecordOf | undefined;
  /** It need not arrive: without exactly-once, a repeated cause may cancel what its first run had sent, or never send it. */
  readonly optional: boolean;
  readonly cancelledAtOnce: boolean;
  done: boolean;
  /** A copy of a record that stands on its own: progress may pass the record. */
  remembered: boolean;
  cancelledByMs: number | undefined;
}

/** A record of an ingress topic. */
export class InputRecordOf {
  remaining = 0;
  /** Committed readers may see it; before that its transaction is open. */
  decided = false;
  constructor(
    readonly messageId: string,
    readonly id: string,
    readonly order: number,
  ) {}
}

/** An ingress partition as the workload filled it. */
export class InputLedger {
  /** By offset; a hole is a marker, an aborted or an invalid record: nothing to do. */
  readonly records: (InputRecordOf | undefined)[] = [];
  /** Records below are nobody's business; undefined until a router has committed where it starts. */
  start: number | undefined;
  verifiedLow = 0;
  constructor(
    readonly cluster: string,
    readonly topic: string,
    readonly partition: number,
    readonly targets: readonly TypeName[],
  ) {}
}

export class AddressLedger {
  /** Messages handled. */
  n = 0;
  /** Of these, such as may have been undone with their unit and never done again (at least once only). */
  optional = 0;
  partition: number | undefined = undefined;
  readonly channels = new Map<string, number>();
}

/** One router's view of one shard: what it restored, and what it has committed since. L5. */
export class Lineage {
  constructor(
    readonly owner: string,
    readonly shard: number,
    public seen: number,
  ) {}
}

class ShardLedger {
  commits = 0;
  last: Lineage | undefined = undefined;
  /** Highest offset of each commit, to know which ones a restore has read. */
  readonly ends: number[] = [];
}

export interface LedgerOptions {
  readonly exactlyOnce: boolean;
  readonly stateTopic: string;
  readonly skewMs: number;
  /** Messages that wait are those of the ordinary world; otherwise somebody else judges them (dual-ledger.ts). */
  readonly ordinary: boolean;
}

export class Ledger {
  readonly inputs = new Map<string, InputLedger>();
  readonly addresses = new Map<string, AddressLedger>();
  readonly deliveries = new Map<string, Delivery>();
  readonly #tokens = new Map<string, Delivery>();
  readonly #shards = new Map<number, ShardLedger>();
  readonly #exported = new Set<string>();
  /** At least once, the lines of one unit are seen in any order: these have come before their cause. */
  readonly #orphans = new Map<string, AuditLine>();
  /** Expected and neither done nor cancelled. */
  open = 0;
  openPoison = 0;
  lines = 0;

  constructor(
    readonly options: LedgerOptions,
    private readonly callOf: (call: number) => Call | undefined,
  ) {}

  // ── what is expected ───────────────────────────────────────────────────────────────────────────────────────────────

  input(cluster: string, topic: string, partition: number): InputLedger | undefined {
    return this.inputs.get(`${cluster} ${topic} ${partition}`);
  }

  addInput(input: InputLedger): void {
    this.inputs.set(`${input.cluster} ${input.topic} ${input.partition}`, input);
  }

  /** A record that committed readers will see (or see already). */
  recorded(input: InputLedger, offset: number, record: InputRecordOf): void {
    input.records[offset] = record;
    record.remaining = input.targets.length;
    record.decided = true;
    if (input.start !== undefined && offset >= input.start) this.#expectRecord(input, record);
  }

  /** Its transaction was aborted. */
  withdrawn(input: InputLedger, offset: number): void {
    input.records[offset] = undefined;
  }

  started(input: InputLedger, start: number): void {
    input.start = start;
    input.verifiedLow = start;
    for (let offset = start; offset < input.records.length; offset++) {
      const record = input.records[offset];
      if (record?.decided) this.#expectRecord(input, record);
    }
  }

  #expectRecord(input: InputLedger, record: InputRecordOf): void {
    for (const type of input.targets) {
      this.#expect({
        type,
        id: record.id,
        messageId: record.messageId,
        channel: `${input.topic}/${input.partition}`,
        order: record.order,
        dueMs: 0,
        root: record,
        optional: false,
        cancelledAtOnce: false,
        done: false,
        remembered: false,
        cancelledByMs: undefined,
      });
    }
  }

  #expect(delivery: Delivery): void {
    const key = deliveryKey(delivery.type, delivery.id, delivery.messageId);
    if (this.deliveries.has(key)) return; // At least once: its cause came again.
    this.deliveries.set(key, delivery);
    if (!delivery.cancelledAtOnce && !delivery.optional) this.#opened(delivery, 1);
    const orphan = this.#orphans.get(key);
    if (!orphan) return;
    this.#orphans.delete(key);
    this.#takeRepeatable(orphan);
  }

  #opened(delivery: Delivery, by: number): void {
    if (delivery.id === POISON_ID) this.openPoison += by;
    else this.open += by;
  }

  // ── what has come true ─────────────────────────────────────────────────────────────────────────────────────────────

  /** A transaction was decided to be committed. `located` tells where its writer began an input. */
  committed(transaction: Transaction, located: (topic: string, partition: number) => number | undefined): void {
    const lines: { line: AuditLine; partition: number }[] = [];
    const progress: { input: InputLedger; value: Uint8Array }[] = [];
    for (const { log, record } of transaction.written) {
      if (log.topic === AUDIT_TOPIC)
        lines.push({ line: decodeAuditLine(record.value ?? new Uint8Array(0)), partition: log.partition });
      else if (log.topic === this.options.stateTopic) this.#collectProgress(record, progress, located);
    }
    this.#take(lines);
    if (this.options.ordinary)
      for (const { log, record } of transaction.written) if (log.topic === this.options.stateTopic) this.#remember(record);
    for (const { input, value } of progress) this.#checkProgress(input, value);
  }

  /** Lines that left outside a transaction: readable at once. */
  appended(topic: string, record: StoredRecord): void {
    if (record.value === null) return;
    const line = decodeAuditLine(record.value);
    if (topic === EXPORT_TOPIC) this.#exported.add(deliveryKey(line.type, line.id, line.messageId));
    else if (topic === AUDIT_TOPIC) this.#takeRepeatable(line);
  }

  #collectProgress(
    record: StoredRecord,
    into: { input: InputLedger; value: Uint8Array }[],
    located: (topic: string, partition: number) => number | undefined,
  ): void {
    if (!record.key || record.value === null) return;
    if (record.key[0] !== 0x70) return; // 'p': progress
    const key = decodeKey(record.key);
    if (key.kind !== "progress") return;
    const input = this.input(key.cluster, key.topic, key.partition);
    if (!input)
      throw new Violation("progress never passes unfinished work", `progress of unknown input ${key.topic}/${key.partition}`);
    if (input.start === undefined) this.started(input, located(key.topic, key.partition) ?? 0);
    into.push({ input, value: record.value });
  }

  /** L4: a message without a sender, written by itself, is a copy of a record. */
  #remember(record: StoredRecord): void {
    if (!record.key || record.value === null || record.key[0] !== 0x6d) return; // 'm': a message that waits
    const { message } = decodePending(0, record.value, 0);
    if (message.caller) return;
    const { messageId } = readMessageText(Buffer.from(typedValueOf(message.argument.head)).toString("utf8"));
    const key = deliveryKey(message.target.type, message.target.id, messageId);
    const delivery = this.deliveries.get(key);
    if (!delivery) fail("effects count once", `${key} is remembered as waiting, but nothing has caused it`);
    if (delivery.done) {
      if (this.options.exactlyOnce) fail("effects count once", `${key} is remembered as waiting, but has taken effect`);
      return;
    }
    this.#cover(delivery);
    delivery.remembered = true;
  }

  /** Progress need not hold the record for this copy any more. */
  #cover(delivery: Delivery): void {
    if (delivery.root && !delivery.remembered) delivery.root.remaining--;
  }

  #take(lines: readonly { line: AuditLine; partition: number }[]): void {
    const perAddress = new Map<string, AuditLine[]>();
    for (const { line, partition } of lines) this.#place(line, partition, perAddress);
    // Causes first: what a line sends is expected from then on.
    const byDepth = lines.map(({ line }) => line).sort((one, other) => depthOf(one.messageId) - depthOf(other.messageId));
    for (const line of byDepth) this.#settle(line);
    for (const line of byDepth) for (const token of line.cancels) this.#cancelled(line, token);
    for (const own of perAddress.values()) this.#checkOrder(own);
  }

  /** L2, and one partition per key. */
  #place(line: AuditLine, partition: number, perAddress: Map<string, AuditLine[]>): void {
    const name = `${line.type}/${line.id}`;
    let address = this.addresses.get(name);
    if (!address) {
      address = new AddressLedger();
      this.addresses.set(name, address);
    }
    if (line.id !== "") {
      address.partition ??= partition;
      if (address.partition !== partition)
        fail("order per sender and address", `${name} wrote to partitions ${address.partition} and ${partition}`);
    }
    let own = perAddress.get(name);
    if (!own) {
      own = [];
      perAddress.set(name, own);
    }
    const before = own[own.length - 1];
    if (line.id !== "" && before && before.n >= line.n) {
      fail("order per sender and address", `${name} emitted line ${before.n} before line ${line.n} of one unit`);
    }
    own.push(line);
  }

  /** L1. */
  #settle(line: AuditLine): void {
    this.lines++;
    const key = deliveryKey(line.type, line.id, line.messageId);
    const delivery = this.deliveries.get(key);
    if (!delivery) fail("effects count once", `${key} took effect, but nothing of what is committed has caused it`);
    if (delivery.done) fail("effects count once", `${key} took effect again, as number ${line.n} of its address`);
    if (delivery.cancelledAtOnce)
      fail("delays and cancellations hold", `${key} was cancelled in the reply that sent it, and arrived`);
    delivery.done = true;
    if (delivery.cancelledByMs === undefined) this.#opened(delivery, -1);
    this.#cover(delivery);
    const call = this.callOf(line.call);
    checkWhole(key, call);
    this.#checkTimes(delivery, key, call);
    const plan = planOf(delivery.type, line.id, line.messageId);
    for (const [index, child] of plan.children.entries()) this.#expectChild(line, call, child, index, false);
  }

  #checkTimes(delivery: Delivery, key: string, call: Call | undefined): void {
    const tolerance = 1 + 2 * this.options.skewMs;
    if (call && call.dispatchedMs < delivery.dueMs - tolerance) {
      fail("delays and cancellations hold", `${key} was due at ${delivery.dueMs} and ran at ${call.dispatchedMs}`);
    }
    const { cancelledByMs } = delivery;
    if (cancelledByMs !== undefined && cancelledByMs < delivery.dueMs - tolerance) {
      fail("delays and cancellations hold", `${key} was due at ${delivery.dueMs}, cancelled at ${cancelledByMs}, and arrived`);
    }
  }

  #cancelled(line: AuditLine, token: string): void {
    const delivery = this.#tokens.get(`${line.type}/${line.id} ${token}`);
    if (!delivery || delivery.cancelledByMs !== undefined || delivery.cancelledAtOnce) return;
    delivery.cancelledByMs = this.callOf(line.call)?.appliedByMs ?? 0;
    if (!delivery.done) this.#opened(delivery, -1);
    else this.#checkTimes(delivery, deliveryKey(delivery.type, delivery.id, delivery.messageId), undefined);
  }

  #expectChild(line: AuditLine, call: Call | undefined, child: Child, index: number, optional: boolean): void {
    const sender = `${line.type}/${line.id}`;
    const delayed = child.delayMs !== undefined;
    const delivery: Delivery = {
      type: child.type,
      id: child.id,
      messageId: child.messageId,
      channel: delayed ? undefined : sender,
      order: line.n * 16 + index,
      dueMs: delayed && call?.appliedMs !== undefined ? call.appliedMs + (child.delayMs ?? 0) : 0,
      root: undefined,
      optional: optional || (child.token && !this.options.exactlyOnce),
      cancelledAtOnce: child.cancelledAtOnce,
      done: false,
      remembered: false,
      cancelledByMs: undefined,
    };
    this.#expect(delivery);
    if (child.token) this.#tokens.set(`${sender} ${tokenOf(line.n)}`, delivery);
  }

  /** L2 and L3. */
  #checkOrder(lines: AuditLine[]): void {
    lines.sort((one, other) => one.n - other.n);
    for (const line of lines) {
      const name = `${line.type}/${line.id}`;
      const address = this.addresses.get(name) as AddressLedger;
      if (line.n !== address.n + 1) fail("effects count once", `${name} went from ${address.n} to ${line.n} (${line.messageId})`);
      address.n = line.n;
      const delivery = this.deliveries.get(deliveryKey(line.type, line.id, line.messageId));
      if (delivery?.channel === undefined) continue;
      const before = address.channels.get(delivery.channel) ?? -1;
      if (delivery.order <= before) {
        fail(
          "order per sender and address",
          `${name} handled ${line.messageId} of ${delivery.channel} behind a later one (${delivery.order} after ${before})`,
        );
      }
      address.channels.set(delivery.channel, delivery.order);
    }
  }

  /** At least once: a line may come again, in any order; what is promised of it is that it comes, and counts once in state. */
  #takeRepeatable(line: AuditLine): void {
    const key = deliveryKey(line.type, line.id, line.messageId);
    // "latest": until a unit says where its router began, any record may be meant.
    const delivery = this.deliveries.get(key) ?? this.#expectUnstarted(line);
    if (!delivery) {
      this.#orphans.set(key, line);
      return;
    }
    if (delivery.cancelledAtOnce)
      fail("delays and cancellations hold", `${key} was cancelled in the reply that sent it, and arrived`);
    checkWhole(key, this.callOf(line.call));
    this.lines++;
    const { optional } = delivery;
    const plan = planOf(delivery.type, line.id, line.messageId);
    for (const [index, child] of plan.children.entries()) this.#expectChild(line, undefined, child, index, optional);
    if (delivery.done) return;
    delivery.done = true;
    this.#cover(delivery);
    if (!delivery.optional) this.#opened(delivery, -1);
    const name = `${line.type}/${line.id}`;
    const address = this.addresses.get(name) ?? new AddressLedger();
    address.n++;
    if (optional) address.optional++;
    this.addresses.set(name, address);
  }

  #expectUnstarted(line: AuditLine): Delivery | undefined {
    for (const input of this.inputs.values()) {
      if (input.start !== undefined || !input.targets.includes(line.type as TypeName)) continue;
      for (const record of input.records) {
        if (record?.messageId !== line.messageId) continue;
        this.#expectRecord(input, record);
        return this.deliveries.get(deliveryKey(line.type, line.id, line.messageId));
      }
    }
    return undefined;
  }

  /** L4. */
  #checkProgress(input: InputLedger, value: Uint8Array): void {
    const { low, ranges } = decodeProgress(value);
    this.checkFinished(input, input.verifiedLow, low);
    if (low > input.verifiedLow) input.verifiedLow = low;
    for (const [first, last] of ranges) this.checkFinished(input, Math.max(first, input.verifiedLow), last + 1);
  }

  checkFinished(input: InputLedger, from: number, to: number): void {
    for (let offset = from; offset < to; offset++) {
      const record = input.records[offset];
      if (!record || record.remaining === 0) continue;
      const where = `${input.topic}/${input.partition} offset ${offset} (${record.messageId} for '${record.id}')`;
      fail(
        "progress never passes unfinished work",
        `${where} is called finished, but ${record.remaining} of its messages are not`,
      );
    }
  }

  // ── who writes ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #shard(shard: number): ShardLedger {
    let ledger = this.#shards.get(shard);
    if (!ledger) {
      ledger = new ShardLedger();
      this.#shards.set(shard, ledger);
    }
    return ledger;
  }

  /** A router has read the shard's log up to `end`. */
  restored(owner: string, shard: number, end: number): Lineage {
    const { ends } = this.#shard(shard);
    let seen = ends.length;
    while (seen > 0 && (ends[seen - 1] as number) >= end) seen--;
    return new Lineage(owner, shard, seen);
  }

  /** L5: a unit of this lineage was committed to its shard, up to this offset. */
  continued(lineage: Lineage | undefined, shard: number, end: number, writer: string): void {
    const ledger = this.#shard(shard);
    if (!lineage || lineage.seen !== ledger.commits) {
      const who = ledger.last ? ledger.last.owner : "nobody";
      const base = lineage ? `it has seen ${lineage.seen} of ${ledger.commits} commits` : "it has restored nothing";
      fail(
        "a zombie's units never become visible",
        `${writer} committed to shard ${shard}, where ${base}; the last was by ${who}`,
      );
    }
    ledger.commits++;
    ledger.ends.push(end);
    ledger.last = lineage;
    lineage.seen = ledger.commits;
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Everything expected has come true; names a few that have not. */
  checkNothingLost(): void {
    for (const key of this.#orphans.keys()) fail("effects count once", `${key} took effect, but nothing has caused it`);
    const missing: string[] = [];
    for (const [key, delivery] of this.deliveries) {
      if (delivery.done || delivery.cancelledAtOnce || delivery.cancelledByMs !== undefined || delivery.optional) continue;
      missing.push(key);
    }
    if (missing.length > 0)
      fail("nothing is lost", `${missing.length} messages never took effect, such as ${missing.slice(0, 3).join(", ")}`);
  }

  checkExported(): void {
    for (const [key, delivery] of this.deliveries) {
      if (delivery.done && delivery.type === "exporter" && !this.#exported.has(key))
        fail("nothing is lost", `${key} was never exported`);
    }
  }

  /** The first few that are still open, for people; the failing address only when nothing else is. */
  someOpen(count: number): string {
    const found: string[] = [];
    for (const [key, delivery] of this.deliveries) {
      if (this.open > 0 && delivery.id === POISON_ID) continue;
      if (delivery.done || delivery.cancelledAtOnce || delivery.cancelledByMs !== undefined || delivery.optional) continue;
      if (found.length < count) found.push(key);
    }
    return found.join(", ");
  }
}

function checkWhole(key: string, call: Call | undefined): void {
  if (call?.flaw) fail("a reply counts whole or not at all", `${key} took effect by a reply with a flaw: ${call.flaw}`);
}

function depthOf(messageId: string): number {
  let depth = 0;
  for (let i = 0; i < messageId.length; i++) if (messageId[i] === "/") depth++;
  return depth;
}

function fail(checker: Checker, detail: string): never {
  throw new Violation(checker, detail);
}
