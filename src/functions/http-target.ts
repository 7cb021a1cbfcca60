/**
 * Where a request goes: `urlPathTemplate` with `{function.name}` replaced, as StateFun does it: the bare name, not
 * URL-encoded, path and query of the template kept.
 *
 *   http(s)://host[:port]/path?query
 *   http(s)+unix:///directory/name.sock/path?query      the socket is everything up to the first element that ends in `.sock`
 */
import { ProtocolError } from "../model/errors";

export interface HttpTarget {
  /** `http://127.0.0.1:8000`: one pool of connections per origin and socket. */
  readonly origin: string;
  readonly socketPath: string | undefined;
  /** Path and query, as in the request line. */
  readonly path: string;
}

const socketAndPath = /^(.*?\.sock)(\/.*)?$/;

export function targetOf(template: string, functionName: string): HttpTarget {
  const text = template.replaceAll("{function.name}", () => functionName);
  const url = parse(text);
  switch (url.protocol) {
    case "http:":
    case "https:":
      return { origin: url.origin, socketPath: undefined, path: url.pathname + url.search };
    case "http+unix:":
    case "https+unix:": {
      const found = socketAndPath.exec(url.pathname);
      if (found === null) throw new ProtocolError(`${text} names no socket: a path element must end in .sock`);
      return {
        // The host is only for the Host header and the name in the server's certificate; people leave it out.
        origin: `${url.protocol === "https+unix:" ? "https" : "http"}://${url.host === "" ? "localhost" : url.host}`,
        socketPath: decodeURIComponent(found[1] as string),
        path: (found[2] ?? "/") + url.search,
      };
    }
    default:
      throw new ProtocolError(`${text} is not an address of a function: expected http, https, http+unix or https+unix`);
  }
}

function parse(text: string): URL {
  try {
    return new URL(text);
  } catch {
    throw new ProtocolError(`${text} is not a URL`);
  }
}
