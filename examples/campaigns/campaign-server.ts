/** Serves both functions. `node dist/examples/campaigns/campaign-server.js 8003 campaigns-totals` */
import { serve } from "dirigo/sdk";
import { functionsOf } from "./campaign";

const [port = "8003", topic = "campaigns-totals"] = process.argv.slice(2);

serve(functionsOf(topic), Number(port), { host: "127.0.0.1" }).then((server) => {
  console.log(`shop/campaign and shop/sales are served at http://127.0.0.1:${server.port}`);
});
