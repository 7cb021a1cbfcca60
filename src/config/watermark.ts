/** `watermark` of an ingress: the barriers it makes by itself, one at the end of every window. */
import type { Place } from "./place";
import type { WatermarkSpecification } from "./specification";
import { SHAPES } from "./vocabulary";

export interface WatermarkDraft {
  readonly functions: readonly { readonly typename: string; readonly place: Place }[];
  readonly specification: WatermarkSpecification;
}

const TIMES: readonly WatermarkSpecification["time"][] = ["record-timestamp", "arrival"];
/** SCHEDULING.md 3.5 `idleIngressMs`. */
const IDLE_MS = 5_000;
const WINDOW_END = "io.dirigo.types/window-end";
const FUNCTIONS_EXPECTED = "a list of functions in dual mode, not empty";

export function readWatermark(place: Place | undefined): WatermarkDraft | undefined {
  const fields = place?.fields(SHAPES.watermark);
  if (fields === undefined) return undefined;
  const everyMs = fields.need("every", "the length of the windows, such as 1s")?.durationMs({ min: 1 });
  const functions = readFunctions(fields.need("functions", FUNCTIONS_EXPECTED));
  const time = fields.take("time")?.choice(TIMES) ?? "record-timestamp";
  if (time === "arrival") {
    for (const name of ["lateness", "idle"] as const) {
      fields.take(name)?.warn("has no effect with time: arrival: nothing arrives late, and the clock never stands still");
    }
  }
  const specification = {
    everyMs: everyMs ?? 1,
    time,
    latenessMs: fields.take("lateness")?.durationMs({ min: 0 }) ?? 0,
    idleMs: fields.take("idle")?.durationMs({ min: 1 }) ?? IDLE_MS,
    typename: fields.take("typename")?.typename("a typename") ?? WINDOW_END,
    functions: functions.map(({ typename }) => typename),
  };
  return { functions, specification };
}

function readFunctions(list: Place | undefined): WatermarkDraft["functions"] {
  if (list?.empty === true) list.fail("is empty", { expected: FUNCTIONS_EXPECTED });
  const functions = new Map<string, WatermarkDraft["functions"][number]>();
  for (const place of list?.items(FUNCTIONS_EXPECTED) ?? []) {
    const typename = place.typename("a function");
    if (typename === undefined) continue;
    if (functions.has(typename)) place.warn("is named twice in this watermark; once is enough", { value: typename });
    else functions.set(typename, { typename, place });
  }
  return [...functions.values()];
}
