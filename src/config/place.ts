/**
 * Reading a YAML document with its places kept: every value knows its file, document, line and path, so that a fault can be
 * told where it stands. A reader that finds a fault tells it and answers undefined; its caller goes on with the rest, so one
 * run tells all faults.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node } from "yaml";
import { type Finding, nearest, type Report } from "./finding";
import { type Environment, type Expansion, expand } from "./placeholder";
import { parseDuration, parseNumber, parseSize, parseWhole } from "./quantity";
import type { Shape } from "./vocabulary";

/** A file that a configuration names. */
export interface Located {
  /** Absolute. */
  readonly path: string;
  /** Why it cannot be read; undefined when it can. */
  readonly problem: string | undefined;
}

/** What all places of one document share. */
export interface Sheet {
  readonly file: string;
  /** From 1. */
  readonly document: number;
  readonly parsed: Document;
  readonly lines: LineCounter;
  readonly environment: Environment;
  readonly report: Report;
  /** Looks for a file by its path as written, from the folder of this one; undefined when this one is not on a disk. */
  readonly locate: ((path: string) => Located) | undefined;
}

/** What a finding says beyond the place. */
export type Fault = Pick<Finding, "expected" | "nearest" | "value">;

export interface Range {
  readonly min: number;
  readonly max?: number;
}

export class Place {
  readonly #node: Node | undefined;
  #expansion: Expansion | undefined;
  #told = false;

  constructor(
    readonly sheet: Sheet,
    readonly path: string,
    node: unknown,
    /** What it stands in: the line of something that is not there is the line of its parent. */
    readonly parent?: Place,
    /** Its value must not be shown. */
    readonly secret = false,
  ) {
    const resolved = isAlias(node) ? node.resolve(sheet.parsed) : node;
    this.#node = (resolved ?? undefined) as Node | undefined;
  }

  get absent(): boolean {
    return this.#node === undefined || (isScalar(this.#node) && this.#node.value === null);
  }

