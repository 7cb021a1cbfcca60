/** What is wrong with our own options of StateFun's kinds: replicas and slots of endpoints, critical messages and watermarks of ingresses. */
import { and, ENDPOINT, FUNCTION, findings, INGRESS, warnings, without } from "./module-text";

type Case = readonly [what: string, lines: readonly string[], told: readonly string[]];

const URL_EXPECTED = "expected http://host/path or https://host/path; {function.name} stands for the function's name";
const SLOTS_EXPECTED = "expected a whole number from 1 to 100000";

const at = (line: number, path: string, document = 1) => `module.yaml:${line}: document ${document}, spec.${path}`;

describe("an endpoint is refused with", () => {
  test.each<Case>([
    [
      "a URL and URLs",
      ["urlPathTemplate: http://a", "urls: [http://b]"],
      [`${at(5, "urls")}: stands beside urlPathTemplate; expected one of them: urls lists all replicas`],
    ],
    ["an empty list of URLs", ["urls: []"], [`${at(4, "urls")}: is empty; expected a list of URLs of replicas, not empty`]],
    [
      "URLs that are no list",
      ["urls: http://a"],
      [`${at(4, "urls")}: "http://a" is not a list; expected a list of URLs of replicas, not empty`],
    ],
    ["URLs that are none", ["urls: [http://a, b]"], [`${at(4, "urls[1]")}: "b" is not a URL of a function; ${URL_EXPECTED}`]],
    [
      "two URLs alike, though written in two ways",
      ["urls:", "  - http://a/{function.name}", "  - http://b", "  - http://A:80/{function.name}"],
      [`${at(7, "urls[2]")}: "http://A:80/{function.name}" is also a replica at module.yaml:5; expected every replica once`],
    ],
    [
      "a placement nobody knows",
      ["urls: [http://a, http://b]", "placement: hom"],
      [`${at(5, "placement")}: "hom" is not known here; expected any or home; did you mean "home"?`],
    ],
    [
      "slots that are no number",
      ["urls: [http://a]", "concurrency: many"],
      [`${at(5, "concurrency")}: "many" is not a number of slots; expected a whole number, or auto`],
    ],
    ["no slots", ["urls: [http://a]", "concurrency: 0"], [`${at(5, "concurrency")}: "0" is out of range; ${SLOTS_EXPECTED}`]],
    [
      "a bound of no slots",
      ["urls: [http://a]", "concurrency: {auto: true, max: 0}"],
      [`${at(5, "concurrency.max")}: "0" is out of range; ${SLOTS_EXPECTED}`],
    ],
    [
      "a bound alone",
      ["urls: [http://a]", "concurrency: {max: 5}"],
      [`${at(5, "concurrency.auto")}: is missing; expected true: a fixed number is written without a map`],
    ],
    [
      "a bound of a fixed number",
      ["urls: [http://a]", "concurrency: {auto: false, max: 5}"],
      [`${at(5, "concurrency.auto")}: "false" is not known here; expected true`],
    ],
  ])("%s", (_what, lines, told) => {
    for (const text of [ENDPOINT, ENDPOINT.replace("v2", "v1")]) {
      expect(findings([and(without(text, "urlPathTemplate"), ...lines), INGRESS])).toEqual(told);
    }
  });
});

test("a home where there is one house is told", () => {
  expect(warnings([and(ENDPOINT, "placement: home"), INGRESS])).toEqual([
    `${at(5, "placement")}: has no effect with one URL: it is everybody's home; expected urls with several of them`,
  ]);
  expect(warnings([and(ENDPOINT, "placement: any"), INGRESS])).toEqual([]);
});

describe("a topic is refused with", () => {
  const BARRIER = "expected counter, { json: path } or { protobuf: path }";
  test.each<Case>([
    [
      "a critical that is no yes or no",
      ["critical: maybe"],
      [`${at(15, "topics[0].critical", 2)}: "maybe" is not known here; expected true or false`],
    ],
    [
      "a barrier that is no place",
      ["barrier: count"],
      [`${at(15, "topics[0].barrier", 2)}: "count" is not a place of a barrier's number; ${BARRIER}`],
    ],
    ["a barrier without a place", ["barrier: {}"], [`${at(15, "topics[0].barrier", 2)}: names no place; ${BARRIER}`]],
    [
      "a barrier in two places",
      ["barrier: {json: a, protobuf: 1}"],
      [`${at(15, "topics[0].barrier.protobuf", 2)}: stands beside json; expected json or protobuf: a number stands in one place`],
    ],
    [
      "a barrier at a path with a hole",
      ["barrier: {json: .a}"],
      [
        `${at(15, "topics[0].barrier.json", 2)}: ".a" is not a path in a JSON value; expected keys with dots between, such as window.end`,
      ],
    ],
    [
      "a barrier at a name in protobuf",
      ["barrier: {protobuf: window.end}"],
      [
        `${at(15, "topics[0].barrier.protobuf", 2)}: "window.end" is not a path in a protobuf value; expected field numbers with dots between, such as 1.3`,
      ],
    ],
  ])("%s", (_what, lines, told) => {
    expect(findings([ENDPOINT, INGRESS + lines.map((line) => `      ${line}\n`).join("")])).toEqual(told);
  });
});

