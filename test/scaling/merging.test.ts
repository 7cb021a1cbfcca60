import type { FunctionSpecification } from "../../src/config/specification";
import { Outbox } from "../../src/egress/outbox";
import { ProtocolError } from "../../src/model/errors";
import type { Message } from "../../src/model/message";
import type { Mailbox } from "../../src/router/mailbox";
import type { MergeHost } from "../../src/scaling/consolidation";
import { type ActorHost, DualActor } from "../../src/scaling/dual-actor";
import { Merging } from "../../src/scaling/merging";
import type { Section } from "../../src/scaling/section";
import { laneValueKey } from "../../src/state/changelog";
import { StateStore } from "../../src/state/store";
import { decodeMergeArgument } from "../functions/merge-argument";
import { long, text } from "../state/merge-parts";
import { aDualType, aLane } from "../support/dual";
import { aMessage } from "../support/messages";
import { engineOptions, HOME } from "../support/module";

const NOW = 5_000;
const states: FunctionSpecification["states"] = {
  total: { kind: "sum" },
  sketch: { kind: "function" },
  other: { kind: "function" },
};

class World {
  readonly store = new StateStore();
  readonly outbox = new Outbox(engineOptions(), HOME.name, () => {});
  readonly joined: [Mailbox, Message][] = [];
  readonly failures: unknown[] = [];
  readonly type = aDualType({ states });
  readonly base = aLane(this.type, 0);
  readonly part = aLane(this.type, 1);
  readonly host: MergeHost;

  constructor(messages: readonly Message[] = [], expireAfterMs = 0) {
    for (const name of Object.keys(states)) {
      this.type.type.states.declare({
        name,
        typename: long.name,
        expireMode: expireAfterMs > 0 ? "after-write" : "none",
        expireAfterMs,
      });
    }
    const actor = new DualActor(this.type, this.base, {} as ActorHost);
    const section: Section = {
      reason: "idle",
      barrier: -1,
      messages,
      sinceMs: 0,
      drainMs: 0,
      leases: 0,
      partBytes: 0,
      consolidateMs: 0,
      criticalMs: 0,
    };
    const merging = new Merging(this.store, this.outbox, 10_000, {
      join: (lane, message) => this.joined.push([lane, message]),
      failed: (...told) => this.failures.push(told),
    });
    this.host = merging.of(actor, section);
  }

  put({ memory }: Mailbox, state: string, bytes: Uint8Array | undefined, writtenMs = NOW): void {
    const slot = memory.type.slot(state);
    if (slot && bytes) this.store.assign(memory, slot, bytes, writtenMs);
    memory.changed.length = 0;
  }

  get({ memory }: Mailbox, state: string): bigint | undefined {
    const bytes = memory.values[memory.type.slot(state)?.index ?? -1];
    return bytes && long.read({ bytes, writtenMs: 0 });
  }

  /** Keys of the open unit's state records; gone: as tombstones. */
  unit(): string[] {
    const { inside } = this.outbox.close(NOW);
    this.outbox.committing = undefined;
    const records = inside.flatMap((batch) => batch.records);
    return records.map(({ key, value }) => `${String(key)}${value === null ? " gone" : ""}`).sort();
  }
}

const of = (value: bigint) => long.part(value).bytes;
const baseKey = (state: string) => laneValueKey("ex/fn", state, 0, "a");
const partKey = (state: string) => laneValueKey("ex/fn", state, 1, "a");

