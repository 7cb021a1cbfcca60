/** The examples of docs/sdk.md that merge their own state, as they stand there, with each SDK: asked as the router asks. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { encodeMergeArgument } from "../../src/functions/merge-message";
import { decodeReply, encodeAddress, encodeRequest, stateNameField, typedValueHead } from "../../src/functions/wire";
import { Message } from "../../src/model/message";
import { TypedValue } from "../../src/model/typed-value";
import { type Host, SDKS, type Sdk, startHost } from "./host";

/** Seen from dist/test/conformance, where this runs compiled. */
const project = join(__dirname, "..", "..", "..");
// The first run on a machine fetches the Python and the Java SDK.
const startMs = 180_000;

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

/** The example, served over HTTP. */
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

interface Spread {
  readonly n: number;
  readonly mean: number;
  readonly m2: number;
}

const TARGET = { namespace: "lab", type: "sensor", id: "s" };
const SLOTS = [{ nameField: stateNameField("spread") }];

function message(argument: TypedValue): Message {
  const provenance = { timestampMs: 0, headers: [], traceparent: undefined };
  return new Message(TARGET, undefined, argument, 0, undefined, 0, 0, 0, 0, 0, provenance);
}

/** A lane of lab/sensor/s: the state in bytes, as the router keeps it. */
class Lane {
  state: Uint8Array | undefined;

  constructor(readonly url: string) {}

  async read(...values: readonly number[]): Promise<this> {
    const head = typedValueHead("lab/reading");
    return await this.#ask(values.map((value) => message(new TypedValue(head, Buffer.from(JSON.stringify({ value }))))));
  }

  async merge(part: Lane): Promise<this> {
    return await this.#ask([message(encodeMergeArgument(SLOTS, [part.state]))]);
  }

  async #ask(messages: Message[]): Promise<this> {
    const body = encodeRequest(encodeAddress(TARGET), SLOTS, [this.state], messages);
    const response = await fetch(this.url, { method: "POST", body: new Uint8Array(body) });
    expect(response.status).toBe(200);
    const reply = decodeReply(new Uint8Array(await response.arrayBuffer()));
    expect(reply).toMatchObject({ incomplete: undefined, sends: [], delayed: [], egress: [] });
    for (const { name, value } of reply.mutations) {
      expect([name, value?.typename]).toEqual(["spread", "lab/spread"]);
      this.state = value && new Uint8Array(value.bytes);
      this.spread = value && JSON.parse(Buffer.from(value.value).toString());
    }
    return this;
  }

  spread: Spread | undefined;
}

describe.each(SDKS)("the %s SDK", (sdk) => {
  let directory: string;
  let host: Host;
  const lane = () => new Lane(host.url);
  beforeAll(async () => {
    // Below the project, where the JavaScript SDK resolves.
    await mkdir(join(project, ".dirigo"), { recursive: true });
    directory = await mkdtemp(join(project, ".dirigo", "merging-"));
    const { file, text } = PROGRAMS[sdk as Sdk](documented(sdk));
    await writeFile(join(directory, file), text);
    const source = join(directory, file);
    host = await startHost(sdk, "none", sdk === "dirigo" ? await compiled(source) : source);
  }, startMs);
  afterAll(async () => {
    await host.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test("a part is merged into the base", async () => {
    const [base, part] = [await lane().read(2, 4), await lane().read(9)];
    expect((await base.merge(part)).spread).toEqual({ n: 3, mean: 5, m2: 26 });
  });

  test("an absent base takes the part, and an absent part changes nothing", async () => {
    expect((await lane().merge(await lane().read(2, 4))).spread).toEqual({ n: 2, mean: 3, m2: 2 });
    const base = await lane().read(2, 4);
    const before = base.state;
    expect((await base.merge(lane())).state).toBe(before);
    expect((await lane().merge(lane())).state).toBeUndefined();
  });

  test("lanes that are merged two by two are one lane that saw everything", async () => {
    const readings = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5];
    const one = await lane().read(...readings);
    const lanes = await Promise.all([0, 1, 2, 3].map((k) => lane().read(...readings.filter((_, i) => i % 4 === k))));
    const [a, b, c, d] = lanes as [Lane, Lane, Lane, Lane];
    const merged = (await (await a.merge(b)).merge(await c.merge(d))).spread as Spread;
    expect(merged.n).toBe(one.spread?.n);
    expect(merged.mean).toBeCloseTo(one.spread?.mean as number, 9);
    expect(merged.m2).toBeCloseTo(one.spread?.m2 as number, 9);
  });
});
