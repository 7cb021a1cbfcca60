import {
  clusterId,
  dockerRunArguments,
  dockerSettings,
  environmentName,
  javaMajor,
  jvmSettings,
  KAFKA_IMAGE,
  pom,
  properties,
} from "../../src/dev/broker-settings";

describe("the settings of the development Kafka", () => {
  const jvm = jvmSettings({ broker: 19092, controller: 19093 }, "/data");

  test("keep the broker on loopback", () => {
    expect(jvm).toMatchObject({
      listeners: "PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093",
      "advertised.listeners": "PLAINTEXT://127.0.0.1:19092",
      "controller.quorum.voters": "1@127.0.0.1:19093",
      "log.dirs": "/data",
    });
  });

  test("are the same for both engines but for the listeners and the data directory", () => {
    const own = ["listeners", "controller.quorum.voters", "log.dirs"];
    const common = (settings: object) => Object.entries(settings).filter(([name]) => !own.includes(name));
    expect(common(dockerSettings(19092))).toEqual(common(jvm));
  });

  test("let one node hold every internal topic", () => {
    const factors = Object.entries(jvm).filter(([name]) => /replication\.factor$|min\.isr$/.test(name));
    expect(factors.length).toBeGreaterThanOrEqual(6);
    expect(factors.filter(([, value]) => value !== "1")).toEqual([]);
  });

  test("take a request with a record of 64 MiB", () => {
    expect(Number(jvm["socket.request.max.bytes"])).toBeGreaterThan(64 * 1024 * 1024 * 1.5);
  });

  test("are written as Java reads them", () => {
    expect(properties({ "a.b": "1", path: "C:\\kafka" })).toBe("a.b=1\npath=C:\\\\kafka\n");
  });
});

describe("the Docker path", () => {
  test.each([
    ["log.dirs", "KAFKA_LOG_DIRS"],
    ["group.initial.rebalance.delay.ms", "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS"],
    ["a-b_c.d", "KAFKA_A___B__C_D"],
  ])("names the setting %s %s", (setting, variable) => {
    expect(environmentName(setting)).toBe(variable);
  });

  test("publishes the port on loopback only, labels what is ours and keeps the data in a volume", () => {
    const args = dockerRunArguments({ name: "dirigo-broker-x", port: 19092, heap: "1g", clusterId: "abc" });
    const after = (flag: string) => args.filter((_, index) => args[index - 1] === flag);
    expect(args.slice(0, 2)).toEqual(["run", "--detach"]);
    expect(after("--name")).toEqual(["dirigo-broker-x"]);
    expect(after("--label")).toEqual(["dirigo=broker"]);
    expect(after("--publish")).toEqual(["127.0.0.1:19092:19092"]);
    expect(after("--volume")).toEqual(["dirigo-broker-x:/var/lib/kafka/data"]);
    expect(after("--env")).toEqual(
      expect.arrayContaining([
        "KAFKA_HEAP_OPTS=-Xms1g -Xmx1g",
        "CLUSTER_ID=abc",
        "KAFKA_LISTENERS=PLAINTEXT://0.0.0.0:19092,CONTROLLER://0.0.0.0:9093",
        "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:19092",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE=false",
      ]),
    );
    expect(args.at(-1)).toBe(KAFKA_IMAGE);
  });

  test("finds the controller another port when the broker wants its usual one", () => {
    expect(dockerSettings(9093).listeners).toBe("PLAINTEXT://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094");
  });
});

test.each([
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['java version "1.8.0_292"', 8],
  ['openjdk version "21" 2023-09-19', 21],
  ['openjdk version "25-ea" 2025-09-16', 25],
  ["The operation couldn't be completed. Unable to locate a Java Runtime.", undefined],
])("%s is Java %s", (said, major) => {
  expect(javaMajor(said)).toBe(major);
});

test("a cluster id never looks like an option", () => {
  for (let first = 0; first < 256; first++) {
    const bytes = new Uint8Array(16).fill(255);
    bytes[0] = first;
    expect(clusterId(bytes)).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
  }
});

test("the pom asks for Kafka and the binding that lets it log", () => {
  expect(pom()).toContain("<artifactId>kafka_2.13</artifactId><version>4.3.1</version>");
  expect(pom()).toContain("<artifactId>log4j-slf4j-impl</artifactId>");
});
