import {
  isTopicName,
  parseBrokers,
  parseDuration,
  parseInstant,
  parseNumber,
  parseSize,
  parseWhole,
} from "../../src/config/quantity";

test.each([
  ["0", 0],
  ["500", 500],
  ["2min", 120_000],
  ["2 min", 120_000],
  ["1 m", 60_000],
  ["10s", 10_000],
  ["10 Seconds", 10_000],
  ["1 h", 3_600_000],
  ["1 day", 86_400_000],
  ["3 milli", 3],
  ["1500 µs", 2],
  ["1 nano", 1],
  ["0 ns", 0],
])("the Flink duration %j is %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(["", "s", "-1s", "1.5s", "10 parsecs", "1 min 3 s", "99999999999999999999"])("%j is no duration", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test.each([
  ["1048576", 1_048_576],
  ["4 MiB", 4_194_304],
  ["8mb", 8_388_608],
  ["64K", 65_536],
  ["1 GiB", 1_073_741_824],
])("the size %j is %d bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(["", "MiB", "4 MiBs", "-1", "1.5 MiB"])("%j is no size", (text) => {
  expect(parseSize(text)).toBeUndefined();
});

test.each([
  ["3", 3],
  ["0.25", 0.25],
  [".5", 0.5],
  [" -1.5 ", -1.5],
  ["+2", 2],
])("the number %j is %d", (text, value) => {
  expect(parseNumber(text)).toBe(value);
});

test.each(["", "-", ".", "1.", "1e3", "0x10", "NaN", "1,5", "9".repeat(400)])("%j is no number", (text) => {
  expect(parseNumber(text)).toBeUndefined();
});

test.each([
  ["2020-02-01 04:15:00.000 +0000", "2020-02-01T04:15:00.000Z"],
  ["2020-02-01 04:15:00.250 +0130", "2020-02-01T02:45:00.250Z"],
  ["2020-02-01 04:15:00.00 Z", "2020-02-01T04:15:00.000Z"],
  ["2020-02-01T04:15:00-05:00", "2020-02-01T09:15:00.000Z"],
])("the instant %j is %s", (text, iso) => {
  expect(parseInstant(text)).toBe(Date.parse(iso));
});

test.each(["2020-02-30 04:15:00.000 +0000", "2020-02-01", "2020-02-01 04:15:00.000", "2020-02-01 25:00:00.000 Z", "yesterday"])(
  "%j is no instant",
  (text) => {
    expect(parseInstant(text)).toBeUndefined();
  },
);

test("brokers are sorted, named once, and lose a protocol in front", () => {
  expect(parseBrokers("b:9092, PLAINTEXT://a:9092,b:9092,[::1]:9093,")).toEqual(["[::1]:9093", "a:9092", "b:9092"]);
});

test.each(["", ",", "kafka", "kafka:", "kafka:0", "kafka:65536", "a b:9092", "a:9092;b:9092"])(
  "%j is no list of brokers",
  (text) => {
    expect(parseBrokers(text)).toBeUndefined();
  },
);

test("a whole number has no fraction and fits a double", () => {
  expect([parseWhole("-7"), parseWhole("+7"), parseWhole("7.5"), parseWhole(""), parseWhole("99999999999999999")]).toEqual([
    -7,
    7,
    undefined,
    undefined,
    undefined,
  ]);
});

test("topic names are Kafka's", () => {
  expect(["a.b_c-1", "a".repeat(249)].map(isTopicName)).toEqual([true, true]);
  expect(["", ".", "..", "a/b", "ä", "a".repeat(250)].map(isTopicName)).toEqual([false, false, false, false, false, false]);
});
