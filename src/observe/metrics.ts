/**
 * Prometheus metrics, read from the engine's plain numbers when somebody scrapes: the hot path observes nothing here.
 * Names: docs/observability.md. Base units (seconds, bytes), `_total` on counters, labels never by key or id.
 */
import { type DualMeasures, leaseEnds, sectionSteps } from "./dual-measures";
import {
  type ApplicationMeasures,
  type FunctionMeasures,
  type Histogram,
  type Measures,
  missCauses,
  type SourceMeasures,
} from "./measure";
import { type AdminSources, ailments, type EndpointStatus, type ReplicaStatus, type RouterStatus, readiness } from "./status";

type Labels = Readonly<Record<string, string | number>>;

interface Reading {
  readonly value: number;
  readonly labels: Labels;
}

/** One scrape sees one moment. */
interface Moment {
  readonly measures: Measures;
  readonly status: RouterStatus;
  readonly healthy: boolean;
}

interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  read(moment: Moment): readonly (Reading | HistogramReading)[];
}

interface HistogramReading {
  readonly histogram: Histogram;
  /** Makes the histogram's numbers base units: 0.001 for ms. */
  readonly unit: number;
  readonly labels: Labels;
}

/**
 * The text format, of our families. A client library makes it too, from metrics that want to be fed on the hot path, and
 * formats the labels of each bucket anew: several times as long, on the loop that should be turning.
 */
export function metricsText(sources: AdminSources): string {
  const moment = { measures: sources.measures(), status: sources.status(), healthy: ailments(sources.signs()).length === 0 };
  let text = "";
  for (const { name, type, help, read } of families) {
    text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    for (const reading of read(moment)) {
      const labels = labelsText(reading.labels);
      if ("histogram" in reading) text += histogramText(name, labels, reading);
      else text += `${name}${labels === "" ? "" : `{${labels}}`} ${reading.value}\n`;
    }
    text += "\n";
  }
  return text;
}

function histogramText(name: string, labels: string, { histogram, unit }: HistogramReading): string {
  const bucket = `${name}_bucket{${labels === "" ? "" : `${labels},`}le="`;
  const braced = labels === "" ? "" : `{${labels}}`;
  let text = "";
  let below = 0;
  for (let i = 0; i < histogram.bounds.length; i++) {
    below += histogram.counts[i] as number;
    // 12 digits hide what binary fractions add: 0.0015, not 0.0015000000000000002.
    text += `${bucket}${Number(((histogram.bounds[i] as number) * unit).toPrecision(12))}"} ${below}\n`;
  }
  text += `${bucket}+Inf"} ${histogram.count}\n`;
  return `${text}${name}_sum${braced} ${histogram.sum * unit}\n${name}_count${braced} ${histogram.count}\n`;
}

