import { beforeAll, describe, expect, it } from 'vitest';
import { normalizeAudit } from '../../collectors/normalize/audit.ts';
import { builtInDetectors } from '../../detectors/built-in.ts';
import type { DetectRecord, Engine } from '../../detectors/engine/contract.ts';
import { createEngine } from '../../detectors/engine/engine.ts';
import type { Alert } from '../../schemas/alert.ts';
import { agentTraffic } from '../determinism/agent-traffic.ts';
import { collectState, detectConfig } from '../detectors/sessions.ts';
import { verifies } from '../requirements.ts';
import { sharedData } from '../support/shared-data.ts';
import { arrivedLate, wovenOtherwise } from './log-orders.ts';
import { readRecordings } from './recorded-sessions.ts';

/**
 * What is promised: the alerts of a tenant are a function of its records in the order and with the times of the log, byte for
 * byte, whoever detects them, however often it restarts, and whatever other tenants do. Records that arrive in another order
 * make another log; then alerts are the same where a detector knows nothing but the session, and nearly the same elsewhere.
 */
const config = detectConfig();
const LATENESS_MS = 5_000;

/** Detectors that know nothing of a tenant but the session. */
const ofSession = new Set(
  builtInDetectors(config)
    .filter((detector) => detector.newTenantState('any') === undefined)
    .map(({ id }) => id),
);

interface Traffic {
  readonly name: string;
  readonly records: readonly DetectRecord[];
  readonly inForce: readonly DetectRecord[];
}

const data = sharedData();
const traffics = [...(data === undefined ? [] : ['the recordings']), 'agents of twelve tenants'] as const;
const byName = new Map<string, Traffic & { readonly alerts: readonly Alert[] }>();

beforeAll(async () => {
  const all = [madeUp(), ...(data === undefined ? [] : [await recorded(data)])];
  for (const traffic of all) byName.set(traffic.name, { ...traffic, alerts: alertsOf(traffic) });
});

async function recorded(folder: URL): Promise<Traffic> {
  const { stream, inForce } = await readRecordings(folder);
  const appendTimeMs = stream[0]?.appendTimeMs ?? 0;
  return {
    name: 'the recordings',
    records: stream.map(({ event, appendTimeMs: atMs }) => ({ event, appendTimeMs: atMs })),
    inForce: inForce.map((event) => ({ event, appendTimeMs })),
  };
}

function madeUp(): Traffic {
  const digestKey = Buffer.alloc(32, 3);
  const records = agentTraffic(Date.UTC(2026, 2, 20, 9)).map((record) => {
    const appendTimeMs = Number(record['sent_ms']);
    const context = {
      collector: 'audit_http',
      tenant: String(record['tenant']),
      tenantPinned: true,
    } as const;
    const observedTimeUnixNano = `${appendTimeMs}000000`;
    return { event: normalizeAudit(record, { ...context, observedTimeUnixNano, digestKey }), appendTimeMs };
  });
  return { name: 'agents of twelve tenants', records, inForce: [] };
}

function started({ inForce }: Pick<Traffic, 'inForce'>): Engine {
  const engine = createEngine(config);
  for (const record of inForce) engine.process(record);
  return engine;
}

function alertsOf(traffic: Pick<Traffic, 'records' | 'inForce'>): Alert[] {
  const engine = started(traffic);
  return traffic.records.flatMap((record) => engine.process(record));
}

function trafficOf(name: string) {
  const traffic = byName.get(name);
  if (traffic === undefined) throw new Error(`no traffic ${name}`);
  return traffic;
}

const bytes = (alerts: readonly Alert[]) => alerts.map((alert) => JSON.stringify(alert));
/** By tenant, each in its order. */
const byTenant = (alerts: readonly Alert[]) =>
  [...new Set(alerts.map(({ tenant }) => tenant))]
    .sort()
    .map((name) => [name, bytes(alerts.filter(({ tenant }) => tenant === name))]);
const tenantsOf = (records: readonly DetectRecord[]) => [
  ...new Set(records.map(({ event }) => event.tenant)),
];

