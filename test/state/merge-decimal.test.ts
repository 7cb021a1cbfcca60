import fc from "fast-check";
import { addNumbers, canonicalNumber, compareNumbers, isInteger, numberKey } from "../../src/state/merge-decimal";

/** A number written in one of many ways, with its value as a fraction of powers of ten: n × 10^-places. */
const written = fc
  .tuple(
    fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }),
    fc.nat(30),
    fc.integer({ min: -12, max: 12 }),
    fc.constantFrom("e", "E"),
  )
  .map(([n, places, shift, e]) => {
    const digits = (n < 0n ? -n : n).toString().padStart(places + 1, "0");
    const whole = digits.slice(0, digits.length - places);
    const fraction = digits.slice(digits.length - places);
    const exponent = shift === 0 ? "" : `${e}${shift > 0 && places % 2 ? "+" : ""}${shift}`;
    return { text: `${n < 0n ? "-" : ""}${whole}${fraction && `.${fraction}`}${exponent}`, n, places: places - shift };
  });

const scale = 60;
function exact({ n, places }: { n: bigint; places: number }): bigint {
  return n * 10n ** BigInt(scale - places);
}

test("every way to write a number compares by value", () => {
  fc.assert(
    fc.property(written, written, (one, other) => {
      const difference = exact(one) - exact(other);
      expect(Math.sign(compareNumbers(one.text, other.text))).toBe(difference < 0n ? -1 : Number(difference > 0n));
    }),
  );
});

test("numbers have one canonical text exactly when they are equal", () => {
  fc.assert(
    fc.property(written, fc.integer({ min: -40, max: 40 }), (one, shift) => {
      const again = `${one.text.replace(/[eE].*/, "")}e${-one.places + placesIn(one.text) + shift}`;
      expect(canonicalNumber(one.text) === canonicalNumber(again)).toBe(shift === 0 || one.n === 0n);
      expect(numberKey(one.text) === numberKey(again)).toBe(shift === 0 || one.n === 0n);
      expect(compareNumbers(canonicalNumber(one.text), one.text)).toBe(0);
    }),
  );
});

/** Digits behind the point. */
function placesIn(text: string): number {
  return /\.(\d+)/.exec(text)?.[1]?.length ?? 0;
}

test.each([
  ["0", "0"],
  ["-0.0e5", "0"],
  ["10", "1e1"],
  ["1E+1", "1e1"],
  ["105", "105"],
  ["10.50", "105e-1"],
  ["-0.00120", "-12e-4"],
  ["1e999999999999999999999", "1e999999999999999999999"],
])("%s is %s", (text, canonical) => expect(canonicalNumber(text)).toBe(canonical));

test.each([
  ["1.50e1", 15],
  ["-1e14", -100_000_000_000_000],
  ["999999999999999", 999_999_999_999_999],
  ["1000000000000000", "1e15"],
  ["1e15", "1e15"],
  ["0.5", "5e-1"],
  ["0e9", 0],
])("%s is known as %p", (text, key) => expect(numberKey(text)).toBe(key));

test("whole numbers are added to the last digit, others as doubles", () => {
  fc.assert(fc.property(fc.bigInt(), fc.bigInt(), (a, b) => expect(addNumbers(`${a}`, `${b}`)).toBe(`${a + b}`)));
  fc.assert(
    fc.property(
      fc.double({ noDefaultInfinity: true, noNaN: true }),
      fc.double({ noDefaultInfinity: true, noNaN: true }),
      (a, b) => {
        const sum = addNumbers(JSON.stringify(a), JSON.stringify(b));
        expect(sum === undefined ? Number.POSITIVE_INFINITY : Math.abs(Number(sum))).toBe(Math.abs(a + b));
      },
    ),
  );
  expect(addNumbers("1e3", "1")).toBe("1001");
  expect(addNumbers("1.5e308", "1.5e308")).toBeUndefined();
  expect([isInteger("-12"), isInteger("1.0"), isInteger("1e3")]).toEqual([true, false, false]);
});

test("a number of a million zeros takes no longer than reading it", () => {
  const zeros = "0".repeat(1_000_000);
  expect(canonicalNumber(`1${zeros}`)).toBe("1e1000000");
  expect(canonicalNumber(`1${zeros}1`)).toBe(`1${zeros}1`);
  expect(canonicalNumber(`0.${zeros}1`)).toBe("1e-1000001");
});
