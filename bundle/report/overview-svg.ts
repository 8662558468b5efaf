import { isoTime } from '../entry-facts.ts';
import type { CaseSummary, ShownEntry } from './case-summary.ts';
import { type Html, escaped, shown } from './html.ts';
import { alertTag, coordinate, isCall, markShape, shapeOf } from './mark-shapes.ts';

const WIDTH = 820;
const LEFT = 210;
const RIGHT = 14;
const LANE = 26;
const TOP = 22;
const LANES_MAX = 12;
const OTHER = 'other tools';
const AGENT = 'agent: model, plan, session';

/** Where each alert's evidence is: the number of the first alert that rests on an entry. */
export type AlertNumbers = ReadonlyMap<ShownEntry, number>;

/** The whole time of the case: a lane for each tool, a mark for each call, true distances in time. */
export function overviewSvg({ drawn, drawable }: CaseSummary, alertNumbers: AlertNumbers): Html {
  const lanes = lanesOf(drawn);
  const first = drawn[0]?.timeMs ?? 0;
  const last = drawn.at(-1)?.timeMs ?? first;
  const span = Math.max(1, last - first);
  const x = (timeMs: number) => LEFT + 8 + ((timeMs - first) / span) * (WIDTH - LEFT - RIGHT - 16);
  const y = (lane: number) => TOP + LANE * (lane + 0.5);
  const bottom = TOP + LANE * lanes.length;
  const marks = drawn.map((entry) =>
    markShape(shapeOf(entry), x(entry.timeMs), y(lanes.indexOf(laneOf(entry, lanes)))),
  );
  const tagged = new Set<string>();
  const tags = drawn.flatMap((entry) => {
    const number = alertNumbers.get(entry);
    if (number === undefined) return [];
    const lane = lanes.indexOf(laneOf(entry, lanes));
    // Tags of one alert on one lane would cover each other.
    const place = `${number} ${lane} ${Math.round(x(entry.timeMs) / 24)}`;
    if (tagged.has(place)) return [];
    tagged.add(place);
    return [alertTag(x(entry.timeMs), y(lane) - 11, number)];
  });
  return escaped`<svg
    class="drawing"
    role="img"
    aria-labelledby="overview-title overview-desc"
    viewBox="0 0 ${WIDTH} ${bottom + 34}"
    xmlns="http://www.w3.org/2000/svg"
  >
    <title id="overview-title">The agent's calls over time</title>
    <desc id="overview-desc">
      ${drawn.length} of ${drawable} marks on ${lanes.length} lanes from ${isoTime(first)} to
      ${isoTime(last)}; the table of steps says the same in words.
    </desc>
    ${lanes.map(
      (lane, index) =>
        escaped`<rect
            class="${index % 2 === 0 ? 'lane' : 'lane alternate'}"
            x="0"
            y="${TOP + LANE * index}"
            width="${WIDTH}"
            height="${LANE}"
          /><text class="lane-name" x="8" y="${coordinate(y(index) + 4)}">${shown(lane, 34)}</text>`,
    )}${ticks(first, span, x, bottom)}${marks}${tags}
  </svg>`;
}

function ticks(first: number, span: number, x: (timeMs: number) => number, bottom: number): Html[] {
  const count = span < 5 ? 1 : 4;
  return Array.from({ length: count + 1 }, (_, index) => {
    const timeMs = Math.round(first + (span * index) / count);
    const anchor = index === 0 ? 'start' : index === count ? 'end' : 'middle';
    const iso = isoTime(timeMs);
    const at = coordinate(x(timeMs));
    return escaped`<path class="tick" d="M${at},${TOP}V${bottom + 5}" /><text
        class="time"
        x="${at}"
        y="${bottom + 17}"
        text-anchor="${anchor}"
        >${iso.slice(11, span < 600_000 ? 23 : 19)}</text
      ><text class="date" x="${at}" y="${bottom + 29}" text-anchor="${anchor}">${iso.slice(0, 10)}</text>`;
  });
}

const nameOf = (entry: ShownEntry): string =>
  isCall(entry) ? `${entry.server ?? 'server not named'} · ${entry.tool ?? 'tool not named'}` : AGENT;

const laneOf = (entry: ShownEntry, lanes: readonly string[]): string => {
  const name = nameOf(entry);
  return lanes.includes(name) ? name : OTHER;
};

/** In order of appearance; the rarest share one lane where there are too many. */
function lanesOf(drawn: readonly ShownEntry[]): string[] {
  const counts = new Map<string, number>();
  for (const entry of drawn) counts.set(nameOf(entry), (counts.get(nameOf(entry)) ?? 0) + 1);
  if (counts.size <= LANES_MAX) return [...counts.keys()];
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, LANES_MAX - 1);
  const kept = new Set(most.map(([name]) => name));
  return [...[...counts.keys()].filter((name) => kept.has(name)), OTHER];
}
