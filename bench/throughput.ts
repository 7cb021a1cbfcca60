/** How fast 200,000 waiting records are worked off, and what that costs: pipe, hot, zipf, cold. */
import { peakMegabytes, UsageSampler } from "./process-usage";
import type { Report, Row } from "./report";
import { awaitResults, checkCopies, checkCounts, paceOf, type Result } from "./results";
import type { Stage } from "./stage";
import { countKeys, type KeyKind, keysOf } from "./workload";

export interface Load {
  readonly records: number;
  readonly seed: number;
}

function drawn(kind: KeyKind, { records, seed }: Load): string[] {
  const keys = keysOf(kind, seed);
  return Array.from({ length: records }, () => keys());
}

/** The client alone, on the keys of `kind`. */
export async function measurePipe(stage: Stage, kind: KeyKind, load: Load, report: Report): Promise<void> {
  const keys = drawn(kind, load);
  const topics = await stage.createTopics(`pipe-${kind}`);
  await stage.preload(topics.input, keys);
  const pipe = stage.pipe(topics);
  const sampler = new UsageSampler({ router: pipe.pid, broker: stage.broker.pid });
  const results = await awaitResults(stage, topics.results, load.records, () => pipe.running());
  sampler.stop();
  const memory = { "router MB": peakMegabytes(pipe.pid), "broker MB": peakMegabytes(stage.broker.pid) };
  await pipe.end();
  checkCopies(results, keys);
  report.add({ what: `pipe, keys ${kind}`, ...costs(results, sampler), ...memory });
}

export async function measureCounting(stage: Stage, kind: KeyKind, load: Load, report: Report): Promise<void> {
  const keys = drawn(kind, load);
  const topics = await stage.createTopics(kind);
  await stage.preload(topics.input, keys);
  const functions = await stage.functions(topics);
  const router = await stage.router(topics, functions);
  const sampler = new UsageSampler({ router: router.pid, functions: functions.pid, broker: stage.broker.pid });
  const results = await awaitResults(stage, topics.results, load.records, () => router.running);
  sampler.stop();
  const memory = {
    "router MB": peakMegabytes(router.pid),
    "functions MB": peakMegabytes(functions.pid),
    "broker MB": peakMegabytes(stage.broker.pid),
  };
  const { code } = await router.end();
  if (code !== 0) throw new Error(`the router ended with code ${code}:\n${router.story}`);
  await functions.end();
  checkCounts(results, countKeys(keys));
  report.add({ what: kind, ...costs(results, sampler), ...memory });
}

/** Rates, and CPU time between the first and the last result, in all and per message. */
function costs(results: readonly Result[], sampler: UsageSampler): Row {
  const { firstMs, lastMs, counted, perSecond, steadyPerSecond } = paceOf(results);
  const row: Record<string, number> = {
    "records/s": perSecond,
    "steady/s": steadyPerSecond,
    seconds: (lastMs - firstMs) / 1_000,
  };
  for (const name of Object.keys(sampler.pids)) {
    const seconds = sampler.between(name, firstMs, lastMs);
    row[`${name} CPU s`] = seconds;
    row[`${name} µs/msg`] = (seconds * 1e6) / counted;
  }
  return row;
}
