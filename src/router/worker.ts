/**
 * One replica of an endpoint with its slots: how many requests it may have in flight now, and whether it is given any.
 *
 *   slots = 0 while it is closed (endpoint.ts, W3) or asked to be left alone (Retry-After), else what is configured, or found to be good
 *
 * Leaves to others: how many are good (slots.ts), when a replica fails (replica-health.ts), what it runs (endpoint.ts).
 */
import type { Effects } from "../effect";
import type { Event } from "../event";
import type { Message } from "../model/message";
import type { Endpoint } from "./endpoint";
import type { Mailbox } from "./mailbox";
import { type HealthPhase, ReplicaHealth, type Sign } from "./replica-health";
import type { Shares } from "./shares";
import { AdaptiveSlots } from "./slots";

type Replied = Extract<Event, { kind: "invocation_replied" }>;
type Unanswered = Extract<Event, { kind: "invocation_failed" }>;

/** An invocation that ends. */
export interface Sent {
  readonly mailbox: Mailbox;
  readonly batch: readonly Message[];
  readonly dispatchedMs: number;
  readonly attempt: number;
}

/** Has the worker woken (`woken`) then: only time will change something about it. */
export type WakeAt = (atMs: number, worker: Worker) => void;

export class Worker {
  inFlight = 0;
  /** How many requests it may have in flight now. */
  slots: number;
  /** It may be given work. */
  open = true;
  readonly #adaptive: AdaptiveSlots | undefined;
  /** Where there are others to turn to. */
  readonly #health: ReplicaHealth | undefined;

  constructor(
    /** In the endpoint's `workers` and `urls`. */
    readonly index: number,
    readonly endpoint: Endpoint,
    /** Where it takes its work from. */
    readonly queue: Shares,
    private readonly wakeAt: WakeAt,
  ) {
    const { concurrency, adaptive, urls } = endpoint.specification;
    if (adaptive) this.#adaptive = new AdaptiveSlots(concurrency);
    if (urls.length > 1) this.#health = new ReplicaHealth();
    this.slots = this.#adaptive?.limitAt(0) ?? concurrency;
  }

  get url(): string {
    return this.endpoint.specification.urls[this.index] as string;
  }

  get free(): boolean {
    return this.inFlight < this.slots;
  }

  get health(): HealthPhase["kind"] {
    return this.#health?.phase.kind ?? "well";
  }

  /** An invocation begins. */
  began(now: number): void {
    this.inFlight++;
    if (this.#health?.phase.kind !== "due") return;
    this.#health.began(now);
    this.endpoint.arrange(now);
  }

  /** A reply came, and was judged; `again`: it asks for states, and the invocation goes on. */
  replied(sent: Sent, reply: Replied, judged: "reply" | "again" | "failed", now: number, effects: Effects): void {
    if (this.#adaptive && judged !== "again") this.#fit(this.#adaptive, sent, reply, judged === "reply", now);
    if (this.#health) this.#saw(this.#health, signOf(reply, sent.attempt), sent, `it answered ${reply.status}`, now, effects);
  }

  #fit(slots: AdaptiveSlots, sent: Sent, { status, retryAfterMs }: Replied, good: boolean, now: number): void {
    const { mailbox, batch, dispatchedMs } = sent;
    const { inFlight } = this;
    if (good) slots.served({ kind: mailbox.type, size: batch.length, sentMs: dispatchedMs, inFlight }, now);
    if (status === 429 || status === 503) {
      const untilMs = slots.refused(dispatchedMs, inFlight, retryAfterMs, now);
      if (untilMs !== undefined) this.wakeAt(untilMs, this);
    }
    this.#refresh(now);
  }

  /** No reply came. */
  unanswered(sent: Sent, { failure, reason }: Unanswered, now: number, effects: Effects): void {
    if (this.#adaptive && failure === "timeout") {
      this.#adaptive.shrink(sent.dispatchedMs, this.inFlight, now);
      this.#refresh(now);
    }
    if (this.#health) this.#saw(this.#health, failure ? "failed" : "nothing", sent, reason, now, effects);
  }

  #saw(health: ReplicaHealth, sign: Sign, { dispatchedMs }: Sent, reason: string, now: number, effects: Effects): void {
    const before = health.phase.kind;
    health.saw(sign, dispatchedMs, now);
    const { phase } = health;
    if (phase.kind === before) return;
    this.endpoint.arrange(now);
    if (phase.kind === "avoided") {
      this.wakeAt(phase.untilMs, this);
      this.#report("warn", `is avoided for ${phase.pauseMs} ms: ${reason}`, effects);
    } else if (phase.kind === "well") this.#report("info", "answers again", effects);
  }

  #report(level: "info" | "warn", what: string, effects: Effects): void {
    const { specification, wellText } = this.endpoint;
    const text = `endpoint ${specification.id}: replica ${this.url} ${what}; ${wellText}`;
    effects.push({ kind: "report", level, text, fields: { endpoint: specification.id, replica: this.url } });
  }

  /** An instant it has asked for is there. */
  woken(now: number): void {
    this.#health?.woken(now);
    this.endpoint.arrange(now);
  }

  /** `anyWell`: there are others to turn to. */
  arranged(anyWell: boolean, now: number): void {
    this.open = !anyWell || this.#health === undefined || this.#health.open;
    this.#refresh(now);
  }

  #refresh(now: number): void {
    const most = this.#adaptive?.limitAt(now) ?? this.endpoint.specification.concurrency;
    this.slots = this.open ? most : 0;
  }
}

/** What a reply says of the replica that gave it. */
function signOf({ status, retryAfterMs }: Replied, attempt: number): Sign {
  if (status < 500) return "alive";
  // From a proxy that reaches nobody behind it. Who says when to come again is only busy.
  if (status === 502 || status === 504) return "failed";
  if (status === 503) return retryAfterMs === undefined ? "failed" : "alive";
  // A batch that fails again is its own fault for all we know.
  return attempt === 1 ? "failed" : "nothing";
}
