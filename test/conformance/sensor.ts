/** The examples of docs/sdk.md that merge their own state, as they stand there, served over HTTP. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Host, type Sdk, startHost } from "./host";

/** Seen from dist/test/conformance, where this runs compiled. */
const project = join(__dirname, "..", "..", "..");
const LANGUAGES: Readonly<Record<Sdk, string>> = { dirigo: "ts", javascript: "js", python: "python", java: "java" };

function documented(sdk: Sdk): string {
  const text = readFileSync(join(project, "docs", "sdk.md"), "utf8");
  const examples = [...text.matchAll(new RegExp(`\`\`\`${LANGUAGES[sdk]}\n([\\s\\S]*?)\`\`\``, "g"))].map(
    ([, code]) => code ?? "",
  );
  const merging = examples.filter((code) => code.includes("lab/sensor"));
  if (merging.length !== 1) throw new Error(`docs/sdk.md has ${merging.length} examples of merging in ${sdk}`);
  return merging[0] as string;
}

/** The example with what serves it. */
const PROGRAMS: Readonly<Record<Sdk, (example: string) => { file: string; text: string }>> = {
  dirigo: (example) => ({
    file: "sensor.mts",
    text: `${example}
import { serve } from "dirigo/sdk";
const server = await serve([sensor], 0);
console.log("listening " + server.port);
`,
  }),
  javascript: (example) => ({
    file: "sensor.js",
    text: `${example}
const server = require("node:http").createServer(functions.handler());
server.listen(0, "127.0.0.1", () => console.log("listening " + server.address().port));
`,
  }),
  python: (example) => ({
    file: "sensor.py",
    text: `${example}
from http.server import BaseHTTPRequestHandler, HTTPServer
from statefun import RequestReplyHandler

class Host(BaseHTTPRequestHandler):
    handler = RequestReplyHandler(functions)
    log_message = lambda *_: None

    def do_POST(self):
        reply = self.handler.handle_sync(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

server = HTTPServer(("127.0.0.1", 0), Host)
print(f"listening {server.server_address[1]}", flush=True)
server.serve_forever()
`,
  }),
  // Java runs the first class of a file.
  java: (example) => ({
    file: "Host.java",
    text: example.replace(
      "final class Sensor",
      `final class Host {
  public static void main(String[] arguments) throws Exception {
    var functions = new StatefulFunctions().withStatefulFunction(Sensor.SPEC).requestReplyHandler();
    var server = com.sun.net.httpserver.HttpServer.create(new java.net.InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext("/", exchange -> {
      byte[] reply = functions.handle(Slices.wrap(exchange.getRequestBody().readAllBytes())).join().toByteArray();
      exchange.getResponseHeaders().set("Content-Type", "application/octet-stream");
      exchange.sendResponseHeaders(200, reply.length == 0 ? -1 : reply.length);
      exchange.getResponseBody().write(reply);
      exchange.close();
    });
    server.start();
    System.out.println("listening " + server.getAddress().getPort());
  }
}

final class Sensor`,
    ),
  }),
};

/** With the SDK as it is published: the package's own name resolves to dist/. */
async function compiled(source: string): Promise<string> {
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  const options = [
    "--target",
    "es2022",
    "--module",
    "nodenext",
    "--strict",
    "--skipLibCheck",
    "--types",
    "node",
    "--ignoreConfig",
  ];
  await promisify(execFile)(process.execPath, [tsc, ...options, source], { cwd: project });
  return source.replace(/mts$/, "mjs");
}

/** `lab/sensor` of the documentation; its states are in docs/sdk.md. */
export async function startSensor(sdk: Sdk): Promise<Host> {
  // Below the project, where the JavaScript SDK resolves.
  await mkdir(join(project, ".dirigo"), { recursive: true });
  const directory = await mkdtemp(join(project, ".dirigo", "sensor-"));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const { file, text } = PROGRAMS[sdk](documented(sdk));
    const source = join(directory, file);
    await writeFile(source, text);
    const host = await startHost(sdk, "none", sdk === "dirigo" ? await compiled(source) : source);
    return { url: host.url, stop: () => host.stop().finally(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}
