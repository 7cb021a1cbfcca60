/** HTTP to the fake functions: delays, timeouts, and answers that go wrong. Every dispatch is answered once, unless we die. */
import type { Effect } from "../../src/effect";
import { readMessageText } from "./cast";
import { DualWatch } from "./dual-watch";
import type { Answer, Call, Impossible } from "./function-host";
import { IMPOSSIBLE, troubled } from "./function-host";
import { decodeRequest, type Request } from "./function-wire";
import type { RouterProcess } from "./router-process";
import { CALL_TIMEOUT_MS } from "./scenario";
import { Violation } from "./violation";

type Dispatch = Extract<Effect, { kind: "dispatch" }>;

/** FromFunction.incomplete_invocation_context = 101, as a tag: aa 06. */
const INCOMPLETE_FIRST_BYTE = 0xaa;
const ROUNDS_MAX = 3;

export class EndpointDouble {
  /** Address → invocation, of the present tenure. */
  readonly #inFlight = new Map<string, number>();
  /** "endpoint/replica" → requests in flight. */
  readonly #perReplica = new Map<string, number>();
  /** Address → the messages of its last request, while that is not answered well. */
  readonly #unfinished = new Map<string, string>();
  /** The address whose answer, which asks for states, is being applied; and how many such rounds each has had at once. */
  #asking: string | undefined = undefined;
  readonly #rounds = new Map<string, number>();
  #tenure = 0;
  /** Calls answered while the audit topic was being described. */
  #waiting: Call[] = [];

  /** Where actors may have several requests in flight. */
  readonly dual: DualWatch | undefined;

  constructor(private readonly process: RouterProcess) {
    const { dual } = process.world.scenario;
    this.dual = dual && new DualWatch(dual);
  }

  /** A new tenure knows nothing of the requests of the one before; their answers are stale. */
  newTenure(): void {
    this.#tenure++;
    this.#inFlight.clear();
    this.dual?.newTenure();
    this.#unfinished.clear();
    this.#perReplica.clear();
    this.#waiting = [];
  }

  described(): void {
    for (const call of this.#waiting.splice(0)) call.appliedByMs = this.process.clock;
  }

  dispatch(effect: Dispatch): void {
    const { process } = this;
    const { world } = process;
    const request = decodeRequest(effect.body);
    const address = `${request.type}/${request.id}`;
    if (this.dual) this.dual.dispatched(effect.invocation, request);
    else {
      this.#enter(address, effect);
      this.#checkRetry(address, request);
      this.#checkRounds(address);
    }
    this.#take(effect);
    if (effect.functionName !== request.type)
      throw new Violation("requests are well formed", `${address} sent to ${effect.functionName}`);
    const call = world.functions.begin(process.clock);
    const firstMs = world.chance.delay(world.weather.callDelayMs / 2);
    const backMs = this.#answerDelay(request.id);
    const tenure = this.#tenure;
    process.note(`call ${call.number} to ${address}, ${request.invocations.length} messages`);
    let answer: Answer = { kind: "silence" };
    world.agenda.after(firstMs, () => {
      answer = this.#answerOf(effect, request.id, call);
    });
    const lateMs = firstMs + backMs;
    const { agenda } = world;
    // The answer is on its way when it is made; the clock of the call runs in the router.
    agenda.after(Math.min(lateMs, CALL_TIMEOUT_MS), () => {
      const inTime: Answer = lateMs < CALL_TIMEOUT_MS ? answer : { kind: "silence" };
      if (inTime.kind !== "silence") return process.hand(() => this.#answered(effect, request, tenure, call, inTime));
      agenda.after(CALL_TIMEOUT_MS - Math.min(lateMs, CALL_TIMEOUT_MS), () =>
        process.hand(() =>
          this.#answered(effect, request, tenure, call, { kind: "refused", reason: "timed out", failure: "timeout" }),
        ),
      );
    });
  }

  #answerDelay(id: string): number {
    const { chance, weather, functions, scenario } = this.process.world;
    if (scenario.slow && functions.isSlow(id)) return 500 + chance.delay(700);
    return chance.delay(weather.callDelayMs / 2);
  }

  #answerOf(effect: Dispatch, id: string, call: Call): Answer {
    const { chance, weather, functions, scenario, replicas } = this.process.world;
    if (replicas.isAway(effect.endpoint, effect.replica)) {
      // Its process is gone, and its machine says so; or its machine, and nobody does.
      return chance.of(0.8) ? { kind: "refused", reason: "its replica is away", failure: "connection" } : { kind: "silence" };
    }
    const poisoned = functions.isPoisoned(id);
    const trouble = poisoned || chance.of(weather.callFails);
    const impossible: Impossible | undefined = trouble && !poisoned && chance.of(0.4) ? chance.pick(IMPOSSIBLE) : undefined;
    if (impossible) return functions.run(effect.body, call, impossible);
    const stubborn = functions.isStubborn(`${effect.functionName}/${id}`);
    if (stubborn || (trouble && chance.of(0.1))) return functions.stubborn(effect.body, call);
    if (!trouble) return functions.run(effect.body, call, undefined);
    if (!poisoned) return troubled(chance.next(), functions.run(effect.body, call, undefined), call);
    const refusal: Answer = { kind: "refused", reason: "poisoned" };
    const answer = troubled(chance.next(), refusal, call);
    // Where slots are few, a poisoned address that keeps each for the whole timeout would rightly starve the others.
    return answer.kind === "silence" && scenario.fewSlots ? refusal : answer;
  }

