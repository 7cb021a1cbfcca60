/**
 * Whether a replica is to be avoided. Pure: instants are parameters, ms.
 *
 *   well ── FAILURES_MAX in a row ──▶ avoided ── its pause is over ──▶ due ── one invocation begins ──▶ probing
 *    ▲                                 ▲                                ▲                              │ │ │
 *    │                                 │                                └─── it says nothing ──────────┘ │ │
 *    │                                 └──── it failed: a pause twice as long ───────────────────────────┘ │
 *    └── an answer, in any phase ◀─────────────────────────────────────────────────────────────────────────┘
 *
 * B1  A replica that is avoided, or is probing, gets no invocation while another is well (endpoint.ts).
 * B2  A failure counts only if its request was sent in the present phase: what was under way when it was given up, or before it
 *     came back, is known already.
 */
import { unreachable } from "../model/errors";

export type HealthPhase =
  | { readonly kind: "well"; readonly failures: number; readonly sinceMs: number }
  | { readonly kind: "avoided"; readonly pauseMs: number; readonly untilMs: number }
  | { readonly kind: "due"; readonly pauseMs: number }
  | { readonly kind: "probing"; readonly pauseMs: number; readonly sinceMs: number };

/** `nothing`: it failed, and that may be the message's fault. */
export type Sign = "alive" | "failed" | "nothing";

/** One may be a connection that was closed while idle, two a restart behind a load balancer. */
const FAILURES_MAX = 3;
const PAUSE_FIRST_MS = 1_000;
const PAUSE_MAX_MS = 30_000;

export class ReplicaHealth {
  #phase: HealthPhase = { kind: "well", failures: 0, sinceMs: Number.NEGATIVE_INFINITY };

  get phase(): HealthPhase {
    return this.#phase;
  }

  /** It may be given an invocation although others are well. */
  get open(): boolean {
    return this.#phase.kind === "well" || this.#phase.kind === "due";
  }

  /** An invocation begins. */
  began(now: number): void {
    if (this.#phase.kind === "due") this.#phase = { kind: "probing", pauseMs: this.#phase.pauseMs, sinceMs: now };
  }

  /** Time has passed: a pause may be over. */
  woken(now: number): void {
    if (this.#phase.kind === "avoided" && now >= this.#phase.untilMs) this.#phase = { kind: "due", pauseMs: this.#phase.pauseMs };
  }

  /** What came of an invocation that was sent then. */
  saw(sign: Sign, sentMs: number, now: number): void {
    switch (sign) {
      case "alive":
        return this.#alive(now);
      case "failed":
        return this.#failed(sentMs, now);
      case "nothing":
        return this.#saidNothing(sentMs);
      default:
        unreachable(sign);
    }
  }

  #alive(now: number): void {
    const { kind } = this.#phase;
    if (kind !== "well") this.#phase = { kind: "well", failures: 0, sinceMs: now };
    else if (this.#phase.failures > 0) this.#phase = { ...this.#phase, failures: 0 };
  }

  /** B2. */
  #failed(sentMs: number, now: number): void {
    const phase = this.#phase;
    if (phase.kind === "avoided" || phase.kind === "due" || sentMs < phase.sinceMs) return;
    if (phase.kind === "probing") return this.#avoid(Math.min(PAUSE_MAX_MS, phase.pauseMs * 2), now);
    const failures = phase.failures + 1;
    if (failures >= FAILURES_MAX) this.#avoid(PAUSE_FIRST_MS, now);
    else this.#phase = { ...phase, failures };
  }

  #avoid(pauseMs: number, now: number): void {
    this.#phase = { kind: "avoided", pauseMs, untilMs: now + pauseMs };
  }

  /** Somebody else must be asked. */
  #saidNothing(sentMs: number): void {
    const phase = this.#phase;
    if (phase.kind === "probing" && sentMs >= phase.sinceMs) this.#phase = { kind: "due", pauseMs: phase.pauseMs };
  }
}
