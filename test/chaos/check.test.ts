import { describe, expect, it } from 'vitest';
import { verifies } from '../requirements.ts';
import { judge, type Seen, type SeenEntry, type SeenRecord } from './check.ts';
import type { SentEvent } from './generator.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Draft = Writable<Omit<Seen, 'entries' | 'records'>> & {
  entries: Writable<SeenEntry>[];
  records: Writable<SeenRecord>[];
};

const ALERT_OF = (n: number) => `alert-${n}`;

/** Two tenants with four events each in one partition; every second event raises an alert. */
function calmDay(): Draft {
  const tenants = ['acme', 'bolt'];
  const sent = new Map<string, SentEvent[]>();
  const draft: Draft = {
    sent,
    records: [],
    entries: [],
    calmAlertIds: [],
    calmAlertIdsOnce: [],
    deliveredIds: [],
    verification: { code: 0, verdict: 'valid', duplicates: 0, findings: [], checksNotDone: [] },
  };
  const ids: string[] = [];
  tenants.forEach((tenant, t) => {
    const events: SentEvent[] = [];
    sent.set(tenant, events);
    for (let n = 0; n < 4; n += 1) {
      const rogue = n % 2 === 1 ? `rogue-${tenant}-${n}` : undefined;
      const mark = `${tenant}/${n}`;
      events.push({ mark, attempts: 1, acknowledged: true, rogue });
      const event = { topic: 'custody.events', partition: 0, offset: String(n * 2 + t), mark };
      draft.records.push(event);
      append(draft, tenant, `${tenant}/events`, event, '');
      if (rogue === undefined) continue;
      const alertId = ALERT_OF(ids.length);
      ids.push(alertId);
      const alert = { topic: 'custody.alerts', partition: 0, offset: String(ids.length), alertId };
      draft.records.push(alert);
      append(draft, tenant, `${tenant}/alerts`, alert, rogue);
    }
  });
  draft.calmAlertIds = ids;
  draft.calmAlertIdsOnce = [...ids];
  draft.deliveredIds = [...ids];
  return draft;
}

function append(draft: Draft, tenant: string, log: string, record: SeenRecord, actor: string): void {
  const before = draft.entries.filter((row) => row.log === log);
  const row = (kind: string, seq: number): SeenEntry => ({
    log,
    tenant,
    seq: String(seq),
    leaf: `${log}#${seq}`,
    prev: seq === 0 ? 'zeros' : `${log}#${seq - 1}`,
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    kind,
    mark: kind === 'control' ? '' : (record.mark ?? ''),
    alertId: kind === 'control' ? '' : (record.alertId ?? ''),
    actor,
  });
  if (before.length === 0) draft.entries.push(row('control', 0));
  draft.entries.push(row('event', Math.max(1, before.length)));
}

function problemsOf(change: (draft: Draft) => void, copiesAllowed = false): string {
  const draft = calmDay();
  change(draft);
  return judge(draft, { copiesAllowed }).problems.join('\n');
}

function entry(draft: Draft, mark: string): Writable<SeenEntry> {
  const found = draft.entries.find((row) => row.mark === mark || row.alertId === mark);
  if (found === undefined) throw new Error(`no entry ${mark}`);
  return found;
}

const sentEvent = (draft: Draft, mark: string): SentEvent => {
  const found = [...draft.sent.values()].flat().find((event) => event.mark === mark);
  if (found === undefined) throw new Error(`never sent: ${mark}`);
  return found;
};

const without = <T>(list: readonly T[], gone: T): T[] => list.filter((item) => item !== gone);

