import * as fc from "fast-check";
import { Writer } from "protobufjs/minimal";
import { ProtocolError } from "../../src/model/errors";
import {
  type ControlMessage,
  type ControlRecord,
  controlFields,
  controlText,
  decodeControl,
  encodeControl,
  leaseEndReasons,
  type PartPiece,
  type PartState,
  type SyncReplyChunk,
  syncChunkBytes,
} from "../../src/scaling/control";

const actor = { namespace: "shop", type: "campaign", id: "c-1" };
const told = { actor, epoch: 3, atMs: 1_790_000_000_123 };

/** One of each kind. */
const EXAMPLES: Readonly<Record<ControlMessage["kind"], ControlMessage>> = {
  lease_granted: { kind: "lease_granted", ...told, lane: 2, replica: 1, reason: "would start 12 ms late" },
  lease_ended: { kind: "lease_ended", ...told, lane: 2, reason: "idle" },
  sync_request: { kind: "sync_request", ...told, lane: 2, series: "window", barrier: 1_790_000, forwarded: 17 },
  sync_reply: {
    kind: "sync_reply",
    ...told,
    lane: 2,
    applied: 17,
    part: [{ name: "total", typename: "ex/long", value: Uint8Array.of(8, 5) }],
  },
  unsync: {
    kind: "unsync",
    ...told,
    series: "window",
    barrier: 1_790_000,
    critical: 2,
    alignMs: 12.25,
    drainMs: 3,
    consolidateMs: 0.5,
    criticalMs: 4,
    releaseMs: 0,
  },
};
const kinds = Object.keys(EXAMPLES) as ControlMessage["kind"][];

function decoded(message: ControlMessage): ControlRecord[] {
  return encodeControl(message).map(({ key, value }) => decodeControl(key, value));
}

/** As PROTOCOL.md says it is done: pieces of one name, put together in the order of the chunks. */
function joined(chunks: readonly SyncReplyChunk[]): PartState[] {
  const states = new Map<string, { name: string; typename: string; value: Uint8Array }>();
  for (const { name, typename, value, from, bytes } of chunks.flatMap(({ part }) => part)) {
    let state = states.get(name);
    if (state === undefined) states.set(name, (state = { name, typename, value: new Uint8Array(bytes) }));
    state.value.set(value, from);
  }
  return [...states.values()];
}

const piecesIn = (chunks: readonly SyncReplyChunk[]): PartPiece[] => chunks.flatMap(({ part }) => part);

describe("bytes on the control topic stay as they are", () => {
  /** Fields 3 to 5: actor, epoch, instant. */
  const head = "1a150a0473686f70120863616d706169676e1a03632d31200328fbd8c1a28c34";
  const GOLDEN: Readonly<Record<ControlMessage["kind"], string>> = {
    lease_granted: `08011001${head}300238014216776f756c64207374617274203132206d73206c617465`,
    lease_ended: `08011002${head}3002420469646c65`,
    sync_request: `08011003${head}30024a0677696e646f7750b0a06d5811`,
    sync_reply: `08011004${head}30026011680070017a160a05746f74616c120765782f6c6f6e671a0208052802`,
    unsync: `08011005${head}4a0677696e646f7750b0a06d80010289010000000000802840910100000000000008409901000000000000e03fa1010000000000001040a9010000000000000000`,
  };

  test.each(kinds)("%s", (kind) => {
    const records = encodeControl(EXAMPLES[kind]);
    expect(records.map(({ key, value }) => [key, Buffer.from(value).toString("hex")])).toEqual([
      ["shop/campaign/c-1", GOLDEN[kind]],
    ]);
    const piece = { part: [{ ...(EXAMPLES.sync_reply as SyncReplyChunk).part[0], from: 0, bytes: 2 }], chunk: 0, chunks: 1 };
    expect(decodeControl(Buffer.from("shop/campaign/c-1"), Buffer.from(GOLDEN[kind], "hex"))).toEqual({
      ...EXAMPLES[kind],
      ...(kind === "sync_reply" && piece),
    });
  });
});

