/**
 * What waits for one worker, by latest start: SCHEDULING.md 3.2. With S(z) the costs before item z, its slack is L(z) = start(z) − S(z);
 * it starts late when L(z) < now + what the running work still takes.
 *
 * A treap: each node knows of its subtree the sum of costs, the least slack among those last seen in time and the greatest among those
 * last seen late, both counted from the subtree's own beginning, so that a change in front of it changes nothing in it. The two are kept
 * apart because an item that is late already has no say, and whether one is late changes with the clock: each question first turns over
 * those that have changed sides. All is O(log n) on average, plus O(log n) for each item that has changed sides since the last question,
 * and never more than one look at each item.
 */
import { invariant } from "../../model/errors";
import { Random } from "../../model/random";

/** An item's place in the index it was put in. */
export interface Handle {
  readonly startMs: number;
  readonly costMs: number;
}

/** Items that wait on one worker, ordered by latest start; answers whether one more still fits. Times and costs in ms. */
export class LaxityIndex<T> {
  #root: Place<T> | undefined;
  #length = 0;
  #order = 0;
  /** Only the shape of the tree hangs on it, no answer does. */
  readonly #random = new Random(17);

  get length(): number {
    return this.#length;
  }

  /** Sum of the costs of all items. */
  get totalMs(): number {
    return this.#root?.sumMs ?? 0;
  }

