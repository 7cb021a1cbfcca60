/**
 * POST to remote functions, as StateFun's runtime does (its HTTP binding: exact content type, Content-Length, HTTP/1.1, no
 * redirects). Every `dispatch` is answered by exactly one event; what an answer means is for the engine to say.
 *
 * `emit` may be called before `perform` returns (a template that makes no URL, an adapter that is closed): it should queue.
 */
import type { EndpointSpecification } from "../config/specification";
import type { Effect } from "../effect";
import type { Event, ReplicaFailure } from "../event";
import type { Log } from "../observe/log";
import { type ClientOptions, Connections } from "./http-connections";
import { CallDeadlines } from "./http-deadlines";
import { Exchange, type ExchangeOwner } from "./http-exchange";
import { type HttpTarget, targetOf } from "./http-target";
import { readTls } from "./http-tls";

export type DispatchEffect = Extract<Effect, { kind: "dispatch" }>;

export interface Endpoints {
  perform(effect: DispatchEffect): void;
  /** Requests not answered yet. */
  inFlight(): number;
  /** Fails what is in flight ("router is stopping") and closes every connection. */
  close(): Promise<void>;
}

/** As StateFun's runtime sends them: some servers check these, letter by letter. */
const headers: readonly string[] = [
  "content-type",
  "application/octet-stream",
  "accept",
  "application/octet-stream",
  "accept-encoding",
  "gzip,deflate",
  "user-agent",
  "statefun",
];

/** W3C trace context. It comes out of a Kafka record: what is not of this form is left out, since it would fail every request. */
const traceparentForm = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Names come from messages: a `*` pattern serves any number of them. Beyond this, targets are made anew. */
const targetsMax = 4096;

/** undici takes no infinity; 24 days is for ever for an idle connection. */
const forEverMs = 2 ** 31 - 1;

/** Throws ConfigError when certificates cannot be used. */
export function openEndpoints(
  specifications: readonly EndpointSpecification[],
  emit: (event: Event) => void,
  log: Log,
): Endpoints {
  const endpoints = specifications.map((specification) => {
    const options = clientOptions(specification);
    return specification.urls.map((url) => new HttpReplica(url, specification, options, emit, log));
  });
  const replicas = endpoints.flat();
  return {
    perform(effect) {
      const { endpoint, invocation, replica } = effect;
      const chosen = endpoints[endpoint]?.[replica];
      if (chosen !== undefined) chosen.perform(effect);
      else emit({ kind: "invocation_failed", invocation, reason: `there is no endpoint ${endpoint} with a replica ${replica}` });
    },
    inFlight: () => replicas.reduce((sum, replica) => sum + replica.inFlight, 0),
    async close() {
      await Promise.all(replicas.map((replica) => replica.close()));
    },
  };
}

interface Route {
  readonly path: string;
  readonly connections: Connections;
}

/** One replica of an endpoint: replicas share no connections, so that each can use all its slots. */
class HttpReplica implements ExchangeOwner {
  readonly #deadlines: CallDeadlines;
  readonly #routes = new Map<string, Route>();
  readonly #origins = new Map<string, Connections>();
  readonly #open = new Set<Exchange>();
  #closed = false;

  constructor(
    readonly url: string,
    readonly specification: EndpointSpecification,
    readonly options: ClientOptions,
    readonly emit: (event: Event) => void,
    readonly log: Log,
  ) {
    this.#deadlines = new CallDeadlines(specification.transport.callTimeoutMs);
  }

  get inFlight(): number {
    return this.#open.size;
  }

  perform(effect: DispatchEffect): void {
    const route = this.#routeOf(effect);
    if (route === undefined) return;
    const traceparent = effect.traceparent;
    const fields =
      traceparent === undefined || !traceparentForm.test(traceparent) ? headers : [...headers, "traceparent", traceparent];
    const exchange = new Exchange(effect.invocation, route.path, fields, effect.body, this);
    this.#open.add(exchange);
    this.#deadlines.add(exchange);
    route.connections.start(exchange);
  }

  replied(
    exchange: Exchange,
    status: number,
    contentType: string | undefined,
    body: Uint8Array,
    retryAfterMs: number | undefined,
  ): void {
    this.#settle(exchange);
    this.emit({ kind: "invocation_replied", invocation: exchange.invocation, status, contentType, body, retryAfterMs });
  }

  failed(exchange: Exchange, reason: string, failure: ReplicaFailure | undefined): void {
    this.#settle(exchange);
    const { invocation } = exchange;
    this.emit({ kind: "invocation_failed", invocation, reason, ...(failure === undefined ? {} : { failure }) });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const exchange of [...this.#open]) exchange.fail("router is stopping");
    this.#deadlines.close();
    await Promise.all([...this.#origins.values()].map((connections) => connections.destroy()));
  }

  #settle(exchange: Exchange): void {
    this.#open.delete(exchange);
    this.#deadlines.remove(exchange);
  }

  /** undefined = there is none, and the effect is answered. */
  #routeOf(effect: DispatchEffect): Route | undefined {
    let reason = "router is stopping";
    if (!this.#closed) {
      try {
        return this.#routes.get(effect.functionName) ?? this.#newRoute(effect.functionName);
      } catch (error) {
        reason = (error as Error).message;
      }
    }
    this.emit({ kind: "invocation_failed", invocation: effect.invocation, reason });
    return undefined;
  }

  #newRoute(functionName: string): Route {
    if (this.#routes.size >= targetsMax) this.#forgetRoutes();
    const target = targetOf(this.url, functionName);
    const route = { path: target.path, connections: this.#connectionsTo(target) };
    this.#routes.set(functionName, route);
    return route;
  }

  #connectionsTo(target: HttpTarget): Connections {
    const key = target.socketPath === undefined ? target.origin : `${target.origin} ${target.socketPath}`;
    let connections = this.#origins.get(key);
    if (connections === undefined) {
      const { transport, concurrency } = this.specification;
      const socket = target.socketPath === undefined ? {} : { socketPath: target.socketPath };
      const connect = { ...(this.options.connect as object), ...socket };
      const connectionsMax = Math.max(transport.poolSize, concurrency);
      connections = new Connections(target.origin, { ...this.options, connect }, connectionsMax, transport.poolSize);
      this.#origins.set(key, connections);
      this.log("debug", `endpoint ${this.specification.id}: functions are called at ${key}`);
    }
    return connections;
  }

  /** Hosts named after functions are as many as the functions: those without a request in flight go with the routes. */
  #forgetRoutes(): void {
    this.#routes.clear();
    for (const [key, connections] of this.#origins) {
      if (!connections.unused) continue;
      this.#origins.delete(key);
      void connections.destroy();
    }
  }
}

function clientOptions(specification: EndpointSpecification): ClientOptions {
  const { transport } = specification;
  const readTimeoutMs = transport.readTimeoutMs ?? 0;
  const keptMs = transport.poolTtlMs === 0 ? forEverMs : transport.poolTtlMs;
  const tls = transport.tls === undefined ? {} : readTls(transport.tls, `endpoint ${specification.id}`);
  return {
    pipelining: 1,
    headersTimeout: readTimeoutMs,
    bodyTimeout: readTimeoutMs,
    keepAliveTimeout: keptMs,
    keepAliveMaxTimeout: keptMs,
    connect: { ...tls, timeout: transport.connectTimeoutMs },
  };
}