describe("Merging", () => {
  it("C1: what the router merges is in the base and gone from the part in one unit, each written once", () => {
    const world = new World();
    world.put(world.base, "total", of(2n));
    world.put(world.part, "total", of(3n));
    world.host.fold(world.base, world.part, NOW);
    expect([world.get(world.base, "total"), world.get(world.part, "total")]).toEqual([5n, undefined]);
    expect(world.unit()).toEqual([`${partKey("total")} gone`, baseKey("total")].sort());
    expect(world.outbox.dirty).toBe(false);
  });

  it("C1: what the function has merged leaves the part in the unit of its reply", () => {
    const world = new World();
    world.put(world.part, "sketch", of(3n));
    world.put(world.part, "total", of(4n));
    world.host.taken(world.base, world.part);
    expect([world.get(world.part, "sketch"), world.get(world.part, "total")]).toEqual([undefined, 4n]);
    expect(world.unit()).toEqual([`${partKey("sketch")} gone`]);
  });

  it("a memory that is in the open unit already is not counted again", () => {
    const world = new World();
    world.put(world.base, "total", of(2n));
    world.put(world.part, "total", of(3n));
    world.base.memory.changed.push(0);
    world.outbox.changed(world.base.memory, 1);
    world.host.fold(world.base, world.part, NOW);
    expect(world.outbox.close(NOW).records).toBe(2); // One for each of the two, as it was when they joined.
  });

  it("asks the function for parts of its own states, and only those", () => {
    const world = new World();
    world.put(world.part, "total", of(3n));
    expect(world.host.asksFunction(world.part, NOW)).toBe(false);
    world.put(world.part, "other", of(4n));
    expect(world.host.asksFunction(world.part, NOW)).toBe(true);
  });

  it("what has expired is neither merged nor shown to the function", () => {
    const world = new World([], 100);
    world.put(world.base, "total", of(2n), NOW - 50);
    for (const state of ["total", "sketch"]) world.put(world.part, state, of(3n), NOW - 100);
    expect(world.host.asksFunction(world.part, NOW - 1)).toBe(true);
    expect(world.host.asksFunction(world.part, NOW)).toBe(false);
    world.put(world.part, "other", of(4n), NOW - 1);
    world.host.ask(world.base, world.part, NOW);
    expect(decodeMergeArgument(world.joined[0]?.[1].argument ?? aMessage().argument)).toEqual({
      sketch: undefined,
      other: Buffer.from(of(4n) ?? []),
    });
    world.host.taken(world.base, world.part);
    world.host.fold(world.base, world.part, NOW);
    expect([world.get(world.base, "total"), world.part.memory.empty]).toEqual([2n, true]);
  });

  it("what has expired does not hinder the rest either, in whatever bytes it is", () => {
    const world = new World([], 100);
    world.put(world.base, "total", of(2n), NOW - 50);
    world.put(world.part, "total", text.part("x").bytes, NOW - 100);
    world.put(world.part, "sketch", of(4n), NOW - 1);
    world.host.check(world.base, world.part, NOW);
    expect([world.get(world.base, "total"), world.get(world.part, "total")]).toEqual([2n, undefined]);
    expect(world.unit()).toEqual([`${partKey("total")} gone`]);
  });

  it("the function gets the part as a message that merges, on the lane that takes it, by default with the default deadline", () => {
    const world = new World();
    world.put(world.part, "sketch", of(3n));
    world.host.ask(world.base, world.part, NOW);
    const [[lane, message] = []] = world.joined;
    expect(lane).toBe(world.base);
    expect(message?.mark).toEqual({ critical: true, series: "", barrier: -1, after: -1, channel: "", merge: true });
    expect(message).toMatchObject({ target: world.base.address, deadlineMs: NOW + 10_000, application: 0, caller: undefined });
  });

  it("a merge is as urgent as the critical message that waits for it, and is its application's", () => {
    const critical = aMessage({ deadlineMs: NOW + 7 });
    critical.application = 3;
    const world = new World([critical, aMessage({ deadlineMs: NOW + 1 })]);
    world.host.ask(world.base, world.part, NOW);
    expect(world.joined[0]?.[1]).toMatchObject({ deadlineMs: NOW + 7, application: 3 });
  });

  it("what cannot be merged is refused by the look at it and by the merge, and stays as it is", () => {
    const world = new World();
    world.put(world.base, "total", of(2n));
    world.put(world.part, "total", text.part("x").bytes);
    for (const attempt of ["check", "fold"] as const) {
      expect(() => world.host[attempt](world.base, world.part, NOW)).toThrow(ProtocolError);
    }
    expect([world.get(world.base, "total"), world.part.memory.empty, world.outbox.dirty]).toEqual([2n, false, false]);
  });
});
