import type { Sent } from './generator.ts';
import { grouped } from '../../detectors/grouped.ts';
import { isControlTenant } from '../../schemas/control-tenant.ts';

/** A record of the log, as a reader outside of the pipeline sees it. */
export interface SeenRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  /** `idem.key` of an event. */
  readonly mark?: string | undefined;
  readonly alertId?: string | undefined;
}

/** A row of `custody.entries`. */
export interface SeenEntry {
  readonly log: string;
  readonly tenant: string;
  readonly seq: string;
  readonly leaf: string;
  readonly prev: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly kind: string;
  readonly mark: string;
  readonly alertId: string;
  readonly actor: string;
}

/** Everything that can be seen from outside once a fleet is at rest. */
export interface Seen {
  readonly sent: Sent;
  readonly records: readonly SeenRecord[];
  readonly entries: readonly SeenEntry[];
  /** Ids of the alerts that a calm engine raises on the events of the log, in its order. */
  readonly calmAlertIds: readonly string[];
  /** The same without the copies that resending made. */
  readonly calmAlertIdsOnce: readonly string[];
  /** Ids in the sink's file, one for each line. */
  readonly deliveredIds: readonly string[];
  readonly verification: {
    readonly code: number | null;
    readonly verdict: string;
    readonly duplicates: number;
    readonly findings: readonly unknown[];
    readonly checksNotDone: readonly string[];
  };
}

export interface Judgement {
  /** Each a sentence; empty when every promise was kept. */
  readonly problems: readonly string[];
  /** Rows that are identical copies of another. */
  readonly copies: number;
}

/** How many examples a problem names. */
const SHOWN = 5;
const EVENTS = 'custody.events';
const ALERTS = 'custody.alerts';

/** Holds what is seen against what was sent. `copiesAllowed`: a writer was asleep while another took over. */
export function judge(seen: Seen, { copiesAllowed }: { readonly copiesAllowed: boolean }): Judgement {
  const { rows, copies } = withoutCopies(seen.entries);
  const problems = [
    ...accepted(seen.sent, rows),
    ...onePerRecord(seen.records, rows),
    ...noFork(rows),
    ...inOrder(seen.sent, rows),
    ...alertsOnce(seen, rows),
    ...delivered(seen, rows),
    ...verified(seen, copies),
    ...(copies > 0 && !copiesAllowed ? [`${copies} rows are copies of another`] : []),
  ];
  return { problems, copies };
}

const same = (row: SeenEntry): string =>
  JSON.stringify([row.log, row.seq, row.leaf, row.topic, row.partition, row.offset, row.kind]);

/** Rows that say the same in every column that is hashed, once. */
function withoutCopies(entries: readonly SeenEntry[]): { rows: readonly SeenEntry[]; copies: number } {
  const rows = new Map(entries.map((row) => [same(row), row]));
  return { rows: [...rows.values()], copies: entries.length - rows.size };
}

/** P1, P2: what was acknowledged is there; what is there was sent, no more often than it was. */
function accepted(sent: Sent, rows: readonly SeenEntry[]): string[] {
  const counts = countBy(eventsIn(rows), (row) => row.mark);
  const all = [...sent.values()].flat();
  const known = new Map(all.map((event) => [event.mark, event]));
  return [
    ...problem(
      'acknowledged events are missing from the ledger',
      all.filter(({ mark, acknowledged }) => acknowledged && !counts.has(mark)).map(({ mark }) => mark),
    ),
    ...problem(
      'events in the ledger were never sent',
      [...counts.keys()].filter((mark) => !((known.get(mark)?.attempts ?? 0) > 0)),
    ),
    ...problem(
      'events are in the ledger more often than they were sent',
      [...counts]
        .filter(([mark, count]) => count > (known.get(mark)?.attempts ?? count))
        .map(([mark]) => mark),
    ),
    ...problem(
      'events are malformed in the ledger',
      rows.filter(({ kind }) => kind !== 'event' && kind !== 'control').map(placeOf),
    ),
  ];
}

/** P2: one entry for each record of each topic, none without a record. */
function onePerRecord(records: readonly SeenRecord[], rows: readonly SeenEntry[]): string[] {
  const inLog = new Map(records.map((record) => [placeOf(record), record]));
  const inLedger = rows.filter(({ kind }) => kind !== 'control');
  const counts = countBy(inLedger, placeOf);
  return [
    ...problem(
      'records have no entry',
      [...inLog.keys()].filter((place) => !counts.has(place)),
    ),
    ...problem(
      'records have several entries',
      [...counts].filter(([, count]) => count > 1).map(([place]) => place),
    ),
    ...problem(
      'entries have no record',
      rows.map(placeOf).filter((place) => !inLog.has(place)),
    ),
    ...problem(
      'entries say something else than their record',
      inLedger
        .filter((row) => {
          const record = inLog.get(placeOf(row));
          return (
            record !== undefined &&
            ((record.mark ?? '') !== row.mark || (record.alertId ?? '') !== row.alertId)
          );
        })
        .map(placeOf),
    ),
  ];
}

