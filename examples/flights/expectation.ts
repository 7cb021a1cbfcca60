/**
 * What must come out, computed directly from the flights, and the comparison with what came out.
 *
 * An airport hears of its own departures in the order of the topic (one key, one partition), so everything that depends on
 * departures alone is known exactly: each mean, each alert. Arrivals are sent by other airports, and between senders order
 * is free: when an airport hears of the n-th arrival differs from run to run, but that it hears of every one, once, does not.
 */
import type { Alert, Figures, Flight } from "./flight";

interface AirportExpectation {
  /** By number of departures: the mean delay after that many. Index 0 = none yet. */
  readonly meanDelays: number[];
  readonly alerts: Alert[];
  delayMinutes: number;
  arrivals: number;
  above: boolean;
}

export interface Rule {
  /** The mean delay in minutes above which an airport is reported. */
  readonly threshold: number;
  readonly departuresMin: number;
}

export class Expectation {
  readonly airports = new Map<string, AirportExpectation>();

  constructor(
    readonly flights: readonly Flight[],
    rule: Rule,
  ) {
    for (const flight of flights) {
      this.#depart(flight, rule);
      this.#airport(flight.destination).arrivals++;
    }
  }

  /** Each departure and each arrival makes its airport say its figures once. */
  get figuresCount(): number {
    return 2 * this.flights.length;
  }

  get alertsCount(): number {
    let count = 0;
    for (const { alerts } of this.airports.values()) count += alerts.length;
    return count;
  }

  #airport(id: string): AirportExpectation {
    let known = this.airports.get(id);
    if (known === undefined) {
      known = { meanDelays: [0], alerts: [], delayMinutes: 0, arrivals: 0, above: false };
      this.airports.set(id, known);
    }
    return known;
  }

  #depart({ origin, delay }: Flight, { threshold, departuresMin }: Rule): void {
    const airport = this.#airport(origin);
    const departures = airport.meanDelays.length;
    airport.delayMinutes += delay;
    const meanDelay = airport.delayMinutes / departures;
    airport.meanDelays.push(meanDelay);
    if (departures < departuresMin) return;
    const above = meanDelay > threshold;
    if (above && !airport.above) airport.alerts.push({ airport: origin, departures, meanDelay });
    airport.above = above;
  }

  /** Every difference, in words; none when all is as it must be. Records are given in the order of their topic's partitions. */
  differences(figures: readonly Figures[], alerts: readonly Alert[]): string[] {
    const found: string[] = [];
    const seen = new Map<string, Tally>();
    for (const each of figures) this.#compare(each, seen, found);
    for (const [id, { meanDelays, arrivals }] of this.airports) {
      const tally = seen.get(id);
      compare(found, `${id}: departures in the end`, tally?.departures ?? 0, meanDelays.length - 1);
      compare(found, `${id}: arrivals in the end`, tally?.arrivals ?? 0, arrivals);
    }
    this.#compareAlerts(alerts, found);
    return found;
  }

  /** One departure or one arrival more than the record before it: so none is missing, none is there twice, and they are in order. */
  #compare(figures: Figures, seen: Map<string, Tally>, found: string[]): void {
    const { airport: id, after } = figures;
    const expected = this.airports.get(id);
    if (expected === undefined) {
      found.push(`${id}: no flight starts or ends there`);
      return;
    }
    const { departures, arrivals } = seen.get(id) ?? { departures: 0, arrivals: 0 };
    const next = after === "departure" ? { departures: departures + 1, arrivals } : { departures, arrivals: arrivals + 1 };
    const where = `${id} after ${departures} departures and ${arrivals} arrivals`;
    compare(found, `${where}: departures next`, figures.departures, next.departures);
    compare(found, `${where}: arrivals next`, figures.arrivals, next.arrivals);
    compare(
      found,
      `${id}: mean delay of ${figures.departures} departures`,
      figures.meanDelay,
      expected.meanDelays[figures.departures],
    );
    seen.set(id, { departures: figures.departures, arrivals: figures.arrivals });
  }

  #compareAlerts(alerts: readonly Alert[], found: string[]): void {
    const perAirport = new Map<string, Alert[]>();
    for (const alert of alerts) perAirport.set(alert.airport, [...(perAirport.get(alert.airport) ?? []), alert]);
    const ids = new Set([...this.airports.keys(), ...perAirport.keys()]);
    for (const id of ids) {
      const text = (list: readonly Alert[] = []) =>
        list.map(({ departures, meanDelay }) => `at ${departures} departures, mean ${meanDelay}`).join("; ") || "none";
      compare(found, `${id}: alerts`, text(perAirport.get(id)), text(this.airports.get(id)?.alerts));
    }
  }
}

interface Tally {
  readonly departures: number;
  readonly arrivals: number;
}

/** Both sides divide the same whole numbers, so even the means must be equal to the last bit. */
function compare<T>(found: string[], what: string, actual: T, expected: T): void {
  if (actual !== expected) found.push(`${what}: ${String(actual)}, expected ${String(expected)}`);
}
