/** Tasks over some processes; outcomes in the order of the tasks, however they come. */
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { Outcome, Task } from "./task";
import type { Answer } from "./task-process";

export async function performAll(
  tasks: readonly Task[],
  jobs: number,
  told: (done: number, outcome: Outcome) => void,
): Promise<Outcome[]> {
  const outcomes = new Array<Outcome>(tasks.length);
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    const child = fork(join(__dirname, "task-process.js"));
    try {
      for (let at = next++; at < tasks.length; at = next++) {
        const outcome = await ask(child, tasks[at] as Task);
        outcomes[at] = outcome;
        told(++done, outcome);
      }
    } finally {
      if (child.connected) child.disconnect();
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, tasks.length) }, work));
  return outcomes;
}

function ask(child: ChildProcess, task: Task): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null, signal: string | null) =>
      reject(new Error(`a process of the evaluation ended in the middle of ${task.arm}, ${task.x}: ${signal ?? `code ${code}`}`));
    child.once("exit", ended);
    child.once("message", (answer: Answer) => {
      child.off("exit", ended);
      if ("failure" in answer) reject(new Error(answer.failure));
      else resolve(answer.outcome);
    });
    child.send(task);
  });
}
