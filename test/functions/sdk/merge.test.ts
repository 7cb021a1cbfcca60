import { encodeMergeArgument, MERGE_TYPENAME } from "../../../src/functions/merge-message";
import {
  defineFunction,
  defineFunctions,
  type Functions,
  InvocationError,
  type PartValues,
  type StateValues,
  state,
  types,
} from "../../../src/functions/sdk";
import { partType } from "../../../src/functions/sdk/part";
import { stateNameField } from "../../../src/functions/wire";
import { typedValue } from "../../conformance/protocol";
import { encodeMessage } from "../../support/statefun-proto";
import { failureOf, hello, requestFor, resultOf, type StatesSent, typedAs } from "./exchange";

const visits = types.json<readonly string[]>("ex/visits");

const states = {
  seen: state.int(),
  last: state.string(),
  visits: state.json<readonly string[]>("ex/visits"),
};
type Base = StateValues<typeof states>;
type Part = PartValues<typeof states>;

function merging(merge: (base: Base, part: Part) => void | Promise<void>): Functions {
  return defineFunctions([defineFunction({ typename: "ex/fn", states, handle() {}, merge })]);
}

/** The message as the router writes it; null: listed without a value. */
function part(values: StatesSent) {
  const slots = Object.keys(values).map((name) => ({ nameField: stateNameField(name) }));
  const encoded = Object.values(values).map((value) => (value === null ? undefined : encodeMessage("TypedValue", value)));
  return typedValue(MERGE_TYPENAME, Buffer.from(encodeMergeArgument(slots, encoded).value ?? []));
}

const nothing: StatesSent = { seen: null, last: null, visits: null };

function addUp(base: Base, more: Part): void {
  base.seen = (base.seen ?? 0) + (more.seen ?? 0);
  if (more.visits !== undefined) base.visits = [...(base.visits ?? []), ...more.visits];
}

test("the router and the SDK mean one type", () => expect(partType.typename).toBe(MERGE_TYPENAME));

describe("merge(base, part)", () => {
  const base: StatesSent = { seen: typedAs(types.int, 2), last: null, visits: typedAs(visits, ["a"]) };

  test("reads the part, and what it assigns to the base is the reply's state", async () => {
    const request = requestFor([part({ seen: typedAs(types.int, 3), last: null, visits: typedAs(visits, ["b"]) })], base);
    const { state_mutations, ...effects } = await resultOf(merging(addUp), request);
    expect(state_mutations).toEqual([
      { mutation_type: "MODIFY", state_name: "seen", state_value: typedAs(types.int, 5) },
      { mutation_type: "MODIFY", state_name: "visits", state_value: typedAs(visits, ["a", "b"]) },
    ]);
    expect(effects).toEqual({ outgoing_messages: [], delayed_invocations: [], outgoing_egresses: [] });
  });

  test("absent is undefined, in the part as in the base", async () => {
    const seen: unknown[] = [];
    const functions = merging((mine, other) => {
      seen.push({ ...mine }, { ...other }, other.seen, "last" in other);
    });
    await resultOf(functions, requestFor([part({ last: null })], nothing));
    const absent = { seen: undefined, last: undefined, visits: undefined };
    expect(seen).toEqual([absent, absent, undefined, true]);
  });

  test("a part without any value, and even an empty message, changes nothing", async () => {
    for (const argument of [part({}), { typename: MERGE_TYPENAME, has_value: false, value: Buffer.alloc(0) }]) {
      const read: unknown[] = [];
      const functions = merging((mine, other) => {
        read.push(mine.seen, other.seen);
      });
      expect((await resultOf(functions, requestFor([argument], base))).state_mutations).toEqual([]);
      expect(read).toEqual([2, undefined]);
    }
  });

  test("states that the function does not declare are passed over", async () => {
    const argument = part({ older: typedAs(types.int, 9), seen: typedAs(types.int, 3) });
    const [mutation] = (await resultOf(merging(addUp), requestFor([argument], base))).state_mutations;
    expect(mutation?.state_value).toEqual(typedAs(types.int, 5));
  });

  test("may be asynchronous, and several parts are merged one after the other", async () => {
    const functions = merging(async (mine, other) => {
      await Promise.resolve();
      addUp(mine, other);
    });
    const parts = [1, 2, 3].map((n) => part({ seen: typedAs(types.int, n) }));
    const [mutation] = (await resultOf(functions, requestFor(parts, nothing))).state_mutations;
    expect(mutation?.state_value).toEqual(typedAs(types.int, 6));
  });

  test("ordinary messages go to handle() as ever", async () => {
    const handled: string[] = [];
    const definition = defineFunction({
      typename: "ex/fn",
      states,
      handle: (_ctx, message) => void handled.push(message.typename),
      merge: () => void handled.push("merged"),
    });
    await resultOf(defineFunctions([definition]), requestFor([hello, part({}), hello], nothing));
    expect(handled).toEqual([types.string.typename, "merged", types.string.typename]);
  });
});

