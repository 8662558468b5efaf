import { beforeAll, describe, expect, it } from 'vitest';
import { grouped } from '../../detectors/grouped.ts';
import type { RecordedEvent } from '../../backtest/recording/recorded-event.ts';
import { verifies } from '../requirements.ts';
import { sharedData } from '../support/shared-data.ts';
import { judgingEngine, stateAfterWarmup, type Judged, type State } from './judged-sessions.ts';
import { FIGURES, pooled, recallOf, type Recall } from './recall-of-attacks.ts';
import { readRecordings } from './recorded-sessions.ts';

/** What attack sessions in the stream may cost. */
const COST_MAX = 0.03;
/** Attack sessions beside the 143 benign ones. */
const STREAMS = { 'one in twenty': 8, 'one in five': 36 } as const;
/**
 * Who the attackers of one stream are: dealt out, so that each stream has some of every goal, or sorted, so that one comes back
 * with the same goal again and again, which teaches most.
 */
type Attackers = 'dealt out' | 'persistent';

const data = sharedData();

describe.skipIf(data === undefined)('attack sessions in the stream', () => {
  let stream: readonly RecordedEvent[];
  let state: State;
  let benign: readonly string[];
  /** In the order of the stream, with what the attacker wanted. */
  let attacks: readonly { readonly session: string; readonly goal: string }[];
  let frozen: ReadonlyMap<string, Judged>;

  beforeAll(async () => {
    if (data === undefined) return;
    const recordings = await readRecordings(data);
    state = stateAfterWarmup(recordings);
    stream = recordings.stream;
    const sessions = grouped(stream, ({ session }) => session ?? '');
    const labelOf = new Map(recordings.labels.map((label) => [label.session, label]));
    benign = [...sessions.keys()].filter((session) => labelOf.get(session)?.label === 'benign');
    attacks = [...sessions.keys()].flatMap((session) => {
      const label = labelOf.get(session);
      return label?.label === 'attack_succeeded' ? [{ session, goal: label.goal ?? '' }] : [];
    });
    frozen = judgedApart(sessions);
  });

  /** Each session judged by what the warm-up taught and nothing else. */
  function judgedApart(sessions: ReadonlyMap<string, readonly RecordedEvent[]>): ReadonlyMap<string, Judged> {
    const all = new Map<string, Judged>();
    for (const session of [...benign, ...attacks.map((attack) => attack.session)]) {
      const { play, judged } = judgingEngine({ state });
      play(sessions.get(session) ?? [], 'silent');
      for (const [name, each] of judged) all.set(name, each);
    }
    return all;
  }

  /** Disjoint sets of attack sessions. */
  function selections(count: number, attackers: Attackers): string[][] {
    const ordered =
      attackers === 'dealt out'
        ? attacks
        : [...attacks].sort((a, b) => (a.goal === b.goal ? 0 : a.goal < b.goal ? -1 : 1));
    const sets = Math.floor(ordered.length / count);
    return Array.from({ length: sets }, (_, set) =>
      ordered
        .filter((_attack, index) =>
          attackers === 'dealt out' ? index % sets === set : Math.floor(index / count) === set,
        )
        .slice(0, count)
        .map(({ session }) => session),
    );
  }

  type Learning = 'as it is' | 'everything' | 'no attack';

  function recallWith(selected: readonly string[], learning: Learning): Recall {
    const sessions = new Set([...benign, ...selected]);
    const neverLearned = learning === 'no attack' ? new Set(selected) : undefined;
    const { play, judged } = judgingEngine({
      state,
      ...(neverLearned === undefined ? {} : { neverLearned }),
    });
    play(
      stream.filter(({ session }) => session !== undefined && sessions.has(session)),
      learning === 'everything' ? 'dismisses all' : 'silent',
    );
    return recallOf(judged, benign, selected);
  }

  function played(share: keyof typeof STREAMS, attackers: Attackers) {
    const sets = selections(STREAMS[share], attackers);
    const of = (learning: Learning, those = sets) => pooled(those.map((set) => recallWith(set, learning)));
    const result = {
      frozen: pooled(sets.map((set) => recallOf(frozen, benign, set))),
      learning: of('as it is'),
      ...(attackers === 'persistent' ? { withoutAttacks: of('no attack') } : {}),
      // Falls so far that half of the streams will do.
      everything: of(
        'everything',
        sets.filter((_set, index) => index % 2 === 0),
      ),
    };
    const lines = Object.entries(result).map(
      ([name, figures]) =>
        `  ${name.padEnd(15)} ${[...FIGURES, 'benignPaged' as const].map((figure) => `${figure} ${figures[figure].toFixed(3)}`).join('  ')}`,
    );
    process.stdout.write(
      `attacks ${share}, ${attackers}, ${sets.length} streams of ${benign.length} + ${STREAMS[share]} sessions:\n${lines.join('\n')}\n`,
    );
    return result;
  }

  it.each(['one in twenty', 'one in five'] as const)(
    'that are %s cost less than 0.03 recall against learning switched off, and far more if everything were learned',
    (share) => {
      verifies('Q1');
      const { frozen: off, learning, everything } = played(share, 'dealt out');
      for (const figure of FIGURES)
        expect([figure, off[figure] - learning[figure] < COST_MAX]).toEqual([figure, true]);
      expect(off.paged - everything.paged).toBeGreaterThan(0.1);
      expect(off.atFivePercent - everything.atFivePercent).toBeGreaterThan(0.1);
    },
  );

  it.each(['one in twenty', 'one in five'] as const)(
    'of one goal after the other that are %s cost less than 0.03 recall against never learning from an attack',
    (share) => {
      verifies('Q1');
      const { frozen: off, learning, withoutAttacks, everything } = played(share, 'persistent');
      for (const figure of FIGURES)
        expect([figure, (withoutAttacks?.[figure] ?? 1) - learning[figure] < COST_MAX]).toEqual([
          figure,
          true,
        ]);
      expect(off.paged - learning.paged).toBeLessThan(COST_MAX);
      expect(off.paged - everything.paged).toBeGreaterThan(0.3);
    },
  );
});
