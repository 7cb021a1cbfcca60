/** What must not compile does not, and what must does: each snippet is a file of its own, all checked by one run of tsc. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const project = join(__dirname, "..", "..", "..", "..");

const preamble = `
import { after, defineFunction, defineFunctions, serve, state, types, type Context } from "../../src/functions/sdk";
import { z } from "zod";
interface Profile { name: string; tags: string[] }
const order = types.json<{ n: number }>("shop/order");
const states = { seen: state.number({ expire: after.write("1d") }), total: state.long(), profile: state.json<Profile>("ex/profile") };
const greeter = defineFunction({ typename: "ex/greeter", states, handle(ctx, message) {
`;
const ending = "\n} });\nvoid [serve, defineFunctions, greeter, order, z];\nexport type Unused = Context;\n";

const compiles: Readonly<Record<string, string>> = {
  "states are read as their type or undefined":
    "const a: number | undefined = ctx.state.seen; const b: bigint | undefined = ctx.state.total; void [a, b, message];",
  "states are counted up":
    "ctx.state.seen = (ctx.state.seen ?? 0) + 1; ctx.state.total = (ctx.state.total ?? 0n) + 1n; void message;",
  "a state is deleted": "delete ctx.state.profile; void message;",
  "a state is deleted by undefined": "ctx.state.profile = undefined; void message;",
  "a JSON state is replaced":
    "const p = ctx.state.profile; ctx.state.profile = { name: p?.name ?? '', tags: [...(p?.tags ?? []), 'x'] }; void message;",
  "a message is read as its type": "if (message.is(order)) { const n: number = message.as(order).n; void n; } void ctx;",
  "typed values and plain unambiguous ones are sent":
    "ctx.send(ctx.self, 'a'); ctx.send(ctx.self, 1n); ctx.send(ctx.self, true); ctx.send(ctx.self, order.of({ n: 1 })); void message;",
  "the caller is answered when there is one": "if (ctx.caller) ctx.send(ctx.caller, 'a'); void message;",
  "durations in texts": "ctx.sendAfter('1.5s', ctx.self, 'a', { token: 't' }); ctx.sendAfter(100, ctx.self, 'a'); void message;",
  "Kafka values":
    "ctx.kafka('ex/out', { topic: 't', key: 'k', value: { a: 1 } }); ctx.kafka('ex/out', { topic: 't', value: order.of({ n: 1 }) }); void message;",
  "a type comes from a zod schema":
    "const t = types.json('shop/z', z.object({ n: z.number() })); const n: number = message.as(t).n; void [n, ctx]; const s = state.json('shop/z', z.object({ n: z.number() }), { expire: after.call('5m') }); void s;",
  "functions with different states are served together":
    "const other = defineFunction({ typename: 'ex/o', handle: () => {} }); void defineFunctions([greeter, other]); void serve([greeter, other], 0); void [ctx, message];",
  "a part is merged into the base":
    "const f = defineFunction({ typename: 'ex/o', states, handle() {}, merge(base, part) { base.seen = (base.seen ?? 0) + (part.seen ?? 0); if (part.profile) base.profile = part.profile; } }); void [f, ctx, message];",
  "a merge may be asynchronous":
    "const f = defineFunction({ typename: 'ex/o', states, handle() {}, async merge(base, part) { base.total = await Promise.resolve(part.total); } }); void [f, ctx, message];",
  "a handler may be asynchronous":
    "const f = defineFunction({ typename: 'ex/o', states, async handle(c) { c.state.seen = await Promise.resolve(1); } }); void [f, ctx, message];",
};

const refused: Readonly<Record<string, readonly [string, RegExp]>> = {
  "a state that is not declared": ["ctx.state.typo = 1; void message;", /'typo' does not exist/],
  "a state of another type": ["ctx.state.seen = 'x'; void message;", /'string' is not assignable to type 'number'/],
  "a part that is assigned to": [
    "const f = defineFunction({ typename: 'ex/o', states, handle() {}, merge(base, part) { part.seen = base.seen; } }); void [f, ctx, message];",
    /'seen' because it is a read-only property/,
  ],
  "a part's state used without minding that it may be absent": [
    "const f = defineFunction({ typename: 'ex/o', states, handle() {}, merge(base, part) { base.seen = 1 + part.seen; } }); void [f, ctx, message];",
    /'part.seen' is possibly 'undefined'/,
  ],
  "a part's state that is not declared": [
    "const f = defineFunction({ typename: 'ex/o', states, handle() {}, merge(base, part) { base.seen = part.typo; } }); void [f, ctx, message];",
    /'typo' does not exist/,
  ],
  "a merge into a state of another type": [
    "const f = defineFunction({ typename: 'ex/o', states, handle() {}, merge(base, part) { base.total = part.seen; } }); void [f, ctx, message];",
    /'number' is not assignable to type 'bigint'/,
  ],
  "a number in a 64-bit state": ["ctx.state.total = 1; void message;", /'number' is not assignable to type 'bigint'/],
  "a state used without minding that it may be absent": [
    "const n: number = ctx.state.seen; void [n, message];",
    /'undefined' is not assignable to type 'number'/,
  ],
  "a change inside a JSON state": [
    "if (ctx.state.profile) ctx.state.profile.name = 'x'; void message;",
    /'name' because it is a read-only property/,
  ],
  "a change inside a list of a JSON state": [
    "ctx.state.profile?.tags.push('x'); void message;",
    /'push' does not exist on type 'readonly string\[\]'/,
  ],
  "a JSON state of another shape": ["ctx.state.profile = { name: 'x' }; void message;", /'tags' is missing/],
  "a message read as something else": [
    "const s: string = message.as(order).n; void [s, ctx];",
    /'number' is not assignable to type 'string'/,
  ],
  "a number sent without a type": [
    "ctx.send(ctx.self, 1); void message;",
    /'1' is not assignable to parameter of type 'Sendable'/,
  ],
  "a typed value of another shape": [
    "ctx.send(ctx.self, order.of({ n: 'x' })); void message;",
    /'string' is not assignable to type 'number'/,
  ],
  "a bare object sent without a type": ["ctx.send(ctx.self, { n: 1 }); void message;", /'n' does not exist in type 'Typed'/],
  "an answer to a caller that may not be there": [
    "ctx.send(ctx.caller, 'a'); void message;",
    /'undefined' is not assignable to type 'Address'/,
  ],
  "a duration without a unit": [
    "ctx.sendAfter('5', ctx.self, 'a'); void message;",
    /not assignable to parameter of type 'Duration'/,
  ],
  "a duration of an unknown unit": ["after.write('1w'); void [ctx, message];", /not assignable to parameter of type 'Duration'/],
  "a Kafka record without a topic": ["ctx.kafka('ex/out', { value: 'x' }); void message;", /'topic' is missing/],
  "a Kafka value that is a number": [
    "ctx.kafka('ex/out', { topic: 't', value: 1 }); void message;",
    /'number' is not assignable/,
  ],
  "a function without a handler": ["defineFunction({ typename: 'a/b' }); void [ctx, message];", /'handle' is missing/],
  "a state declared with a bare type": [
    "defineFunction({ typename: 'a/b', states: { a: types.int }, handle() {} }); void [ctx, message];",
    /missing the following properties from type 'StateDeclaration/,
  ],
};

/** Every example of the documentation is a module that compiles as it stands there. */
const documented = [...readFileSync(join(project, "docs", "sdk.md"), "utf8").matchAll(/```ts\n([\s\S]*?)```/g)].map(
  ([, code], index) => [`documented-${index + 1}.mts`, code as string] as const,
);

