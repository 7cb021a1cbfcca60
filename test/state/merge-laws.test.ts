/** Invariant 4 of DUAL-MODE.md §6: what lanes did apart, merged, is what one lane would have done; and the test would notice if not. */
import fc from "fast-check";
import type { MergeSpecification } from "../../src/config/specification";
import { mergeAll, mergeValue, type PartValue } from "../../src/state/merge";
import { associativity, breach, commutativity, type Folding, foldEquivalence, identity, type Merging } from "./merge-laws";
import { ABSENT, bool, double, float, int, json, jsonString, type Lens, long, string } from "./merge-parts";

interface Trial extends Folding<PartValue, unknown> {
  readonly name: string;
  readonly spec: MergeSpecification;
}

interface Trying<T, U> {
  readonly spec: MergeSpecification;
  readonly of: Lens<T>;
  readonly values: fc.Arbitrary<T>;
  readonly updates: fc.Arbitrary<U>;
  readonly update: (value: T | undefined, update: U, number: number) => T;
  /** What of a value matters; default: all. */
  readonly says?: (value: T) => unknown;
  readonly laneOf?: (update: U, lanes: number) => number;
}

function trial<T, U>({ spec, of, values, updates, update, says, laneOf }: Trying<T, U>): Trial {
  const value = (part: PartValue): T | undefined => (part.bytes === undefined ? undefined : of.read(part));
  return {
    name: `${JSON.stringify(spec)} of ${of.name}`,
    spec,
    absent: ABSENT,
    merge: (base, part) => mergeValue(spec, base, part),
    parts: fc.oneof(
      { arbitrary: fc.constant(ABSENT), weight: 1 },
      { arbitrary: fc.tuple(values, fc.nat(3)).map(([content, writtenMs]) => of.part(content, writtenMs)), weight: 9 },
    ),
    says: (part) => {
      const content = value(part);
      return [content === undefined || says === undefined ? content : says(content), part.writtenMs];
    },
    updates,
    update: (part, step, number) => of.part(update(value(part), step as U, number), 1 + number),
    ...(laneOf && { laneOf: (step, lanes) => laneOf(step as U, lanes) }),
  };
}

/** Sums of eighths are exact, so that the law can be tested to the last bit. */
const eighths = fc.integer({ min: -80_000, max: 80_000 }).map((n) => n / 8);
const small = fc.integer({ min: -1000, max: 1000 });
const wide = fc.bigInt({ min: -(2n ** 57n), max: 2n ** 57n });
const key = fc.constantFrom("a", "b", "c", "__proto__", 'q"\\}', "é🙂");
/** Few, so that they meet; alike in part, and some written differently in each SDK. */
const element = fc.oneof(fc.constantFrom<unknown>(0, 1, "1", "", 'a"]', null, true, [], {}, [1], { a: 1 }), small);
const scored = fc.record({ at: fc.record({ score: fc.integer({ min: 0, max: 3 }) }), name: fc.constantFrom("x", "y", "z") });
type Scored = { at: { score: number }; name: string };
type Table<T> = Record<string, T>;
function tableOf<T>(values: fc.Arbitrary<T>): fc.Arbitrary<Table<T>> {
  return fc.dictionary(key, values, { maxKeys: 4, noNullPrototype: true });
}

type Ordered = number | bigint | string | boolean;

const asSet = (value: unknown) => new Set((value as unknown[]).map((each) => JSON.stringify(each)));
const asBag = (value: unknown) => (value as unknown[]).map((each) => JSON.stringify(each)).sort();
const sumOf = (a: number | undefined, b: number) => (a ?? 0) + b;
const minOf = <T extends Ordered>(a: T | undefined, b: T) => (a === undefined || b < a ? b : a);
const maxOf = <T extends Ordered>(a: T | undefined, b: T) => (a === undefined || b > a ? b : a);
const inserted = (set: unknown, item: unknown) => {
  const elements = (set ?? []) as unknown[];
  return asSet(elements).has(JSON.stringify(item)) ? elements : [...elements, item];
};
/** JavaScript's own way to set a key does not take `__proto__`. */
const assigned = <T>(table: unknown, name: string, change: (value: T | undefined) => T): Table<T> => {
  const members = new Map(Object.entries((table ?? {}) as Table<T>));
  return Object.fromEntries(members.set(name, change(members.get(name))));
};

const SUM: MergeSpecification = { kind: "sum" };
const COUNT: MergeSpecification = { kind: "count" };
const CONCAT: MergeSpecification = { kind: "list-concat" };

const table = fc.tuple(key, small);

