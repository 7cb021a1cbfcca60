/**
 * One request and its answer. Owns: the bytes of the reply while they come in. Leaves to others: connections
 * (http-connections.ts), time (http-deadlines.ts), what the answer means (the engine).
 *
 *   waiting ── started ──▶ open ── last byte ──▶ decoding ──▶ answered
 *      └───────────┴── error, too large, timed out, stopped ──────▲
 *
 * H1. Each exchange is answered exactly once, whatever undici, the timer or a stop say afterwards.
 * H2. Its connection is given back exactly once, when undici is done with the request.
 * H3. No more than `payloadMaxBytes` of a reply are held, before and after decompression.
 */
import { gunzip, type InputType, inflate, inflateRaw, type ZlibOptions } from "node:zlib";
import type { Client, Dispatcher } from "undici";
import type { EndpointSpecification } from "../config/specification";
import type { ReplicaFailure } from "../event";
import type { Timed } from "./http-deadlines";
import { failureReason, replicaFailure } from "./http-reason";

export interface ExchangeOwner {
  readonly specification: EndpointSpecification;
  replied(
    exchange: Exchange,
    status: number,
    contentType: string | undefined,
    body: Uint8Array,
    retryAfterMs: number | undefined,
  ): void;
  failed(exchange: Exchange, reason: string, failure: ReplicaFailure | undefined): void;
}

/** Where the exchange's connection goes back to. */
export interface ConnectionOwner {
  release(client: Client): void;
}

type Phase = "waiting" | "open" | "decoding" | "answered";
type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2];

const nothing = Buffer.alloc(0);
/** Thrown at undici to end a request; nobody reads it, so it needs no stack of its own. */
const ended = new Error("the request was given up");

export class Exchange implements Dispatcher.DispatchHandler, Timed {
  deadlineMs = 0;
  before: Timed | undefined = undefined;
  after: Timed | undefined = undefined;
  #phase: Phase = "waiting";
  #connections: ConnectionOwner | undefined = undefined;
  #client: Client | undefined = undefined;
  #controller: Dispatcher.DispatchController | undefined = undefined;
  #status = 0;
  #headers: Headers | undefined = undefined;
  #length = 0;
  /** Most replies arrive in one piece: it is handed on as it came. */
  #piece: Buffer | undefined = undefined;
  #pieces: Buffer[] | undefined = undefined;

  constructor(
    readonly invocation: number,
    readonly path: string,
    readonly headers: readonly string[],
    readonly body: Uint8Array,
    readonly owner: ExchangeOwner,
  ) {}

  get answered(): boolean {
    return this.#phase === "answered";
  }

  send(client: Client, connections: ConnectionOwner): void {
    this.#phase = "open";
    this.#client = client;
    this.#connections = connections;
    client.dispatch({ path: this.path, method: "POST", headers: this.headers as string[], body: this.body }, this);
  }

  expire(): void {
    this.fail(`no reply within ${this.owner.specification.transport.callTimeoutMs} ms`, "timeout");
  }

  /** Answers with a failure and gives the request up, if it is not answered yet (H1). */
  fail(reason: string, failure?: ReplicaFailure): void {
    if (this.#phase === "answered") return;
    this.#phase = "answered";
    this.#forgetReply();
    this.owner.failed(this, reason, failure);
    if (this.#client === undefined) return;
    if (this.#controller !== undefined) this.#controller.abort(ended);
    // Not written yet, so still connecting: only the whole client can be given up. It reports the error to us (H2).
    else this.#client.destroy(ended, () => undefined);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#phase !== "open") controller.abort(ended);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200 || this.#phase !== "open") return;
    this.#status = status;
    this.#headers = headers;
    const length = headers["content-length"];
    if (length !== undefined && Number(length) > this.owner.specification.transport.payloadMaxBytes) this.#tooLarge("");
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Buffer): void {
    if (this.#phase !== "open") return;
    this.#length += piece.length;
    if (this.#length > this.owner.specification.transport.payloadMaxBytes) this.#tooLarge("");
    else if (this.#piece === undefined) this.#piece = piece;
    else if (this.#pieces === undefined) this.#pieces = [this.#piece, piece];
    else this.#pieces.push(piece);
  }

  onResponseEnd(): void {
    this.#release();
    if (this.#phase !== "open") return;
    const body = this.#pieces !== undefined ? Buffer.concat(this.#pieces, this.#length) : (this.#piece ?? nothing);
    const encoding = single(this.#headers?.["content-encoding"]);
    if (encoding === undefined || body.length === 0) this.#answer(body);
    else this.#decode(encoding.trim().toLowerCase(), body);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    // Not at once: undici empties the client's queue, and stumbles over a request that joins it meanwhile (H2).
    queueMicrotask(() => this.#release());
    if (this.#phase === "answered") return;
    this.#phase = "answered";
    this.#forgetReply();
    this.owner.failed(this, failureReason(error, this.owner.specification.transport), replicaFailure(error));
  }

  #answer(body: Uint8Array): void {
    const headers = this.#headers;
    this.#phase = "answered";
    this.#forgetReply();
    this.owner.replied(
      this,
      this.#status,
      single(headers?.["content-type"]),
      body,
      retryAfterMs(single(headers?.["retry-after"])),
    );
  }

  #decode(encoding: string, body: Buffer): void {
    const decompressor = decompressorOf(encoding, body);
    if (decompressor === undefined) this.#answer(body);
    else if (decompressor === "unknown") this.fail(`the reply's encoding ${encoding} was not asked for (gzip, deflate)`);
    else this.#decompress(encoding, decompressor, body);
  }

  #decompress(encoding: string, decompressor: Decompressor, body: Buffer): void {
    this.#phase = "decoding";
    this.#forgetReply();
    decompressor(body, { maxOutputLength: this.owner.specification.transport.payloadMaxBytes }, (error, plain) => {
      if (this.#phase !== "decoding") return;
      if (error === null) this.#answer(plain);
      else if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") this.#tooLarge(", decompressed,");
      else this.fail(`the reply is not ${encoding}: ${error.message}`);
    });
  }

  #tooLarge(how: string): void {
    this.fail(`the reply${how} is larger than ${this.owner.specification.transport.payloadMaxBytes} bytes`);
  }

  #release(): void {
    const client = this.#client;
    const connections = this.#connections;
    if (client === undefined || connections === undefined) return;
    this.#client = undefined;
    this.#controller = undefined;
    connections.release(client);
  }

  #forgetReply(): void {
    this.#piece = undefined;
    this.#pieces = undefined;
  }
}

type Decompressor = (body: InputType, options: ZlibOptions, done: (error: Error | null, plain: Buffer) => void) => void;

/** undefined = nothing to do. `deflate` is zlib by the standard and raw by the habit of some servers. */
function decompressorOf(encoding: string, body: Buffer): Decompressor | undefined | "unknown" {
  switch (encoding) {
    case "identity":
    case "":
      return undefined;
    case "gzip":
    case "x-gzip":
      return gunzip;
    case "deflate":
      return isZlib(body) ? inflate : inflateRaw;
    default:
      return "unknown";
  }
}

/** RFC 1950: the low four bits of CMF are 8, and CMF × 256 + FLG is a multiple of 31. */
function isZlib(body: Buffer): boolean {
  return body.length >= 2 && ((body[0] as number) & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === "object" ? value[0] : value;
}

/** RFC 9110 §10.2.3: seconds, or a date. Nonsense counts as not given. */
export function retryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) || !/[a-z]/i.test(value) ? undefined : Math.max(0, at - Date.now());
}