describe("a control message is read back as it was", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 12 });
  const count = fc.nat({ max: 2 ** 31 });
  const large = fc.maxSafeNat();
  const ms = fc.double({ min: 0, max: 1e9, noNaN: true });
  const common = { actor: fc.record({ namespace: text, type: text, id: text }), epoch: large, atMs: large };
  const barrier = { series: text, barrier: fc.oneof(fc.constant(-1), large) };
  const message: fc.Arbitrary<ControlMessage> = fc.oneof(
    fc.record({ kind: fc.constant("lease_granted" as const), ...common, lane: count, replica: count, reason: text }),
    fc.record({ kind: fc.constant("lease_ended" as const), ...common, lane: count, reason: fc.constantFrom(...leaseEndReasons) }),
    fc.record({ kind: fc.constant("sync_request" as const), ...common, ...barrier, lane: count, forwarded: large }),
    fc.record({
      kind: fc.constant("unsync" as const),
      ...common,
      ...barrier,
      critical: count,
      alignMs: ms,
      drainMs: ms,
      consolidateMs: ms,
      criticalMs: ms,
      releaseMs: ms,
    }),
  );

  it("in one record, whatever its fields hold", () => {
    fc.assert(fc.property(message, (each) => expect(decoded(each)).toEqual([each])));
  });

  const size = fc.oneof(fc.nat(20), fc.integer({ min: syncChunkBytes - 2, max: 2 * syncChunkBytes + 2 }));
  const part = fc.uniqueArray(fc.record({ name: text, typename: text, size }), { maxLength: 4, selector: ({ name }) => name });

  it("a part in records of bounded size, whatever the sizes of its states", () => {
    fc.assert(
      fc.property(part, (states) => {
        const values = states.map(({ name, typename, size }, i) => ({ name, typename, value: Buffer.alloc(size, i + 1) }));
        const reply: ControlMessage = { kind: "sync_reply", ...told, lane: 1, applied: 5, part: values };
        const records = encodeControl(reply);
        const chunks = decoded(reply) as SyncReplyChunk[];
        expect(chunks.map(({ chunk, chunks }) => [chunk, chunks])).toEqual(chunks.map((_, i) => [i, chunks.length]));
        for (const { value } of records) expect(value.length).toBeLessThan(syncChunkBytes + 1_024);
        const plain = (states: readonly PartState[]) =>
          states.map(({ name, typename, value }) => [name, typename, Buffer.from(value).toString("base64")]);
        expect(plain(joined(chunks))).toEqual(plain(values));
        const bytes = values.reduce((sum, { value }) => sum + value.length, 0);
        expect(chunks.length).toBe(Math.max(1, Math.ceil(bytes / syncChunkBytes)));
        expect(piecesIn(chunks).length).toBeLessThan(values.length + chunks.length);
      }),
      { numRuns: 40 },
    );
  });
});

it("a record owns its bytes", () => {
  const [record] = encodeControl(EXAMPLES.sync_reply);
  const value = record?.value as Uint8Array;
  const reply = decodeControl("", value) as SyncReplyChunk;
  value.fill(0);
  expect(reply.part[0]?.value).toEqual(Uint8Array.of(8, 5));
});

