import { writeFileSync } from 'node:fs';
import { generateKeyPairSync, sign } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keyRotationText } from '../../evidence/anchor-log/entry.ts';
import {
  formatSigningKey,
  formatVerifierKey,
  parseVerifierKey,
  signingKey,
  verifiedBy,
} from '../../evidence/note/key.ts';
import { parseNote } from '../../evidence/note/note.ts';
import type { Anchor, AnchoredCheckpoint } from '../../notary/anchor.ts';
import { createNotary, type Notary, type NotaryCondition } from '../../notary/notary.ts';
import { awaitAct, requestAct } from '../../notary/requests.ts';
import { IntegrityError, TransientError } from '../../runtime/errors.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { configSchema } from '../../schemas/config.ts';
import { anchorEvidence, newestCheckpoint } from '../../sinks/store/checkpoints.ts';
import { until } from '../support/pipeline-process.ts';
import { attack, twin } from '../attack-catalogue.ts';
import { type Arena, logOf, openArena, ORIGIN } from './arena.ts';

let arena: Arena;
let notary: Notary | undefined;
const raised: { condition: NotaryCondition; message: string }[] = [];
const cleared: NotaryCondition[] = [];

function start(anchors: readonly Anchor[] = [], config: Record<string, number> = {}): Notary {
  notary = createNotary({
    deployment: 'notary-test',
    config: configSchema.parse({ notary: { interval_ms: 100 } }).notary,
    store: arena.store,
    directory: arena.state,
    keys: arena.keys,
    anchors,
    clock: { nowMs: () => Date.now() },
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    raise: (condition, message) => void raised.push({ condition, message }),
    clear: (condition) => void cleared.push(condition),
    ...(Object.keys(config).length === 0
      ? {}
      : { config: { ...configSchema.parse({}).notary, interval_ms: 100, ...config } }),
  });
  return notary;
}

beforeEach(async () => {
  arena = await openArena();
  raised.length = 0;
  cleared.length = 0;
});
afterEach(async () => {
  await notary?.stop();
  notary = undefined;
  await arena.close();
});

/** An anchor in memory that does what it is told. */
function anchorThat(publish: (checkpoint: AnchoredCheckpoint) => Promise<void>): Anchor {
  return {
    id: 'memory',
    type: 'file',
    async publish(checkpoint) {
      await publish(checkpoint);
      return { type: 'place', place: `memory/${checkpoint.size}` };
    },
    close: () => Promise.resolve(),
  };
}

test('what the ledger writes is signed within the interval, and what anchors give back is kept', async () => {
  const seen: bigint[] = [];
  await start([anchorThat(({ size }) => Promise.resolve(void seen.push(size)))]).start();
  await arena.write('acme', 3);
  await until(
    'a checkpoint',
    async () => (await newestCheckpoint(arena.store.raw, logOf('acme')))?.size === 4n,
  );
  await until('the anchor', () => Promise.resolve(seen.length > 0));
  await until('its evidence', async () => (await anchorEvidence(arena.store.raw, ORIGIN, 0n)).length === 1);
  expect((await anchorEvidence(arena.store.raw, ORIGIN, 0n))[0]).toMatchObject({
    anchor: 'memory',
    type: 'place',
    evidence: 'memory/2',
  });
  expect(notary?.status()).toMatchObject({ size: '2', logs: 1, anchors: [{ anchored_size: '2' }] });
  expect(notary?.anchoredSize()).toBeGreaterThan(0n);
});

test('what came last is signed before the process ends', async () => {
  await start([], { interval_ms: 3_600_000 }).start();
  await arena.write('acme', 3);
  await notary?.stop();
  expect((await newestCheckpoint(arena.store.raw, logOf('acme')))?.size).toBe(4n);
});

test('too few anchors with a recent checkpoint are an alarm, which ends when they have it', async () => {
  let isDown = true;
  const anchor = anchorThat(() => {
    if (isDown) throw new TransientError('unavailable', 'cannot reach the anchor: injected');
    return Promise.resolve();
  });
  await start([anchor], { anchors_required: 1, anchor_max_age_ms: 50 }).start();
  await arena.write('acme', 3);
  await until('the alarm', () =>
    Promise.resolve(raised.some(({ condition }) => condition.code === 'anchors')),
  );
  expect(raised.find(({ condition }) => condition.code === 'anchors')?.message).toContain('injected');
  isDown = false;
  cleared.length = 0;
  await until('its end', () => Promise.resolve(cleared.some(({ code }) => code === 'anchors')));
});

