/**
 * JSON arrays as sets and objects as maps, fast: elements are hashed by content while the text is walked, and nothing is cut out of it but
 * what changes. Equal elements have equal hashes however they are written; whether equal hashes are equal elements is asked of who knows.
 *
 * What is not usual (texts that are no JSON, members named twice, very many equal hashes) is no affair of this file: it gives no result,
 * and the slower way finds out what is the matter.
 */

import { endOfValue, textOf } from "./merge-json-text";

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Not an element of the grammar above, or not a usual one. Hashes are never negative. */
const UNUSUAL = -1;
/** There is none. */
const NONE = -2;
/** Elements that one may be nested in: far above what states have, far below what the stack holds. */
const DEPTH_MAX = 100;
/** Members of an object of which each is compared with all before it, lest one is named twice. */
const MEMBERS_MAX = 32;
/** Letters of a number whose digits add up to a whole double without rounding. */
const EXACT_LETTERS = 15;
/** A good hash puts two or three elements in a row; more than this are somebody's ill will. */
const PROBES_MAX = 256;
/** Hashes are small integers: V8 keeps them without a box. */
const HASH_BITS = 0x3fffffff;

export type SameContent = (one: string, other: string) => boolean;
/** The key is for who has to name it. */
export type MergeMember = (key: () => string, base: string, part: string) => string;

/** The base's elements as they are, then those that only the part has, once each. `undefined`: this is not the way to find out. */
export function unionOf(base: string, part: string, same: SameContent): string | undefined {
  const added = new Entries(part);
  if (!eachElement(part, (start, end, hash) => added.push(start, end, end, end, hash))) return undefined;
  const table = new Table(added, same);
  for (let i = 0; i < added.length; i++) {
    const found = table.place(i);
    if (found === UNUSUAL) return undefined;
    if (found !== i) added.drop(i); // The same once more.
  }
  let first = -1;
  let last = -1;
  let usual = true;
  const walked = eachElement(base, (start, end, hash) => {
    if (first < 0) first = start;
    last = end;
    const found = table.find(base, start, end, hash);
    if (found >= 0)
      added.drop(found); // The base has it.
    else if (found === UNUSUAL) usual = false;
  });
  if (!walked || !usual) return undefined;
  const news = added.rest();
  if (news === "") return base;
  return first < 0 ? `[${news}]` : `[${base.slice(first, last)},${news}]`;
}

/** The base's members, merged where the part has them, then those that only the part has. `undefined`: this is not the way to find out. */
export function mergedMembers(base: string, part: string, same: SameContent, merge: MergeMember): string | undefined {
  const known = membersIn(base, same);
  const added = known && membersIn(part, same);
  if (!known || !added) return undefined;
  const { entries } = added;
  const partners = new Int32Array(known.entries.length).fill(NONE);
  for (let i = 0; i < entries.length; i++) {
    const found = known.table.find(part, entries.start(i), entries.end(i), entries.hash(i));
    if (found === UNUSUAL) return undefined;
    if (found === NONE) continue;
    partners[found] = i;
  }
  let merged = "";
  const { length } = known.entries;
  let at = 0;
  const key = () => textOf(known.entries.text(at));
  let from = length === 0 ? 0 : known.entries.start(0);
  for (let i = 0; i < length; i++) {
    const partner = partners[i] as number;
    if (partner === NONE) continue;
    at = i;
    merged += base.slice(from, known.entries.value(i)) + merge(key, known.entries.valueText(i), entries.valueText(partner));
    from = known.entries.stop(i);
    entries.drop(partner);
  }
  if (length > 0) merged += base.slice(from, known.entries.stop(length - 1));
  const news = entries.rest();
  return `{${merged}${length > 0 && news !== "" ? "," : ""}${news}}`;
}

