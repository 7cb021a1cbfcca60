/** `io.dirigo.v1/function`: what its options become, which document speaks of a function, and what documents may say of each other. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of module.yaml.
import fc from "fast-check";
import { type FunctionEntry, functionOf } from "../../src/config/function";
import { loadModule } from "../../src/config/module";
import type { Environment } from "../../src/config/placeholder";
import type { FunctionSpecification } from "../../src/config/specification";
import { and, ENDPOINT, FUNCTION, findings, INGRESS, valid, warnings } from "./module-text";

const WATERMARK = and(INGRESS, "watermark: {every: 1s, functions: [shop/cart]}");
const DUAL_DEFAULTS = {
  functions: [{ namespace: "shop", prefix: "cart", exact: true }],
  mode: "dual",
  maxLessees: 8,
  upstreams: [],
  critical: [],
  series: undefined,
  barrier: undefined,
  states: {},
};

function read(text: string, environment: Environment = {}, ingress = INGRESS): FunctionSpecification {
  const [specification] = valid([ENDPOINT, ingress, text], environment).module.functions;
  if (specification === undefined) throw new Error("no function");
  return specification;
}

const dual = (...lines: readonly string[]) => read(and(FUNCTION, ...lines));

describe("function", () => {
  test("without any document there is none", () => {
    expect(valid([ENDPOINT, INGRESS]).module.functions).toEqual([]);
  });

  test("dual mode has 8 lessees, waits for nobody and splits no state, unless it says so", () => {
    expect(read(FUNCTION)).toEqual(DUAL_DEFAULTS);
  });

  test("the example of the documentation", () => {
    const lines = [
      "maxLessees: 16",
      "upstreams: [shop/orders, shop/router-fn]",
      "critical: [shop/WindowClose]",
      "series: window",
      "states: { total: { merge: sum }, seen: { merge: set-union }, sketch: { merge: function } }",
    ];
    const ingress = INGRESS.replace("shop/cart", "shop/campaign-1");
    expect(read(and(FUNCTION.replace("shop/cart", "shop/campaign-*"), ...lines), {}, ingress)).toEqual({
      functions: [{ namespace: "shop", prefix: "campaign-", exact: false }],
      mode: "dual",
      maxLessees: 16,
      upstreams: [
        { kind: "ingress", ingress: "shop/orders", partitions: "seen" },
        { kind: "function", function: "shop/router-fn", ids: undefined, count: undefined },
      ],
      critical: ["shop/WindowClose"],
      series: "window",
      barrier: undefined,
      states: { total: { kind: "sum" }, seen: { kind: "set-union" }, sketch: { kind: "function" } },
    });
  });

  test("one document may name several functions", () => {
    expect(read(FUNCTION.replace("shop/cart", "[shop/cart, 'shop/stock-*', shop/*]")).functions).toEqual([
      { namespace: "shop", prefix: "cart", exact: true },
      { namespace: "shop", prefix: "stock-", exact: false },
      { namespace: "shop", prefix: "", exact: false },
    ]);
  });

  test("exclusive, said or not, is one lane", () => {
    const other = FUNCTION.replace("shop/cart", "shop/*");
    for (const text of [FUNCTION.replace("dual", "exclusive"), FUNCTION.replace(/ *mode.*\n/, "")]) {
      const { functions } = valid([ENDPOINT, INGRESS, text, other]).module;
      expect(functions[0]).toEqual({ ...DUAL_DEFAULTS, mode: "exclusive", maxLessees: 0 });
      expect(functionOf(functions, "shop", "cart")?.mode).toBe("exclusive");
      expect(functionOf(functions, "shop", "carts")?.mode).toBe("dual");
    }
  });

  test.each(["0", "64", "'${MANY:-5}'"])("%s lessees", (number) => {
    expect(dual(`maxLessees: ${number}`).maxLessees).toBe(number.includes("$") ? 5 : Number(number));
  });

  test.each([
    ["a name", "window", { series: "window", barrier: undefined }],
    ["a name in a map", "{ name: window }", { series: "window", barrier: undefined }],
    [
      "a JSON path",
      "{ name: window, json: window.end }",
      { series: "window", barrier: { kind: "json", path: ["window", "end"] } },
    ],
    ["field numbers", "{ name: w, protobuf: 1.10 }", { series: "w", barrier: { kind: "protobuf", path: [1, 10] } }],
    [
      "one field number",
      "{ name: w, protobuf: '536870911' }",
      { series: "w", barrier: { kind: "protobuf", path: [536_870_911] } },
    ],
  ])("a series with %s", (_what, text, series) => {
    expect(dual(`series: ${text}`)).toMatchObject(series);
  });

  test("a state is merged as a text or a map says, whatever it is called", () => {
    const { states } = dual(
      "states:",
      "  total: sum",
      "  best: max-by(a.b)",
      "  parts: {merge: partition(customer.id)}",
      "  constructor: 'map(max)'",
      "  ${NAME:-late}: latest",
    );
    expect({ ...states }).toEqual({
      total: { kind: "sum" },
      best: { kind: "max-by", path: ["a", "b"] },
      parts: { kind: "partition", keyPath: ["customer", "id"] },
      constructor: { kind: "map", inner: { kind: "max" } },
      late: { kind: "latest" },
    });
    // What nobody has named is not found on a prototype.
    expect(states.toString).toBeUndefined();
  });

  test("partitions of an ingress are all awaited if it ends windows of these functions, else those that were seen", () => {
    const upstreams = (ingress: string, ...lines: readonly string[]) => {
      return valid([ENDPOINT, ingress, and(FUNCTION, ...lines)]).module.functions[0]?.upstreams;
    };
    const expected = (partitions: string) => [{ kind: "ingress", ingress: "shop/orders", partitions }];
    expect(upstreams(INGRESS, "series: s", "upstreams: [shop/orders]")).toEqual(expected("seen"));
    expect(upstreams(INGRESS, "series: s", "upstreams: [{ingress: shop/orders}]")).toEqual(expected("seen"));
    expect(upstreams(INGRESS, "series: s", "upstreams: [{ingress: shop/orders, partitions: all}]")).toEqual(expected("all"));
    expect(upstreams(WATERMARK, "upstreams: [shop/orders]")).toEqual(expected("all"));
    expect(upstreams(WATERMARK, "upstreams: [{ingress: shop/orders}]")).toEqual(expected("all"));
    expect(upstreams(WATERMARK, "upstreams: [{ingress: shop/orders, partitions: seen}]")).toEqual(expected("seen"));
    const foreign = WATERMARK.replace("functions: [shop/cart]", "functions: [shop/other]");
    const other = FUNCTION.replace("shop/cart", "shop/other");
    const text = and(FUNCTION, "series: s", "upstreams: [shop/orders]");
    expect(valid([ENDPOINT, foreign, text, other]).module.functions[0]?.upstreams).toEqual(expected("seen"));
  });

  test("actors of a function are awaited by number or by id", () => {
    const lines = [
      "series: s",
      "upstreams: [{function: shop/a, count: 3}, {function: shop/b, ids: [x, 5, x]}, {function: shop/c}]",
    ];
    expect(dual(...lines).upstreams).toEqual([
      { kind: "function", function: "shop/a", ids: undefined, count: 3 },
      { kind: "function", function: "shop/b", ids: ["x", "5"], count: undefined },
      { kind: "function", function: "shop/c", ids: undefined, count: undefined },
    ]);
  });

  test("a name that an ingress and a function have is that of the ingress, unless a map says otherwise", () => {
    const ingress = INGRESS.replace("id: shop/orders", "id: shop/both");
    const kinds = ["shop/both", "{function: shop/both}"].map((upstream) => {
      const text = and(FUNCTION, "series: s", `upstreams: [${upstream}]`);
      return read(text, {}, ingress).upstreams[0]?.kind;
    });
    expect(kinds).toEqual(["ingress", "function"]);
  });

  test("documents may stand in any order and file, and cannot be changed", () => {
    const texts = [and(FUNCTION, "series: s", "upstreams: [shop/orders]", "states: {a: sum}"), [ENDPOINT, INGRESS].join("---\n")];
    const files = texts.map((text, index) => ({ path: `${index}.yaml`, text }));
    const { findings, module } = loadModule(files, {});
    expect(findings).toEqual([]);
    const [specification] = module.functions;
    expect(specification?.upstreams).toHaveLength(1);
    expect(() => Object.assign(specification?.states ?? {}, { a: 1 })).toThrow(TypeError);
    expect(() => Object.assign(specification?.functions[0] ?? {}, { prefix: "" })).toThrow(TypeError);
  });
});

describe("functionOf", () => {
  const of = (...texts: readonly string[]) => ({
    texts,
    functions: texts.map((text): FunctionEntry => {
      const [namespace = "", name = ""] = text.split("/");
      return { namespace, prefix: name.replace("*", ""), exact: !name.endsWith("*") };
    }),
  });
  const documents = [of("shop/*"), of("shop/campaign-*", "other/x"), of("shop/campaign-7"), of("shop/campaign-7*")];
  const found = (namespace: string, name: string) => functionOf(documents, namespace, name)?.texts[0];

  test("an exact name beats a pattern, a longer prefix a shorter one", () => {
    expect(found("shop", "campaign-7")).toBe("shop/campaign-7");
    expect(found("shop", "campaign-77")).toBe("shop/campaign-7*");
    expect(found("shop", "campaign-8")).toBe("shop/campaign-*");
    expect(found("shop", "campaign-")).toBe("shop/campaign-*");
    expect(found("shop", "campaign")).toBe("shop/*");
    expect(found("other", "x")).toBe("shop/campaign-*");
  });

  test("what no document names is undefined", () => {
    expect(found("other", "xy")).toBeUndefined();
    expect(found("sho", "campaign-7")).toBeUndefined();
    expect(functionOf([], "shop", "a")).toBeUndefined();
  });

  test("whatever the order of documents and entries, it is the most particular one that fits", () => {
    const name = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 });
    const entry = fc
      .tuple(fc.constantFrom("n", "m"), name, fc.constantFrom("", "*", "all"))
      .map(([namespace, text, star]) => `${namespace}/${star === "all" ? "*" : text + star}`);
    const texts = fc.uniqueArray(entry, { maxLength: 12 });
    fc.assert(
      fc.property(texts, fc.array(fc.nat(3), { minLength: 12, maxLength: 12 }), name, (all, owners, asked) => {
        const groups = [0, 1, 2, 3].map((owner) => of(...all.filter((_text, index) => owners[index] === owner)));
        const fits = all.filter(
          (text) => text === `n/${asked}` || (text.endsWith("*") && `n/${asked}`.startsWith(text.slice(0, -1))),
        );
        const best = fits.find((text) => !text.endsWith("*")) ?? fits.sort((left, right) => right.length - left.length)[0];
        const expected = best === undefined ? undefined : groups.find(({ texts }) => texts.includes(best));
        expect(functionOf(groups, "n", asked)).toBe(expected);
      }),
    );
  });
});

/** The document under test is the third, its options begin at line 18. */
const at = (line: number, path: string) => `module.yaml:${line}: document 3, spec.${path}`;
const NAMES = "namespace/name, namespace/prefix* or namespace/*";
const SERIES_NAME = "at most 100 letters, digits, dots, underscores and hyphens";
const MERGES =
  "sum, count, min, max, set-union, list-concat, latest, exclusive, function, max-by(path), map(strategy), partition(path)";

