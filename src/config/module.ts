/**
 * The face of the configuration: module.yaml files become one frozen ModuleSpecification, and everything that is wrong or has no effect
 * is told with its place. Pure: files are read by `fs-modules.ts`.
 */
import { LineCounter, parseAllDocuments } from "yaml";
import { type ApplicationDraft, checkApplications, readApplication } from "./application";
import { Clusters } from "./cluster";
import { type EgressDraft, readEgress, readRawEgress } from "./egress";
import { type EndpointDraft, readEndpoint } from "./endpoint";
import { type Finding, nearest, type Report } from "./finding";
import { frozen } from "./frozen";
import { type FunctionDraft, readFunction } from "./function";
import { checkFunctions, finishFunctions, type Surroundings } from "./function-links";
import { type IngressDraft, readIngress } from "./ingress";
import { type Component, isLegacy, readLegacy } from "./legacy";
import { type Located, Place, type Sheet } from "./place";
import type { Environment } from "./placeholder";
import { Served } from "./served";
import type { ClusterSpecification, EgressSpecification, ModuleSpecification, SourceSpecification } from "./specification";
import {
  APPLICATION,
  EGRESS,
  ENDPOINT_V1,
  ENDPOINT_V2,
  FUNCTION,
  INGRESS,
  KINDS,
  type Kind,
  RAW_EGRESS,
  REFUSED_KINDS,
  SHAPES,
} from "./vocabulary";

export interface ModuleFile {
  readonly path: string;
  readonly text: string;
  /** Looks for a file that this one names, from its folder. */
  readonly locate?: (path: string) => Located;
}

export interface LoadOptions {
  /** From `--brokers` or the environment: what components without an address use, and where the internal topics live. */
  readonly brokers?: readonly string[] | undefined;
}

/** What options fall back to. */
export interface ModuleDefaults {
  /** Of the internal topics. */
  readonly cluster: ClusterSpecification;
  /** `consumerGroupId` of the first ingress. */
  readonly group: string | undefined;
  /** Somebody named brokers: a component, or the caller. */
  readonly brokersGiven: boolean;
  /** Unset variables that whole addresses consist of (`${KAFKA:-localhost:9092}`): `dev` may set them to its own broker. */
  readonly brokerVariables: readonly string[];
}

export interface LoadedModule {
  readonly module: ModuleSpecification;
  readonly defaults: ModuleDefaults;
  /** Not empty: the module cannot be started; `module` is then what could be read. */
  readonly findings: readonly Finding[];
  /** What has no effect, or another one than it seems. */
  readonly warnings: readonly Finding[];
}

export function loadModule(files: readonly ModuleFile[], environment: Environment, options: LoadOptions = {}): LoadedModule {
  const report: Report = { findings: [], warnings: [] };
  const drafts = new Drafts();
  const roots = files.flatMap((file) => parseFile(file, environment, report));
  drafts.incomplete = report.findings.length > 0;
  for (const root of roots) drafts.read(root);
  drafts.check();
  if (drafts.ingresses.length === 0 && !drafts.incomplete) {
    const file = files.map(({ path }) => path).join(", ");
    report.findings.push({
      file,
      problem: "there is no ingress, so nothing would ever happen",
      expected: `a document of kind ${INGRESS}`,
    });
  }
  const clusters = new Clusters(
    [...drafts.ingresses, ...drafts.egresses].map(({ cluster }) => cluster),
    options.brokers,
  );
  drafts.checkTopics(clusters);
  const defaults = drafts.defaults(clusters, options.brokers !== undefined);
  if (!defaults.brokersGiven) drafts.warnUnaddressed();
  const findings = inOrder(report.findings, files);
  const warnings = inOrder(report.warnings, files);
  return frozen({ module: drafts.finish(clusters), defaults, findings, warnings });
}

