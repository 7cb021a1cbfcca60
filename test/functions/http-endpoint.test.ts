import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import type { EndpointSpecification, TlsSpecification, TransportSpecification } from "../../src/config/specification";
import type { Event } from "../../src/event";
import { type Endpoints, openEndpoints } from "../../src/functions/http-endpoint";
import { retryAfterMs } from "../../src/functions/http-exchange";
import { ConfigError } from "../../src/model/errors";
import { Random } from "../../src/model/random";

type Answer = Extract<Event, { kind: "invocation_replied" | "invocation_failed" }>;
type Reply = Extract<Event, { kind: "invocation_replied" }>;

const octets = "application/octet-stream";
const silent = () => undefined;

const noTls: TlsSpecification = {
  caFile: undefined,
  certFile: undefined,
  keyFile: undefined,
  keyPasswordFile: undefined,
  keyPassword: undefined,
  ca: undefined,
  cert: undefined,
  key: undefined,
  checkHostname: true,
};

function specification(
  urlPathTemplate: string,
  transport: Partial<TransportSpecification> = {},
  rest: Partial<EndpointSpecification> = {},
): EndpointSpecification {
  return {
    id: "test/*",
    functions: [{ namespace: "test", name: undefined }],
    urls: [urlPathTemplate],
    placement: "any",
    adaptive: false,
    maxNumBatchRequests: 1000,
    concurrency: 64,
    maxBatchBytes: 4 << 20,
    transport: {
      callTimeoutMs: 20_000,
      connectTimeoutMs: 10_000,
      readTimeoutMs: undefined,
      poolTtlMs: 15_000,
      poolSize: 1024,
      payloadMaxBytes: 32 << 20,
      tls: undefined,
      ...transport,
    },
    ...rest,
  };
}

/** The adapter, and its answers by invocation. An answer given twice is kept as a failure of the test. */
class Harness {
  readonly answers = new Map<number, Answer>();
  readonly twice: number[] = [];
  readonly endpoints: Endpoints;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #next = 0;

  constructor(...specifications: EndpointSpecification[]) {
    this.endpoints = openEndpoints(
      specifications,
      (event) => {
        if (event.kind !== "invocation_replied" && event.kind !== "invocation_failed") throw new Error(event.kind);
        if (this.answers.has(event.invocation)) this.twice.push(event.invocation);
        this.answers.set(event.invocation, event);
        this.#waiting.get(event.invocation)?.(event);
      },
      silent,
    );
  }

  call(
    body: string | Uint8Array = "hello",
    more: { functionName?: string; traceparent?: string; endpoint?: number; replica?: number } = {},
  ): Promise<Answer> {
    const invocation = this.#next++;
    return new Promise((resolve) => {
      this.#waiting.set(invocation, resolve);
      this.endpoints.perform({
        kind: "dispatch",
        invocation,
        endpoint: more.endpoint ?? 0,
        replica: more.replica ?? 0,
        functionName: more.functionName ?? "greeter",
        traceparent: more.traceparent,
        body: typeof body === "string" ? Buffer.from(body) : body,
      });
    });
  }

  async replied(...call: Parameters<Harness["call"]>): Promise<Reply> {
    const answer = await this.call(...call);
    if (answer.kind !== "invocation_replied") throw new Error(`failed: ${answer.reason}`);
    return answer;
  }

  async reason(...call: Parameters<Harness["call"]>): Promise<string> {
    const answer = await this.call(...call);
    if (answer.kind !== "invocation_failed") throw new Error(`replied with ${answer.status}`);
    return answer.reason;
  }

  /** What a request without reply says of the replica. */
  async failure(...call: Parameters<Harness["call"]>): Promise<string> {
    const answer = await this.call(...call);
    return answer.kind === "invocation_failed" ? (answer.failure ?? "neither") : `replied with ${answer.status}`;
  }
}

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function open(...specifications: EndpointSpecification[]): Harness {
  const harness = new Harness(...specifications);
  closing.push(async () => {
    await harness.endpoints.close();
    expect(harness.twice).toEqual([]);
    expect(harness.endpoints.inFlight()).toBe(0);
  });
  return harness;
}

