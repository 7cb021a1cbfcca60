/** From when a record was due to be produced until a committed reader holds its result, at fixed rates. */
import { setTimeout as sleep } from "node:timers/promises";
import { Arrivals, OpenLoop, Schedule } from "./live";
import { threadSeconds, UsageSampler } from "./process-usage";
import type { Report, Row } from "./report";
import type { Stage, Topics } from "./stage";
import { summarize } from "./statistics";
import { uniformKeys } from "./workload";

export const latencyRates: readonly number[] = [500, 2_000];
const keys = 10_000;
const warmSeconds = 5;
/**
 * A JVM that has just started compiles its transaction paths under the first load, for minutes, on the cores that everybody shares; a broker
 * that has been running does not. So it is loaded until its compilers take less of a core than this.
 */
const calmCompilers = 0.05;
const warmSliceSeconds = 10;
const warmSlicesMax = 18;
const brokerWarmPerSecond = 2_000;
/** As the kernel has their names, at most 15 letters of them. */
const compilers = /^C[12] CompilerThre/;

export interface LatencyLoad {
  readonly seconds: number;
  readonly seed: number;
}

/** Once per broker, before anything is measured. */
export async function warmBroker(stage: Stage, seed: number): Promise<void> {
  const topics = await stage.createTopics("warm");
  const functions = await stage.functions(topics);
  const router = await stage.router(topics, functions);
  await router.ready();
  const loop = new OpenLoop(stage, topics.input, uniformKeys(keys, seed), new Schedule());
  await loop.connect();
  for (let slice = 1, share = 1; slice <= warmSlicesMax && share > calmCompilers; slice++) {
    const before = threadSeconds(stage.broker.pid, compilers);
    await loop.run(brokerWarmPerSecond, warmSliceSeconds);
    share = (threadSeconds(stage.broker.pid, compilers) - before) / warmSliceSeconds;
    console.log(`  ${slice * warmSliceSeconds} s: its compilers use ${Math.round(share * 100)} % of a core`);
  }
  await Promise.all([loop.close(), router.end()]);
  await functions.end();
}

export async function measureLatency(stage: Stage, perSecond: number, load: LatencyLoad, report: Report): Promise<void> {
  const topics = await stage.createTopics(`latency-${perSecond}`);
  const functions = await stage.functions(topics);
  const router = await stage.router(topics, functions);
  await router.ready();
  const pids = { router: router.pid, functions: functions.pid, broker: stage.broker.pid, bench: process.pid };
  report.add({ what: `${perSecond}/s`, ...(await measure(stage, topics, perSecond, load, pids)) });
  await router.end();
  await functions.end();
}

/** The part of producing and consuming in it: the same records straight into the topic that is read, no router. */
export async function measureFloor(stage: Stage, perSecond: number, load: LatencyLoad, report: Report): Promise<void> {
  const topics = await stage.createTopics(`floor-${perSecond}`);
  const pids = { broker: stage.broker.pid, bench: process.pid };
  const schedule = new Schedule();
  const received: number[] = [];
  const consumer = stage.kafka.consumer({ groupId: topics.group, readUncommitted: false, maxWaitTimeInMs: 500, minBytes: 1 });
  await consumer.connect();
  await consumer.subscribe({ topic: topics.input, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      const nowMs = performance.now();
      for (const { key } of batch.messages) {
        const dueMs = schedule.dueMs(String(key), 1);
        if (dueMs !== undefined) received.push(nowMs - dueMs);
      }
    },
  });
  let next = 0;
  const loop = new OpenLoop(stage, topics.input, () => `k${next++}`, schedule);
  await loop.connect();
  await loop.run(perSecond, warmSeconds);
  await sleep(1_000);
  const warm = received.length;
  const sampler = new UsageSampler(pids);
  const fromMs = Date.now();
  await loop.run(perSecond, load.seconds);
  await sleep(1_000);
  sampler.stop();
  await Promise.all([loop.close(), consumer.disconnect()]);
  report.add({
    what: `${perSecond}/s, no router`,
    ...rowOf(received.slice(warm), 0, 0),
    ...shares(sampler, fromMs, load.seconds),
  });
}

async function measure(
  stage: Stage,
  topics: Topics,
  perSecond: number,
  load: LatencyLoad,
  pids: Readonly<Record<string, number>>,
): Promise<Row> {
  const schedule = new Schedule();
  const arrivals = await Arrivals.open(stage.kafka, topics.results, schedule);
  const loop = new OpenLoop(stage, topics.input, uniformKeys(keys, load.seed), schedule);
  await loop.connect();
  // Code is compiled and connections are opened by the first records, which nobody waits for in a service that runs.
  await loop.run(perSecond, warmSeconds);
  await arrivals.all();
  arrivals.latencies = [];
  const sampler = new UsageSampler(pids);
  const fromMs = Date.now();
  await loop.run(perSecond, load.seconds);
  sampler.stop();
  await arrivals.all();
  const { lost, repeated } = arrivals.faults();
  const row = { ...rowOf(arrivals.latencies, lost, repeated), ...shares(sampler, fromMs, load.seconds) };
  await Promise.all([loop.close(), arrivals.close()]);
  return row;
}

function rowOf(latencies: readonly number[], lost: number, repeated: number): Row {
  const { count, p50, p99, p999, max } = summarize(latencies);
  return { records: count, "p50 ms": p50, "p99 ms": p99, "p99.9 ms": p999, "max ms": max, lost, repeated };
}

/** How much of a core each process used. */
function shares(sampler: UsageSampler, fromMs: number, seconds: number): Row {
  const toMs = fromMs + seconds * 1_000;
  return Object.fromEntries(
    Object.keys(sampler.pids).map((name) => [`${name} CPU %`, (sampler.between(name, fromMs, toMs) / seconds) * 100]),
  );
}
