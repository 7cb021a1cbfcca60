/** Which functions some endpoint serves. */
import { nearest } from "./finding";
import type { FunctionEntry } from "./function";
import type { Place } from "./place";
import { ENDPOINT_V2 } from "./vocabulary";

export class Served {
  /** As endpoints write them: `shop/cart`, `shop/*`. */
  readonly #texts: ReadonlySet<string>;

  constructor(texts: Iterable<string>) {
    this.#texts = new Set(texts);
  }

  get texts(): Iterable<string> {
    return this.#texts;
  }

  has(typename: string): boolean {
    return this.names(typename) || this.#texts.has(`${namespaceOf(typename)}/*`);
  }

  /** By its own name. */
  names(typename: string): boolean {
    return this.#texts.has(typename);
  }

  /** At least one function of these. */
  hasSome({ namespace, prefix, exact }: FunctionEntry): boolean {
    if (exact) return this.has(`${namespace}/${prefix}`);
    const begins = (text: string) => text === `${namespace}/*` || text.startsWith(`${namespace}/${prefix}`);
    return [...this.#texts].some(begins);
  }

  tellUnserved(typename: string, place: Place): void {
    place.fail("is served by no endpoint", {
      value: typename,
      expected: this.#texts.size === 0 ? `an endpoint: a document of kind ${ENDPOINT_V2}` : [...this.#texts].join(", "),
      nearest: this.nearest(typename),
    });
  }

  /** For `shpo/cart` it is `shop/cart` also when an endpoint serves `shop/*`. */
  nearest(typename: string): string | undefined {
    const texts = [...this.#texts];
    const named = nearest(
      typename,
      texts.filter((text) => !text.endsWith("/*")),
    );
    if (named !== undefined) return named;
    const namespace = namespaceOf(typename);
    const near = nearest(
      namespace,
      texts.filter((text) => text.endsWith("/*")).map((text) => text.slice(0, -2)),
    );
    return near === undefined ? undefined : near + typename.slice(namespace.length);
  }
}

function namespaceOf(typename: string): string {
  return typename.slice(0, typename.indexOf("/"));
}
