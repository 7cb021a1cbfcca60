/** What every demo does around its own work: it tells what came out, and ends what it started, also when it is interrupted. */

export interface Demo {
  /** Gives the differences from the direct computation. */
  run(): Promise<readonly string[]>;
  /** Ends what was started; may be called again. */
  end(): Promise<void>;
  report(): readonly string[];
}

export interface Verdict {
  /** The line when there is no difference. */
  readonly right: string;
  /** How the line begins that counts the differences. */
  readonly wrong: string;
  /** In front of each difference. */
  readonly indent: string;
}

const shownMax = 50;

/** Gives the exit code: 0 when all is as it should be. */
export async function runDemo(demo: Demo, verdict: Verdict): Promise<number> {
  let interrupted: number | undefined;
  const interrupt = (code: number) => () => {
    interrupted ??= code;
    console.log("\nending what was started …");
    demo.end().finally(() => process.exit(code));
  };
  process.on("SIGINT", interrupt(130));
  process.on("SIGTERM", interrupt(143));
  process.on("SIGHUP", interrupt(129));
  try {
    return tell(demo, await demo.run(), verdict);
  } catch (error) {
    // What fails while everything is being ended is no news.
    if (interrupted === undefined) console.error(error instanceof Error ? error.message : String(error));
    return 1;
  } finally {
    await demo.end();
    if (interrupted !== undefined) process.exit(interrupted);
  }
}

function tell(demo: Demo, differences: readonly string[], { right, wrong, indent }: Verdict): number {
  for (const line of demo.report()) console.log(line);
  if (differences.length === 0) {
    console.log(right);
    return 0;
  }
  console.log(`${wrong}, ${differences.length} differences from the direct computation:`);
  for (const difference of differences.slice(0, shownMax)) console.log(`${indent}${difference}`);
  return 1;
}
