/**
 * Serves functions over HTTP/1.1: POST of a ToFunction, answered with 200, content type application/octet-stream and a
 * FromFunction. Everything else is an error the router tries again, with a text that says what is wrong.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ProtocolError } from "../../model/errors";
import { type Definitions, InvocationError, invoke, UnknownFunctionError } from "./batch";
import { FunctionDefinition } from "./definition";
import type { States } from "./state";

export interface ServingOptions {
  /** Told of each request that failed. Default: one line and the cause's stack on stderr. */
  readonly onFailure?: (failure: Error) => void;
  /** Larger requests are refused with 413. Default 64 MiB: a state of 32 MiB and a batch beside it. */
  readonly bodyBytesMax?: number;
}

/** What a body may already be when an earlier middleware has read it: `req.body` of Express. */
type Request = IncomingMessage & { readonly body?: unknown };
export type PlainHandler = (request: IncomingMessage, response: ServerResponse) => void;
export type ExpressHandler = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

const defaultBodyBytesMax = 64 * 1024 * 1024;

/** Functions that are served together, at one URL. */
export class Functions {
  readonly #definitions: Definitions;
  readonly #onFailure: (failure: Error) => void;
  readonly #bodyBytesMax: number;

  constructor(definitions: readonly FunctionDefinition[], options: ServingOptions) {
    const byTypename = new Map<string, FunctionDefinition>();
    for (const definition of definitions) {
      if (!(definition instanceof FunctionDefinition)) throw new TypeError("serve what defineFunction() returned");
      if (byTypename.has(definition.typename)) throw new TypeError(`function ${definition.typename} is defined twice`);
      byTypename.set(definition.typename, definition);
    }
    this.#definitions = byTypename;
    this.#onFailure = options.onFailure ?? logFailure;
    this.#bodyBytesMax = options.bodyBytesMax ?? defaultBodyBytesMax;
  }

  get typenames(): readonly string[] {
    return [...this.#definitions.keys()];
  }

  /** A ToFunction in, a FromFunction out: for other servers (AWS Lambda, fetch handlers) and for tests. */
  invoke(body: Uint8Array): Buffer | Promise<Buffer> {
    const buffer = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    return invoke(buffer, this.#definitions);
  }

  /** For `http.createServer(functions.handler())`. */
  handler(): PlainHandler {
    return (request, response) => this.#receive(request, response);
  }

  /** For `app.use("/functions", functions.express())`; needs no body parser and works behind `express.raw()`. */
  express(): ExpressHandler {
    return (request, response) => this.#receive(request, response);
  }

  #receive(request: Request, response: ServerResponse): void {
    if (request.method !== "POST") {
      response.setHeader("Allow", "POST");
      request.resume();
      refuse(response, 405, `functions are called with POST, not ${request.method}`);
      return;
    }
    const body = request.body;
    if (body instanceof Uint8Array) this.#answer(Buffer.from(body.buffer, body.byteOffset, body.byteLength), response);
    else if (request.readableEnded) refuse(response, 500, "the body was read before: mount functions before body parsers");
    else this.#readBody(request, response);
  }

  /** Nearly every body arrives in one chunk, which then is used as it is. */
  #readBody(request: IncomingMessage, response: ServerResponse): void {
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > this.#bodyBytesMax) {
        first = undefined;
        more = undefined; // The rest is let through and dropped, so that the answer can be read.
      } else if (first === undefined) first = chunk;
      else if (more === undefined) more = [first, chunk];
      else more.push(chunk);
    });
    request.on("end", () => {
      if (bytes > this.#bodyBytesMax)
        refuse(response, 413, `the request has ${bytes} bytes, at most ${this.#bodyBytesMax} are read`);
      else if (first === undefined) refuse(response, 400, "the request has no body; expected a ToFunction");
      else this.#answer(more === undefined ? first : Buffer.concat(more, bytes), response);
    });
  }

  #answer(body: Buffer, response: ServerResponse): void {
    try {
      const reply = invoke(body, this.#definitions);
      if (Buffer.isBuffer(reply)) succeed(response, reply);
      else
        reply.then(
          (bytes) => succeed(response, bytes),
          (error: unknown) => this.#fail(response, error),
        );
    } catch (error) {
      this.#fail(response, error);
    }
  }

  #fail(response: ServerResponse, thrown: unknown): void {
    const failure = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#onFailure(failure);
    refuse(response, statusOf(failure), failure.message);
  }
}

function statusOf(failure: Error): number {
  if (failure instanceof UnknownFunctionError) return 404;
  return failure instanceof ProtocolError ? 400 : 500;
}

function logFailure(failure: Error): void {
  const cause = failure instanceof InvocationError ? failure.cause : undefined;
  console.error(cause instanceof Error ? `${failure.message}\n${cause.stack}` : failure.message);
}

/** Up to here, joining the body to the header text in one write is cheaper than handing over two buffers. */
const joinedBytesMax = 4096;

function succeed(response: ServerResponse, reply: Buffer): void {
  response.sendDate = false; // Nobody caches these, and it costs a microsecond.
  response.writeHead(200, ["Content-Type", "application/octet-stream", "Content-Length", String(reply.length)]);
  if (reply.length <= joinedBytesMax) response.end(reply.toString("latin1"), "latin1");
  else response.end(reply);
}

function refuse(response: ServerResponse, status: number, text: string): void {
  const body = Buffer.from(`${text}\n`);
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Content-Length": body.length });
  response.end(body);
}

// biome-ignore lint/suspicious/noExplicitAny: functions with different states in one list; each was checked when defined
type AnyDefinition = FunctionDefinition<any>;

export function defineFunctions(definitions: readonly AnyDefinition[], options: ServingOptions = {}): Functions {
  return new Functions(definitions as readonly FunctionDefinition<States>[], options);
}

export interface FunctionServer {
  readonly port: number;
  readonly server: Server;
  /** Takes no more requests, lets running ones finish, then closes. */
  close(): Promise<void>;
}

export interface ListenOptions extends ServingOptions {
  /** Default: all interfaces, as functions usually run beside the router and not inside it. */
  readonly host?: string;
}

/** Routers keep idle connections for up to a minute (okhttp's pool); closing later than they do avoids resets. */
const keepAliveMs = 75_000;

/** Serves functions on a port of their own; 0 = any free one. */
export function serve(
  functions: Functions | readonly AnyDefinition[],
  port: number,
  options: ListenOptions = {},
): Promise<FunctionServer> {
  const served = functions instanceof Functions ? functions : defineFunctions(functions, options);
  const server = createServer({ keepAliveTimeout: keepAliveMs, noDelay: true }, served.handler());
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, options.host, () => {
      server.removeListener("error", reject);
      resolve({ port: (server.address() as AddressInfo).port, server, close: () => closed(server) });
    });
  });
}

/** How often connections that have become idle are looked for while closing. */
const closingStepMs = 20;

function closed(server: Server): Promise<void> {
  server.prependListener("request", (_request, response) => {
    response.shouldKeepAlive = false; // A router that keeps asking is sent elsewhere after this one answer.
  });
  return new Promise((resolve, reject) => {
    const step = setInterval(() => server.closeIdleConnections(), closingStepMs);
    server.close((error) => {
      clearInterval(step);
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}
