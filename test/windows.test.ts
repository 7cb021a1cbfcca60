/** Ends of windows through the engine: what the clock decides is written with what comes of it, and not for its own sake. */
import type { WatermarkSpecification } from "../src/config/specification";
import { decodeProgress, type ProgressMark } from "../src/ingress/progress";
import { functionSpecification } from "./support/dual";
import { EngineDriver, record } from "./support/engine-driver";
import { sourceSpecification, watermarkSpecification } from "./support/module";

const INPUTS = [0, 1].map((partition) => ({ source: 0, partition }));

function running(watermark: Partial<WatermarkSpecification> = {}): EngineDriver {
  const sources = [sourceSpecification({ watermark: watermarkSpecification(watermark) })];
  return EngineDriver.running({ nowMs: 100_000, inputs: INPUTS, module: { sources } });
}

function inputOf(driver: EngineDriver, partition: number): number {
  const found = [...driver.inputs].find(([, input]) => input.partition === partition);
  if (!found) throw new Error(`partition ${partition} is not read`);
  return found[0];
}

function receive(driver: EngineDriver, partition: number, offset: number, timestampMs: number): void {
  const records = [{ ...record(offset, "a", "x"), timestampMs }];
  driver.apply({ kind: "records_received", input: inputOf(driver, partition), records, nextOffset: offset + 1 });
}

function exhaust(driver: EngineDriver, partition: number, offset: number, askedMs = driver.now): void {
  driver.apply({ kind: "input_exhausted", input: inputOf(driver, partition), offset, askedMs });
}

/** What the waiting records run after. */
function afters(driver: EngineDriver): (number | undefined)[] {
  const mailbox = driver.engine.life.router.type("ex/fn")?.mailboxes.get("a");
  return [...(mailbox?.messages() ?? [])].map(({ mark }) => mark?.after);
}

/** The committed mark of a partition. */
function markOf(driver: EngineDriver, partition: number): ProgressMark | undefined {
  for (const shard of driver.broker.state.values()) {
    const found = [...shard.values()].find(({ key }) => Buffer.from(key).toString().endsWith(`\0in\0${partition}`));
    if (found?.value) return decodeProgress(found.value);
  }
  return undefined;
}

describe("a quiet partition", () => {
  it("passes windows without a unit of its own, and the next unit says so", () => {
    const driver = running();
    driver.commitAll();
    for (let second = 0; second < 10; second++) {
      exhaust(driver, 0, 0);
      driver.advance(1_000);
    }
    expect(driver.committing).toBeUndefined();
    expect(markOf(driver, 0)?.passages?.base).toBe(-1);
    receive(driver, 1, 0, 109_500);
    driver.reply();
    driver.commitAll();
    expect(markOf(driver, 0)?.passages).toMatchObject({ everyMs: 1_000, end: 0, base: 108, steps: [] });
    expect(markOf(driver, 1)?.passages?.base).toBe(109);
  });

  it("brings late records into the window that is open, in the next life, too", () => {
    const driver = running();
    exhaust(driver, 0, 0);
    driver.advance(6_000);
    exhaust(driver, 0, 0);
    receive(driver, 0, 0, 101_000);
    receive(driver, 1, 0, 106_000);
    driver.commitAll();
    expect(afters(driver)).toEqual([105, 106]);
    expect(markOf(driver, 0)).toMatchObject({ low: 0, passages: { end: 1, base: 105 } });
    const next = driver.restarted();
    receive(next, 0, 0, 101_000);
    receive(next, 0, 1, 105_100);
    expect(afters(next)).toEqual([105, 105]);
  });

  it("has passed what former lives have passed before anything comes, so that an actor that is new is not told of it", () => {
    const sources = [
      sourceSpecification({ watermark: watermarkSpecification({}) }),
      sourceSpecification({ ingress: "ex/plain", topic: "plain" }),
    ];
    const upstreams = [{ kind: "ingress", ingress: "ex/in", partitions: "all" }] as const;
    const dual = functionSpecification({ maxLessees: 0, upstreams });
    const inputs = [...INPUTS, { source: 1, partition: 0 }];
    const driver = EngineDriver.running({ nowMs: 100_000, inputs, module: { sources, functions: [dual] } });
    for (const partition of [0, 1]) receive(driver, partition, 0, 99_500);
    while (driver.inFlight.length > 0) driver.reply();
    driver.commitAll();
    const next = driver.restarted();
    const [plain = -1] = [...next.inputs].find(([, { source }]) => source === 1) ?? [];
    next.apply({ kind: "records_received", input: plain, records: [record(0, "new", "x")], nextOffset: 1 });
    receive(next, 0, 1, 99_600);
    receive(next, 1, 1, 99_600);
    const ran: string[] = [];
    while (next.inFlight.length > 0) {
      const { id, texts } = next.reply();
      ran.push(...texts.map((text) => `${id} ${text}`));
    }
    expect(ran.filter((each) => each.startsWith("new"))).toEqual(["new x"]);
  });

  it("is heard of only while the router runs", () => {
    const driver = running();
    const before = driver.stale;
    receive(driver, 1, 0, 1);
    driver.apply({ kind: "drain_requested" });
    exhaust(driver, 0, 0);
    expect([driver.phase, driver.stale - before]).toEqual(["retiring", 1]);
  });
});

describe("windows by arrival", () => {
  it("end by the clock, and their ends are written with what comes next", () => {
    const driver = running({ time: "arrival" });
    driver.commitAll();
    const commits = driver.count("commit_unit");
    driver.advance(3_500);
    expect(driver.count("commit_unit")).toBe(commits);
    receive(driver, 1, 0, 1);
    driver.reply();
    driver.commitAll();
    expect([0, 1].map((partition) => markOf(driver, partition)?.passages?.base)).toEqual([103, 103]);
  });

  it("do not end while the router retires", () => {
    const driver = running({ time: "arrival" });
    receive(driver, 1, 0, 1);
    driver.apply({ kind: "drain_requested" });
    driver.advance(5_000);
    expect(driver.timerAtMs).toBe(110_000); // The drain's.
  });
});
