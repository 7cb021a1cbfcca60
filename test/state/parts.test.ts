import * as fc from "fast-check";
import type { MergeSpecification } from "../../src/config/specification";
import type { ExpireMode } from "../../src/functions/wire";
import { ProtocolError } from "../../src/model/errors";
import { checkParts, dropTaken, foldParts, memoryBytes } from "../../src/state/parts";
import { Memory, StateStore } from "../../src/state/store";
import { address } from "../support/messages";
import { json, long, text } from "./merge-parts";

/** States of a type, and how each is merged; undefined: not at all. */
type States = Readonly<Record<string, MergeSpecification | undefined>>;

class World {
  readonly store = new StateStore();
  readonly type = this.store.type("ex/fn");
  readonly base = new Memory(address("a"), this.type, 0);
  readonly part = new Memory(address("a"), this.type, 0, 1);

  constructor(
    readonly states: States,
    expireMode: ExpireMode = "none",
  ) {
    for (const name of Object.keys(states)) this.type.declare({ name, typename: "ex/any", expireMode, expireAfterMs: 100 });
  }

  readonly mergeOf = (state: string) => this.states[state];

  put(memory: Memory, state: string, bytes: Uint8Array | undefined, writtenMs = 0): this {
    const slot = this.type.slot(state);
    if (slot && bytes) this.store.assign(memory, slot, bytes, writtenMs);
    memory.changed.length = 0;
    return this;
  }

  get(memory: Memory, state: string): Uint8Array | undefined {
    return memory.values[this.type.slot(state)?.index ?? -1];
  }

  fold(): void {
    foldParts(this.store, this.base, this.part, this.mergeOf);
  }

  /** All there is, to see that nothing has changed. */
  get picture(): unknown {
    return [this.base, this.part].map(({ values, changed, touched, invokedMs }) => ({
      values: [...values],
      changed: [...changed],
      touched,
      invokedMs,
    }));
  }
}

const of = (value: bigint) => long.part(value).bytes;

describe("two parts become one", () => {
  it("state by state, each as it is declared; the part is empty then, and all of it is to be written", () => {
    const world = new World({ total: { kind: "sum" }, most: { kind: "max" }, only: { kind: "set-union" } });
    world.put(world.base, "total", of(2n)).put(world.base, "most", of(9n));
    world.put(world.part, "total", of(3n)).put(world.part, "most", of(4n));
    world.put(world.part, "only", json.part(["x"]).bytes);
    world.fold();
    expect(long.read({ bytes: world.get(world.base, "total"), writtenMs: 0 })).toBe(5n);
    expect(long.read({ bytes: world.get(world.base, "most"), writtenMs: 0 })).toBe(9n);
    expect(json.read({ bytes: world.get(world.base, "only"), writtenMs: 0 })).toEqual(["x"]);
    expect([world.part.empty, world.base.changed, world.part.changed]).toEqual([true, [0, 1, 2], [0, 1, 2]]);
    expect(world.store.values).toBe(3);
  });

  it("what the part has nothing of stays untouched in the base", () => {
    const world = new World({ total: { kind: "sum" }, other: undefined });
    world.put(world.base, "other", of(1n)).put(world.part, "total", of(2n));
    world.fold();
    expect([world.base.changed, world.get(world.base, "other")]).toEqual([[0], of(1n)]);
  });

  it("counts the bytes of what is there", () => {
    const random = fc.array(
      fc.tuple(fc.constantFrom("a", "b", "c"), fc.constantFrom("base", "part"), fc.bigInt({ min: -9n, max: 9_000n })),
    );
    fc.assert(
      fc.property(random, (puts) => {
        const world = new World({ a: { kind: "sum" }, b: { kind: "min" }, c: { kind: "latest" } });
        for (const [state, lane, value] of puts) world.put(world[lane as "base" | "part"], state, of(value));
        expect(world.store.bytes).toBe(memoryBytes(world.base) + memoryBytes(world.part));
        world.fold();
        expect([world.store.bytes, memoryBytes(world.part)]).toEqual([memoryBytes(world.base), 0]);
        expect(world.store.values).toBe(world.base.values.filter((value) => value !== undefined).length);
      }),
    );
  });

  it("the later instants count: of writes by state, of invocations for all", () => {
    const world = new World({ now: { kind: "latest" } }, "after-invoke");
    world.put(world.base, "now", of(1n), 500).put(world.part, "now", of(2n), 700);
    world.base.invokedMs = 500;
    world.part.invokedMs = 720;
    world.fold();
    expect([world.base.writtenMs, world.base.invokedMs, world.base.touched]).toEqual([[700], 720, true]);
    expect(long.read({ bytes: world.get(world.base, "now"), writtenMs: 0 })).toBe(2n);
    world.put(world.part, "now", of(3n), 600);
    world.part.invokedMs = 600;
    world.fold();
    expect([world.base.writtenMs, world.base.invokedMs]).toEqual([[700], 720]);
    expect(long.read({ bytes: world.get(world.base, "now"), writtenMs: 0 })).toBe(2n);
  });
});

