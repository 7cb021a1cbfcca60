/** The conformance functions with StateFun's own JavaScript SDK, unmodified. Prints the port it listens on. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type Context,
  egressMessageBuilder,
  kafkaEgressMessage,
  type Message,
  messageBuilder,
  StateFun,
  type Type,
} from "apache-flink-statefun";
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

/** The SDK has no long and no double; this is how its users write them. */
const longType = StateFun.customType<string>(
  "io.statefun.types/long",
  (text) => {
    const bytes = Buffer.alloc(9);
    bytes[0] = 9;
    bytes.writeBigInt64LE(BigInt(text), 1);
    return BigInt(text) === 0n ? Buffer.alloc(0) : bytes;
  },
  (bytes) => (bytes.length === 0 ? "0" : bytes.readBigInt64LE(1).toString()),
);
const doubleType = StateFun.customType<number>(
  "io.statefun.types/double",
  (value) => {
    const bytes = Buffer.alloc(9);
    bytes[0] = 9;
    bytes.writeDoubleLE(value, 1);
    return value === 0 ? Buffer.alloc(0) : bytes;
  },
  (bytes) => (bytes.length === 0 ? 0 : bytes.readDoubleLE(1)),
);
const command = StateFun.jsonType<Command>(COMMAND);
const profile = StateFun.jsonType<Plain>(PROFILE);

const builtIn: Readonly<Record<BuiltIn, Type<unknown>>> = {
  bool: StateFun.booleanType() as Type<unknown>,
  int: StateFun.intType() as Type<unknown>,
  long: longType as Type<unknown>,
  float: StateFun.floatType() as Type<unknown>,
  double: doubleType as Type<unknown>,
  string: StateFun.stringType() as Type<unknown>,
};
const stateTypes: Readonly<Record<StateName, Type<unknown>>> = {
  flag: builtIn.bool,
  whole: builtIn.int,
  big: builtIn.long,
  small: builtIn.float,
  wide: builtIn.double,
  text: builtIn.string,
  profile: profile as Type<unknown>,
  count: builtIn.int,
  written: builtIn.int,
  called: builtIn.int,
};

const failures = new Map<string, number>();

function report(context: Context, value: Plain): void {
  context.send(kafkaEgressMessage({ typename: RESULTS, topic, key: context.self.id, value: JSON.stringify(value) }));
}

function kafka(context: Context, operation: Operation & { do: "kafka" }): void {
  const common = { typename: RESULTS, topic, key: context.self.id };
  const { kind, value } = operation;
  switch (kind) {
    case "bytes":
      return context.send(kafkaEgressMessage({ ...common, value: Buffer.from(String(value), "hex") }));
    case "int":
      return context.send(kafkaEgressMessage({ ...common, value, valueType: builtIn.int }));
    case "profile":
      return context.send(kafkaEgressMessage({ ...common, value, valueType: profile }));
    case "keyless":
      return context.send(kafkaEgressMessage({ typename: RESULTS, topic, value }));
    default:
      return context.send(kafkaEgressMessage({ ...common, value }));
  }
}

function fail(mark: string, times: number): void {
  const failed = failures.get(mark) ?? 0;
  if (failed >= times) return;
  failures.set(mark, failed + 1);
  throw new Error(`failure ${failed + 1} of ${times} at ${mark}`);
}

async function perform(context: Context, tag: string, operation: Operation): Promise<void> {
  const storage = context.storage as Record<string, unknown>;
  switch (operation.do) {
    case "set":
      storage[operation.state] = operation.value;
      return;
    case "delete":
      storage[operation.state] = null;
      return;
    case "get":
      return report(context, { tag, state: operation.state, value: storage[operation.state] as Plain });
    case "count":
      storage.count = ((storage.count as number | null) ?? 0) + 1;
      return;
    case "caller":
      return report(context, { tag, caller: context.caller?.id ?? null });
    case "report":
      return report(context, { tag });
    case "send":
      return context.send(messageBuilder({ typename: ACTOR, id: operation.id, value: operation.command, valueType: command }));
    case "send_value":
      return context.send(
        messageBuilder({ typename: ACTOR, id: operation.id, value: operation.value, valueType: builtIn[operation.type] }),
      );
    case "after": {
      const message = messageBuilder({ typename: ACTOR, id: operation.id, value: operation.command, valueType: command });
      return context.sendAfter(operation.ms, message, operation.token);
    }
    case "cancel":
      return context.cancelDelayedMessage(operation.token);
    case "kafka":
      return kafka(context, operation);
    case "raw": {
      const valueType = operation.type === "profile" ? profile : builtIn[operation.type];
      return context.send(egressMessageBuilder({ typename: RAW, value: operation.value, valueType }));
    }
    case "fail":
      return fail(operation.mark, operation.times);
    case "hold":
      return await new Promise((resolve) => setTimeout(resolve, operation.ms));
  }
}

async function actor(context: Context, message: Message): Promise<void> {
  if (message.is(command)) {
    const { tag, operations } = message.as(command) as Command;
    for (const operation of operations) await perform(context, tag, operation);
    return;
  }
  const type = message.valueTypeName;
  const reader = Object.values(builtIn).find((candidate) => message.is(candidate));
  if (reader === undefined) throw new Error(`a message of unknown type ${type}`);
  report(context, { type, value: message.as(reader) as Plain, caller: context.caller?.id ?? null });
}

const functions = new StateFun();
functions.bind({
  typename: ACTOR,
  fn: actor,
  specs: Object.entries(stateTypes).map(([name, type]) => ({
    name,
    type,
    ...(name === "written" ? { expireAfterWrite: EXPIRE_MS } : {}),
    ...(name === "called" ? { expireAfterCall: EXPIRE_MS } : {}),
  })),
});
const server = createServer(functions.handler());
server.listen(0, "127.0.0.1", () => console.log(`listening ${(server.address() as AddressInfo).port}`));
