/**
 * Which Kafka clusters a configuration talks to. Every component says its brokers and its security; components that say the same
 * share one cluster. The name of a cluster is stored with progress, so it is made of content and not of order:
 * the sorted brokers, and only where one address is reached with several securities `#` and who reaches it (`#alice`).
 */
import type { Place } from "./place";
import type { ClusterSpecification, SaslSpecification, TlsSpecification } from "./specification";

export interface Security {
  readonly ssl: TlsSpecification | boolean;
  readonly sasl: SaslSpecification | undefined;
}

/** The cluster a component asks for; undefined = it does not say. */
export interface ClusterDraft {
  readonly brokers: readonly string[] | undefined;
  /** An address is written there, right or wrong. */
  readonly addressed: boolean;
  readonly security: Security | undefined;
  readonly clientId: string | undefined;
  readonly connectionTimeoutMs: number | undefined;
  readonly requestTimeoutMs: number | undefined;
  /** The component, for findings. */
  readonly place: Place;
}

export const PLAINTEXT: Security = { ssl: false, sasl: undefined };

/** What stands in for brokers nobody named, so that a module can be checked without any. */
export const PLACEHOLDER_BROKERS: readonly string[] = ["localhost:9092"];

type ClusterSettings = "clientId" | "connectionTimeoutMs" | "requestTimeoutMs";
const SETTINGS: Readonly<Record<ClusterSettings, string>> = {
  clientId: "client.id",
  connectionTimeoutMs: "socket.connection.setup.timeout.ms",
  requestTimeoutMs: "request.timeout.ms",
};

export class Clusters {
  readonly #byBrokers = new Map<string, { security: Security; cluster: ClusterSpecification }[]>();
  readonly #defaultBrokers: readonly string[];
  readonly #defaultSecurity: Security;
  readonly #drafts: readonly ClusterDraft[];

  /** `drafts` in the order of the module, ingresses first: the first that names brokers is the default. `brokers` overrides its address. */
  constructor(drafts: readonly ClusterDraft[], brokers: readonly string[] | undefined) {
    const first = drafts.find((draft) => draft.brokers !== undefined) ?? drafts[0];
    this.#defaultBrokers = brokers ?? first?.brokers ?? PLACEHOLDER_BROKERS;
    this.#defaultSecurity = first?.security ?? PLAINTEXT;
    this.#drafts = drafts;
    for (const draft of drafts) this.of(draft);
  }

  of(draft: ClusterDraft): ClusterSpecification {
    return this.#sharing(this.#brokersOf(draft), draft.security ?? this.#securityOf(draft));
  }

  /** The cluster of the internal topics. */
  default(): ClusterSpecification {
    const brokers = this.#defaultBrokers;
    return this.#byBrokers.get(brokers.join(","))?.[0]?.cluster ?? this.#sharing(brokers, this.#defaultSecurity);
  }

  #brokersOf(draft: ClusterDraft): readonly string[] {
    return draft.brokers ?? this.#defaultBrokers;
  }

  /** Who takes the default brokers takes their security with them, unless it says its own. */
  #securityOf(draft: ClusterDraft): Security {
    return draft.brokers === undefined ? this.#defaultSecurity : PLAINTEXT;
  }

  #sharing(brokers: readonly string[], security: Security): ClusterSpecification {
    const address = brokers.join(",");
    const known = this.#byBrokers.get(address) ?? [];
    const same = known.find((entry) => JSON.stringify(entry.security) === JSON.stringify(security));
    if (same !== undefined) return same.cluster;
    const name = known.length === 0 ? address : unique(`${address}#${whoReaches(security)}`, known);
    const cluster = { name, brokers, ...security, ...this.#settingsOf(address, security) };
    this.#byBrokers.set(address, [...known, { security, cluster }]);
    return cluster;
  }

  /** One connection has one client id and one pair of timeouts: the first component to say one is heard. */
  #settingsOf(address: string, security: Security): Pick<ClusterSpecification, ClusterSettings> {
    const sharing = this.#drafts.filter(
      (draft) =>
        this.#brokersOf(draft).join(",") === address &&
        JSON.stringify(draft.security ?? this.#securityOf(draft)) === JSON.stringify(security),
    );
    const heard = <Name extends ClusterSettings>(name: Name): ClusterDraft[Name] => {
      const [winner, ...others] = sharing.filter((draft) => draft[name] !== undefined);
      for (const other of others) {
        if (other[name] === winner?.[name]) continue;
        other.place.warn(`shares its cluster with ${winner?.place.position}, whose ${SETTINGS[name]} counts for both`, {
          expected: `${SETTINGS[name]} ${winner?.[name]} in both`,
        });
      }
      return winner?.[name] as ClusterDraft[Name];
    };
    return {
      clientId: heard("clientId"),
      connectionTimeoutMs: heard("connectionTimeoutMs"),
      requestTimeoutMs: heard("requestTimeoutMs"),
    };
  }
}

/** Another address, the same security: for `--brokers`. */
export function withBrokers(cluster: ClusterSpecification, brokers: readonly string[]): ClusterSpecification {
  return brokers.join(",") === cluster.brokers.join(",") ? cluster : { ...cluster, name: brokers.join(","), brokers };
}

function whoReaches(security: Security): string {
  if (security.sasl === undefined) return security.ssl === false ? "plaintext" : "ssl";
  return security.sasl.mechanism === "oauthbearer" ? security.sasl.clientId : security.sasl.username;
}

function unique(name: string, known: readonly { readonly cluster: ClusterSpecification }[]): string {
  const taken = (candidate: string) => known.some(({ cluster }) => cluster.name === candidate);
  let candidate = name;
  for (let number = 2; taken(candidate); number++) candidate = `${name}-${number}`;
  return candidate;
}
