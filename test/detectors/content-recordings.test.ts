import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { readLabels } from '../../backtest/evaluate/labels.ts';
import { createPlayer, isPaging, type Played } from '../../backtest/evaluate/play-recording.ts';
import { readRecording } from '../../backtest/recording/read-recording.ts';
import { createSessionClock } from '../../backtest/recording/session-clock.ts';
import { policyEvents } from '../../cli/backtest-policies.ts';
import { decodeLimits } from '../../collectors/otlp/limits.ts';
import { contentDetectors } from '../../detectors/content-detectors.ts';
import { configSchema } from '../../schemas/config.ts';
import { sharedData } from '../support/shared-data.ts';
import { detectConfig } from './sessions.ts';

const data = sharedData();
const path = (name: string) => fileURLToPath(new URL(name, data));
const detectors = contentDetectors(detectConfig());

const pagedIn = (played: Played, detector?: string) =>
  new Set(
    played.alerts
      .filter(({ alert }) => isPaging(alert) && (detector ?? alert.detector.id) === alert.detector.id)
      .map(({ session }) => session),
  );

describe.skipIf(data === undefined)('detectors of content, definitions and flows on recordings', () => {
  const labelOf = new Map<string, string>();
  const labelled = (label: string) => [...labelOf.keys()].filter((session) => labelOf.get(session) === label);
  let stream: Played;
  let others: Played;
  beforeAll(async () => {
    const clock = createSessionClock();
    const read = (name: string) =>
      readRecording(path(name), {
        digestKey: Buffer.from('any'),
        limits: decodeLimits(configSchema.parse({}).ingest),
        clock,
      });
    const labels = await readLabels(path('stream.labels.jsonl.gz'));
    if (labels.kind === 'sessions')
      for (const { session, label } of labels.labels) labelOf.set(session, label);
    const inForce = await policyEvents({ registry: path('registry.json'), rules: [] });
    const player = createPlayer(detectConfig(), inForce, { detectors });
    await player.play(read('warmup.mcp.jsonl.gz'), { benign: true });
    stream = await player.play(read('stream.mcp.jsonl.gz'));
    others = await createPlayer(detectConfig(), [], { detectors }).play(
      read('livemcp_benign.events.jsonl.gz'),
    );
  });

  it.each(detectors.map(({ id }) => id))('%s pages in at most one of a hundred benign sessions', (id) => {
    const benign = labelled('benign');
    const paged = pagedIn(stream, id);
    expect(benign.length).toBeGreaterThan(100);
    expect(benign.filter((session) => paged.has(session)).length * 100).toBeLessThanOrEqual(benign.length);
  });

  it('page in no benign session on servers nobody has registered', () => {
    expect(others.sessions.size).toBeGreaterThan(30);
    expect([...pagedIn(others)]).toEqual([]);
  });

  it('page in more than every fourth session in which an attack succeeded', () => {
    const attacked = labelled('attack_succeeded');
    expect(attacked.length).toBeGreaterThan(100);
    const paged = pagedIn(stream);
    expect(attacked.filter((session) => paged.has(session)).length * 4).toBeGreaterThan(attacked.length);
  });
});
