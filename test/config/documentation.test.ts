/** docs/configuration.md names every option the code knows, and none that it does not. */
import { POLICY_PARAMS } from "../../src/config/application";
import { MAPPED_PROPERTIES, UNMAPPED_PROPERTIES } from "../../src/config/client-properties";
import { flagOf, OPTIONS, standardText, variableOf } from "../../src/config/option-table";
import { REFUSED_KINDS, SHAPES } from "../../src/config/vocabulary";
import { DOCUMENTATION, rows } from "./documentation";

function names(heading: string): readonly string[] {
  return rows(heading)
    .map(([name = ""]) => name.replaceAll("`", ""))
    .sort();
}

const sections = [...new Set(Object.values(SHAPES).map(({ section }) => section))];

test.each(sections)("%s: the table has exactly the options the code reads", (section) => {
  const known = Object.values(SHAPES).flatMap((shape) =>
    shape.section === section ? shape.names.map((name) => shape.prefix + name) : [],
  );
  expect(names(section.includes("/") ? `\`${section}\`` : section)).toEqual([...known].sort());
});

test("Kafka properties: the tables have exactly those that are mapped, and those with a reason why not", () => {
  expect(names("Kafka properties with a meaning")).toEqual(Object.keys(MAPPED_PROPERTIES).sort());
  expect(names("Kafka properties without a meaning")).toEqual(Object.keys(UNMAPPED_PROPERTIES).sort());
});

test("policies: the table has exactly those the code knows, with their params", () => {
  const documented = rows("Policies").map(([policy, , params]) => [policy, params]);
  const known = Object.entries(POLICY_PARAMS).map(([policy, params]) => [
    `\`${policy}\``,
    params.map((name) => `\`${name}\``).join(", "),
  ]);
  expect(documented).toEqual(known);
});

test("router options: flag, variable, default and meaning are those of the table in the code", () => {
  const documented = rows("Options of the router").map((cells) => cells.join(" | "));
  const known = OPTIONS.map((row) => {
    const variables = [variableOf(row), ...(row.alsoVariable === undefined ? [] : [row.alsoVariable])];
    const standard = row.standard === undefined ? standardText(row) : `\`${row.standard}\``;
    return `\`${flagOf(row)}\` | ${variables.map((name) => `\`${name}\``).join(", ")} | ${standard} | ${row.meaning}`;
  });
  expect(documented).toEqual(known);
});

test("refused kinds are named", () => {
  for (const kind of Object.keys(REFUSED_KINDS)) expect(DOCUMENTATION).toContain(`\`${kind}\``);
});