/** The members of an object by the hashes of their keys; undefined: unusual, or a key is there twice. */
function membersIn(text: string, same: SameContent): { readonly entries: Entries; readonly table: Table } | undefined {
  const entries = new Entries(text);
  if (!eachMember(text, entries)) return undefined;
  const table = new Table(entries, same);
  for (let i = 0; i < entries.length; i++) if (table.place(i) !== i) return undefined;
  return { entries, table };
}

const FIELDS = 5;

/** Elements, or members with their keys, where they stand in the text. */
class Entries {
  /** Per entry: start, end of what it is known by, start of its value, end, hash; a hash of UNUSUAL: it is dropped. */
  #fields = new Int32Array(FIELDS * 8);
  length = 0;
  constructor(readonly whole: string) {}

  push(start: number, end: number, value: number, stop: number, hash: number): void {
    const at = FIELDS * this.length++;
    if (at === this.#fields.length) {
      const fields = new Int32Array(4 * at);
      fields.set(this.#fields);
      this.#fields = fields;
    }
    const fields = this.#fields;
    fields[at] = start;
    fields[at + 1] = end;
    fields[at + 2] = value;
    fields[at + 3] = stop;
    fields[at + 4] = hash;
  }

  start(entry: number): number {
    return this.#fields[FIELDS * entry] as number;
  }

  end(entry: number): number {
    return this.#fields[FIELDS * entry + 1] as number;
  }

  value(entry: number): number {
    return this.#fields[FIELDS * entry + 2] as number;
  }

  stop(entry: number): number {
    return this.#fields[FIELDS * entry + 3] as number;
  }

  hash(entry: number): number {
    return this.#fields[FIELDS * entry + 4] as number;
  }

  drop(entry: number): void {
    this.#fields[FIELDS * entry + 4] = UNUSUAL;
  }

  text(entry: number): string {
    return this.whole.slice(this.start(entry), this.end(entry));
  }

  valueText(entry: number): string {
    return this.whole.slice(this.value(entry), this.stop(entry));
  }

  /** Known by the same letters. */
  alike(entry: number, text: string, start: number, end: number): boolean {
    const from = this.start(entry);
    const length = end - start;
    if (this.end(entry) - from !== length) return false;
    const { whole } = this;
    for (let i = 0; i < length; i++) if (whole.charCodeAt(from + i) !== text.charCodeAt(start + i)) return false;
    return true;
  }

  /** What is not dropped, as it is written; neighbours in the text are copied together. */
  rest(): string {
    const runs: string[] = [];
    let from = NONE;
    let to = NONE;
    for (let i = 0; i < this.length; i++) {
      if (this.hash(i) === UNUSUAL) continue;
      const start = this.start(i);
      if (from === NONE) from = start;
      else if (start !== to + 1) {
        runs.push(this.whole.slice(from, to));
        from = start;
      }
      to = this.stop(i);
    }
    if (from !== NONE) runs.push(this.whole.slice(from, to));
    return runs.join(",");
  }
}

/** Entries by their hashes, with open addressing. */
class Table {
  /** Per slot: entry + 1, its hash; side by side, for a large table is never in the processor's cache. */
  readonly #slots: Int32Array;
  readonly #mask: number;

  constructor(
    private readonly entries: Entries,
    private readonly same: SameContent,
  ) {
    let size = 4;
    while (size < 2 * entries.length) size *= 2;
    this.#slots = new Int32Array(2 * size);
    this.#mask = size - 1;
  }

  /** The first entry with this one's content: itself when there was none before; or UNUSUAL. */
  place(entry: number): number {
    const { entries } = this;
    const slot = this.#slotOf(entries.whole, entries.start(entry), entries.end(entry), entries.hash(entry));
    if (slot === UNUSUAL) return UNUSUAL;
    const found = this.#slots[2 * slot] as number;
    if (found > 0) return found - 1;
    this.#slots[2 * slot] = entry + 1;
    this.#slots[2 * slot + 1] = entries.hash(entry);
    return entry;
  }

