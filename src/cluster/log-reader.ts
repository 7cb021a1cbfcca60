/** Reads a partition from its start to its end as of now, in slices as they are fetched. */
import type { InputRecord } from "../model/record";
import type { Fetcher, Reader } from "./fetcher";
import { earliest, latest, offsetAt } from "./offsets";
import type { TopicPartition } from "./requests";

/** Answers in a row that found nothing before the last stable offset: then compaction has taken what was there. */
const emptyAnswersMax = 3;
/** Nobody writes there any more, so what is open should be closed by now. */
const heldMs = 3_000;

export interface LogSlice {
  readonly records: readonly InputRecord[];
  /** Offsets still ahead. */
  readonly remaining: number;
}

/**
 * The end is the high watermark: whoever wrote before has been fenced, so every transaction below it is decided, and a
 * reader of committed records gets there. Cancelled by `signal`.
 */
export async function readLog(
  fetcher: Fetcher,
  position: TopicPartition,
  bytesMax: number,
  signal: AbortSignal,
  deliver: (slice: LogSlice) => void,
): Promise<void> {
  const end = await offsetAt(fetcher.link, position, latest, false);
  const start = await offsetAt(fetcher.link, position, earliest, false);
  if (start >= end || signal.aborted) return;
  let reader: Reader | undefined;
  let emptyAnswers = 0;
  await new Promise<void>((resolve) => {
    const cancel = () => resolve();
    signal.addEventListener("abort", cancel, { once: true });
    const finish = () => {
      signal.removeEventListener("abort", cancel);
      resolve();
    };
    reader = fetcher.read({
      ...position,
      offset: start,
      bytesMax,
      heldMs,
      deliver: (records, nextOffset) => {
        if (signal.aborted) return;
        emptyAnswers = 0;
        deliver({ records, remaining: Math.max(0, end - nextOffset) });
        if (nextOffset >= end) finish();
      },
      outOfRange: () => offsetAt(fetcher.link, position, earliest, false),
      nothingBefore: (lastStableOffset) => {
        if (lastStableOffset >= end && ++emptyAnswers >= emptyAnswersMax) finish();
      },
    });
  });
  if (reader !== undefined) fetcher.stop(reader);
}