async function listen(server: net.Server, where: number | string = 0): Promise<number> {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", silent);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    if (typeof where === "string") server.listen(where, resolve);
    else server.listen(where, "127.0.0.1", resolve);
  });
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return typeof where === "string" ? 0 : (server.address() as AddressInfo).port;
}

type Listener = (request: http.IncomingMessage, response: http.ServerResponse, body: Buffer) => void;

function whole(listener: Listener): http.RequestListener {
  return (request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => listener(request, response, Buffer.concat(pieces)));
  };
}

/** Serves with `listener` and returns a harness whose only endpoint is it. */
async function serve(listener: Listener, transport: Partial<TransportSpecification> = {}): Promise<Harness> {
  const port = await listen(http.createServer(whole(listener)));
  return open(specification(`http://127.0.0.1:${port}/statefun`, transport));
}

/** A server that answers each connection's first bytes with these, and leaves it open. */
async function serveBytes(bytes: string, transport: Partial<TransportSpecification> = {}, end = false): Promise<Harness> {
  const port = await listen(
    net.createServer((socket) => {
      socket.once("data", () => (end ? socket.end(bytes) : socket.write(bytes)));
    }),
  );
  return open(specification(`http://127.0.0.1:${port}/`, transport));
}

const answer =
  (status: number, headers: http.OutgoingHttpHeaders, body: string | Uint8Array = ""): Listener =>
  (_request, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };

describe("the request", () => {
  test("is StateFun's, header by header", async () => {
    let seen:
      | {
          method?: string | undefined;
          url?: string | undefined;
          version: string;
          headers: http.IncomingHttpHeaders;
          body: string;
        }
      | undefined;
    const harness = await serve((request, response, body) => {
      seen = {
        method: request.method,
        url: request.url,
        version: request.httpVersion,
        headers: request.headers,
        body: body.toString("hex"),
      };
      response.writeHead(200, { "content-type": octets });
      response.end();
    });
    await harness.replied(new Uint8Array([1, 0, 255]));
    const { host, ...headers } = seen?.headers ?? {};
    expect(host).toMatch(/^127\.0\.0\.1:\d+$/);
    expect({ ...seen, headers }).toEqual({
      method: "POST",
      url: "/statefun",
      version: "1.1",
      headers: {
        accept: octets,
        "accept-encoding": "gzip,deflate",
        connection: "keep-alive",
        "content-length": "3",
        "content-type": octets,
        "user-agent": "statefun",
      },
      body: "0100ff",
    });
  });

  test("replaces every {function.name} by the bare name and keeps the query", async () => {
    const urls: (string | undefined)[] = [];
    const port = await listen(
      http.createServer(
        whole((request, response) => {
          urls.push(request.url);
          response.end();
        }),
      ),
    );
    const harness = open(specification(`http://127.0.0.1:${port}/f/{function.name}/x?name={function.name}&v=1`));
    await harness.replied("", { functionName: "a$&b" });
    await harness.replied("", { functionName: "counter" });
    expect(urls).toEqual(["/f/a$&b/x?name=a$&b&v=1", "/f/counter/x?name=counter&v=1"]);
  });

  test("can name its host after the function", async () => {
    const port = await listen(http.createServer(whole(answer(204, {}))));
    const harness = open(specification(`http://{function.name}:${port}/`));
    expect(await harness.replied("", { functionName: "localhost" })).toMatchObject({ status: 204 });
    expect(await harness.reason("", { functionName: "no such host" })).toContain("is not a URL");
  });

  test("carries a traceparent that is one, and leaves out what is not: it would fail the message for ever", async () => {
    const harness = await serve((request, response) => response.end(String(request.headers.traceparent)));
    const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    expect(Buffer.from((await harness.replied("", { traceparent: good })).body).toString()).toBe(good);
    expect(Buffer.from((await harness.replied("", { traceparent: "x\r\nhost: evil" })).body).toString()).toBe("undefined");
  });

  test("goes over a connection that is kept", async () => {
    const ports = new Set<number | undefined>();
    const harness = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end();
    });
    for (let i = 0; i < 20; i++) await harness.replied();
    expect(ports.size).toBe(1);
  });

  test("does not wait for others: as many at once as are asked for", async () => {
    const held: http.ServerResponse[] = [];
    const harness = await serve((_request, response) => {
      held.push(response);
      if (held.length === 64) for (const each of held) each.end();
    });
    const answers = await Promise.all(Array.from({ length: 64 }, () => harness.replied()));
    expect(answers.map((each) => each.status)).toEqual(Array(64).fill(200));
  });

  test("C2: waits in order when all connections are taken", async () => {
    const bodies: string[] = [];
    let most = 0;
    let now = 0;
    const port = await listen(
      http.createServer(
        whole((_request, response, body) => {
          bodies.push(body.toString());
          most = Math.max(most, ++now);
          setTimeout(() => {
            now--;
            response.end();
          }, 1);
        }),
      ),
    );
    const harness = open(specification(`http://127.0.0.1:${port}/`, { poolSize: 1 }, { concurrency: 1 }));
    const sent = Array.from({ length: 10 }, (_, i) => `message ${i}`);
    await Promise.all(sent.map((body) => harness.replied(body)));
    expect(bodies).toEqual(sent);
    expect(most).toBe(1);
  });

  test("C3: keeps no more idle connections than the pool may have", async () => {
    const held: http.ServerResponse[] = [];
    const open_ = new Set<net.Socket>();
    const server = http.createServer(
      whole((_request, response) => {
        held.push(response);
        if (held.length === 8) for (const each of held) each.end();
      }),
    );
    const left = new Promise<void>((resolve) =>
      server.on("connection", (socket) => {
        open_.add(socket);
        socket.on("close", () => {
          open_.delete(socket);
          if (open_.size === 2) resolve();
        });
      }),
    );
    const port = await listen(server);
    const harness = open(specification(`http://127.0.0.1:${port}/`, { poolSize: 2, poolTtlMs: 0 }, { concurrency: 8 }));
    await Promise.all(Array.from({ length: 8 }, () => harness.replied()));
    await left;
    expect(open_.size).toBe(2);
  });
});

