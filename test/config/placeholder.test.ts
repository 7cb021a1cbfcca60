// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders are what is tested here.
import { expand } from "../../src/config/placeholder";
import { ENDPOINT, findings, INGRESS, valid } from "./module-text";

const environment = { HOST: "kafka", PORT: "9092", EMPTY: "" };

test.each([
  ["plain", "plain"],
  ["${HOST}:${PORT}", "kafka:9092"],
  ["${HOST:-other}", "kafka"],
  ["${NONE:-localhost:9092}", "localhost:9092"],
  ["${NONE:-}", ""],
  ["${EMPTY}", ""],
  ["${EMPTY:-full}", "full"],
  ["$${HOST}", "${HOST}"],
  ["$HOST {function.name}", "$HOST {function.name}"],
])("%j becomes %j", (source, text) => {
  expect(expand(source, environment)).toMatchObject({ text, missing: [], malformed: undefined });
});

test("a variable that is not set and has no default is missing", () => {
  expect(expand("${A}-${B:-b}-${C}", {})).toMatchObject({ text: "-b-", missing: ["A", "C"] });
});

test.each(["${}", "${1A}", "${A:-${B}}", "${A", "${A-b}"])("%j is no placeholder", (source) => {
  expect(expand(source, environment).malformed).toBeDefined();
});

test("a text that is one placeholder of an unset variable names it, whether it has a default or not", () => {
  expect(expand("${A:-x:1}", {}).unset).toBe("A");
  expect(expand("${A}", {}).unset).toBe("A");
  expect(expand("${A:-x}:1", {}).unset).toBeUndefined();
  expect(expand("${HOST}", environment).unset).toBeUndefined();
});

test("placeholders work in every scalar: texts, numbers, list items and keys", () => {
  const { module } = valid(
    [
      `${ENDPOINT.replace("shop/*", "${NS}/*")}  maxNumBatchRequests: \${BATCH:-7}\n`,
      `${INGRESS.replace("[shop/cart]", "['${NS}/cart']").replace("topic: orders", 'topic: "${TOPIC}"')}  startupPosition:
    type: \${START}
    offsets:
      - \${TOPIC}/0: \${OFFSET}
`,
    ],
    { NS: "shop", TOPIC: "orders", START: "specific-offsets", OFFSET: "12" },
  );
  expect(module.endpoints[0]).toMatchObject({ id: "shop/*", maxNumBatchRequests: 7 });
  expect(module.sources[0]).toMatchObject({
    topic: "orders",
    targets: ["shop/cart"],
    startup: { kind: "specific-offsets", offsets: { "orders/0": 12 } },
  });
});

test("a missing variable and a malformed placeholder are findings", () => {
  expect(findings([ENDPOINT, INGRESS.replace("kafka:9092", "${KAFKA}:9092").replace("shop/order\n", "${A-b}\n")])).toEqual([
    'module.yaml:9: document 2, spec.address: "${KAFKA}:9092" uses the environment variable KAFKA, which is not set; expected the variable, or a default: ${KAFKA:-…}',
    'module.yaml:13: document 2, spec.topics[0].valueType: "${A-b}" holds ${A-b}, which is no placeholder; expected ${NAME} or ${NAME:-default}, without another placeholder inside; $${ for a plain ${',
  ]);
});
