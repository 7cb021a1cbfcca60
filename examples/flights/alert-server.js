/**
 * Raises an alert when an airport's mean delay passes a threshold. Plain JavaScript and the StateFun SDK as it comes from npm:
 * nothing here knows of Dirigo. `node examples/flights/alert-server.js 8002`
 */
const http = require("node:http");
const { StateFun, kafkaEgressMessage } = require("apache-flink-statefun");

/** Minutes. */
const threshold = 15;
/** A mean of a few flights says little. */
const departuresMin = 10;

const figuresType = StateFun.jsonType("flights/figures");

const statefun = new StateFun();
statefun.bind({
  typename: "flights/alert",
  specs: [{ name: "above", type: StateFun.booleanType() }],
  fn(context, message) {
    const figures = message.as(figuresType);
    if (figures.departures < departuresMin) return;
    const above = figures.meanDelay > threshold;
    // Remembered, so that an airport is reported when it passes the threshold and not for as long as it stays above.
    if (above && !context.storage.above) {
      const { airport, departures, meanDelay } = figures;
      context.send(
        kafkaEgressMessage({
          typename: "flights/results",
          topic: "alerts",
          key: airport,
          value: JSON.stringify({ airport, departures, meanDelay }),
        }),
      );
    }
    context.storage.above = above;
  },
});

const server = http.createServer(statefun.handler());
server.listen(Number(process.argv[2] ?? 8002), "127.0.0.1", () => {
  console.log(`flights/alert is served at http://127.0.0.1:${server.address().port}`);
});
