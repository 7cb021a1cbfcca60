/** Dual-mode types, their lanes and what a lane remembers, for tests of the scaling room's parts. */
import type { FunctionSpecification, WatermarkSpecification } from "../../src/config/specification";
import type { Mark } from "../../src/model/message";
import { DualMeasures } from "../../src/observe/dual-measures";
import { FunctionMeasures } from "../../src/observe/measure";
import { FunctionType } from "../../src/router/function-type";
import { Mailbox } from "../../src/router/mailbox";
import { DualType } from "../../src/scaling/dual-type";
import { Memory, TypeStates } from "../../src/state/store";
import { address } from "./messages";
import { watermarkSpecification } from "./module";

/** `ex/fn` in dual mode, without barriers and states. */
export function functionSpecification(overrides: Partial<FunctionSpecification> = {}): FunctionSpecification {
  return {
    functions: [{ namespace: "ex", prefix: "fn", exact: true }],
    mode: "dual",
    maxLessees: 4,
    upstreams: [],
    critical: [],
    series: undefined,
    barrier: undefined,
    states: {},
    ...overrides,
  };
}

/** With windows of `ingresses`, if there are some. */
export function aDualType(
  overrides: Partial<FunctionSpecification> = {},
  ingresses: readonly string[] = [],
  watermark: WatermarkSpecification = watermarkSpecification(),
): DualType {
  const dual = functionSpecification(overrides);
  const type = new FunctionType("ex", "fn", "ex/fn", 0, new TypeStates("ex/fn"), new FunctionMeasures("ex/fn"), dual);
  const watermarks = ingresses.map((ingress) => ({ ingress, specification: watermark }));
  return new DualType(type, dual, watermarks, new DualMeasures("ex/fn"));
}

/** A lane of the address `ex/fn/a`. */
export function aLane({ type }: DualType, lane: number): Mailbox {
  return new Mailbox(address("a"), type, new Memory(address("a"), type.states, 0, lane));
}

export function criticalMark(barrier = -1, series = ""): Mark {
  return { critical: true, series, barrier, after: -1, channel: "" };
}

/** Of an ordinary message that runs after this barrier. */
export function afterMark(after: number): Mark {
  return { critical: false, series: "", barrier: -1, after, channel: "" };
}
