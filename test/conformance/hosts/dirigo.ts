/** The conformance functions with our own SDK. Prints the port it listens on. */
import {
  after,
  type Context,
  defineFunction,
  type Message,
  serve,
  state,
  type Type,
  type Typed,
  types,
} from "../../../src/functions/sdk";
import {
  ACTOR,
  type BuiltIn,
  COMMAND,
  type Command,
  EXPIRE_MS,
  type Operation,
  type Plain,
  PROFILE,
  RAW,
  RESULTS,
  type StateName,
} from "../commands";

const topic = process.env.RESULTS_TOPIC ?? "results";
const command = types.json<Command>(COMMAND);
const profile = types.json<Plain>(PROFILE);

const states = {
  flag: state.boolean(),
  whole: state.int(),
  big: state.long(),
  small: state.float(),
  wide: state.double(),
  text: state.string(),
  profile: state.of(profile),
  count: state.int(),
  written: state.int({ expire: after.write(EXPIRE_MS) }),
  called: state.int({ expire: after.call(EXPIRE_MS) }),
};
type Actor = Context<typeof states>;

/** Each built-in type, and how its values stand in JSON. */
const builtIn: Readonly<Record<BuiltIn, { of(value: Plain): Typed; read(message: Message): Plain | undefined }>> = {
  bool: plain(types.boolean),
  int: plain(types.int),
  long: {
    of: (value) => types.long.of(BigInt(String(value))),
    read: (message) => (message.is(types.long) ? message.as(types.long).toString() : undefined),
  },
  float: plain(types.float),
  double: plain(types.double),
  string: plain(types.string),
};

function plain<T extends Plain>(type: Type<T>): { of(value: Plain): Typed; read(message: Message): Plain | undefined } {
  return { of: (value) => type.of(value as T), read: (message) => (message.is(type) ? message.as(type) : undefined) };
}

const failures = new Map<string, number>();

function report(ctx: Actor, value: Plain): void {
  ctx.kafka(RESULTS, { topic, key: ctx.self.id, value: JSON.stringify(value) });
}

function kafka(ctx: Actor, { kind, value }: Operation & { do: "kafka" }): void {
  const common = { topic, key: ctx.self.id };
  switch (kind) {
    case "text":
      return ctx.kafka(RESULTS, { ...common, value: String(value) });
    case "bytes":
      return ctx.kafka(RESULTS, { ...common, value: Buffer.from(String(value), "hex") });
    case "integer": {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(Number(value));
      return ctx.kafka(RESULTS, { ...common, value: bytes });
    }
    case "int":
      return ctx.kafka(RESULTS, { ...common, value: types.int.of(Number(value)) });
    case "profile":
      return ctx.kafka(RESULTS, { ...common, value: profile.of(value) });
    case "keyless":
      return ctx.kafka(RESULTS, { topic, value: String(value) });
  }
}

function fail(mark: string, times: number): void {
  const failed = failures.get(mark) ?? 0;
  if (failed >= times) return;
  failures.set(mark, failed + 1);
  throw new Error(`failure ${failed + 1} of ${times} at ${mark}`);
}

function get(ctx: Actor, name: StateName): Plain {
  const value = ctx.state[name];
  return typeof value === "bigint" ? value.toString() : (value ?? null);
}

function set(ctx: Actor, name: StateName, value: Plain): void {
  const values: Record<string, unknown> = ctx.state;
  values[name] = name === "big" ? BigInt(String(value)) : value;
}

function perform(ctx: Actor, tag: string, operation: Operation): Promise<void> | void {
  switch (operation.do) {
    case "set":
      return set(ctx, operation.state, operation.value);
    case "delete":
      delete ctx.state[operation.state];
      return;
    case "get":
      return report(ctx, { tag, state: operation.state, value: get(ctx, operation.state) });
    case "count":
      ctx.state.count = (ctx.state.count ?? 0) + 1;
      return;
    case "caller":
      return report(ctx, { tag, caller: ctx.caller?.id ?? null });
    case "report":
      return report(ctx, { tag });
    case "send":
      return ctx.send(actor.at(operation.id), command.of(operation.command));
    case "send_value":
      return ctx.send(actor.at(operation.id), builtIn[operation.type].of(operation.value));
    case "after": {
      const options = operation.token === undefined ? {} : { token: operation.token };
      return ctx.sendAfter(operation.ms, actor.at(operation.id), command.of(operation.command), options);
    }
    case "cancel":
      return ctx.cancel(operation.token);
    case "kafka":
      return kafka(ctx, operation);
    case "raw":
      return ctx.egress(
        RAW,
        operation.type === "profile" ? profile.of(operation.value) : builtIn[operation.type].of(operation.value),
      );
    case "fail":
      return fail(operation.mark, operation.times);
    case "hold":
      return new Promise((resolve) => setTimeout(resolve, operation.ms));
  }
}

/** Synchronous until an operation waits. */
function performFrom(ctx: Actor, { tag, operations }: Command, first: number): Promise<void> | void {
  for (let i = first; i < operations.length; i++) {
    const waiting = perform(ctx, tag, operations[i] as Operation);
    if (waiting) return waiting.then(() => performFrom(ctx, { tag, operations }, i + 1));
  }
}

const actor = defineFunction({
  typename: ACTOR,
  states,
  handle(ctx, message) {
    if (message.is(command)) return performFrom(ctx, message.as(command), 0);
    const value = Object.values(builtIn)
      .map((type) => type.read(message))
      .find((read) => read !== undefined);
    if (value === undefined) throw new Error(`a message of unknown type ${message.typename}`);
    report(ctx, { type: message.typename, value, caller: ctx.caller?.id ?? null });
  },
});

void serve([actor], 0, { host: "127.0.0.1", onFailure: () => {} }).then(({ port }) => console.log(`listening ${port}`));
