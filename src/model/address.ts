/**
 * An address names one virtual actor: a function type (`namespace/name`) and an id within it.
 * Source: StateFun `request-reply.proto`, message Address {namespace = 1, type = 2, id = 3}.
 */
export interface Address {
  readonly namespace: string;
  readonly type: string;
  readonly id: string;
}

/** `namespace/name` of a function type, an ingress, an egress or a value type. */
export type Typename = string;

export function typenameOf(address: Address): Typename {
  return `${address.namespace}/${address.type}`;
}

/** For people: `namespace/type/id`. */
export function addressText(address: Address): string {
  return `${address.namespace}/${address.type}/${address.id}`;
}

/** Splits `namespace/name`; undefined when it is not of that form (exactly one slash, no part empty, no NUL: that parts the keys of the state topic). */
export function splitTypename(typename: string): { namespace: string; name: string } | undefined {
  const slash = typename.indexOf("/");
  if (slash <= 0 || slash === typename.length - 1 || typename.indexOf("/", slash + 1) >= 0 || typename.includes("\0"))
    return undefined;
  return { namespace: typename.slice(0, slash), name: typename.slice(slash + 1) };
}
