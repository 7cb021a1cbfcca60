import * as fc from "fast-check";
import { InvariantError } from "../../src/model/errors";
import type { Mark, Message } from "../../src/model/message";
import { FunctionMeasures } from "../../src/observe/measure";
import { FunctionType } from "../../src/router/function-type";
import { Mailbox, type MailboxPhase } from "../../src/router/mailbox";
import { Memory, TypeStates } from "../../src/state/store";
import { address, aMessage } from "../support/messages";

function aMailbox(): Mailbox {
  const states = new TypeStates("ex/fn");
  const type = new FunctionType("ex", "fn", "ex/fn", 0, states, new FunctionMeasures("ex/fn"));
  return new Mailbox(address("a"), type, new Memory(address("a"), states, 0));
}

function critical(barrier: number, series = "window"): Mark {
  return { critical: true, series, barrier, after: -1, channel: "" };
}

/** The mark of an ordinary message. */
function at(after: number): Mark {
  return { critical: false, series: "", barrier: -1, after, channel: "" };
}

function batchSizes(mailbox: Mailbox, countMax = 10): number[] {
  const sizes: number[] = [];
  while (mailbox.phase.kind === "ready") {
    sizes.push(mailbox.take(countMax, 100).length);
    mailbox.finish();
  }
  return sizes;
}

type PhaseKind = MailboxPhase["kind"];
type Operation = "enqueue" | "take" | "finish" | "finish_last" | "fail" | "rested";
/** The phase afterwards, or the invariant that refuses it. */
type Expected = PhaseKind | "M2" | "M3";

/** A mailbox in this phase; in all but `idle` with `waiting` messages, of which one is running where one can be. */
const inPhase: Record<PhaseKind, (waiting: number) => Mailbox> = {
  idle: () => aMailbox(),
  ready: (waiting) => {
    const mailbox = aMailbox();
    for (let i = 0; i < waiting; i++) mailbox.enqueue(aMessage());
    return mailbox;
  },
  running: (waiting) => {
    const mailbox = inPhase.ready(waiting);
    mailbox.take(1, 100);
    return mailbox;
  },
  resting: (waiting) => {
    const mailbox = inPhase.running(waiting);
    mailbox.fail(1_000);
    return mailbox;
  },
};

const operations: Record<Operation, { readonly waiting: number; readonly run: (mailbox: Mailbox) => void }> = {
  enqueue: { waiting: 2, run: (mailbox) => mailbox.enqueue(aMessage()) },
  take: { waiting: 2, run: (mailbox) => mailbox.take(10, 100) },
  finish: { waiting: 2, run: (mailbox) => mailbox.finish() },
  finish_last: { waiting: 1, run: (mailbox) => mailbox.finish() },
  fail: { waiting: 2, run: (mailbox) => mailbox.fail(1_000) },
  rested: { waiting: 2, run: (mailbox) => mailbox.rested() },
};

const table: Record<PhaseKind, Record<Operation, Expected>> = {
  idle: { enqueue: "ready", take: "M2", finish: "M2", finish_last: "M2", fail: "M2", rested: "M3" },
  ready: { enqueue: "ready", take: "running", finish: "M2", finish_last: "M2", fail: "M2", rested: "M3" },
  running: { enqueue: "running", take: "M2", finish: "ready", finish_last: "idle", fail: "resting", rested: "M3" },
  resting: { enqueue: "resting", take: "M2", finish: "M2", finish_last: "M2", fail: "M2", rested: "ready" },
};

describe.each(Object.keys(table) as PhaseKind[])("a mailbox that is %s", (phase) => {
  test.each(Object.entries(table[phase]) as [Operation, Expected][])("on %s: %s", (operation, expected) => {
    const { waiting, run } = operations[operation];
    const mailbox = inPhase[phase](waiting);
    expect(mailbox.phase.kind).toBe(phase);
    if (expected === "M2" || expected === "M3") {
      expect(() => run(mailbox)).toThrow(InvariantError);
      expect(() => run(mailbox)).toThrow(expected);
      expect(mailbox.phase.kind).toBe(phase);
    } else {
      run(mailbox);
      expect(mailbox.phase.kind).toBe(expected);
    }
  });
});

