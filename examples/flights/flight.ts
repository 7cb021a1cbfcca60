/** The flights, and what the functions say to each other about them. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { types } from "dirigo/sdk";

/** As it stands in the data set, and as the value of a record in topic `flights`. */
export interface Flight {
  /** Scheduled departure, e.g. `2001/01/01 00:47`. */
  readonly date: string;
  /** Minutes; negative = early. */
  readonly delay: number;
  /** Miles. */
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

/** What an airport knows of itself: the value of a record in topic `airports`, and what it tells the alert function. */
export interface Figures {
  readonly airport: string;
  /** What made the airport say this. */
  readonly after: "departure" | "arrival";
  readonly departures: number;
  readonly arrivals: number;
  /** Of all departures so far, minutes. */
  readonly meanDelay: number;
}

/** The value of a record in topic `alerts`. */
export interface Alert {
  readonly airport: string;
  /** How many departures there had been. */
  readonly departures: number;
  readonly meanDelay: number;
}

/** Names that all languages share; the first is the `valueType` of the topic in module.yaml. */
export const flightType = types.json<Flight>("flights/flight");
export const arrivalType = types.json<{ readonly from: string }>("flights/arrival");
export const figuresType = types.json<Figures>("flights/figures");

/** 20,000 flights within the United States, January to March 2001, in order of departure. */
export function readFlights(): readonly Flight[] {
  const data = join(dirname(require.resolve("vega-datasets")), "..", "data", "flights-20k.json");
  return JSON.parse(readFileSync(data, "utf8")) as Flight[];
}
