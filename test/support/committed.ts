/** The records of a read-committed fetch that a committed reader may see; the broker leaves this to the client. */
import type { RawMessage, RawPartition } from "./kafkajs-wire";

/**
 * The broker names each aborted transaction that overlaps the answer by its producer and first offset. It lasts to that
 * producer's next marker.
 */
export function committedOnly({
  messages,
  abortedTransactions,
}: Pick<RawPartition, "messages" | "abortedTransactions">): RawMessage[] {
  const upcoming = [...(abortedTransactions ?? [])].sort((a, b) => Number(a.firstOffset) - Number(b.firstOffset));
  const aborting = new Set<string>();
  const visible: RawMessage[] = [];
  for (const message of messages) {
    while (upcoming[0] !== undefined && Number(upcoming[0].firstOffset) <= Number(message.offset)) {
      aborting.add(upcoming[0].producerId);
      upcoming.shift();
    }
    const { producerId, inTransaction } = message.batchContext;
    if (message.isControlRecord) aborting.delete(producerId);
    else if (!inTransaction || !aborting.has(producerId)) visible.push(message);
  }
  return visible;
}
