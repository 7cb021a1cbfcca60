/** Why a request got no answer: in words for people (logs and the dead letter's provenance show them), and what it says of the replica. */
import type { TransportSpecification } from "../config/specification";
import type { ReplicaFailure } from "../event";

/** These come from an answer that cannot be used: whoever gave it is there. */
const ANSWERED = [
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_RES_EXCEEDED_MAX_SIZE",
  "UND_ERR_INVALID_ARG",
];

export function replicaFailure(error: Error): ReplicaFailure | undefined {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT") return "timeout";
  return ANSWERED.includes(code) || error.name === "HTTPParserError" ? undefined : "connection";
}

export function failureReason(error: Error, transport: TransportSpecification): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case "UND_ERR_CONNECT_TIMEOUT":
      return `no connection within ${transport.connectTimeoutMs} ms`;
    case "UND_ERR_HEADERS_TIMEOUT":
      return `no reply: nothing was received for ${transport.readTimeoutMs} ms`;
    case "UND_ERR_BODY_TIMEOUT":
      return `the reply broke off: nothing was received for ${transport.readTimeoutMs} ms`;
    case "UND_ERR_SOCKET":
      return "the connection was closed before the reply was complete";
    case "UND_ERR_HEADERS_OVERFLOW":
      return "the reply's headers are too large";
    case "UND_ERR_RES_CONTENT_LENGTH_MISMATCH":
      return "the reply's body is not as long as its Content-Length says";
    case "UND_ERR_RES_EXCEEDED_MAX_SIZE":
      return `the reply is larger than ${transport.payloadMaxBytes} bytes`;
  }
  if (error.name === "HTTPParserError") return `the reply is not HTTP: ${error.message}`;
  // One host name, several addresses: Node tried each.
  if (error instanceof AggregateError) return [...new Set(error.errors.map((each: Error) => each.message))].join(", ");
  return error.message === "" ? error.name : error.message;
}
