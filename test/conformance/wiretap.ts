/** A proxy between router and functions that reads along: what went over the wire is checked, not only what came of it. */
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Exchange } from "./bench";
import { decodeReply, decodeRequest, type ProtocolRequest } from "./protocol";

const octets = "application/octet-stream";

export class Wiretap {
  readonly exchanges: Exchange[] = [];
  /** What no router may do, in words. */
  readonly faults: string[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #running = new Set<string>();
  readonly #server: Server;

  private constructor(
    readonly functionsUrl: string,
    /** Each request takes this long at least. */
    readonly pauseMs: number,
  ) {
    this.#server = createServer((incoming, response) => void this.#relay(incoming, response));
  }

  static async open(functionsUrl: string, pauseMs = 0): Promise<Wiretap> {
    const tap = new Wiretap(functionsUrl, pauseMs);
    await new Promise<void>((resolve) => tap.#server.listen(0, "127.0.0.1", resolve));
    return tap;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }

  async #relay(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(incoming);
    const sent = decodeRequest(body);
    const address = `${sent.target.namespace}/${sent.target.type}/${sent.target.id}`;
    this.#check(incoming, body, sent, address);
    this.#running.add(address);
    try {
      if (this.pauseMs > 0) await sleep(this.pauseMs);
      const { status, type, bytes } = await this.#forward(incoming, body);
      const reply = status >= 200 && status < 300 && type === octets ? decodeReply(bytes) : undefined;
      this.exchanges.push({ request: sent, status, reply });
      this.#running.delete(address); // Before the router can know of the answer and send the next.
      response.writeHead(status, { ...(type === undefined ? {} : { "content-type": type }), "content-length": bytes.length });
      response.end(bytes);
    } catch {
      this.#running.delete(address);
      response.destroy(); // The functions went away: the router sees its connection end.
    }
  }

  #check({ method, headers }: IncomingMessage, body: Buffer, sent: ProtocolRequest, address: string): void {
    const { faults } = this;
    if (method !== "POST") faults.push(`${address}: ${method}`);
    if (headers["content-type"] !== octets) faults.push(`${address}: content type ${headers["content-type"]}`);
    if (headers["content-length"] !== String(body.length)) faults.push(`${address}: content length ${headers["content-length"]}`);
    if (this.#running.has(address)) faults.push(`${address}: two requests at a time`);
    if (sent.invocations.length === 0) faults.push(`${address}: a request without a message`);
    if (sent.state.some(({ state_value }) => state_value?.has_value === false))
      faults.push(`${address}: a state value that is none`);
    for (const { caller } of sent.invocations) {
      if (caller && caller.namespace === "") faults.push(`${address}: an empty caller instead of none`);
    }
  }

  async #forward(incoming: IncomingMessage, body: Buffer): Promise<{ status: number; type: string | undefined; bytes: Buffer }> {
    return await new Promise((resolve, reject) => {
      const options = { method: incoming.method, headers: incoming.headers, agent: this.#agent };
      const forwarded = request(this.functionsUrl, options, (answer) => {
        bodyOf(answer).then(
          (bytes) => resolve({ status: answer.statusCode ?? 0, type: answer.headers["content-type"], bytes }),
          reject,
        );
      });
      forwarded.on("error", reject);
      forwarded.end(body);
    });
  }
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
