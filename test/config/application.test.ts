/** `io.dirigo.v1/application`: what its options become, and every way they can be wrong. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of module.yaml.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findingText } from "../../src/config/finding";
import { readModuleFiles } from "../../src/config/fs-modules";
import { loadModule } from "../../src/config/module";
import type { Environment } from "../../src/config/placeholder";
import type { ApplicationSpecification } from "../../src/config/specification";
import { APPLICATION, and, ENDPOINT, findings, INGRESS, valid, warnings, without } from "./module-text";

const RETURNS = INGRESS.replace("shop/orders", "shop/returns").replace("topic: orders", "topic: returns");

function application(text: string, environment: Environment = {}): ApplicationSpecification {
  const [read] = valid([ENDPOINT, INGRESS, RETURNS, text], environment).module.applications;
  if (read === undefined) throw new Error("no application");
  return read;
}

describe("application", () => {
  test("without an SLO it is fifo, and weighs 1", () => {
    expect(application(APPLICATION)).toEqual({
      name: "fraud",
      ingresses: ["shop/orders"],
      slo: undefined,
      policy: "fifo",
      weight: 1,
      params: { scaling: false, range: 2, hysteresisMs: 5, short: 0.05 },
    });
  });

  test("with an SLO it is min-laxity, for 99 % of the messages from their arrival", () => {
    expect(application(and(APPLICATION, "slo: {latency: 200ms}"))).toMatchObject({
      slo: { latencyMs: 200, percentile: 99, from: "arrival", windowMs: 0 },
      policy: "min-laxity",
      params: { scaling: true, range: 2, hysteresisMs: 5, short: 0.05, margin: 0.3 },
    });
  });

  test("all options", () => {
    const lines = [
      "slo: {latency: 1 s, percentile: 99.9, from: window-end, window: 2s}",
      "policy: min-laxity",
      "weight: 2.5",
      "params: {margin: 0}",
    ];
    const text = and(APPLICATION.replace("[shop/orders]", "[shop/orders, shop/returns]"), ...lines);
    expect(application(text)).toEqual({
      name: "fraud",
      ingresses: ["shop/orders", "shop/returns"],
      slo: { latencyMs: 1_000, percentile: 99.9, from: "window-end", windowMs: 2_000 },
      policy: "min-laxity",
      weight: 2.5,
      params: { scaling: true, range: 2, hysteresisMs: 5, short: 0.05, margin: 0 },
    });
  });

  test("record time has no window", () => {
    const slo = application(and(APPLICATION, "slo: {latency: 20, percentile: 100, from: record-timestamp}")).slo;
    expect(slo).toEqual({ latencyMs: 20, percentile: 100, from: "record-timestamp", windowMs: 0 });
  });

  test.each([
    ["policy: fifo", "fifo", {}],
    ["policy: edf", "edf", {}],
    ["policy: min-laxity", "min-laxity", { margin: 0.3 }],
    ["policy: min-laxity\n  params: {margin: 0.9}", "min-laxity", { margin: 0.9 }],
    ["policy: priority", "priority", { priority: 0 }],
    [
      "policy: fifo\n  params: {scaling: true, range: 3, hysteresis: 0}",
      "fifo",
      { scaling: true, range: 3, hysteresisMs: 0, short: 0.05 },
    ],
    ["policy: min-laxity\n  params: {scaling: false}", "min-laxity", { scaling: false, margin: 0.3 }],
    ["policy: priority\n  params: {priority: -3}", "priority", { priority: -3 }],
    ["policy: token\n  params: {rate: 0.5}", "token", { rate: 0.5, intervalMs: 1_000 }],
    ["policy: token\n  params: {rate: 100, interval: 1 min}", "token", { rate: 100, intervalMs: 60_000 }],
    ["policy: ${POLICY}\n  params: {rate: '${RATE:-7}'}", "token", { rate: 7, intervalMs: 1_000 }],
  ])("%s", (text, policy, params) => {
    expect(application(and(APPLICATION, text), { POLICY: "token" })).toMatchObject({ policy, params });
    const common = ["scaling", "range", "hysteresisMs", "short"];
    const own = Object.keys(params).filter((name) => !common.includes(name));
    expect(Object.keys(application(and(APPLICATION, text), { POLICY: "token" }).params)).toEqual([...common, ...own]);
  });

  test("there may be several, with an ingress each, in any order and file", () => {
    const other = APPLICATION.replace("fraud", "reports").replace("shop/orders", "shop/returns");
    expect(valid([other, APPLICATION, ENDPOINT, RETURNS, INGRESS]).module.applications.map(({ name }) => name)).toEqual([
      "reports",
      "fraud",
    ]);
    const files = [APPLICATION, [ENDPOINT, INGRESS].join("---\n")].map((text, index) => ({ path: `${index}.yaml`, text }));
    expect(loadModule(files, {}).findings).toEqual([]);
  });

  test("without any the list is empty", () => {
    expect(valid([ENDPOINT, INGRESS]).module.applications).toEqual([]);
  });
});

const WHERE = "module.yaml:18: document 3, spec";
const MORE = "module.yaml:20: document 3, spec";
const FILES = "fifo, edf, min-laxity, priority, token, or the path of a .js, .mjs or .cjs file";

describe("is refused:", () => {
  test.each<readonly [what: string, text: string, told: readonly string[]]>([
    [
      "an application without a name",
      without(APPLICATION, "name"),
      [`${WHERE}.name: is missing; expected at most 100 letters, digits, dots, underscores and hyphens`],
    ],
    [
      "a name with a blank",
      APPLICATION.replace("fraud", "my fraud"),
      [
        `${WHERE}.name: "my fraud" is not the name of an application; expected at most 100 letters, digits, dots, underscores and hyphens`,
      ],
    ],
    [
      "an application without ingresses",
      without(APPLICATION, "ingresses"),
      [`${WHERE}.ingresses: is missing; expected a list of ids of ingresses, not empty`],
    ],
    [
      "an empty list of ingresses",
      APPLICATION.replace("[shop/orders]", "[]"),
      ["module.yaml:19: document 3, spec.ingresses: is empty; expected a list of ids of ingresses, not empty"],
    ],
    [
      "ingresses that are no list",
      APPLICATION.replace("[shop/orders]", "shop/orders"),
      ['module.yaml:19: document 3, spec.ingresses: "shop/orders" is not a list; expected a list of ids of ingresses, not empty'],
    ],
    [
      "an ingress nobody knows",
      APPLICATION.replace("shop/orders", "shop/order"),
      [
        'module.yaml:19: document 3, spec.ingresses[0]: "shop/order" is the id of no ingress; expected the id of an ingress: shop/orders; did you mean "shop/orders"?',
      ],
    ],
    [
      "an id without a namespace",
      APPLICATION.replace("shop/orders", "orders"),
      [
        'module.yaml:19: document 3, spec.ingresses[0]: "orders" is not the id of an ingress; expected namespace/name, with one slash',
      ],
    ],
    [
      "an SLO without a latency",
      and(APPLICATION, "slo: {percentile: 99}"),
      [`${MORE}.slo.latency: is missing; expected a duration such as 200ms`],
    ],
    [
      "a latency of nothing",
      and(APPLICATION, "slo: {latency: 0ms}"),
      [`${MORE}.slo.latency: "0ms" is out of range; expected a duration of at least 1 ms`],
    ],
    [
      "a percentile of nothing",
      and(APPLICATION, "slo: {latency: 1s, percentile: 0}"),
      [`${MORE}.slo.percentile: "0" is not a percentile; expected a number above 0, at most 100`],
    ],
    [
      "a percentile above 100",
      and(APPLICATION, "slo: {latency: 1s, percentile: 100.1}"),
      [`${MORE}.slo.percentile: "100.1" is not a percentile; expected a number above 0, at most 100`],
    ],
    [
      "an instant nobody knows, whatever the window says",
      and(APPLICATION, "slo: {latency: 1s, from: windowend, window: 1s}"),
      [
        `${MORE}.slo.from: "windowend" is not known here; expected arrival, record-timestamp or window-end; did you mean "window-end"?`,
      ],
    ],
    [
      "window-end without a window",
      and(APPLICATION, "slo: {latency: 1s, from: window-end}"),
      [`${MORE}.slo.window: is missing; expected the length of the windows, such as 1s, because from is window-end`],
    ],
    [
      "a window of nothing",
      and(APPLICATION, "slo: {latency: 1s, from: window-end, window: 0}"),
      [`${MORE}.slo.window: "0" is out of range; expected a duration of at least 1 ms`],
    ],
    [
      "an SLO that is no map",
      and(APPLICATION, "slo: 200ms"),
      [`${MORE}.slo: "200ms" is not a map; expected a map of latency, percentile, from, window`],
    ],
    [
      "a misspelt policy, whatever the params say",
      and(APPLICATION, "policy: min-laxty", "params: {margin: 7}"),
      [`${MORE}.policy: "min-laxty" is not a known policy; expected ${FILES}; did you mean "min-laxity"?`],
    ],
    [
      "a policy in TypeScript",
      and(APPLICATION, "policy: ./policy.ts"),
      [
        `${MORE}.policy: "./policy.ts" is TypeScript, which is not compiled here; expected the path of a .js, .mjs or .cjs file: what it compiles to`,
      ],
    ],
    [
      "a policy in another language",
      and(APPLICATION, "policy: ./policy.py"),
      [`${MORE}.policy: "./policy.py" is not a module; expected ${FILES}`],
    ],
    [
      "a file where the configuration comes from none",
      and(APPLICATION, "policy: ./policy.js"),
      [
        `${MORE}.policy: "./policy.js" is a file, and this configuration comes from none; expected fifo, edf, min-laxity, priority, token`,
      ],
    ],
    ["a weight of nothing", and(APPLICATION, "weight: 0"), [`${MORE}.weight: "0" is not a weight; expected a number above 0`]],
    [
      "a weight that is no number",
      and(APPLICATION, "weight: heavy"),
      [`${MORE}.weight: "heavy" is not a weight; expected a number above 0`],
    ],
    [
      "a margin that leaves nothing",
      and(APPLICATION, "policy: min-laxity", "params: {margin: 0.91}"),
      ['module.yaml:21: document 3, spec.params.margin: "0.91" is not a margin; expected a number from 0 to 0.9'],
    ],
    [
      "a priority between two",
      and(APPLICATION, "policy: priority", "params: {priority: 1.5}"),
      ['module.yaml:21: document 3, spec.params.priority: "1.5" is not a whole number; expected a whole number'],
    ],
    [
      "tokens without a rate",
      and(APPLICATION, "policy: token"),
      [
        "module.yaml:18: document 3, spec.params.rate: is missing; expected a number of messages per interval, above 0, because the policy is token",
      ],
    ],
    [
      "no tokens at all, in no time",
      and(APPLICATION, "policy: token", "params: {rate: 0, interval: 0}"),
      [
        'module.yaml:21: document 3, spec.params.rate: "0" is not a rate; expected a number of messages per interval, above 0',
        'module.yaml:21: document 3, spec.params.interval: "0" is out of range; expected a duration of at least 1 ms',
      ],
    ],
    [
      "a param of another policy",
      and(APPLICATION, "params: {rate: 5}"),
      [`${MORE}.params.rate: is a param of the policy token, and the policy is fifo; expected policy: token, or no rate`],
    ],
    [
      "a misspelt param",
      and(APPLICATION, "slo: {latency: 1s}", "params: {margn: 0.5}"),
      [
        'module.yaml:21: document 3, spec.params.margn: is no param of the policy min-laxity; expected margin, scaling, range, hysteresis, short; did you mean "margin"?',
      ],
    ],
    [
      "a param where there are none",
      and(APPLICATION, "params: {speed: 1}"),
      [`${MORE}.params.speed: is no param of the policy fifo; expected scaling, range, hysteresis, short`],
    ],
    ["params that are no map", and(APPLICATION, "params: [margin]"), [`${MORE}.params: is not a map; expected a map of params`]],
  ])("%s", (_what, text, told) => {
    expect(findings([ENDPOINT, INGRESS, text])).toEqual(told);
  });

  test("two applications of one name, or with one ingress", () => {
    expect(findings([ENDPOINT, INGRESS, RETURNS, APPLICATION, APPLICATION.replace("shop/orders", "shop/returns")])).toEqual([
      'module.yaml:33: document 5, spec.name: "fraud" is also the name of another application, at module.yaml:28; expected a name of its own',
    ]);
    expect(findings([ENDPOINT, INGRESS, APPLICATION, APPLICATION.replace("fraud", "reports")])).toEqual([
      'module.yaml:24: document 4, spec.ingresses[0]: "shop/orders" already belongs to application fraud, at module.yaml:19; expected an ingress in one application at most: its messages have one deadline',
    ]);
  });

  test("not an ingress that may stand where nothing could be read", () => {
    const told = findings([
      ENDPOINT,
      INGRESS,
      "kind: io.statefun.kafka.v1/ingres\nspec: {}\n",
      APPLICATION.replace("orders", "x"),
    ]);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain("is not a known kind");
    const unnamed = findings([ENDPOINT, INGRESS.replace("shop/orders", "orders"), APPLICATION]);
    expect(unnamed).toEqual([
      'module.yaml:8: document 2, spec.id: "orders" is not the id of a component; expected namespace/name, with one slash',
    ]);
  });
});

describe("loads with a warning:", () => {
  test.each([
    [
      "a window without window-end",
      and(APPLICATION, "slo: {latency: 1s, window: 1s}"),
      `${MORE}.slo.window: has no effect from arrival; expected from: window-end`,
    ],
    [
      "an ingress named twice",
      APPLICATION.replace("[shop/orders]", "[shop/orders, shop/orders]"),
      'module.yaml:19: document 3, spec.ingresses[1]: "shop/orders" is named twice in this application; once is enough',
    ],
    [
      "a param given twice",
      and(APPLICATION, "policy: priority", "params: {priority: 1, priority: 2}"),
      "module.yaml:21: document 3, spec.params.priority: is given twice; this, the later one, counts",
    ],
    [
      "an option nobody knows",
      and(APPLICATION, "polcy: edf"),
      `${MORE}.polcy: is an option nobody knows here; it has no effect; did you mean "policy"?`,
    ],
  ])("%s", (_what, text, told) => {
    expect(findings([ENDPOINT, INGRESS, text])).toEqual([]);
    expect(warnings([ENDPOINT, INGRESS, text])).toEqual([told]);
  });
});

describe("a policy of the user's own", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "dirigo-policy-"));
    mkdirSync(join(folder, "policies.js"));
    for (const name of ["policy.js", "policy.mjs", "policy.cjs"]) writeFileSync(join(folder, name), "");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function read(...lines: string[]) {
    const path = join(folder, "module.yaml");
    writeFileSync(path, [ENDPOINT, INGRESS, and(APPLICATION, ...lines)].join("---\n"));
    const loaded = loadModule(readModuleFiles([path]).files, { PART: "0.5", ON: "true", WORD: "a b" });
    return { told: loaded.findings.map(findingText), application: loaded.module.applications[0] };
  }

  test.each(["policy.js", "./policy.mjs", "../*/policy.cjs"])("%s is found beside the module.yaml", (named) => {
    const folderName = folder.slice(folder.lastIndexOf("/") + 1);
    const { told, application } = read(`policy: ${named.replace("*", folderName)}`);
    expect(told).toEqual([]);
    expect(application?.policy).toEqual({ module: join(folder, named.slice(named.lastIndexOf("/") + 1)) });
  });

  test("may be named by an absolute path", () => {
    expect(read(`policy: ${join(folder, "policy.js")}`).application?.policy).toEqual({ module: join(folder, "policy.js") });
  });

  test("must be there, and a file", () => {
    const place = `${join(folder, "module.yaml")}:20: document 3, spec.policy`;
    expect(read("policy: ./absent.js").told).toEqual([
      `${place}: "./absent.js" cannot be read: there is no such file; expected a file at ${join(folder, "absent.js")}`,
    ]);
    expect(read("policy: ./policies.js").told).toEqual([
      `${place}: "./policies.js" cannot be read: it is no file; expected a file at ${join(folder, "policies.js")}`,
    ]);
  });

  test("has any params, as YAML means them", () => {
    const { told, application } = read(
      "policy: ./policy.js",
      "params:",
      "  margin: high",
      "  list: [1, '2', 0.5]",
      "  deep:",
      "    on: ${ON}",
      "    off: null",
      "    number: ${PART}",
      "    text: '${PART}'",
      "    word: ${WORD}",
    );
    expect(told).toEqual([]);
    expect(application?.params).toEqual({
      margin: "high",
      list: [1, "2", 0.5],
      deep: { on: true, off: null, number: 0.5, text: "0.5", word: "a b" },
    });
  });

  test("is not given params that hold themselves", () => {
    const { told } = read("policy: ./policy.js", "params:", "  loop: &loop [*loop, *loop]");
    expect(told[0]).toContain("spec.params.loop[0]: holds itself; expected a value that ends");
  });
});