  /** `startMs`: the latest start; behind those with the same. */
  insert(item: T, startMs: number, costMs: number): Handle {
    const place = new Place(item, startMs, costMs, this.#order++, this.#random.next());
    this.#root = inserted(this.#root, place);
    this.#length++;
    return place;
  }

  /** Each handle once. */
  remove(handle: Handle): void {
    const place = handle as Place<T>;
    this.#root = removed(this.#root, place);
    place.left = undefined;
    place.right = undefined;
    this.#length--;
  }

  /** Sum of the costs of the items whose latest start is this or earlier. */
  costBeforeMs(startMs: number): number {
    let sumMs = 0;
    let node = this.#root;
    while (node !== undefined) {
      if (node.startMs <= startMs) {
        sumMs += (node.left?.sumMs ?? 0) + node.costMs;
        node = node.right;
      } else node = node.left;
    }
    return sumMs;
  }

  /**
   * True if an item of this latest start and cost, inserted at `now` when the running work takes `busyMs` longer, starts in time and
   * makes none behind it late that is not late already.
   */
  feasible(startMs: number, costMs: number, now: number, busyMs: number): boolean {
    const freeMs = now + busyMs;
    turnOver(this.#root, freeMs, 0);
    let beforeMs = 0;
    let slackMs = Number.POSITIVE_INFINITY;
    let node = this.#root;
    while (node !== undefined) {
      const middleMs = beforeMs + (node.left?.sumMs ?? 0);
      if (node.startMs <= startMs) {
        beforeMs = middleMs + node.costMs;
        node = node.right;
        continue;
      }
      if (!node.late) slackMs = Math.min(slackMs, node.startMs - middleMs);
      if (node.right) slackMs = Math.min(slackMs, node.right.inTimeLeastMs - (middleMs + node.costMs));
      node = node.left;
    }
    return freeMs + beforeMs <= startMs && freeMs + costMs <= slackMs;
  }

  /** The first items in order, at most `most`, that would start late now, each behind all that stand before it, late or not. */
  late(now: number, busyMs: number, most: number): T[] {
    turnOver(this.#root, now + busyMs, 0);
    const found: T[] = [];
    collectLate(this.#root, most, found);
    return found;
  }
}

class Place<T> implements Handle {
  left: Place<T> | undefined = undefined;
  right: Place<T> | undefined = undefined;
  /** As of the last question. */
  late = false;
  /** Of the subtree: costs; the least slack of those in time (Infinity: none) and the greatest of those late (−Infinity: none). */
  sumMs: number;
  inTimeLeastMs: number;
  lateMostMs = Number.NEGATIVE_INFINITY;

  constructor(
    readonly item: T,
    readonly startMs: number,
    readonly costMs: number,
    readonly order: number,
    readonly priority: number,
  ) {
    this.sumMs = costMs;
    this.inTimeLeastMs = startMs;
  }

  precedes(other: Place<T>): boolean {
    return this.startMs < other.startMs || (this.startMs === other.startMs && this.order < other.order);
  }

  /** The subtree's figures anew, from those of its two halves. */
  refresh(): void {
    const { left, right, startMs, costMs } = this;
    let sumMs = left === undefined ? 0 : left.sumMs;
    let inTimeLeastMs = left === undefined ? Number.POSITIVE_INFINITY : left.inTimeLeastMs;
    let lateMostMs = left === undefined ? Number.NEGATIVE_INFINITY : left.lateMostMs;
    const slackMs = startMs - sumMs;
    if (this.late) lateMostMs = Math.max(lateMostMs, slackMs);
    else inTimeLeastMs = Math.min(inTimeLeastMs, slackMs);
    sumMs += costMs;
    if (right !== undefined) {
      inTimeLeastMs = Math.min(inTimeLeastMs, right.inTimeLeastMs - sumMs);
      lateMostMs = Math.max(lateMostMs, right.lateMostMs - sumMs);
      sumMs += right.sumMs;
    }
    this.sumMs = sumMs;
    this.inTimeLeastMs = inTimeLeastMs;
    this.lateMostMs = lateMostMs;
  }
}

type Tree<T> = Place<T> | undefined;

function inserted<T>(tree: Tree<T>, place: Place<T>): Place<T> {
  if (tree === undefined) return place;
  if (place.priority > tree.priority) {
    split(tree, place, place);
    place.refresh();
    return place;
  }
  if (place.precedes(tree)) tree.left = inserted(tree.left, place);
  else tree.right = inserted(tree.right, place);
  tree.refresh();
  return tree;
}

/** Hangs what precedes `at` on the left of `halves`, the rest on the right. */
function split<T>(tree: Tree<T>, at: Place<T>, halves: Place<T>): void {
  if (tree === undefined) {
    halves.left = undefined;
    halves.right = undefined;
  } else if (tree.precedes(at)) {
    split(tree.right, at, halves);
    tree.right = halves.left;
    tree.refresh();
    halves.left = tree;
  } else {
    split(tree.left, at, halves);
    tree.left = halves.right;
    tree.refresh();
    halves.right = tree;
  }
}

function removed<T>(tree: Tree<T>, place: Place<T>): Tree<T> {
  invariant(tree !== undefined, "an item leaves the laxity index once");
  if (tree === place) return joined(tree.left, tree.right);
  if (place.precedes(tree)) tree.left = removed(tree.left, place);
  else tree.right = removed(tree.right, place);
  tree.refresh();
  return tree;
}

/** All of the first stand before all of the second. */
function joined<T>(first: Tree<T>, second: Tree<T>): Tree<T> {
  if (first === undefined) return second;
  if (second === undefined) return first;
  if (first.priority > second.priority) {
    first.right = joined(first.right, second);
    first.refresh();
    return first;
  }
  second.left = joined(first, second.left);
  second.refresh();
  return second;
}

/** Notes who is late now that the worker is free at `freeMs`; `beforeMs`: the costs before this subtree. */
function turnOver<T>(tree: Tree<T>, freeMs: number, beforeMs: number): void {
  if (tree === undefined) return;
  if (tree.inTimeLeastMs - beforeMs >= freeMs && tree.lateMostMs - beforeMs < freeMs) return;
  const middleMs = beforeMs + (tree.left === undefined ? 0 : tree.left.sumMs);
  turnOver(tree.left, freeMs, beforeMs);
  tree.late = tree.startMs - middleMs < freeMs;
  turnOver(tree.right, freeMs, middleMs + tree.costMs);
  tree.refresh();
}

function collectLate<T>(tree: Tree<T>, most: number, found: T[]): void {
  if (tree === undefined || tree.lateMostMs === Number.NEGATIVE_INFINITY) return;
  collectLate(tree.left, most, found);
  if (tree.late && found.length < most) found.push(tree.item);
  if (found.length < most) collectLate(tree.right, most, found);
}
