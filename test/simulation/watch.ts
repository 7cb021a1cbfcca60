/** What must hold after each turn of a router, seen from outside: counters, bounds, and that no slot stays free while work waits. */
import type { RouterProcess } from "./router-process";
import { type Checker, Violation } from "./violation";
import type { World } from "./world";

/** Restate's class of bug: a message that could run, and nothing that will ever run it. */
const UNSCHEDULED_MAX_MS = 1_000;

export class Watch {
  /** Per process: since when a slot has been free while something was ready. */
  readonly #idleSince = new Map<string, number>();

  constructor(private readonly world: World) {}

  turn(process: RouterProcess): void {
    const { measures } = process.engine;
    if (
      measures.mailboxBytes < 0 ||
      measures.inflight < 0 ||
      measures.delayed < 0 ||
      measures.actors < 0 ||
      measures.stateBytes < 0
    ) {
      const { mailboxBytes, inflight, delayed, actors, stateBytes } = measures;
      fail(
        "memory stays within bounds",
        `a counter of ${process.name} is negative: ${JSON.stringify({ mailboxBytes, inflight, delayed, actors, stateBytes })}`,
      );
    }
    const { fetchRecordsMax, partitions } = this.world.scenario;
    for (const [index, source] of measures.sources.entries()) {
      // What was fetched when the pause came still arrives, once per partition.
      const most = (partitions[index] ?? 0) * (process.options.partitionDepthMax + 2 * fetchRecordsMax);
      if (source.outstanding < 0 || (!this.world.dual && source.outstanding > most)) {
        fail(
          "memory stays within bounds",
          `${source.outstanding} unfinished records of ${source.topic} in ${process.name}; at most ${most} may be`,
        );
      }
    }
    for (const each of measures.functions) {
      if (each.backlog < 0 || each.inflight < 0 || each.retrying < 0)
        fail("memory stays within bounds", `a counter of ${each.typename} is negative`);
    }
    this.#idleSlots(process);
  }

  #idleSlots(process: RouterProcess): void {
    const { engine } = process;
    const now = this.world.agenda.now;
    let stuck = false;
    if (engine.tenure.phase.kind === "running" && !process.sink.committing) {
      for (const { workers, queues } of engine.life.router.endpoints) {
        // Where a queue has one worker, nothing waits for one that is closed.
        const closed = (open: boolean) => !open && queues.length > 1;
        if (workers.some(({ queue, free, open }) => queue.length > 0 && (free || closed(open)))) stuck = true;
      }
      stuck ||= this.#forgotten(process);
    }
    if (!stuck) {
      this.#idleSince.delete(process.name);
      return;
    }
    const since = this.#idleSince.get(process.name);
    if (since === undefined) this.#idleSince.set(process.name, now);
    else if (now - since > UNSCHEDULED_MAX_MS) {
      fail(
        "no runnable message waits unscheduled",
        `${process.name} has had a free slot and waiting messages for ${now - since} ms`,
      );
    }
  }

  /** Messages wait, nothing runs, nothing rests: whatever should run them has forgotten them. */
  #forgotten(process: RouterProcess): boolean {
    let backlog = 0;
    let busy = 0;
    for (const each of process.engine.measures.functions) {
      backlog += each.backlog;
      busy += each.inflight + each.retrying;
    }
    return backlog > 0 && busy === 0;
  }

  /** A reader is about to take in more. */
  fetching(process: RouterProcess, index: number): void {
    const { mailboxBytes } = process.engine.measures;
    const input = process.engine.life.intake.inputs.get(index);
    // What is held behind barriers has a bound of its own; once released, it waits for the partition to be read on.
    const most = process.options.partitionDepthMax + this.world.scenario.fetchRecordsMax;
    const runnable = (input?.progress?.outstanding ?? 0) - (input?.held ?? 0);
    if (process.phase === "running" && this.world.dual && !this.world.tooth && runnable > most)
      fail("memory stays within bounds", `${process.name} reads on with ${runnable} unfinished records of a partition`);
    if (process.phase !== "running" || mailboxBytes <= process.options.mailboxBytesMax) return;
    fail(
      "memory stays within bounds",
      `${process.name} reads on with ${mailboxBytes} bytes in mailboxes; ${process.options.mailboxBytesMax} is the bound`,
    );
  }
}

function fail(checker: Checker, detail: string): never {
  throw new Violation(checker, detail);
}