const LAWFUL: readonly Trial[] = [
  trial({ spec: SUM, of: int, values: small, updates: small, update: sumOf }),
  trial({ spec: SUM, of: long, values: wide, updates: wide, update: (sum, n) => (sum ?? 0n) + n }),
  trial({ spec: SUM, of: double, values: eighths, updates: eighths, update: sumOf }),
  trial({ spec: SUM, of: float, values: eighths, updates: eighths, update: sumOf }),
  trial({ spec: SUM, of: json as Lens<number>, values: eighths, updates: eighths, update: sumOf }),
  trial({ spec: COUNT, of: int, values: small, updates: fc.constant(1), update: sumOf }),
  trial({ spec: COUNT, of: double, values: small, updates: fc.constant(1), update: sumOf }),
  trial({ spec: COUNT, of: json as Lens<number>, values: small, updates: fc.constant(1), update: sumOf }),
  ...[minOf, maxOf].flatMap((pick) => {
    const spec: MergeSpecification = { kind: pick === minOf ? "min" : "max" };
    const numbers = fc.double({ noNaN: true }).filter((n) => !Object.is(n, -0)); // `<` of this test knows no -0.
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "ü", '"', "\\") });
    return [
      trial({ spec, of: int, values: small, updates: small, update: pick<number> }),
      trial({ spec, of: long, values: wide, updates: wide, update: pick<bigint> }),
      trial({ spec, of: double, values: numbers, updates: numbers, update: pick<number> }),
      trial({ spec, of: float, values: eighths, updates: eighths, update: pick<number> }),
      trial({ spec, of: string, values: letters, updates: letters, update: pick<string> }),
      trial({ spec, of: bool, values: fc.boolean(), updates: fc.boolean(), update: pick<boolean> }),
      trial({ spec, of: json as Lens<number>, values: eighths, updates: eighths, update: pick<number> }),
      trial({ spec, of: json as Lens<string>, values: letters, updates: letters, update: pick<string> }),
    ];
  }),
  ...[json, jsonString].flatMap((of) => [
    trial({
      spec: { kind: "max-by", path: ["at", "score"] },
      of: of as Lens<Scored>,
      values: scored,
      updates: scored,
      // Among equals any may be taken, as long as each lane would take the same.
      update: (best, next) => {
        const order = best === undefined ? -1 : best.at.score - next.at.score || (best.name < next.name ? -1 : 1);
        return best === undefined || order < 0 ? next : best;
      },
    }),
    trial({ spec: { kind: "set-union" }, of, values: fc.uniqueArray(element), updates: element, update: inserted, says: asSet }),
    trial({
      spec: { kind: "map", inner: SUM },
      of: of as Lens<Table<number>>,
      values: tableOf(small),
      updates: table,
      update: (totals, [name, n]) => assigned<number>(totals, name, (sum) => sumOf(sum, n)),
    }),
  ]),
  trial({
    spec: { kind: "map", inner: { kind: "map", inner: { kind: "set-union" } } },
    of: json as Lens<Table<Table<unknown[]>>>,
    values: tableOf(tableOf(fc.uniqueArray(element))),
    updates: fc.tuple(key, key, element),
    update: (outer, [one, other, item]) =>
      assigned<Table<unknown[]>>(outer, one, (inner) => assigned<unknown[]>(inner, other, (set) => inserted(set, item))),
    says: (outer) =>
      Object.entries(outer)
        .flatMap(([one, inner]) => Object.entries(inner).map(([other, set]) => [one, other, [...asSet(set)].sort()]))
        .sort(),
  }),
  trial({
    spec: CONCAT,
    of: json,
    values: fc.array(element),
    updates: element,
    update: (list, item) => [...((list ?? []) as unknown[]), item],
    says: asBag,
  }),
  trial({
    spec: { kind: "latest" },
    of: json,
    values: element,
    updates: element,
    update: (_old, item, number) => ({ item, number }),
  }),
];

describe.each(LAWFUL)("$name", (merging) => {
  test("R1: an absent part changes nothing", () => fc.assert(identity(merging)));
  test("R2: the grouping says nothing", () => fc.assert(associativity(merging)));
  test("R3: the order of lanes says nothing", () => fc.assert(commutativity(merging)));
  test("lanes that are merged are one lane that saw everything", () => {
    fc.assert(foldEquivalence(merging));
    fc.assert(foldEquivalence(merging, (base, parts) => mergeAll(merging.spec, base, parts)));
  });
});

describe("list-concat, to the letter", () => {
  const list = {
    spec: CONCAT,
    of: json as Lens<unknown[]>,
    values: fc.array(element),
    updates: element,
    update: (items: unknown[] | undefined, item: unknown) => [...(items ?? []), item],
  };
  test("R1, R2", () => {
    fc.assert(identity(trial(list)));
    fc.assert(associativity(trial(list)));
  });
  test("R3: the order of lanes is kept", () => {
    fc.assert(
      fc.property(fc.array(fc.array(element), { minLength: 1, maxLength: 9 }), (lanes) => {
        const [base, ...parts] = lanes.map((items) => json.part(items));
        expect(json.read(mergeAll(CONCAT, base as PartValue, parts))).toEqual(lanes.flat());
      }),
    );
    expect(breach(commutativity(trial(list)))).toBeDefined();
  });
});

