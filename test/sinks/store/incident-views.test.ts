import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alertSchema, type Alert } from '../../../schemas/alert.ts';
import { eventSchema } from '../../../schemas/event.ts';
import type { IncidentChange } from '../../../schemas/incident.ts';
import { uuidOf } from '../../detectors/sessions.ts';
import { sealed, source, START_MS, startStore, type Given, type StoreHarness } from './ledger-harness.ts';

const one = uuidOf('incident one');
const two = uuidOf('incident two');
const three = uuidOf('incident three');

let number = 0;
function alert(atMs: number, changes: Partial<Alert> & { tenant?: string }): Given {
  number += 1;
  const value = alertSchema.parse({
    schema: 'custody.alert/v1',
    alert_id: uuidOf(`alert ${number}`),
    detector: { id: 'loop', version: 1 },
    // Seen 500 ms after it happened.
    time_unix_nano: `${START_MS + atMs - 500}000000`,
    tenant: 'acme',
    title: `alert ${number}`,
    severity: 'medium',
    score: 0.5,
    reason: 'r',
    observed: 'o',
    normal: 'n',
    distance: 'd',
    dedup_key: 'k',
    evidence: [uuidOf('e')],
    references: { owasp: [], atlas: [], attack: [] },
    ...changes,
  });
  return given(value.tenant, atMs, value);
}

function change(atMs: number, incident: Partial<IncidentChange>, tenant = 'acme'): Given {
  const time = `${START_MS + atMs}000000`;
  const value = eventSchema.parse({
    schema: 'custody.event/v1',
    event_id: uuidOf(`change ${atMs} ${tenant}`),
    kind: 'incident',
    tenant,
    time_unix_nano: time,
    observed_time_unix_nano: time,
    source: { collector: 'pipeline', signal: 'audit', dialect: 'pipeline', vantage: 'unknown' },
    incident: { incident_id: one, changed_by: 'ann', ...incident },
  });
  return given(tenant, atMs, value);
}

const given = (key: string, atMs: number, value: unknown): Given => ({
  key,
  value: Buffer.from(JSON.stringify(value)),
  appendTimeMs: START_MS + atMs,
});

let harness: StoreHarness;
beforeAll(async () => {
  harness = await startStore();
  const alerts = [
    alert(0, { incident_id: one, risk_score: 35, session_key: 's1', actor_id: 'a1', server_name: 'mail' }),
    alert(1000, {
      incident_id: one,
      risk_score: 74,
      severity: 'high',
      title: 'the worst',
      detector: { id: 'flow', version: 2 },
      session_key: 's2',
      related_incidents: [two],
    }),
    alert(2000, { incident_id: two, risk_score: 35, session_key: 's3' }),
    alert(3000, { mode: 'shadow', detector: { id: 'rule/new', version: 1 } }),
    alert(3000, { mode: 'suppressed', suppressed_by: 'planned work', session_key: 's1' }),
    alert(4000, { incident_id: three, risk_score: 85, severity: 'critical', tenant: 'rival' }),
    // As alerts were before incidents.
    alert(5000, {}),
  ];
  await harness.store().append(sealed(alerts, { ...source, topic: 'custody.alerts', topicId: 't-alerts' }));
  await harness.store().append(
    sealed([
      change(10_000, { status: 'acknowledged', assignee: 'bob' }),
      change(20_000, { note: 'looked at it' }),
      change(30_000, { disposition: 'false_positive', status: 'resolved', changed_by: 'bob' }),
      change(40_000, { assignee: '' }),
      // Somebody's wish in another tenant about an incident that is not there.
      change(50_000, { incident_id: two, disposition: 'false_positive' }, 'rival'),
      change(60_000, { incident_id: three, status: 'resolved', disposition: 'true_positive' }, 'rival'),
      change(70_000, { incident_id: three, status: 'open' }, 'rival'),
    ]),
  );
});
afterAll(() => harness.close());

const rows = (select: string) => harness.rows(select);

