import { createServer, request as httpRequest, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import express from "express";
import { defineFunction, defineFunctions, type FunctionServer, type Functions, serve, types } from "../../../src/functions/sdk";
import { decodeReply, encodeRequest } from "../../conformance/protocol";
import { hello, requestFor, self, typedAs } from "./exchange";

const failures: Error[] = [];
const echo = defineFunction({
  typename: "ex/fn",
  async handle(ctx, message) {
    const text = message.as(types.string);
    if (text === "throw") throw new Error("out of stock");
    if (text === "wait") await new Promise((resolve) => setTimeout(resolve, 100));
    ctx.send(ctx.self, text);
  },
});
const functions = defineFunctions([echo], { onFailure: (failure) => failures.push(failure), bodyBytesMax: 300_000 });

beforeEach(() => failures.splice(0));

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, resolve));
  return (server.address() as AddressInfo).port;
}

async function post(
  url: string,
  body: Uint8Array,
  method = "POST",
): Promise<{ status: number; type: string | null; bytes: Buffer }> {
  const response = await fetch(url, {
    method,
    ...(method === "POST" ? { body: new Uint8Array(body) } : {}),
    headers: { "content-type": "application/octet-stream" },
  });
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    bytes: Buffer.from(await response.arrayBuffer()),
  };
}

function sentTexts(bytes: Uint8Array): string[] {
  return (decodeReply(bytes).invocation_result?.outgoing_messages ?? []).map((m) => types.string.decode(m.argument.value));
}

const text = (value: string) => requestFor([typedAs(types.string, value)]);

