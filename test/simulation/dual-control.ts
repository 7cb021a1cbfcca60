/**
 * The control topic and the parts in the state topic, judged at each commit. Numbers are those of DUAL-MODE.md 6.
 *
 *  8   what was forwarded to a lessee was applied there, and is asked for once.
 * 11   "leases end": a part stands in the log only while its lease is open; no part outlives the section that has merged it.
 *
 * The records of an actor stand in the order of PROTOCOL.md: granted*, (request reply)*, ended*, unsync; epochs rise, but that an actor with nothing
 * to remember is forgotten with its epoch.
 */
import { addressText } from "../../src/model/address";
import { type ControlRecord, decodeControl } from "../../src/scaling/control";
import { decodeKey } from "../../src/state/changelog";
import type { StoredRecord, Transaction } from "./partition-log";
import { type Checker, Violation } from "./violation";

/** A lease goes on; or its part was asked for and given. */
interface OpenLease {
  forwarded: number | undefined;
  replied: boolean;
}

interface Told {
  epoch: number;
  readonly leases: Map<number, OpenLease>;
  /** Some lease of the section has ended: the others must, too. */
  ending: boolean;
}

export class DualControl {
  readonly #told = new Map<string, Told>();
  /** By actor: the lanes whose parts stand in the log, with how many values. */
  readonly #parts = new Map<string, Map<number, Set<string>>>();
  /** Who has written last: a restart begins with the parts that are there. */
  #writer: string | undefined;

  /** `writer`: the router, and how often it has restored. */
  committed({ written }: Transaction, stateTopic: string, controlTopic: string, writer: string): void {
    if (writer !== this.#writer) this.#restarted(writer);
    const touched = new Set<string>();
    for (const { log, record } of written) if (log.topic === controlTopic) touched.add(this.#step(record));
    for (const { log, record } of written) if (log.topic === stateTopic) this.#part(record, touched);
    for (const actor of touched) this.#judgeParts(actor);
  }

  /** Leases of a former life are those whose parts stand. */
  #restarted(writer: string): void {
    this.#writer = writer;
    this.#told.clear();
    for (const [actor, lanes] of this.#parts) {
      const leases = new Map([...lanes.keys()].map((lane) => [lane, { forwarded: undefined, replied: false }]));
      this.#told.set(actor, { epoch: -1, leases, ending: false });
    }
  }

  #part({ key, value }: StoredRecord, touched: Set<string>): void {
    if (key?.[0] !== 0x6c) return; // 'l': a part
    const decoded = decodeKey(key);
    if (decoded.kind !== "part") return;
    const actor = `${decoded.typename}/${decoded.id}`;
    const lanes = this.#parts.get(actor) ?? new Map<number, Set<string>>();
    this.#parts.set(actor, lanes);
    const states = lanes.get(decoded.lane) ?? new Set<string>();
    if (value) states.add(decoded.state);
    else states.delete(decoded.state);
    if (states.size > 0) lanes.set(decoded.lane, states);
    else lanes.delete(decoded.lane);
    touched.add(actor);
  }

  #judgeParts(actor: string): void {
    const leases = this.#told.get(actor)?.leases;
    for (const lane of this.#parts.get(actor)?.keys() ?? []) {
      if (!leases?.has(lane))
        fail("leases end", `a part of lane ${lane} of ${actor} stands in the log, and it has no such lease`);
    }
  }

  #step({ key, value }: StoredRecord): string {
    const record = decodeControl(key ?? "", value ?? new Uint8Array(0));
    const actor = addressText(record.actor);
    let told = this.#told.get(actor);
    if (told && told.leases.size === 0) told.epoch = -1;
    if (!told) {
      told = { epoch: -1, leases: new Map(), ending: false };
      this.#told.set(actor, told);
    }
    const objection = objectionTo(record, told);
    if (objection) fail("control tells what is", `${actor}: ${record.kind} of epoch ${record.epoch}: ${objection}`);
    return actor;
  }
}

/** Takes one record in; tells what is wrong with it. */
function objectionTo(record: ControlRecord, told: Told): string | undefined {
  const { epoch } = record;
  if (told.epoch > epoch) return `after epoch ${told.epoch}`;
  told.epoch = epoch;
  switch (record.kind) {
    case "lease_granted":
      return grantObjection(record.lane, told);
    case "sync_request": {
      const lease = told.leases.get(record.lane);
      if (!lease) return `lane ${record.lane} has no lease`;
      if (lease.forwarded !== undefined) return `lane ${record.lane} is asked for twice`;
      lease.forwarded = record.forwarded;
      return undefined;
    }
    case "sync_reply": {
      const lease = told.leases.get(record.lane);
      if (lease?.forwarded === undefined) return `lane ${record.lane} was not asked`;
      if (lease.replied && record.chunk === 0) return `lane ${record.lane} has replied`;
      lease.replied = true;
      return record.applied === lease.forwarded ? undefined : `${record.applied} applied, ${lease.forwarded} forwarded`;
    }
    case "lease_ended": {
      const lease = told.leases.get(record.lane);
      if (!lease?.replied) return `lane ${record.lane} has given no part`;
      told.leases.delete(record.lane);
      told.ending = told.leases.size > 0;
      return undefined;
    }
    case "unsync":
      if (told.leases.size > 0) return `leases are open: ${[...told.leases.keys()].join(", ")}`;
      told.ending = false;
      return undefined;
  }
}

function grantObjection(lane: number, { leases, ending }: Told): string | undefined {
  if (ending) return "while others of its section end";
  if (leases.has(lane)) return `lane ${lane} has a lease`;
  for (const [other, { forwarded }] of leases) if (forwarded !== undefined) return `lane ${other} was asked for its part already`;
  leases.set(lane, { forwarded: undefined, replied: false });
  return undefined;
}

function fail(checker: Checker, detail: string): never {
  throw new Violation(checker, detail);
}
