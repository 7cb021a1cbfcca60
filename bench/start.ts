/** From the start of the router's process to its first visible result, with a broker up, functions served and records waiting. */
import { Arrivals, Schedule } from "./live";
import type { Report } from "./report";
import type { Stage } from "./stage";

const waiting = 100;

/** `fresh`: a group that has never been, whose topics must be made. `again`: one that was shut down in order. */
export async function measureStart(stage: Stage, report: Report): Promise<void> {
  const topics = await stage.createTopics("start");
  const keys = Array.from({ length: waiting }, (_, index) => `k${index}`);
  const schedule = new Schedule();
  const functions = await stage.functions(topics);
  const arrivals = await Arrivals.open(stage.kafka, topics.results, schedule);
  for (const what of ["fresh", "again"]) {
    for (const key of keys) schedule.add(key, Number.NaN);
    await stage.preload(topics.input, keys);
    const next = arrivals.next();
    const startMs = performance.now();
    const router = await stage.router(topics, functions);
    const firstMs = (await next) - startMs;
    await arrivals.all();
    const stopMs = performance.now();
    await router.end();
    const { lost, repeated } = arrivals.faults();
    report.add({ what, "first result ms": firstMs, "stop ms": performance.now() - stopMs, lost, repeated });
  }
  await arrivals.close();
  await functions.end();
}
