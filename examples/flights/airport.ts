/**
 * One actor per airport. It counts its departures and their delay, tells each destination that somebody comes, and says
 * after every message what it knows.
 */
import { type Context, defineFunction, type StateValues, state } from "dirigo/sdk";
import { arrivalType, type Figures, figuresType, flightType } from "./flight";

const states = {
  departures: state.int(),
  arrivals: state.int(),
  /** The sum and not the mean: whole minutes add up exactly, and the mean is then the same however often it is computed. */
  delay_minutes: state.int(),
};

export const airport = defineFunction({
  typename: "flights/airport",
  states,

  handle(ctx, message) {
    const known = ctx.state;
    if (message.is(flightType)) {
      // A record of topic `flights`: its key, the origin, is our id.
      const flight = message.as(flightType);
      known.departures = (known.departures ?? 0) + 1;
      known.delay_minutes = (known.delay_minutes ?? 0) + flight.delay;
      ctx.send(airport.at(flight.destination), arrivalType.of({ from: ctx.self.id }));
      const figures = figuresOf(ctx.self.id, "departure", known);
      publish(ctx, figures);
      // Written with another SDK, in another process: an address is all one needs to know.
      ctx.send({ typename: "flights/alert", id: ctx.self.id }, figuresType.of(figures));
    } else {
      message.as(arrivalType);
      known.arrivals = (known.arrivals ?? 0) + 1;
      publish(ctx, figuresOf(ctx.self.id, "arrival", known));
    }
  },
});

function figuresOf(id: string, after: Figures["after"], known: StateValues<typeof states>): Figures {
  const { departures = 0, arrivals = 0, delay_minutes = 0 } = known;
  return { airport: id, after, departures, arrivals, meanDelay: departures === 0 ? 0 : delay_minutes / departures };
}

function publish(ctx: Context<typeof states>, figures: Figures): void {
  ctx.kafka("flights/results", { topic: "airports", key: figures.airport, value: { ...figures } });
}
