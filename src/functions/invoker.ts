/**
 * The functions room's face: a batch of one address's messages becomes a request, and the answer is judged.
 *
 * Owns: requests in flight, incomplete rounds, the pauses between attempts. Leaves to others: what a good reply causes.
 *
 *   taken ──dispatch──▶ in flight ──replied──▶ judged: reply | again (states were missing) | failed
 *                          ▲                              │
 *                          └──────────── again ───────────┘   at most INCOMPLETE_ROUNDS_MAX times
 *
 * F1  Every invocation ends once; an answer to one that is not in flight is stale.
 * F2  Success is a status of 200–299 and the content type application/octet-stream, nothing less: an Undertow handler of the
 *     Java documentation answers a failed batch with 200 and an empty body (STATEFUN.md §1.2).
 */
import type { EngineOptions } from "../config/specification";
import type { Effects } from "../effect";
import type { Event } from "../event";
import { addressText } from "../model/address";
import { Counter } from "../model/counter";
import { ProtocolError } from "../model/errors";
import type { Message } from "../model/message";
import type { Random } from "../model/random";
import type { Mailbox } from "../router/mailbox";
import type { Worker } from "../router/router";
import type { StateStore } from "../state/store";
import { decodeReply, encodeAddress, encodeRequest, type Reply, type StateDeclaration } from "./wire";

/** StateFun repeats for ever; a function that declares anew each time would spin (STATEFUN.md §9, trap 4). */
const INCOMPLETE_ROUNDS_MAX = 3;

export interface Invocation {
  readonly id: number;
  readonly mailbox: Mailbox;
  /** Whose slot it holds. */
  readonly worker: Worker;
  readonly batch: readonly Message[];
  readonly dispatchedMs: number;
  readonly attempt: number;
  rounds: number;
  /** No states were listed, so that the function tells its declarations. */
  bare: boolean;
}

export type Verdict =
  | { readonly kind: "reply"; readonly reply: Reply }
  | { readonly kind: "again"; readonly declared: readonly StateDeclaration[] }
  | { readonly kind: "failed"; readonly reason: string; readonly retryAfterMs: number | undefined };

export class Invoker {
  readonly #inFlight = new Map<number, Invocation>();

  constructor(
    private readonly options: EngineOptions,
    private readonly random: Random,
    private readonly store: StateStore,
    private readonly ids = new Counter(),
  ) {}

  get inFlight(): number {
    return this.#inFlight.size;
  }

  begin(mailbox: Mailbox, worker: Worker, batch: readonly Message[], now: number, effects: Effects): Invocation {
    const attempt = mailbox.phase.kind === "running" ? mailbox.phase.attempt : 1;
    // The first request of a type after a start lists no states: the function then declares them, and a changed time to live is
    // noticed; values it does not declare are not touched.
    const bare = !mailbox.type.confirmed && mailbox.type.states.slots.length > 0;
    const id = this.ids.next();
    const invocation: Invocation = { id, mailbox, worker, batch, dispatchedMs: now, attempt, rounds: 0, bare };
    this.#send(invocation, now, effects);
    return invocation;
  }

  #send(invocation: Invocation, now: number, effects: Effects): void {
    const { mailbox, batch, worker } = invocation;
    const { type, memory } = mailbox;
    const slots = invocation.bare ? [] : type.states.slots;
    const values = invocation.bare ? [] : this.store.read(memory, now);
    this.#inFlight.set(invocation.id, invocation);
    effects.push({
      kind: "dispatch",
      invocation: invocation.id,
      endpoint: worker.endpoint.index,
      replica: worker.index,
      functionName: type.name,
      traceparent: (batch[0] as Message).provenance.traceparent,
      body: encodeRequest(encodeAddress(mailbox.address), slots, values, batch),
    });
  }

  /** States were missing and are declared now: the same messages once more, at once. */
  again(invocation: Invocation, now: number, effects: Effects): void {
    invocation.bare = false;
    this.#send(invocation, now, effects);
  }

  /** The invocation this answer belongs to, which is in flight no more; undefined for a stale answer (F1). */
  end(id: number): Invocation | undefined {
    const invocation = this.#inFlight.get(id);
    if (invocation) this.#inFlight.delete(id);
    return invocation;
  }

  judge(invocation: Invocation, event: Extract<Event, { kind: "invocation_replied" }>): Verdict {
    const { status, contentType, retryAfterMs } = event;
    if (status < 200 || status > 299) return failed(`answered ${status}`, retryAfterMs);
    if (contentType?.toLowerCase() !== "application/octet-stream") {
      return failed(`answered ${status} with content type ${contentType ?? "(none)"} instead of application/octet-stream`);
    }
    let reply: Reply;
    try {
      reply = decodeReply(event.body);
    } catch (error) {
      if (error instanceof ProtocolError) return failed(error.message);
      throw error;
    }
    invocation.mailbox.type.confirmed = true;
    return reply.incomplete ? this.#judgeIncomplete(invocation, reply.incomplete) : { kind: "reply", reply };
  }

  #judgeIncomplete(invocation: Invocation, declarations: readonly StateDeclaration[]): Verdict {
    const { states } = invocation.mailbox.type;
    invocation.rounds++;
    if (invocation.rounds > INCOMPLETE_ROUNDS_MAX) return failed(`still misses states after ${INCOMPLETE_ROUNDS_MAX} rounds`);
    const typenames = new Map<string, string>();
    for (const declaration of declarations) {
      const { name, typename } = declaration;
      const objection = states.objection(declaration);
      if (objection) return failed(objection);
      const before = typenames.get(name) ?? typename;
      if (before !== typename) return failed(`declares state '${name}' both as ${before} and as ${typename}`);
      typenames.set(name, typename);
    }
    return { kind: "again", declared: declarations.filter((declaration) => states.declare(declaration)) };
  }

  /** How long an address rests after its n-th failed attempt: exponential, capped, jittered to 50–100 %. */
  pauseMs(attempt: number, retryAfterMs: number | undefined): number {
    const doubled = this.options.retryFirstMs * 2 ** Math.min(attempt - 1, 30);
    const pause = Math.min(this.options.retryMaxMs, doubled) * (0.5 + 0.5 * this.random.next());
    return retryAfterMs === undefined ? pause : Math.max(pause, Math.min(retryAfterMs, this.options.retryMaxMs));
  }
}

function failed(reason: string, retryAfterMs?: number): Verdict {
  return { kind: "failed", reason, retryAfterMs };
}

/** "example/greeter/alice, 3 messages" for people. */
export function invocationText(invocation: Invocation): string {
  const count = invocation.batch.length;
  return `${addressText(invocation.mailbox.address)}, ${count} ${count === 1 ? "message" : "messages"}`;
}
