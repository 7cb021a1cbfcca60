/**
 * What the functions do, written with Dirigo's SDK and spoken to in StateFun's protocol; the simulation and the real run share it. They do not burn
 * time themselves: each message says what it would take (`Meter`), and whoever hosts them holds the slot for that long.
 *
 * map        passes records on to their aggregate, and a closing record to all of them
 * aggregate  counts and sums per window; when every upstream has closed a window, its total goes on
 * reduce     adds the totals of all aggregates; when all have come the window's output leaves
 *
 * Windows are told apart by their number, so that the result does not rest on when a closing record arrives relative to other upstreams' records:
 * this is how one writes it for StateFun. Under dual mode the same code runs unchanged, on parts.
 */
import {
  type Context,
  defineFunction,
  type FunctionDefinition,
  Functions,
  type Message,
  type PartValues,
  type StateValues,
  state,
  types,
} from "../src/functions/sdk";
import { lognormal, STEP } from "./draws";
import { type ApplicationLoad, closesPerAggregate, type Load } from "./load";
import { type Actors, NAMESPACE, type Plan, typenameOf } from "./plan";
import { Tally } from "./tally";
import { decodeRecord, encodeRecord } from "./workload";

export const EGRESS = `${NAMESPACE}/out`;
/** Of records and of what functions send each other. */
export const RECORD_TYPE = `${NAMESPACE}/record`;
export const TALLY_TYPE = `${NAMESPACE}/tally`;
const record = types.bytes(RECORD_TYPE);

/** ms, and ms per MiB: what an invocation that merges two states takes, and their way over the network (SCHEDULING.md §4.3). */
export const MERGE_MS = 0.3;
export const MERGE_MS_PER_MIB = 4.7;
export const TRANSFER_MS_PER_MIB = 4;

export interface HandledRecord {
  readonly application: number;
  readonly window: number;
}
export type Handled = readonly HandledRecord[];

/** What the present invocation has to do, and for whom. */
export class Meter {
  workMs = 0;
  /** The records handled, without closing ones. */
  readonly handled: HandledRecord[] = [];

  clear(): void {
    this.workMs = 0;
    this.handled.length = 0;
  }
}

/** What leaves: one per window. */
export interface Output {
  readonly application: number;
  readonly window: number;
  readonly count: number;
  readonly sum: number;
}

export interface FunctionsOptions {
  readonly load: Load;
  readonly plan: Plan;
  readonly seed: number;
  /** Topic of the outputs. */
  readonly topic: string;
  readonly meter: Meter;
  /** A merge takes so long at least, ms. */
  readonly mergeMs?: number;
}

export function functionsOf(options: FunctionsOptions): Functions {
  const definitions = options.load.applications.flatMap((application, index) => {
    const actors = options.plan[index] as Actors;
    return new ApplicationFunctions(options, application, index, actors).definitions();
  });
  return new Functions(definitions, {});
}

const tallyType = types.custom<Tally>(TALLY_TYPE, {
  encode: (tally) => tally.bytes,
  // A copy: the bytes of the request are not ours to change.
  decode: (bytes) => new Tally(Buffer.from(bytes)),
});
const states = { tally: state.of(tallyType) };
type TallyContext = Context<typeof states>;

class ApplicationFunctions {
  readonly #aggregates: readonly { readonly typename: string; readonly id: string }[];
  readonly #reduce: { readonly typename: string; readonly id: string };

  constructor(
    private readonly options: FunctionsOptions,
    private readonly application: ApplicationLoad,
    private readonly index: number,
    actors: Actors,
  ) {
    const aggregate = typenameOf(application.name, "aggregate");
    this.#aggregates = actors.aggregates.map((id) => ({ typename: aggregate, id }));
    this.#reduce = { typename: typenameOf(application.name, "reduce"), id: actors.reduce };
  }

