import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
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
const registry = `${folder}registry.json`;

/** Lines of a recording as if all of it were one tenant's, at other times. */
function ofOneTenant(name: string, timeOf: (ts: string, session: string) => string): string {
  const lines = gunzipSync(readFileSync(folder + name))
    .toString()
    .trimEnd()
    .split('\n');
  return lines
    .map((line) => JSON.parse(line) as { ts: string; session: string })
    .map((record) => JSON.stringify({ ...record, tenant: 'office', ts: timeOf(record.ts, record.session) }))
    .join('\n');
}

/** A session an hour, eight a day, from a Monday on. */
function workingHour(index: number): number {
  return Date.parse('2026-04-06T09:00:00Z') + Math.floor(index / 8) * 86_400_000 + (index % 8) * 3_600_000;
}

interface Files {
  readonly warmup?: string;
  readonly stream: string;
  readonly registry?: string;
}

async function play({ warmup, stream, registry }: Files): Promise<Played> {
  const options = {
    digestKey: Buffer.from('custody evaluation of recordings'),
    limits: decodeLimits(config.ingest),
    clock: createSessionClock(),
  };
  const inForce = await policyEvents({ registry, rules: ['builtin'] });
  const player = createPlayer(config.detect, inForce);
  if (warmup !== undefined) await player.play(readRecording(warmup, options), { benign: true });
  return player.play(readRecording(stream, options));
}

async function quality(form: 'mcp' | 'events'): Promise<Quality> {
  const labels = await readLabels(`${folder}stream.labels.jsonl.gz`);
  if (labels.kind !== 'sessions') throw new Error('these are no labels of sessions');
  const { scored } = await play({
    warmup: `${folder}warmup.${form}.jsonl.gz`,
    stream: `${folder}stream.${form}.jsonl.gz`,
    registry,
  });
  return qualityOf(labels.labels, scored);
}

const recallAt = ({ at }: Quality, fpr: number) => at.find(({ fprMax }) => fprMax === fpr)?.recall ?? 0;

describe.skipIf(data === undefined)('recorded attacks', () => {
  test.each(['mcp', 'events'] as const)(
    'are told from benign sessions, in time, by %s, with learning on',
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

  test('of another kind are not seen in benign sessions on other servers', async () => {
    const { alerts, sessions } = await play({ stream: `${folder}livemcp_benign.events.jsonl.gz`, registry });
    const paged = new Set(alerts.filter(({ alert }) => isPaging(alert)).map(({ session }) => session));
    expect(sessions.size).toBe(41);
    expect(paged.size / sessions.size).toBeLessThanOrEqual(0.04);
  });

  test('nor are they once the tenant has learned from other work', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'custody-quality-'));
    const warmup = join(directory, 'warmup.jsonl');
    const stream = join(directory, 'stream.jsonl');
    await writeFile(
      warmup,
      ofOneTenant('warmup.events.jsonl.gz', (ts) => ts),
    );
    const starts = new Map<string, number>();
    await writeFile(
      stream,
      ofOneTenant('livemcp_benign.events.jsonl.gz', (ts, session) => {
        if (!starts.has(session)) starts.set(session, starts.size);
        return new Date(
          workingHour(starts.get(session) ?? 0) + (Date.parse(`${ts}Z`) % 3_600_000),
        ).toISOString();
      }),
    );
    const { alerts, sessions } = await play({ warmup, stream });
    await rm(directory, { recursive: true });
    const paged = new Set(alerts.filter(({ alert }) => isPaging(alert)).map(({ session }) => session));
    expect(sessions.size).toBe(41);
    expect(alerts.length).toBeGreaterThan(0);
    expect(paged.size / sessions.size).toBeLessThanOrEqual(0.04);
  });
});
