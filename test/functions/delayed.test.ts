import * as fc from "fast-check";
import { DelayedMessages } from "../../src/functions/delayed";
import type { Delayed } from "../../src/functions/pending";
import type { OutgoingDelayed } from "../../src/functions/wire";
import type { Address } from "../../src/model/address";
import { address, aMessage } from "../support/messages";

const SENDER = address("sender");

function delayed(token: string, caller: Address = SENDER): Delayed {
  return { message: aMessage({ caller }), dueMs: 5, token, cancelled: false, fired: false };
}

function send(token: string, delayMs = 5): OutgoingDelayed {
  return { delayMs, target: address("b"), argument: undefined, cancel: false, token };
}

function cancel(token: string): OutgoingDelayed {
  return { delayMs: 0, target: undefined, argument: undefined, cancel: true, token };
}

describe("DelayedMessages", () => {
  it("a token belongs to the full address of its sender: another type or id may bear the same", () => {
    const messages = new DelayedMessages();
    messages.add(delayed("tok"));
    for (const other of [address("sender", "other"), address("else"), { ...SENDER, namespace: "shop" }]) {
      expect(messages.objection(other, [send("tok")])).toBeUndefined();
      expect(messages.cancel(other, "tok")).toBeUndefined();
    }
    expect(messages.objection(SENDER, [send("tok")])).toContain("still live");
  });

  it("cancelling tells which message, once", () => {
    const messages = new DelayedMessages();
    const live = delayed("tok");
    messages.add(live);
    expect(messages.cancel(SENDER, "tok")).toBe(live);
    expect([live.cancelled, messages.waiting, messages.cancel(SENDER, "tok")]).toEqual([true, 0, undefined]);
  });

  it("a message that has fired can no longer be cancelled, and its token is free", () => {
    const messages = new DelayedMessages();
    const live = delayed("tok");
    messages.add(live);
    messages.fire(live);
    expect([live.fired, messages.waiting, messages.cancel(SENDER, "tok")]).toEqual([true, 0, undefined]);
    expect(messages.objection(SENDER, [send("tok")])).toBeUndefined();
  });

  it("of two restored with one token, firing the older leaves the younger cancellable", () => {
    const messages = new DelayedMessages();
    const [older, younger] = [delayed("tok"), delayed("tok")];
    messages.add(older);
    messages.add(younger);
    messages.fire(older);
    expect(messages.cancel(SENDER, "tok")).toBe(younger);
    expect(messages.waiting).toBe(0);
  });

  test.each<[string, readonly OutgoingDelayed[], string | undefined]>([
    ["nothing", [], undefined],
    ["a delay of zero", [send("", 0)], undefined],
    ["any number without token", [send(""), send("")], undefined],
    ["send and cancel", [send("x"), cancel("x")], undefined],
    ["send, cancel, send", [send("x"), cancel("x"), send("x")], undefined],
    ["cancel and send again of a live one", [cancel("live"), send("live")], undefined],
    ["cancel of an unknown one", [cancel("never")], undefined],
    ["cancel twice", [cancel("live"), cancel("live")], undefined],
    ["a negative delay", [send("", -1)], "a delay of -1 ms"],
    ["a delay that is no number", [send("", Number.NaN)], "a delay of NaN ms"],
    ["a live token", [send("live")], "token 'live', which is still live"],
    ["one token twice", [send("x"), send("x")], "token 'x', which is still live"],
    ["a cancel without token", [cancel("")], "without naming its token"],
    ["something impossible behind something possible", [send("x"), send("", -1)], "a delay of -1 ms"],
  ])("objects to the impossible: %s", (_what, list, reason) => {
    const messages = new DelayedMessages();
    messages.add(delayed("live"));
    const objection = messages.objection(SENDER, list);
    if (reason === undefined) expect(objection).toBeUndefined();
    else expect(objection).toContain(reason);
    expect(messages.waiting).toBe(1); // An objection changes nothing.
  });

  it("objects exactly to the lists that would put one token on two live messages", () => {
    const step = fc.record({ cancel: fc.boolean(), token: fc.constantFrom("x", "y") });
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 8 }), (replies) => {
        const messages = new DelayedMessages();
        let live = new Set<string>();
        for (const reply of replies) {
          const after = new Set(live);
          const possible = reply.every(({ cancel: cancels, token }) => {
            if (cancels) after.delete(token);
            else if (after.has(token)) return false;
            else after.add(token);
            return true;
          });
          const list = reply.map((each) => (each.cancel ? cancel(each.token) : send(each.token)));
          expect(messages.objection(SENDER, list) === undefined).toBe(possible);
          if (!possible) continue;
          for (const each of reply) {
            if (each.cancel) messages.cancel(SENDER, each.token);
            else messages.add(delayed(each.token));
          }
          live = after;
          expect(messages.waiting).toBe(live.size);
        }
      }),
    );
  });
});
