import * as fc from "fast-check";
import type { Runnable } from "../../../src/router/policy/policy";
import { RunHeap } from "../../../src/router/policy/run-heap";
import { address } from "../../support/messages";

class Actor implements Runnable {
  readonly waiting = 1;
  constructor(
    readonly address: Runnable["address"],
    public rank: number,
  ) {}
  peek(): undefined {
    return undefined;
  }
}

const actor = (id: string, rank: number) => new Actor(address(id), rank);

describe("RunHeap", () => {
  it("gives what a sorted list gives, in any order of pushes, pops and lifts", () => {
    const step = fc.oneof(
      fc.record({ push: fc.integer({ min: -5, max: 5 }) }),
      fc.constant("pop" as const),
      fc.record({ lift: fc.nat(50), by: fc.integer({ min: -2, max: 4 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (script) => {
        const heap = new RunHeap();
        // The plain one: a list in the order of pushes, sorted by the rank that counted last (sorting is stable).
        let list: { actor: Actor; rank: number }[] = [];
        const popped = () => {
          const [first] = [...list].sort((one, other) => one.rank - other.rank);
          list = list.filter((each) => each !== first);
          return first?.actor;
        };
        for (const [i, each] of script.entries()) {
          if (each === "pop") expect(heap.pop()).toBe(popped());
          else if ("push" in each) {
            const pushed = actor(String(i), each.push);
            heap.push(pushed);
            list.push({ actor: pushed, rank: each.push });
          } else {
            const lifted = list[each.lift % Math.max(1, list.length)];
            if (!lifted) continue;
            lifted.actor.rank -= each.by; // One that has become less urgent keeps its place.
            heap.lift(lifted.actor);
            lifted.rank = Math.min(lifted.rank, lifted.actor.rank);
          }
          expect(heap.length).toBe(list.length);
        }
        while (list.length > 0) expect(heap.pop()).toBe(popped());
        expect(heap.pop()).toBeUndefined();
      }),
    );
  });

  it("orders equal ranks by arrival, and takes no notice of one that does not stand in it", () => {
    const heap = new RunHeap();
    const [first, second] = [actor("first", 1), actor("second", 1)];
    heap.push(first);
    heap.push(second);
    heap.lift(actor("stranger", 0));
    expect([heap.pop(), heap.pop(), heap.pop()]).toEqual([first, second, undefined]);
  });
});
