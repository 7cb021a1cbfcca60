/**
 * docs/EVALUATION.md: its text is written by hand and kept; what stands between `<!-- begin NAME -->` and `<!-- end NAME -->` is made anew from the
 * results. Plots go beside the results.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadResults, Table } from "./results";
import { SECTIONS } from "./sections";
import { type Plot, plotSvg } from "./svg";

/** What one experiment contributes: blocks of Markdown by name, and plots by file name. */
export interface Section {
  readonly blocks: Readonly<Record<string, string>>;
  readonly plots: Readonly<Record<string, Plot>>;
}

export function writeReport(path: string, folder: string): void {
  let text = readFileSync(path, "utf8");
  for (const [experiment, sectionOf] of Object.entries(SECTIONS)) {
    const results = loadResults(folder, experiment);
    if (!results) continue;
    const { blocks, plots } = sectionOf(new Table(results));
    for (const [name, block] of Object.entries(blocks)) text = replaceBlock(text, `${experiment} ${name}`, block);
    for (const [name, plot] of Object.entries(plots)) writeFileSync(join(folder, `${name}.svg`), plotSvg(plot));
  }
  writeFileSync(path, text);
  console.log(`written to ${path}`);
}

/** A block that the text has no place for is an error: it would be lost. */
export function replaceBlock(text: string, name: string, block: string): string {
  const begin = `<!-- begin ${name} -->`;
  const end = `<!-- end ${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the report has no place for "${name}": ${begin} … ${end}`);
  return `${text.slice(0, from + begin.length)}\n${block.trim()}\n${text.slice(to)}`;
}
