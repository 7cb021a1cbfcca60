/** What the records say, and who is asked how soon. Shared by the functions and the demo. */
import { types } from "dirigo/sdk";

/** A click on an ad of a campaign, or a purchase in a shop: the key of the record says of which. */
export interface Happening {
  readonly country: string;
  /** What the click costs the advertiser, or the purchase the buyer. */
  readonly cents: number;
}

/** [start, end), ms since 1970. */
export interface WindowEnd {
  readonly start: number;
  readonly end: number;
}

/** What one campaign, or one shop, comes to in one window: the value of a record of the totals' topic. */
export interface Total extends WindowEnd {
  readonly application: ApplicationName;
  readonly key: string;
  readonly count: number;
  readonly cents: number;
  readonly byCountry: Readonly<Record<string, number>>;
}

/** Which end of a window a critical message of an ingress tells: docs/windows.md. */
export const windowEndType = types.json<WindowEnd>("io.dirigo.types/window-end");

export type ApplicationName = "alerting" | "reporting";

/** As in module.yaml and module-fifo.yaml, which a test compares with this. */
export interface Application {
  readonly name: ApplicationName;
  /** What follows the deployment's name in the name of its topic. */
  readonly topic: "clicks" | "purchases";
  readonly typename: string;
  readonly valueType: string;
  readonly windowMs: number;
  /** A total is due so long after the end of its window. */
  readonly sloMs: number;
  /** For how long one record of it holds a slot of the service. */
  readonly holdMs: number;
}

export const alerting: Application = {
  name: "alerting",
  topic: "clicks",
  typename: "shop/campaign",
  valueType: "shop/click",
  windowMs: 1_000,
  sloMs: 200,
  holdMs: 25,
};

export const reporting: Application = {
  name: "reporting",
  topic: "purchases",
  typename: "shop/sales",
  valueType: "shop/purchase",
  windowMs: 5_000,
  sloMs: 5_000,
  holdMs: 50,
};

export const applications: readonly Application[] = [alerting, reporting];

/** For how long the end of a window holds a slot. */
export const endHoldMs = 2;

/** Numbers of windows rise with time, and are the same for everybody. */
export function windowAt(timeMs: number, { windowMs }: Application): WindowEnd {
  const start = Math.floor(timeMs / windowMs) * windowMs;
  return { start, end: start + windowMs };
}
