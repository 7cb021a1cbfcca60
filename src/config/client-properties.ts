/**
 * Kafka's own client properties, as StateFun hands them to the Java client. Those with a meaning for our client are mapped;
 * everything else is named in a warning, because a setting that silently does nothing is the worst kind.
 */
import { nearest } from "./finding";
import type { Place } from "./place";

type Role = "ingress" | "egress";

interface Meaning {
  readonly role: Role | "both";
  /** For docs/configuration.md: what it becomes here. */
  readonly becomes: string;
}

export const MAPPED_PROPERTIES: Readonly<Record<string, Meaning>> = {
  "bootstrap.servers": { role: "both", becomes: "the address, when `address` is not given" },
  "client.id": { role: "both", becomes: "the client id of the cluster" },
  "security.protocol": { role: "both", becomes: "TLS and SASL on or off" },
  "sasl.mechanism": { role: "both", becomes: "the SASL mechanism" },
  "sasl.jaas.config": { role: "both", becomes: "the credentials" },
  "sasl.oauthbearer.token.endpoint.url": { role: "both", becomes: "where OAUTHBEARER tokens come from" },
  "sasl.oauthbearer.client.credentials.client.id": { role: "both", becomes: "the OAuth client's id" },
  "sasl.oauthbearer.client.credentials.client.secret": { role: "both", becomes: "the OAuth client's secret" },
  "sasl.oauthbearer.scope": { role: "both", becomes: "the OAuth scope" },
  "ssl.truststore.type": { role: "both", becomes: "must be PEM" },
  "ssl.truststore.location": { role: "both", becomes: "PEM file of authorities" },
  "ssl.truststore.certificates": { role: "both", becomes: "PEM text of authorities" },
  "ssl.keystore.type": { role: "both", becomes: "must be PEM" },
  "ssl.keystore.location": { role: "both", becomes: "PEM file of our certificate and key" },
  "ssl.keystore.certificate.chain": { role: "both", becomes: "PEM text of our certificate" },
  "ssl.keystore.key": { role: "both", becomes: "PEM text of our key" },
  "ssl.key.password": { role: "both", becomes: "the key's password" },
  "ssl.endpoint.identification.algorithm": { role: "both", becomes: "empty: the broker's host name is not checked" },
  "request.timeout.ms": { role: "both", becomes: "the request timeout of the cluster" },
  "socket.connection.setup.timeout.ms": { role: "both", becomes: "the connection timeout of the cluster" },
  "group.id": { role: "ingress", becomes: "`consumerGroupId`, when that is not given" },
  "isolation.level": { role: "ingress", becomes: "`read_uncommitted` also reads records of open and aborted transactions" },
  "fetch.max.bytes": { role: "ingress", becomes: "most bytes of one fetch" },
  "max.partition.fetch.bytes": { role: "ingress", becomes: "most bytes of one partition in a fetch" },
  "fetch.max.wait.ms": { role: "ingress", becomes: "longest wait of a fetch" },
  "fetch.min.bytes": { role: "ingress", becomes: "fewest bytes a fetch waits for" },
};

/** Properties without a meaning here that are worth more than "no meaning". */
export const UNMAPPED_PROPERTIES: Readonly<Record<string, string>> = {
  "auto.offset.reset": "autoOffsetResetPosition counts, as in StateFun",
  "enable.auto.commit": "progress is committed with the effects it caused",
  "auto.commit.interval.ms": "progress is committed with the effects it caused",
  "max.poll.records": "partitions are paused by depth and bytes (option partitionDepthMax)",
  "max.poll.interval.ms": "the consumer never waits for a function",
  "session.timeout.ms": "the option sessionTimeoutMs counts, for the whole router",
  "heartbeat.interval.ms": "it follows from the option sessionTimeoutMs",
  "partition.assignment.strategy": "shards are assigned by Dirigo's own assigner",
  "group.instance.id": "a router is known by its name (option name)",
  "group.protocol": "shards are assigned by Dirigo's own assigner",
  "key.deserializer": "keys are UTF-8 and values are passed on as they are",
  "value.deserializer": "keys are UTF-8 and values are passed on as they are",
  "key.serializer": "keys are UTF-8 and values are passed on as they are",
  "value.serializer": "keys are UTF-8 and values are passed on as they are",
  "flink.partition-discovery.interval-millis": "new partitions are always found",
  "transactional.id": "it is made of the group and the router's name",
  "transaction.timeout.ms": "the option transactionTimeoutMs counts, for the whole router",
  "enable.idempotence": "the producer is always idempotent",
  acks: "every record is acknowledged by all in-sync replicas",
  "linger.ms": "the option unitLingerMs counts, for the whole router",
  "batch.size": "the options unitRecordsMax and unitBytesMax count, for the whole router",
  "sasl.login.callback.handler.class": "tokens are fetched from sasl.oauthbearer.token.endpoint.url",
};

const SECRET = /password|jaas|secret|keystore\.key/;

/** Properties of one component by name. */
export class ClientProperties {
  readonly #places = new Map<string, Place>();

  constructor(place: Place | undefined, role: Role) {
    const pairs = place?.pairs("a list of pairs: - name: value") ?? [];
    for (const { key, value } of pairs) {
      const shown = SECRET.test(key) ? value.hide() : value;
      if (this.#places.has(key)) shown.warn("is given twice; this, the later one, counts");
      const meaning = MAPPED_PROPERTIES[key];
      if (meaning !== undefined && (meaning.role === "both" || meaning.role === role)) this.#places.set(key, shown);
      else warnUnmapped(key, shown, role);
    }
  }

  /** Undefined when not given; a given empty text counts (`ssl.endpoint.identification.algorithm:`). */
  take(name: keyof typeof MAPPED_PROPERTIES & string): Place | undefined {
    return this.#places.get(name);
  }

  text(name: string): string | undefined {
    return this.#places.get(name)?.filled();
  }

  size(name: string): number | undefined {
    return this.#places.get(name)?.size({ min: 1 });
  }

  durationMs(name: string): number | undefined {
    return this.#places.get(name)?.durationMs({ min: 1 });
  }
}

function warnUnmapped(name: string, place: Place, role: Role): void {
  const reason = UNMAPPED_PROPERTIES[name];
  if (reason !== undefined) return place.warn(`has no effect: ${reason}`);
  if (name in MAPPED_PROPERTIES) return place.warn(`has no effect in an ${role}`);
  place.warn("has no effect: this Kafka property has no meaning for Dirigo's client", {
    nearest: nearest(name, [...Object.keys(MAPPED_PROPERTIES), ...Object.keys(UNMAPPED_PROPERTIES)]),
  });
}