function labelsText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${String(value).replace(/[\\"\n]/g, (found) => (found === "\n" ? "\\n" : `\\${found}`))}"`)
    .join(",");
}

const families: readonly Family[] = [
  perFunction("counter", "in_total", "Messages admitted for functions of this type.", (each) => each.in),
  perFunction("counter", "out_local_total", "Messages these functions sent to functions.", (each) => each.outLocal),
  perFunction("counter", "out_egress_total", "Messages these functions sent to egresses.", (each) => each.outEgress),
  perFunction("counter", "out_delayed_total", "Delayed messages these functions asked for.", (each) => each.outDelayed),
  perFunction(
    "counter",
    "remote_invocation_failures_total",
    "Requests that failed; each attempt counts.",
    (each) => each.failures,
  ),
  perFunction("counter", "incomplete_total", "Replies that asked for state values not yet declared.", (each) => each.incomplete),
  perFunction("gauge", "inflight_requests", "Requests sent and not answered.", (each) => each.inflight),
  perFunction("gauge", "backlog_messages", "Messages waiting in mailboxes.", (each) => each.backlog),
  perFunction("gauge", "retrying_addresses", "Addresses waiting for their next attempt.", (each) => each.retrying),
  perFunctionHistogram(
    "remote_invocation_latency_seconds",
    "From request to reply, per attempt.",
    1e-3,
    (each) => each.latencyMs,
  ),
  perFunctionHistogram(
    "queue_wait_seconds",
    "From admission of a batch's first message to its request.",
    1e-3,
    (each) => each.queueWaitMs,
  ),
  perFunctionHistogram("batch_messages", "Messages in one request.", 1, (each) => each.batchSize),

  perSource("counter", "received_total", "Records received.", (each) => [{ value: each.received, labels: {} }]),
  perSource("counter", "skipped_total", "Records skipped, by defect.", (each) => [
    { value: each.skippedNullKey, labels: { defect: "null_key" } },
    { value: each.skippedTombstone, labels: { defect: "tombstone" } },
  ]),
  perSource("gauge", "outstanding_records", "Records received and not finished.", (each) => [
    { value: each.outstanding, labels: {} },
  ]),
  {
    name: "dirigo_ingress_paused_partitions",
    type: "gauge",
    help: "Partitions paused, by reason; a partition paused for two reasons counts in both.",
    read: ({ status }) => pausedByReason(status),
  },
  perSource("histogram", "end_to_end_seconds", "From a record's arrival to the commit of all its direct effects.", (each) => [
    { histogram: each.endToEndMs, unit: 1e-3, labels: {} },
  ]),

  perApplication("counter", "slo_met_total", "Outputs committed by their deadline.", (each) => [{ value: each.met, labels: {} }]),
  perApplication("counter", "slo_missed_total", "Outputs committed too late, by where most of their time went.", (each) =>
    missCauses.map((cause) => ({ value: each.missed[cause], labels: { cause } })),
  ),
  perApplication("histogram", "laxity_seconds", "At dispatch: latest start minus now; negative is late.", (each) => [
    { histogram: each.laxityMs, unit: 1e-3, labels: {} },
  ]),

  perDual(
    "counter",
    "leases_granted_total",
    "Lessees opened because a message would have been late, or waited long, on the lanes there were.",
    (each) => each.leasesGranted,
  ),
  perDual("gauge", "lessees", "Lessees open now.", (each) => each.lessees),
  perDual("counter", "forwarded_total", "Messages given to lessees.", (each) => each.forwarded),
  perDual("counter", "sections_total", "Sections with critical messages.", (each) => each.sections),
  perDual("counter", "critical_messages_total", "Critical messages run in sections.", (each) => each.criticalMessages),
  perDual("counter", "late_barriers_total", "Critical messages whose barrier was done already.", (each) => each.lateBarriers),
  perDual("counter", "merge_failures_total", "Merges of partial states that failed in the router.", (each) => each.mergeFailures),
  perDual("counter", "control_messages_total", "Steps of the control protocol.", (each) => each.controlMessages),
  perDual("gauge", "held_messages", "Messages held behind barriers.", (each) => each.held),
  perDual("gauge", "held_bytes", "Bytes of messages held behind barriers.", (each) => each.heldBytes),
  perDualOf("counter", "leases_ended_total", "Lessees ended, by what ended them.", (each) =>
    leaseEnds.map((reason) => ({ value: each.leasesEnded[reason], labels: { reason } })),
  ),
  perDualOf("histogram", "section_seconds", "Sections with critical messages, by step.", (each) =>
    sectionSteps.map((step) => ({ histogram: each.stepMs[step], unit: 1e-3, labels: { step } })),
  ),

  single("counter", "dirigo_unit_committed_total", "Units committed.", ({ measures }) => measures.units.committed),
  single("counter", "dirigo_unit_failed_total", "Units that did not land.", ({ measures }) => measures.units.failed),
  single("counter", "dirigo_unit_bytes_total", "Bytes written in units.", ({ measures }) => measures.units.bytes),
  {
    name: "dirigo_unit_records",
    type: "histogram",
    help: "Records in one unit.",
    read: ({ measures }) => [{ histogram: measures.units.size, unit: 1, labels: {} }],
  },
  {
    name: "dirigo_unit_commit_seconds",
    type: "histogram",
    help: "From asking for a unit's commit to its outcome.",
    read: ({ measures }) => [{ histogram: measures.units.commitMs, unit: 1e-3, labels: {} }],
  },
  single(
    "gauge",
    "dirigo_unit_last_commit_timestamp_seconds",
    "When the last unit was committed; 0 = none yet.",
    ({ measures }) => measures.units.lastCommitMs / 1000,
  ),

  {
    name: "dirigo_shards",
    type: "gauge",
    help: "Shards of this router, by phase.",
    read: ({ status }) =>
      count(status.shards.map((shard) => shard.phase)).map(([phase, value]) => ({ value, labels: { phase } })),
  },
  single("gauge", "dirigo_restored_records", "Changelog records read to restore the shards held now.", ({ status }) =>
    status.shards.reduce((sum, shard) => sum + shard.restoredRecords, 0),
  ),
  single("gauge", "dirigo_restored_bytes", "Changelog bytes read to restore the shards held now.", ({ status }) =>
    status.shards.reduce((sum, shard) => sum + shard.restoredBytes, 0),
  ),
  single("gauge", "dirigo_ready", "1 = shards are restored and running.", ({ status }) => (readiness(status).ready ? 1 : 0)),
  single("gauge", "dirigo_healthy", "1 = /healthz answers 200.", ({ healthy }) => (healthy ? 1 : 0)),

  perEndpoint("concurrency", "Requests the endpoint may have in flight.", (each) => each.concurrency),
  perEndpoint("inflight_requests", "Requests the endpoint has in flight.", (each) => each.inFlight),
  perEndpoint("queued_addresses", "Addresses with work that wait for a slot.", (each) => each.queued),
  perReplica("concurrency", "Requests the replica may have in flight; 0 while it is given nothing.", (each) => each.concurrency),
  perReplica("inflight_requests", "Requests the replica has in flight.", (each) => each.inFlight),
  perReplica("avoided", "1 = it failed, and others of its endpoint are asked instead.", (each) =>
    each.health === "well" ? 0 : 1,
  ),

  single("gauge", "dirigo_actors", "Actors held in memory.", ({ measures }) => measures.actors),
  single("gauge", "dirigo_state_bytes", "Bytes of state values held in memory.", ({ measures }) => measures.stateBytes),
  single("gauge", "dirigo_delayed_messages", "Delayed messages waiting for their time.", ({ measures }) => measures.delayed),
  single("gauge", "dirigo_mailbox_bytes", "Bytes of messages waiting in mailboxes.", ({ measures }) => measures.mailboxBytes),
  single("gauge", "dirigo_inflight_requests", "Requests in flight to all endpoints.", ({ measures }) => measures.inflight),
  single(
    "counter",
    "dirigo_stale_events_total",
    "Late answers dropped: they belong to an older epoch.",
    ({ measures }) => measures.staleEvents,
  ),
  single(
    "counter",
    "dirigo_policy_faults_total",
    "Errors thrown by the scheduling policy.",
    ({ measures }) => measures.policyFaults,
  ),
  {
    name: "dirigo_build_info",
    type: "gauge",
    help: "Always 1; what runs is in the labels.",
    read: ({ status }) => [{ value: 1, labels: { group: status.group, router: status.router, version: status.version } }],
  },
];

function single(type: Family["type"], name: string, help: string, of: (moment: Moment) => number): Family {
  return { name, type, help, read: (moment) => [{ value: of(moment), labels: {} }] };
}

function perFunction(type: Family["type"], suffix: string, help: string, of: (each: FunctionMeasures) => number): Family {
  return {
    name: `dirigo_function_${suffix}`,
    type,
    help,
    read: ({ measures }) => measures.functions.map((each) => ({ value: of(each), labels: { function: each.typename } })),
  };
}

function perFunctionHistogram(suffix: string, help: string, unit: number, of: (each: FunctionMeasures) => Histogram): Family {
  return {
    name: `dirigo_function_${suffix}`,
    type: "histogram",
    help,
    read: ({ measures }) =>
      measures.functions.map((each) => ({ histogram: of(each), unit, labels: { function: each.typename } })),
  };
}

function perSource(
  type: Family["type"],
  suffix: string,
  help: string,
  of: (each: SourceMeasures) => readonly (Reading | HistogramReading)[],
): Family {
  return {
    name: `dirigo_ingress_${suffix}`,
    type,
    help,
    read: ({ measures }) =>
      measures.sources.flatMap((each) =>
        of(each).map((reading) => ({ ...reading, labels: { ingress: each.ingress, topic: each.topic, ...reading.labels } })),
      ),
  };
}

function perApplication(
  type: Family["type"],
  suffix: string,
  help: string,
  of: (each: ApplicationMeasures) => readonly (Reading | HistogramReading)[],
): Family {
  return {
    name: `dirigo_application_${suffix}`,
    type,
    help,
    read: ({ measures }) =>
      measures.applications.flatMap((each) =>
        of(each).map((reading) => ({ ...reading, labels: { application: each.name, ...reading.labels } })),
      ),
  };
}

function perDual(type: Family["type"], suffix: string, help: string, of: (each: DualMeasures) => number): Family {
  return perDualOf(type, suffix, help, (each) => [{ value: of(each), labels: {} }]);
}

function perDualOf(
  type: Family["type"],
  suffix: string,
  help: string,
  of: (each: DualMeasures) => readonly (Reading | HistogramReading)[],
): Family {
  return {
    name: `dirigo_dual_${suffix}`,
    type,
    help,
    read: ({ measures }) =>
      measures.dualTypes.flatMap((each) =>
        of(each).map((reading) => ({ ...reading, labels: { function: each.typename, ...reading.labels } })),
      ),
  };
}

function perEndpoint(suffix: string, help: string, of: (each: EndpointStatus) => number): Family {
  return {
    name: `dirigo_endpoint_${suffix}`,
    type: "gauge",
    help,
    read: ({ status }) => status.endpoints.map((each) => ({ value: of(each), labels: { endpoint: each.id } })),
  };
}

function perReplica(suffix: string, help: string, of: (each: ReplicaStatus) => number): Family {
  return {
    name: `dirigo_replica_${suffix}`,
    type: "gauge",
    help,
    read: ({ status }) =>
      status.endpoints.flatMap(({ id, replicas }) =>
        replicas.map((each) => ({ value: of(each), labels: { endpoint: id, replica: each.url } })),
      ),
  };
}

function pausedByReason(status: RouterStatus): Reading[] {
  const sources = new Map<string, { labels: Labels; reasons: string[] }>();
  for (const { ingress, topic, pausedReasons } of status.inputs) {
    const key = `${ingress} ${topic}`;
    const source = sources.get(key) ?? { labels: { ingress, topic }, reasons: [] };
    source.reasons.push(...pausedReasons);
    sources.set(key, source);
  }
  return [...sources.values()].flatMap(({ labels, reasons }) =>
    count(reasons).map(([reason, value]) => ({ value, labels: { ...labels, reason } })),
  );
}

function count(words: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts];
}