describe("what cannot be understood is refused by name", () => {
  const bytes = (kind: ControlMessage["kind"]) => encodeControl(EXAMPLES[kind])[0]?.value as Uint8Array;
  const version = (value: Uint8Array, number: number) => Uint8Array.from([8, number, ...value.subarray(2)]);
  test.each<[string, Uint8Array, string]>([
    ["a newer version", version(bytes("unsync"), 2), "is of version 2; this router reads version 1"],
    ["no version", bytes("unsync").subarray(2), "is of version 0; this router reads version 1"],
    ["an unknown kind", Writer.create().uint32(8).uint32(1).uint32(16).uint32(6).finish(), "is of kind 6"],
    ["nothing at all", new Uint8Array(0), "is of kind 0"],
    ["no actor", Writer.create().uint32(8).uint32(1).uint32(16).uint32(5).finish(), "names no actor"],
    ["a torn end", bytes("sync_reply").subarray(0, -1), "index out of range"],
    [
      "an unknown reason",
      Buffer.from(Buffer.from(bytes("lease_ended")).toString("latin1").replace("idle", "mood"), "latin1"),
      "does not know, mood",
    ],
  ])("%s", (_what, value, reason) => {
    const decode = () => decodeControl(Buffer.from("shop/campaign/c\n1"), value);
    expect(decode).toThrow(ProtocolError);
    expect(decode).toThrow(reason);
    expect(decode).toThrow("control record of shop/campaign/c\\u000a1");
  });

  it("but a field that is new in this version is passed over", () => {
    const later = Writer.create().uint32(800).uint32(7).uint32(810).string("more").finish();
    const record = decodeControl("", Buffer.concat([bytes("lease_granted"), later]));
    expect(record).toEqual(EXAMPLES.lease_granted);
  });
});

describe("for people, one line each", () => {
  test.each<[ControlMessage, string]>([
    [EXAMPLES.lease_granted, "lease_granted shop/campaign/c-1 epoch 3: lane 2 on replica 1, would start 12 ms late"],
    [EXAMPLES.lease_ended, "lease_ended shop/campaign/c-1 epoch 3: lane 2, idle"],
    [EXAMPLES.sync_request, "sync_request shop/campaign/c-1 epoch 3: lane 2, barrier window 1790000, 17 messages forwarded"],
    [
      { ...EXAMPLES.sync_request, series: "", barrier: -1, forwarded: 1 } as ControlMessage,
      "sync_request shop/campaign/c-1 epoch 3: lane 2, no barrier, 1 message forwarded",
    ],
    [EXAMPLES.sync_reply, "sync_reply shop/campaign/c-1 epoch 3: lane 2, 17 messages applied, total 2 bytes"],
    [
      { ...EXAMPLES.sync_reply, part: [] } as ControlMessage,
      "sync_reply shop/campaign/c-1 epoch 3: lane 2, 17 messages applied, no state",
    ],
    [
      EXAMPLES.unsync,
      "unsync shop/campaign/c-1 epoch 3: barrier window 1790000, 2 critical messages; align 12.3 ms, drain 3 ms, consolidate 0.5 ms, critical 4 ms, release 0 ms",
    ],
    [
      { ...EXAMPLES.lease_ended, actor: { ...actor, id: "a\nb\u0000\u001b" } },
      "lease_ended shop/campaign/a\\u000ab\\u0000\\u001b epoch 3: lane 2, idle",
    ],
  ])("%#", (message, line) => {
    expect(controlText(message)).toBe(line);
  });

  it("pieces say which they are", () => {
    const value = new Uint8Array(syncChunkBytes + 1);
    const reply = { ...EXAMPLES.sync_reply, part: [{ name: "sketch", typename: "ex/t", value }] } as ControlMessage;
    expect(decoded(reply).map(controlText)).toEqual([
      "sync_reply shop/campaign/c-1 epoch 3: lane 2, 17 messages applied, sketch 524288 bytes from 0 of 524289, chunk 1 of 2",
      "sync_reply shop/campaign/c-1 epoch 3: lane 2, 17 messages applied, sketch 1 byte from 524288 of 524289, chunk 2 of 2",
    ]);
  });
});

it("for machines that read text, of values their sizes only", () => {
  const [reply] = decoded(EXAMPLES.sync_reply) as [ControlRecord];
  expect(controlFields(reply)).toEqual({
    kind: "sync_reply",
    ...told,
    actor: "shop/campaign/c-1",
    lane: 2,
    applied: 17,
    part: [{ name: "total", typename: "ex/long", from: 0, bytes: 2, length: 2 }],
    chunk: 0,
    chunks: 1,
  });
  const [unsync] = decoded(EXAMPLES.unsync) as [ControlRecord];
  expect(controlFields(unsync)).toEqual({ ...EXAMPLES.unsync, actor: "shop/campaign/c-1" });
});
