/** A line chart as SVG: logarithmic x, linear y from 0. */
export interface Series {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
}

const WIDTH = 420;
const HEIGHT = 260;
const LEFT = 56;
const TOP = 34;
const RIGHT = 16;
const BOTTOM = 46;
const COLORS = ['#1f6feb', '#bf3989', '#1a7f37', '#9a6700'];

/** Charts beside each other in one SVG document. */
export function svg(charts: readonly Chart[]): string {
  const parts = charts.map(
    (chart, index) => `<g transform="translate(${index * WIDTH},0)">${drawn(chart)}</g>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH * charts.length} ${HEIGHT}" font-family="sans-serif" font-size="11" fill="#444"><rect width="100%" height="100%" fill="#fff"/>${parts.join('')}</svg>\n`;
}

function drawn({ title, xLabel, yLabel, series }: Chart): string {
  const all = series.flatMap(({ points }) => points);
  const xs = [...new Set(all.map(([x]) => x))].sort((a, b) => a - b);
  const [first = 1, last = 10] = [xs[0], xs.at(-1)];
  const top = niceAbove(Math.max(...all.map(([, y]) => y)));
  const span = Math.log10(last / first) || 1;
  const x = (value: number) => LEFT + (Math.log10(value / first) / span) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const text = (at: readonly [number, number], content: string, anchor = 'middle') =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" text-anchor="${anchor}">${content}</text>`;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = y(top * share);
    return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}" stroke="#ddd"/>${text([LEFT - 6, at + 4], String(Number((top * share).toPrecision(3))), 'end')}`;
  });
  const ticks = xs.map((value) => text([x(value), HEIGHT - BOTTOM + 15], short(value)));
  const lines = series.map(({ label, points }, index) => {
    const color = COLORS[index % COLORS.length] ?? '#000';
    const path = points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(' ');
    const dots = points.map(
      ([px, py]) => `<circle cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="3" fill="${color}"/>`,
    );
    const legend = `<g fill="${color}">${text([LEFT + 8, TOP + 12 + index * 14], label, 'start')}</g>`;
    return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>${dots.join('')}${legend}`;
  });
  return [
    `<g font-weight="bold">${text([WIDTH / 2, 18], title)}</g>`,
    ...grid,
    ...ticks,
    text([(WIDTH + LEFT) / 2, HEIGHT - 10], `${xLabel}; ${yLabel}`),
    ...lines,
  ].join('');
}

const short = (value: number): string => (value >= 1000 ? `${value / 1000}k` : String(value));

function niceAbove(value: number): number {
  const scale = 10 ** Math.floor(Math.log10(value || 1));
  return ([1, 1.5, 2, 3, 4, 5, 8, 10].find((step) => step * scale >= value) ?? 10) * scale;
}
