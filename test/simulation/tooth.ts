/**
 * Teeth: ways to break the engine's work from outside. Each must be caught, or the checkers watch nothing.
 */

import { Reader, Writer } from "protobufjs/minimal";
import { decodePending } from "../../src/functions/pending";
import { decodeProgress, encodeProgress } from "../../src/ingress/progress";
import type { InputRecord, OutputRecord } from "../../src/model/record";
import { DUAL_TEETH } from "./dual-tooth";
import type { StoredRecord } from "./partition-log";
import type { Blow } from "./scenario";
import { rewriteState, type Tooth } from "./tooth-parts";

export type { Tooth } from "./tooth-parts";

function struckBy(...blows: Blow[]): Tooth["circumstances"] {
  return ({ weather }) => ({ blows, routers: ["one", "two"], weather: { ...weather, markerDelayMs: 250, blowEveryMs: 800 } });
}

export const TEETH: readonly Tooth[] = [
  {
    name: "done-marks",
    what: "progress is written as if everything read were finished",
    caughtBy: ["progress never passes unfinished work", "nothing is lost"],
    effects: rewriteState((record, kind) => {
      if (kind !== "p" || record.value === null) return record;
      const { low, ranges } = decodeProgress(record.value);
      return { ...record, value: encodeProgress({ low: low + 3, ranges: ranges.filter(([first]) => first > low + 3) }) };
    }),
  },
  {
    name: "pending-lost",
    what: "messages between functions that wait are not written",
    caughtBy: ["nothing is lost", "everything drains"],
    effects: rewriteState((record, kind) => (kind === "m" && isSent(record) ? undefined : record)),
  },
  {
    name: "copies-lost",
    what: "copies of a record that outlive another are not written",
    caughtBy: ["progress never passes unfinished work"],
    effects: rewriteState((record, kind) => (kind === "m" && record.value !== null && !isSent(record) ? undefined : record)),
  },
  {
    name: "tombstone-lost",
    what: "messages that are finished are not tombstoned",
    caughtBy: ["effects count once", "everything drains"],
    effects: rewriteState((record, kind) => (kind === "m" && record.value === null ? undefined : record)),
  },
  {
    name: "deletion-lost",
    what: "deleted state values are not tombstoned",
    caughtBy: ["restored state equals running state", "state lives as long as declared"],
    effects: rewriteState((record, kind) => (kind === "s" && record.value === null ? undefined : record)),
  },
  {
    name: "state-lost",
    what: "state values are not written",
    caughtBy: ["effects count once", "restored state equals running state"],
    effects: rewriteState((record, kind) => (kind === "s" && record.value !== null ? undefined : record)),
  },
  {
    name: "progress-lost",
    what: "progress is not written",
    caughtBy: ["effects count once", "nothing is lost", "progress never passes unfinished work"],
    effects: rewriteState((record, kind) => (kind === "p" ? undefined : record)),
  },
  {
    name: "lifetime-lost",
    what: "the instant of the last invocation is not written",
    caughtBy: ["state lives as long as declared"],
    effects: rewriteState((record, kind) => (kind === "i" ? undefined : record)),
  },
  {
    name: "twice",
    what: "the first message a function sends is delivered twice",
    caughtBy: ["effects count once", "restored state equals running state"],
    reply: doubleFirstSend,
  },
  {
    name: "no-cancel",
    what: "cancellations of delayed messages are ignored",
    caughtBy: ["delays and cancellations hold"],
    reply: dropCancellations,
  },
  {
    name: "swapped",
    what: "two neighbouring records of one key change places",
    caughtBy: ["order per sender and address", "progress never passes unfinished work"],
    records: swapNeighbours,
  },
  {
    name: "two-in-flight",
    what: "every tenth request is sent twice",
    caughtBy: ["one request in flight per address"],
    effects: (effects) =>
      effects.flatMap((effect) => (effect.kind === "dispatch" && effect.invocation % 10 === 0 ? [effect, effect] : [effect])),
  },
  {
    name: "no-fence",
    what: "whoever takes over does not fence those before",
    caughtBy: ["a zombie's units never become visible"],
    circumstances: struckBy("usurp"),
    skipFencing: true,
  },
  {
    name: "no-epochs",
    what: "the broker accepts what fenced producers send",
    caughtBy: [
      "a zombie's units never become visible",
      "effects count once",
      "nothing is lost",
      "progress never passes unfinished work",
    ],
    circumstances: struckBy("usurp"),
    ignoreEpochs: true,
  },
  {
    name: "deaf",
    what: "a unit that failed is reported as committed",
    caughtBy: [
      "effects count once",
      "state lives as long as declared",
      "nothing is lost",
      "restored state equals running state",
      "a zombie's units never become visible",
      "everything drains",
      "progress never passes unfinished work",
    ],
    unitFailed: ({ unit }) => ({ kind: "unit_committed", unit }),
  },
  {
    name: "early-end",
    what: "restore ends at the last stable offset, before markers that are under way",
    caughtBy: ["a zombie's units never become visible", "effects count once", "restored state equals running state"],
    circumstances: struckBy("move"),
    restoreToStable: true,
  },
  {
    name: "no-pause",
    what: "partitions are not paused",
    caughtBy: ["memory stays within bounds"],
    ignorePauses: true,
  },
  {
    name: "stuck",
    what: "every fiftieth request is never made",
    caughtBy: ["everything drains"],
    effects: (effects) => effects.filter((effect) => effect.kind !== "dispatch" || effect.invocation % 50 !== 7),
  },
  {
    name: "thief",
    what: "what waits in a run queue is taken out of it now and then",
    caughtBy: ["no runnable message waits unscheduled", "everything drains"],
    effects: (effects, process) => {
      for (const { queues } of process.engine.life.router.endpoints)
        for (const queue of queues) if (queue.length > 3) queue.next()?.queue.pop(process.clock);
      return effects;
    },
  },
  {
    name: "no-timer",
    what: "timers are not set",
    caughtBy: ["everything drains", "no runnable message waits unscheduled"],
    effects: (effects) => effects.filter((effect) => effect.kind !== "set_timer"),
  },
  ...DUAL_TEETH,
];

