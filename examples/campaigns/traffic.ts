/**
 * Clicks and purchases, made up from a seed: 14 campaigns of steady interest, one of which is suddenly hot, and shops that all upload their purchases at
 * once, at some moment of every two and a half seconds.
 */
import { Random } from "../../src/model/random";
import type { ApplicationName, Happening } from "./record";

export const hotCampaign = "flash-sale";
export const campaigns: readonly string[] = [
  hotCampaign,
  ...[
    "sneakers",
    "headphones",
    "coffee",
    "suitcases",
    "tents",
    "bicycles",
    "novels",
    "lamps",
    "skis",
    "tea",
    "chess",
    "kites",
    "rugs",
  ],
];
export const shops: readonly string[] = Array.from({ length: 16 }, (_, index) => `shop-${index + 1}`);
const countries = ["AT", "BR", "DE", "FR", "IN", "JP", "KE", "US"];

/** Clicks per second on all campaigns, and how many more on the hot one. One actor by itself takes 1000 / 25 ms = 40. */
export const steadyPerSecond = 45;
export const hotPerSecond = 45;
const uploadEveryMs = 2_500;
const purchasesPerShop = 4;
/** An upload takes so long to come in. */
const uploadMs = 60;

/** ms since the start. */
export interface Phases {
  /** Before it nothing is judged: JavaScript and Java that have just started are slow. */
  readonly warmMs: number;
  readonly hotFromMs: number;
  readonly hotToMs: number;
  readonly endMs: number;
}

export interface Arrival extends Happening {
  readonly atMs: number;
  readonly application: ApplicationName;
  readonly key: string;
}

/** Whole seconds, so that phases are made of whole windows. */
export function phasesOf(seconds: number): Phases {
  const share = (part: number) => 1_000 * Math.round(seconds * part);
  return { warmMs: share(0.22), hotFromMs: share(0.34), hotToMs: share(0.62), endMs: 1_000 * seconds };
}

/** In order of time. */
export function trafficOf(phases: Phases, seed: number): readonly Arrival[] {
  const random = new Random(seed);
  const arrivals = [
    ...clicks(0, phases.endMs, steadyPerSecond, random, () => pick(campaigns, random)),
    ...clicks(phases.hotFromMs, phases.hotToMs, hotPerSecond, random, () => hotCampaign),
    ...uploads(phases.endMs, random),
  ];
  return arrivals.sort((one, other) => one.atMs - other.atMs);
}

/** Each some time within its share of the second. */
function clicks(fromMs: number, toMs: number, perSecond: number, random: Random, campaign: () => string): Arrival[] {
  const count = ((toMs - fromMs) * perSecond) / 1_000;
  return Array.from({ length: Math.floor(count) }, (_, index) => {
    const atMs = fromMs + ((index + random.next()) * 1_000) / perSecond;
    return { atMs, application: "alerting", key: campaign(), ...happening(random, 90) };
  });
}

function uploads(endMs: number, random: Random): Arrival[] {
  const arrivals: Arrival[] = [];
  for (let fromMs = 0; fromMs < endMs; fromMs += uploadEveryMs) {
    const atMs = fromMs + random.next() * (uploadEveryMs - uploadMs);
    for (const key of shops) {
      const comesMs = atMs + random.next() * uploadMs;
      for (let i = 0; i < purchasesPerShop; i++) {
        arrivals.push({ atMs: comesMs, application: "reporting", key, ...happening(random, 20_000) });
      }
    }
  }
  return arrivals;
}

function happening(random: Random, centsMax: number): Happening {
  return { country: pick(countries, random), cents: 1 + random.below(centsMax) };
}

function pick<T>(list: readonly T[], random: Random): T {
  return list[random.below(list.length)] as T;
}