describe("serve", () => {
  let server: FunctionServer;
  let url: string;
  beforeAll(async () => {
    server = await serve(functions, 0, { host: "127.0.0.1" });
    url = `http://127.0.0.1:${server.port}/any/path`;
  });
  afterAll(() => server.close());

  test("answers 200 and exactly application/octet-stream, at any path", async () => {
    const { status, type, bytes } = await post(url, requestFor([hello]));
    expect([status, type, sentTexts(bytes)]).toEqual([200, "application/octet-stream", ["a"]]);
  });

  test("requests and replies of many chunks, with every byte value, arrive whole", async () => {
    const long = "\u0000\u007fé\u{1f600}".repeat(20_000);
    expect(sentTexts((await post(url, text(long))).bytes)).toEqual([long]);
  });

  test("a failing batch answers 500 and says which message, to the router and to onFailure", async () => {
    const { status, type, bytes } = await post(url, requestFor([hello, typedAs(types.string, "throw")]));
    const line = "ex/fn/i: message 2 of 2 (io.statefun.types/string) failed, and its batch with it: Error: out of stock";
    expect([status, type, bytes.toString()]).toEqual([500, "text/plain; charset=utf-8", `${line}\n`]);
    expect(failures.map((failure) => failure.message)).toEqual([line]);
    expect(failures[0]?.cause).toMatchObject({ message: "out of stock" });
  });

  test("an unknown function answers 404", async () => {
    const body = encodeRequest({ target: { ...self, type: "other" }, state: [], invocations: [{ argument: hello }] });
    const { status, bytes } = await post(url, body);
    expect([status, bytes.toString()]).toEqual([404, "no function ex/other is served here, only ex/fn\n"]);
  });

  test("another method answers 405 and names the right one", async () => {
    const response = await fetch(url);
    expect([response.status, response.headers.get("allow"), await response.text()]).toEqual([
      405,
      "POST",
      "functions are called with POST, not GET\n",
    ]);
  });

  test("no body and bytes that are no request answer 400", async () => {
    expect((await post(url, Buffer.alloc(0))).bytes.toString()).toBe("the request has no body; expected a ToFunction\n");
    const { status, bytes } = await post(url, Buffer.from("hello"));
    expect([status, bytes.toString()]).toEqual([400, "wire type 4 is not possible in a proto3 message\n"]);
  });

  test("a body over the limit answers 413, and the connection goes on", async () => {
    const { status, bytes } = await post(url, Buffer.alloc(300_001));
    expect([status, bytes.toString()]).toEqual([413, "the request has 300001 bytes, at most 300000 are read\n"]);
    expect((await post(url, requestFor([hello]))).status).toBe(200);
  });

  test("a request given up halfway leaves the server serving", async () => {
    const socket = connect(server.port, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    await new Promise((resolve) => socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc", resolve));
    socket.destroy();
    expect((await post(url, requestFor([hello]))).status).toBe(200);
  });

  test("several addresses are served at the same time", async () => {
    const order: string[] = [];
    await Promise.all(
      ["wait", "quick"].map(async (value) => {
        await post(url, text(value));
        order.push(value);
      }),
    );
    expect(order).toEqual(["quick", "wait"]);
  });

  test("a port in use is an error and not a crash", async () => {
    await expect(serve([echo], server.port, { host: "127.0.0.1" })).rejects.toThrow("EADDRINUSE");
  });
});

test("close lets running requests finish and frees the port", async () => {
  const server = await serve([echo], 0, { host: "127.0.0.1" });
  const running = post(`http://127.0.0.1:${server.port}/`, text("wait"));
  await new Promise<void>((resolve) => server.server.once("request", () => resolve()));
  await server.close();
  expect(sentTexts((await running).bytes)).toEqual(["wait"]);
  await (await serve([echo], server.port, { host: "127.0.0.1" })).close();
});

test("without onFailure a failure is told on stderr, with the handler's stack", async () => {
  const told = jest.spyOn(console, "error").mockImplementation(() => {});
  const server = await serve([echo], 0, { host: "127.0.0.1" });
  try {
    await post(`http://127.0.0.1:${server.port}/`, text("throw"));
    expect(told.mock.calls.map(String).join()).toMatch(
      /message 1 of 1 .* failed[\s\S]*out of stock\n +at .*http-functions\.test/,
    );
  } finally {
    told.mockRestore();
    await server.close();
  }
});

describe("inside other servers", () => {
  async function answers(server: Server, path = "/"): Promise<unknown> {
    const port = await listening(server);
    try {
      const { status, bytes } = await post(`http://127.0.0.1:${port}${path}`, requestFor([hello]));
      return status === 200 ? sentTexts(bytes) : bytes.toString();
    } finally {
      server.close();
      server.closeAllConnections(); // fetch keeps idle ones
    }
  }

  test("a plain Node server", async () => {
    expect(await answers(createServer(functions.handler()))).toEqual(["a"]);
  });

  test("Express, mounted at a path", async () => {
    const app = express();
    app.use("/functions", functions.express());
    expect(await answers(createServer(app), "/functions")).toEqual(["a"]);
  });

  test("Express, behind express.raw() and express.json(), which leaves octets alone", async () => {
    const app = express();
    app.use(express.json(), express.raw(), functions.express());
    expect(await answers(createServer(app))).toEqual(["a"]);
  });

  test("Express, behind a parser that swallowed the body: an error that says so", async () => {
    const app = express();
    app.use(express.text({ type: "*/*" }), functions.express());
    expect(await answers(createServer(app))).toBe("the body was read before: mount functions before body parsers\n");
  });

  test("no server at all: bytes in, bytes out", async () => {
    const view = new Uint8Array(requestFor([hello]));
    expect(sentTexts(await (functions as Functions).invoke(view))).toEqual(["a"]);
  });
});

test("a chunked request, without a content length, is read too", async () => {
  const server = await serve(functions, 0, { host: "127.0.0.1" });
  try {
    const body = requestFor([hello]);
    const reply = await new Promise<Buffer>((resolve, reject) => {
      const sending = httpRequest({ port: server.port, host: "127.0.0.1", method: "POST" }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve(Buffer.concat(chunks)));
      });
      sending.on("error", reject);
      for (const byte of body) sending.write(Buffer.from([byte]));
      sending.end();
    });
    expect(sentTexts(reply)).toEqual(["a"]);
  } finally {
    await server.close();
  }
});