  definitions(): FunctionDefinition[] {
    const { name, shape } = this.application;
    const aggregate = defineFunction({
      typename: typenameOf(name, "aggregate"),
      states,
      handle: (ctx: TallyContext, message) => this.#aggregate(ctx, message),
      merge: (base, part) => this.#merge(base, part),
    });
    if (shape === "aggregate") return [aggregate as unknown as FunctionDefinition];
    const map = defineFunction({ typename: typenameOf(name, "map"), handle: (ctx, message) => this.#map(ctx, message) });
    const reduce = defineFunction({
      typename: typenameOf(name, "reduce"),
      states,
      handle: (ctx: TallyContext, message) => this.#reduceOne(ctx, message),
    });
    return [map, aggregate, reduce] as unknown as FunctionDefinition[];
  }

  #spend(mean: number, step: number, one: number, two: number): void {
    const { load, seed, meter } = this.options;
    meter.workMs += lognormal(mean, load.sigma, seed, step, this.index, one, two);
  }

  #map(ctx: Context, message: Message): void {
    const fields = decodeRecord(message.bytes);
    const { means } = this.application;
    const { partition, sequence } = fields;
    if (!fields.closes) {
      this.#spend(means.map, STEP.map, partition, sequence);
      ctx.send(this.#aggregates[fields.aggregate] as { typename: string; id: string }, record.of(message.bytes));
      return;
    }
    this.#spend(means.closeMap, STEP.closeMap, partition, sequence);
    this.#aggregates.forEach((target, aggregate) => {
      ctx.send(target, record.of(encodeRecord({ ...fields, aggregate })));
    });
  }

  #aggregate(ctx: TallyContext, message: Message): void {
    const { application, options } = this;
    const fields = decodeRecord(message.bytes);
    const { partition, sequence, window, value } = fields;
    const tally = ctx.state.tally ?? Tally.ofBytes(application.stateBytes);
    if (!fields.closes) {
      this.#spend(application.means.aggregate, STEP.aggregate, partition, sequence);
      tally.add(window, 0, 1, value);
      options.meter.handled.push({ application: this.index, window });
    } else {
      const aggregate = this.#aggregates.findIndex(({ id }) => id === ctx.self.id);
      this.#spend(application.means.closeAggregate, STEP.closeAggregate, partition * 256 + aggregate, window);
      const total = tally.close(window, closesPerAggregate(application));
      if (total) this.#total(ctx, window, aggregate, total.count, total.sum);
    }
    ctx.state.tally = tally;
  }

  #merge(base: StateValues<typeof states>, part: PartValues<typeof states>): void {
    if (!part.tally) return;
    this.options.meter.workMs += mergeMs(part.tally.bytes.length, this.options.mergeMs);
    base.tally = base.tally ? base.tally.absorb(part.tally) : part.tally;
  }

  #total(ctx: TallyContext, window: number, aggregate: number, count: number, sum: number): void {
    if (this.application.shape === "aggregate") return this.#emit(ctx, window, count, sum);
    const bytes = Buffer.alloc(24);
    bytes.writeUInt32LE(window, 0);
    bytes.writeUInt32LE(aggregate, 4);
    bytes.writeDoubleLE(count, 8);
    bytes.writeDoubleLE(sum, 16);
    ctx.send(this.#reduce, record.of(bytes));
  }

  #reduceOne(ctx: TallyContext, message: Message): void {
    const { bytes } = message;
    const window = bytes.readUInt32LE(0);
    this.#spend(this.application.means.reduce, STEP.reduce, bytes.readUInt32LE(4), window);
    const tally = ctx.state.tally ?? Tally.ofBytes(this.application.stateBytes);
    tally.add(window, 0, bytes.readDoubleLE(8), bytes.readDoubleLE(16));
    const total = tally.close(window, this.application.aggregates);
    if (total) this.#emit(ctx, window, total.count, total.sum);
    ctx.state.tally = tally;
  }

  #emit(ctx: TallyContext, window: number, count: number, sum: number): void {
    const output: Output = { application: this.index, window, count, sum };
    ctx.kafka(EGRESS, { topic: this.options.topic, key: this.application.name, value: JSON.stringify(output) });
  }
}

/** What merging a part into a base takes where functions run: only the bytes of the part travel for it. */
export function mergeMs(partBytes: number, leastMs = MERGE_MS): number {
  const mebibytes = partBytes / (1024 * 1024);
  return leastMs + (MERGE_MS_PER_MIB + TRANSFER_MS_PER_MIB) * mebibytes;
}
