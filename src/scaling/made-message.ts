/** Messages the router makes itself: not in the log, made again when they are needed again. */
import { NO_PROVENANCE } from "../functions/pending";
import { typedValueBytes, typedValueHead } from "../functions/wire";
import { Blame, MESSAGE_OVERHEAD_BYTES, Message } from "../model/message";
import { TypedValue } from "../model/typed-value";
import type { Application, Mailbox } from "../router/router";
import type { TypeWatermark } from "./dual-type";

export function madeMessage(
  { address }: Mailbox,
  argument: TypedValue,
  ingressMs: number,
  deadlineMs: number,
  now: number,
): Message {
  const bytes = typedValueBytes(argument) + MESSAGE_OVERHEAD_BYTES;
  return new Message(address, undefined, argument, bytes, undefined, 0, ingressMs, now, deadlineMs, 0, NO_PROVENANCE);
}

/** The critical message of a window's end. Its time begins with the window's end, unless its application counts from arrivals. */
export function windowEndMessage(
  lessor: Mailbox,
  series: string,
  { specification: { everyMs, typename } }: TypeWatermark,
  barrier: number,
  application: Application,
  now: number,
): Message {
  const endMs = barrier * everyMs;
  const value = Buffer.from(JSON.stringify({ start: endMs - everyMs, end: endMs }));
  const fromMs = application.specification?.slo?.from === "arrival" ? now : endMs;
  const message = madeMessage(lessor, new TypedValue(typedValueHead(typename), value), endMs, fromMs + application.sloMs, now);
  message.application = application.index;
  if (application.measures) message.blame = new Blame();
  message.mark = { critical: true, series, barrier, after: -1, channel: "" };
  return message;
}
