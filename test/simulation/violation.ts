/** The names of the promises that are watched. A violation says which one was broken, and how. */
export type Checker =
  | "nothing is lost"
  | "effects count once"
  | "order per sender and address"
  | "one request in flight per address"
  | "progress never passes unfinished work"
  | "memory stays within bounds"
  | "everything drains"
  | "a zombie's units never become visible"
  | "restored state equals running state"
  | "no runnable message waits unscheduled"
  | "the engine keeps its own invariants"
  | "requests are well formed"
  | "units can land"
  | "a reply counts whole or not at all"
  | "a failed batch is sent again as it was"
  | "an incomplete answer is asked again three times at most"
  | "state lives as long as declared"
  | "delays and cancellations hold"
  | "prior exactly"
  | "no early post"
  | "what is critical runs alone"
  | "merged state is the fold"
  | "barrier once"
  | "leases end"
  | "control tells what is";

export class Violation extends Error {
  override readonly name = "Violation";
  constructor(
    readonly checker: Checker,
    readonly detail: string,
  ) {
    super(`${checker}: ${detail}`);
  }
}