describe("partition", () => {
  const spec: MergeSpecification = { kind: "partition", keyPath: ["key"] };
  const members = fc.dictionary(fc.string(), fc.tuple(element, fc.nat(4)), { noNullPrototype: true });
  const order = fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 });

  test("R2, R3: parts without a common key are the whole, in any order and grouping", () => {
    fc.assert(
      fc.property(members, order, (whole, lanes) => {
        const parts = lanes.map((lane) => {
          const own = Object.entries(whole).filter(([, [, at]]) => at === lane);
          return json.part(Object.fromEntries(own.map(([name, [value]]) => [name, value])));
        });
        const expected = Object.fromEntries(Object.entries(whole).map(([name, [value]]) => [name, value]));
        expect(json.read(mergeAll(spec, ABSENT, parts))).toEqual(expected);
        expect(json.read(parts.reduce((base, part) => mergeValue(spec, base, part)))).toEqual(expected);
      }),
    );
  });

  /** No law of merging is needed: 31 * last + n depends on the order. */
  const pinned = trial({
    spec,
    of: json as Lens<Table<number>>,
    values: fc.constant({}),
    updates: table,
    update: (totals, [name, n]) => assigned<number>(totals, name, (last) => 31 * (last ?? 0) + n),
    laneOf: ([name], lanes) => name.length % lanes,
  });
  test("messages that stay with their key's lane keep their order", () => {
    fc.assert(foldEquivalence(pinned, (base, parts) => mergeAll(spec, base, parts)));
  });
  test("messages that do not are found out", () => {
    const { laneOf: _, ...astray } = pinned;
    expect(breach(foldEquivalence(astray))).toBeDefined();
  });
});

describe("what is unlawful is caught", () => {
  const numbers: Omit<Folding<number | undefined, number>, "merge"> = {
    absent: undefined,
    parts: fc.option(small, { nil: undefined }),
    says: (part) => part,
    updates: small,
    update: sumOf,
  };
  type Merge = (base: number, part: number) => number;
  const withIdentity = (merge: Merge): Folding<number | undefined, number> => ({
    ...numbers,
    merge: (base, part) => (base === undefined ? part : part === undefined ? base : merge(base, part)),
  });
  const lawful = withIdentity((a, b) => a + b);
  const laws = <P, U>(m: Folding<P, U>) => ({
    identity: breach(identity(m)) === undefined,
    associativity: breach(associativity(m)) === undefined,
    commutativity: breach(commutativity(m)) === undefined,
    fold: breach(foldEquivalence(m)) === undefined,
  });
  const kept = { identity: true, associativity: true, commutativity: true, fold: true };

  test("and what is lawful is not", () => expect(laws(lawful)).toEqual(kept));

  test.each<[string, Folding<number | undefined, number>, Partial<typeof kept>]>([
    ["a mean of means", withIdentity((a, b) => (a + b) / 2), { associativity: false, fold: false }],
    ["first come, first served", withIdentity((a) => a), { commutativity: false, fold: false }],
    ["last one wins", withIdentity((_a, b) => b), { commutativity: false, fold: false }],
    ["a difference", withIdentity((a, b) => a - b), { associativity: false, commutativity: false, fold: false }],
    ["a sum with a lid", withIdentity((a, b) => Math.min(500, a + b)), { associativity: false, fold: false }],
    ["a sum that counts from one", { ...numbers, merge: (a, b) => (a ?? 1) + (b ?? 1) }, { identity: false, fold: false }],
    ["an update that is no addition", { ...lawful, update: (a, n) => 2 * (a ?? 0) + n }, { fold: false }],
    [
      "an update that reads a total",
      { ...lawful, update: (a, n) => ((a ?? 0) > 100 ? (a ?? 0) : (a ?? 0) + n) },
      { fold: false },
    ],
  ])("%s", (_name, merging, broken) => expect(laws(merging)).toEqual({ ...kept, ...broken }));

  test("latest by key, which is why `map(latest)` is none of the strategies", () => {
    interface Written {
      readonly table: Table<number>;
      readonly at: number;
    }
    const naive: Merging<Written> = {
      absent: { table: {}, at: 0 },
      parts: fc.record({ table: tableOf(small), at: fc.nat(3) }),
      says: ({ table: members }) => members,
      merge: (a, b) => ({
        table: Object.fromEntries([
          ...Object.entries((a.at >= b.at ? b : a).table),
          ...Object.entries((a.at >= b.at ? a : b).table),
        ]),
        at: Math.max(a.at, b.at),
      }),
    };
    expect(breach(associativity(naive))).toBeDefined();
  });
});