let directory: string;
/** Errors of tsc by file name. */
const found = new Map<string, string[]>();

const fileOf = (group: string, title: string) => `${group}-${title.replaceAll(/[^A-Za-z0-9]+/g, "-")}.ts`;

beforeAll(async () => {
  // Below the project, where `zod` resolves, and two levels deep, where the preamble's import points.
  await mkdir(join(project, ".dirigo"), { recursive: true });
  directory = await mkdtemp(join(project, ".dirigo", "typing-"));
  const write = (file: string, body: string) => writeFile(join(directory, file), preamble + body + ending);
  await Promise.all([
    ...Object.entries(compiles).map(([title, body]) => write(fileOf("compiles", title), body)),
    ...documented.map(([file, code]) => writeFile(join(directory, file), code)),
    ...Object.entries(refused).map(([title, [body]]) => write(fileOf("refused", title), body)),
    writeFile(
      join(directory, "tsconfig.json"),
      JSON.stringify({
        extends: "../../tsconfig.json",
        compilerOptions: { noEmit: true, incremental: false, rootDir: "../..", noUnusedParameters: false },
        include: ["*.ts", "*.mts"],
      }),
    ),
  ]);
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  const output = await promisify(execFile)(process.execPath, [tsc, "-p", directory, "--pretty", "false"]).then(
    ({ stdout }) => stdout,
    (failure: { stdout?: string }) => failure.stdout ?? String(failure),
  );
  for (const line of output.split("\n")) {
    const match = /([^/\\(]+\.m?ts)\(\d+,\d+\): error/.exec(line);
    const current = match ? (match[1] as string) : [...found.keys()].at(-1);
    if (current) found.set(current, [...(found.get(current) ?? []), line]);
  }
}, 60_000);

afterAll(() => rm(directory, { recursive: true, force: true }));

test.each(Object.keys(compiles))("compiles: %s", (title) => {
  expect(found.get(fileOf("compiles", title)) ?? []).toEqual([]);
});

test.each(Object.entries(refused))("refused: %s", (title, [, reason]) => {
  expect((found.get(fileOf("refused", title)) ?? []).join("\n")).toMatch(reason);
});

test.each(documented)("docs/sdk.md: %s compiles", (file) => {
  expect(found.get(file) ?? []).toEqual([]);
});

test("docs/sdk.md has examples", () => {
  expect(documented.length).toBeGreaterThanOrEqual(5);
});
