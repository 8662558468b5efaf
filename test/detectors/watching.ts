import { expect } from 'vitest';
import type { Detector } from '../../detectors/detector.ts';
import { documentDigest } from '../../detectors/registry/document-digest.ts';
import { alertSchema, type Alert } from '../../schemas/alert.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../../schemas/event.ts';
import { callEvent, detectConfig, omit, runner, uuidOf, type Call } from './sessions.ts';

/** One detector in an engine of its own, fed with single events; each moves the clock a second on. */
export function watching<Tenant, Session>(detector: Detector<Tenant, Session>, registry?: object) {
  const run = runner(detectConfig(), { detectors: [detector] });
  let number = 0;
  const next = () => {
    number += 1;
    run.wait(1000);
    return number;
  };
  const call = (session: string, what: Call, more: Partial<CustodyEvent> = {}): Alert[] =>
    run.send({ ...callEvent('acme', session, next(), run.now(), what), ...more });
  const bare = (session: string, more: Partial<CustodyEvent>): Alert[] => {
    const event = callEvent('acme', session, next(), run.now(), { tool: 'x' });
    const rest = omit(event, 'tool', 'arguments', 'result', 'policy', 'phase');
    return run.send({ ...rest, kind: 'auth', ...more });
  };
  const end = (session: string) =>
    bare(session, { kind: 'session', session: { ...keyOf(session), transition: 'end' } });
  const decree = (document: object) =>
    run.send({
      schema: EVENT_SCHEMA,
      event_id: uuidOf(`registry ${next()}`),
      kind: 'policy_document',
      tenant: 'custody-control.0',
      time_unix_nano: `${run.now()}000000`,
      observed_time_unix_nano: `${run.now()}000000`,
      source: { collector: 'audit_http', signal: 'audit', dialect: 'test', vantage: 'unknown' },
      policy_document: {
        type: 'registry',
        digest: documentDigest(document),
        document: JSON.stringify(document),
      },
    });
  if (registry !== undefined) decree({ version: 1, ...registry });
  return {
    run,
    call,
    bare,
    end,
    decree,
    /** Sessions of the same calls, each closed. */
    history: (
      count: number,
      calls: readonly Call[],
      more: Partial<CustodyEvent> = {},
      name = 'past',
    ): Alert[] => {
      const since = number;
      return Array.from({ length: count }, (_, index) => {
        const session = `${name}-${since}-${index}`;
        return [...calls.flatMap((one) => call(session, one, more)), ...end(session)];
      }).flat();
    },
    judge: (incident: string, disposition: 'false_positive' | 'benign_true_positive' | 'true_positive') => {
      const event = callEvent('acme', '', next(), run.now(), { tool: 'x' });
      run.send({
        ...omit(event, 'session', 'tool', 'result', 'arguments'),
        kind: 'incident',
        incident: { incident_id: incident, disposition, changed_by: 'jo' },
      });
    },
  };
}

/** The call raises one alert, this one, and none when it is made again in the session. */
export function expectOnce(
  watch: ReturnType<typeof watching>,
  call: Call,
  more: Partial<CustodyEvent>,
  told: { readonly title: string; readonly severity: string },
): void {
  const [alert, ...others] = watch.call('s', call, more);
  expect(others).toEqual([]);
  expect(alert).toMatchObject(told);
  expect(alertSchema.parse(alert)).toEqual(alert);
  expect(watch.call('s', call, more)).toEqual([]);
}

export function keyOf(key: string): NonNullable<CustodyEvent['session']> {
  return { key, source: 'conversation_id', confidence: 'high' };
}

/** Entries a state holds, at any depth: what a flood must not grow. */
export function sizeOf(value: unknown): number {
  if (value instanceof Map) return sizeOf([...(value as Map<unknown, unknown>).values()]);
  if (Array.isArray(value))
    return (value as unknown[]).reduce<number>((sum, one) => sum + 1 + sizeOf(one), 0);
  if (typeof value === 'object' && value !== null) return sizeOf(Object.values(value));
  return 0;
}
