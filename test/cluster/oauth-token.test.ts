import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { oauthTokens } from "../../src/cluster/oauth-token";

interface Asked {
  readonly authorization: string | undefined;
  readonly body: string;
}

let server: Server;
let asked: Asked[] = [];
let answer: { status: number; body: unknown } = { status: 200, body: {} };
beforeAll(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (data) => {
      body += data;
    });
    request.on("end", () => {
      asked.push({ authorization: request.headers.authorization, body });
      response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  server.close();
});
beforeEach(() => {
  asked = [];
});

function tokens() {
  const { port } = server.address() as AddressInfo;
  const tokenUrl = `http://127.0.0.1:${port}/token`;
  return oauthTokens({ mechanism: "oauthbearer", tokenUrl, clientId: "me", clientSecret: "s:1", scope: "kafka" });
}

test("a token is asked for with client credentials, once for all who want it, and kept", async () => {
  answer = { status: 200, body: { access_token: "T", expires_in: 3600 } };
  const token = tokens();
  const given = await Promise.all([token(), token()]);
  await token();
  expect(given.map(({ value }) => value)).toEqual(["T", "T"]);
  expect(asked).toEqual([
    { authorization: `Basic ${Buffer.from("me:s%3A1").toString("base64")}`, body: "grant_type=client_credentials&scope=kafka" },
  ]);
});

test("one that is about to expire is renewed", async () => {
  answer = { status: 200, body: { access_token: "T", expires_in: 1 } };
  const token = tokens();
  await token();
  await token();
  expect(asked).toHaveLength(2);
});

test("a refusal says who refused whom, and the next call asks again", async () => {
  answer = { status: 401, body: {} };
  const token = tokens();
  await expect(token()).rejects.toThrow(/answered 401 for client me/);
  answer = { status: 200, body: { access_token: "T" } };
  expect((await token()).value).toBe("T");
});
