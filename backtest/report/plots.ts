import { escaped, type Html } from '../../bundle/report/html.ts';

const WIDTH = 460;
const HEIGHT = 250;
const LEFT = 52;
const RIGHT = 14;
const TOP = 14;
const BOTTOM = 38;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM;
const COLOURS = 6;

export interface Line {
  readonly label: string;
  /** Both in [0, 1]. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface BarSeries {
  readonly label: string;
  /** One for each category. */
  readonly values: readonly number[];
}

const x = (share: number) => (LEFT + share * PLOT_WIDTH).toFixed(1);
const y = (share: number) => (TOP + (1 - share) * PLOT_HEIGHT).toFixed(1);

/** A curve in the unit square, such as ROC. */
export function unitPlot(
  title: string,
  axes: readonly [string, string],
  lines: readonly Line[],
  withChance = false,
): Html {
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return frame(
    title,
    axes,
    escaped`${ticks.map((tick) => yTick(tick, String(tick)))}${ticks.map((tick) => xTick(tick, String(tick)))}
      ${withChance ? escaped`<line class="chance" x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}" />` : undefined}
      ${lines.map(
        ({ points }, index) =>
          escaped`<polyline class="c${index % COLOURS}" points="${points.map(([px, py]) => `${x(clamp(px))},${y(clamp(py))}`).join(' ')}" />`,
      )}
      ${legend(lines.map(({ label }) => label))}`,
  );
}

/** Bars over categories, series on top of each other or beside each other. */
export function barPlot(
  title: string,
  axes: readonly [string, string],
  categories: readonly string[],
  series: readonly BarSeries[],
  stacked: boolean,
): Html {
  const totals = categories.map((_, index) =>
    series.reduce(
      (sum, { values }) => (stacked ? sum + (values[index] ?? 0) : Math.max(sum, values[index] ?? 0)),
      0,
    ),
  );
  const top = niceAbove(totals.reduce((most, total) => Math.max(most, total), 0));
  const step = 1 / Math.max(1, categories.length);
  const width = (step * 0.86) / (stacked ? 1 : Math.max(1, series.length));
  const below = categories.map(() => 0);
  const bars = series.flatMap(({ values }, index) =>
    categories.map((_, at) => {
      const value = values[at] ?? 0;
      const from = stacked ? (below[at] ?? 0) : 0;
      below[at] = from + value;
      if (value === 0) return undefined;
      const left = at * step + step * 0.07 + (stacked ? 0 : index * width);
      return escaped`<rect class="f${index % COLOURS}" x="${x(left)}" y="${y((from + value) / top)}" width="${(width * PLOT_WIDTH).toFixed(1)}" height="${((value / top) * PLOT_HEIGHT).toFixed(1)}" />`;
    }),
  );
  const every = Math.max(1, Math.ceil(categories.length / 6));
  return frame(
    title,
    axes,
    escaped`${[0, 0.25, 0.5, 0.75, 1].map((tick) => yTick(tick, short(top * tick)))}
      ${categories.map((name, at) => (at % every === 0 ? xTick((at + 0.5) * step, name) : undefined))}
      ${bars}${legend(series.map(({ label }) => label))}`,
  );
}

function frame(title: string, [xLabel, yLabel]: readonly [string, string], inside: Html): Html {
  return escaped`<figure>
    <svg class="plot" role="img" aria-label="${title}" viewBox="0 0 ${WIDTH} ${HEIGHT}" xmlns="http://www.w3.org/2000/svg">
      ${inside}
      <line class="axis" x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(0)}" />
      <text x="${WIDTH - RIGHT}" y="${HEIGHT - 4}" text-anchor="end">${xLabel}</text>
    </svg>
    <figcaption>${title}; ${yLabel}</figcaption>
  </figure>`;
}

function yTick(share: number, text: string): Html {
  return escaped`<line class="grid" x1="${x(0)}" y1="${y(share)}" x2="${x(1)}" y2="${y(share)}" />
    <text x="${LEFT - 6}" y="${Number(y(share)) + 4}" text-anchor="end">${text}</text>`;
}

function xTick(share: number, text: string): Html {
  return escaped`<text x="${x(share)}" y="${HEIGHT - BOTTOM + 15}" text-anchor="middle">${text}</text>`;
}

function legend(labels: readonly string[]): Html {
  if (labels.length < 2) return escaped``;
  return escaped`${labels
    .slice(0, COLOURS)
    .map(
      (label, index) =>
        escaped`<text class="f${index % COLOURS}" x="${LEFT + 8}" y="${TOP + 12 + index * 14}">${label}</text>`,
    )}`;
}

const clamp = (value: number): number => Math.min(1, Math.max(0, value));
const short = (value: number): string =>
  value >= 10_000 ? `${Number((value / 1000).toFixed(1))}k` : String(Number(value.toFixed(1)));

function niceAbove(value: number): number {
  if (!(value > 1 && value < 1e15)) return 1;
  for (let scale = 1; ; scale *= 10) {
    const found = [1, 2, 4, 5, 8, 10].find((step) => step * scale >= value);
    if (found !== undefined) return found * scale;
  }
}
