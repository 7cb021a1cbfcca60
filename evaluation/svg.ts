/** Plots as SVG text: lines with error bars over one axis. Readable on light and dark pages. */

export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly error?: number }[];
  readonly dashed?: boolean;
}

export interface Plot {
  readonly title: string;
  readonly xName: string;
  readonly yName: string;
  readonly series: readonly Series[];
  /** Left out: from the points. */
  readonly yRange?: readonly [number, number];
  /** Both axes by powers. */
  readonly logarithmic?: boolean;
  /** Marks on the x axis; left out: the points' own. */
  readonly xTicks?: readonly number[];
}

const WIDTH = 720;
const HEIGHT = 400;
const LEFT = 64;
const RIGHT = 190;
const TOP = 40;
const BOTTOM = 52;
/** Told apart by people who see colours differently, too (after Okabe and Ito). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f"];

export function plotSvg(plot: Plot): string {
  const scale = scaleOf(plot);
  const body = [
    text(LEFT, 22, plot.title, `font-size="15" font-weight="600"`),
    ...axes(plot, scale),
    ...plot.series.flatMap((series, index) => drawn(series, index, scale)),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" role="img">`,
    `<title>${escaped(plot.title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

interface Scale {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
}

function scaleOf({ series, yRange, logarithmic = false, xTicks }: Plot): Scale {
  const points = series.flatMap((each) => each.points);
  const xs = points.map(({ x }) => x);
  const ys = points.flatMap(({ y, error = 0 }) => [y - error, y + error]).filter((each) => Number.isFinite(each));
  const ticksX = xTicks ?? [...new Set(xs)].sort((one, other) => one - other);
  const [xLow, xHigh] = [Math.min(...xs), Math.max(...xs)];
  const yTicks = logarithmic
    ? powersBetween(Math.min(...ys.filter((y) => y > 0)), Math.max(...ys))
    : evenTicks(yRange ?? [Math.min(0, ...ys), Math.max(...ys)]);
  const [yLow, yHigh] = [yTicks[0] as number, yTicks.at(-1) as number];
  const along = logarithmic ? Math.log : (value: number) => value;
  const place = (value: number, low: number, high: number) => (along(value) - along(low)) / (along(high) - along(low) || 1);
  return {
    x: (value) => LEFT + 14 + place(value, xLow, xHigh) * (WIDTH - LEFT - RIGHT - 28),
    y: (value) => HEIGHT - BOTTOM - place(Math.min(Math.max(value, yLow), yHigh), yLow, yHigh) * (HEIGHT - TOP - BOTTOM),
    xTicks: ticksX,
    yTicks,
  };
}

function powersBetween(low: number, high: number): number[] {
  const from = Math.floor(Math.log2(low));
  const to = Math.max(from + 1, Math.ceil(Math.log2(high)));
  const every = Math.max(1, Math.ceil((to - from) / 8));
  const ticks: number[] = [];
  for (let power = from; power < to + every; power += every) ticks.push(2 ** power);
  return ticks;
}

function evenTicks([low, high]: readonly [number, number]): number[] {
  const raw = (high - low || 1) / 6;
  const magnitude = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((factor) => factor * magnitude >= raw) ?? 10) * magnitude;
  const ticks: number[] = [];
  for (let value = Math.floor(low / step) * step; value < high + step * 0.999; value += step)
    ticks.push(Number(value.toPrecision(12)));
  return ticks;
}

function axes({ xName, yName }: Plot, { x, y, xTicks, yTicks }: Scale): string[] {
  const right = WIDTH - RIGHT;
  const bottom = HEIGHT - BOTTOM;
  return [
    ...yTicks.flatMap((tick) => [
      `<line x1="${LEFT}" x2="${right}" y1="${at(y(tick))}" y2="${at(y(tick))}" stroke="#dddddd"/>`,
      text(LEFT - 8, y(tick) + 4, shown(tick), `text-anchor="end"`),
    ]),
    ...xTicks.flatMap((tick) => [
      `<line x1="${at(x(tick))}" x2="${at(x(tick))}" y1="${bottom}" y2="${bottom + 5}" stroke="#444444"/>`,
      text(x(tick), bottom + 19, shown(tick), `text-anchor="middle"`),
    ]),
    `<line x1="${LEFT}" x2="${right}" y1="${bottom}" y2="${bottom}" stroke="#444444"/>`,
    text((LEFT + right) / 2, HEIGHT - 12, xName, `text-anchor="middle"`),
    `<text transform="translate(16 ${(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle" fill="#222222">${escaped(yName)}</text>`,
  ];
}

function drawn({ name, points, dashed }: Series, index: number, { x, y }: Scale): string[] {
  const colour = COLOURS[index % COLOURS.length] as string;
  const dash = dashed ? ` stroke-dasharray="6 4"` : "";
  const line = points.map((point) => `${at(x(point.x))},${at(y(point.y))}`).join(" ");
  const legendY = TOP + 14 + index * 20;
  const legendX = WIDTH - RIGHT + 14;
  return [
    `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`,
    ...points.flatMap((point) => {
      const bar =
        point.error === undefined || !Number.isFinite(point.error)
          ? []
          : [
              `<line x1="${at(x(point.x))}" x2="${at(x(point.x))}" y1="${at(y(point.y - point.error))}" y2="${at(y(point.y + point.error))}" stroke="${colour}"/>`,
            ];
      return [...bar, `<circle cx="${at(x(point.x))}" cy="${at(y(point.y))}" r="3" fill="${colour}"/>`];
    }),
    `<line x1="${legendX}" x2="${legendX + 22}" y1="${legendY - 4}" y2="${legendY - 4}" stroke="${colour}" stroke-width="2"${dash}/>`,
    text(legendX + 28, legendY, name, ""),
  ];
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${at(x)}" y="${at(y)}" fill="#222222" ${attributes}>${escaped(content)}</text>`;
}

function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** 16384 as 16 Ki where it is a power of two that large. */
function shown(value: number): string {
  if (value >= 1_048_576 && Number.isInteger(value / 1_048_576)) return `${value / 1_048_576} Mi`;
  if (value >= 1_024 && Number.isInteger(value / 1_024)) return `${value / 1_024} Ki`;
  return String(Number(value.toPrecision(6)));
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