/** As one reads the files, whatever order the checks ran in. */
function inOrder(findings: readonly Finding[], files: readonly ModuleFile[]): readonly Finding[] {
  const place = (finding: Finding) => files.findIndex(({ path }) => path === finding.file);
  return [...findings].sort((left, right) => place(left) - place(right) || (left.line ?? 0) - (right.line ?? 0));
}

function parseFile(file: ModuleFile, environment: Environment, report: Report): readonly Place[] {
  const lines = new LineCounter();
  // Repeated keys are told by Fields as a warning, because StateFun takes them.
  const parsed = parseAllDocuments(file.text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
  if (!Array.isArray(parsed)) return [];
  return parsed.flatMap((document, index) => {
    const { path, locate } = file;
    const sheet: Sheet = { file: path, document: index + 1, parsed: document, lines, environment, report, locate };
    for (const error of document.errors) {
      const { line } = lines.linePos(error.pos[0]);
      report.findings.push({ file: file.path, line, document: index + 1, problem: `is not YAML: ${error.message}` });
    }
    const root = new Place(sheet, "", document.contents);
    return document.errors.length > 0 || root.absent ? [] : [root];
  });
}

/** Components as read, before they know each other. */
class Drafts {
  readonly endpoints: EndpointDraft[] = [];
  readonly ingresses: IngressDraft[] = [];
  readonly egresses: EgressDraft[] = [];
  readonly applications: ApplicationDraft[] = [];
  readonly functions: FunctionDraft[] = [];
  /** A document could not be told what it is: what seems to be missing may stand there. */
  incomplete = false;

  read(root: Place): void {
    const components = isLegacy(root) ? readLegacy(root) : [readComponent(root)];
    if (components.length === 0) this.incomplete = true;
    for (const component of components) this.#add(component);
  }

  #add(component: Component | undefined): void {
    const before = this.#count;
    switch (component?.kind) {
      case ENDPOINT_V1:
        this.endpoints.push(readEndpoint(component.spec, "v1"));
        break;
      case ENDPOINT_V2:
        this.endpoints.push(readEndpoint(component.spec, "v2"));
        break;
      case INGRESS:
        pushRead(this.ingresses, readIngress(component.spec, component.id));
        break;
      case EGRESS:
        pushRead(this.egresses, readEgress(component.spec, component.id));
        break;
      case RAW_EGRESS:
        pushRead(this.egresses, readRawEgress(component.spec));
        break;
      case APPLICATION:
        pushRead(this.applications, readApplication(component.spec));
        break;
      case FUNCTION:
        pushRead(this.functions, readFunction(component.spec));
        break;
    }
    if (this.#count === before) this.incomplete = true;
  }

  check(): void {
    const functions = this.endpoints.flatMap((endpoint) => endpoint.functions);
    refuseTwins("function entry of another endpoint", functions);
    refuseTwins(
      "id of another ingress",
      this.ingresses.flatMap(({ id }) => id ?? []),
    );
    refuseTwins(
      "id of another egress",
      this.egresses.flatMap(({ id }) => id ?? []),
    );
    refuseTwins(
      "name of another application",
      this.applications.flatMap(({ name }) => name ?? []),
    );
    refuseTwins(
      "function entry of another document",
      this.functions.flatMap(({ named }) => named),
    );
    checkApplications(this.applications, this.#ingressesKnown ? this.ingresses.map(({ id }) => id?.text ?? "") : undefined);
    const surroundings = this.#surroundings();
    checkFunctions(surroundings);
    const { served } = surroundings;
    for (const { typename, place } of this.ingresses.flatMap(({ sources }) => sources.flatMap(({ targets }) => targets))) {
      if (served?.has(typename) === false) served.tellUnserved(typename, place);
    }
  }

  /** A topic is read once: two readers would have one progress. */
  checkTopics(clusters: Clusters): void {
    const readers = new Map<string, Place>();
    for (const ingress of this.ingresses) {
      for (const { specification, topic } of ingress.sources) {
        const key = `${clusters.of(ingress.cluster).brokers.join(",")} ${specification.topic}`;
        const earlier = readers.get(key);
        if (earlier === undefined) readers.set(key, topic);
        else {
          topic.fail(`is already read by the ingress at ${earlier.position}`, {
            value: specification.topic,
            expected: "a topic named once, with all its targets",
          });
        }
      }
    }
  }

  defaults(clusters: Clusters, brokersGiven: boolean): ModuleDefaults {
    const components = [...this.ingresses, ...this.egresses];
    return {
      cluster: clusters.default(),
      group: this.ingresses[0]?.consumerGroupId,
      brokersGiven: brokersGiven || components.some(({ cluster }) => cluster.brokers !== undefined),
      brokerVariables: [...new Set(components.flatMap(({ addressUnset }) => addressUnset ?? []))],
    };
  }

  warnUnaddressed(): void {
    for (const { cluster } of [...this.ingresses, ...this.egresses]) {
      if (cluster.addressed) continue;
      cluster.place.warn("names no address, so the brokers must come from elsewhere", {
        expected: "address: host:port here, --brokers, or KAFKA_BOOTSTRAP_SERVERS (dev starts a broker of its own)",
      });
    }
  }

  finish(clusters: Clusters): ModuleSpecification {
    return {
      endpoints: this.endpoints.flatMap(({ specification }) => specification ?? []),
      sources: this.ingresses.flatMap(({ cluster, sources }) =>
        sources.map(({ specification }): SourceSpecification => ({ ...specification, cluster: clusters.of(cluster) })),
      ),
      egresses: this.egresses.map(
        ({ cluster, specification }): EgressSpecification => ({ ...specification, cluster: clusters.of(cluster) }),
      ),
      applications: this.applications.map(({ specification }) => specification),
      functions: finishFunctions(this.#surroundings()),
    };
  }

  /** What one kind has to know of the others. */
  #surroundings(): Surroundings {
    const endpointsKnown = !this.incomplete && this.endpoints.every((endpoint) => endpoint.functions.length > 0);
    return {
      functions: this.functions,
      ingresses: this.ingresses,
      served: endpointsKnown
        ? new Served(this.endpoints.flatMap(({ functions }) => functions.map(({ text }) => text)))
        : undefined,
      ingressesKnown: this.#ingressesKnown,
      functionsKnown: !this.incomplete && this.functions.every(({ complete }) => complete),
    };
  }

  get #ingressesKnown(): boolean {
    return !this.incomplete && this.ingresses.every(({ id }) => id !== undefined);
  }

  get #count(): number {
    const read = [this.endpoints, this.ingresses, this.egresses, this.applications, this.functions];
    return read.reduce((count, drafts) => count + drafts.length, 0);
  }
}

