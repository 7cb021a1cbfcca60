/** Tables of docs/configuration.md. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const DOCUMENTATION = readFileSync(join(__dirname, "../../../docs/configuration.md"), "utf8");

/** Rows of the tables below a heading, as cells; the first row (the head) and the rule below it are left out. */
export function rows(heading: string): readonly (readonly string[])[] {
  const sections = DOCUMENTATION.split(/^(?=#{2,3} )/m).filter(
    (section) => section.startsWith("#") && section.split("\n")[0]?.replace(/^#+ /, "") === heading,
  );
  if (sections.length !== 1) throw new Error(`docs/configuration.md has ${sections.length} headings "${heading}"; expected one`);
  const lines = (sections[0] ?? "").split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}
