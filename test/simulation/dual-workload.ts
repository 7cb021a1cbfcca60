/** People who produce in a world of dual mode: ordinary records, and critical ones whose barriers' numbers rise on every partition, with gaps and repetitions. */
import type { Header } from "../../src/model/message";
import { type DualText, SUB_KEYS } from "./dual-cast";
import type { DualLedger } from "./dual-ledger";
import { type CriticalKind, type DualSource, type DualWorld, SERIES } from "./dual-scenario";
import { InputLedger, InputRecordOf } from "./ledger";
import type { PartitionLog } from "./partition-log";
import type { World } from "./world";

interface Target {
  readonly source: DualSource;
  readonly ledger: InputLedger;
  readonly log: PartitionLog;
  readonly channel: string;
  /** By actor: the last number of its barriers here. */
  readonly last: Map<string, number>;
  /** Critical records, where they are counted. */
  counted: number;
  written: number;
  /** The largest time it has shown, ms. */
  shownMs: number;
}

/** A critical record: its barrier's number, -1 for none. */
interface Barrier {
  readonly number: number;
  readonly series: string;
}

export class DualWorkload {
  readonly #targets: Target[] = [];
  #stopped = false;
  records = 0;

  constructor(
    private readonly world: World,
    private readonly dual: DualWorld,
    private readonly ledger: DualLedger,
  ) {
    for (const source of dual.sources) {
      const { cluster, topic, ingress } = source.specification;
      const channels: string[] = [];
      for (let partition = 0; partition < source.partitions; partition++) {
        const input = new InputLedger(cluster.name, topic, partition, []);
        input.start = 0;
        world.ledger.addInput(input);
        const channel = `${ingress}/${partition}`;
        channels.push(channel);
        const log = world.broker.log(cluster.name, topic, partition);
        this.#targets.push({ source, ledger: input, log, channel, last: new Map(), counted: 0, written: 0, shownMs: 0 });
      }
      ledger.ingresses.set(ingress, channels);
    }
  }

  start(): void {
    // Everybody begins early: windows end only for those who have something to remember.
    for (const target of this.#targets)
      if (target.source.kind === "windowed") for (const id of this.dual.ids) this.#append(target, id, undefined, true);
    for (let i = 0; i < (this.world.small?.records ?? 10); i++) this.#produce();
    if (this.world.small) this.stop();
    else this.#next();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#close();
  }

  /** Everybody shows what they remember. */
  probe(): void {
    for (const target of this.#targets) for (const id of this.dual.ids) this.#append(target, id, undefined, true);
    this.#close();
  }

  #next(): void {
    const { agenda, chance, scenario } = this.world;
    agenda.after(chance.delay(scenario.recordEveryMs), () => {
      if (this.#stopped) return;
      // Who produces waits, too; but what all wait for may be a barrier that is not there yet.
      const { open } = this.world.ledger;
      if (open < scenario.backlogMax) this.#produce();
      else if (open < 2 * scenario.backlogMax && chance.of(0.2)) this.#catchUp();
      this.#next();
    });
  }

  #produce(): void {
    const { chance } = this.world;
    const target = chance.pick(this.#targets);
    const id = chance.pick(this.dual.ids);
    const { kind } = target.source;
    const all = kind !== "header" && kind !== "windowed";
    const critical = all || (kind === "header" && chance.of(this.dual.criticalShare));
    // Topics of critical records are as rare as these among others.
    if (all && !chance.of(this.dual.criticalShare * 2)) return;
    this.#append(target, id, critical ? this.#anyBarrier(target, id) : undefined);
  }

  #anyBarrier(target: Target, id: string): Barrier {
    const { chance } = this.world;
    const last = target.last.get(id) ?? 0;
    const draw = chance.next();
    if (draw < 0.15) return { number: -1, series: "" };
    if (draw < 0.2) return { number: last + 1, series: "other" };
    if (this.dual.everyMs > 0) return { number: this.#windowNow + chance.pick([0, 0, 1, 2]), series: draw < 0.8 ? "" : SERIES };
    // Others are ahead: one goes after them, mostly.
    const highest = Math.max(...this.#targets.map((each) => each.last.get(id) ?? 0));
    const number = draw < 0.3 ? last : draw < 0.6 ? Math.max(last + 1, highest) : last + chance.pick([1, 1, 2, 4]);
    return { number: Math.max(1, number), series: draw < 0.8 ? "" : SERIES };
  }

  /** Where there are windows, barriers have their numbers. */
  get #windowNow(): number {
    return this.dual.everyMs > 0 ? Math.floor(this.world.agenda.now / this.dual.everyMs) : 0;
  }

  get #numbered(): Target[] {
    return this.#targets.filter(({ source }) => source.kind !== "lone" && source.kind !== "windowed");
  }

  /** The partition that is furthest behind brings a barrier. */
  #catchUp(): void {
    const id = this.world.chance.pick(this.dual.ids);
    const numbered = this.#numbered;
    if (numbered.length === 0 || this.dual.everyMs > 0) return this.#produce();
    const highest = Math.max(...numbered.map((each) => numberOf(each, id)));
    const behind = numbered.reduce((one, other) => (numberOf(other, id) < numberOf(one, id) ? other : one));
    this.#append(behind, id, { number: highest + 1, series: "" }, true);
  }

