import { isPaging } from '../../backtest/evaluate/play-recording.ts';
import type { Evasion } from './evasions.ts';
import { openOffice, type RaisedAlert } from './office.ts';
import type { State } from './judged-sessions.ts';

/** What the detectors said of one way around them. */
export interface Outcome {
  readonly id: string;
  readonly what: string;
  readonly verdict: 'in time' | 'late' | 'noted' | 'missed';
  /** Ids of the detectors that called somebody at or before the call that does the harm. */
  readonly pagedBy: readonly string[];
  /** Session of the first call to somebody, of how many. */
  readonly first: string;
  /** Ids of those that only noted it, at any time. */
  readonly notedBy: readonly string[];
}

type Days = { readonly state: State; readonly timeMs: number };

export function raisedBy(days: Days, { sessions }: Pick<Evasion, 'sessions'>): RaisedAlert[] {
  const office = openOffice(days);
  return sessions.flatMap((work, number) =>
    office.work(work).map((raised) => ({ ...raised, session: number })),
  );
}

export function outcomeOf(days: Days, evasion: Evasion): Outcome {
  const [harmSession, harmStep] = evasion.harm;
  const raised = raisedBy(days, evasion);
  const isInTime = ({ session, step }: RaisedAlert) =>
    session < harmSession || (session === harmSession && step <= harmStep);
  const pages = raised.filter(({ alert }) => isPaging(alert));
  const inTime = pages.filter(isInTime);
  const ids = (those: readonly RaisedAlert[]) =>
    [...new Set(those.map(({ alert }) => alert.detector.id))].sort();
  const first = pages[0];
  return {
    id: evasion.id,
    what: evasion.what,
    verdict:
      inTime.length > 0 ? 'in time' : pages.length > 0 ? 'late' : raised.length > 0 ? 'noted' : 'missed',
    pagedBy: ids(pages),
    first: first === undefined ? '' : `${first.session + 1}/${evasion.sessions.length}`,
    notedBy: ids(raised.filter((each) => !pages.includes(each))).filter((id) => !ids(pages).includes(id)),
  };
}

const BEGIN = '<!-- made by the test run: begin -->';
const END = '<!-- made by the test run: end -->';

export function tableOf(outcomes: readonly Outcome[]): string {
  const list = (ids: readonly string[]) => ids.map((id) => `\`${id}\``).join(', ');
  const rows = outcomes.map(
    ({ id, what, verdict, pagedBy, first, notedBy }) =>
      `| ${id} | ${what} | **${verdict}** | ${list(pagedBy)} | ${first} | ${list(notedBy)} |`,
  );
  return `${BEGIN}\n\n| way | what happens | caught | paged by | in session | noted by |\n|---|---|---|---|---|---|\n${rows.join('\n')}\n\n${END}`;
}

/** The page with another table in it. */
export function withTable(page: string, table: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('the page has no place for the table');
  return page.slice(0, begin) + table + page.slice(end + END.length);
}