/** One leaf for each place of a log, places without a gap, each leaf following from the one before. */
function noFork(rows: readonly SeenEntry[]): string[] {
  const problems: string[] = [];
  for (const [log, entries] of grouped(rows, (row) => row.log)) {
    const bySeq = grouped(entries, (row) => row.seq);
    problems.push(
      ...problem(
        `log ${log} forks`,
        [...bySeq].filter(([, at]) => at.length > 1).map(([seq]) => `seq ${seq}`),
      ),
    );
    const gaps: string[] = [];
    const breaks: string[] = [];
    for (let seq = 0; seq < bySeq.size; seq += 1) {
      const entry = bySeq.get(String(seq))?.[0];
      const before = bySeq.get(String(seq - 1))?.[0];
      if (entry === undefined) gaps.push(`seq ${seq}`);
      else if (before !== undefined && entry.prev !== before.leaf) breaks.push(`seq ${seq}`);
      else if (before !== undefined && BigInt(entry.offset) < BigInt(before.offset))
        breaks.push(`offset of seq ${seq}`);
    }
    problems.push(...problem(`log ${log} has gaps`, gaps), ...problem(`log ${log} is out of order`, breaks));
  }
  return problems;
}

/** Order per key: a tenant's events first appear in the order in which its sender sent them. */
function inOrder(sent: Sent, rows: readonly SeenEntry[]): string[] {
  const problems: string[] = [];
  const byTenant = grouped(eventsIn(rows), (row) => row.tenant);
  for (const [tenant, events] of sent) {
    const ordinals = new Map(events.map(({ mark }, ordinal) => [mark, ordinal]));
    const seenMarks = new Set<string>();
    const swapped: string[] = [];
    let last = -1;
    for (const { mark } of (byTenant.get(tenant) ?? []).toSorted((a, b) =>
      Number(BigInt(a.seq) - BigInt(b.seq)),
    )) {
      if (seenMarks.has(mark)) continue;
      seenMarks.add(mark);
      const ordinal = ordinals.get(mark) ?? last;
      if (ordinal < last) swapped.push(mark);
      last = Math.max(last, ordinal);
    }
    problems.push(...problem(`events of tenant ${tenant} are out of order`, swapped));
  }
  return problems;
}

/** P5: the alerts are those of a calm run, each once; every rogue grant raised one. */
function alertsOnce({ sent, calmAlertIds, calmAlertIdsOnce }: Seen, rows: readonly SeenEntry[]): string[] {
  const alerts = rows.filter(({ topic, kind }) => topic === ALERTS && kind === 'event');
  const counts = countBy(alerts, (row) => row.alertId);
  const calm = new Set(calmAlertIds);
  const once = new Set(calmAlertIdsOnce);
  const inLedger = new Set(eventsIn(rows).map(({ mark }) => mark));
  const rogues = [...sent.values()]
    .flat()
    .flatMap(({ mark, rogue }) => (rogue !== undefined && inLedger.has(mark) ? [rogue] : []));
  const accused = countBy(alerts, (row) => row.actor);
  return [
    ...problem(
      'alerts are in the ledger several times',
      [...counts].filter(([, count]) => count > 1).map(([id]) => id),
    ),
    ...problem(
      'alerts of a calm run are missing',
      [...calm].filter((id) => !counts.has(id)),
    ),
    ...problem(
      'alerts were raised that a calm run does not raise',
      [...counts.keys()].filter((id) => !calm.has(id)),
    ),
    ...problem(
      'alerts came only from events that were sent again',
      [...calm].filter((id) => !once.has(id)),
    ),
    ...problem(
      'alerts were lost because events were sent again',
      [...once].filter((id) => !calm.has(id)),
    ),
    ...problem(
      'rogue grants raised no alert',
      rogues.filter((actor) => !accused.has(actor)),
    ),
  ];
}

/** P6: the sink has every alert, and none that is not in the ledger. */
function delivered({ deliveredIds }: Seen, rows: readonly SeenEntry[]): string[] {
  const ids = new Set(deliveredIds);
  const alerts = new Set(
    rows.filter(({ topic, kind }) => topic === ALERTS && kind === 'event').map((row) => row.alertId),
  );
  return [
    ...problem(
      'alerts did not reach the sink',
      [...alerts].filter((id) => !ids.has(id)),
    ),
    ...problem(
      'the sink has alerts that the ledger has not',
      [...ids].filter((id) => !alerts.has(id)),
    ),
  ];
}

/** P4: the product's own verifier agrees. */
function verified({ verification }: Seen, copies: number): string[] {
  const { code, verdict, duplicates, findings, checksNotDone } = verification;
  return [
    ...(verdict === 'valid' && code === 0
      ? []
      : [
          `custody verify says ${verdict} and exits with ${String(code)}: ${JSON.stringify(findings.slice(0, SHOWN))}`,
        ]),
    ...(duplicates === copies ? [] : [`custody verify counts ${duplicates} copies, there are ${copies}`]),
    ...problem('custody verify left checks out', checksNotDone),
  ];
}

/** What senders sent; rules come into force by records of the pipeline itself. */
const eventsIn = (rows: readonly SeenEntry[]) =>
  rows.filter(({ topic, kind, tenant }) => topic === EVENTS && kind === 'event' && !isControlTenant(tenant));

const placeOf = ({ topic, partition, offset }: Pick<SeenRecord, 'topic' | 'partition' | 'offset'>) =>
  `${topic}/${partition}/${offset}`;

function problem(what: string, examples: readonly string[]): string[] {
  if (examples.length === 0) return [];
  const more = examples.length > SHOWN ? ', ...' : '';
  return [`${what}: ${examples.length} (${examples.slice(0, SHOWN).join(', ')}${more})`];
}

function countBy<T>(list: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  return new Map([...grouped(list, keyOf)].map(([key, group]) => [key, group.length]));
}
