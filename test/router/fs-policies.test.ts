/** Modules are loaded by a process of its own: import() in a test would be Jest's. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const directory = mkdtempSync(join(tmpdir(), "dirigo-policy-"));
const src = join(__dirname, "..", "..", "src");

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Loads a module with this text, gives its policy to `use` (a function body of `policy` and `message`), and tells what that gives. */
function load(name: string, text: string | undefined, use = "return Object.keys(policy)"): unknown {
  const path = join(directory, name);
  if (text !== undefined) writeFileSync(path, text);
  const script = `
    const { loadPolicies } = require(${JSON.stringify(join(src, "router/fs-policies.js"))});
    const path = ${JSON.stringify(path)};
    const application = { name: "fraud", policy: { module: path } };
    const message = { deadlineMs: 70, rank: Infinity };
    const use = (policy, message) => { ${use} };
    loadPolicies({ applications: [application, application, { name: "plain", policy: "edf" }] })
      .then((loaded) => {
        if (loaded.size !== 1) throw new Error(loaded.size + " modules");
        return { told: use(loaded.get(path)(), message) };
      })
      .catch((error) => ({ error: error.name + ": " + error.message }))
      .then((result) => process.stdout.write(JSON.stringify(result)));`;
  return JSON.parse(execFileSync(process.execPath, ["-e", script], { encoding: "utf8" }));
}

const RANK = "policy.admit(message, 0); return message.rank";

describe("a policy of one's own", () => {
  test.each([
    ["an ES module", "rank.mjs", "export default () => ({ admit(message) { message.rank = 7; return { do: 'queue' }; } });"],
    [
      "a CommonJS module",
      "rank.cjs",
      "module.exports = () => ({ admit(message) { message.rank = 7; return { do: 'queue' }; } });",
    ],
    [
      "CommonJS made of TypeScript",
      "compiled.cjs",
      "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = () => ({ admit(message) { message.rank = 7; } });",
    ],
    [
      "a class with private fields",
      "class.mjs",
      "class Seven { #rank = 7; admit(message) { message.rank = this.#rank; } } export default () => new Seven();",
    ],
  ])("may be %s", (_what, name, text) => {
    expect(load(name, text, RANK)).toEqual({ told: 7 });
  });

  it("gets defaults for the hooks it leaves out: by deadline", () => {
    const use = `${RANK.replace("return message.rank", "")} const queue = policy.createQueue();
      const actors = [2, 1].map((rank) => ({ rank }));
      for (const actor of actors) queue.push(actor, 0);
      return [message.rank, policy.next(queue, 0).rank, policy.prepareSend(message, 0).do, policy.tag.endsWith("empty.mjs")]`;
    expect(load("empty.mjs", "export default () => ({});", use)).toEqual({ told: [70, 1, "send", true] });
  });

  it("is written as docs/scheduling.md shows it", () => {
    const documentation = readFileSync(join(__dirname, "..", "..", "..", "docs", "scheduling.md"), "utf8");
    const text = /```js\n(.*?)```/s.exec(documentation)?.[1];
    const use = `policy.init({ params: { reserveMs: 20 } });
      const ranks = [{ costMs: 1, pathMs: 2 }, { costMs: 9, pathMs: 9 }].map((costs) => {
        const each = { ...message, ...costs };
        policy.admit(each, 0);
        return each.rank;
      });
      return ranks`;
    expect(load("shortest.mjs", text, use)).toEqual({ told: [30, 50] });
  });

  test.each([
    ["that is not there", "absent.mjs", undefined, /cannot be loaded: .*absent\.mjs/],
    ["that throws", "throws.mjs", "throw new Error('no luck');", /cannot be loaded: no luck$/],
    ["that cannot be read", "broken.mjs", "export default (", /cannot be loaded: /],
    [
      "without a default export",
      "none.mjs",
      "export const policy = () => ({});",
      /has no default export that makes a policy: expected a function$/,
    ],
    ["whose default export is an object", "object.cjs", "module.exports = { admit() {} };", /expected a function$/],
    [
      "whose function throws",
      "factory.mjs",
      "export default () => { throw new Error('no luck'); };",
      /throws when it is to make a policy: no luck$/,
    ],
    ["that makes a text", "text.mjs", "export default () => 'fifo';", /makes string instead of a policy object$/],
    ["that makes nothing", "null.mjs", "export default () => null;", /makes null instead of a policy object$/],
    ["that makes a promise", "promise.mjs", "export default async () => ({});", /makes a promise instead of a policy object/],
    [
      "with a hook that is no function",
      "hook.mjs",
      "export default () => ({ admit: 5 });",
      /makes a policy whose admit is no function$/,
    ],
  ])("%s is refused before anything starts", (_what, name, text, expected) => {
    const { error } = load(name, text) as { error: string };
    expect(error).toMatch(/^ConfigError: .*application fraud: policy module /s);
    expect(error).toMatch(expected);
  });
});