describe("a merge fails, and its batch with it", () => {
  async function failure(functions: Functions, argument = part({ seen: typedAs(types.int, 3) })): Promise<string> {
    const error = await failureOf(functions, requestFor([argument], nothing));
    expect(error).toBeInstanceOf(InvocationError);
    return error.message;
  }

  test("when the function has no merge()", async () => {
    const functions = defineFunctions([defineFunction({ typename: "ex/fn", states, handle() {} })]);
    expect(await failure(functions)).toBe(
      "ex/fn/i: message 1 of 1 (io.dirigo.types/merge) failed, and its batch with it: TypeError: ex/fn is asked to merge a part of its state, but has no merge(base, part): define it, or give its states another merge in module.yaml",
    );
  });

  test("when it throws", async () => {
    const functions = merging(() => {
      throw new RangeError("these two are of different sizes");
    });
    expect(await failure(functions)).toMatch(
      /\(io\.dirigo\.types\/merge\) failed.*RangeError: these two are of different sizes$/,
    );
  });

  test("when it assigns to the part, or deletes of it", async () => {
    const message = /ex\/fn\/i: a part is read only; what is merged is assigned to the base$/;
    expect(await failure(merging((_base, other) => void Object.assign(other, { seen: 1 })))).toMatch(message);
    expect(await failure(merging((_base, other) => void delete (other as Partial<Base>).seen))).toMatch(message);
  });

  test("when it changes a JSON value in place", async () => {
    const functions = merging((_base, other) => {
      (other.visits as string[]).push("c");
    });
    expect(await failure(functions, part({ visits: typedAs(visits, ["b"]) }))).toMatch(/TypeError: .*not extensible/);
  });

  test("when it names a state that is not declared", async () => {
    expect(await failure(merging((_base, other) => void (other as { typo?: number }).typo))).toMatch(
      /ex\/fn declares no state typo$/,
    );
  });

  test("when the part holds another type", async () => {
    const functions = merging(addUp);
    expect(await failure(functions, part({ seen: typedAs(types.long, 3n) }))).toMatch(
      /state seen is declared as io.statefun.types\/int, but holds io.statefun.types\/long$/,
    );
  });

  test("when the message is no part", async () => {
    expect(await failure(merging(addUp), typedValue(MERGE_TYPENAME, Buffer.from([0x12, 9, 1])))).toMatch(
      /ProtocolError: the message ends in the middle of a field$/,
    );
  });

  test("when the base is used after the reply was sent", async () => {
    let kept: Base | undefined;
    const functions = merging((base) => {
      kept = base;
    });
    await resultOf(functions, requestFor([part({})], nothing));
    expect(() => Object.assign(kept as Base, { seen: 1 })).toThrow(/used after its reply was sent/);
  });

  test("merge must be a function", () => {
    const options = { typename: "ex/fn", states, handle() {}, merge: "sum" };
    expect(() => defineFunction(options as never)).toThrow(new TypeError("function ex/fn: merge is no function"));
  });
});