describe('custody.incidents', () => {
  it('has one row per tenant and incident, with the worst of its alerts and where work on it stands', async () => {
    expect(
      await rows(
        'SELECT tenant, incident_id, status, assignee, disposition, severity, risk_score, title, alert_count FROM custody.incidents ORDER BY opened_time',
      ),
    ).toEqual([
      ['acme', one, 'resolved', '', 'false_positive', 'high', 74, 'the worst', 2],
      ['acme', two, 'open', '', 'undetermined', 'medium', 35, 'alert 3', 1],
      ['rival', three, 'open', '', 'true_positive', 'critical', 85, 'alert 6', 1],
    ]);
  });

  it('says whom and what an incident is about', async () => {
    expect(
      await rows(
        `SELECT detectors, sessions, actors, servers, related_incidents FROM custody.incidents WHERE incident_id = '${one}'`,
      ),
    ).toEqual([[['flow', 'loop'], ['s1', 's2'], ['a1'], ['mail'], [two]]]);
  });

  it('counts from the first alert in the log to the first answer and the last resolution', async () => {
    expect(
      await rows(
        'SELECT incident_id, time_to_acknowledge_sec, time_to_resolve_sec, change_count, changed_by FROM custody.incidents ORDER BY opened_time',
      ),
    ).toEqual([
      [one, 10, 30, 4, 'ann'],
      [two, null, null, 0, ''],
      // Resolved and opened again: not resolved.
      [three, 56, null, 2, 'ann'],
    ]);
  });

  it('knows no incident of alerts on trial, silenced, or older than incidents', async () => {
    expect(await rows('SELECT sum(alert_count) FROM custody.incidents')).toEqual([[4]]);
    expect(
      await rows("SELECT mode, suppressed_by FROM custody.alerts WHERE mode != '' ORDER BY mode"),
    ).toEqual([
      ['shadow', ''],
      ['suppressed', 'planned work'],
    ]);
  });
});

describe('custody.incident_changes', () => {
  it('has every change, who made it, and its place in the ledger', async () => {
    expect(
      await rows(
        `SELECT status, assignee, has_assignee, disposition, note, changed_by, seq, length(leaf_hash) FROM custody.incident_changes WHERE tenant = 'acme' ORDER BY seq`,
      ),
    ).toEqual([
      ['acknowledged', 'bob', 1, '', '', 'ann', 1, 64],
      ['', '', 0, '', 'looked at it', 'ann', 2, 64],
      ['resolved', '', 0, 'false_positive', '', 'bob', 3, 64],
      ['', '', 1, '', '', 'ann', 4, 64],
    ]);
  });
});

describe('custody.detector_kpis', () => {
  it('says for each detector how often it was right, how much it says, and how long things took', async () => {
    expect(
      await rows(
        `SELECT tenant, detector_id, alerts, shadow_alerts, suppressed_alerts, incidents, true_positives, false_positives, false_positive_rate,
          mean_time_to_detect_sec, mean_time_to_acknowledge_sec, mean_time_to_resolve_sec FROM custody.detector_kpis ORDER BY tenant, detector_id`,
      ),
    ).toEqual([
      ['acme', 'flow', 1, 0, 0, 1, 0, 1, 1, 0.5, 10, 30],
      ['acme', 'loop', 3, 0, 1, 2, 0, 1, 1, 0.5, 10, 30],
      ['acme', 'rule/new', 0, 1, 0, 0, 0, 0, null, null, null, null],
      ['rival', 'loop', 1, 0, 0, 1, 1, 0, 0, 0.5, 56, null],
    ]);
  });
});

describe('the ledger', () => {
  it('keeps changes of incidents as events of their kind, with no hot column broken', async () => {
    expect(
      await rows("SELECT kind, count() FROM custody.entries WHERE event_kind = 'incident' GROUP BY kind"),
    ).toEqual([['event', 7]]);
  });

  it('runs the migration again without effect', async () => {
    await harness.command('TRUNCATE TABLE custody.migrations');
    await harness.reopen();
    expect(await rows('SELECT count() FROM custody.incidents')).toEqual([[3]]);
  });
});