describe("a watermark is refused with", () => {
  const FUNCTIONS = "expected a list of functions in dual mode, not empty";
  test.each<readonly [what: string, text: string, told: readonly string[]]>([
    [
      "no length",
      "{functions: [shop/cart]}",
      [`${at(15, "watermark.every", 2)}: is missing; expected the length of the windows, such as 1s`],
    ],
    [
      "windows of nothing",
      "{every: 0, functions: [shop/cart]}",
      [`${at(15, "watermark.every", 2)}: "0" is out of range; expected a duration of at least 1 ms`],
    ],
    ["no functions", "{every: 1s}", [`${at(15, "watermark.functions", 2)}: is missing; ${FUNCTIONS}`]],
    ["an empty list of functions", "{every: 1s, functions: []}", [`${at(15, "watermark.functions", 2)}: is empty; ${FUNCTIONS}`]],
    [
      "a time nobody knows",
      "{every: 1s, time: arival, functions: [shop/cart]}",
      [
        `${at(15, "watermark.time", 2)}: "arival" is not known here; expected record-timestamp or arrival; did you mean "arrival"?`,
      ],
    ],
    [
      "an idle time of nothing, and a lateness that is none",
      "{every: 1s, idle: 0, lateness: some, functions: [shop/cart]}",
      [
        `${at(15, "watermark.lateness", 2)}: "some" is not a duration; expected a duration such as 500ms, 10s, 1 min (a bare number is milliseconds)`,
        `${at(15, "watermark.idle", 2)}: "0" is out of range; expected a duration of at least 1 ms`,
      ],
    ],
    [
      "a type without a namespace",
      "{every: 1s, typename: end, functions: [shop/cart]}",
      [`${at(15, "watermark.typename", 2)}: "end" is not a typename; expected namespace/name, with one slash`],
    ],
    [
      "a function that no endpoint serves",
      "{every: 1s, functions: [shpo/cart]}",
      [
        `${at(15, "watermark.functions[0]", 2)}: "shpo/cart" is served by no endpoint; expected shop/*; did you mean "shop/cart"?`,
      ],
    ],
    [
      "a pattern",
      "{every: 1s, functions: [shop/*]}",
      [`${at(15, "watermark.functions[0]", 2)}: "shop/*" is not a function; expected namespace/name, with one slash`],
    ],
    [
      "a function in exclusive mode",
      "{every: 1s, functions: [shop/cart, shop/card]}",
      [
        `${at(15, "watermark.functions[1]", 2)}: "shop/card" is not in dual mode, so nothing would end its windows; expected a function that a document of kind io.dirigo.v1/function names with mode: dual: shop/cart; did you mean "shop/cart"?`,
      ],
    ],
    [
      "no map",
      "1s",
      [`${at(15, "watermark", 2)}: "1s" is not a map; expected a map of every, time, lateness, idle, typename, functions`],
    ],
  ])("%s", (_what, text, told) => {
    expect(findings([ENDPOINT, and(INGRESS, `watermark: ${text}`), FUNCTION])).toEqual(told);
  });

  test("other windows than another ingress has for the function", () => {
    const other = INGRESS.replace("shop/orders", "shop/returns").replace("topic: orders", "topic: returns");
    const told = (text: string) =>
      findings([ENDPOINT, and(INGRESS, "watermark: {every: 1s, functions: [shop/cart]}"), and(other, text), FUNCTION]);
    const expected = [
      `${at(26, "watermark.functions[0]", 3)}: "shop/cart" has other windows at module.yaml:15; expected every: 1000 ms and typename: io.dirigo.types/window-end, as there`,
    ];
    expect(told("watermark: {every: 2s, functions: [shop/cart]}")).toEqual(expected);
    expect(told("watermark: {every: 1s, typename: a/b, functions: [shop/cart]}")).toEqual(expected);
  });
});

test.each([
  [
    "a function named twice",
    "{every: 1s, functions: [shop/cart, shop/cart]}",
    [`${at(15, "watermark.functions[1]", 2)}: "shop/cart" is named twice in this watermark; once is enough`],
  ],
  [
    "lateness by arrival",
    "{every: 1s, time: arrival, lateness: 1s, idle: 1s, functions: [shop/cart]}",
    ["lateness", "idle"].map(
      (name) =>
        `${at(15, `watermark.${name}`, 2)}: has no effect with time: arrival: nothing arrives late, and the clock never stands still`,
    ),
  ],
])("a watermark with %s loads with a warning", (_what, text, told) => {
  expect(findings([ENDPOINT, and(INGRESS, `watermark: ${text}`), FUNCTION])).toEqual([]);
  expect(warnings([ENDPOINT, and(INGRESS, `watermark: ${text}`), FUNCTION])).toEqual(told);
});
