/** How routers end, and how they follow each other. */
import { setTimeout as sleep } from "node:timers/promises";
import { openKafka, type TestKafka, waitFor } from "../support/kafka";
import { Counting, countingFaults, keysTo } from "./counting";

describe("a router", () => {
  let kafka: TestKafka;
  let counting: Counting;
  const keys = keysTo(200);

  beforeAll(async () => {
    kafka = await openKafka();
  });
  afterAll(() => kafka.close());

  beforeEach(async () => {
    counting = await Counting.open(kafka.bootstrap, "life");
    await kafka.createTopic(counting.names.input, 8);
    await kafka.createTopic(counting.names.results, 8);
  });
  afterEach(() => counting.close());

  const produce = () =>
    kafka.produce(
      counting.names.input,
      keys.map((key) => ({ key, value: "x" })),
    );

  const results = (count: number) => kafka.waitForRecords(counting.names.results, count);

  const faults = async (perKey: number) =>
    countingFaults(await kafka.readAll(counting.names.results), new Map(keys.map((key) => [key, perKey])));

  test("told to end finishes what it has begun, commits it and ends with 0", async () => {
    const gate = closedGate();
    counting.gate = gate.opened;
    const router = await counting.router("a");
    await produce();
    await waitFor(() => counting.calls > 0, "the function to be called", { seen: () => router.story });
    const ending = router.end();
    await sleep(300);
    expect(router.running).toBe(true);
    gate.open();
    expect(await ending).toEqual({ code: 0, signal: null });
    const finished = await kafka.readAll(counting.names.results);
    expect(finished.length).toBeGreaterThan(0);
    // What it had not begun is left to the next, which does it once.
    await counting.router("a");
    await results(keys.length);
    expect(await faults(1)).toEqual([]);
  });

  test("told to end twice ends at once, and what was unfinished is done by the next, once", async () => {
    const gate = closedGate();
    counting.gate = gate.opened;
    const router = await counting.router("a", ["--drain-ms", "600000"]);
    await produce();
    await waitFor(() => counting.calls > 0, "the function to be called", { seen: () => router.story });
    router.signal("SIGTERM");
    await waitFor(() => router.said("once more to exit at once"), "the first signal to be heard", { seen: () => router.story });
    router.signal("SIGTERM");
    const { code } = await router.exited;
    expect(code).toBe(143);
    expect(await kafka.readAll(counting.names.results)).toHaveLength(0);
    gate.open();
    await counting.router("a");
    await results(keys.length);
    expect(await faults(1)).toEqual([]);
  });

  test("does not start under the name of one that lives, says why, and does not disturb it", async () => {
    const first = await counting.router("same");
    await first.ready();
    const second = await counting.router("same");
    const exit = await second.exited;
    expect(exit.code).not.toBe(0);
    expect(second.story).toMatch(/same/);
    expect(second.story).toMatch(/name/);
    await produce();
    await results(keys.length);
    expect(first.running).toBe(true);
    expect(await faults(1)).toEqual([]);
  });

  test("in reserve takes over when the other is killed, with its state", async () => {
    const first = await counting.router("first");
    await first.ready();
    await produce();
    await results(keys.length);
    const reserve = await counting.router("reserve");
    await reserve.ready();
    await first.kill();
    await produce();
    await results(2 * keys.length);
    expect(await faults(2)).toEqual([]);
    expect(await reserve.end()).toEqual({ code: 0, signal: null });
  });
});

function closedGate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