function isSent(record: OutputRecord): boolean {
  return record.value !== null && decodePending(0, record.value, 0).message.caller !== undefined;
}

/** Rewrites the fields of an invocation result, each given with its tag; other replies stay as they are. */
function rewriteResult(body: Uint8Array, rewrite: (field: Uint8Array, tag: number) => readonly Uint8Array[]): Uint8Array {
  if (body[0] !== 0xa2 || body[1] !== 0x06) return body;
  const fields: Uint8Array[] = [];
  try {
    const reader = Reader.create(body);
    reader.pos = 2;
    reader.uint32();
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const tag = reader.uint32();
      reader.skipType(tag & 7);
      fields.push(...rewrite(body.subarray(start, reader.pos), tag));
    }
  } catch {
    return body; // A reply that broke off.
  }
  const inner = Buffer.concat(fields);
  return Writer.create().uint32(802).bytes(inner).finish();
}

/** Field 2: a message. */
function doubleFirstSend(body: Uint8Array): Uint8Array {
  let doubled = false;
  return rewriteResult(body, (field, tag) => {
    if (tag !== 0x12 || doubled) return [field];
    doubled = true;
    return [field, field];
  });
}

/** Field 3: a delayed message; one that begins with its field 10 is a cancellation, as our functions write it. */
function dropCancellations(body: Uint8Array): Uint8Array {
  return rewriteResult(body, (field, tag) => (tag === 0x1a && field[2] === 0x50 ? [] : [field]));
}

function swapNeighbours(records: readonly StoredRecord[]): readonly InputRecord[] {
  const swapped: InputRecord[] = [...records];
  for (let i = 0; i + 1 < swapped.length; i++) {
    const one = swapped[i] as InputRecord;
    const other = swapped[i + 1] as InputRecord;
    if (!one.key || !other.key || !one.value || !other.value || Buffer.compare(one.key, other.key) !== 0) continue;
    swapped[i] = { ...one, value: other.value };
    swapped[i + 1] = { ...other, value: one.value };
    i++;
  }
  return swapped;
}
