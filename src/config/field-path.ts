/** Where a value stands inside another: in a JSON value by keys (`window.end`), in a protobuf value by field numbers (`1.3`). */
import type { Place } from "./place";
import type { BarrierNumberSpecification } from "./specification";

/** Of the wire format: 29 bits. */
const FIELD_NUMBER_MAX = 536_870_911;

export const JSON_PATH_EXPECTED = "keys with dots between, such as window.end";
const PROTOBUF_PATH_EXPECTED = "field numbers with dots between, such as 1.3";

export function parseJsonPath(text: string): readonly string[] | undefined {
  const keys = text.split(".");
  return keys.every((key) => key !== "" && key === key.trim()) ? keys : undefined;
}

export function parseProtobufPath(text: string): readonly number[] | undefined {
  const numbers = text.split(".").map((part) => (/^\d{1,9}$/.test(part) ? Number(part) : 0));
  return numbers.every((number) => number >= 1 && number <= FIELD_NUMBER_MAX) ? numbers : undefined;
}

/** Where the number of a barrier stands, where at most one of the two is given. */
export function readBarrierPath(json: Place | undefined, protobuf: Place | undefined): BarrierNumberSpecification | undefined {
  if (json !== undefined && protobuf !== undefined) {
    return protobuf.fail("stands beside json", { expected: "json or protobuf: a number stands in one place" });
  }
  if (json !== undefined) {
    const path = json.parsed(parseJsonPath, "a path in a JSON value", JSON_PATH_EXPECTED);
    return path === undefined ? undefined : { kind: "json", path };
  }
  const path = protobuf?.parsed(parseProtobufPath, "a path in a protobuf value", PROTOBUF_PATH_EXPECTED);
  return path === undefined ? undefined : { kind: "protobuf", path };
}
