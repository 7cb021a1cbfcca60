/**
 * The functions: `shop/campaign` adds up the clicks of a campaign, `shop/sales` the purchases of a shop; at the end of a window each tells its total and begins
 * anew. The same code runs on both sides of the demo. What ends a window is another message there and here, and that is all they see of the difference.
 */
import { type Context, defineFunction, type FunctionDefinition, state, types } from "dirigo/sdk";
import { hold } from "./hold";
import { type Application, applications, endHoldMs, type Happening, type WindowEnd, windowEndType } from "./record";

/** Of the open window. Each is a sum, so parts of it can be added: `merge` in module.yaml. */
const states = {
  count: state.int(),
  cents: state.int(),
  countries: state.json<Readonly<Record<string, number>>>("shop/by-country"),
};

/** `topic`: of the totals. */
export function functionsOf(topic: string): FunctionDefinition[] {
  return applications.map((application) => totalling(application, topic));
}

function totalling(application: Application, topic: string): FunctionDefinition {
  // In module-fifo.yaml the producers say themselves, in the same topic, when a window is over.
  const recordType = types.json<Happening | WindowEnd>(application.valueType);
  return defineFunction({
    typename: application.typename,
    states,
    async handle(ctx, message) {
      const said = message.is(windowEndType) ? message.as(windowEndType) : message.as(recordType);
      // Instead of the work that a real one would do, or wait for: a fraud check, a model, a database. The slot is held, no CPU is used.
      await hold("end" in said ? endHoldMs : application.holdMs);
      if ("end" in said) tell(ctx, said, application, topic);
      else add(ctx, said);
    },
  });
}

function add({ state: open }: Context<typeof states>, { country, cents }: Happening): void {
  open.count = (open.count ?? 0) + 1;
  open.cents = (open.cents ?? 0) + cents;
  const countries = open.countries ?? {};
  open.countries = { ...countries, [country]: (countries[country] ?? 0) + 1 };
}

function tell(ctx: Context<typeof states>, { start, end }: WindowEnd, { name }: Application, topic: string): void {
  const { count, cents = 0, countries: byCountry = {} } = ctx.state;
  if (count === undefined) return;
  const key = ctx.self.id;
  ctx.kafka("shop/totals", { topic, key, value: { application: name, key, start, end, count, cents, byCountry } });
  delete ctx.state.count;
  delete ctx.state.cents;
  delete ctx.state.countries;
}
