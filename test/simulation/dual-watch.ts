/**
 * Requests in flight of the actors of one router, in a world of dual mode. Numbers are those of DUAL-MODE.md 6.
 *
 *  3  "mutual exclusion": while a critical message is in flight, or a merge, nothing else of its actor is, but other merges.
 *  8  "one executor": a message is in one request at a time.
 *  9  "non-forwarding": what is critical goes alone; an exclusive actor, or one that cannot be split, has one request in flight.
 */
import { MERGE_TYPE, readDualMessage } from "./dual-function";
import type { DualWorld } from "./dual-scenario";
import type { Request } from "./function-wire";
import { type Checker, Violation } from "./violation";

type Kind = "ordinary" | "critical" | "merge";

interface InFlight {
  readonly invocation: number;
  readonly kind: Kind;
  readonly messages: readonly string[];
}

export class DualWatch {
  readonly #inFlight = new Map<string, InFlight[]>();
  /** By first message: the messages of a request that was not answered well. */
  readonly #unfinished = new Map<string, string>();
  /** Most requests of one actor at a time, for those who ask whether there were lessees at all. */
  most = 0;

  constructor(private readonly dual: DualWorld) {}

  newTenure(): void {
    this.#inFlight.clear();
    this.#unfinished.clear();
  }

  dispatched(invocation: number, request: Request): void {
    const node = this.dual.nodes.find(({ name }) => name === request.type);
    if (!node) throw new Error(`there is no function ${request.type}`);
    const address = `${request.type}/${request.id}`;
    const merges = request.invocations[0]?.typename === MERGE_TYPE;
    const messages = merges ? [] : request.invocations.map((each) => readDualMessage(this.dual, node, request.id, each));
    const ids = messages.map(({ text }) => text.m);
    const kind: Kind = merges ? "merge" : messages[0]?.critical ? "critical" : "ordinary";
    const others = this.#inFlight.get(address) ?? [];
    this.#check(address, { invocation, kind, messages: ids }, others);
    const split = node.dual && node.states.every(({ merge }) => merge);
    const limit = 1 + (split ? (node.dual?.maxLessees ?? 0) : 0);
    if (others.length + 1 > limit)
      fail("one request in flight per address", `${address} has ${others.length + 1} requests in flight, and may have ${limit}`);
    this.#inFlight.set(address, [...others, { invocation, kind, messages: ids }]);
    this.most = Math.max(this.most, others.length + 1);
    this.#checkRetry(address, ids);
  }

  #check(address: string, { kind, messages }: InFlight, others: readonly InFlight[]): void {
    for (const other of others) {
      if (kind === "ordinary" && other.kind === "ordinary") {
        const twice = messages.find((each) => other.messages.includes(each));
        if (twice) fail("one request in flight per address", `${twice} is in two requests to ${address}`);
      } else if (kind !== "merge" || other.kind !== "merge") {
        const what = `${kind} (${messages.join(" ")})`;
        fail(
          "what is critical runs alone",
          `${address} got ${what} while ${other.kind} (${other.messages.join(" ")}) was in flight`,
        );
      }
    }
  }

  /** Those that move to another lane stand behind the first. */
  #checkRetry(address: string, ids: readonly string[]): void {
    const [first] = ids;
    if (first === undefined) return;
    const before = this.#unfinished.get(`${address}<${first}`);
    const now = ids.join(" ");
    if (before !== undefined && before !== now)
      fail("a failed batch is sent again as it was", `${address} got the messages ${before}, which failed, and then ${now}`);
    this.#unfinished.set(`${address}<${first}`, now);
  }

  /** `well`: its effects count. */
  ended(invocation: number, request: Request, well: boolean): void {
    const address = `${request.type}/${request.id}`;
    const others = this.#inFlight.get(address) ?? [];
    const ended = others.find((each) => each.invocation === invocation);
    this.#inFlight.set(
      address,
      others.filter((each) => each !== ended),
    );
    if (well && ended) this.#unfinished.delete(`${address}<${ended.messages[0]}`);
  }
}

function fail(checker: Checker, detail: string): never {
  throw new Violation(checker, detail);
}
