import type { BundleFacts } from '../case-data.ts';
import { msOfNano } from '../entry-facts.ts';
import { type Fact, factTable, grouped, table } from './case-sections.ts';
import { type CaseSummary, REPORT_LIMITS, type ShownAlert, type ShownEntry } from './case-summary.ts';
import { type Html, escaped, shown } from './html.ts';
import { isCall, legend } from './mark-shapes.ts';
import { type AlertNumbers, overviewSvg } from './overview-svg.ts';
import { contextOf, stepsSvg } from './steps-svg.ts';
import { timeLines, timeText } from './time-text.ts';

/** Steps drawn one by one; the overview has more. */
const STEPS_MAX = 48;

/** File of a log by its id: log ids are too long for a table. */
type Places = ReadonlyMap<string, string>;

const placesOf = ({ logs }: BundleFacts): Places => new Map(logs.map(({ log, index }) => [log, index]));
function placeOf({ log, seq }: ShownEntry, places: Places): Html {
  const index = places.get(log);
  return index === undefined
    ? escaped`${log} / ${seq}`
    : escaped`<span class="keep">${index} / ${seq}</span>`;
}

export function alertSection(facts: BundleFacts, { alerts, alertCount }: CaseSummary): Html {
  const places = placesOf(facts);
  return escaped`<h2>Alerts</h2>
    ${
      alertCount === 0
        ? escaped`<p>No alert is among these entries.</p>`
        : escaped`<p class="note">
            An alert is the opinion of a detector; what it rests on are the entries it names (file / seq).
            ${
              alertCount > alerts.length
                ? `The first ${alerts.length} of ${grouped(alertCount)} are shown; all are in data/entries and data/timeline.csv.`
                : ''
            }
          </p>`
    }${alerts.map((alert, index) => alertCard(alert, index + 1, places))}`;
}

function alertCard({ alert, entry, evidence }: ShownAlert, number: number, places: Places): Html {
  const references = [...alert.references.owasp, ...alert.references.attack, ...alert.references.atlas];
  const pointers = alert.evidence.map((id) => {
    const found = evidence.get(id);
    return found === undefined
      ? escaped`<div class="mono">${id} (not among the entries before it; see data/alerts)</div>`
      : escaped`<div>${placeOf(found, places)} <span class="mono soft">${id}</span></div>`;
  });
  const who = [alert.actor_id, alert.user_id, alert.session_key].filter((part) => part !== undefined);
  const rows: Fact[] = [
    ['Reason', alert.reason],
    ['Observed', alert.observed],
    ['Normal here', alert.normal],
    ['Distance', alert.distance],
    ['Time', timeText(msOfNano(alert.time_unix_nano))],
    ['Who', who.length === 0 ? undefined : who.map((part) => escaped`<div>${part}</div>`)],
    [
      'Tool',
      [alert.server_name, alert.tool_name].filter((part) => part !== undefined).join(' · ') || undefined,
    ],
    ['Decision', alert.policy_decision],
    [
      'Destinations',
      alert.destinations?.length ? alert.destinations.map((name) => escaped`<div>${name}</div>`) : undefined,
    ],
    ['Rests on', pointers],
    ['Detector', `${alert.detector.id}, version ${alert.detector.version}, score ${alert.score}`],
    ['References', references.length === 0 ? undefined : references.slice(0, 40).join(', ')],
    ['Own entry', escaped`${placeOf(entry, places)}, alert ${alert.alert_id}`],
  ];
  return escaped`<article class="alert">
    <h3>A${number} · ${alert.title} <span class="severity ${alert.severity}">${alert.severity}</span></h3>
    ${factTable(rows)}
  </article>`;
}

/** The drawing, and the same in words. */
export function chainSection(facts: BundleFacts, summary: CaseSummary): Html {
  const { drawn, drawable, stride, stopped, stoppedDrawn } = summary;
  if (drawn.length === 0)
    return escaped`<h2>What the agent did</h2>
      <p>No entry of this case is about an agent's action.</p>`;
  const numbers = alertNumbersOf(summary);
  const steps = stepsOf(drawn, numbers);
  const places = placesOf(facts);
  const thinned =
    drawn.length === drawable
      ? `All ${grouped(drawable)} observations of actions are drawn.`
      : `${grouped(drawn.length)} of ${grouped(drawable)} observations are drawn: up to ${REPORT_LIMITS.notable} that alerts rest on, the ${REPORT_LIMITS.before} before each of the first alerts, ${grouped(stoppedDrawn)} of the ${grouped(stopped)} with a decision other than allow, and every ${ordinal(stride)} of all, in even steps.`;
  return escaped`<h2>What the agent did</h2>
    <figure>
      ${legend()}${overviewSvg(summary, numbers)}
      <figcaption>
        Time is that of the log (UTC), the lanes are tools. ${thinned} One call may be told by several
        observers: client, gateway, server.
      </figcaption>
    </figure>
    <h3>Step by step</h3>
    <p class="note">
      ${
        steps.length === drawn.length
          ? `The ${grouped(steps.length)} drawn observations in the order of the log.`
          : `${grouped(steps.length)} of the ${grouped(drawn.length)} drawn observations, in the order of the log: those that alerts rest on first, then those around them.`
      }
      Below a time is the time since the step above.
    </p>
    <figure>${stepsSvg(steps, numbers)}</figure>
    <h3>The same in words</h3>
    ${table(
      [
        'No',
        'Time (UTC)',
        'Who',
        'What',
        'Decision',
        'Result',
        'Bytes in / out',
        'Destinations',
        'File / seq',
      ],
      steps.map((step, index) => stepRow(step, index, numbers, places)),
      'dense steps',
    )}`;
}

