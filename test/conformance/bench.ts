/** Where scenarios run: a router with functions behind it, real or a stand-in. */
import type { ProtocolReply, ProtocolRequest } from "./protocol";
import type { Message, Observation, RawObservation, Scenario } from "./scenarios";

export interface Bench {
  say(messages: readonly Message[]): Promise<void>;
  /** Lets that time go by. */
  pass(ms: number): Promise<void>;
  results(id: string): readonly Observation[];
  raw(id: string): readonly RawObservation[];
  /** Resolves when `holds` does, or when it is no use to wait longer. */
  until(holds: () => boolean): Promise<void>;
}

/** One request to the functions and its answer. */
export interface Exchange {
  readonly request: ProtocolRequest;
  readonly status: number;
  /** undefined unless the status is 2xx and the content type right. */
  readonly reply: ProtocolReply | undefined;
}

/** What the scenario should give, and what it gave, in one shape. */
export interface Outcome {
  readonly results: Readonly<Record<string, readonly Observation[]>>;
  readonly raw: Readonly<Record<string, readonly RawObservation[]>>;
}

export function expectedOf(scenario: Scenario): Outcome {
  return { results: scenario.results ?? {}, raw: scenario.raw ?? {} };
}

export async function outcomeOf(scenario: Scenario, bench: Bench): Promise<Outcome> {
  for (const { afterMs, messages, seen = {} } of scenario.steps) {
    if (afterMs !== undefined) await bench.pass(afterMs);
    await bench.say(messages);
    await bench.until(() => Object.entries(seen).every(([id, count]) => bench.results(id).length >= count));
  }
  const { results, raw } = expectedOf(scenario);
  const complete = (expected: Readonly<Record<string, readonly unknown[]>>, seen: (id: string) => readonly unknown[]) =>
    Object.entries(expected).every(([id, list]) => seen(id).length >= list.length);
  await bench.until(() => complete(results, (id) => bench.results(id)) && complete(raw, (id) => bench.raw(id)));
  await bench.pass(scenario.quietMs ?? 0);
  return {
    results: Object.fromEntries(Object.keys(results).map((id) => [id, [...bench.results(id)]])),
    raw: Object.fromEntries(Object.keys(raw).map((id) => [id, [...bench.raw(id)]])),
  };
}

export function observationOf(value: Buffer): Observation {
  const text = value.toString("utf8");
  return text.startsWith("{") ? { json: JSON.parse(text) } : { hex: value.toString("hex") };
}

/** Adds to a list by key. */
export function gather<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