test('an anchor that holds another history is an alarm that names it', async () => {
  const anchor = anchorThat(() => {
    throw new IntegrityError('cannot anchor: SPLIT_VIEW');
  });
  await start([anchor]).start();
  await arena.write('acme', 3);
  await until('the alarm', () => Promise.resolve(raised.length > 0));
  expect(raised[0]).toMatchObject({ condition: { code: 'integrity', place: 'memory' } });
  attack(21, 'notary', 'SPLIT_VIEW');
});

test('a log whose signed end was cut off is signed no further; the others are', async () => {
  await arena.write('acme', 3);
  await arena.write('globex', 3);
  await arena.step();
  await arena.tamper(`ALTER TABLE custody.entries DELETE WHERE log = '${logOf('acme')}' AND seq = 3`);
  await start().start();
  await arena.write('globex', 1);
  await until(
    'the other log',
    async () => (await newestCheckpoint(arena.store.raw, logOf('globex')))?.size === 5n,
  );
  expect(raised).toEqual([
    {
      condition: { code: 'integrity', place: logOf('acme') },
      message: expect.stringContaining('TRUNCATED') as string,
    },
  ]);
  attack(8, 'notary', 'TRUNCATED');
  attack(17, 'notary', 'TRUNCATED');
});

test('acts asked for in the process and through the state directory are entered in order and answered', async () => {
  await start().start();
  const act = { type: 'hold', hold_id: 'h-1', operator: 'o', reason: 'case 42' } as const;
  const entered = await notary?.enter(act);
  expect(entered).toMatchObject({ seq: 1n });
  const { id } = await requestAct(arena.state.path, { ...act, hold_id: 'h-2' });
  const place = await awaitAct(arena.state.path, id, 120_000);
  expect(place?.size).toBe((place?.seq ?? 0n) + 1n);
  expect(
    (await arena.entries()).map((entry) => (entry.type === 'hold' ? entry.hold_id : entry.type)),
  ).toEqual(['genesis', 'h-1', 'h-2']);
});

test('a request that is no act is refused with the reason', async () => {
  const { id } = await requestAct(arena.state.path, {
    type: 'hold',
    hold_id: 'h',
    operator: 'o',
    reason: 'r',
  });
  writeFileSync(join(arena.state.path, 'requests', `${id}.json`), '{"type":"checkpoint"}');
  await start().start();
  await expect(awaitAct(arena.state.path, id, 120_000)).rejects.toThrow(/not an act/);
});

test('a rotation is signed by both keys, and the new one signs from then on', async () => {
  await start().start();
  const old = arena.keys.current;
  const next = signingKey(ORIGIN, 'log', generateKeyPairSync('ed25519').privateKey);
  writeFileSync(join(arena.state.path, 'next.key'), formatSigningKey(next));
  const [from, to] = [formatVerifierKey(old), formatVerifierKey(next)];
  const proof = sign(null, Buffer.from(keyRotationText(ORIGIN, from, to)), next.privateKey).toString(
    'base64',
  );
  const act = { type: 'key_rotated', old: from, new: to, proof, operator: 'o', reason: 'yearly' } as const;
  await expect(
    notary?.enter({ ...act, proof: sign(null, Buffer.from('x'), next.privateKey).toString('base64') }),
  ).rejects.toThrow(/has not signed/);
  const entered = await notary?.enter(act);
  const both = await newestCheckpoint(arena.store.raw, ORIGIN);
  expect(both?.size).toBe(entered?.size);
  const keys = [parseVerifierKey(from), parseVerifierKey(to)];
  expect(verifiedBy(parseNote(both?.note ?? ''), keys).by).toHaveLength(2);

  await arena.write('acme', 1);
  await until(
    'a checkpoint of the new key',
    async () => ((await newestCheckpoint(arena.store.raw, ORIGIN))?.size ?? 0n) > (entered?.size ?? 0n),
  );
  const after = parseNote((await newestCheckpoint(arena.store.raw, ORIGIN))?.note ?? '');
  expect(verifiedBy(after, keys).by.map(({ key }) => formatVerifierKey(key))).toEqual([to]);
  // The old secret is gone, the state goes on under the new one.
  await notary?.stop();
  await arena.reopen();
  expect(arena.state.state.verifierKey).toBe(to);
  await start().start();
  await arena.write('acme', 1);
  await until(
    'a checkpoint after a restart',
    async () => ((await newestCheckpoint(arena.store.raw, logOf('acme')))?.size ?? 0n) === 3n,
  );
  twin(25, 'notary');
  twin(44, 'notary');
});
