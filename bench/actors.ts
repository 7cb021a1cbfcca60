/** What a message costs the router when 1,000, 10,000 or 100,000 actors are alive. One message per request, so that batches do not differ. */
import { peakMegabytes, UsageSampler } from "./process-usage";
import type { Report } from "./report";
import { awaitResults, checkCounts, paceOf } from "./results";
import type { Stage } from "./stage";
import { countKeys, uniformKeys } from "./workload";

export const actorCounts: readonly number[] = [1_000, 10_000, 100_000];
const messages = 100_000;

export async function measureActors(stage: Stage, actors: number, seed: number, report: Report): Promise<void> {
  const topics = await stage.createTopics(`actors-${actors}`);
  const functions = await stage.functions(topics);
  const router = await stage.router(topics, functions, { batchMax: 1 });
  await router.ready();
  const each = Array.from({ length: actors }, (_, index) => `k${index}`);
  await stage.preload(topics.input, each);
  await awaitResults(stage, topics.results, actors, () => router.running);
  const key = uniformKeys(actors, seed);
  const keys = Array.from({ length: messages }, () => key());
  const sampler = new UsageSampler({ router: router.pid });
  await stage.preload(topics.input, keys, actors);
  const results = await awaitResults(stage, topics.results, actors + messages, () => router.running);
  sampler.stop();
  checkCounts(results, countKeys([...each, ...keys]));
  const later = results
    .map(({ appendedMs }) => appendedMs)
    .sort((a, b) => a - b)
    .slice(actors);
  const { firstMs, lastMs, counted } = paceOf(later.map((appendedMs) => ({ key: "", value: "", appendedMs })));
  const cpuSeconds = sampler.between("router", firstMs, lastMs);
  report.add({
    what: `${actors.toLocaleString("en")} actors`,
    "records/s": counted / ((lastMs - firstMs) / 1_000),
    "router CPU s": cpuSeconds,
    "router µs/msg": (cpuSeconds * 1e6) / counted,
    "router MB": peakMegabytes(router.pid),
  });
  await router.end();
  await functions.end();
}
