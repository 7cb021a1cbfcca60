/** What the scaling room reads out of arguments; the rooms that know their bytes give it (life.ts). */
import type { BarrierNumberSpecification } from "../config/specification";
import type { TypedValue } from "../model/typed-value";

export interface Readings {
  /** Empty: none. */
  typename(argument: TypedValue): string;
  /** A barrier's number; -1: there is none, or it is no whole number from 0 to 2^53. */
  barrier(where: BarrierNumberSpecification, argument: TypedValue): number;
  /** What stands at a path of a JSON value, as text; undefined where there is nothing. */
  subKey(argument: TypedValue, path: readonly string[]): string | undefined;
}
