import { expect, test } from 'vitest';
import { timing, type DetectorTimes } from '../../../backtest/stored/detector-times.ts';
import { policyEvents } from '../../../cli/backtest-policies.ts';
import { createEngine } from '../../../detectors/engine/engine.ts';
import { configSchema } from '../../../schemas/config.ts';
import { eventsIn } from '../recording/lines-file.ts';

test('each rule is measured, as a part of the detector that runs them, and what is raised stays the same', async () => {
  const inForce = await policyEvents({ registry: undefined, rules: ['builtin'] });
  const { events } = await eventsIn(
    Array.from({ length: 30 }, (_, seq) => ({
      ...{
        session: 's',
        tenant: 'acme',
        agent: 'a',
        seq,
        server: 'desk',
        tool: 'delete_user',
        kind: 'write',
      },
      ...{ ts: new Date(1_767_225_600_000 + seq * 1000).toISOString(), args_bytes: 9, output_bytes: 9 },
    })),
  );
  const { detect } = configSchema.parse({});
  const alertsOf = (engine: ReturnType<typeof createEngine>) => {
    for (const event of inForce) engine.process({ event, appendTimeMs: 0 });
    return events.flatMap((record) => engine.process(record));
  };
  const times: DetectorTimes = {};
  const alerts = alertsOf(createEngine(detect, timing(times)));
  expect(alerts).toEqual(alertsOf(createEngine(detect)));
  const raisedBy = alerts.map(({ detector: { id } }) => id).find((id) => id.startsWith('rule/'));
  expect(times[raisedBy ?? 'none']).toBeGreaterThan(0);
  const rules = Object.entries(times).filter(([id]) => id.startsWith('rule/'));
  expect(rules.length).toBeGreaterThan(5);
  expect(rules.reduce((sum, [, ms]) => sum + ms, 0)).toBeLessThanOrEqual(times['rules'] ?? 0);
});
