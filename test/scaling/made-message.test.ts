import type { ApplicationSpecification } from "../../src/config/specification";
import { argumentTypename, argumentValue } from "../../src/functions/argument";
import { MESSAGE_OVERHEAD_BYTES } from "../../src/model/message";
import { madeMessage, windowEndMessage } from "../../src/scaling/made-message";
import { aDualType, aLane } from "../support/dual";
import { address, aMessage } from "../support/messages";
import { applicationSpecification, applicationsOf, moduleSpecification, watermarkSpecification } from "../support/module";

const lessor = aLane(aDualType(), 0);

test("a message the router makes has no record, no caller, and counts with its bytes", () => {
  const { argument } = aMessage({ text: "x", typename: "ex/y" });
  const message = madeMessage(lessor, argument, 3, 9, 5);
  expect(message).toMatchObject({
    target: address("a"),
    caller: undefined,
    entry: undefined,
    persisted: false,
    ingressMs: 3,
    admittedMs: 5,
    deadlineMs: 9,
  });
  expect(message.bytes).toBeGreaterThan(MESSAGE_OVERHEAD_BYTES);
});

describe("the critical message of a window's end", () => {
  const NOW = 70_000;
  const watermark = { ingress: "ex/in", specification: watermarkSpecification({ everyMs: 1_000, typename: "ex/end" }) };

  function windowEnd(slo?: ApplicationSpecification["slo"]) {
    const applications = slo ? [applicationSpecification({ slo })] : [];
    const application = applicationsOf(moduleSpecification({ applications })).ofIngress("ex/in");
    return windowEndMessage(lessor, "windows", watermark, 60, application, NOW);
  }

  it("says from when to when, and is of the barrier that ends it", () => {
    const message = windowEnd();
    expect(argumentTypename(message.argument)).toBe("ex/end");
    expect(JSON.parse(Buffer.from(argumentValue(message.argument)).toString())).toEqual({ start: 59_000, end: 60_000 });
    expect(message.mark).toEqual({ critical: true, series: "windows", barrier: 60, after: -1, channel: "" });
  });

  test.each<[string, ApplicationSpecification["slo"] | undefined, number, boolean]>([
    ["its application counts from arrivals", { latencyMs: 200, percentile: 99, from: "arrival", windowMs: 0 }, NOW + 200, true],
    ["it counts from records' times", { latencyMs: 200, percentile: 99, from: "record-timestamp", windowMs: 0 }, 60_200, true],
    ["it counts from windows' ends", { latencyMs: 200, percentile: 99, from: "window-end", windowMs: 1_000 }, 60_200, true],
    ["it has no application", undefined, 70_000, false],
  ])("is due when %s", (_what, slo, deadlineMs, blamed) => {
    const message = windowEnd(slo);
    expect([message.deadlineMs, message.ingressMs, message.blame !== undefined]).toEqual([deadlineMs, 60_000, blamed]);
    expect(message.application).toBe(slo ? 1 : 0);
  });
});