function pushRead<Draft>(drafts: Draft[], draft: Draft | undefined): void {
  if (draft !== undefined) drafts.push(draft);
}

function readComponent(root: Place): Component | undefined {
  const fields = root.fields(SHAPES.document);
  const kindPlace = fields?.need("kind", KINDS.join(", "));
  const spec = fields?.need("spec", "the options of this component");
  const kind = kindPlace === undefined ? undefined : readKind(kindPlace);
  return kind === undefined || spec === undefined ? undefined : { kind, spec };
}

function readKind(place: Place): Kind | undefined {
  const text = place.text(KINDS.join(", "));
  const kind = KINDS.find((known) => known === text);
  if (text === undefined || kind !== undefined) return kind;
  return place.fail(REFUSED_KINDS[text] ?? "is not a known kind", {
    value: text,
    expected: KINDS.join(", "),
    nearest: text in REFUSED_KINDS ? undefined : nearest(text, KINDS),
  });
}

function refuseTwins(noun: string, names: readonly { readonly text: string; readonly place: Place }[]): void {
  const seen = new Map<string, Place>();
  for (const { text, place } of names) {
    const earlier = seen.get(text);
    if (earlier === undefined) seen.set(text, place);
    else place.fail(`is also the ${noun}, at ${earlier.position}`, { value: text, expected: "a name of its own" });
  }
}
