/**
 * StateFun's smoke test: trees of commands from a seed, and a model that says what they must lead to. Sharper than the original:
 * every command reports itself once, cancelled messages would count if they were delivered, and order per sender is seen.
 */
import { Random } from "../../src/model/random";
import type { Command, Operation } from "./commands";
import type { Message } from "./scenarios";

export interface Smoke {
  readonly messages: readonly Message[];
  /** Final `count` of each actor. */
  readonly counts: ReadonlyMap<string, number>;
  /** Tags of the commands each actor must have reported, each once. */
  readonly tags: ReadonlyMap<string, readonly string[]>;
}

export interface SmokeSize {
  readonly actors: number;
  readonly messages: number;
  readonly depthMax: number;
}

/** Longer than any test: a message cancelled in vain would never arrive, one that leaks at once would. */
const neverMs = 600_000;
const cancelledSoonMs = 400;

/** Tags of messages from the topic begin with this, then their number. */
export const SOURCE_TAG = "source-";

export function smoke(seed: number, size: SmokeSize): Smoke {
  return new Generator(seed, size).run();
}

class Generator {
  readonly #random: Random;
  readonly #counts = new Map<string, number>();
  readonly #tags = new Map<string, string[]>();
  #next = 0;

  constructor(
    readonly seed: number,
    readonly size: SmokeSize,
  ) {
    this.#random = new Random(seed);
  }

  run(): Smoke {
    const messages = Array.from({ length: this.size.messages }, (_, i) => {
      const id = this.#actor();
      return { id, command: this.#command(id, this.#random.below(this.size.depthMax), `${SOURCE_TAG}${i}`, true) };
    });
    return { messages, counts: this.#counts, tags: this.#tags };
  }

  #actor(): string {
    return `smoke-${this.seed}-${this.#random.below(this.size.actors)}`;
  }

  /** A command for `id`. One that will not be `delivered` is built alike, and left out of the model. */
  #command(id: string, depth: number, tag: string, delivered: boolean): Command {
    if (delivered) this.#tags.set(id, [...(this.#tags.get(id) ?? []), tag]);
    const operations: Operation[] = [{ do: "report" }, ...this.#operations(id, depth, delivered)];
    return { tag, operations };
  }

  #operations(id: string, depth: number, delivered: boolean): Operation[] {
    const operations: Operation[] = [];
    for (let n = depth > 0 ? this.#random.below(4) : 0; n > 0; n--) operations.push(...this.#operation(id, depth - 1, delivered));
    return operations.length > 0 ? operations : this.#count(id, delivered);
  }

  #operation(id: string, depth: number, delivered: boolean): Operation[] {
    const weight = this.#random.next();
    if (weight < 0.3) return this.#count(id, delivered);
    if (weight < 0.7) {
      const target = this.#actor();
      return [{ do: "send", id: target, command: this.#command(target, depth, this.#tag(), delivered) }];
    }
    if (weight < 0.85) {
      const target = this.#actor();
      const command = this.#command(target, depth, this.#tag(), delivered);
      return [{ do: "after", ms: this.#random.below(100), id: target, command }];
    }
    return this.#cancelled(depth);
  }

  #count(id: string, delivered: boolean): Operation[] {
    if (delivered) this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    return [{ do: "count" }];
  }

  #cancelled(depth: number): Operation[] {
    const target = this.#actor();
    const token = this.#tag();
    const ms = this.#random.next() < 0.5 ? neverMs : cancelledSoonMs;
    return [
      { do: "after", ms, token, id: target, command: this.#command(target, depth, this.#tag(), false) },
      { do: "cancel", token },
    ];
  }

  #tag(): string {
    return `t${this.#next++}`;
  }
}
