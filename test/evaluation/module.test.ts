import { experimentOf } from "../../evaluation/experiments";
import { hotActor, mixHot } from "../../evaluation/load";
import { type Configuration, marksCloses, moduleOf, OURS, PAPER, STATEFUN } from "../../evaluation/module";

const surroundings = { brokers: "kafka:9092", urls: ["http://a/w0", "http://a/w1"], group: "g" };

const configurations = ["e1", "e3", "e4", "e5"].flatMap((id) =>
  Object.entries(experimentOf(id, { seeds: [1], rates: [36] })?.configurations ?? {}).map(
    ([arm, configuration]) => [`${id}: ${arm}`, configuration] as const,
  ),
);

test.each(configurations)("%s: the product reads its module.yaml without a word", (_name, configuration) => {
  for (const load of [mixHot({ rate: 36 }), hotActor({ rate: 10 })]) {
    const module = moduleOf(load, configuration, surroundings);
    expect(module.applications.length).toBe(load.applications.length);
    expect(module.functions.length > 0).toBe(configuration.scaling !== "exclusive");
  }
});

test("workers are replicas with one slot", () => {
  const [endpoint] = moduleOf(mixHot({ rate: 36 }), PAPER, surroundings).endpoints;
  expect(endpoint).toMatchObject({ placement: "home", concurrency: 1, urls: surroundings.urls });
  expect(moduleOf(mixHot({ rate: 36 }), STATEFUN, surroundings).endpoints[0]).toMatchObject({ placement: "any" });
});

test("aggregates may be split and wait for all maps, reduce waits for all aggregates and is never split", () => {
  const { functions } = moduleOf(mixHot({ rate: 36 }), OURS, surroundings);
  expect(functions.length).toBe(10);
  expect(functions[0]).toMatchObject({
    mode: "dual",
    maxLessees: 8,
    series: "window",
    upstreams: [{ function: "mix/ls0-map", count: 2 }],
  });
  expect(functions[1]).toMatchObject({ maxLessees: 0, upstreams: [{ function: "mix/ls0-aggregate", count: 2 }] });
});

test("baselines know no critical messages", () => {
  const marked = (configuration: Configuration) => marksCloses(configuration);
  expect([PAPER, STATEFUN, OURS, { ...OURS, unsynchronized: true }].map(marked)).toEqual([false, false, true, false]);
});
