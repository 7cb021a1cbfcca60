/** A counter as anybody writes it with StateFun's own JavaScript SDK, unmodified: nothing in it knows of lanes, parts or merges. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Context, kafkaEgressMessage, type Message, StateFun } from "apache-flink-statefun";

const topic = process.env.RESULTS_TOPIC ?? "results";
const addType = StateFun.jsonType<{ by: number; tell?: boolean }>("dual/add");
const closeType = StateFun.jsonType<object>("dual/close");

const functions = new StateFun();
functions.bind({
  typename: "dual/counter",
  specs: [
    { name: "count", type: StateFun.intType() },
    { name: "total", type: StateFun.intType() },
  ],
  fn(context: Context, message: Message) {
    const storage = context.storage as { count: number | null; total: number | null };
    const closing = message.is(closeType);
    let tell = closing;
    if (!closing) {
      const add = message.as(addType) as { by: number; tell?: boolean };
      storage.count = (storage.count ?? 0) + 1;
      storage.total = (storage.total ?? 0) + add.by;
      tell = add.tell === true;
    }
    if (!tell) return;
    const told = { by: closing ? "close" : "add", count: storage.count ?? 0, total: storage.total ?? 0 };
    context.send(kafkaEgressMessage({ typename: "dual/results", topic, key: context.self.id, value: JSON.stringify(told) }));
  },
});
const server = createServer(functions.handler());
server.listen(0, "127.0.0.1", () => console.log(`listening ${(server.address() as AddressInfo).port}`));