function stepRow(step: ShownEntry, index: number, numbers: AlertNumbers, places: Places): (string | Html)[] {
  const alert = numbers.get(step);
  const what = isCall(step)
    ? `${step.server ?? 'server not named'} · ${step.tool ?? 'tool not named'}`
    : contextOf(step);
  return [
    alert === undefined ? String(index + 1) : escaped`${index + 1}<br /><strong>A${alert}</strong>`,
    timeLines(step.timeMs),
    step.actor ?? step.user ?? '',
    escaped`${what}${step.summary === undefined ? undefined : escaped`<br /><span class="mono soft">${shown(step.summary, 160)}</span>`}`,
    [step.decision, step.rule].filter((part) => part !== undefined).join(', '),
    step.result ?? '',
    sizesOf(step),
    destinationsOf(step),
    placeOf(step, places),
  ];
}

const sizesOf = ({ bytesIn, bytesOut }: ShownEntry): string =>
  bytesIn === undefined && bytesOut === undefined
    ? ''
    : `${bytesIn === undefined ? '?' : grouped(bytesIn)} / ${bytesOut === undefined ? '?' : grouped(bytesOut)}`;

function destinationsOf({ destinations }: ShownEntry): Html {
  const first = destinations.slice(0, 4).map((name) => escaped`<div>${shown(name, 120)}</div>`);
  return escaped`${first}${destinations.length > 4 ? `and ${destinations.length - 4} more` : ''}`;
}

function alertNumbersOf({ alerts }: CaseSummary): AlertNumbers {
  const numbers = new Map<ShownEntry, number>();
  for (const [index, { evidence }] of alerts.entries())
    for (const entry of evidence.values()) if (!numbers.has(entry)) numbers.set(entry, index + 1);
  return numbers;
}

/** What alerts rest on, then what is nearest to it in the order of the log; without alerts the first ones. */
function stepsOf(drawn: readonly ShownEntry[], numbers: AlertNumbers): ShownEntry[] {
  if (drawn.length <= STEPS_MAX) return [...drawn];
  const cited = drawn.flatMap((entry, index) => (numbers.has(entry) ? [index] : []));
  const nearest = (index: number) => Math.min(...cited.map((at) => Math.abs(at - index)), drawn.length);
  return drawn
    .map((_, index) => ({ index, far: nearest(index) }))
    .sort((a, b) => a.far - b.far || a.index - b.index)
    .slice(0, STEPS_MAX)
    .sort((a, b) => a.index - b.index)
    .flatMap(({ index }) => drawn[index] ?? []);
}

const ordinal = (n: number): string =>
  n === 1 ? 'one' : n % 10 === 2 && n % 100 !== 12 ? `${n}nd` : `${n}th`;

export function entriesSection(facts: BundleFacts, summary: CaseSummary): Html {
  const places = placesOf(facts);
  const rows = summary.firstEntries.map((entry) => [
    placeOf(entry, places),
    timeText(entry.timeMs),
    entry.severity === undefined ? entry.what : `${entry.what} (${entry.severity})`,
    entry.actor ?? entry.user ?? '',
    [entry.server, entry.tool].filter((part) => part !== undefined).join(' · '),
    [entry.decision, entry.result].filter((part) => part !== undefined).join(', '),
    escaped`<span class="mono">${entry.bodySha.slice(0, 16)}…</span>`,
  ]);
  return escaped`<h2>Entries</h2>
    <p>
      ${
        rows.length === summary.entryCount
          ? `All ${grouped(rows.length)} entries.`
          : `The first ${grouped(rows.length)} of ${grouped(summary.entryCount)} entries; all are in data/timeline.csv, and their exact bytes in data/entries.`
      }
    </p>
    ${table(['File / seq', 'Time (UTC)', 'About', 'Who', 'Server · tool', 'Decision, result', 'SHA-256 of the body'], rows, 'dense')}`;
}
