/** The scenarios with each SDK behind a real router and a real Kafka, and what went over the wire meanwhile. */
import { expectedOf, type Outcome, outcomeOf } from "./bench";
import { SDKS } from "./host";
import { KafkaBench } from "./kafka-bench";
import { type Message, scenarios } from "./scenarios";
import { smoke } from "./smoke";
import { expectedLives, livesOf } from "./smoke-check";

// The first run on a machine fetches the Python and the Java SDK.
const startMs = 180_000;
const smokeSize = { actors: 100, messages: 1_000, depthMax: 5 };

describe.each(SDKS)("the %s SDK behind the router", (sdk) => {
  let bench: KafkaBench;
  /** All scenarios run at the same time: most of them wait for time to pass. */
  let outcomes: Map<string, Promise<Outcome>>;
  let requestsOfFirstContact = 0;

  beforeAll(async () => {
    bench = await KafkaBench.open(sdk);
    const first: Message = { id: "first", command: { tag: "contact", operations: [{ do: "report" }] } };
    await bench.say([first]);
    await bench.until(() => bench.results("first").length > 0);
    requestsOfFirstContact = bench.tap.exchanges.length;
    outcomes = new Map(scenarios.map((scenario) => [scenario.title, outcomeOf(scenario, bench)]));
    for (const outcome of outcomes.values()) outcome.catch(() => {}); // Each test awaits its own.
  }, startMs);
  afterAll(() => bench?.close());

  test("the first message takes two requests: one that learns the states, one that runs", () => {
    const replies = bench.tap.exchanges.slice(0, requestsOfFirstContact).map(({ reply }) => reply ?? {});
    expect(replies.map((reply) => "incomplete_invocation_context" in reply)).toEqual([true, false]);
    expect(bench.results("first")).toEqual([{ json: { tag: "contact" } }]);
  });

  test.each(scenarios.map((scenario) => [scenario.title, scenario] as const))("%s", async (_title, scenario) => {
    expect(await outcomes.get(scenario.title)).toEqual(expectedOf(scenario));
  });

  test("trees of commands from a seed lead to what the model says, each exactly once", async () => {
    const test = smoke(7, smokeSize);
    expect(await livesOf(test, bench, 2_000)).toEqual(expectedLives(test));
  });

  test("on the wire: one request per address at a time, batches, callers, states asked for only once", () => {
    const { faults, exchanges } = bench.tap;
    expect(faults).toEqual([]);
    expect(exchanges.slice(requestsOfFirstContact).filter(({ reply }) => reply?.incomplete_invocation_context)).toEqual([]);
    const toBatch = exchanges.filter(({ request }) => request.target.id === "batch");
    expect(Math.max(...toBatch.map(({ request }) => request.invocations.length))).toBeGreaterThan(10);
    const named = exchanges.find(({ request }) => request.target.id === "receiver/ключ");
    expect(named?.request.invocations.map(({ caller }) => caller?.id)).toEqual(["sender"]);
    const fromTopic = exchanges.find(({ request }) => request.target.id === "sender");
    expect(fromTopic?.request.invocations.map(({ caller }) => caller)).toEqual([null]);
    expect(exchanges.filter(({ reply }) => reply === undefined).length).toBeGreaterThanOrEqual(3);
  });

  test("nothing more came than the scenarios say", async () => {
    await Promise.allSettled(outcomes.values());
    const expected = scenarios.flatMap((scenario) => Object.entries(expectedOf(scenario).results));
    for (const [id, list] of expected) expect([id, bench.results(id).length]).toEqual([id, list.length]);
    const raw = scenarios.flatMap((scenario) => Object.entries(expectedOf(scenario).raw));
    for (const [id, list] of raw) expect([id, bench.raw(id).length]).toEqual([id, list.length]);
  });
});
