/**
 * What producing costs: begin, one write, commit, back to back, through the router's sink and through kafkajs's own producer (two in turn, too).
 *   node dist/bench/kafka-sink.js localhost:9092 [sink|kafkajs] [seconds]
 * Prints records/s, CPU µs of this process per record, and latency of a unit, for 100-byte records in units of several sizes.
 */
import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { Kafka, logLevel } from "kafkajs";
import { Link } from "../src/cluster/link";
import { TopicLimits } from "../src/cluster/topics";
import { KafkaSink } from "../src/egress/kafka-sink";
import type { Event } from "../src/event";
import type { OutputRecord } from "../src/model/record";

const partitions = 8;
const unitSizes = [1, 32, 100, 500, 2000];

type Commit = (records: readonly OutputRecord[]) => Promise<void>;

async function main(address: string, which: string, seconds: number): Promise<void> {
  const topic = `bench-sink-${randomUUID()}`;
  const kafka = new Kafka({
    brokers: [address],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 5, factor: 0.2, retries: 20 },
  });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }], waitForLeaders: true });
  const { commit, close } = which === "kafkajs" ? await openKafkajs(kafka, topic) : await openSink(address, topic);
  console.log(`${which}: unit   records/s   CPU µs/record   unit p50 ms   p99 ms`);
  for (const size of unitSizes) {
    await measure(commit, size, 0.5); // warm
    const { rate, cpu, p50, p99 } = await measure(commit, size, seconds);
    console.log(
      [
        String(size).padStart(14),
        rate.toFixed(0).padStart(11),
        cpu.toFixed(2).padStart(15),
        p50.toFixed(2).padStart(13),
        p99.toFixed(2).padStart(8),
      ].join(""),
    );
  }
  await close();
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
}

async function measure(commit: Commit, size: number, seconds: number) {
  const value = Buffer.alloc(100, "x");
  const records: OutputRecord[] = Array.from({ length: size }, (_, i) => ({
    partition: i % partitions,
    key: `key-${i}`,
    value,
    headers: undefined,
    timestampMs: undefined,
  }));
  const latencies: number[] = [];
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  while (performance.now() - start < seconds * 1000) {
    const before = performance.now();
    await commit(records);
    latencies.push(performance.now() - before);
  }
  const elapsed = performance.now() - start;
  const { user, system } = process.cpuUsage(cpuBefore);
  const count = latencies.length * size;
  latencies.sort((a, b) => a - b);
  const quantile = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0;
  return { rate: (count / elapsed) * 1000, cpu: (user + system) / count, p50: quantile(0.5), p99: quantile(0.99) };
}

async function openSink(address: string, topic: string) {
  const specification = {
    name: address,
    brokers: [address],
    clientId: undefined,
    ssl: false,
    sasl: undefined,
    connectionTimeoutMs: undefined,
    requestTimeoutMs: undefined,
  };
  const log = () => {};
  const link = new Link(specification, log);
  const linkTo = () => link;
  let told: (event: Event) => void = () => {};
  const limits = new TopicLimits(linkTo, log);
  const sink = new KafkaSink({ transactionTimeoutMs: 30_000, cluster: address, linkTo, limits }, (event) => told(event), log);
  await sink.open(1, [`a-${topic}`, `b-${topic}`]);
  let unit = 0;
  const commit: Commit = (records) =>
    new Promise((resolve, reject) => {
      told = (event) => (event.kind === "unit_committed" ? resolve() : reject(new Error(JSON.stringify(event))));
      void sink.commit(++unit, [], [{ cluster: address, topic, records: records as OutputRecord[] }]);
    });
  const close = async () => {
    sink.close();
    await link.close();
  };
  return { commit, close };
}

async function openKafkajs(kafka: Kafka, topic: string) {
  const producers = ["a", "b"].map((name) =>
    kafka.producer({
      transactionalId: `${name}-${topic}`,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    }),
  );
  await Promise.all(producers.map((producer) => producer.connect()));
  let turn = 0;
  const commit: Commit = async (records) => {
    const producer = producers[turn++ % producers.length];
    if (producer === undefined) return;
    const transaction = await producer.transaction();
    const messages = records.map(({ partition, key, value }) => ({ partition, key: key as string, value: value as Buffer }));
    await transaction.sendBatch({ topicMessages: [{ topic, messages }] });
    await transaction.commit();
  };
  const close = async () => {
    await Promise.all(producers.map((producer) => producer.disconnect()));
  };
  return { commit, close };
}

const [address = "localhost:9092", which = "sink", seconds = "4"] = process.argv.slice(2);
main(address, which, Number(seconds)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
