/** The examples of docs/sdk.md that merge their own state, as they stand there, with each SDK: asked as the router asks. */
import { encodeMergeArgument } from "../../src/functions/merge-message";
import { decodeReply, encodeAddress, encodeRequest, stateNameField, typedValueHead } from "../../src/functions/wire";
import { Message } from "../../src/model/message";
import { TypedValue } from "../../src/model/typed-value";
import { type Host, SDKS } from "./host";
import { startSensor } from "./sensor";

// The first run on a machine fetches the Python and the Java SDK.
const startMs = 180_000;

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
  let host: Host;
  const lane = () => new Lane(host.url);
  beforeAll(async () => {
    host = await startSensor(sdk);
  }, startMs);
  afterAll(() => host?.stop());

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
