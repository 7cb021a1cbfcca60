import type { DecodedValue, ExpireMode, StateDeclaration } from "../../src/functions/wire";
import { type Memory, StateStore, type TypeStates } from "../../src/state/store";
import { decodeMessage, encodeMessage } from "../support/statefun-proto";

function declaration(name: string, expireMode: ExpireMode = "none", expireAfterMs = 0, typename = "ex/t"): StateDeclaration {
  return { name, typename, expireMode, expireAfterMs };
}

function decoded(text: string, hasValue = true): DecodedValue {
  const bytes = encodeMessage("TypedValue", { typename: "ex/t", has_value: hasValue, value: Buffer.from(text) });
  return { bytes, typename: "ex/t", hasValue, value: Buffer.from(text) };
}

class Fixture {
  readonly store = new StateStore();
  readonly type: TypeStates = this.store.type("ex/fn");
  readonly memory: Memory = this.store.memory(this.type, "ex", "fn", "a", () => 3);

  declare(...declarations: StateDeclaration[]): this {
    for (const each of declarations) {
      expect(this.type.objection(each)).toBeUndefined();
      this.type.declare(each);
    }
    return this;
  }

  write(name: string, value: DecodedValue, now: number): void {
    const slot = this.type.slot(name);
    if (!slot) throw new Error(`${name} is not declared`);
    this.store.write(this.memory, slot, value, now);
  }

  clear(name: string): void {
    const slot = this.type.slot(name);
    if (slot) this.store.clear(this.memory, slot);
  }

  /** What a request would carry, as text; undefined where nothing is. */
  read(now: number): (string | undefined)[] {
    const values = this.store.read(this.memory, now);
    return this.type.slots.map((slot) => {
      const bytes = values[slot.index];
      return bytes && Buffer.from(decodeMessage<{ value?: Uint8Array }>("TypedValue", bytes).value ?? []).toString();
    });
  }
}

describe("declarations", () => {
  it("S3: the first decides the typename; another one is objected to", () => {
    const { type } = new Fixture().declare(declaration("s"));
    expect(type.objection(declaration("s"))).toBeUndefined();
    expect(type.objection(declaration("s", "none", 0, "ex/other"))).toBe(
      "declares state 's' as ex/other, but it is known as ex/t",
    );
  });

  it("a state name holds no NUL, which parts the keys of the state topic", () => {
    expect(new Fixture().type.objection(declaration("a\0b"))).toMatch(/NUL/);
  });

  it("S3: a later one may change the time to live, and that is news; the same again is none", () => {
    const { type } = new Fixture();
    expect(type.declare(declaration("s"))).toBe(true);
    expect(type.declare(declaration("s"))).toBe(false);
    expect(type.declare(declaration("s", "after-write", 10))).toBe(true);
    expect([type.expires, type.renewedByInvocation, type.slots.length]).toEqual([true, false, 1]);
    expect(type.declare(declaration("s", "after-invoke", 10))).toBe(true);
    expect(type.renewedByInvocation).toBe(true);
    expect(type.declare(declaration("s"))).toBe(true);
    expect([type.expires, type.renewedByInvocation]).toEqual([false, false]);
  });

  it("a reserved slot keeps its index when its declaration comes, of whatever type", () => {
    const { type } = new Fixture();
    const reserved = type.reserve("s");
    expect(type.reserve("s")).toBe(reserved);
    expect(type.objection(declaration("s", "none", 0, "ex/any"))).toBeUndefined();
    expect(type.declare(declaration("s", "none", 0, "ex/any"))).toBe(true);
    expect(type.slot("s")).toMatchObject({ index: reserved.index, typename: "ex/any" });
  });
});

describe("values", () => {
  it("S2: are kept with unknown fields, has_value and bytes of their own", () => {
    const fixture = new Fixture().declare(declaration("s"));
    const future = encodeMessage("FutureTypedValue", { typename: "ex/t", value: Buffer.from("x"), metadata: ["kept"] });
    const large = Buffer.concat([new Uint8Array(1_000), future]);
    const bytes = large.subarray(1_000);
    fixture.write("s", { bytes, typename: "ex/t", hasValue: false, value: Buffer.from("x") }, 1);
    const kept = fixture.store.read(fixture.memory, 1)[0];
    if (!kept) throw new Error("nothing kept");
    expect(decodeMessage("FutureTypedValue", kept)).toEqual({
      typename: "ex/t",
      has_value: true,
      value: Buffer.from("x"),
      metadata: ["kept"],
    });
    expect(kept.buffer.byteLength).toBe(kept.length);
  });

  it("MODIFY with has_value = false stores an empty value that is there (trap 8)", () => {
    const fixture = new Fixture().declare(declaration("s"));
    fixture.write("s", { bytes: new Uint8Array(0), typename: "", hasValue: false, value: new Uint8Array(0) }, 1);
    expect(fixture.read(1)).toEqual([""]);
  });

  it("DELETE of nothing changes nothing (trap 8)", () => {
    const fixture = new Fixture().declare(declaration("s"));
    fixture.clear("s");
    expect(fixture.memory.changed).toEqual([]);
    fixture.write("s", decoded("x"), 1);
    fixture.clear("s");
    expect([fixture.memory.changed, fixture.memory.empty, fixture.read(1)]).toEqual([[0], true, [undefined]]);
  });

  it("are counted in number and bytes, down to nothing", () => {
    const fixture = new Fixture().declare(declaration("s"), declaration("t"));
    const size = decoded("x").bytes.length;
    fixture.write("t", decoded("x"), 1); // A later slot first.
    fixture.write("s", decoded("xy"), 1);
    expect([fixture.store.values, fixture.store.bytes]).toEqual([2, size + size + 1]);
    fixture.write("s", decoded("z"), 1);
    expect([fixture.store.values, fixture.store.bytes]).toEqual([2, 2 * size]);
    fixture.clear("s");
    fixture.clear("t");
    expect([fixture.store.values, fixture.store.bytes]).toEqual([0, 0]);
  });

  it("of a name declared later stand in their place", () => {
    const fixture = new Fixture().declare(declaration("s"));
    fixture.write("s", decoded("x"), 1);
    fixture.declare(declaration("t"));
    expect(fixture.read(1)).toEqual(["x", undefined]);
  });
});