describe('the check after a scenario', () => {
  it('finds nothing wrong with a calm day', () => {
    expect(problemsOf(() => undefined)).toBe('');
  });

  it('finds one row that was deleted', () => {
    verifies('P2');
    const problems = problemsOf((draft) => (draft.entries = without(draft.entries, entry(draft, 'acme/2'))));
    expect(problems).toContain('acknowledged events are missing from the ledger: 1 (acme/2)');
    expect(problems).toContain('records have no entry: 1 (custody.events/0/4)');
    expect(problems).toContain('log acme/events has gaps: 1 (seq 3)');
  });

  it('finds the last row of a log that was deleted, where no gap shows it', () => {
    const problems = problemsOf((draft) => (draft.entries = without(draft.entries, entry(draft, 'bolt/3'))));
    expect(problems).toContain('acknowledged events are missing from the ledger: 1 (bolt/3)');
    expect(problems).not.toContain('gaps');
  });

  it('finds an acknowledged event that neither log nor ledger has', () => {
    verifies('P1');
    const problems = problemsOf((draft) => {
      draft.records = draft.records.filter(({ mark }) => mark !== 'bolt/3');
      draft.entries = without(draft.entries, entry(draft, 'bolt/3'));
    });
    expect(problems).toContain('acknowledged events are missing from the ledger: 1 (bolt/3)');
    expect(problems).not.toContain('records have no entry');
  });

  it('lets an event be missing that nobody acknowledged', () => {
    const problems = problemsOf((draft) => {
      sentEvent(draft, 'bolt/3').acknowledged = false;
      draft.records = draft.records.filter(({ mark }) => mark !== 'bolt/3');
      draft.entries = draft.entries.filter(
        ({ mark, alertId }) => mark !== 'bolt/3' && alertId !== ALERT_OF(3),
      );
      draft.records = draft.records.filter(({ alertId }) => alertId !== ALERT_OF(3));
      draft.calmAlertIds = draft.calmAlertIdsOnce = draft.deliveredIds = [0, 1, 2].map(ALERT_OF);
    });
    expect(problems).toBe('');
  });

  it('counts an identical copy of a row, and accepts it only after a takeover and when verify counts it too', () => {
    const copy = (duplicates: number) => (draft: Draft) => {
      draft.entries.push({ ...entry(draft, 'acme/1') });
      draft.verification = { ...draft.verification, duplicates };
    };
    expect(problemsOf(copy(1))).toBe('1 rows are copies of another');
    expect(problemsOf(copy(1), true)).toBe('');
    expect(problemsOf(copy(0), true)).toBe('custody verify counts 0 copies, there are 1');
  });

  it('finds a record that became two entries of one log', () => {
    const problems = problemsOf((draft) => {
      draft.entries.push({ ...entry(draft, 'acme/3'), seq: '5', leaf: 'other', prev: 'acme/events#4' });
    }, true);
    expect(problems).toContain('records have several entries: 1 (custody.events/0/6)');
    expect(problems).toContain('events are in the ledger more often than they were sent: 1 (acme/3)');
  });

  it('finds two leaves at one place', () => {
    const problems = problemsOf((draft) => {
      draft.entries.push({ ...entry(draft, 'acme/3'), leaf: 'another' });
    }, true);
    expect(problems).toContain('log acme/events forks: 1 (seq 4)');
  });

  it('finds a leaf that does not follow from the one before', () => {
    const problems = problemsOf((draft) => (entry(draft, 'acme/3').prev = 'another'));
    expect(problems).toBe('log acme/events is out of order: 1 (seq 4)');
  });

  it('finds two events that changed places, in the ledger alone and in the log too', () => {
    const swapMarks = (draft: Draft) => {
      entry(draft, 'acme/1').mark = 'x';
      entry(draft, 'acme/2').mark = 'acme/1';
      entry(draft, 'x').mark = 'acme/2';
    };
    expect(problemsOf(swapMarks)).toContain('entries say something else than their record: 2');
    const problems = problemsOf((draft) => {
      swapMarks(draft);
      for (const record of draft.records) {
        if (record.mark === 'acme/1') record.mark = 'acme/2';
        else if (record.mark === 'acme/2') record.mark = 'acme/1';
      }
    });
    expect(problems).toBe('events of tenant acme are out of order: 1 (acme/1)');
  });

  it('accepts an event twice when it was sent twice, wherever the second copy lies', () => {
    const again = (attempts: number) => (draft: Draft) => {
      sentEvent(draft, 'acme/0').attempts = attempts;
      const record = { topic: 'custody.events', partition: 0, offset: '90', mark: 'acme/0' };
      draft.records.push(record);
      append(draft, 'acme', 'acme/events', record, '');
    };
    expect(problemsOf(again(2))).toBe('');
    expect(problemsOf(again(1))).toContain('more often than they were sent: 1 (acme/0)');
  });

  it('finds events that nobody sent', () => {
    const invented = (draft: Draft) => {
      const record = { topic: 'custody.events', partition: 0, offset: '90', mark: 'acme/99' };
      draft.records.push(record);
      append(draft, 'acme', 'acme/events', record, '');
    };
    expect(problemsOf(invented)).toBe('events in the ledger were never sent: 1 (acme/99)');
    expect(problemsOf((draft) => (sentEvent(draft, 'acme/0').attempts = 0))).toContain(
      'never sent: 1 (acme/0)',
    );
  });

  it('finds an entry without a record', () => {
    const problems = problemsOf((draft) => {
      draft.records = draft.records.filter(({ mark }) => mark !== 'acme/3');
    });
    expect(problems).toContain('entries have no record: 1 (custody.events/0/6)');
  });

  it('finds an alert that was dropped, by the calm run and by the grant that must raise it', () => {
    verifies('P5');
    const problems = problemsOf((draft) => {
      draft.entries = without(draft.entries, entry(draft, ALERT_OF(3)));
      draft.records = draft.records.filter(({ alertId }) => alertId !== ALERT_OF(3));
      draft.deliveredIds = draft.deliveredIds.slice(0, 3);
    });
    expect(problems).toContain('alerts of a calm run are missing: 1 (alert-3)');
    expect(problems).toContain('rogue grants raised no alert: 1 (rogue-bolt-3)');
  });

  it('finds a dropped alert even when the calm run drops it too', () => {
    const problems = problemsOf((draft) => {
      draft.entries = without(draft.entries, entry(draft, ALERT_OF(3)));
      draft.records = draft.records.filter(({ alertId }) => alertId !== ALERT_OF(3));
      draft.calmAlertIds = draft.calmAlertIdsOnce = draft.deliveredIds = [0, 1, 2].map(ALERT_OF);
    });
    expect(problems).toBe('rogue grants raised no alert: 1 (rogue-bolt-3)');
  });

  it('finds an alert that is in the ledger twice under one id', () => {
    const problems = problemsOf((draft) => {
      const record = { topic: 'custody.alerts', partition: 0, offset: '90', alertId: ALERT_OF(0) };
      draft.records.push(record);
      append(draft, 'acme', 'acme/alerts', record, 'rogue-acme-1');
    });
    expect(problems).toBe('alerts are in the ledger several times: 1 (alert-0)');
  });

  it('finds an alert that a calm run does not raise', () => {
    const problems = problemsOf((draft) => {
      draft.calmAlertIds = draft.calmAlertIdsOnce = draft.calmAlertIds.slice(1);
    });
    expect(problems).toBe('alerts were raised that a calm run does not raise: 1 (alert-0)');
  });

  it('finds alerts that only a resend raised or took away', () => {
    expect(problemsOf((draft) => (draft.calmAlertIdsOnce = draft.calmAlertIds.slice(1)))).toBe(
      'alerts came only from events that were sent again: 1 (alert-0)',
    );
    expect(problemsOf((draft) => (draft.calmAlertIdsOnce = [...draft.calmAlertIds, 'alert-9']))).toBe(
      'alerts were lost because events were sent again: 1 (alert-9)',
    );
  });

  it('finds an alert that the sink never got, and one that only the sink has', () => {
    verifies('P6');
    expect(problemsOf((draft) => (draft.deliveredIds = draft.deliveredIds.slice(1)))).toBe(
      'alerts did not reach the sink: 1 (alert-0)',
    );
    expect(problemsOf((draft) => (draft.deliveredIds = [...draft.deliveredIds, 'alert-9']))).toBe(
      'the sink has alerts that the ledger has not: 1 (alert-9)',
    );
    expect(problemsOf((draft) => (draft.deliveredIds = [...draft.deliveredIds, ALERT_OF(0)]))).toBe('');
  });

  it('finds a malformed entry, a verdict, an exit code and a check left out', () => {
    expect(problemsOf((draft) => (entry(draft, 'acme/0').kind = 'malformed'))).toContain(
      'malformed in the ledger: 1',
    );
    const say = (change: Partial<Seen['verification']>) =>
      problemsOf((draft) => (draft.verification = { ...draft.verification, ...change }));
    expect(say({ verdict: 'invalid', code: 3 })).toContain('custody verify says invalid and exits with 3');
    expect(say({ code: 4 })).toContain('exits with 4');
    expect(say({ checksNotDone: ['schema'] })).toBe('custody verify left checks out: 1 (schema)');
  });
});
