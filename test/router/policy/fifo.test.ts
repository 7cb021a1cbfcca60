import * as fc from "fast-check";
import { FifoQueue, fifo } from "../../../src/router/policy/fifo";
import type { Runnable } from "../../../src/router/policy/policy";
import { address, aMessage } from "../../support/messages";

function actor(id: string): Runnable {
  return { address: address(id), peek: () => undefined, waiting: 0, rank: 0 };
}

describe("FifoQueue", () => {
  it("gives actors in the order they came, however long it grows and shrinks", () => {
    const moves = fc.array(fc.tuple(fc.nat({ max: 1_500 }), fc.nat({ max: 1_500 })), { maxLength: 12 });
    fc.assert(
      fc.property(moves, (script) => {
        const queue = new FifoQueue();
        let pushed = 0;
        let popped = 0;
        for (const [pushes, pops] of script) {
          for (let i = 0; i < pushes; i++) queue.push(actor(String(pushed++)));
          for (let i = 0; i < pops && popped < pushed; i++) {
            const next = queue.pop();
            if (next?.address.id !== String(popped++)) throw new Error(`${next?.address.id} instead of ${popped - 1}`);
          }
          expect(queue.length).toBe(pushed - popped);
        }
        while (queue.length > 0) {
          const next = queue.pop();
          if (next?.address.id !== String(popped++)) throw new Error(`${next?.address.id} instead of ${popped - 1}`);
        }
        expect(queue.pop()).toBeUndefined();
        expect(popped).toBe(pushed);
      }),
      { numRuns: 50 },
    );
  });
});

describe("fifo", () => {
  it("sends, queues, and takes the head", () => {
    const policy = fifo();
    const queue = policy.createQueue();
    const first = actor("first");
    queue.push(first, 0);
    queue.push(actor("second"), 0);
    expect(policy.prepareSend(aMessage(), 0)).toEqual({ do: "send" });
    expect(policy.admit(aMessage(), 0)).toEqual({ do: "queue" });
    expect(policy.next(queue, 0)).toBe(first);
    expect(queue.length).toBe(1);
  });
});
