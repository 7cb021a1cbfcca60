/**
 * Errors are named by what happens next. `invariant` is for what only a bug can break; bytes, brokers and
 * functions can always misbehave, and then one of the named errors says who goes on how.
 */

/** The configuration cannot work: do not start. `findings` has one line per fault. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(readonly findings: readonly string[]) {
    super(findings.join("\n"));
  }
}

/** These bytes, or what they ask for, are not possible: this message fails. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** An endpoint did not answer as it should: try again later. */
export class EndpointError extends Error {
  override readonly name = "EndpointError";
}

/** Somebody else writes for this shard now: give it up. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}

/** Something that only a bug in Dirigo can break. Stops the router. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/**
 * What reading the bytes of a log gives. Where some are missing or wrong their readers throw errors of their own; then it is said of
 * what, and it is a ProtocolError.
 */
export function decoded<T>(what: () => string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvariantError) throw error;
    throw new ProtocolError(`${what()}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function invariant(holds: unknown, rule: string): asserts holds {
  if (!holds) throw new InvariantError(rule);
}

/** The arm of a switch that no phase or kind may reach; the compiler proves it, this tells if it was wrong. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
