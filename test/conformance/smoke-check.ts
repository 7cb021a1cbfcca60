/** Runs the smoke test on a bench and compares with the model. */
import type { Bench } from "./bench";
import type { Observation } from "./scenarios";
import { type Smoke, SOURCE_TAG } from "./smoke";

interface Report {
  readonly tag: string;
  readonly value?: number | null;
}

/** What an actor did: its tags sorted, the numbers of its messages from the topic in the order handled, and its count, asked twice. */
export interface Life {
  readonly tags: readonly string[];
  readonly sources: readonly number[];
  readonly counts: readonly (number | null | undefined)[];
}

const isVerification = (tag: string) => tag.startsWith("verify-");

function lifeOf(observations: readonly Observation[]): Life {
  const reports = observations.map((seen) => ("json" in seen ? seen.json : { tag: seen.hex }) as unknown as Report);
  const tags = reports.map(({ tag }) => tag).filter((tag) => !isVerification(tag));
  return {
    tags: [...tags].sort(),
    sources: tags.filter((tag) => tag.startsWith(SOURCE_TAG)).map((tag) => Number(tag.slice(SOURCE_TAG.length))),
    counts: reports.filter(({ tag }) => isVerification(tag)).map(({ value }) => value),
  };
}

export function expectedLives({ tags, counts }: Smoke): Record<string, Life> {
  const lives = [...tags].map(([id, list]) => {
    const sources = list.filter((tag) => tag.startsWith(SOURCE_TAG)).map((tag) => Number(tag.slice(SOURCE_TAG.length)));
    const count = counts.get(id) ?? null;
    return [id, { tags: [...list].sort(), sources, counts: [count, count] }] as const;
  });
  return Object.fromEntries(lives);
}

/** `quietMs` between the two times the counts are asked for: what arrives late must not count twice. */
export async function livesOf(test: Smoke, bench: Bench, quietMs: number): Promise<Record<string, Life>> {
  const actors = [...test.tags];
  const handled = (more: number) => () => actors.every(([id, tags]) => bench.results(id).length >= tags.length + more);
  await bench.say(test.messages);
  await bench.until(handled(0));
  for (const round of [1, 2]) {
    if (round > 1) await bench.pass(quietMs);
    await bench.say(
      actors.map(([id]) => ({ id, command: { tag: `verify-${round}`, operations: [{ do: "get", state: "count" }] } })),
    );
    await bench.until(handled(round));
  }
  return Object.fromEntries(actors.map(([id]) => [id, lifeOf(bench.results(id))]));
}
