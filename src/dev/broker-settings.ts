/**
 * The settings of the development Kafka, as text: what one node needs to be quick to start, quick to recover and as
 * strict as a real cluster. Pure: the adapters beside it write the files and start the processes.
 */

/** 4.4.0 does not resolve whole from the Maven repositories (November 2026). */
export const KAFKA_VERSION = "4.3.1";
export const KAFKA_IMAGE = `apache/kafka:${KAFKA_VERSION}`;
/** The binding that Kafka's own distribution adds to `kafka_2.13` so that slf4j reaches log4j. */
const LOG4J_VERSION = "2.25.4";
const MIB = 1024 * 1024;

export type Settings = Readonly<Record<string, string>>;

export interface Ports {
  readonly broker: number;
  readonly controller: number;
}

/** What both engines share; listeners and the data directory come from the engine. */
const COMMON: Settings = {
  "node.id": "1",
  "process.roles": "broker,controller",
  "controller.listener.names": "CONTROLLER",
  "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
  "inter.broker.listener.name": "PLAINTEXT",
  "auto.create.topics.enable": "false",
  // A first member of a group need not wait for others (3 s by default).
  "group.initial.rebalance.delay.ms": "0",
  // Tests want dead members gone soon.
  "group.min.session.timeout.ms": "1000",
  "default.replication.factor": "1",
  "offsets.topic.replication.factor": "1",
  // Few internal partitions: start and recovery open every one of them (50 by default).
  "offsets.topic.num.partitions": "4",
  "transaction.state.log.replication.factor": "1",
  "transaction.state.log.min.isr": "1",
  "transaction.state.log.num.partitions": "4",
  "share.coordinator.state.topic.replication.factor": "1",
  "share.coordinator.state.topic.min.isr": "1",
  "share.coordinator.state.topic.num.partitions": "2",
  // A transaction past its timeout is aborted within a second, not ten.
  "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
  // After a kill -9 the controller waits for the former incarnation's session (9 s by default) before it lets the broker in.
  "broker.session.timeout.ms": "3000",
  "broker.heartbeat.interval.ms": "500",
  // It shares the machine with everything it serves: 8 and 3 threads (the defaults) would crowd the others out of a few cores.
  "num.io.threads": "3",
  "num.network.threads": "2",
  "log.cleaner.enable": "true",
  "log.cleaner.dedupe.buffer.size": String(32 * MIB),
  // Topics may raise max.message.bytes: a record of 64 MiB must fit into a request with room to spare.
  "socket.request.max.bytes": String(200 * MIB),
};

export function jvmSettings(ports: Ports, dataDirectory: string): Settings {
  return {
    ...COMMON,
    listeners: `PLAINTEXT://127.0.0.1:${ports.broker},CONTROLLER://127.0.0.1:${ports.controller}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${ports.broker}`,
    "controller.quorum.voters": `1@127.0.0.1:${ports.controller}`,
    "log.dirs": dataDirectory,
  };
}

/** All of the heap from the start, as Kafka's own start script has it: one that grows as needed is collected four times as often. */
function heapFlags(heap: string): readonly string[] {
  return [`-Xms${heap}`, `-Xmx${heap}`];
}

/**
 * Heap and collector as Kafka's own start scripts set them (bin/kafka-run-class.sh), which the image runs and we do not, but for one:
 * what lives through a second collection is old. By default it is copied up to 15 times, and collections take 15 ms instead of 12.
 */
export function jvmFlags(heap: string): readonly string[] {
  const collector = [
    "-XX:MaxTenuringThreshold=1",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
  ];
  return [...heapFlags(heap), ...collector, "-XX:+ExplicitGCInvokesConcurrent"];
}

/** Inside the container both listeners may bind everywhere: only the broker's port is published, on loopback. */
export function dockerSettings(port: number): Settings {
  const controller = port === 9093 ? 9094 : 9093;
  return {
    ...COMMON,
    listeners: `PLAINTEXT://0.0.0.0:${port},CONTROLLER://0.0.0.0:${controller}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "controller.quorum.voters": `1@localhost:${controller}`,
    "log.dirs": DOCKER_DATA_DIRECTORY,
  };
}

/** A volume the image declares, so that its user may write there. */
const DOCKER_DATA_DIRECTORY = "/var/lib/kafka/data";

export function properties(settings: Settings): string {
  // A backslash is an escape in a properties file.
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value.replaceAll("\\", "\\\\")}`);
  return `${lines.join("\n")}\n`;
}

/** The image reads `a.b-c_d` from `KAFKA_A_B___C__D`. */
export function environmentName(setting: string): string {
  return `KAFKA_${setting.replaceAll("_", "__").replaceAll("-", "___").replaceAll(".", "_").toUpperCase()}`;
}

export interface DockerRun {
  readonly name: string;
  readonly port: number;
  readonly heap: string;
  readonly clusterId: string;
}

/** `docker …` that starts the broker: container and volume bear the same name. */
export function dockerRunArguments(run: DockerRun): readonly string[] {
  const environment: Record<string, string> = { KAFKA_HEAP_OPTS: heapFlags(run.heap).join(" "), CLUSTER_ID: run.clusterId };
  for (const [setting, value] of Object.entries(dockerSettings(run.port))) environment[environmentName(setting)] = value;
  return [
    "run",
    "--detach",
    "--name",
    run.name,
    "--label",
    "dirigo=broker",
    "--publish",
    `127.0.0.1:${run.port}:${run.port}`,
    "--volume",
    `${run.name}:${DOCKER_DATA_DIRECTORY}`,
    ...Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    KAFKA_IMAGE,
  ];
}

/** Quiet: warnings and errors to standard output, which goes to the log file of the broker's directory. */
export function loggingProperties(): string {
  return `${[
    "status = error",
    "appender.out.type = Console",
    "appender.out.name = out",
    "appender.out.layout.type = PatternLayout",
    "appender.out.layout.pattern = %d{ISO8601} %p %c{1} %m%n",
    "rootLogger.level = warn",
    "rootLogger.appenderRef.out.ref = out",
  ].join("\n")}\n`;
}

/** What Maven copies the jars for. */
export function pom(): string {
  const dependency = (group: string, artifact: string, version: string) =>
    `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dirigo</groupId>
  <artifactId>development-kafka</artifactId>
  <version>${KAFKA_VERSION}</version>
  <packaging>pom</packaging>
  <dependencies>
${dependency("org.apache.kafka", "kafka_2.13", KAFKA_VERSION)}
${dependency("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION)}
  </dependencies>
</project>
`;
}

/** "17.0.15" → 17, "1.8.0_292" → 8; undefined when `java -version` said something else. */
export function javaMajor(versionOutput: string): number | undefined {
  const match = /version "(\d+)(?:\.(\d+))?/.exec(versionOutput);
  if (!match) return undefined;
  const first = Number(match[1]);
  return first === 1 ? Number(match[2]) : first;
}

/** 16 random bytes as Kafka writes ids; an id that begins with "-" would be read as an option by the format tool. */
export function clusterId(random: Uint8Array): string {
  return Buffer.from(random).toString("base64url").replace(/^-/, "A");
}
