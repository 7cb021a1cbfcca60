/**
 * How many requests a worker may have in flight when nobody has said it (`concurrency: auto`): found from what its answers take, after
 * Netflix's gradient limits. Pure: instants are parameters, ms.
 *
 * Requests are looked at in windows, of those that were sent since the window began. What an answer takes is compared with what its kind
 * (function type and batch size) takes where nothing queues, its base: the quotient of the sums is the window's stretch.
 *
 *   after a window   limit × min(1, TOLERANCE / stretch) + √limit: grows while the stretch is small, comes to rest where it is not
 *   now and then     a window with half the limit. Where that loses nothing, half was enough and is kept; where it does, the limit returns.
 *                    Either way the bases are learnt anew, for nothing queues at half of a good limit.
 *   429, 503, no reply in time   less at once, once per round trip; a Retry-After is waited for.
 *
 * A1  1 ≤ limit ≤ most. It grows only where it was reached: what nobody has tried is not known to be good.
 * A2  Nothing is sent before the instant of a Retry-After.
 */

export interface Served {
  /** Compared by identity: requests of one kind and size take about as long. */
  readonly kind: unknown;
  /** Messages in the request. */
  readonly size: number;
  /** When it was sent. */
  readonly sentMs: number;
  /** Requests in flight with it. */
  readonly inFlight: number;
}

/** Enough for the first round trips of most functions, too few to hurt one. */
const FIRST = 8;
/** How much longer than where nothing queues answers may take: more would be waiting at the function, in no policy's order. */
const TOLERANCE = 1.5;
const GRADIENT_MIN = 0.5;
/** What one window must have for its mean to mean something; and long enough to outlast a pause of the garbage collectors. */
const WINDOW_SAMPLES = 20;
const ROUND_TRIPS = 3;
const WINDOW_MS = 50;
/** Windows between two halvings: often at first, for the first bases may have been learnt in a queue. */
const HALVE_FIRST = 2;
const HALVE_LAST = 64;
/** Half the limit was enough if it moved this much of what the whole did. */
const ENOUGH = 0.85;
/** A base this far from what was learnt before is worth another look soon. */
const SETTLED = 0.2;
/** Who asks us to stay away for an hour is asked again after a minute: messages wait. */
const REST_MAX_MS = 60_000;
/** After a refusal: less at once, and no closer than this to where it came for a while. */
const SHRINK = 0.7;
const CEILING = 0.9;
const CEILING_MS = 10_000;

interface Kind {
  /** What it takes where nothing queues, ms; 0: not known. */
  baseMs: number;
  /** In this window. */
  sumMs: number;
  count: number;
}

type WindowPhase =
  /** So many windows until the next halving. */
  | { readonly kind: "whole"; left: number }
  /** `stretch` of the window before, with the whole limit; undefined if the limit was not reached. */
  | { readonly kind: "half"; readonly stretch: number | undefined };

export class AdaptiveSlots {
  #limit: number;
  #phase: WindowPhase = { kind: "whole", left: HALVE_FIRST };
  /** Windows between halvings. */
  #every = HALVE_FIRST;
  readonly #kinds = new Map<unknown, Kind[]>();
  // The window: since when, its samples, and of those whose base is known what they took and should have taken.
  #sinceMs = Number.NEGATIVE_INFINITY;
  #seen: Kind[] = [];
  #samples = 0;
  #tookMs = 0;
  #baseMs = 0;
  #peak = 0;
  #restUntilMs = Number.NEGATIVE_INFINITY;
  #shrunkMs = Number.NEGATIVE_INFINITY;
  #ceiling = Number.POSITIVE_INFINITY;
  #ceilingUntilMs = Number.NEGATIVE_INFINITY;

  constructor(readonly most: number) {
    this.#limit = Math.min(FIRST, most);
  }

  /** Requests that may be in flight (A2). */
  limitAt(now: number): number {
    return now < this.#restUntilMs ? 0 : this.#allowed;
  }

