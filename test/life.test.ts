import { EngineDriver } from "./support/engine-driver";
import { sourceSpecification } from "./support/module";

const TWO_TARGETS = { sources: [sourceSpecification({ targets: ["ex/fn", "ex/other"] })] };

/** What is in flight, as `type/id: texts`. */
function inFlight(driver: EngineDriver): string[] {
  return driver.inFlight.map(({ effect, id, texts }) => `${effect.functionName}/${id}: ${texts.join(" ")}`);
}

describe("a record with several targets (A1)", () => {
  it("of which one copy is finished is not made again by a successor: the other copy is remembered by itself", () => {
    const driver = EngineDriver.running({ module: TWO_TARGETS });
    driver.receive(driver.onlyInput, ["a", "1"]);
    expect(inFlight(driver)).toEqual(["fn/a: 1", "other/a: 1"]);
    driver.reply();
    driver.commitAll();
    const successor = driver.restarted();
    expect(inFlight(successor)).toEqual(["other/a: 1"]);
    expect(successor.inputs.get(successor.onlyInput)?.offset).toBe(1);
    successor.reply();
    successor.commitAll();
    expect(successor.broker.keys("message")).toEqual([]);
    expect(inFlight(successor.restarted())).toEqual([]);
  });

  it("writes nothing for the other copy when both are finished in one unit", () => {
    const driver = EngineDriver.running({ module: TWO_TARGETS });
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.reply();
    driver.reply();
    driver.commitAll();
    expect(driver.broker.keys("message")).toEqual([]);
    expect(inFlight(driver.restarted())).toEqual([]);
  });

  it("is made whole again when no copy was finished", () => {
    const driver = EngineDriver.running({ module: TWO_TARGETS });
    driver.receive(driver.onlyInput, ["a", "1"]);
    driver.commitAll();
    const successor = driver.restarted();
    expect(successor.inputs.get(successor.onlyInput)?.offset).toBe(0);
  });

  it("keeps its place behind earlier records of its key at the slower target, also after a restart", () => {
    const driver = EngineDriver.running({ module: TWO_TARGETS });
    const { onlyInput } = driver;
    driver.receive(onlyInput, ["a", "1"]);
    driver.receive(onlyInput, ["a", "2"]);
    driver.reply(); // fn: 1
    driver.reply({}, "a"); // other: 1, oldest in flight
    driver.receive(onlyInput, ["a", "3"]);
    driver.commitAll();
    const successor = driver.restarted();
    const { inputs } = successor;
    const [input] = [...inputs.keys()];
    successor.receive(input ?? -1, ["a", "2"], ["a", "3"]);
    expect(inFlight(successor)).toEqual(["fn/a: 2 3", "other/a: 2 3"]);
  });

  it("counts as outstanding only until one copy is finished", () => {
    const driver = EngineDriver.running({ module: TWO_TARGETS });
    driver.receive(driver.onlyInput, ["a", "1"], ["b", "1"]);
    expect(driver.engine.measures.sources[0]?.outstanding).toBe(2);
    driver.reply({}, "a");
    expect(driver.engine.measures.sources[0]?.outstanding).toBe(1);
    driver.reply({}, "a");
    expect(driver.engine.measures.sources[0]?.outstanding).toBe(1);
    driver.reply({}, "b");
    driver.reply({}, "b");
    expect(driver.engine.measures.sources[0]?.outstanding).toBe(0);
  });
});