describe("the reply", () => {
  test("is handed over as it is: 200 with content type and bytes", async () => {
    const harness = await serve(answer(200, { "content-type": octets }, new Uint8Array([0xa2, 0x06, 0x00])));
    const reply = await harness.replied();
    expect({ ...reply, body: Buffer.from(reply.body).toString("hex") }).toEqual({
      kind: "invocation_replied",
      invocation: 0,
      status: 200,
      contentType: octets,
      body: "a20600",
      retryAfterMs: undefined,
    });
  });

  test("of 200, no content type and an empty body keeps the difference to one with a content type", async () => {
    const without = await serve(answer(200, { status: "500" }));
    expect(await without.replied()).toMatchObject({ status: 200, contentType: undefined, body: Buffer.alloc(0) });
    const withType = await serve(answer(200, { "content-type": octets }));
    expect(await withType.replied()).toMatchObject({ status: 200, contentType: octets, body: Buffer.alloc(0) });
  });

  test("with an error status, or a redirect, is a reply and nothing is followed", async () => {
    let requests = 0;
    const harness = await serve((request, response) => {
      requests++;
      response.writeHead(request.url === "/statefun" ? 307 : 200, { location: "/elsewhere" });
      response.end("moved");
    });
    expect(await harness.replied()).toMatchObject({ status: 307, body: Buffer.from("moved") });
    expect(requests).toBe(1);
    const broken = await serve(answer(500, { "content-type": octets }));
    expect(await broken.replied()).toMatchObject({ status: 500, contentType: octets });
  });

  test.each([
    ["gzip", gzipSync("plain text")],
    ["x-gzip", gzipSync("plain text")],
    ["GZIP", gzipSync("plain text")],
    ["deflate", deflateSync("plain text")],
    ["deflate", deflateRawSync("plain text")],
    ["identity", Buffer.from("plain text")],
  ])("in %s is decompressed", async (encoding, body) => {
    const harness = await serve(answer(200, { "content-type": octets, "content-encoding": encoding }, body));
    const reply = await harness.replied();
    expect(Buffer.from(reply.body).toString()).toBe("plain text");
  });

  test("in gzip without a byte is empty, not broken", async () => {
    const harness = await serve(answer(200, { "content-encoding": "gzip" }));
    expect(await harness.replied()).toMatchObject({ body: Buffer.alloc(0) });
  });

  test("in an encoding nobody asked for, or not in the one it names, fails", async () => {
    const strange = await serve(answer(200, { "content-encoding": "br" }, "?"));
    expect(await strange.reason()).toBe("the reply's encoding br was not asked for (gzip, deflate)");
    const broken = await serve(answer(200, { "content-encoding": "gzip" }, "no gzip"));
    expect(await broken.reason()).toMatch(/^the reply is not gzip: /);
  });

  test("H3: a bomb fails, whether it says its length, hides it in pieces or in gzip", async () => {
    const limit = { payloadMaxBytes: 10_000 };
    const told = await serve(answer(200, { "content-length": 10_001 }, Buffer.alloc(10_001)), limit);
    expect(await told.reason()).toBe("the reply is larger than 10000 bytes");
    const pieces = await serve((_request, response) => {
      const timer = setInterval(() => response.write(Buffer.alloc(3_000)), 1);
      response.on("close", () => clearInterval(timer));
    }, limit);
    expect(await pieces.reason()).toBe("the reply is larger than 10000 bytes");
    const packed = await serve(answer(200, { "content-encoding": "gzip" }, gzipSync(Buffer.alloc(5_000_000))), limit);
    expect(await packed.reason()).toBe("the reply, decompressed, is larger than 10000 bytes");
    const fits = await serve(answer(200, {}, Buffer.alloc(10_000)), limit);
    expect((await fits.replied()).body.length).toBe(10_000);
  });

  test("of several megabytes arrives whole", async () => {
    const large = Buffer.alloc(8 << 20, "0123456789abcdef");
    const harness = await serve((_request, response, body) => response.end(body));
    const reply = await harness.replied(large);
    expect(Buffer.compare(Buffer.from(reply.body), large)).toBe(0);
  });

  test("in chunks, and after an informational reply, is one body", async () => {
    const harness = await serveBytes(
      "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    expect(await harness.replied()).toMatchObject({ status: 200, body: Buffer.from("abcde") });
  });

  test("tells how long to stay away", async () => {
    const seconds = await serve(answer(503, { "retry-after": "7" }));
    expect(await seconds.replied()).toMatchObject({ status: 503, retryAfterMs: 7_000 });
    expect(retryAfterMs(new Date(Date.now() + 60_000).toUTCString())).toBeGreaterThan(50_000);
    expect(retryAfterMs("Wed, 21 Oct 2015 07:28:00 GMT")).toBe(0);
    expect([retryAfterMs("-1"), retryAfterMs("soon"), retryAfterMs("1e9"), retryAfterMs(undefined)]).toEqual(
      Array(4).fill(undefined),
    );
  });
});

describe("several replicas", () => {
  const named = (name: string) => listen(http.createServer(whole((_request, response) => response.end(name))));

  test("each gets what is sent to it, also when two of them share host and port", async () => {
    const [one, two] = [await named("one"), await named("two")];
    const path = await listen(http.createServer((request, response) => response.end(request.url)));
    const urls = [
      `http://127.0.0.1:${one}/{function.name}`,
      `http://127.0.0.1:${two}/{function.name}`,
      `http://127.0.0.1:${path}/a/{function.name}`,
      `http://127.0.0.1:${path}/b/{function.name}`,
    ];
    const harness = open(specification("http://unused.invalid/"), specification("", {}, { urls }));
    const bodies: string[] = [];
    for (const functionName of ["f", "g"])
      for (const replica of [3, 0, 2, 1]) {
        bodies.push(Buffer.from((await harness.replied("", { endpoint: 1, replica, functionName })).body).toString());
      }
    expect(bodies).toEqual(["/b/f", "one", "/a/f", "two", "/b/g", "one", "/a/g", "two"]);
  });

  test("one that does not answer takes no connection from another of the same host and port", async () => {
    const port = await listen(
      http.createServer((request, response) => {
        if (request.url === "/well") response.end("well");
      }),
    );
    const urls = [`http://127.0.0.1:${port}/stuck`, `http://127.0.0.1:${port}/well`];
    const harness = open(specification("", { poolSize: 1 }, { urls, concurrency: 1 }));
    const stuck = harness.call("", { replica: 0 });
    expect((await harness.replied("", { replica: 1 })).body).toEqual(Buffer.from("well"));
    expect(harness.endpoints.inFlight()).toBe(1);
    await harness.endpoints.close();
    expect(await stuck).toMatchObject({ reason: "router is stopping" });
  });

  test("one that is not there does not keep the others from answering", async () => {
    const gone = await listen(net.createServer());
    await closing.pop()?.();
    const harness = open(
      specification("", {}, { urls: [`http://127.0.0.1:${gone}/`, `http://127.0.0.1:${await named("there")}/`] }),
    );
    expect(await harness.failure("", { replica: 0 })).toBe("connection");
    expect((await harness.replied("", { replica: 1 })).body).toEqual(Buffer.from("there"));
  });
});

describe("no reply", () => {
  test("because nobody listens", async () => {
    const server = http.createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const harness = open(specification(`http://127.0.0.1:${port}/`), specification(`http://localhost:${port}/`));
    expect(await harness.reason()).toBe(`connect ECONNREFUSED 127.0.0.1:${port}`);
    expect(await harness.reason("", { endpoint: 1 })).toContain(`connect ECONNREFUSED 127.0.0.1:${port}`);
  });

  test("because the name is unknown", async () => {
    const harness = open(specification("http://nowhere.invalid/"));
    expect(await harness.reason()).toMatch(/nowhere\.invalid/);
  });

  test("because the connection does not come about in time", async () => {
    // TLS needs a word from the other side; this one says nothing.
    const port = await listen(net.createServer());
    const harness = open(specification(`https://127.0.0.1:${port}/`, { connectTimeoutMs: 50 }));
    expect(await harness.reason()).toBe("no connection within 50 ms");
  });

  test("because the call took too long: while connecting, before the headers, in the body", async () => {
    const port = await listen(net.createServer());
    const connecting = open(specification(`https://127.0.0.1:${port}/`, { callTimeoutMs: 50 }));
    expect(await connecting.reason()).toBe("no reply within 50 ms");
    const headers = await serve(silent, { callTimeoutMs: 50 });
    expect(await headers.reason()).toBe("no reply within 50 ms");
    const body = await serve((_request, response) => response.write("some"), { callTimeoutMs: 50 });
    expect(await body.reason()).toBe("no reply within 50 ms");
  });

  test("because the call timeout counts, not the silence: a trickle is no way around it", async () => {
    const harness = await serve(
      (_request, response) => {
        const timer = setInterval(() => response.write("."), 5);
        response.on("close", () => clearInterval(timer));
      },
      { callTimeoutMs: 100, readTimeoutMs: 60 },
    );
    expect(await harness.reason()).toBe("no reply within 100 ms");
  });

  test("because of silence longer than the read timeout", async () => {
    const headers = await serve(silent, { readTimeoutMs: 50 });
    expect(await headers.reason()).toBe("no reply: nothing was received for 50 ms");
    const body = await serve((_request, response) => response.write("some"), { readTimeoutMs: 50 });
    expect(await body.reason()).toBe("the reply broke off: nothing was received for 50 ms");
  });

  test("because the connection was lost before, or in the middle of, the reply", async () => {
    const closed = await serve((request) => request.socket.destroy());
    expect(await closed.reason()).toBe("the connection was closed before the reply was complete");
    const reset = await serve((_request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("half", () => response.socket?.resetAndDestroy());
    });
    expect(await reset.reason()).toMatch(/ECONNRESET|the connection was closed before the reply was complete/);
    const short = await serveBytes("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", {}, true);
    expect(await short.reason()).toBe("the connection was closed before the reply was complete");
  });

  test("because what came is not HTTP", async () => {
    const harness = await serveBytes("SSH-2.0-OpenSSH_9.2\r\n");
    expect(await harness.reason()).toMatch(/^the reply is not HTTP: /);
    const headers = await serveBytes(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}\r\n\r\n`);
    expect(await headers.reason()).toBe("the reply's headers are too large");
  });

  test("because there is no such endpoint, or its template makes no address", async () => {
    const harness = open(specification("ftp://x/"), specification("http+unix:///tmp/x/path"));
    expect(await harness.reason("", { endpoint: 7 })).toBe("there is no endpoint 7 with a replica 0");
    expect(await harness.reason("", { replica: 1 })).toBe("there is no endpoint 0 with a replica 1");
    expect(await harness.reason()).toContain("expected http, https, http+unix or https+unix");
    expect(await harness.reason("", { endpoint: 1 })).toContain("must end in .sock");
  });

  test("says of the replica that it cannot be reached, or takes too long, or nothing", async () => {
    const unused = await listen(net.createServer());
    await closing.pop()?.();
    const refused = open(specification(`http://127.0.0.1:${unused}/`));
    const mute = await listen(net.createServer());
    const connecting = open(specification(`https://127.0.0.1:${mute}/`, { connectTimeoutMs: 50 }));
    const lost = await serve((request) => request.socket.destroy());
    expect([await refused.failure(), await connecting.failure(), await lost.failure()]).toEqual(Array(3).fill("connection"));
    const called = await serve(silent, { callTimeoutMs: 50 });
    const read = await serve(silent, { readTimeoutMs: 50 });
    const broken = await serve((_request, response) => response.write("some"), { readTimeoutMs: 50 });
    expect([await called.failure(), await read.failure(), await broken.failure()]).toEqual(Array(3).fill("timeout"));
    const large = await serve(answer(200, {}, Buffer.alloc(11)), { payloadMaxBytes: 10 });
    const strange = await serveBytes("SSH-2.0-OpenSSH_9.2\r\n");
    const headers = await serveBytes(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}\r\n\r\n`);
    const encoded = await serve(answer(200, { "content-encoding": "br" }, "x"));
    const nowhere = open(specification("ftp://x/"));
    const answered = [large, strange, headers, encoded, nowhere];
    expect(await Promise.all(answered.map((each) => each.failure()))).toEqual(Array(5).fill("neither"));
    await called.endpoints.close();
    expect(await called.failure()).toBe("neither");
  });

  test("may be followed by the next request at once, from where it is told", async () => {
    const unused = await listen(net.createServer());
    await closing.pop()?.();
    const dispatch = (invocation: number) =>
      ({
        kind: "dispatch",
        invocation,
        endpoint: 0,
        replica: 0,
        functionName: "f",
        traceparent: undefined,
        body: Buffer.alloc(1),
      }) as const;
    const told: number[] = [];
    const done = new Promise<void>((resolve) => {
      const endpoints = openEndpoints(
        [specification(`http://127.0.0.1:${unused}/`, { poolSize: 2 }, { concurrency: 2 })],
        (event) => {
          if (event.kind !== "invocation_failed") throw new Error(event.kind);
          told.push(event.invocation);
          if (told.length === 40) resolve();
          else if (told.length <= 36) endpoints.perform(dispatch(told.length + 3));
        },
        silent,
      );
      closing.push(() => endpoints.close());
      for (let i = 0; i < 4; i++) endpoints.perform(dispatch(i)); // Two of them wait for a connection.
    });
    await done;
    expect([...told].sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  test("leaves the endpoint usable: the next request finds a connection", async () => {
    let requests = 0;
    const harness = await serve(
      (_request, response) => {
        if (++requests > 2) response.end("well");
        else response.write("stuck");
      },
      { callTimeoutMs: 300 },
    );
    expect(await harness.reason()).toBe("no reply within 300 ms");
    expect(await harness.reason()).toBe("no reply within 300 ms");
    expect(await harness.replied()).toMatchObject({ status: 200, body: Buffer.from("well") });
  });

  test("on a kept connection that the server has closed meanwhile does not lose the next request", async () => {
    const server = http.createServer(whole(answer(200, {})));
    const port = await listen(server);
    const harness = open(specification(`http://127.0.0.1:${port}/`));
    await harness.replied();
    const gone = new Promise((resolve) => server.once("connection", resolve));
    server.closeAllConnections();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await harness.replied()).toMatchObject({ status: 200 });
    await gone;
  });
});

