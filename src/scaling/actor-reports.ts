/** What the log tells of actors in dual mode: collected where it happens, told after the event. */
import type { Effects, ReportLevel } from "../effect";
import { addressText } from "../model/address";
import type { Channel } from "./alignment";
import type { DualActor } from "./dual-actor";
import { someOf } from "./explanation";
import type { Lease } from "./lease";
import type { SectionReason } from "./section";

export class ActorReports {
  #untold: Effects = [];

  leaseGranted(actor: DualActor, { lane, mailbox }: Lease, reason: string): void {
    const where = mailbox.worker ? ` on replica ${mailbox.worker.index}` : "";
    this.#add("debug", actor, `lessee ${lane} opened${where}: ${reason}`);
  }

  leaseEnded(actor: DualActor, { lane, applied, grantedMs }: Lease, reason: SectionReason, now: number): void {
    this.#add("debug", actor, `lessee ${lane} ended (${reason}) after ${Math.round(now - grantedMs)} ms and ${applied} messages`);
  }

  lateBarrier(actor: DualActor, barrier: number): void {
    this.#add("warn", actor, `a critical message of barrier ${barrier} came after that barrier was done; it runs by itself`);
  }

  mergeFailed(actor: DualActor, reason: string, attempt: number, pauseMs: number): void {
    const next = `attempt ${attempt}, next in ${Math.round(pauseMs)} ms; nothing of it runs until then`;
    this.#add("error", actor, `its partial states cannot be merged: ${reason}; ${next}`, { attempt });
  }

  /** A barrier has been waited for this long. */
  barrierAwaited(actor: DualActor, missing: readonly Channel[], afterMs: number): void {
    const from = missing.length > 0 ? someOf(missing) : "its watermark";
    const waits = `it has waited ${afterMs / 1_000} s for barrier ${actor.awaited}; nothing yet from ${from}`;
    this.#add("warn", actor, `${waits}; ${actor.holding} messages are held`);
  }

  /** After a restart: so many actors were found with parts. */
  recovered(actors: number): void {
    if (actors === 0) return;
    const who = actors === 1 ? "1 actor has" : `${actors} actors have`;
    const text = `${who} partial states of lessees in the log: they are merged before anything of the actor runs`;
    this.#untold.push({ kind: "report", level: "info", text, fields: { actors } });
  }

  #add(level: ReportLevel, { lessor }: DualActor, text: string, more: Readonly<Record<string, unknown>> = {}): void {
    const fields = { function: lessor.type.typename, ...more };
    this.#untold.push({ kind: "report", level, text: `${addressText(lessor.address)}: ${text}`, fields });
  }

  tell(effects: Effects): void {
    if (this.#untold.length === 0) return;
    effects.push(...this.#untold);
    this.#untold = [];
  }
}
