/** Serves the airport function. `node dist/examples/flights/airport-server.js 8001` */
import { serve } from "dirigo/sdk";
import { airport } from "./airport";

serve([airport], Number(process.argv[2] ?? 8001), { host: "127.0.0.1" }).then(({ port }) => {
  console.log(`flights/airport is served at http://127.0.0.1:${port}`);
});
