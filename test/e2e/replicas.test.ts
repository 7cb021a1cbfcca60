/** Several replicas of a function service, one of which goes away and comes back, while a real router counts. */
import type { EndpointStatus } from "../../src/observe/status";
import { openKafka, type TestKafka, type TopicReader, waitFor } from "../support/kafka";
import type { RouterProcess } from "../support/router-process";
import { Counting, countingFaults, keysTo } from "./counting";

const keys = keysTo(200);

describe.each([
  { placement: "any", concurrency: "8" },
  { placement: "home", concurrency: "{ auto: true, max: 50 }" },
])("replicas with placement $placement and concurrency $concurrency", (endpoint) => {
  let kafka: TestKafka;
  let counting: Counting;
  let router: RouterProcess;
  let reader: TopicReader;
  let perKey = 0;

  beforeAll(async () => {
    kafka = await openKafka();
    counting = await Counting.open(kafka.bootstrap, "replicas", { replicas: 3, endpoint });
    await kafka.createTopic(counting.names.input, 8);
    await kafka.createTopic(counting.names.results, 8);
    reader = await kafka.follow(counting.names.results);
    router = await counting.router("a");
  });

  afterAll(async () => {
    await counting?.close();
    await kafka?.close();
  });

  const produce = async (): Promise<void> => {
    perKey++;
    await kafka.produce(
      counting.names.input,
      keys.map((key) => ({ key, value: "x" })),
    );
  };

  const story = () => ({ results: reader.records.length, calls: counting.callsOf, router: router.story });

  const results = () => waitFor(() => reader.records.length >= perKey * keys.length, "all results", { seen: story });

  const health = async (): Promise<string[]> => {
    const status = (await (await router.ask("/v1/status"))?.json()) as { endpoints: EndpointStatus[] } | undefined;
    return status?.endpoints[0]?.replicas.map((each) => each.health) ?? [];
  };

  test("all of them are used", async () => {
    await produce();
    await results();
    expect(counting.callsOf.every((calls) => calls > 0)).toBe(true);
  });

  test("while one is away the others do its work; it is noticed, and used again when it is back", async () => {
    await counting.unserve(1);
    await waitFor(
      async () => {
        await produce();
        return (await health())[1] !== "well";
      },
      "the replica to be avoided",
      { seen: story },
    );
    await results();
    expect(router.said("is avoided for 1000 ms")).toBe(true);
    await counting.serve(1);
    await waitFor(
      async () => {
        await produce();
        return (await health())[1] === "well" && (counting.callsOf[1] ?? 0) > 1;
      },
      "the replica to be used again",
      { seen: story },
    );
    await results();
    expect(router.said("answers again")).toBe(true);
    expect(countingFaults(await kafka.readAll(counting.names.results), new Map(keys.map((key) => [key, perKey])))).toEqual([]);
    expect(await router.end()).toEqual({ code: 0, signal: null });
  });
});
