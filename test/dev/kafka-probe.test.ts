import { createServer, type Server } from "node:net";
import { answers, freePort, isFree } from "../../src/dev/kafka-probe";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function occupy(port: number): Promise<void> {
  const server = createServer((socket) => socket.end("not Kafka\r\n").on("error", () => {}));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
}

test("a free port is free until somebody listens there", async () => {
  const port = await freePort();
  expect(await isFree(port)).toBe(true);
  await occupy(port);
  expect(await isFree(port)).toBe(false);
});

test("nobody is no Kafka, and neither is somebody else", async () => {
  const port = await freePort();
  expect(await answers(port)).toBe(false);
  await occupy(port);
  expect(await answers(port)).toBe(false);
});