describe("Mailbox", () => {
  it("M4: says that it became ready exactly when it must join a run queue", () => {
    const mailbox = aMailbox();
    expect(mailbox.enqueue(aMessage())).toBe(true);
    expect(mailbox.enqueue(aMessage())).toBe(false);
    mailbox.take(1, 100);
    expect(mailbox.enqueue(aMessage())).toBe(false);
    expect(mailbox.finish()).toBe(true);
    mailbox.take(10, 100);
    expect(mailbox.finish()).toBe(false);
    expect(mailbox.enqueue(aMessage())).toBe(true);
  });

  it("takes as many as fit in count and bytes, and at least one", () => {
    const mailbox = aMailbox();
    for (const bytes of [500, 10, 10, 10, 90]) mailbox.enqueue(aMessage({ bytes }));
    const sizes: number[] = [];
    while (mailbox.phase.kind === "ready") {
      sizes.push(mailbox.take(2, 100).length);
      mailbox.finish();
    }
    expect(sizes).toEqual([1, 2, 2]);
  });

  it("fills the bytes exactly", () => {
    const mailbox = aMailbox();
    for (const bytes of [60, 40, 1]) mailbox.enqueue(aMessage({ bytes }));
    expect(mailbox.take(10, 100)).toHaveLength(2);
  });

  it("M3: sends a failed batch again as it was, whatever has joined since, and counts attempts", () => {
    const mailbox = aMailbox();
    const messages = [1, 2, 3].map((sequence) => aMessage({ sequence, bytes: 10 }));
    for (const message of messages.slice(0, 2)) mailbox.enqueue(message);
    mailbox.take(10, 15 + 5);
    mailbox.fail(50);
    expect(mailbox.phase).toEqual({ kind: "resting", batch: 2, attempt: 1, untilMs: 50 });
    mailbox.enqueue(messages[2] as Message);
    mailbox.rested();
    expect(mailbox.take(1, 1)).toEqual(messages.slice(0, 2)); // Bounds that have shrunk do not matter.
    expect(mailbox.phase).toEqual({ kind: "running", batch: 2, attempt: 2 });
    mailbox.fail(100);
    mailbox.rested();
    mailbox.take(10, 100);
    expect(mailbox.finish()).toBe(true);
    expect(mailbox.take(10, 100)).toEqual(messages.slice(2));
    expect(mailbox.phase).toEqual({ kind: "running", batch: 1, attempt: 1 }); // A new batch counts anew.
  });

  it("M5: takes critical messages one by one, and never with ordinary ones", () => {
    const mailbox = aMailbox();
    for (const mark of [undefined, at(-1), critical(1), critical(1), critical(2), undefined, critical(2)]) {
      mailbox.enqueue(aMessage({ mark }));
    }
    expect(batchSizes(mailbox)).toEqual([2, 1, 1, 1, 1, 1]);
  });

  it("M5: takes the critical messages of one barrier together on a lane of a dual-mode actor, without bounds", () => {
    const mailbox = aMailbox();
    mailbox.owner = { received() {}, batchFinished() {}, idle() {} };
    const marks = [undefined, critical(1), critical(1), critical(1), critical(1, "other"), critical(2), at(3), critical(2)];
    for (const mark of marks) mailbox.enqueue(aMessage({ mark, bytes: 90 }));
    expect(batchSizes(mailbox, 2)).toEqual([1, 3, 1, 1, 1, 1]);
  });

  it("M3, M5: sends failed critical messages again as they were", () => {
    const mailbox = aMailbox();
    mailbox.owner = { received() {}, batchFinished() {}, idle() {} };
    for (const mark of [critical(1), critical(1)]) mailbox.enqueue(aMessage({ mark }));
    const batch = mailbox.take(1, 1);
    mailbox.fail(10);
    mailbox.enqueue(aMessage({ mark: critical(1) }));
    mailbox.rested();
    expect(batch).toHaveLength(2);
    expect(mailbox.take(1, 1)).toEqual(batch);
  });

  it("finished messages hold nothing behind them", () => {
    const mailbox = aMailbox();
    const [first, second] = [aMessage(), aMessage()];
    mailbox.enqueue(first);
    mailbox.enqueue(second);
    mailbox.take(1, 100);
    mailbox.finish();
    expect(first.next).toBeUndefined();
    expect([...mailbox.messages()]).toEqual([second]);
    expect(mailbox.peek()).toBe(second);
  });

  it("tells what waits for a slot, and what is to be sent again as it was", () => {
    const mailbox = aMailbox();
    const messages = Array.from({ length: 4 }, () => aMessage({ bytes: 10 }));
    for (const message of messages) mailbox.enqueue(message);
    const told = () => [[...mailbox.waitingMessages()], [...mailbox.fixedBatch()]];
    expect(told()).toEqual([messages, []]);
    mailbox.take(2, 100);
    expect(told()).toEqual([messages.slice(2), []]);
    mailbox.fail(5);
    expect(told()).toEqual([messages.slice(2), messages.slice(0, 2)]);
    mailbox.rested();
    expect(told()).toEqual([messages, []]);
  });

  describe("extract", () => {
    /** Five messages of rank 5, 4, 3, 2, 1. */
    function ranked(): [Mailbox, Message[]] {
      const mailbox = aMailbox();
      const messages = [5, 4, 3, 2, 1].map((rank) => Object.assign(aMessage({ bytes: 10 }), { rank }));
      for (const message of messages) mailbox.enqueue(message);
      return [mailbox, messages];
    }

    const staying: Record<PhaseKind, { readonly before: (mailbox: Mailbox) => void; readonly stays: number }> = {
      idle: {
        before: (mailbox) => {
          mailbox.take(5, 1_000);
          mailbox.finish();
        },
        stays: 0,
      },
      ready: { before: () => {}, stays: 1 },
      running: { before: (mailbox) => mailbox.take(2, 100), stays: 2 },
      resting: {
        before: (mailbox) => {
          mailbox.take(3, 100);
          mailbox.fail(9);
        },
        stays: 3,
      },
    };

    test.each(Object.entries(staying))(
      "takes out of a mailbox that is %s all but what is next, in flight, or to be sent again: %j",
      (phase, { before, stays }) => {
        const [mailbox, messages] = ranked();
        before(mailbox);
        expect(mailbox.phase.kind).toBe(phase);
        const left = phase === "idle" ? [] : messages.slice(0, stays);
        expect(messages.filter((message) => mailbox.stays(message))).toEqual(left);
        expect(mailbox.extract(new Set(messages))).toEqual(phase === "idle" ? [] : messages.slice(stays));
        expect([...mailbox.messages()]).toEqual(left);
        expect([mailbox.waiting, mailbox.rank]).toEqual([left.length, Math.min(...left.map(({ rank }) => rank))]);
      },
    );

    it("M3: a batch that is to be sent again stays as it was, also when its rest is over", () => {
      const [mailbox, messages] = ranked();
      mailbox.take(3, 100);
      mailbox.fail(9);
      mailbox.rested();
      expect(mailbox.extract(new Set(messages))).toEqual(messages.slice(3));
      expect(mailbox.take(9, 1_000)).toEqual(messages.slice(0, 3));
    });

    it("M1: what is left keeps its order, and what comes then stands behind it", () => {
      const [mailbox, messages] = ranked();
      const wanted = new Set([messages[4], messages[2]] as Message[]);
      expect(mailbox.extract(wanted)).toEqual([messages[2], messages[4]]);
      for (const message of wanted) expect(message.next).toBeUndefined();
      const another = aMessage({ bytes: 10 });
      mailbox.enqueue(another);
      expect([...mailbox.messages()]).toEqual([messages[0], messages[1], messages[3], another]);
      expect(mailbox.extract(wanted)).toEqual([]);
      mailbox.take(1, 100);
      mailbox.finish();
      expect(mailbox.rank).toBe(2);
    });
  });

  it("M1, M3: agrees with a plain list over any run of enqueues, batches and failures", () => {
    const step = fc.oneof(
      fc.record({ enqueue: fc.integer({ min: 1, max: 60 }) }),
      fc.record({ take: fc.integer({ min: 1, max: 4 }) }),
      fc.constant("finish" as const),
      fc.constant("fail" as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (script) => {
        const mailbox = aMailbox();
        const waiting: Message[] = [];
        let taken: Message[] | undefined;
        let failed: Message[] | undefined;
        for (const each of script) {
          if (typeof each === "object" && "enqueue" in each) {
            const message = aMessage({ bytes: each.enqueue });
            waiting.push(message);
            mailbox.enqueue(message);
          } else if (typeof each === "object" && !taken && waiting.length > 0) {
            if (failed) mailbox.rested();
            taken = mailbox.take(each.take, 100);
            expect(taken).toEqual(failed ?? waiting.slice(0, taken.length));
            failed = undefined;
          } else if (each === "finish" && taken) {
            waiting.splice(0, taken.length);
            expect(mailbox.finish()).toBe(waiting.length > 0);
            taken = undefined;
          } else if (each === "fail" && taken) {
            mailbox.fail(0);
            failed = taken;
            taken = undefined;
          }
          expect([...mailbox.messages()]).toEqual(waiting);
          expect(mailbox.waiting).toBe(waiting.length);
        }
      }),
    );
  });
});