  get isList(): boolean {
    return isSeq(this.#node);
  }

  get isMap(): boolean {
    return isMap(this.#node);
  }

  /** A list or a map without anything in it. */
  get empty(): boolean {
    return (isSeq(this.#node) || isMap(this.#node)) && this.#node.items.length === 0;
  }

  get line(): number {
    const offset = this.#node?.range?.[0];
    if (offset === undefined && this.parent !== undefined) return this.parent.line;
    return this.sheet.lines.linePos(offset ?? 0).line;
  }

  /** `module.yaml:7` */
  get position(): string {
    return `${this.sheet.file}:${this.line}`;
  }

  hide(): Place {
    return new Place(this.sheet, this.path, this.#node, this.parent, true);
  }

  fail(problem: string, fault: Fault = {}): undefined {
    this.sheet.report.findings.push(this.#finding(problem, fault));
    return undefined;
  }

  warn(problem: string, fault: Fault = {}): void {
    this.sheet.report.warnings.push(this.#finding(problem, fault));
  }

  /** The scalar's text with its placeholders replaced. */
  text(expected = "text"): string | undefined {
    if (this.absent) return this.fail("is missing", { expected });
    const expansion = this.expansion();
    if (expansion === undefined) return this.#tell(this.isList ? "is a list" : "is a map", { expected });
    const value = this.#source();
    if (expansion.malformed !== undefined) {
      return this.#tell(`holds ${expansion.malformed}, which is no placeholder`, {
        value,
        expected: `\${NAME} or \${NAME:-default}, without another placeholder inside; $\${ for a plain \${`,
      });
    }
    const [missing] = expansion.missing;
    if (missing === undefined) return expansion.text;
    return this.#tell(`uses the environment variable ${missing}, which is not set`, {
      value,
      expected: `the variable, or a default: \${${missing}:-…}`,
    });
  }

  /** Undefined when this is no scalar. */
  expansion(): Expansion | undefined {
    const source = this.#source();
    if (source !== undefined) this.#expansion ??= expand(source, this.sheet.environment);
    return this.#expansion;
  }

  filled(expected = "text that is not empty"): string | undefined {
    const text = this.text(expected);
    return text?.trim() === "" ? this.fail("is empty", { expected }) : text;
  }

  parsed<Value>(parse: (text: string) => Value | undefined, noun: string, expected: string): Value | undefined {
    const text = this.text(expected);
    if (text === undefined) return undefined;
    return parse(text) ?? this.#wrong(text, `is not ${noun}`, { expected });
  }

  whole(range?: Range): number | undefined {
    return this.#within(this.parsed(parseWhole, "a whole number", "a whole number"), range, "a whole number", "");
  }

  /** A number that need not be whole; `expected` says which ones `accepts` takes. */
  number(accepts: (value: number) => boolean, noun: string, expected: string): number | undefined {
    const parse = (text: string) => {
      const value = parseNumber(text);
      return value !== undefined && accepts(value) ? value : undefined;
    };
    return this.parsed(parse, noun, expected);
  }

  size(range: Range): number | undefined {
    const expected = "a number of bytes such as 4194304 or 4 MiB";
    return this.#within(this.parsed(parseSize, "a size", expected), range, "a number of bytes", "");
  }

  durationMs(range: Range): number | undefined {
    const expected = "a duration such as 500ms, 10s, 1 min (a bare number is milliseconds)";
    return this.#within(this.parsed(parseDuration, "a duration", expected), range, "a duration", " ms");
  }

  /** One of some names; letter case counts unless `lower`. */
  choice<Name extends string>(names: readonly Name[], lower = false): Name | undefined {
    const expected = names.join(", ").replace(/, ([^,]*)$/, " or $1");
    const text = this.text(expected);
    if (text === undefined) return undefined;
    const asked = lower ? text.toLowerCase() : text;
    const found = names.find((name) => name === asked);
    return found ?? this.#wrong(text, "is not known here", { expected, nearest: nearest(text, names) });
  }

  typename(noun: string): string | undefined {
    const expected = "namespace/name, with one slash";
    return this.parsed((text) => (/^[^/\s*]+\/[^/\s*]+$/.test(text) ? text : undefined), noun, expected);
  }

  items(expected: string): readonly Place[] | undefined {
    if (this.absent) return this.fail("is missing", { expected });
    if (!isSeq(this.#node)) return this.#wrong(this.expansion()?.text, "is not a list", { expected });
    return this.#node.items.map((item, index) => new Place(this.sheet, `${this.path}[${index}]`, item, this));
  }

  /** A list of single-pair maps, as StateFun wants it, or simply a map. */
  pairs(expected: string): readonly { readonly key: string; readonly value: Place }[] | undefined {
    if (isMap(this.#node)) return this.#entries();
    const items = this.items(expected);
    return items?.flatMap((item) => {
      if (isMap(item.#node)) return item.#entries();
      item.#wrong(item.expansion()?.text, "is not a pair", { expected });
      return [];
    });
  }

  /** What a map holds whose keys are not ours. */
  entries(expected: string): readonly { readonly key: string; readonly value: Place }[] | undefined {
    return isMap(this.#node) ? this.#entries() : this.#wrong(this.expansion()?.text, "is not a map", { expected });
  }

  /** The options of a map; undefined when this is none. */
  fields<Name extends string>(shape: Shape<Name>): Fields<Name> | undefined {
    const expected = `a map of ${shape.names.join(", ")}`;
    if (this.absent) return this.fail("is missing", { expected });
    if (!isMap(this.#node)) return this.#wrong(this.expansion()?.text, "is not a map", { expected });
    return new Fields(this, shape, this.#entries());
  }

  /** The value as a user's own code gets it: maps, lists, and scalars of the type YAML gives them. */
  plain(): unknown {
    const node = this.#node;
    for (let outer = this.parent; outer !== undefined; outer = outer.parent) {
      if (node !== undefined && outer.#node === node) return this.fail("holds itself", { expected: "a value that ends" });
    }
    if (isMap(node)) return Object.fromEntries(this.#entries().map(({ key, value }) => [key, value.plain()]));
    if (isSeq(node)) return this.items("a list")?.map((item) => item.plain());
    if (!isScalar(node) || node.value === null) return null;
    const text = this.text();
    if (typeof node.value !== "string" || text === undefined) return node.value;
    // What a placeholder stands for has the type it would have if it were written there.
    return text === this.#source() || node.type !== "PLAIN" ? text : typed(text);
  }

  /** The value of one key, whatever else this holds; for telling what a document is before reading it. */
  peek(name: string): Place | undefined {
    return this.#entries().find((entry) => entry.key === name)?.value;
  }

  child(name: string, node: unknown): Place {
    return new Place(this.sheet, this.path === "" ? name : `${this.path}.${name}`, node, this);
  }

  /** The scalar as it is written, without quotes. */
  #source(): string | undefined {
    return isScalar(this.#node) && this.#node.value !== null ? (this.#node.source ?? String(this.#node.value)) : undefined;
  }

  #entries(): { key: string; value: Place }[] {
    if (!isMap(this.#node)) return [];
    return this.#node.items.map((pair) => {
      const key = isScalar(pair.key) ? expand(pair.key.source ?? String(pair.key.value), this.sheet.environment).text : "?";
      return { key, value: this.child(key, pair.value) };
    });
  }

  #within(value: number | undefined, range: Range | undefined, noun: string, unit: string): number | undefined {
    if (value === undefined || range === undefined) return value;
    if (value >= range.min && value <= (range.max ?? Number.MAX_SAFE_INTEGER)) return value;
    const { min, max } = range;
    const expected = `${noun} ${max === undefined ? `of at least ${min}${unit}` : `from ${min}${unit} to ${max}${unit}`}`;
    return this.#wrong(this.expansion()?.text, "is out of range", { expected });
  }

  #wrong(value: string | undefined, problem: string, fault: Fault): undefined {
    return this.fail(problem, value === undefined ? fault : { value, ...fault });
  }

  /** What is wrong with the text itself is told once, however many readers ask for it. */
  #tell(problem: string, fault: Fault): undefined {
    if (!this.#told) this.fail(problem, fault);
    this.#told = true;
    return undefined;
  }

  #finding(problem: string, fault: Fault): Finding {
    const { value, ...rest } = fault;
    const given = Object.fromEntries(Object.entries(rest).filter(([, text]) => text !== undefined));
    const shown = value === undefined || this.secret ? {} : { value };
    const { file, document } = this.sheet;
    return { file, line: this.line, document, path: this.path, problem, ...shown, ...given };
  }
}

function typed(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return parseNumber(text) ?? text;
}

/** The options of one map: unknown and repeated names are told when it is opened. */
export class Fields<Name extends string> {
  readonly #places = new Map<string, Place>();

  constructor(
    readonly place: Place,
    shape: Shape<Name>,
    entries: readonly { readonly key: string; readonly value: Place }[],
  ) {
    for (const { key, value } of entries) {
      if (!(shape.names as readonly string[]).includes(key)) {
        value.warn("is an option nobody knows here; it has no effect", { nearest: nearest(key, shape.names) });
      } else {
        if (this.#places.has(key)) value.warn("is given twice; this, the later one, counts");
        this.#places.set(key, value);
      }
    }
  }

  /** Undefined when the option is not given, or given without a value. */
  take(name: Name): Place | undefined {
    const place = this.#places.get(name);
    return place === undefined || place.absent ? undefined : place;
  }

  need(name: Name, expected: string): Place | undefined {
    const place = this.take(name);
    if (place === undefined) this.at(name).fail("is missing", { expected });
    return place;
  }

  /** The option's place, also when it is not given. */
  at(name: Name): Place {
    return this.#places.get(name) ?? this.place.child(name, undefined);
  }
}