describe("what cannot be merged", () => {
  test.each<[string, States, Uint8Array | undefined, string]>([
    ["has no strategy", { first: { kind: "sum" }, second: undefined }, of(1n), "state 'second' has no merge strategy"],
    ["is never split", { first: { kind: "sum" }, second: { kind: "exclusive" } }, of(1n), "state 'second'"],
    [
      "is of another type",
      { first: { kind: "sum" }, second: { kind: "sum" } },
      text.part("1").bytes,
      "state 'second': merge sum",
    ],
    ["is no JSON", { first: { kind: "sum" }, second: { kind: "set-union" } }, text.part("[").bytes, "state 'second'"],
  ])("%s: it is named, and nothing changes", (_what, states, bytes, named) => {
    const world = new World(states);
    world.put(world.base, "first", of(1n)).put(world.part, "first", of(2n));
    world.put(world.base, "second", of(3n)).put(world.part, "second", bytes);
    world.part.invokedMs = 7;
    const { picture } = world;
    for (const attempt of [() => world.fold(), () => checkParts(world.base, world.part, world.mergeOf)]) {
      expect(attempt).toThrow(ProtocolError);
      expect(attempt).toThrow(named);
    }
    expect(world.picture).toEqual(picture);
  });

  it("looking whether it can be merged changes nothing where it can, either", () => {
    const world = new World({ total: { kind: "sum" } });
    world.put(world.base, "total", of(1n)).put(world.part, "total", of(2n));
    const { picture } = world;
    checkParts(world.base, world.part, world.mergeOf);
    expect(world.picture).toEqual(picture);
  });
});

describe("what the function merges itself", () => {
  const states: States = { sketch: { kind: "function" }, total: { kind: "sum" } };

  it("leaves the part when it is in the base, and the rest stays in the part", () => {
    const world = new World(states);
    world.put(world.base, "sketch", of(1n)).put(world.part, "sketch", of(2n)).put(world.part, "total", of(3n));
    world.part.invokedMs = 9;
    dropTaken(world.store, world.base, world.part, world.mergeOf);
    expect([world.get(world.base, "sketch"), world.get(world.part, "sketch")]).toEqual([of(1n), undefined]);
    expect([world.get(world.part, "total"), world.part.changed, world.base.invokedMs]).toEqual([of(3n), [0], 9]);
  });

  it("is not looked at when the rest is merged, whatever its bytes are", () => {
    const world = new World(states);
    world.put(world.base, "sketch", text.part("[").bytes).put(world.part, "sketch", of(2n)).put(world.part, "total", of(3n));
    world.fold();
    expect([world.get(world.base, "sketch"), world.get(world.base, "total")]).toEqual([text.part("[").bytes, of(3n)]);
    expect(world.part.empty).toBe(true);
  });
});
