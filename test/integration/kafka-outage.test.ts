import { OwnKafka, type TestKafka, uniqueName, waitFor } from "../support/kafka";
import { clusterOf, output, sourceOf, TestAdapter } from "../support/kafka-adapter";

describe("a broker that is killed and comes back", () => {
  let own: OwnKafka;
  let kafka: TestKafka;
  beforeAll(async () => {
    own = await OwnKafka.start();
    kafka = await own.open();
  });
  afterAll(async () => {
    await kafka.close();
    await own.remove();
  });

  test.each(["after kill -9", "gracefully"] as const)(
    "%s: reading and committing go on by themselves, nothing lost, nothing twice",
    async (how) => {
      const input = await kafka.createTopic(uniqueName("in"), 2);
      const result = await kafka.createTopic(uniqueName("out"), 2);
      const cluster = clusterOf(own.bootstrap);
      const adapter = await TestAdapter.start({
        group: uniqueName("outage"),
        address: own.bootstrap,
        sources: [sourceOf(input, { cluster })],
      });
      let transactionalIds = await adapter.openSink();
      adapter.ask({ kind: "consume_input", input: 0, source: 0, partition: 0, offset: 0 });

      const outcomes = new Map<number, string>();
      let unit = 0;
      let ended = false;
      const committing = (async () => {
        while (!ended) {
          const number = unit++;
          const outcome = await adapter.commit([
            adapter.batch(result, [output(0, null, `${number}`), output(1, null, `${number}`)]),
          ]);
          outcomes.set(number, outcome.kind === "unit_committed" ? "committed" : outcome.failure);
          if (outcome.kind === "unit_failed" && outcome.failure !== "aborted") {
            // As the engine does with itself: what stayed unknown is decided before anybody goes on.
            await adapter.fence(0, [{ claimId: "own", transactionalIds, router: "r", memberId: "m" }]);
            transactionalIds = await adapter.openSink();
          }
        }
      })();
      await waitFor(() => outcomes.size > 50, "fifty units before the outage");
      await kafka.produce(input, [{ partition: 0, value: "before" }]);
      await own.restartBroker(how);
      const after = outcomes.size;
      await waitFor(() => outcomes.size > after + 50, "fifty units after the outage");
      await kafka.produce(input, [{ partition: 0, value: "after" }]);
      await waitFor(() => adapter.texts(0).length >= 2, "records after the outage");
      ended = true;
      await committing;
      const since = Date.now();
      await waitFor(() => adapter.kafka.health().lastHeartbeatMs > since, "heartbeats after the outage");
      await adapter.kafka.close();

      expect(adapter.texts(0)).toEqual(["before", "after"]);
      const records = await kafka.readAll(result);
      for (const partition of [0, 1]) {
        const seen = records.filter((record) => record.partition === partition).map(({ text }) => Number(text));
        expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
        const landed = new Set(seen);
        for (const [number, outcome] of outcomes) {
          if (outcome !== "indefinite") expect([number, landed.has(number)]).toEqual([number, outcome === "committed"]);
        }
      }
      expect([...outcomes.values()].slice(-40)).toEqual(Array.from({ length: 40 }, () => "committed"));
    },
  );
});
