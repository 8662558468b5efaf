import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createPlayer, type Played } from '../../backtest/evaluate/play-recording.ts';
import { readRecording } from '../../backtest/recording/read-recording.ts';
import type { RecordedEvent } from '../../backtest/recording/recorded-event.ts';
import { createSessionClock } from '../../backtest/recording/session-clock.ts';
import { policyEvents } from '../../cli/backtest-policies.ts';
import { decodeLimits } from '../../collectors/otlp/limits.ts';
import { configSchema } from '../../schemas/config.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { sharedData } from '../support/shared-data.ts';

const data = sharedData();
const config = configSchema.parse({});
/** Enough of each recording to fill the detectors' memories and to see every tenant. */
const WARMUP_SESSIONS = 60;
const STREAM_SESSIONS = 60;

type Reduce = (event: CustodyEvent) => CustodyEvent;

async function play(form: 'mcp' | 'events', reduce: Reduce): Promise<Played> {
  const folder = fileURLToPath(data ?? new URL('file:///'));
  const clock = createSessionClock();
  const options = { digestKey: Buffer.alloc(32, 1), limits: decodeLimits(config.ingest), clock };
  async function* first(name: string, sessionsMax: number): AsyncGenerator<RecordedEvent> {
    const sessions = new Set<string | undefined>();
    for await (const record of readRecording(`${folder}${name}.${form}.jsonl.gz`, options)) {
      if (sessions.size >= sessionsMax && !sessions.has(record.session)) continue;
      sessions.add(record.session);
      yield { ...record, event: reduce(record.event) };
    }
  }
  const player = createPlayer(
    config.detect,
    await policyEvents({ registry: `${folder}registry.json`, rules: [] }),
  );
  await player.play(first('warmup', WARMUP_SESSIONS));
  return player.play(first('stream', STREAM_SESSIONS));
}

function compare(raw: Played, normalised: Played) {
  const key = ({ session, seq, detector }: Played['scored'][number]) => `${session} ${seq ?? ''} ${detector}`;
  const firedBy = (played: Played) =>
    new Set(
      played.scored.filter(({ fired }) => fired).map(({ session, detector }) => `${session} ${detector}`),
    );
  const [one, other] = [firedBy(raw), firedBy(normalised)];
  const sessions = new Set(
    [...one]
      .filter((each) => !other.has(each))
      .concat([...other].filter((each) => !one.has(each)))
      .map((each) => each.split(' ')[0]),
  );
  const scores = new Map(raw.scored.map((each) => [key(each), each.score]));
  const differences = normalised.scored.flatMap((each) => {
    const score = scores.get(key(each));
    return score === undefined ? [] : [Math.abs(score - each.score)];
  });
  return {
    sessionsFiredOtherwise: sessions.size,
    scores: differences.length,
    unequal: differences.filter((difference) => difference > 0).length,
    far: differences.filter((difference) => difference > 0.05).length / differences.length,
  };
}

/** Without the members in which the two forms say different things of the same call. */
const without =
  (...members: readonly string[]): Reduce =>
  (event) =>
    JSON.parse(
      JSON.stringify(event, (name, value: unknown) => (members.includes(name) ? undefined : value)),
    ) as CustodyEvent;
/** A recorder's own counts of secrets and its lines; shapes, summaries and counts that only the text shows. */
const judgedByRecorder = ['findings', 'shapes', 'line_count', 'item_count', 'pii', 'summary'];

describe.skipIf(data === undefined)('one recording as MCP messages and as normalised records', () => {
  test('is the same to the detectors, alert for alert and score for score, in all that both forms state alike', async () => {
    const reduce = without(
      ...judgedByRecorder,
      'size_bytes',
      'digest',
      'values',
      'keys',
      'destinations',
      'destination_origins',
    );
    const difference = compare(await play('mcp', reduce), await play('events', reduce));
    // Only scores from two bits on are told: 110 of them.
    expect(difference.scores).toBeGreaterThan(100);
    expect(difference).toMatchObject({ sessionsFiredOtherwise: 0, unequal: 0 });
  });

  test('with sizes, values and destinations as each form states them, few sessions alert otherwise', async () => {
    const reduce = without(...judgedByRecorder);
    const difference = compare(await play('mcp', reduce), await play('events', reduce));
    expect(difference.sessionsFiredOtherwise / STREAM_SESSIONS).toBeLessThan(0.1);
    expect(difference.far).toBeLessThan(0.15);
  });
});
