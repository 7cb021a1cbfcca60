/**
 * The admin server: /healthz, /readyz, /metrics, /v1/… (admin-views.ts). It reads and never writes.
 *
 * The port is open at once, for probes; Express and the Prometheus client (0.1 s to load) come with the first question.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { Express, NextFunction, Request, Response } from "express";
import { ConfigError } from "../model/errors";
import { actorQuery, applicationsView, explainQuery, paths, statusView, unknownFunction } from "./admin-views";
import { metricsText } from "./metrics";
import { type AdminSources, ailments, readiness } from "./status";

export interface Admin {
  readonly port: number;
  close(): Promise<void>;
}

/** Rejects with ConfigError when the address cannot be listened on. */
export async function openAdmin(where: { readonly host: string; readonly port: number }, sources: AdminSources): Promise<Admin> {
  let app: Express | undefined;
  const server = http.createServer((request, response) => {
    app ??= appOf(sources);
    app(request, response);
  });
  await listen(server, where.host, where.port);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: http.Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(new ConfigError([whyNot(error, host, port)])));
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
}

function whyNot(error: NodeJS.ErrnoException, host: string, port: number): string {
  const choose = "choose another with --admin-port or DIRIGO_ADMIN_PORT (0 = any free port)";
  switch (error.code) {
    case "EADDRINUSE":
      return `the admin server's port ${port} on ${host} is in use: ${choose}`;
    case "EACCES":
      return `this user may not open the admin server's port ${port}: ${choose}`;
    default:
      return `the admin server cannot listen on ${host}, port ${port}: ${error.message}; see --admin-host and --admin-port (DIRIGO_ADMIN_HOST, DIRIGO_ADMIN_PORT)`;
  }
}

function appOf(sources: AdminSources): Express {
  const express = require("express") as typeof import("express");
  const { collectDefaultMetrics, Registry } = require("prom-client") as typeof import("prom-client");
  // Process, memory, garbage collection, event-loop delay: the names every Node dashboard knows.
  const ofProcess = new Registry();
  collectDefaultMetrics({ register: ofProcess });
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.set("json spaces", 2);
  // Answers are of this moment: no proxy or browser should keep them.
  app.use((_request: Request, response: Response, next: NextFunction) => {
    response.set("cache-control", "no-store");
    next();
  });
  app.get("/healthz", (_request, response) => {
    const reasons = ailments(sources.signs());
    response.status(reasons.length === 0 ? 200 : 503).json({ healthy: reasons.length === 0, reasons });
  });
  app.get("/readyz", (_request, response) => {
    const state = readiness(sources.status());
    response.status(state.ready ? 200 : 503).json(state);
  });
  app.get("/metrics", async (_request, response) => {
    response.type(ofProcess.contentType).send(metricsText(sources) + (await ofProcess.metrics()));
  });
  app.get("/v1/status", (_request, response) => {
    response.json(statusView(sources));
  });
  app.get("/v1/applications", (_request, response) => {
    response.json(applicationsView(sources.measures(), sources.status().nowMs));
  });
  app.get("/v1/actors", (request, response) => {
    const query = actorQuery(request.query);
    if ("error" in query) return void response.status(400).json(query);
    const list = sources.actors(query);
    if (list) response.json(list);
    else
      response.status(404).json({ error: unknownFunction(query.function ?? "", sources.measures().dualTypes, "in dual mode ") });
  });
  app.get("/v1/explain", (request, response) => {
    const query = explainQuery(request.query);
    if ("error" in query) return void response.status(400).json(query);
    const explanation = sources.explain(query.function, query.id);
    if (explanation) response.json(explanation);
    else response.status(404).json({ error: unknownFunction(query.function, sources.measures().functions, "") });
  });
  app.use((request: Request, response: Response) => {
    response.status(404).json({ error: `there is nothing at ${request.method} ${request.path}`, paths });
  });
  app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) next(error);
    else response.status(500).json({ error: error instanceof Error ? error.message : String(error) });
  });
  return app;
}
