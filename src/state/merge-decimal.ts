/**
 * The numbers of JSON as they are written, to any length: a reader that made doubles of them would take two long ids for one.
 * Grammar (RFC 8259): [ "-" ] digits [ "." digits ] [ ( "e" / "E" ) [ "+" / "-" ] digits ].
 */

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** In normal form already: no fraction, no exponent, and no zero at the end that would become one. */
const PLAIN = /^-?[1-9](?:\d*[1-9])?$/;

/** sign × 0.digits × 10^point. Digits begin and end with another digit than 0; zero has none, and no sign. */
interface Decimal {
  readonly negative: boolean;
  readonly digits: string;
  readonly point: bigint;
}

function decimalOf(text: string): Decimal {
  const [, sign, whole = "", fraction = "", exponent = "0"] = NUMBER.exec(text) ?? [];
  const written = whole + fraction;
  const digits = written.replace(/^0+/, "");
  const leading = written.length - digits.length;
  const significant = withoutZerosAtEnd(digits);
  if (significant === "") return { negative: false, digits: "", point: 0n };
  return { negative: sign === "-", digits: significant, point: BigInt(exponent) + BigInt(whole.length - leading) };
}

/** Not /0+$/: that tries again at every zero it meets, which takes quadratic time. */
function withoutZerosAtEnd(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 0x30) end--;
  return digits.slice(0, end);
}

/** One text for each number, however it is written: 10, 1e1 and 10.0 are the same. */
export function canonicalNumber(text: string): string {
  if (PLAIN.test(text)) return text;
  const { negative, digits, point } = decimalOf(text);
  if (digits === "") return "0";
  const exponent = point - BigInt(digits.length);
  return `${negative ? "-" : ""}${digits}${exponent === 0n ? "" : `e${exponent}`}`;
}

/** < 0: the first is smaller; 0: they are the same number. */
export function compareNumbers(first: string, second: string): number {
  const one = decimalOf(first);
  const other = decimalOf(second);
  const signs = signOf(one) - signOf(other);
  if (signs !== 0) return signs;
  return one.negative ? compareMagnitudes(other, one) : compareMagnitudes(one, other);
}

function signOf({ negative, digits }: Decimal): number {
  if (digits === "") return 0;
  return negative ? -1 : 1;
}

/** Digits stand behind the point, so that they compare as texts do. */
function compareMagnitudes(one: Decimal, other: Decimal): number {
  if (one.point !== other.point) return one.point < other.point ? -1 : 1;
  if (one.digits === other.digits) return 0;
  return one.digits < other.digits ? -1 : 1;
}

/**
 * The same for equal numbers, another for others: a number where a double holds it exactly, for a table of numbers is several times
 * faster than one of texts, and the canonical text where not.
 */
export function numberKey(text: string): number | string {
  if (text.length <= SHORT && isInteger(text)) return Number(text);
  const { negative, digits, point } = decimalOf(text);
  if (point > SHORT || point < digits.length) return canonicalNumber(text);
  return Number(`${negative ? "-" : ""}${digits || 0}`) * 10 ** (Number(point) - digits.length);
}

/** Written without a fraction and without an exponent. */
export function isInteger(text: string): boolean {
  const first = text.charCodeAt(0) === 0x2d ? 1 : 0; // -
  for (let i = first; i < text.length; i++) {
    const letter = text.charCodeAt(i);
    if (letter < 0x30 || letter > 0x39) return false;
  }
  return text.length > first;
}

/** Whole numbers of so few letters are exact as doubles, and so is the sum of two. */
const SHORT = 15;

/** Whole numbers are added exactly, others as doubles; undefined when doubles cannot hold the result. */
export function addNumbers(first: string, second: string): string | undefined {
  if (isInteger(first) && isInteger(second)) {
    const short = first.length <= SHORT && second.length <= SHORT;
    return String(short ? Number(first) + Number(second) : BigInt(first) + BigInt(second));
  }
  const sum = Number(first) + Number(second);
  return Number.isFinite(sum) ? String(sum) : undefined;
}
