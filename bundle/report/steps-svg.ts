import { isoTime } from '../entry-facts.ts';
import type { ShownEntry } from './case-summary.ts';
import { type Html, escaped, shown } from './html.ts';
import { alertTag, coordinate, isCall, markShape, shapeOf } from './mark-shapes.ts';
import type { AlertNumbers } from './overview-svg.ts';

const WIDTH = 820;
const AGENT_X = 150;
const SERVER_X = 310;
const SERVER_STEP = 88;
const SERVERS_MAX = 4;
const TARGET_X = 632;
const ROW = 32;
const TOP = 34;
const ROWS = 10;
const OTHER = 'other servers';

/**
 * The chain step by step, in the order of the log: from the agent to a tool of a server and on to where it sent. In pieces
 * that fit a page. `numbers` gives each step the number it has in the table.
 */
export function stepsSvg(steps: readonly ShownEntry[], alertNumbers: AlertNumbers): Html[] {
  const servers = serversOf(steps);
  const pieces: Html[] = [];
  for (let from = 0; from < steps.length; from += ROWS)
    pieces.push(piece(steps.slice(from, from + ROWS), from, servers, alertNumbers, steps[from - 1]));
  return pieces;
}

function piece(
  steps: readonly ShownEntry[],
  from: number,
  servers: readonly string[],
  alertNumbers: AlertNumbers,
  before: ShownEntry | undefined,
): Html {
  const bottom = TOP + ROW * steps.length + 6;
  const id = `steps-${from + 1}`;
  const line = (x: number) => escaped`<path class="life" d="M${x},${TOP - 8}V${bottom}" />`;
  const head = (x: number, name: string) =>
    escaped`<text class="head" x="${x}" y="16" text-anchor="middle">${shown(name, 14)}</text>`;
  return escaped`<svg
    class="drawing"
    role="img"
    aria-labelledby="${id}-title ${id}-desc"
    viewBox="0 0 ${WIDTH} ${bottom + 4}"
    xmlns="http://www.w3.org/2000/svg"
  >
    <title id="${id}-title">Steps ${from + 1} to ${from + steps.length}</title>
    <desc id="${id}-desc">
      Each step goes from the agent to a tool of a server and, where one is recorded, to a destination. The
      table of steps says the same in words.
    </desc>
    ${head(AGENT_X, 'agent')}${servers.map((name, index) => head(SERVER_X + SERVER_STEP * index, name))}
    <text class="head" x="${TARGET_X + 8}" y="16">destination</text>
    ${line(AGENT_X)}${servers.map((_, index) => line(SERVER_X + SERVER_STEP * index))}${steps.map(
      (step, index) =>
        row(
          step,
          from + index,
          TOP + ROW * (index + 0.5),
          servers,
          alertNumbers.get(step),
          index === 0 ? before : steps[index - 1],
        ),
    )}
  </svg>`;
}

function row(
  step: ShownEntry,
  index: number,
  y: number,
  servers: readonly string[],
  alertNumber: number | undefined,
  before: ShownEntry | undefined,
): Html {
  const iso = isoTime(step.timeMs);
  const sameDay = before !== undefined && isoTime(before.timeMs).slice(0, 10) === iso.slice(0, 10);
  const gap = before === undefined ? '' : `+${duration(step.timeMs - before.timeMs)}`;
  const when = escaped`<text class="number" x="0" y="${coordinate(y + 4)}">${index + 1}</text
    ><text class="time" x="22" y="${coordinate(y)}">${iso.slice(11, 23)}</text
    ><text class="date" x="22" y="${coordinate(y + 11)}">${sameDay ? gap : iso.slice(0, 10)}</text>`;
  const tag = alertNumber === undefined ? undefined : alertTag(AGENT_X - 22, y, alertNumber);
  if (!isCall(step))
    return escaped`${when}${tag}${markShape('context', AGENT_X, y)}<text
        class="label"
        x="${AGENT_X + 10}"
        y="${coordinate(y + 4)}"
        >${shown(contextOf(step), 40)}</text
      >`;
  const x = SERVER_X + SERVER_STEP * Math.max(0, servers.indexOf(serverOf(step, servers)));
  const stopped = step.decision === 'deny';
  const name = shown(step.tool ?? 'tool not named', 25);
  const [target] = step.destinations;
  const more = step.destinations.length > 1 ? ` +${step.destinations.length - 1}` : '';
  const onward =
    target === undefined
      ? undefined
      : escaped`${arrow(x + 8, TARGET_X, y, stopped)}<text
            class="label target"
            x="${TARGET_X + 8}"
            y="${coordinate(y + 4)}"
            >${shown(target, 25)}${more}</text
          >`;
  return escaped`${when}${tag}${arrow(AGENT_X, x - 8, y, false)}<text
      class="label"
      x="${AGENT_X + 8}"
      y="${coordinate(y - 5)}"
      >${name}</text
    >${onward}${markShape(shapeOf(step), x, y)}`;
}

function arrow(fromX: number, toX: number, y: number, stopped: boolean): Html {
  const at = coordinate(y);
  return escaped`<path class="${stopped ? 'arrow stopped' : 'arrow'}" d="M${fromX},${at}H${toX}" /><path
      class="arrowhead"
      d="M${toX},${at}l-6,-3.4v6.8z"
    />`;
}

/** What an event that is no call is about. */
export function contextOf({ what, tool, decision, rule }: ShownEntry): string {
  return [what, tool, decision, rule].filter((part) => part !== undefined).join(' · ');
}

/** In words short enough for a drawing. */
export function duration(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} days`;
}

const nameOf = ({ server }: ShownEntry): string => server ?? 'not named';

const serverOf = (step: ShownEntry, servers: readonly string[]): string =>
  servers.includes(nameOf(step)) ? nameOf(step) : OTHER;

function serversOf(steps: readonly ShownEntry[]): string[] {
  const names = [...new Set(steps.filter(isCall).map(nameOf))];
  return names.length <= SERVERS_MAX ? names : [...names.slice(0, SERVERS_MAX - 1), OTHER];
}
