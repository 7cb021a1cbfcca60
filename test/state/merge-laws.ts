/** The laws of a merge as properties, for any merge: lawful ones must keep them, and unlawful ones must be caught (DUAL-MODE.md §6, 4). */

import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";

/** A merge of parts, and what must hold of it. */
export interface Merging<P> {
  readonly merge: (base: P, part: P) => P;
  readonly absent: P;
  readonly parts: fc.Arbitrary<P>;
  /** What a part says: what may differ without harm is left out. */
  readonly says: (part: P) => unknown;
}

/** A function that updates its state with each message, and the merge that puts the parts of its lanes together. */
export interface Folding<P, U> extends Merging<P> {
  readonly updates: fc.Arbitrary<U>;
  readonly update: (part: P, update: U, number: number) => P;
  /** Lanes a message may go to, where its content decides; any lane otherwise. */
  readonly laneOf?: (update: U, lanes: number) => number;
}

function alike<P>({ says }: Merging<P>, one: P, other: P): boolean {
  return isDeepStrictEqual(says(one), says(other));
}

export function identity<P>(m: Merging<P>): fc.IProperty<unknown> {
  return fc.property(m.parts, (a) => alike(m, m.merge(a, m.absent), a) && alike(m, m.merge(m.absent, a), a));
}

export function associativity<P>(m: Merging<P>): fc.IProperty<unknown> {
  return fc.property(m.parts, m.parts, m.parts, (a, b, c) => alike(m, m.merge(m.merge(a, b), c), m.merge(a, m.merge(b, c))));
}

export function commutativity<P>(m: Merging<P>): fc.IProperty<unknown> {
  return fc.property(m.parts, m.parts, (a, b) => alike(m, m.merge(a, b), m.merge(b, a)));
}

/** One lane that sees all messages, and lanes that see some each and are merged, come to the same (§6, 4). */
export function foldEquivalence<P, U>(
  m: Folding<P, U>,
  mergeAll: (base: P, parts: readonly P[]) => P = (base, parts) => parts.reduce(m.merge, base),
): fc.IProperty<unknown> {
  const steps = fc.array(fc.tuple(m.updates, fc.nat(), fc.nat(9)), { maxLength: 40 });
  return fc.property(fc.nat(5), steps, (lessees, trace) => {
    let sequential = m.absent;
    let lanes: P[] = Array.from({ length: lessees + 1 }, () => m.absent);
    trace.forEach(([update, choice, dice], number) => {
      const lane = m.laneOf ? m.laneOf(update, lanes.length) : choice % lanes.length;
      sequential = m.update(sequential, update, number);
      lanes[lane] = m.update(lanes[lane] as P, update, number);
      // Now and then a consolidation: everything is the lessor's, and the lessees begin anew.
      if (dice === 0 && !m.laneOf) lanes = [mergeAll(lanes[0] as P, lanes.slice(1)), ...lanes.slice(1).map(() => m.absent)];
    });
    return alike(m, mergeAll(lanes[0] as P, lanes.slice(1)), sequential);
  });
}

/** A counterexample, or undefined when none was found. Seeded: a law is broken in every run or in none. */
export function breach(law: fc.IProperty<unknown>): unknown {
  const details = fc.check(law, { seed: 20_240_817, numRuns: 300 });
  return details.failed ? details.counterexample : undefined;
}