  /** All partitions bring every actor one last barrier of one number. */
  #close(): void {
    const numbered = this.#numbered;
    const counted = numbered.filter(({ source }) => source.kind === "counted");
    const [id] = this.dual.ids as readonly [string];
    const numbers = this.#targets.flatMap((each) => [each.counted, ...this.dual.ids.map((one) => numberOf(each, one))]);
    const shown = this.#targets.map(({ shownMs }) => (this.dual.everyMs > 0 ? Math.floor(shownMs / this.dual.everyMs) : 0));
    const highest = Math.max(this.#windowNow + 1, ...numbers, ...shown);
    for (const target of counted) {
      while (target.counted < highest) this.#append(target, id, { number: -1, series: "" }, true);
    }
    for (const target of numbered) {
      for (const each of this.dual.ids) this.#append(target, each, { number: highest + 1, series: "" }, true);
    }
    const endMs = (highest + 1) * this.dual.everyMs + this.dual.latenessMs;
    for (const target of this.#targets)
      if (target.source.kind === "windowed") for (const each of this.dual.ids) this.#append(target, each, undefined, true, endMs);
  }

  #append(target: Target, id: string, barrier: Barrier | undefined, valid = false, timestampMs = this.#anyTime(target)): void {
    const { chance } = this.world;
    const { source, ledger, log, channel } = target;
    const draw = valid ? 1 : chance.next();
    if (source.kind === "counted") target.counted++;
    const messageId = `${log.topic}.${log.partition}.${target.written++}`;
    const k = chance.pick(SUB_KEYS);
    const x = chance.of(0.05) ? "x".repeat(chance.below(1_500)) : undefined;
    const { c, n } = marksOf(source.kind, barrier, target.counted, valid);
    const text: DualText = { m: messageId, s: "", t: id, k, ...(n !== undefined && { n }), ...(c && { c }), ...(x && { x }) };
    const record = {
      key: draw < 0.01 ? null : Buffer.from(id, "utf8"),
      value: draw >= 0.01 && draw < 0.02 ? null : Buffer.from(JSON.stringify(text), "utf8"),
      timestampMs,
      headers: headersOf(source.kind, c),
    };
    const { offset } = log.append(record, undefined);
    this.records++;
    target.shownMs = Math.max(target.shownMs, timestampMs);
    if (draw < 0.02) return;
    if (barrier) target.last.set(id, Math.max(numberOf(target, id), c && c[2] >= 0 ? c[2] : (n ?? -1)));
    const root = new InputRecordOf(messageId, id, offset);
    root.decided = true;
    root.remaining = source.targets.length;
    ledger.records[offset] = root;
    const { ingress, valueType } = source.specification;
    for (const node of source.targets) {
      const after = node.watermarks.includes(ingress) ? this.#windowOf(target, timestampMs) : -1;
      this.ledger.recorded(node, text, valueType, channel, root, after);
    }
  }

  /** Some come late. */
  #anyTime({ source }: Target): number {
    const { agenda, chance } = this.world;
    const late = source.kind === "windowed" && chance.of(0.2) ? chance.below(3 * this.dual.everyMs) : 0;
    return Math.floor(agenda.now) - late;
  }

  /** The barrier after which it runs, as long as no clock has a say (ingress/watermarks.ts). */
  #windowOf({ shownMs }: Target, timestampMs: number): number {
    const { everyMs, latenessMs } = this.dual;
    return Math.max(Math.floor(timestampMs / everyMs), Math.floor((shownMs - latenessMs) / everyMs));
  }
}

function numberOf({ last }: Target, id: string): number {
  return last.get(id) ?? 0;
}

/** How the router will mark it, and what stands in its value. */
function marksOf(kind: CriticalKind, barrier: Barrier | undefined, count: number, last: boolean): Pick<DualText, "c" | "n"> {
  switch (kind) {
    case "header":
      return barrier ? { c: [1, barrier.number < 0 ? "" : barrier.series, barrier.number] } : {};
    case "marks":
      return barrier && barrier.number >= 0 ? { c: [1, "", barrier.number], n: barrier.number } : { c: [1, "", -1] };
    case "counted":
      return { c: [1, "", count] };
    case "lone":
      return { c: [1, "", -1] };
    case "windowed":
      return {};
    case "closes":
      if (!barrier || barrier.number < 0) return {};
      // Not every function looks into the value; the last one is for all.
      return !last && barrier.number % 2 === 0 ? { n: barrier.number } : { c: [0, barrier.series, barrier.number] };
  }
}

function headersOf(kind: CriticalKind, c: DualText["c"]): Header[] {
  if (!c || (kind !== "header" && kind !== "closes")) return [];
  const [critical, series, number] = c;
  const headers: Header[] = [];
  if (critical === 1) headers.push({ key: "dirigo-critical", value: Buffer.from("true") });
  if (number >= 0)
    headers.push({ key: "dirigo-barrier", value: Buffer.from(series === "" ? String(number) : `${series}:${number}`) });
  return headers;
}