describe("is refused:", () => {
  test.each<readonly [what: string, lines: readonly string[], told: readonly string[]]>([
    [
      "too many lessees",
      ["maxLessees: 65"],
      [`${at(20, "maxLessees")}: "65" is out of range; expected a whole number from 0 to 64`],
    ],
    [
      "fewer lessees than none",
      ["maxLessees: -1"],
      [`${at(20, "maxLessees")}: "-1" is out of range; expected a whole number from 0 to 64`],
    ],
    [
      "upstreams that are no list",
      ["upstreams: shop/orders"],
      [`${at(20, "upstreams")}: "shop/orders" is not a list; expected a list of ids of ingresses and names of functions`],
    ],
    [
      "an upstream without a namespace",
      ["upstreams: [orders]"],
      [`${at(20, "upstreams[0]")}: "orders" is not an ingress or a function; expected namespace/name, with one slash`],
    ],
    [
      "a pattern as an upstream",
      ["upstreams: [{function: shop/a*}]"],
      [`${at(20, "upstreams[0].function")}: "shop/a*" is not a function; expected namespace/name, with one slash`],
    ],
    [
      "an upstream that names nothing",
      ["upstreams: [{count: 5}]"],
      [
        `${at(20, "upstreams[0]")}: names no upstream; expected { ingress: id, partitions: all or seen }, or { function: namespace/name } with count or ids`,
      ],
    ],
    [
      "an upstream that is two",
      ["upstreams: [{ingress: shop/orders, function: shop/a}]"],
      [`${at(20, "upstreams[0].function")}: stands beside ingress; expected one of them in each entry of the list`],
    ],
    [
      "actors of an ingress",
      ["series: s", "upstreams: [{ingress: shop/orders, count: 5, ids: [a]}]"],
      [
        `${at(21, "upstreams[0].count")}: is of a function, and this is an ingress; expected partitions: all or seen`,
        `${at(21, "upstreams[0].ids")}: is of a function, and this is an ingress; expected partitions: all or seen`,
      ],
    ],
    [
      "partitions of a function",
      ["series: s", "upstreams: [{function: shop/a, partitions: all}]"],
      [`${at(21, "upstreams[0].partitions")}: is of an ingress, and this is a function; expected count or ids, or neither`],
    ],
    [
      "partitions nobody knows",
      ["series: s", "upstreams: [{ingress: shop/orders, partitions: sen}]"],
      [`${at(21, "upstreams[0].partitions")}: "sen" is not known here; expected all or seen; did you mean "seen"?`],
    ],
    [
      "count and ids",
      ["series: s", "upstreams: [{function: shop/a, count: 2, ids: [x, y]}]"],
      [`${at(21, "upstreams[0].count")}: stands beside ids; expected count or ids: ids are counted`],
    ],
    [
      "no actor at all",
      ["series: s", "upstreams: [{function: shop/a, count: 0}, {function: shop/b, ids: []}]"],
      [
        `${at(21, "upstreams[0].count")}: "0" is out of range; expected a whole number from 1 to 1000000`,
        `${at(21, "upstreams[1].ids")}: is empty; expected a list of ids, not empty`,
      ],
    ],
    [
      "an upstream twice",
      ["series: s", "upstreams:", "  - shop/a", "  - {function: shop/a, count: 2}"],
      [`${at(23, "upstreams[1]")}: "shop/a" is already named, at module.yaml:22; expected an upstream named once`],
    ],
    [
      "an ingress nobody knows",
      ["series: s", "upstreams: [{ingress: shop/order}]"],
      [
        `${at(21, "upstreams[0]")}: "shop/order" is the id of no ingress; expected the id of an ingress: shop/orders; did you mean "shop/orders"?`,
      ],
    ],
    [
      "a function that no endpoint serves",
      ["series: s", "upstreams: [{function: shpo/a}]"],
      [`${at(21, "upstreams[0]")}: "shpo/a" is served by no endpoint; expected shop/*; did you mean "shop/a"?`],
    ],
    [
      "an upstream that is neither",
      ["series: s", "upstreams: [shpo/orders]"],
      [
        `${at(21, "upstreams[0]")}: "shpo/orders" is neither the id of an ingress nor a function that an endpoint serves; expected shop/orders, shop/*; did you mean "shop/orders"?`,
      ],
    ],
    [
      "itself as upstream",
      ["series: s", "upstreams: [shop/cart]"],
      [
        `${at(21, "upstreams[0]")}: "shop/cart" would wait for its own barriers; expected upstreams that go one way only; what comes back is not waited for`,
      ],
    ],
    [
      "a critical message without a namespace",
      ["critical: [end, shop/end]"],
      [`${at(20, "critical[0]")}: "end" is not a typename; expected namespace/name, with one slash`],
    ],
    [
      "critical messages that are no list",
      ["critical: a/b"],
      [`${at(20, "critical")}: "a/b" is not a list; expected a list of typenames of arguments`],
    ],
    [
      "a series with a blank",
      ["series: my window"],
      [`${at(20, "series")}: "my window" is not the name of a series; expected ${SERIES_NAME}`],
    ],
    ["a series without a name", ["series: {json: a}"], [`${at(20, "series.name")}: is missing; expected ${SERIES_NAME}`]],
    [
      "a series with two places of its number",
      ["series: {name: s, json: a, protobuf: 1}"],
      [`${at(20, "series.protobuf")}: stands beside json; expected json or protobuf: a number stands in one place`],
    ],
    [
      "a JSON path with a hole",
      ["series: {name: s, json: a..b}"],
      [`${at(20, "series.json")}: "a..b" is not a path in a JSON value; expected keys with dots between, such as window.end`],
    ],
    ...["0", "1.x", "1.", "536870912"].map(
      (path) =>
        [
          `field numbers ${path}`,
          [`series: {name: s, protobuf: ${path}}`],
          [
            `${at(20, "series.protobuf")}: "${path}" is not a path in a protobuf value; expected field numbers with dots between, such as 1.3`,
          ],
        ] as const,
    ),
    [
      "states that are no map",
      ["states: [sum]"],
      [`${at(20, "states")}: is not a map; expected a map of names of states and merge strategies`],
    ],
    [
      "a misspelt strategy",
      ["states: {total: summ}"],
      [`${at(20, "states.total")}: "summ" is not a merge strategy; expected ${MERGES}; did you mean "sum"?`],
    ],
    [
      "a misspelt strategy in a map",
      ["states: {total: {merge: map(summ)}}"],
      [`${at(20, "states.total.merge")}: "map(summ)" is not a merge strategy; expected ${MERGES}; did you mean "sum"?`],
    ],
    [
      "a state without a strategy",
      ["states: {total: }"],
      [`${at(20, "states.total")}: is missing; expected a merge strategy such as sum`],
    ],
    [
      "a state with an empty map",
      ["states: {total: {}}"],
      [`${at(20, "states.total.merge")}: is missing; expected a merge strategy such as sum`],
    ],
    [
      "a state without a name",
      ["states: {'': sum}"],
      [`${at(20, "states.")}: "" is not the name of a state; expected text that is not empty`],
    ],
    [
      "messages parted by two paths",
      ["states:", "  a: partition(x.y)", "  b: partition(x)", "  c: partition(x.y)"],
      [
        `${at(22, "states.b")}: "x" parts messages by another path than the state at module.yaml:21; expected partition(x.y): a message goes to one lessee`,
      ],
    ],
  ])("%s", (_what, lines, told) => {
    expect(findings([ENDPOINT, INGRESS, and(FUNCTION, ...lines)])).toEqual(told);
  });

  test.each<readonly [what: string, text: string, told: readonly string[]]>([
    ["no functions", FUNCTION.replace(/ *functions.*\n/, ""), [`${at(18, "functions")}: is missing; expected ${NAMES}`]],
    ["an empty list of functions", FUNCTION.replace("shop/cart", "[]"), [`${at(18, "functions")}: is empty; expected ${NAMES}`]],
    [
      "a function without a namespace",
      FUNCTION.replace("shop/cart", "cart"),
      [`${at(18, "functions")}: "cart" is not a function; expected ${NAMES}`],
    ],
    [
      "a function without a name",
      FUNCTION.replace("shop/cart", "shop/"),
      [`${at(18, "functions")}: "shop/" is not a function; expected ${NAMES}`],
    ],
    [
      "a * in the middle",
      FUNCTION.replace("shop/cart", "shop/c*t"),
      [`${at(18, "functions")}: "shop/c*t" has a * elsewhere than at its end; expected ${NAMES}`],
    ],
    [
      "a function that no endpoint serves",
      FUNCTION.replace("shop/cart", "[shop/cart, shpo/cart, shpo/c*]"),
      [
        `${at(18, "functions[1]")}: "shpo/cart" is served by no endpoint; expected shop/*; did you mean "shop/cart"?`,
        `${at(18, "functions[2]")}: "shpo/c*" is served by no endpoint; expected shop/*; did you mean "shop/c*"?`,
      ],
    ],
    [
      "a mode nobody knows",
      FUNCTION.replace("dual", "dul"),
      [`${at(19, "mode")}: "dul" is not known here; expected exclusive or dual; did you mean "dual"?`],
    ],
  ])("%s", (_what, text, told) => {
    expect(findings([ENDPOINT, INGRESS, text])).toEqual(told);
  });

  test("a pattern that no endpoint serves in part, where endpoints name single functions", () => {
    const endpoint = ENDPOINT.replace("shop/*", "shop/cart");
    expect(findings([endpoint, INGRESS, FUNCTION.replace("shop/cart", "shop/ca*")])).toEqual([]);
    expect(findings([endpoint, INGRESS, FUNCTION.replace("shop/cart", "shop/*")])).toEqual([]);
    expect(findings([endpoint, INGRESS, FUNCTION.replace("shop/cart", "shop/carts*")])).toEqual([
      `${at(18, "functions")}: "shop/carts*" is served by no endpoint; expected shop/cart; did you mean "shop/cart"?`,
    ]);
  });

  test.each(["mode: exclusive", ""])("what only dual mode has, with %s", (mode) => {
    const lines = ["maxLessees: 99", "upstreams: [no]", "critical: [no]", "series: {}", "states: {a: no}"];
    const text = and(FUNCTION.replace(" mode: dual", mode === "" ? "" : ` ${mode}`), ...lines);
    expect(findings([ENDPOINT, INGRESS, text])).toEqual(
      lines.map((line, index) => {
        const name = line.slice(0, line.indexOf(":"));
        return `${at(20 + index, name)}: is for dual mode, and the mode is exclusive; expected mode: dual, or no ${name}`;
      }),
    );
  });

  test("one entry in two documents", () => {
    expect(findings([ENDPOINT, INGRESS, FUNCTION, FUNCTION.replace("shop/cart", "[shop/stock, shop/cart]")])).toEqual([
      'module.yaml:23: document 4, spec.functions[1]: "shop/cart" is also the function entry of another document, at module.yaml:18; expected a name of its own',
    ]);
    expect(findings([ENDPOINT, INGRESS, FUNCTION, FUNCTION.replace("shop/cart", "shop/car*")])).toEqual([]);
  });

  test("itself as upstream, by a pattern, through others, and once for each circle", () => {
    const one = (name: string, ...upstreams: readonly string[]) =>
      and(FUNCTION.replace("shop/cart", name), "series: s", `upstreams: [${upstreams.join(", ")}]`);
    const told = (...texts: readonly string[]) =>
      findings([ENDPOINT, INGRESS, ...texts]).map((text) =>
        /upstreams\[\d\]: "(.*)" would wait for its own barriers([^;]*);/.exec(text)?.slice(1),
      );
    expect(told(one("shop/c*", "shop/cart"))).toEqual([["shop/cart", ""]]);
    expect(told(one("shop/a", "shop/b"), one("shop/b", "shop/a"))).toEqual([["shop/b", " (through shop/a)"]]);
    expect(told(one("shop/a", "shop/b"), one("shop/b", "shop/c"), one("shop/c", "shop/x", "shop/a"))).toEqual([
      ["shop/b", " (through shop/c, shop/a)"],
    ]);
    // One way only, also where a more particular document speaks of the upstream, and with a branch that joins again.
    expect(told(one("shop/c*", "shop/cart"), one("shop/cart", "shop/a"))).toEqual([]);
    expect(told(one("shop/a", "shop/b", "shop/c"), one("shop/b", "shop/d"), one("shop/c", "shop/d"))).toEqual([]);
    expect(told(one("shop/a", "shop/b", "shop/c"), one("shop/b", "shop/a"), one("shop/c", "shop/a"))).toHaveLength(2);
  });

  test("partitions that would be waited for for ever", () => {
    const more = "    - {topic: returns, valueType: a/b, targets: [shop/stock]}\n";
    const text = and(FUNCTION, "series: s", "upstreams: [{ingress: shop/orders, partitions: all}]");
    const told = (ingress: string) => findings([ENDPOINT, ingress, text]);
    expect(told(INGRESS + more)).toEqual([
      'module.yaml:22: document 3, spec.upstreams[0]: "shop/orders" would be waited for for ever: no target of returns is one of these functions; expected partitions: seen, or topics that all have one of these functions as a target',
    ]);
    expect(told(and(INGRESS + more, "watermark: {every: 1s, functions: [shop/cart]}"))).toEqual([]);
    expect(told(INGRESS + more.replace("stock", "cart"))).toEqual([]);
  });
});

