/** Takes tasks from its parent and tells their outcomes, one at a time; ends with it. */
import { perform, type Task } from "./task";

process.on("message", (task: Task) => {
  try {
    process.send?.({ outcome: perform(task) });
  } catch (error) {
    process.send?.({
      failure: `${task.experiment}, ${task.arm}, ${task.x}: ${error instanceof Error ? error.stack : String(error)}`,
    });
  }
});
process.once("disconnect", () => process.exit());
