/** The line every function emits for every message it handles: what the checkers judge the world by. */
export interface AuditLine {
  readonly type: string;
  readonly id: string;
  /** How many messages this address has handled, this one included: its own state says so. */
  readonly n: number;
  readonly messageId: string;
  /** Number of the call in which it was handled. */
  readonly call: number;
  /** Tokens cancelled while handling it. */
  readonly cancels: readonly string[];
}

export const AUDIT_TOPIC = "audit";
/** The same on the other cluster, at least once. */
export const EXPORT_TOPIC = "export";

export function encodeAuditLine(line: AuditLine): Uint8Array {
  return Buffer.from(JSON.stringify([line.type, line.id, line.n, line.messageId, line.call, line.cancels]));
}

export function decodeAuditLine(bytes: Uint8Array): AuditLine {
  const [type, id, n, messageId, call, cancels] = JSON.parse(Buffer.from(bytes).toString("utf8")) as [
    string,
    string,
    number,
    string,
    number,
    string[],
  ];
  return { type, id, n, messageId, call, cancels };
}