  /** The entry with the content of this piece of a text, NONE or UNUSUAL. */
  find(text: string, start: number, end: number, hash: number): number {
    const slot = this.#slotOf(text, start, end, hash);
    if (slot === UNUSUAL) return UNUSUAL;
    const found = this.#slots[2 * slot] as number;
    return found > 0 ? found - 1 : NONE;
  }

  #slotOf(text: string, start: number, end: number, hash: number): number {
    let slot = hash & this.#mask;
    for (let probes = 0; probes < PROBES_MAX; probes++) {
      const entry = (this.#slots[2 * slot] as number) - 1;
      if (entry < 0) return slot;
      if (this.#slots[2 * slot + 1] === hash && this.#equal(entry, text, start, end)) return slot;
      slot = (slot + 1) & this.#mask;
    }
    return UNUSUAL;
  }

  #equal(entry: number, text: string, start: number, end: number): boolean {
    return this.entries.alike(entry, text, start, end) || this.same(this.entries.text(entry), text.slice(start, end));
  }
}

type TakeElement = (start: number, end: number, hash: number) => void;

/** False: the trimmed text is no usual array. */
function eachElement(text: string, take: TakeElement): boolean {
  const walk = new Walk(text);
  if (!walk.open(OPEN_LIST)) return false;
  if (walk.close(CLOSE_LIST)) return walk.atEnd;
  for (;;) {
    const start = walk.at;
    const hash = walk.value(0);
    if (hash === UNUSUAL) return false;
    take(start, walk.at, hash);
    walk.space();
    if (walk.close(CLOSE_LIST)) return walk.atEnd;
    if (!walk.open(COMMA)) return false;
  }
}

/** False: the trimmed text is no usual object. Throws ProtocolError when a value is no JSON. */
function eachMember(text: string, entries: Entries): boolean {
  const walk = new Walk(text);
  if (!walk.open(OPEN_OBJECT)) return false;
  if (walk.close(CLOSE_OBJECT)) return walk.atEnd;
  for (;;) {
    const start = walk.at;
    const hash = walk.key();
    const end = walk.at;
    walk.space();
    if (hash === UNUSUAL || !walk.open(COLON)) return false;
    const value = walk.at;
    walk.at = endOfValue(text, value, 1);
    entries.push(start, end, value, walk.at, hash);
    walk.space();
    if (walk.close(CLOSE_OBJECT)) return walk.atEnd;
    if (!walk.open(COMMA)) return false;
  }
}

const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

/** Equal numbers are equal doubles, however they are written; not the other way round. */
function hashOfNumber(value: number): number {
  double[0] = value + 0; // -0 is 0.
  return mixed(Math.imul(halves[0] as number, 0x9e3779b1) ^ (halves[1] as number));
}

function hashOfText(text: string): number {
  let hash = QUOTE;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixed(hash);
}

/** All bits have a say in the lowest ones, by which elements are placed. */
function mixed(hash: number): number {
  let bits = hash ^ (hash >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) & HASH_BITS;
}

/** Goes over a text once, and gives each value the hash of its content. */
class Walk {
  at = 0;
  constructor(private readonly text: string) {}

  get atEnd(): boolean {
    return this.at === this.text.length;
  }

  space(): void {
    for (;;) {
      const letter = this.text.charCodeAt(this.at);
      if (letter !== 0x20 && letter !== 0x0a && letter !== 0x0d && letter !== 0x09) return;
      this.at++;
    }
  }

  /** Goes over this letter and the white space behind it. */
  open(letter: number): boolean {
    if (this.text.charCodeAt(this.at) !== letter) return false;
    this.at++;
    this.space();
    return true;
  }

  close(letter: number): boolean {
    if (this.text.charCodeAt(this.at) !== letter) return false;
    this.at++;
    return true;
  }

  key(): number {
    return this.text.charCodeAt(this.at) === QUOTE ? this.#string() : UNUSUAL;
  }

