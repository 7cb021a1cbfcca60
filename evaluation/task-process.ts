/** Takes tasks from its parent and tells their outcomes, one at a time; ends with it. */
import { type Outcome, perform, type Task } from "./task";

export type Answer = { readonly outcome: Outcome } | { readonly failure: string };

process.on("message", (task: Task) => tell(answerTo(task)));
process.once("disconnect", () => process.exit());

function answerTo(task: Task): Answer {
  try {
    return { outcome: perform(task) };
  } catch (error) {
    return { failure: `${task.experiment}, ${task.arm}, ${task.x}: ${error instanceof Error ? error.stack : String(error)}` };
  }
}

/** A parent that has gone meanwhile wants nothing any more. */
function tell(answer: Answer): void {
  if (process.connected) process.send?.(answer);
}
