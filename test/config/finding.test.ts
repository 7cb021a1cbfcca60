import { editDistance, findingText, nearest } from "../../src/config/finding";

test("a finding says file, line, document, path, value, problem, what was expected and the nearest name", () => {
  expect(
    findingText({
      file: "m.yaml",
      line: 7,
      document: 2,
      path: "spec.a[0]",
      value: "x",
      problem: "is wrong",
      expected: "y",
      nearest: "z",
    }),
  ).toBe('m.yaml:7: document 2, spec.a[0]: "x" is wrong; expected y; did you mean "z"?');
  expect(findingText({ file: "m.yaml", problem: "cannot be read" })).toBe("m.yaml: cannot be read");
});

test("a long value is cut, and a line break in it does not break the line of the finding", () => {
  const text = findingText({ file: "m.yaml", value: `a\n${"b".repeat(200)}`, problem: "is wrong" });
  expect(text).toBe(`m.yaml: "a\\n${"b".repeat(78)}…" is wrong`);
});

test.each([
  ["", "abc", 3],
  ["abc", "abc", 0],
  ["abc", "acb", 1],
  ["consumerGroupID", "consumerGroupId", 1],
  ["kitten", "sitting", 3],
])("from %j to %j it takes %d edits", (left, right, distance) => {
  expect(editDistance(left, right)).toBe(distance);
  expect(editDistance(right, left)).toBe(distance);
});

test("the nearest name differs in a third of the letters at most", () => {
  expect(nearest("consumerGroup", ["consumerGroupId", "topics"])).toBe("consumerGroupId");
  expect(nearest("TOPICS", ["consumerGroupId", "topics"])).toBe("topics");
  expect(nearest("colour", ["consumerGroupId", "topics"])).toBeUndefined();
});
