/**
 * Delayed messages and their cancellation tokens.
 *
 * A token belongs to the full address of the sender (StateFun's scope is the id alone, by which unrelated functions collide:
 * STATEFUN.md §1.5), and is live from the send until the message fires or is cancelled.
 */
import { type Address, addressText } from "../model/address";
import type { Delayed } from "./pending";
import type { OutgoingDelayed } from "./wire";

export class DelayedMessages {
  readonly #tokens = new Map<string, Map<string, Delayed>>();
  waiting = 0;

  /** Why this list of sends and cancels, in order, is impossible for this sender; undefined if it is possible. */
  objection(sender: Address, list: readonly OutgoingDelayed[]): string | undefined {
    if (list.length === 0) return undefined;
    const live = new Set(this.#tokens.get(addressText(sender))?.keys());
    for (const { delayMs, cancel, token } of list) {
      if (cancel) {
        if (!token) return "cancels a delayed message without naming its token";
        live.delete(token);
      } else {
        if (!(delayMs >= 0)) return `sends a message with a delay of ${delayMs} ms; a delay is 0 or more`;
        if (!token) continue;
        if (live.has(token)) return `sends a delayed message with token '${token}', which is still live for this address`;
        live.add(token);
      }
    }
    return undefined;
  }

  add(delayed: Delayed): void {
    this.waiting++;
    if (!delayed.token || !delayed.message.caller) return;
    const sender = addressText(delayed.message.caller);
    let tokens = this.#tokens.get(sender);
    if (!tokens) {
      tokens = new Map();
      this.#tokens.set(sender, tokens);
    }
    tokens.set(delayed.token, delayed);
  }

  /** The live message with this token, which is cancelled by this; undefined when it has fired or never was. */
  cancel(sender: Address, token: string): Delayed | undefined {
    const delayed = this.#tokens.get(addressText(sender))?.get(token);
    if (!delayed) return undefined;
    delayed.cancelled = true;
    this.#remove(delayed);
    return delayed;
  }

  fire(delayed: Delayed): void {
    delayed.fired = true;
    this.#remove(delayed);
  }

  #remove(delayed: Delayed): void {
    this.waiting--;
    if (!delayed.token || !delayed.message.caller) return;
    const sender = addressText(delayed.message.caller);
    const tokens = this.#tokens.get(sender);
    // After a restart two may bear one token: one that had fired, and one that was sent then.
    if (tokens?.get(delayed.token) !== delayed) return;
    tokens.delete(delayed.token);
    if (tokens.size === 0) this.#tokens.delete(sender);
  }
}
