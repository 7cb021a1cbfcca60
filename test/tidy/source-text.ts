/** Reads TypeScript just far enough to know what is code, what is text and what is imported. */

export interface Import {
  readonly from: string;
  /** `import type`: gone at run time. */
  readonly typeOnly: boolean;
}

export interface SourceText {
  readonly imports: readonly Import[];
  /** The text with comments and the insides of strings blanked; line numbers stay. */
  readonly code: string;
}

export function readSource(text: string): SourceText {
  const { withStrings, bare } = blank(text);
  return { imports: importsOf(withStrings), code: bare };
}

const IMPORT =
  /\b(?:(?:import|export)\s+(type\b)?(?:[\w\s{},*$]*?\bfrom\s*)?"([^"\n]+)"|import\s*\(\s*"([^"\n]+)"|require\s*\(\s*"([^"\n]+)")/g;

function importsOf(code: string): Import[] {
  return [...code.matchAll(IMPORT)].map(([, type, from, dynamic, required]) => ({
    from: from ?? dynamic ?? required ?? "",
    typeOnly: type !== undefined,
  }));
}

type Place = "code" | "line comment" | "block comment" | "regex" | '"' | "'" | "`";

/** A regular expression begins where a value may: after an operator, an opening bracket or `return`. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%<>~^\n]|\breturn|\btypeof|\bcase)\s*$/;

function blank(text: string): { withStrings: string; bare: string } {
  let withStrings = "";
  let bare = "";
  let place: Place = "code";
  /** Open `${`s: for each the count of braces open inside. */
  const templates: number[] = [];
  const put = (shown: string, isText: boolean) => {
    const gap = shown.replace(/[^\n]/g, " ");
    const isComment = place === "line comment" || place === "block comment";
    withStrings += isComment ? gap : shown;
    bare += isText ? gap : shown;
  };
  for (let index = 0; index < text.length; index++) {
    const char = text.charAt(index);
    const pair = text.slice(index, index + 2);
    if (place === "code") {
      if (pair === "//" || pair === "/*") place = pair === "//" ? "line comment" : "block comment";
      else if (char === "/" && BEFORE_REGEX.test(bare.slice(-80))) place = "regex";
      else if (char === '"' || char === "'" || char === "`") place = char;
      else if (char === "{" && templates.length > 0) templates.push((templates.pop() ?? 0) + 1);
      else if (char === "}" && templates.length > 0) {
        const open = templates.pop() ?? 0;
        if (open === 0) place = "`";
        else templates.push(open - 1);
      }
      put(char, place === "line comment" || place === "block comment");
      continue;
    }
    if (place === "line comment" || place === "block comment") {
      const ends = place === "line comment" ? char === "\n" : pair === "*/";
      put(place === "block comment" && ends ? pair : char, true);
      if (ends && place === "block comment") index += 1;
      if (ends) place = "code";
      continue;
    }
    if (char === "\\") {
      put(pair, true);
      index += 1;
    } else if (place === "`" && pair === "${") {
      put(pair, false);
      index += 1;
      templates.push(0);
      place = "code";
    } else if (place === "regex" && char === "[") {
      const end = Math.max(index, classEnd(text, index));
      put(text.slice(index, end + 1), true);
      index = end;
    } else if (char === (place === "regex" ? "/" : place) || (char === "\n" && place !== "`")) {
      put(char, false);
      place = "code";
    } else put(char, true);
  }
  return { withStrings, bare };
}

/** The `]` that closes a character class of a regular expression. */
function classEnd(text: string, from: number): number {
  for (let index = from + 1; index < text.length && text.charAt(index) !== "\n"; index++) {
    if (text.charAt(index) === "\\") index += 1;
    else if (text.charAt(index) === "]") return index;
  }
  return from;
}
