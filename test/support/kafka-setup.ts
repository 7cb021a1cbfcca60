/** Before the kafka tests: one broker for all of them. */
import { brokerUp } from "../../src/dev/broker";
import { makeTestDirectory, sweepAbandonedDirectories } from "./test-directory";

/** Tests read the address here; workers inherit the environment. */
export const ADDRESS_VARIABLE = "DIRIGO_TEST_KAFKA";
/** Set when the run has a broker of its own, for the teardown. */
export const DIRECTORY_VARIABLE = "DIRIGO_TEST_KAFKA_DIRECTORY";

export default async function setup(): Promise<void> {
  if (process.env[ADDRESS_VARIABLE]) return;
  await sweepAbandonedDirectories();
  const directory = makeTestDirectory();
  process.env[DIRECTORY_VARIABLE] = directory;
  const broker = await brokerUp({ port: 0, directory, say: (line) => process.stderr.write(`${line}\n`) });
  process.env[ADDRESS_VARIABLE] = broker.bootstrap;
}
