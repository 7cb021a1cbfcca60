/** After the kafka tests: the run's own broker ends, a given one stays. */
import { DIRECTORY_VARIABLE } from "./kafka-setup";
import { removeTestDirectory } from "./test-directory";

export default async function teardown(): Promise<void> {
  const directory = process.env[DIRECTORY_VARIABLE];
  if (directory !== undefined) await removeTestDirectory(directory);
}