describe("H1: every dispatch is answered exactly once", () => {
  test("also when the adapter is closed while requests are in flight, and after it is closed", async () => {
    const harness = await serve(silent);
    const unreachable = open(specification(`https://127.0.0.1:${await listen(net.createServer())}/`));
    const calls = [...Array.from({ length: 10 }, () => harness.reason()), unreachable.reason()];
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(harness.endpoints.inFlight()).toBe(10);
    await Promise.all([harness.endpoints.close(), unreachable.endpoints.close()]);
    expect(await Promise.all(calls)).toEqual(Array(11).fill("router is stopping"));
    expect(await harness.reason()).toBe("router is stopping");
  });

  test("also while a reply is being decompressed", async () => {
    const packed = gzipSync(Buffer.alloc(30 << 20));
    const harness = await serve(answer(200, { "content-encoding": "gzip" }, packed));
    const calls = Array.from({ length: 4 }, () => harness.call());
    await Promise.race(calls);
    await harness.endpoints.close();
    const outcomes = (await Promise.all(calls)).map((each) =>
      each.kind === "invocation_failed" ? each.reason : each.body.length,
    );
    for (const outcome of outcomes) expect([30 << 20, "router is stopping"]).toContain(outcome);
  });

  test("10,000 requests under random faults", async () => {
    const random = new Random(4711);
    const server = http.createServer(
      whole((request, response, body) => {
        const dice = random.below(100);
        if (dice < 3) request.socket.destroy();
        else if (dice < 5) response.socket?.resetAndDestroy();
        else if (dice < 8) response.write("broken", () => request.socket.destroy());
        else if (dice < 10) response.socket?.end("nonsense\r\n\r\n");
        else if (dice < 12) response.write("never ends");
        else if (dice < 15) response.writeHead(503, { "retry-after": "1", connection: "close" }).end();
        else if (dice < 18) response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(body));
        else if (dice < 20) response.writeHead(200, { "content-encoding": "gzip" }).end(body);
        else if (dice < 22) response.end(Buffer.alloc(70_000));
        else response.writeHead(200, { "content-type": octets }).end(body);
      }),
    );
    const port = await listen(server);
    const harness = open(
      specification(
        `http://127.0.0.1:${port}/`,
        { callTimeoutMs: 400, payloadMaxBytes: 65_536, poolSize: 16 },
        { concurrency: 48 },
      ),
    );
    const total = 10_000;
    const counts = { sameBody: 0, otherReply: 0, failed: 0 };
    let sent = 0;
    const worker = async () => {
      while (sent < total) {
        const text = `body ${sent++}`;
        const given = await harness.call(text);
        if (given.kind === "invocation_failed") counts.failed++;
        else if (given.status === 200 && Buffer.from(given.body).toString() === text) counts.sameBody++;
        else if (given.status === 503) counts.otherReply++;
        else throw new Error(`a reply of another request: ${Buffer.from(given.body).toString()} instead of ${text}`);
      }
    };
    // More at once than there are connections, so that some wait.
    await Promise.all(Array.from({ length: 64 }, worker));
    expect(harness.answers.size).toBe(total);
    expect(harness.endpoints.inFlight()).toBe(0);
    expect(counts.sameBody).toBeGreaterThan(total / 2);
    expect(counts.otherReply).toBeGreaterThan(0);
    expect(counts.failed).toBeGreaterThan(total / 20);
  });
});

