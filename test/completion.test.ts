/** When a copy of a record is finished, what else of its key is remembered with it: a crash at any moment afterwards makes no copy twice. */
import { Completion } from "../src/completion";
import type { Delivery } from "../src/delivery";
import type { Outbox } from "../src/egress/outbox";
import { type Input, Intake } from "../src/ingress/intake";
import type { Message } from "../src/model/message";
import { functionSpecification } from "./support/dual";
import { aMessage } from "./support/messages";
import { applicationsOf, engineOptions, moduleSpecification, sourceSpecification } from "./support/module";

const TARGETS = ["ex/k", "ex/l"];
const DUAL = functionSpecification({ functions: [{ namespace: "ex", prefix: "l", exact: true }] });

class Fixture {
  readonly input: Input;
  /** What became a message of its own, as `type/id offset`, in order. */
  readonly adopted: string[] = [];
  readonly #completion: Completion;
  readonly #copies = new Map<string, Message>();

  constructor(dual: boolean) {
    const module = moduleSpecification({ sources: [sourceSpecification({ targets: TARGETS })], functions: dual ? [DUAL] : [] });
    const intake = new Intake(module, engineOptions(), applicationsOf(module));
    this.input = intake.open({ source: 0, partition: 0 }, { low: 0, ranges: [] }, []) as Input;
    const outbox = { settled() {}, finishedRecord() {} } as unknown as Outbox;
    const adopt = (copy: Message) => {
      const { type, id } = copy.target;
      this.adopted.push(`${type}/${id} ${copy.entry?.offset}`);
      copy.entry = undefined;
    };
    this.#completion = new Completion(intake, outbox, { adopt } as unknown as Delivery);
  }

  record(offset: number, id: string): this {
    const entry = this.input.progress?.enter(offset, TARGETS.length);
    if (!entry) throw new Error("it has not begun");
    for (const type of ["k", "l"]) {
      const copy = aMessage({ entry, target: { namespace: "ex", type, id } });
      (entry.copies ??= []).push(copy);
      this.#copies.set(`${type}/${id} ${offset}`, copy);
    }
    return this;
  }

  finish(copy: string): this {
    this.#completion.finish([this.#copies.get(copy) as Message], []);
    return this;
  }
}

test("the other copies of its record are remembered, and the record is finished", () => {
  const fixture = new Fixture(false).record(0, "a").record(1, "a").finish("l/a 1");
  expect(fixture.adopted).toEqual(["k/a 1"]);
  expect(fixture.input.progress?.mark()).toEqual({ low: 0, ranges: [[1, 1]] });
});

test("where lanes finish out of order, earlier records of its key are remembered before it, all copies of each", () => {
  const fixture = new Fixture(true).record(0, "a").record(1, "b").record(2, "a").record(3, "a").finish("l/a 3");
  expect(fixture.adopted).toEqual(["k/a 0", "l/a 0", "k/a 2", "l/a 2", "k/a 3"]);
  // A record of which a copy is remembered is never read again.
  expect(fixture.input.progress?.mark()).toEqual({ low: 1, ranges: [[2, 3]] });
  fixture.finish("k/a 0").finish("l/b 1");
  expect(fixture.adopted.slice(5)).toEqual(["k/b 1"]);
  expect(fixture.input.progress?.mark()).toEqual({ low: 4, ranges: [] });
});
