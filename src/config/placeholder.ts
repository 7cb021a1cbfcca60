/** `${NAME}` and `${NAME:-default}` inside a scalar; `$${` is a `${` that is none. */

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Expansion {
  readonly text: string;
  /** Variables that are not set and have no default. */
  readonly missing: readonly string[];
  /** The first `${…` that is no placeholder. */
  readonly malformed: string | undefined;
  /** The variable this text consists of, when it is not set: `dev` may then choose the value. */
  readonly unset: string | undefined;
}

const PLACEHOLDER = /\$\$\{|\$\{([A-Za-z_]\w*)(?::-([^{}]*))?\}|\$\{[^}]*\}?/g;

/** As in a shell, `:-` also stands in for a variable that is set but empty. */
export function expand(source: string, environment: Environment): Expansion {
  if (!source.includes("${")) return { text: source, missing: [], malformed: undefined, unset: undefined };
  const missing: string[] = [];
  let malformed: string | undefined;
  let unset: string | undefined;
  const text = source.replace(PLACEHOLDER, (whole: string, name: string | undefined, fallback: string | undefined) => {
    if (whole === "$${") return "${";
    if (name === undefined) {
      malformed ??= whole;
      return whole;
    }
    const given = environment[name];
    if (given !== undefined && (given !== "" || fallback === undefined)) return given;
    if (whole === source) unset = name;
    if (fallback === undefined) missing.push(name);
    return fallback ?? "";
  });
  return { text, missing, malformed, unset };
}
