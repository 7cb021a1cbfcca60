/** The line a function of a dual-mode world emits for every message it handles. */

export interface DualLine {
  readonly node: string;
  readonly id: string;
  readonly messageId: string;
  /** Number of the call in which it was handled. */
  readonly call: number;
  readonly critical: boolean;
  /** Number of the window that ends; undefined: a message that somebody sent. */
  readonly window: number | undefined;
  /** What a critical message saw, by state. */
  readonly saw: Readonly<Record<string, unknown>> | undefined;
}

export const DUAL_TOPIC = "dual-audit";

export function encodeDualLine({ node, id, messageId, call, critical, window, saw }: DualLine): Uint8Array {
  return Buffer.from(JSON.stringify([node, id, messageId, call, critical, window ?? null, saw ?? null]));
}

export function decodeDualLine(bytes: Uint8Array): DualLine {
  const [node, id, messageId, call, critical, window, saw] = JSON.parse(Buffer.from(bytes).toString("utf8")) as [
    string,
    string,
    string,
    number,
    boolean,
    number | null,
    Record<string, unknown> | null,
  ];
  return { node, id, messageId, call, critical, window: window ?? undefined, saw: saw ?? undefined };
}
