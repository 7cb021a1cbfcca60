import { ConfigError, decoded, InvariantError, invariant, ProtocolError, unreachable } from "../../src/model/errors";

describe("errors", () => {
  it("an invariant that holds says nothing; one that does not stops with its rule", () => {
    expect(() => invariant(1 < 2, "X1: order")).not.toThrow();
    expect(() => invariant(undefined, "X1: order")).toThrow(InvariantError);
    expect(() => invariant(false, "X1: order")).toThrow("X1: order");
  });

  it("an arm that cannot be reached tells what reached it", () => {
    expect(() => unreachable({ kind: "new" } as never)).toThrow('unreachable: {"kind":"new"}');
  });

  it("what a reader of bytes throws becomes a ProtocolError that says of what; a broken rule stays one", () => {
    const of = (error: unknown) => () =>
      decoded(
        () => "record 7",
        () => {
          throw error;
        },
      );
    expect(of(new RangeError("index out of range"))).toThrow(new ProtocolError("record 7: index out of range"));
    expect(of(new RangeError("index out of range"))).toThrow(ProtocolError);
    expect(of(new InvariantError("X1: order"))).toThrow(InvariantError);
    expect(decoded(String, () => 1)).toBe(1);
  });

  it("a configuration error has one line per finding", () => {
    expect(new ConfigError(["a: wrong", "b: missing"]).message).toBe("a: wrong\nb: missing");
  });
});
