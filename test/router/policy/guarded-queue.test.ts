import { FifoQueue } from "../../../src/router/policy/fifo";
import { GuardedQueue } from "../../../src/router/policy/guarded-queue";
import type { Runnable, RunQueue } from "../../../src/router/policy/policy";
import { RunHeap } from "../../../src/router/policy/run-heap";
import { address } from "../../support/messages";

function actor(id: string, rank = 0): Runnable {
  return { address: address(id), peek: () => undefined, waiting: 1, rank };
}

function guarded(make: () => RunQueue): { queue: GuardedQueue; faults: () => number } {
  let faults = 0;
  const queue = new GuardedQueue(make, () => {
    faults++;
  });
  return { queue, faults: () => faults };
}

const wrong = () => {
  throw new Error("queue");
};

const [A, B, C] = [actor("a", 3), actor("b", 1), actor("c", 2)];

describe("GuardedQueue", () => {
  it("leaves a sound queue its order", () => {
    const { queue, faults } = guarded(() => new RunHeap());
    for (const each of [A, B, C]) queue.push(each, 0);
    expect([queue.length, queue.pop(0), queue.pop(0), queue.pop(0), queue.pop(0)]).toEqual([3, B, C, A, undefined]);
    expect(faults()).toBe(0);
  });

  it("orders by rank exactly where the user's queue says so", () => {
    expect(guarded(() => new RunHeap()).queue.lift).toBeDefined();
    expect(guarded(() => new FifoQueue()).queue.lift).toBeUndefined();
  });

  const queues: Record<string, () => RunQueue> = {
    "cannot be made": wrong,
    "is none": () => undefined as unknown as RunQueue,
    "throws at every call": () => ({ length: 0, push: wrong, pop: wrong, lift: wrong }),
    "forgets everybody": () => ({ length: 0, push() {}, pop: () => undefined }),
    "invents somebody": () => ({ length: 9, push() {}, pop: () => actor("nobody") }),
    "gives the first again and again": () => {
      let first: Runnable | undefined;
      return {
        length: 1,
        push: (each) => {
          first ??= each;
        },
        pop: () => first,
      };
    },
  };

  test.each(Object.entries(queues))("R3: a queue that %s loses nobody, doubles nobody, and is counted", (_what, make) => {
    const { queue, faults } = guarded(make);
    for (const each of [A, B, C]) queue.push(each, 0);
    queue.lift?.(C, 0);
    expect([queue.length, queue.pop(0), queue.pop(0), queue.pop(0), queue.pop(0)]).toEqual([3, A, B, C, undefined]);
    expect(faults()).toBeGreaterThan(0);
  });
});