  #answered(effect: Dispatch, request: Request, tenure: number, call: Call, answer: Exclude<Answer, { kind: "silence" }>): void {
    const { process } = this;
    const { invocation } = effect;
    const address = `${request.type}/${request.id}`;
    if (tenure === this.#tenure) {
      this.#leave(address, effect);
      this.dual?.ended(invocation, request, answer.kind === "reply" && call.flaw === undefined && call.complete);
    }
    if (answer.kind === "refused") {
      const { reason, failure } = answer;
      return process.apply({ kind: "invocation_failed", invocation, reason, ...(failure ? { failure } : {}) });
    }
    if (tenure === this.#tenure && call.flaw === undefined && call.complete) this.#unfinished.delete(address);
    call.appliedMs = process.clock;
    call.appliedByMs = process.clock;
    if (!process.auditKnown) this.#waiting.push(call);
    const { status, contentType, retryAfterMs } = answer;
    const body = process.world.tooth?.reply?.(answer.body) ?? answer.body;
    this.#asking = body[0] === INCOMPLETE_FIRST_BYTE ? address : undefined;
    process.apply({ kind: "invocation_replied", invocation, status, contentType, body, retryAfterMs });
    this.#asking = undefined;
  }

  #checkRounds(address: string): void {
    const rounds = this.#asking === address ? (this.#rounds.get(address) ?? 0) + 1 : 0;
    this.#rounds.set(address, rounds);
    if (rounds <= ROUNDS_MAX) return;
    throw new Violation(
      "an incomplete answer is asked again three times at most",
      `${address} was asked ${rounds} times at once`,
    );
  }

  /** Incomplete answers count as unfinished, too: the same messages come once more. */
  #checkRetry(address: string, request: Request): void {
    const messages = request.invocations.map(({ text }) => readMessageText(text).messageId).join(" ");
    const before = this.#unfinished.get(address);
    if (before !== undefined && before !== messages) {
      const told = `${this.process.name} sent ${address} the messages ${before}, which failed, and then ${messages}`;
      throw new Violation("a failed batch is sent again as it was", told);
    }
    this.#unfinished.set(address, messages);
  }

  #enter(address: string, effect: Dispatch): void {
    const other = this.#inFlight.get(address);
    if (other !== undefined) {
      const told = `${this.process.name} dispatched invocation ${effect.invocation} of ${address} while ${other} was in flight`;
      throw new Violation("one request in flight per address", told);
    }
    this.#inFlight.set(address, effect.invocation);
  }

  #take(effect: Dispatch): void {
    const replica = replicaOf(effect);
    const count = (this.#perReplica.get(replica) ?? 0) + 1;
    this.#perReplica.set(replica, count);
    const endpoint = this.process.world.scenario.module.endpoints[effect.endpoint];
    const most = endpoint?.urls[effect.replica] === undefined ? 0 : endpoint.concurrency;
    if (count > most)
      throw new Violation("memory stays within bounds", `${count} requests in flight to replica ${replica}, which takes ${most}`);
  }

  #leave(address: string, effect: Dispatch): void {
    this.#inFlight.delete(address);
    const replica = replicaOf(effect);
    this.#perReplica.set(replica, (this.#perReplica.get(replica) ?? 1) - 1);
  }
}

function replicaOf({ endpoint, replica }: Dispatch): string {
  return `${endpoint}/${replica}`;
}
