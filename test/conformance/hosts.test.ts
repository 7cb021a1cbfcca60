/** The scenarios with each SDK behind the stand-in router: shows that the hosts and the expectations are right, whatever our router does. */
import { expectedOf, outcomeOf } from "./bench";
import { EXPIRE_MS, STATES } from "./commands";
import { type Host, SDKS, startHost } from "./host";
import { scenarios } from "./scenarios";
import { smoke } from "./smoke";
import { expectedLives, livesOf } from "./smoke-check";
import { StandInRouter } from "./stand-in";

// The first run on a machine fetches the Python and the Java SDK.
const startMs = 180_000;

describe.each(SDKS)("the %s SDK behind the stand-in router", (sdk) => {
  let host: Host;
  let router: StandInRouter;
  beforeAll(async () => {
    host = await startHost(sdk, "results");
    router = new StandInRouter(host.url);
  }, startMs);
  afterAll(() => host.stop());

  test.each(scenarios.map((scenario) => [scenario.title, scenario] as const))("%s", async (_title, scenario) => {
    expect(await outcomeOf(scenario, router)).toEqual(expectedOf(scenario));
  });

  test("trees of commands from a seed lead to what the model says", async () => {
    const test = smoke(3, { actors: 30, messages: 150, depthMax: 5 });
    expect(await livesOf(test, router, 700_000)).toEqual(expectedLives(test));
  });

  test("it asked for its states once, with their types and expiry", () => {
    const incomplete = router.exchanges.filter(({ reply }) => reply?.incomplete_invocation_context !== undefined);
    expect(incomplete).toHaveLength(1);
    expect(incomplete[0]).toBe(router.exchanges[0]);
    expect(Object.fromEntries([...router.specifications].map(([name, spec]) => [name, spec.type_typename]))).toEqual(STATES);
    const expiring = [...router.specifications.values()].filter(
      ({ expiration_spec }) => (expiration_spec?.mode ?? "NONE") !== "NONE",
    );
    expect(Object.fromEntries(expiring.map(({ state_name, expiration_spec }) => [state_name, expiration_spec]))).toEqual({
      written: { mode: "AFTER_WRITE", expire_after_millis: EXPIRE_MS },
      called: { mode: "AFTER_INVOKE", expire_after_millis: EXPIRE_MS },
    });
  });
});