describe("time to live (S1)", () => {
  it("after write: counts from the last write, whatever is read or invoked between", () => {
    const fixture = new Fixture().declare(declaration("s", "after-write", 100), declaration("kept"));
    fixture.write("s", decoded("x"), 1_000);
    fixture.write("kept", decoded("k"), 1_000);
    fixture.store.renew(fixture.memory, 1_090);
    expect(fixture.read(1_099)).toEqual(["x", "k"]);
    expect(fixture.read(1_100)).toEqual([undefined, "k"]);
    fixture.write("s", decoded("y"), 1_200);
    expect(fixture.read(1_299)).toEqual(["y", "k"]);
    expect(fixture.store.nextExpiryMs(fixture.memory)).toBe(1_300);
  });

  it("after invoke: every invocation renews it, written or not", () => {
    const fixture = new Fixture().declare(declaration("s", "after-invoke", 100));
    fixture.write("s", decoded("x"), 1_000);
    fixture.store.renew(fixture.memory, 1_000);
    fixture.store.renew(fixture.memory, 1_080);
    expect(fixture.memory.touched).toBe(true);
    expect(fixture.read(1_179)).toEqual(["x"]);
    expect(fixture.read(1_180)).toEqual([undefined]);
  });

  it("an invocation renews nothing where no state lives by it", () => {
    const fixture = new Fixture().declare(declaration("s", "after-write", 100));
    fixture.store.renew(fixture.memory, 1_000);
    expect(fixture.memory.touched).toBe(false);
  });

  it("sweeping clears what has expired and nothing else, and marks it changed", () => {
    const fixture = new Fixture().declare(
      declaration("old", "after-write", 100),
      declaration("young", "after-write", 500),
      declaration("kept"),
    );
    for (const name of ["old", "young", "kept"]) fixture.write(name, decoded(name), 1_000);
    fixture.memory.changed.length = 0;
    fixture.store.sweep(fixture.memory, 1_100);
    expect(fixture.memory.changed).toEqual([0]);
    expect(fixture.read(1_100)).toEqual([undefined, "young", "kept"]);
    expect(fixture.store.values).toBe(2);
    expect(fixture.store.nextExpiryMs(fixture.memory)).toBe(1_500);
  });

  it("without any, nothing expires", () => {
    const fixture = new Fixture().declare(declaration("s"));
    fixture.write("s", decoded("x"), 1_000);
    expect(fixture.store.nextExpiryMs(fixture.memory)).toBe(Number.POSITIVE_INFINITY);
    expect(fixture.read(Number.MAX_SAFE_INTEGER)).toEqual(["x"]);
  });

  it("changed later: counts from the instant the value was written", () => {
    const fixture = new Fixture().declare(declaration("s", "after-write", 100));
    fixture.write("s", decoded("x"), 1_000);
    fixture.declare(declaration("s", "after-write", 1_000));
    expect(fixture.read(1_500)).toEqual(["x"]);
    fixture.declare(declaration("s", "after-write", 50));
    expect(fixture.read(1_050)).toEqual([undefined]);
  });

  it("given to a state later: a value written before is not taken for expired, the next write starts its time", () => {
    const fixture = new Fixture().declare(declaration("s"));
    fixture.write("s", decoded("x"), 1_000);
    fixture.declare(declaration("s", "after-write", 100));
    expect(fixture.read(1_001)).toEqual(["x"]);
    fixture.write("s", decoded("y"), 2_000);
    expect(fixture.read(2_100)).toEqual([undefined]);
    fixture.declare(declaration("s", "none"));
    fixture.write("s", decoded("z"), 5_000);
    fixture.declare(declaration("s", "after-write", 100));
    expect(fixture.read(5_001)).toEqual(["z"]);
  });

  it("by invocation, given to a state later: the next invocation starts its time", () => {
    const fixture = new Fixture().declare(declaration("s"));
    fixture.write("s", decoded("x"), 1_000);
    fixture.declare(declaration("s", "after-invoke", 100));
    expect(fixture.read(5_000)).toEqual(["x"]);
    fixture.store.renew(fixture.memory, 5_000);
    expect(fixture.read(5_100)).toEqual([undefined]);
  });
});
