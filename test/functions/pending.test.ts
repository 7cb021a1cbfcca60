import * as fc from "fast-check";
import { decodePending, encodePending } from "../../src/functions/pending";
import { ProtocolError } from "../../src/model/errors";
import { Message } from "../../src/model/message";
import { TypedValue } from "../../src/model/typed-value";
import { address, aMessage, NO_PROVENANCE } from "../support/messages";
import { decodeMessage, encodeMessage } from "../support/statefun-proto";

const text = fc.string({ unit: "grapheme", maxLength: 20 });
const anAddress = fc.record({ namespace: text, type: text, id: fc.oneof(text, fc.constantFrom("a\0b", "\u{1f600}", "")) });
const instant = fc.nat({ max: 2 ** 43 });
const header = fc.record({ key: text, value: fc.option(fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes))) });
const fields = fc.record({
  target: anAddress,
  caller: fc.option(anAddress, { nil: undefined }),
  value: text,
  ingressMs: instant,
  deadlineMs: instant,
  dueMs: instant,
  token: text,
  application: text,
  rank: fc.double({ noNaN: true }),
  mark: fc.option(
    fc.record({
      critical: fc.boolean(),
      series: text,
      barrier: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
      after: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
      channel: fc.oneof(fc.constant(""), fc.constant("ex/in\0in\x003")),
    }),
    { nil: undefined },
  ),
  provenance: fc.record({
    timestampMs: instant,
    headers: fc.array(header, { maxLength: 4 }),
    traceparent: fc.option(text, { nil: undefined }),
  }),
});

describe("a waiting message", () => {
  it("is read back as it was: addresses, argument, instants, token, provenance", () => {
    fc.assert(
      fc.property(fields, ({ value, dueMs, token, application, rank, ...rest }) => {
        const message = aMessage({ ...rest, ...(rest.caller && { caller: rest.caller }), text: value } as Parameters<
          typeof aMessage
        >[0]);
        message.rank = rank;
        const decoded = decodePending(7, encodePending(message, dueMs, token, application), 500);
        expect([decoded.dueMs, decoded.token, decoded.application]).toEqual([dueMs, token, application]);
        if (application) expect(decoded.message.rank).toBe(rank);
        expect(decoded.message).toMatchObject({
          target: rest.target,
          caller: rest.caller,
          sequence: 7,
          ingressMs: rest.ingressMs,
          deadlineMs: rest.deadlineMs,
          admittedMs: 500,
          mark: rest.mark,
          entry: undefined,
          persisted: true,
          done: false,
        });
        expect(decodeMessage("TypedValue", decoded.message.argument.head)).toEqual({
          typename: "ex/text",
          has_value: true,
          ...(value && { value: Buffer.from(value) }),
        });
        const { traceparent, timestampMs, headers } = decoded.message.provenance;
        expect([traceparent, timestampMs]).toEqual([rest.provenance.traceparent, rest.provenance.timestampMs]);
        expect(headers.map(({ key, value: bytes }) => [key, bytes && Buffer.from(bytes)])).toEqual(
          rest.provenance.headers.map(({ key, value: bytes }) => [key, bytes]),
        );
      }),
    );
  });

  it("keeps fields of its argument that we do not know", () => {
    const future = encodeMessage("FutureTypedValue", { typename: "ex/t", has_value: true, metadata: ["kept"] });
    const message = new Message(
      address("a"),
      undefined,
      new TypedValue(future, undefined),
      0,
      undefined,
      1,
      0,
      0,
      0,
      0,
      NO_PROVENANCE,
    );
    const { argument } = decodePending(1, encodePending(message, 0, "", ""), 0).message;
    expect(Buffer.from(argument.head).equals(future)).toBe(true);
  });

  it("without a mark is written as before there were marks", () => {
    const mark = { critical: false, series: "", barrier: -1, after: -1, channel: "" };
    const [plain, marked] = [aMessage(), aMessage({ mark })].map((message) => encodePending(message, 0, "", ""));
    expect(Buffer.from(marked ?? []).subarray(0, plain?.length)).toEqual(Buffer.from(plain ?? []));
    expect(marked?.length).toBe((plain?.length ?? 0) + 2);
  });

  it("is never due earlier than asked for", () => {
    expect(decodePending(1, encodePending(aMessage(), 100.2, "", ""), 0).dueMs).toBe(101);
  });

  it("does not hold the buffer it was read from", () => {
    const record = encodePending(aMessage({ text: "kept" }), 0, "", "");
    const { message } = decodePending(1, record, 0);
    record.fill(0);
    expect(decodeMessage("TypedValue", message.argument.head)).toMatchObject({ value: Buffer.from("kept") });
  });

  it("of another version, or without target, is refused", () => {
    expect(() => decodePending(1, Uint8Array.of(8, 2), 0)).toThrow(ProtocolError);
    expect(() => decodePending(1, Uint8Array.of(8, 1), 0)).toThrow("waiting message 1: has no target");
  });

  it("that is cut off or garbled is refused, never taken for another", () => {
    const mark = { critical: true, series: "s", barrier: 3, after: 2, channel: "c" };
    const whole = encodePending(aMessage({ text: "text", mark }), 1, "token", "application");
    expect(() => decodePending(7, whole.subarray(0, whole.length - 1), 0)).toThrow(ProtocolError);
    expect(() => decodePending(7, whole.subarray(0, whole.length - 1), 0)).toThrow("waiting message 7: ");
    const runsOver = Uint8Array.of(...whole, 0x72, 3, 0x12, 4, 1, 1, 1, 1); // A mark of 3 bytes whose series has 4.
    expect(() => decodePending(7, runsOver, 0)).toThrow(ProtocolError);
    fc.assert(
      fc.property(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
        const garbled = Uint8Array.from(whole);
        garbled[at] = byte;
        try {
          decodePending(7, garbled, 0);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});
