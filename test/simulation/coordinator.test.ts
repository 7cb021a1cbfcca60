import { Agenda } from "./agenda";
import { Chance } from "./chance";
import { Coordinator, type EndAnswer, type ProducerIdentity, type WriteAnswer } from "./coordinator";
import { type NewRecord, PartitionLog, type Transaction } from "./partition-log";

const TIMEOUT_MS = 1_000;

class Bench {
  readonly agenda = new Agenda();
  readonly log = new PartitionLog("c", "t", 0, 1_000);
  readonly committed: string[] = [];
  readonly coordinator: Coordinator;

  constructor(markerDelayMs = 10) {
    const committed = (transaction: Transaction) => this.committed.push(transaction.name);
    this.coordinator = new Coordinator(this.agenda, new Chance(1), TIMEOUT_MS, () => markerDelayMs, committed, false);
  }

  /** Runs what is planned until an answer has come. */
  answerOf<T>(ask: (answer: (it: T) => void) => void): T {
    const answers: T[] = [];
    ask((it) => answers.push(it));
    while (answers.length === 0 && this.agenda.step()) {
      // Markers are under way.
    }
    const [answer] = answers;
    if (answer === undefined) throw new Error("no answer");
    return answer;
  }

  init(id = "id"): ProducerIdentity {
    return this.answerOf((answer) => this.coordinator.init(id, answer));
  }

  write(identity: ProducerIdentity, number: number, value: string): WriteAnswer {
    const record: NewRecord = { key: null, value: Buffer.from(value), timestampMs: 0, headers: [] };
    return this.answerOf((answer) => this.coordinator.write(identity, number, this.log, [record], answer));
  }

  end(identity: ProducerIdentity, number: number, commit: boolean): EndAnswer {
    return this.answerOf((answer) => this.coordinator.end(identity, number, commit, answer));
  }

  get visible(): string[] {
    return this.log.read(0, 100, true).records.map(({ value }) => String(value));
  }

  settle(): void {
    while (this.agenda.step()) {
      // Everything that is planned.
    }
  }
}

let bench: Bench;

beforeEach(() => {
  bench = new Bench();
});

describe("a transaction", () => {
  it("is decided at its end, and seen when its marker is written (K5)", () => {
    const producer = bench.init();
    expect(bench.write(producer, 1, "x")).toBe("written");
    expect(bench.end(producer, 1, true)).toBe("ended");
    expect(bench.committed).toEqual(["id#1"]);
    expect(bench.visible).toEqual([]);
    bench.settle();
    expect(bench.visible).toEqual(["x"]);
  });

  it("of a producer that was initialised anew is aborted at once, and cannot be ended or written (K3, K4)", () => {
    const old = bench.init();
    bench.write(old, 1, "x");
    const successor = bench.init();
    expect(bench.log.stable).toBe(bench.log.end); // Answered when no marker was missing any more.
    expect(bench.end(old, 1, true)).toBe("fenced");
    expect(bench.write(old, 1, "y")).toBe("fenced");
    expect(bench.write(successor, 2, "z")).toBe("written");
    bench.end(successor, 2, true);
    bench.settle();
    expect(bench.visible).toEqual(["z"]);
  });

  it("that is decided stays decided, whoever initialises while its markers are under way", () => {
    const old = bench.init();
    bench.write(old, 1, "x");
    bench.end(old, 1, true);
    bench.init();
    bench.settle();
    expect(bench.visible).toEqual(["x"]);
  });

  it("fences the first of two that initialise at the same time", () => {
    const before = bench.init();
    bench.write(before, 1, "x");
    const identities: ProducerIdentity[] = [];
    bench.coordinator.init("id", (it) => identities.push(it));
    bench.coordinator.init("id", (it) => identities.push(it));
    while (identities.length < 2 && bench.agenda.step()) {
      // Markers are under way.
    }
    const [first, second] = identities as [ProducerIdentity, ProducerIdentity];
    expect(bench.write(first, 2, "y")).toBe("fenced");
    expect(bench.write(second, 2, "y")).toBe("written");
  });

  it("begun while somebody waits to initialise, behind the markers of the one before, is aborted as well", () => {
    const old = bench.init();
    bench.write(old, 1, "x");
    bench.end(old, 1, true);
    let written: WriteAnswer | undefined;
    const record: NewRecord = { key: null, value: Buffer.from("y"), timestampMs: 0, headers: [] };
    bench.coordinator.write(old, 2, bench.log, [record], (it) => {
      written = it;
    });
    bench.init();
    expect(written).toBe("written");
    expect(bench.end(old, 2, true)).toBe("fenced");
    expect(bench.log.stable).toBe(bench.log.end);
    expect(bench.visible).toEqual(["x"]);
  });

  it("that takes too long is aborted, and its producer fenced", () => {
    const producer = bench.init();
    bench.write(producer, 1, "x");
    bench.settle();
    expect(bench.end(producer, 1, true)).toBe("fenced");
    expect(bench.visible).toEqual([]);
    expect(bench.log.stable).toBe(bench.log.end);
  });

  it("does not take a late request of the one before for its own", () => {
    const producer = bench.init();
    bench.write(producer, 1, "x");
    bench.end(producer, 1, false);
    expect(bench.write(producer, 2, "y")).toBe("written");
    expect(bench.write(producer, 1, "late")).toBe("fenced");
    expect(bench.end(producer, 1, true)).toBe("fenced");
    bench.end(producer, 2, true);
    bench.settle();
    expect(bench.visible).toEqual(["y"]);
  });

  it("begins when the markers of the one before are written", () => {
    const producer = bench.init();
    bench.write(producer, 1, "x");
    bench.end(producer, 1, true);
    expect(bench.write(producer, 2, "y")).toBe("written");
    expect(bench.visible).toEqual(["x"]);
  });
});
