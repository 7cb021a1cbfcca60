/**
 * The connections to one origin. Each undici client holds one; the one used last is used next, so that few stay warm.
 * A pool of undici's own looks through all its clients for a free one; a stack needs no looking.
 *
 * C1. A client carries one request at a time: a slow function never holds up the reply behind it.
 * C2. At most `connectionsMax` clients; what comes beyond waits in order.
 * C3. At most `keptMax` idle connections are kept.
 */
import { Client } from "undici";
import type { ConnectionOwner, Exchange } from "./http-exchange";

export type ClientOptions = Client.Options;

export class Connections implements ConnectionOwner {
  readonly #idle: Client[] = [];
  readonly #all = new Set<Client>();
  readonly #waiting: Exchange[] = [];

  constructor(
    readonly origin: string,
    readonly options: ClientOptions,
    readonly connectionsMax: number,
    readonly keptMax: number,
  ) {}

  get unused(): boolean {
    return this.#idle.length === this.#all.size;
  }

  start(exchange: Exchange): void {
    const client = this.#idle.pop() ?? this.#open();
    if (client === undefined) this.#waiting.push(exchange);
    else exchange.send(client, this);
  }

  release(client: Client): void {
    if (client.destroyed || client.closed) this.#all.delete(client);
    else if (this.#idle.length >= this.keptMax) this.#drop(client);
    else this.#idle.push(client);
    let next = this.#waiting.shift();
    while (next?.answered) next = this.#waiting.shift();
    if (next !== undefined) this.start(next);
  }

  async destroy(): Promise<void> {
    const clients = [...this.#all];
    this.#all.clear();
    this.#idle.length = 0;
    this.#waiting.length = 0;
    await Promise.all(clients.map((client) => client.destroy()));
  }

  #open(): Client | undefined {
    if (this.#all.size >= this.connectionsMax) return undefined;
    const client = new Client(this.origin, this.options);
    this.#all.add(client);
    return client;
  }

  #drop(client: Client): void {
    this.#all.delete(client);
    // Not at once: undici is still in the callback that ended the request.
    queueMicrotask(() => client.destroy(() => undefined));
  }
}
