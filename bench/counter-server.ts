/**
 * The function of the benchmarks, in a process of its own: one integer of state, one egress record per message.
 * `node counter-server.js <topic of results>`; tells its port by IPC and ends with its parent.
 */
import { defineFunction, serve, state } from "dirigo/sdk";

const topic = process.argv[2] ?? "results";

const counter = defineFunction({
  typename: "bench/counter",
  states: { count: state.int() },
  handle(ctx) {
    const count = (ctx.state.count ?? 0) + 1;
    ctx.state.count = count;
    ctx.kafka("bench/results", { topic, key: ctx.self.id, value: String(count) });
  },
});

process.once("disconnect", () => process.exit());
serve([counter], 0, { host: "127.0.0.1" }).then(({ port }) => process.send?.({ port }));
