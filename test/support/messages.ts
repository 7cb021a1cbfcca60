/** Messages, memories and mailboxes for tests of single rooms. */
import { typedValueHead } from "../../src/functions/wire";
import type { Address } from "../../src/model/address";
import { type Mark, Message, type Provenance, type RecordEntry } from "../../src/model/message";
import { TypedValue } from "../../src/model/typed-value";

export const NO_PROVENANCE: Provenance = { timestampMs: 0, headers: [], traceparent: undefined };

export function address(id: string, type = "fn"): Address {
  return { namespace: "ex", type, id };
}

export interface MessageFields {
  target?: Address;
  caller?: Address;
  text?: string;
  typename?: string;
  bytes?: number;
  entry?: RecordEntry;
  sequence?: number;
  ingressMs?: number;
  admittedMs?: number;
  deadlineMs?: number;
  provenance?: Provenance;
  mark?: Mark | undefined;
}

export function aMessage(fields: MessageFields = {}): Message {
  const value = Buffer.from(fields.text ?? "");
  const message = new Message(
    fields.target ?? address("a"),
    fields.caller,
    new TypedValue(typedValueHead(fields.typename ?? "ex/text"), value),
    fields.bytes ?? value.length,
    fields.entry,
    fields.sequence ?? 1,
    fields.ingressMs ?? 0,
    fields.admittedMs ?? 0,
    fields.deadlineMs ?? 0,
    0,
    fields.provenance ?? NO_PROVENANCE,
  );
  message.mark = fields.mark;
  return message;
}
