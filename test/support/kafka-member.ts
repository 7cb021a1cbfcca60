/** A process of its own with nothing but the Kafka adapter, for tests that kill it. Argument: AdapterSettings as JSON. */
import { type AdapterSettings, TestAdapter } from "./kafka-adapter";

const settings = JSON.parse(process.argv[2] ?? "{}") as AdapterSettings;
void TestAdapter.start(settings).then(async (adapter) => {
  await adapter.wait("assignment_changed");
  process.stdout.write("joined\n");
});
