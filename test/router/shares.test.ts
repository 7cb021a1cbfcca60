import type { ApplicationSpecification } from "../../src/config/specification";
import type { Runnable } from "../../src/router/policy/policy";
import { type Share, Shares } from "../../src/router/shares";
import { address } from "../support/messages";
import { applicationSpecification, applicationsOf, moduleSpecification } from "../support/module";

function actor(id: string): Runnable {
  return { address: address(id), peek: () => undefined, waiting: 1, rank: 0 };
}

function sharesOf(...applications: Partial<ApplicationSpecification>[]): Shares {
  const named = applications.map((each, i) => applicationSpecification({ name: `a${i}`, ingresses: [`ex/i${i}`], ...each }));
  const { all } = applicationsOf(moduleSpecification({ applications: named }));
  return new Shares(all, () => undefined);
}

/** Who is served, with one slot and always enough to run in each: a batch of `costMs` each time. */
function served(shares: Shares, waiting: readonly Share[], batches: number, costMs: (share: Share) => number): Share[] {
  const order: Share[] = [];
  for (const share of waiting) if (share.queue.length === 0) shares.push(share, actor("x"), 0);
  for (let i = 0; i < batches; i++) {
    const share = shares.next();
    if (!share) throw new Error("nobody is ready");
    const taken = share.queue.pop(0) as Runnable;
    share.charge(costMs(share));
    order.push(share);
    shares.push(share, taken, 0);
  }
  return order;
}

describe("Shares", () => {
  it("gives applications of one policy one queue, and those of none fifo's", () => {
    const shares = sharesOf({ policy: "edf" }, { policy: "edf", weight: 3 }, { policy: "fifo" }, { policy: "min-laxity" });
    const [none, edf, other, fifo, minLaxity] = [0, 1, 2, 3, 4].map((index) => shares.of(index));
    expect(edf).toBe(other);
    expect(none).toBe(fifo);
    expect(new Set([none, edf, minLaxity]).size).toBe(3);
    expect([none?.weight, edf?.weight, minLaxity?.weight]).toEqual([2, 4, 1]); // Weights of one queue add up.
  });

  it("has one share, whoever asks, where there is one policy", () => {
    const shares = sharesOf({ policy: "fifo" });
    expect(shares.of(0)).toBe(shares.of(1));
    expect(shares.next()).toBeUndefined();
    const one = actor("a");
    shares.push(shares.of(0), one, 0);
    expect([shares.length, shares.next()?.queue.pop(0), shares.next()]).toEqual([1, one, undefined]);
  });

  it("H1: shares slot time by weight", () => {
    const shares = sharesOf({ policy: "edf", weight: 3 }, { policy: "priority", weight: 1 });
    const [edf, priority] = [shares.of(1), shares.of(2)];
    const order = served(shares, [edf, priority], 400, () => 10);
    expect(order.filter((each) => each === edf)).toHaveLength(300);
  });

  it("H1: shares slot time, not turns: who needs long has fewer", () => {
    const shares = sharesOf({ policy: "edf" }, { policy: "priority" });
    const [edf, priority] = [shares.of(1), shares.of(2)];
    const order = served(shares, [edf, priority], 400, (share) => (share === edf ? 30 : 10));
    expect(order.filter((each) => each === edf)).toHaveLength(100);
  });

  it("H1: nobody waits longer than the others need to use up their lead", () => {
    const shares = sharesOf({ policy: "edf", weight: 10 }, { policy: "priority", weight: 1 });
    const [edf, priority] = [shares.of(1), shares.of(2)];
    const order = served(shares, [edf, priority], 300, () => 5);
    let since = 0;
    for (const each of order) {
      since = each === priority ? 0 : since + 1;
      expect(since).toBeLessThanOrEqual(11);
    }
  });

  it("H2: time in which a share had nothing to run is not saved up", () => {
    const shares = sharesOf({ policy: "edf" }, { policy: "priority" });
    const [edf, priority] = [shares.of(1), shares.of(2)];
    served(shares, [edf], 1_000, () => 10); // The other is away for ten seconds.
    const order = served(shares, [edf, priority], 20, () => 10);
    expect(order.filter((each) => each === priority).length).toBeLessThanOrEqual(11);
    expect(order.slice(0, 3)).toContain(edf);
  });

  it("H2: whoever worked alone does not pay for it afterwards", () => {
    const shares = sharesOf({ policy: "edf" }, { policy: "priority" });
    const [edf, priority] = [shares.of(1), shares.of(2)];
    served(shares, [edf], 1_000, () => 10);
    const order = served(shares, [edf, priority], 20, () => 10);
    expect(order.filter((each) => each === edf).length).toBeGreaterThanOrEqual(9);
  });
});
