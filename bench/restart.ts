/** kill -9 under load, and how soon the successor goes on; and how fast a large state is read back. */
import { setTimeout as sleep } from "node:timers/promises";
import type { RouterProcess } from "../test/support/router-process";
import { Arrivals, OpenLoop, Schedule } from "./live";
import type { Report } from "./report";
import { awaitResults, checkCounts } from "./results";
import type { Helper, Stage, Topics } from "./stage";
import { countKeys, uniformKeys } from "./workload";

const perSecond = 500;
const stateKeys = 10_000;
const calmMs = 3_000;
/** What a supervisor takes to notice; and results that were committed before the kill have arrived by then. */
const noticeMs = 200;

/** `times` kills of one deployment that holds 10,000 keys, under a load that goes on all the time. */
export async function measureRestart(stage: Stage, times: number, seed: number, report: Report): Promise<void> {
  const topics = await stage.createTopics("restart");
  const functions = await stage.functions(topics);
  const schedule = new Schedule();
  const arrivals = await Arrivals.open(stage.kafka, topics.results, schedule);
  let router = await stage.router(topics, functions);
  await router.ready();
  const keys = Array.from({ length: stateKeys }, (_, index) => `k${index}`);
  for (const key of keys) schedule.add(key, Number.NaN);
  await stage.preload(topics.input, keys);
  await arrivals.all();
  const loop = new OpenLoop(stage, topics.input, uniformKeys(stateKeys, seed), schedule);
  await loop.connect();
  const running = loop.run(perSecond, 3_600);
  const kills: { readonly readyMs: number; readonly firstMs: number }[] = [];
  for (let kill = 0; kill < times; kill++) {
    await sleep(calmMs);
    const killed = await killAndReplace(stage, router, topics, functions, arrivals);
    router = killed.router;
    kills.push(killed);
  }
  await sleep(calmMs);
  loop.stop();
  await running;
  await arrivals.all();
  const faults = arrivals.faults();
  for (const { readyMs, firstMs } of kills) {
    report.add({ what: "restart", "first new result ms": firstMs, "ready ms": readyMs, ...faults });
  }
  await Promise.all([loop.close(), arrivals.close(), router.end()]);
  await functions.end();
}

async function killAndReplace(stage: Stage, router: RouterProcess, topics: Topics, functions: Helper, arrivals: Arrivals) {
  await router.kill();
  await sleep(noticeMs);
  const next = arrivals.next();
  const startMs = performance.now();
  const successor = await stage.router(topics, functions);
  const ready = successor.ready().then(() => performance.now());
  const [firstMs, readyMs] = await Promise.all([next, ready]);
  return { router: successor, firstMs: firstMs - startMs, readyMs: readyMs - startMs };
}

/** State of `count` actors, and the time a router needs to be ready with it, more than without. */
export async function measureRestore(stage: Stage, count: number, report: Report): Promise<void> {
  const topics = await stage.createTopics("restore");
  const keys = Array.from({ length: count }, (_, index) => `k${index}`);
  const functions = await stage.functions(topics);
  const first = await stage.router(topics, functions);
  await first.ready();
  await first.end();
  const emptyMs = await readyMs(stage, topics, functions);
  await stage.preload(topics.input, keys);
  const builder = await stage.router(topics, functions);
  checkCounts(await awaitResults(stage, topics.results, count, () => builder.running), countKeys(keys));
  await builder.end();
  const fullMs = await readyMs(stage, topics, functions);
  const perSecondRestored = count / ((fullMs - emptyMs) / 1_000);
  report.add({ what: "restore", values: count, "ready ms": fullMs, "ready ms, empty": emptyMs, "values/s": perSecondRestored });
  await functions.end();
}

async function readyMs(stage: Stage, topics: Topics, functions: Helper): Promise<number> {
  const startMs = performance.now();
  const router = await stage.router(topics, functions);
  await router.ready();
  const tookMs = performance.now() - startMs;
  await router.end();
  return tookMs;
}