describe.each(traffics)('the log of %s', (name) => {
  it('has alerts of several detectors in several tenants', () => {
    const { alerts } = trafficOf(name);
    expect(new Set(alerts.map(({ detector }) => detector.id)).size).toBeGreaterThan(4);
    expect(new Set(alerts.map(({ tenant }) => tenant)).size).toBeGreaterThan(2);
  });

  it('gives the same bytes when it is played again', () => {
    verifies('P5');
    expect(bytes(alertsOf(trafficOf(name)))).toEqual(bytes(trafficOf(name).alerts));
  });

  it('gives the same bytes when the engine is restored from its snapshots at five points', () => {
    verifies('P5');
    const traffic = trafficOf(name);
    const { records } = traffic;
    const points = new Set([1, 2, 3, 4, 5].map((sixth) => Math.floor((sixth * records.length) / 6)));
    const state = new Map<string, Uint8Array>();
    let engine = started(traffic);
    let restarts = 0;
    const alerts = records.flatMap((record, place) => {
      if (points.has(place)) {
        collectState(engine.snapshot(), state);
        engine = createEngine(config);
        engine.restore([...state].map(([piece, value]) => ({ name: piece, value })));
        restarts += 1;
      }
      return engine.process(record);
    });
    expect(restarts).toBe(5);
    expect(bytes(alerts)).toEqual(bytes(traffic.alerts));
  });

  it.each([2, 4])('gives each tenant the same bytes when %d engines share the tenants', (engines) => {
    verifies('P9');
    const traffic = trafficOf(name);
    const tenants = tenantsOf(traffic.records);
    const shares = Array.from({ length: engines }, (_, share) => ({
      inForce: traffic.inForce,
      records: traffic.records.filter(({ event }) => tenants.indexOf(event.tenant) % engines === share),
    }));
    expect(shares[1]?.records.length).toBeGreaterThan(0);
    expect(byTenant(shares.flatMap(alertsOf))).toEqual(byTenant(traffic.alerts));
  });

  it('gives each tenant the same bytes when the tenants are woven into each other in another way', () => {
    verifies('P9');
    const traffic = trafficOf(name);
    const records = wovenOtherwise(traffic.records, 1);
    expect(records.length).toBe(traffic.records.length);
    const moved = records.filter((record, place) => record !== traffic.records[place]).length;
    expect(moved).toBeGreaterThan(records.length / 2);
    expect(byTenant(alertsOf({ ...traffic, records }))).toEqual(byTenant(traffic.alerts));
  });
});

describe.each(traffics)('records of %s that arrive up to five seconds late', (name) => {
  it('give the same alert ids, but for few of detectors that know more than the session', () => {
    verifies('P5');
    const traffic = trafficOf(name);
    const played = (draw: number) => {
      const records = arrivedLate(traffic.records, LATENESS_MS, draw);
      return { records, alerts: alertsOf({ ...traffic, records }) };
    };
    const [inTime, late] = [played(0), played(1)];
    const moved = late.records.filter(({ event }, place) => event !== inTime.records[place]?.event).length;
    expect(moved).toBeGreaterThan(100);
    const ids = ({ alerts }: typeof late) => new Set(alerts.map(({ alert_id }) => alert_id));
    const [one, other] = [ids(inTime), ids(late)];
    const otherwise = [...inTime.alerts, ...late.alerts].filter(
      ({ alert_id }) => !one.has(alert_id) || !other.has(alert_id),
    );
    process.stdout.write(
      `${name}: ${moved} of ${late.records.length} records in another place, ${otherwise.length} of ${inTime.alerts.length} alerts otherwise: ` +
        `${[...new Set(otherwise.map(({ detector }) => detector.id))].join(', ')}\n`,
    );
    expect(otherwise.filter(({ detector }) => ofSession.has(detector.id))).toEqual([]);
    expect(otherwise.length).toBeLessThan(inTime.alerts.length * 0.05);
  });
});

it.skipIf(data === undefined)(
  'the recordings have alerts of detectors that know nothing but the session',
  () => {
    const { alerts } = trafficOf('the recordings');
    expect(alerts.filter(({ detector }) => ofSession.has(detector.id)).length).toBeGreaterThan(20);
  },
);