describe("sockets and certificates", () => {
  let directory: string;
  let ca: string;
  const file = (name: string) => path.join(directory, name);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });

  function certificate(name: string, names: string): void {
    writeFileSync(file(`${name}.ext`), names === "" ? "" : `subjectAltName=${names}\n`);
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", `${name}.ext`];
    openssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.crt`, ...signed);
  }

  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), "dirigo-http-"));
    openssl(
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      "ca.key",
      "-out",
      "ca.crt",
      "-days",
      "2",
      "-subj",
      "/CN=test ca",
    );
    certificate("server", "DNS:localhost,IP:127.0.0.1");
    certificate("other", "DNS:elsewhere.example");
    certificate("client", "");
    openssl("pkcs8", "-topk8", "-in", "client.key", "-out", "client.enc.key", "-passout", "pass:open sesame");
    writeFileSync(file("password"), "open sesame\n");
    ca = file("ca.crt");
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const tlsServer = (name: string, options: https.ServerOptions = {}) =>
    https.createServer(
      { key: readFileSync(file(`${name}.key`)), cert: readFileSync(file(`${name}.crt`)), ca: readFileSync(ca), ...options },
      whole((request, response) => response.end(request.url)),
    );

  test("a unix socket", async () => {
    const socket = file("function.sock");
    await listen(http.createServer(whole((request, response) => response.end(`${request.headers.host} ${request.url}`))), socket);
    const harness = open(
      specification(`http+unix://${socket}/serve/{function.name}?x=1`),
      specification(`http+unix://${socket}`),
    );
    expect(await harness.replied()).toMatchObject({ body: Buffer.from("localhost /serve/greeter?x=1") });
    expect(await harness.replied("", { endpoint: 1 })).toMatchObject({ body: Buffer.from("localhost /") });
    const absent = open(specification(`http+unix://${file("absent.sock")}/`));
    expect(await absent.reason()).toBe(`connect ENOENT ${file("absent.sock")}`);
  });

  test("TLS on a unix socket", async () => {
    const socket = file("tls.sock");
    await listen(tlsServer("server"), socket);
    const harness = open(specification(`https+unix://${socket}/serve`, { tls: { ...noTls, caFile: ca } }));
    expect(await harness.replied()).toMatchObject({ status: 200, body: Buffer.from("/serve") });
  });

  test("TLS with a CA of our own, and without it", async () => {
    const port = await listen(tlsServer("server"));
    const trusting = open(specification(`https://localhost:${port}/x`, { tls: { ...noTls, caFile: ca } }));
    expect(await trusting.replied()).toMatchObject({ status: 200, body: Buffer.from("/x") });
    const strict = open(specification(`https://localhost:${port}/x`));
    expect(await strict.reason()).toMatch(/unable to verify|self-signed/);
  });

  test("TLS with a certificate of another name is refused, unless the check is off", async () => {
    const port = await listen(tlsServer("other"));
    const strict = open(specification(`https://localhost:${port}/`, { tls: { ...noTls, caFile: ca } }));
    expect(await strict.reason()).toMatch(/does not match certificate's altnames/);
    const lenient = open(specification(`https://localhost:${port}/`, { tls: { ...noTls, caFile: ca, checkHostname: false } }));
    expect(await lenient.replied()).toMatchObject({ status: 200 });
  });

  test("mutual TLS, with a password for the key in a file", async () => {
    const port = await listen(tlsServer("server", { requestCert: true, rejectUnauthorized: true }));
    const url = `https://localhost:${port}/`;
    const known = open(
      specification(url, {
        tls: {
          ...noTls,
          caFile: ca,
          certFile: file("client.crt"),
          keyFile: file("client.enc.key"),
          keyPasswordFile: file("password"),
        },
      }),
    );
    expect(await known.replied()).toMatchObject({ status: 200 });
    const unknown = open(specification(url, { tls: { ...noTls, caFile: ca } }));
    expect(await unknown.reason()).toMatch(/certificate required|ECONNRESET|connection was closed|alert/i);
  });

  test("files that cannot be read, or make no identity, stop the start with the option's name", () => {
    const start = (tls: Partial<TlsSpecification>) => () =>
      openEndpoints([specification("https://localhost/", { tls: { ...noTls, ...tls } })], silent, silent);
    expect(start({ caFile: "/absent/ca", keyFile: "/absent/key" })).toThrow(ConfigError);
    expect(start({ caFile: "/absent/ca" })).toThrow(/^endpoint test\/\*: trust_cacerts \/absent\/ca cannot be read: ENOENT/);
    expect(start({ certFile: file("client.crt"), keyFile: file("server.key") })).toThrow(
      /^endpoint test\/\*: its certificates cannot be used/,
    );
  });
});