  /** A1. */
  get #allowed(): number {
    return Math.max(1, Math.floor(this.#phase.kind === "half" ? this.#limit / 2 : this.#limit));
  }

  /** A good reply. */
  served({ kind, size, sentMs, inFlight }: Served, now: number): void {
    if (sentMs < this.#sinceMs) return;
    const known = this.#kindOf(kind, size);
    const tookMs = now - sentMs;
    if (known.count === 0) this.#seen.push(known);
    known.count++;
    known.sumMs += tookMs;
    if (known.baseMs > 0) {
      this.#tookMs += tookMs;
      this.#baseMs += known.baseMs;
    }
    this.#samples++;
    this.#peak = Math.max(this.#peak, inFlight);
    if (this.#sinceMs === Number.NEGATIVE_INFINITY) this.#sinceMs = sentMs;
    if (this.#samples >= Math.max(WINDOW_SAMPLES, ROUND_TRIPS * this.#allowed) && now - this.#sinceMs >= WINDOW_MS)
      this.#close(now);
  }

  /** 429 or 503. Returns until when nothing may be sent, if that was said. */
  refused(sentMs: number, inFlight: number, retryAfterMs: number | undefined, now: number): number | undefined {
    this.shrink(sentMs, inFlight, now);
    if (retryAfterMs === undefined) return undefined;
    this.#restUntilMs = Math.max(this.#restUntilMs, now + Math.min(retryAfterMs, REST_MAX_MS));
    return this.#restUntilMs;
  }

  /** A request was refused, or not answered in time. `inFlight`: with it. */
  shrink(sentMs: number, inFlight: number, now: number): void {
    // What was sent before the limit last shrank has nothing to say on what it is now.
    if (sentMs < this.#shrunkMs) return;
    const reached = Math.min(this.#allowed, inFlight);
    this.#shrunkMs = now;
    this.#ceiling = Math.max(1, reached * CEILING);
    this.#ceilingUntilMs = now + CEILING_MS;
    this.#limit = Math.max(1, reached * SHRINK);
    this.#phase = { kind: "whole", left: this.#every };
    this.#begin(now);
  }

  #kindOf(kind: unknown, size: number): Kind {
    let sizes = this.#kinds.get(kind);
    if (!sizes) {
      sizes = [];
      this.#kinds.set(kind, sizes);
    }
    const at = 31 - Math.clz32(size);
    let known = sizes[at];
    if (!known) {
      known = { baseMs: 0, sumMs: 0, count: 0 };
      sizes[at] = known;
    }
    return known;
  }

  #begin(now: number): void {
    for (const kind of this.#seen) {
      kind.count = 0;
      kind.sumMs = 0;
    }
    this.#seen = [];
    this.#samples = 0;
    this.#tookMs = 0;
    this.#baseMs = 0;
    this.#peak = 0;
    this.#sinceMs = now;
  }

  #close(now: number): void {
    const stretch = this.#baseMs > 0 ? this.#tookMs / this.#baseMs : 1;
    if (this.#phase.kind === "half") this.#halved(stretch, this.#phase.stretch);
    else this.#whole(stretch, this.#phase, now);
    this.#begin(now);
  }

  #whole(stretch: number, phase: { left: number }, now: number): void {
    const reached = this.#peak >= this.#allowed;
    // Less than half of the limit in flight: as good as a halving.
    if (this.#peak * 2 <= this.#allowed) {
      this.#learn(0.5, stretch);
      return;
    }
    this.#learn(0, stretch);
    const next = this.#limit * Math.min(1, Math.max(GRADIENT_MIN, TOLERANCE / stretch)) + Math.sqrt(this.#limit);
    const most = now < this.#ceilingUntilMs ? Math.min(this.most, this.#ceiling) : this.most;
    phase.left--;
    if (phase.left < 0 && this.#limit >= 2) this.#phase = { kind: "half", stretch: reached ? stretch : undefined };
    else if (next < this.#limit || reached) this.#limit = Math.max(1, Math.min(most, next));
  }

  /** What half the limit moved, against the whole: requests per time are limit / stretch. */
  #halved(stretch: number, wholeStretch: number | undefined): void {
    const half = this.#allowed;
    const reached = this.#peak >= half;
    const whole = Math.floor(this.#limit);
    const moved = wholeStretch === undefined ? 0 : (half * wholeStretch) / (whole * stretch);
    const enough = reached && moved >= ENOUGH;
    this.#learn(enough ? 1 : 0.5, stretch);
    if (enough) this.#limit = half;
    if (Math.abs(stretch - 1) > SETTLED) this.#every = HALVE_FIRST;
    else if (!enough) this.#every = Math.min(HALVE_LAST, this.#every * 2);
    this.#phase = { kind: "whole", left: enough ? 0 : this.#every };
  }

  /** Bases come this much closer to what was seen; one that is not known yet is taken from what was seen, without the queue. */
  #learn(weight: number, stretch: number): void {
    for (const kind of this.#seen) {
      const meanMs = kind.sumMs / kind.count;
      if (kind.baseMs > 0) kind.baseMs += weight * (meanMs - kind.baseMs);
      else kind.baseMs = weight > 0 ? meanMs : meanMs / Math.max(1, stretch);
    }
  }
}