  value(depth: number): number {
    switch (this.text.charCodeAt(this.at)) {
      case QUOTE:
        return this.#string();
      case OPEN_LIST:
        return this.#array(depth);
      case OPEN_OBJECT:
        return this.#object(depth);
      case 0x74:
        return this.#word("true", 1);
      case 0x66:
        return this.#word("false", 2);
      case 0x6e:
        return this.#word("null", 3);
      default:
        return this.#number();
    }
  }

  #word(word: string, hash: number): number {
    if (!this.text.startsWith(word, this.at)) return UNUSUAL;
    this.at += word.length;
    return hash;
  }

  #string(): number {
    const { text } = this;
    let hash = QUOTE;
    for (let at = this.at + 1; ; at++) {
      const letter = text.charCodeAt(at);
      if (letter === QUOTE) {
        this.at = at + 1;
        return mixed(hash);
      }
      if (letter === BACKSLASH) return this.#escaped();
      if (!(letter >= 0x20)) return UNUSUAL; // A control character, or NaN: no letter at all.
      hash = Math.imul(hash ^ letter, 0x01000193);
    }
  }

  #escaped(): number {
    const { text, at } = this;
    let end = at + 1;
    while (end < text.length && text.charCodeAt(end) !== QUOTE) end += text.charCodeAt(end) === BACKSLASH ? 2 : 1;
    try {
      const said: string = JSON.parse(text.slice(at, end + 1));
      this.at = end + 1;
      return hashOfText(said);
    } catch {
      return UNUSUAL;
    }
  }

  #number(): number {
    const { text, at } = this;
    const negative = text.charCodeAt(at) === MINUS;
    const first = negative ? at + 1 : at;
    let end = first;
    let value = 0;
    for (let digit = text.charCodeAt(end) - ZERO; digit >= 0 && digit <= 9; digit = text.charCodeAt(end) - ZERO) {
      value = value * 10 + digit;
      end++;
    }
    if (end === first || (end > first + 1 && text.charCodeAt(first) === ZERO)) return UNUSUAL;
    const letter = text.charCodeAt(end);
    if (letter === POINT || (letter | 0x20) === 0x65 || end - first > EXACT_LETTERS) return this.#anyNumber();
    this.at = end;
    return hashOfNumber(negative ? -value : value);
  }

  #anyNumber(): number {
    NUMBER.lastIndex = this.at;
    const [written] = NUMBER.exec(this.text) ?? [];
    if (written === undefined) return UNUSUAL;
    this.at += written.length;
    return hashOfNumber(Number(written));
  }

  #array(depth: number): number {
    let hash = OPEN_LIST;
    if (depth > DEPTH_MAX || !this.open(OPEN_LIST)) return UNUSUAL;
    if (this.close(CLOSE_LIST)) return mixed(hash);
    for (;;) {
      const element = this.value(depth + 1);
      if (element === UNUSUAL) return UNUSUAL;
      hash = Math.imul(hash, PLUS) + element;
      this.space();
      if (this.close(CLOSE_LIST)) return mixed(hash);
      if (!this.open(COMMA)) return UNUSUAL;
    }
  }

  /** The order of members is of no account. */
  #object(depth: number): number {
    let hash = OPEN_OBJECT;
    if (depth > DEPTH_MAX || !this.open(OPEN_OBJECT)) return UNUSUAL;
    if (this.close(CLOSE_OBJECT)) return mixed(hash);
    const keys: number[] = [];
    for (;;) {
      const key = this.key();
      if (key === UNUSUAL || keys.length === MEMBERS_MAX || keys.includes(key)) return UNUSUAL;
      keys.push(key);
      this.space();
      const value = this.open(COLON) ? this.value(depth + 1) : UNUSUAL;
      if (value === UNUSUAL) return UNUSUAL;
      hash = (hash + mixed(Math.imul(key, 0x9e3779b1) ^ value)) | 0;
      this.space();
      if (this.close(CLOSE_OBJECT)) return mixed(hash);
      if (!this.open(COMMA)) return UNUSUAL;
    }
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