describe("nothing is said of what could not be read:", () => {
  const text = and(FUNCTION, "series: s", "upstreams: [shop/orders]");
  test("of an upstream that may be a spoilt ingress", () => {
    const spoilt = INGRESS.replace("id: shop/orders", "id: orders");
    const all = FUNCTION.replace("shop/cart", "shop/*");
    for (const document of [
      text,
      and(all, "series: s", "upstreams: [shop/orders]"),
      text.replace("[shop/orders]", "[{ingress: a/b}]"),
    ]) {
      const told = findings([ENDPOINT, spoilt, document]);
      expect(told).toHaveLength(1);
      expect(told[0]).toContain('spec.id: "orders" is not the id of a component');
    }
  });

  test("of an upstream that may be served by a spoilt endpoint", () => {
    const told = findings([ENDPOINT.replace("shop/*", "shop"), INGRESS, text.replace("shop/orders", "a/b")]);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('spec.functions: "shop" is not a function');
  });

  test("of a watermark's function that a spoilt document may name", () => {
    const told = findings([ENDPOINT, WATERMARK, FUNCTION.replace("dual", "dul")]);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain("spec.mode");
  });
});

describe("loads with a warning:", () => {
  test.each<readonly [what: string, text: string, told: string]>([
    [
      "a document that says nothing",
      FUNCTION.replace(/ *mode.*\n/, ""),
      `${at(18, "functions")}: changes nothing: functions are exclusive unless a document says otherwise; expected mode: dual`,
    ],
    [
      "a document that says what is so anyway",
      FUNCTION.replace("dual", "exclusive"),
      `${at(18, "functions")}: changes nothing: functions are exclusive unless a document says otherwise; expected mode: dual`,
    ],
    [
      "a function named twice",
      FUNCTION.replace("shop/cart", "[shop/cart, shop/cart]"),
      `${at(18, "functions[1]")}: "shop/cart" is named twice in this document; once is enough`,
    ],
    [
      "a critical message named twice",
      and(FUNCTION, "critical: [a/b, a/b]"),
      `${at(20, "critical[1]")}: "a/b" is named twice here; once is enough`,
    ],
    [
      "upstreams without a series",
      and(FUNCTION, "upstreams: [shop/orders]"),
      `${at(20, "upstreams")}: has no effect: without numbers there is no barrier to wait for; expected a series, or an ingress with a watermark for these functions`,
    ],
    [
      "an ingress that brings nothing",
      and(FUNCTION.replace("shop/cart", "shop/stock"), "series: s", "upstreams: [shop/orders]"),
      `${at(21, "upstreams[0]")}: "shop/orders" has no effect: none of its topics has one of these functions as a target`,
    ],
    [
      "a function that looks like a misspelt ingress",
      and(FUNCTION, "series: s", "upstreams: [shop/order]"),
      `${at(21, "upstreams[0]")}: "shop/order" is taken for a function, because no ingress has this id; did you mean "shop/orders"?`,
    ],
    [
      "a state given twice",
      and(FUNCTION, "states: {a: sum, a: max}"),
      `${at(20, "states.a")}: is given twice; this, the later one, counts`,
    ],
    [
      "an option nobody knows",
      and(FUNCTION, "maxLesees: 5"),
      `${at(20, "maxLesees")}: is an option nobody knows here; it has no effect; did you mean "maxLessees"?`,
    ],
  ])("%s", (_what, text, told) => {
    expect(findings([ENDPOINT, INGRESS, text])).toEqual([]);
    expect(warnings([ENDPOINT, INGRESS, text])).toEqual([told]);
  });

  test("not a function that somebody else speaks of", () => {
    const text = and(FUNCTION, "series: s", "upstreams: [shop/order]");
    const known = [ENDPOINT.replace("shop/*", "shop/order"), ENDPOINT];
    expect(warnings([...known, INGRESS, text])).toEqual([]);
    expect(warnings([ENDPOINT, INGRESS.replace("[shop/cart]", "[shop/cart, shop/order]"), text])).toEqual([]);
    expect(warnings([ENDPOINT, INGRESS, text, FUNCTION.replace("shop/cart", "shop/order")])).toEqual([]);
  });

  test("not an exclusive document that makes an exception", () => {
    const exception = FUNCTION.replace("dual", "exclusive");
    expect(warnings([ENDPOINT, INGRESS, exception, FUNCTION.replace("shop/cart", "shop/c*")])).toEqual([]);
    expect(
      warnings([ENDPOINT, INGRESS, exception.replace("shop/cart", "shop/ca*"), FUNCTION.replace("shop/cart", "shop/c*")]),
    ).toEqual([]);
    expect(warnings([ENDPOINT, INGRESS, exception.replace("shop/cart", "shop/*"), FUNCTION])).toHaveLength(1);
  });
});
