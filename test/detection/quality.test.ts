import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readLabels } from '../../backtest/evaluate/labels.ts';
import { createPlayer, isPaging, type Played } from '../../backtest/evaluate/play-recording.ts';
import { qualityOf, type Quality } from '../../backtest/evaluate/quality.ts';
import { readRecording } from '../../backtest/recording/read-recording.ts';
import { createSessionClock } from '../../backtest/recording/session-clock.ts';
import { policyEvents } from '../../cli/backtest-policies.ts';
import { decodeLimits } from '../../collectors/otlp/limits.ts';
import { configSchema } from '../../schemas/config.ts';
import { sharedData } from '../support/shared-data.ts';

const data = sharedData();
const config = configSchema.parse({});
const folder = fileURLToPath(data ?? new URL('file:///'));

async function play(warmup: string | undefined, stream: string): Promise<Played> {
  const options = {
    digestKey: Buffer.from('custody evaluation of recordings'),
    limits: decodeLimits(config.ingest),
    clock: createSessionClock(),
  };
  const inForce = await policyEvents({ registry: `${folder}registry.json`, rules: ['builtin'] });
  const player = createPlayer(config.detect, inForce);
  if (warmup !== undefined) await player.play(readRecording(folder + warmup, options), { benign: true });
  return player.play(readRecording(folder + stream, options));
}

async function quality(form: 'mcp' | 'events'): Promise<Quality> {
  const labels = await readLabels(`${folder}stream.labels.jsonl.gz`);
  if (labels.kind !== 'sessions') throw new Error('these are no labels of sessions');
  const { scored } = await play(`warmup.${form}.jsonl.gz`, `stream.${form}.jsonl.gz`);
  return qualityOf(labels.labels, scored);
}

const recallAt = ({ at }: Quality, fpr: number) => at.find(({ fprMax }) => fprMax === fpr)?.recall ?? 0;

describe.skipIf(data === undefined)('recorded attacks', () => {
  test.each(['mcp', 'events'] as const)(
    'are told from benign sessions, in time, by %s, with learning on',
    { timeout: 300_000 },
    async (form) => {
      const judged = await quality(form);
      const atOne = judged.at.find(({ fprMax }) => fprMax === 0.01);
      expect(judged.auc).toBeGreaterThanOrEqual(0.95);
      expect(recallAt(judged, 0.01)).toBeGreaterThanOrEqual(0.72);
      expect(recallAt(judged, 0.05)).toBeGreaterThanOrEqual(0.88);
      expect((atOne?.foundInTime ?? 0) / (atOne?.found ?? 1)).toBeGreaterThanOrEqual(0.95);
      // A resisted attack is nearly a benign session: the detectors react to the action, not to the text.
      expect(atOne?.resisted).toBeLessThanOrEqual(0.1);
    },
  );

  test('of another kind are not seen in benign sessions on other servers', { timeout: 300_000 }, async () => {
    const { alerts, sessions } = await play(undefined, 'livemcp_benign.events.jsonl.gz');
    const paged = new Set(alerts.filter(({ alert }) => isPaging(alert)).map(({ session }) => session));
    expect(sessions.size).toBe(41);
    expect(paged.size / sessions.size).toBeLessThanOrEqual(0.04);
  });
});
